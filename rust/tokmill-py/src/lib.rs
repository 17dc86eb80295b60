//! The Python face of tokmill: borrows, releases the GIL, moves results out.

use pyo3::prelude::*;

/// The compiled core of the `tokmill` package.
#[pymodule(gil_used = false)]
mod _tokmill {}
