//! Texts as Python hands them over, borrowed wherever they lie in one piece.
//!
//! `str` lends its UTF-8 form (which it keeps, so a second call is free; [`large_str`] is about the first one), `bytes` and
//! every other exporter of bytes through the buffer protocol (`bytearray`, `memoryview`, `mmap`, `numpy.uint8` arrays) lend
//! their memory.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyList, PySequence, PyString, PyTuple};
use pyo3::{ffi, intern};
use tokmill::memory;

use crate::arrow::Column;
use crate::error::{Failure, Result};

/// The bytes of one text.
pub(crate) enum Text<'a> {
    /// Lent by an object that outlives this value.
    Lent(&'a [u8]),
    /// Lent by an exporter, which cannot move or free the memory before this is dropped.
    Buffer(PyUntypedBuffer),
    /// Gathered from a buffer with gaps, such as `memoryview(b"...")[::2]`, or from a [`large_str`].
    Gathered(Vec<u8>),
}

impl AsRef<[u8]> for Text<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Gathered(bytes) => bytes,
            Self::Buffer(buffer) if buffer.len_bytes() == 0 => &[],
            // SAFETY: the buffer is contiguous, and the exporter keeps the memory in place, and as long as it is, while
            // the buffer is held. That nobody writes to it during the call is the caller's part, said in the
            // documentation of `encode`; it is what `hashlib` asks for too.
            Self::Buffer(buffer) => unsafe {
                std::slice::from_raw_parts(buffer.buf_ptr().cast_const().cast(), buffer.len_bytes())
            },
        }
    }
}

impl Text<'_> {
    /// The length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.as_ref().len()
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Text<'a> {
    type Error = Failure;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> Result<Self> {
        if object.is_instance_of::<PyString>() {
            if let Some(text) = large_str(object) {
                return Ok(Self::Gathered(text));
            }
            return match object.extract::<&'a str>() {
                Ok(text) => Ok(Self::Lent(text.as_bytes())),
                Err(error) => Err(lone_surrogate(object.py(), error)),
            };
        }
        if object.is_instance_of::<PyBytes>() {
            return Ok(Self::Lent(object.extract::<&'a [u8]>().map_err(PyErr::from)?));
        }
        let buffer = PyUntypedBuffer::get(&object).ok().filter(holds_bytes);
        let Some(buffer) = buffer else {
            return Err(Failure::wrong_type("str, bytes or another buffer of bytes", &object));
        };
        if buffer.is_c_contiguous() {
            return Ok(Self::Buffer(buffer));
        }
        Ok(Self::Gathered(buffer.into_typed()?.to_vec(object.py())?))
    }
}

/// A `str` of fewer characters lends its UTF-8 form at once.
const LARGE: usize = 1 << 17;
/// Characters that are turned into UTF-8 together.
const SLICE: usize = 16 << 10;
/// The addresses of some large texts that have been turned into UTF-8 here.
static SEEN: [AtomicUsize; 64] = [const { AtomicUsize::new(0) }; 64];

/// The UTF-8 form of a `str` that is not large, in as few calls as that takes, with nothing passed through memory. `None`
/// for all else, and where there is none, for [`Text::extract`] to tell why.
#[inline]
fn short_str<'a>(object: Borrowed<'a, '_, PyAny>) -> Option<&'a [u8]> {
    if !object.is_exact_instance_of::<PyString>() {
        return None;
    }
    // SAFETY: the object is a `str`, which lives as long as `'a` and keeps its UTF-8 form, unchanged, as long as it lives.
    unsafe {
        if ffi::PyUnicode_GetLength(object.as_ptr()) >= LARGE as ffi::Py_ssize_t {
            return None;
        }
        let mut len = 0;
        let begin = ffi::PyUnicode_AsUTF8AndSize(object.as_ptr(), &raw mut len);
        if begin.is_null() {
            drop(PyErr::take(object.py()));
            return None;
        }
        Some(std::slice::from_raw_parts(begin.cast(), len as usize))
    }
}

/// The UTF-8 form of a large `str` that is not in ASCII, slice by slice, which takes a third of the time that Python takes
/// for the whole, as slices in ASCII are only copied, and leaves no second copy in the `str`. `None` where Python is to do
/// it: for a text that comes again, since Python keeps the result, and for one with lone surrogates.
fn large_str(object: Borrowed<'_, '_, PyAny>) -> Option<Vec<u8>> {
    let chars = if object.is_exact_instance_of::<PyString>() { object.len().ok()? } else { 0 };
    if chars < LARGE || object.call_method0(intern!(object.py(), "isascii")).ok()?.is_truthy().ok()? {
        return None;
    }
    // Another text may come to lie at the same address; Python's way is only slower for it.
    let address = object.as_ptr().addr();
    if SEEN[address / 64 % SEEN.len()].swap(address, Ordering::Relaxed) == address {
        return None;
    }
    let sequence = object.cast::<PySequence>().ok()?;
    let mut text = memory::room(2 * chars);
    for begin in (0..chars).step_by(SLICE) {
        let slice = sequence.get_slice(begin, chars.min(begin + SLICE)).ok()?;
        text.extend_from_slice(slice.extract::<&str>().ok()?.as_bytes());
    }
    Some(text)
}

/// Whether the items of a buffer are bytes: unsigned, signed (Arrow's buffers are) or `char`.
fn holds_bytes(buffer: &PyUntypedBuffer) -> bool {
    matches!(buffer.format().to_bytes(), [.., b'B' | b'b' | b'c']) && buffer.item_size() == 1
}

/// Says where the surrogate stands that keeps a `str` from being UTF-8.
fn lone_surrogate(py: Python<'_>, error: PyErr) -> Failure {
    if !error.is_instance_of::<PyUnicodeEncodeError>(py) {
        return error.into();
    }
    match error.value(py).getattr(intern!(py, "start")).and_then(|start| start.extract::<usize>()) {
        Ok(position) => Failure::option("text", format!("holds a lone surrogate at character {position}")),
        Err(error) => error.into(),
    }
}

/// Texts of a batch whose memory is fetched while others are looked at.
const AHEAD: usize = 32;

/// The texts of a batch, kept alive.
pub(crate) enum Texts<'py> {
    /// The objects of an iterable.
    Objects(Bound<'py, PyTuple>),
    /// A column of an Arrow table.
    Column(Column),
}

impl<'py> Texts<'py> {
    /// Takes a batch from an Arrow column or any iterable of texts, which is read to its end.
    pub(crate) fn new(source: &Bound<'py, PyAny>) -> Result<Self> {
        let one_text = source.is_instance_of::<PyString>()
            || source.is_instance_of::<PyBytes>()
            || source.is_instance_of::<PyByteArray>();
        if one_text {
            return Err(PyTypeError::new_err("expected an iterable of texts, not one text").into());
        }
        if let Some(column) = Column::from_python(source)? {
            return Ok(Self::Column(column));
        }
        if let Ok(tuple) = source.cast_exact::<PyTuple>() {
            return Ok(Self::Objects(tuple.clone()));
        }
        if let Ok(list) = source.cast_exact::<PyList>() {
            return Ok(Self::Objects(list.to_tuple()));
        }
        let Ok(iterator) = source.try_iter() else {
            return Err(Failure::wrong_type("an iterable of str or bytes, or an Arrow column", source));
        };
        let objects = iterator.collect::<PyResult<Vec<_>>>()?;
        Ok(Self::Objects(PyTuple::new(source.py(), objects)?))
    }

    /// Borrows every text.
    pub(crate) fn borrow(&self) -> Result<Vec<Text<'_>>> {
        match self {
            Self::Column(column) => column.texts(),
            Self::Objects(objects) => {
                let mut texts = Vec::with_capacity(objects.len());
                let mut ahead = objects.iter_borrowed().skip(AHEAD);
                for (index, object) in objects.iter_borrowed().enumerate() {
                    if let Some(object) = ahead.next() {
                        // The beginning, and what stands before the characters, which may lie on the next line.
                        memory::prefetch_address(object.as_ptr());
                        memory::prefetch_address(object.as_ptr().wrapping_byte_add(40));
                    }
                    match short_str(object) {
                        Some(text) => texts.push(Text::Lent(text)),
                        None => texts.push(object.extract().map_err(|failure| in_row(object.py(), index, failure))?),
                    }
                }
                Ok(texts)
            }
        }
    }
}

/// Puts the row in front of what is wrong with it.
fn in_row(py: Python<'_>, index: usize, failure: Failure) -> Failure {
    match failure {
        Failure::Core(tokmill::Error::Option { name, why }) => Failure::option(name, format!("{index} {why}")),
        Failure::Python(error) if error.is_instance_of::<PyTypeError>(py) => {
            PyTypeError::new_err(format!("text {index}: {}", error.value(py))).into()
        }
        other => other,
    }
}

/// The bytes of all texts together.
pub(crate) fn total_len(texts: &[Text<'_>]) -> usize {
    texts.iter().map(Text::len).sum()
}
