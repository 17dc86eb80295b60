//! Lists of Python objects out of arrays, for faces whose owners give lists.
//!
//! The spans of short tokens near the begin of a text come up again and again, and cannot be changed, so lists share
//! them: it costs less to count one more reference than to make a tuple and to free it, and the collector has nothing to
//! look at. They are made in blocks when one of a block is first needed, and kept.

use numpy::PyReadonlyArray2;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyTuple};

use crate::error::{Failure, Result};

/// Tuples of a block.
const BLOCK: usize = 1 << 10;

/// Spans shorter than this are shared.
const LENGTHS: usize = 16;

/// Blocks of spans: those that begin below 2^12, 4 MB if all are needed.
const BLOCKS: usize = (1 << 12) * LENGTHS / BLOCK;

/// Spans by number: begin times [`LENGTHS`], and length.
static SPANS: [PyOnceLock<Vec<Py<PyTuple>>>; BLOCKS] = [const { PyOnceLock::new() }; BLOCKS];

/// The shared span with a number.
#[inline]
fn shared(py: Python<'_>, number: usize) -> PyResult<Bound<'_, PyTuple>> {
    let block = &SPANS[number / BLOCK];
    let tuples = if let Some(tuples) = block.get(py) {
        tuples
    } else {
        let first = number / BLOCK * BLOCK;
        block.get_or_try_init(py, || {
            (first..first + BLOCK).map(|number| numbered(py, number).map(Bound::unbind)).collect::<PyResult<_>>()
        })?
    };
    Ok(tuples[number % BLOCK].bind(py).clone())
}

fn numbered(py: Python<'_>, number: usize) -> PyResult<Bound<'_, PyTuple>> {
    let first = number / LENGTHS;
    PyTuple::new(py, [first, first + number % LENGTHS])
}

/// The rows from `begin` to `end` of int64[n, 2], as a list of tuples.
#[pyfunction]
pub(crate) fn _spans<'py>(
    py: Python<'py>,
    spans: PyReadonlyArray2<'py, i64>,
    begin: usize,
    end: usize,
) -> Result<Bound<'py, PyList>> {
    let values = spans.as_slice().map_err(|_| Failure::option("spans", "must be contiguous"))?;
    let (rows, rest) = values.as_chunks::<2>();
    if spans.as_array().ncols() != 2 || !rest.is_empty() {
        return Err(Failure::option("spans", "must have two columns"));
    }
    let part = rows
        .get(begin..end)
        .ok_or_else(|| Failure::option("end", format!("{begin}..{end} is not within {} rows", rows.len())))?;
    let tuple = |&[first, last]: &[i64; 2]| {
        let short = usize::try_from(first).ok().zip(usize::try_from(last.wrapping_sub(first)).ok());
        match short.filter(|&(first, len)| len < LENGTHS && first < BLOCKS * BLOCK / LENGTHS) {
            Some((first, len)) => shared(py, first * LENGTHS + len),
            None => PyTuple::new(py, [first, last]),
        }
    };
    Ok(PyList::new(py, part.iter().map(tuple).collect::<PyResult<Vec<_>>>()?)?)
}
