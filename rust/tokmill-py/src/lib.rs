//! The Python face of tokmill: borrows, releases the GIL, moves results out. No algorithm lives here.

// PyO3 hands extracted arguments over by value.
#![allow(clippy::needless_pass_by_value)]

mod arrays;
mod arrow;
mod byte_level;
mod components;
mod error;
mod lists;
mod options;
mod text;
mod tokenizer;
mod train;
mod train_unigram;
mod train_wordpiece;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::error::{Exception, Result, call};

/// The patterns that have a name: a new dict of names to regular expressions.
///
/// Several expressions are applied one after the other, each to the pieces of the one before.
#[pyfunction]
fn patterns(py: Python<'_>) -> Result<Bound<'_, PyDict>> {
    let patterns = PyDict::new(py);
    for pattern in tokmill::pretokenize::patterns::patterns() {
        let regexes = PyTuple::new(py, pattern.regexes)?;
        for name in [&pattern.name].into_iter().chain(pattern.aliases) {
            patterns.set_item(name, &regexes)?;
        }
    }
    Ok(patterns)
}

/// Panics as a bug in the core would, so that the tests see what becomes of it.
#[pyfunction]
fn _panic(py: Python<'_>, message: String, bytes: usize) -> Result<()> {
    call(py, bytes, || -> Result<()> { std::panic::panic_any(message) })
}

/// The compiled core of the `tokmill` package.
#[pymodule(gil_used = false)]
mod _tokmill {
    use pyo3::prelude::*;

    use super::Exception;

    #[pymodule_export]
    use super::_panic;
    #[pymodule_export]
    use super::patterns;
    #[pymodule_export]
    use crate::arrays::Ragged;
    #[pymodule_export]
    use crate::byte_level::{ByteEngine, ByteRequest, ByteState};
    #[pymodule_export]
    use crate::components::{Normalizer, Pattern, PreTokenizer, uppercase};
    #[pymodule_export]
    use crate::lists::_spans;
    #[pymodule_export]
    use crate::options::set_default_threads;
    #[pymodule_export]
    use crate::tokenizer::{DecodeStream, Tokenizer};
    #[pymodule_export]
    use crate::train::{_check_bpe, _check_superbpe, _train_bpe, _train_superbpe, WordCounter, WordCounts};
    #[pymodule_export]
    use crate::train_unigram::{_check_unigram, _train_unigram};
    #[pymodule_export]
    use crate::train_wordpiece::{_check_wordpiece, _train_characters, _train_wordpiece};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        // The binding of numpy panics where it is absent; this says so instead.
        py.import("numpy")?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        for exception in [Exception::Tokmill, Exception::UnknownId, Exception::Internal] {
            let kind = exception.python_type(py)?;
            module.add(kind.getattr("__name__")?.extract::<String>()?, kind)?;
        }
        Ok(())
    }
}
