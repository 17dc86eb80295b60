//! Results on their way into numpy, and ids on their way back.

use std::sync::atomic::{AtomicUsize, Ordering};

use numpy::ndarray::Array2;
use numpy::{Element, IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyUntypedArrayMethods};
use pyo3::exceptions::{PyIndexError, PyOverflowError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PySlice, PyString, PyTuple};
use tokmill::ragged::{Ragged as Rows, RaggedView};

use crate::error::{Failure, Result, call};
use crate::options::{Size, parse_side};

/// Results up to this many bytes are copied into numpy, which costs less than handing the memory over.
const BYTES_WORTH_MOVING: usize = 4096;

/// A vector as an array; a large one gives up its memory to the array.
pub(crate) fn to_numpy<T: Element + Copy>(py: Python<'_>, values: Vec<T>) -> Bound<'_, PyArray1<T>> {
    if size_of_val(values.as_slice()) <= BYTES_WORTH_MOVING {
        PyArray1::from_slice(py, &values)
    } else {
        values.into_pyarray(py)
    }
}

/// A flat vector as an array of rows that are `width` long, its memory given up to the array.
pub(crate) fn to_numpy_2d<T: Element>(
    py: Python<'_>,
    values: Vec<T>,
    shape: (usize, usize),
) -> Result<Bound<'_, PyArray2<T>>> {
    let array = Array2::from_shape_vec(shape, values).map_err(|error| Failure::Panic(error.to_string()))?;
    Ok(array.into_pyarray(py))
}

/// Offsets as an array of shape `[n, 2]`.
pub(crate) fn spans_to_numpy(py: Python<'_>, spans: Vec<[i64; 2]>) -> Result<Bound<'_, PyArray2<i64>>> {
    let shape = (spans.len(), 2);
    to_numpy_2d(py, spans.into_flattened(), shape)
}

/// Ids handed over by Python: lent by a `numpy.uint32` array, else gathered from any sequence of integers.
pub(crate) enum Ids<'py> {
    Lent(PyReadonlyArray1<'py, u32>),
    Gathered(Vec<u32>),
}

impl<'py> Ids<'py> {
    /// Takes ids. An integer that cannot be an id is unknown to a vocabulary of `vocab_size`.
    pub(crate) fn new(source: &Bound<'py, PyAny>, vocab_size: usize) -> Result<Self> {
        if let Ok(array) = source.cast::<PyArray1<u32>>()
            && array.is_c_contiguous()
        {
            return Ok(Self::Lent(array.try_readonly().map_err(PyErr::from)?));
        }
        if !source.is_instance_of::<PyList>() {
            // Arrays of other types, tensors, array.array: their own conversion is faster than item by item.
            if let Some(to_list) = source.getattr_opt(intern!(source.py(), "tolist"))? {
                return Self::gather(&to_list.call0()?, vocab_size);
            }
        }
        Self::gather(source, vocab_size)
    }

    fn gather(source: &Bound<'py, PyAny>, vocab_size: usize) -> Result<Self> {
        let ids = match source.try_iter() {
            Ok(iterator) if !source.is_instance_of::<PyString>() => iterator,
            _ => return Err(Failure::wrong_type("a sequence of ids", source)),
        };
        Ok(Self::Gathered(ids.map(|id| id_from(&id?, vocab_size)).collect::<Result<_>>()?))
    }

    /// The ids.
    pub(crate) fn as_slice(&self) -> &[u32] {
        match self {
            Self::Lent(array) => array.as_slice().unwrap_or_default(),
            Self::Gathered(ids) => ids,
        }
    }
}

/// The ids of many texts, gathered from an iterable of what [`Ids::new`] takes.
pub(crate) fn gather_rows(batch: &Bound<'_, PyAny>, vocab_size: usize) -> Result<Rows<u32>> {
    let Ok(iterator) = batch.try_iter() else {
        return Err(Failure::wrong_type("a Ragged or an iterable of sequences of ids", batch));
    };
    let mut rows = Rows::default();
    for ids in iterator {
        rows.values_mut().extend_from_slice(Ids::new(&ids?, vocab_size)?.as_slice());
        rows.end_row();
    }
    Ok(rows)
}

/// One id. An integer that cannot be one is unknown to a vocabulary of `vocab_size`.
pub(crate) fn id_from(id: &Bound<'_, PyAny>, vocab_size: usize) -> Result<u32> {
    id.extract::<u32>().map_err(|error| {
        if error.is_instance_of::<PyOverflowError>(id.py()) {
            Failure::Unknown { id: id.to_string(), vocab_size }
        } else {
            error.into()
        }
    })
}

/// A rectangle of ids and its mask.
type Padded<'py> = (Bound<'py, PyArray2<u32>>, Bound<'py, PyArray2<bool>>);

/// Rows of ids of unequal length, in two flat arrays.
///
/// Row `i` is `values[offsets[i]:offsets[i + 1]]`: the layout of an Arrow list array with 64-bit offsets, and of a
/// nested tensor with jagged layout. `len(batch)` is the number of rows, `batch[i]` a view of row `i`, `batch[i:j]` a
/// `Ragged` of some rows.
///
/// `Ragged(values, offsets)` makes one of two arrays, which it keeps, not copies. `offsets` must begin at 0, never
/// fall, and end at `len(values)`; `TokmillError` otherwise.
#[pyclass(frozen, sequence, module = "tokmill")]
pub(crate) struct Ragged {
    /// All rows end to end: uint32[total].
    #[pyo3(get)]
    values: Py<PyArray1<u32>>,
    /// Where each row begins, and where the last one ends: int64[len + 1].
    #[pyo3(get)]
    offsets: Py<PyArray1<i64>>,
}

/// The arrays of a [`Ragged`], locked against writers on this side of the border.
pub(crate) struct LentRows<'py> {
    values: PyReadonlyArray1<'py, u32>,
    offsets: PyReadonlyArray1<'py, i64>,
}

impl LentRows<'_> {
    /// The rows, checked again, since numpy arrays may be written to.
    pub(crate) fn view(&self) -> Result<RaggedView<'_, u32>> {
        let contiguous = |_| Failure::option("offsets", "and values must be contiguous");
        let values = self.values.as_slice().map_err(contiguous)?;
        let offsets = self.offsets.as_slice().map_err(contiguous)?;
        Ok(RaggedView::new(values, offsets)?)
    }
}

impl Ragged {
    /// Moves rows into numpy.
    pub(crate) fn from_rows(py: Python<'_>, rows: Rows<u32>) -> Self {
        let (values, offsets) = rows.into_parts();
        Self { values: to_numpy(py, values).unbind(), offsets: to_numpy(py, offsets).unbind() }
    }

    /// Borrows the arrays.
    pub(crate) fn lend<'py>(&self, py: Python<'py>) -> Result<LentRows<'py>> {
        Ok(LentRows {
            values: self.values.bind(py).try_readonly().map_err(PyErr::from)?,
            offsets: self.offsets.bind(py).try_readonly().map_err(PyErr::from)?,
        })
    }

    fn row<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Bound<'py, PyAny>> {
        let offsets = self.offsets.bind(py);
        let (begin, end) = (offsets.get_item(index)?, offsets.get_item(index + 1)?);
        self.values.bind(py).get_item(PySlice::new(py, begin.extract()?, end.extract()?, 1))
    }

    fn rows<'py>(&self, py: Python<'py>, slice: &Bound<'py, PySlice>) -> Result<Self> {
        let lent = self.lend(py)?;
        let view = lent.view()?;
        let slice = slice.indices(view.len() as isize)?;
        let mut rows = Rows::default();
        for step in 0..slice.slicelength as isize {
            let index = (slice.start + step * slice.step) as usize;
            rows.values_mut().extend_from_slice(view.row(index).unwrap_or_default());
            rows.end_row();
        }
        Ok(Self::from_rows(py, rows))
    }
}

#[pymethods]
impl Ragged {
    #[new]
    fn new(py: Python<'_>, values: Py<PyArray1<u32>>, offsets: Py<PyArray1<i64>>) -> Result<Self> {
        let ragged = Self { values, offsets };
        ragged.lend(py)?.view()?;
        Ok(ragged)
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.offsets.bind(py).len() - 1
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>> {
        if let Ok(slice) = index.cast::<PySlice>() {
            return Ok(Bound::new(py, self.rows(py, slice)?)?.into_any());
        }
        let asked: isize = index.extract()?;
        let len = self.__len__(py);
        let row = if asked < 0 { asked + len as isize } else { asked };
        if !(0..len as isize).contains(&row) {
            return Err(PyIndexError::new_err(format!("row {asked} of a batch of {len}")).into());
        }
        Ok(self.row(py, row as usize)?)
    }

    fn __iter__(slf: Bound<'_, Self>) -> RaggedIterator {
        RaggedIterator { ragged: slf.unbind(), next: AtomicUsize::new(0) }
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> Result<bool> {
        let Ok(other) = other.cast::<Self>() else {
            return Ok(false);
        };
        let (left, right) = (self.lend(py)?, other.get().lend(py)?);
        Ok(left.values.as_array() == right.values.as_array() && left.offsets.as_array() == right.offsets.as_array())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("Ragged({} rows, {} values)", self.__len__(py), self.values.bind(py).len())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let parts = (slf.get().values.bind(slf.py()), slf.get().offsets.bind(slf.py()));
        (slf.get_type(), parts).into_pyobject(slf.py())
    }

    /// A rectangle and its mask: uint32[rows, width] and bool[rows, width].
    ///
    /// `width` is `length`, or that of the longest row. Shorter rows are filled up with `pad_id` on `side` ("right" or
    /// "left"), longer ones cut on that side; the mask is `True` on ids and `False` on padding.
    #[pyo3(signature = (pad_id = 0, length = None, side = "right"))]
    fn to_padded<'py>(&self, py: Python<'py>, pad_id: u32, length: Option<Size>, side: &str) -> Result<Padded<'py>> {
        let side = parse_side("side", side)?;
        let length = length.map(|length| length.get("length")).transpose()?;
        let lent = self.lend(py)?;
        let rows = lent.view()?;
        let bytes = 4 * length.unwrap_or_default().saturating_mul(rows.len()).max(lent.values.len());
        let (values, mask, width) = call(py, bytes, || rows.to_padded(pad_id, length, side))?;
        let shape = (rows.len(), width);
        Ok((to_numpy_2d(py, values, shape)?, to_numpy_2d(py, mask, shape)?))
    }
}

/// Goes through the rows of a `Ragged`.
#[pyclass(frozen, module = "tokmill")]
struct RaggedIterator {
    ragged: Py<Ragged>,
    next: AtomicUsize,
}

#[pymethods]
impl RaggedIterator {
    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let ragged = self.ragged.get();
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        if index < ragged.__len__(py) { ragged.row(py, index).map(Some) } else { Ok(None) }
    }
}
