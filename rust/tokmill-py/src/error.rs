//! The bridge from the core's errors and panics to Python's exceptions.
//!
//! Every call into the core goes through [`call`], which gives up the interpreter while the core works and turns a
//! panic into `tokmill.InternalError`. Methods return [`Result`]; `PyO3` raises what [`Failure`] becomes.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use pyo3::exceptions::{PyIndexError, PyOSError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};
use tokmill::Error;

/// Work on fewer bytes than this is done before another thread could take the interpreter over.
const BYTES_WORTH_DETACHING: usize = 2048;

/// More input than any: for calls that are long whatever their input.
pub(crate) const LONG: usize = usize::MAX;

/// Whatever ends a call: the core's error, an exception that Python already has, or a bug.
pub(crate) enum Failure {
    /// An error of the core, to be translated.
    Core(Error),
    /// An exception to be passed on as it is.
    Python(PyErr),
    /// An integer, as text, that no vocabulary can have as an id.
    Unknown { id: String, vocab_size: usize },
    /// The message of a panic.
    Panic(String),
}

/// What methods of this binding return.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// An option whose value makes no sense.
    pub(crate) fn option(name: &'static str, why: impl Into<String>) -> Self {
        Self::Core(Error::option(name, why))
    }

    /// An argument of the wrong type.
    pub(crate) fn wrong_type(expected: &str, got: &Bound<'_, PyAny>) -> Self {
        let got = got.get_type().name().map_or_else(|_| "something else".to_owned(), |name| name.to_string());
        Self::Python(PyTypeError::new_err(format!("expected {expected}, not {got}")))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        Python::attach(|py| match failure {
            Failure::Python(error) => error,
            Failure::Core(Error::Io { path, source }) => os_error(py, &path, &source),
            Failure::Core(error @ Error::UnknownId { .. }) => raise(py, Exception::UnknownId, &error.to_string()),
            Failure::Unknown { id, vocab_size } => {
                let last = vocab_size.saturating_sub(1);
                raise(py, Exception::UnknownId, &format!("id {id} is not in the vocabulary (ids run from 0 to {last})"))
            }
            Failure::Core(error) => raise(py, Exception::Tokmill, &error.to_string()),
            Failure::Panic(message) => {
                raise(py, Exception::Internal, &format!("this is a bug in tokmill, please report it: {message}"))
            }
        })
    }
}

/// Runs the core on about `bytes` of input: detached from the interpreter unless the input is tiny, panics caught.
pub(crate) fn call<T: Send, E>(py: Python<'_>, bytes: usize, work: impl FnOnce() -> Result<T, E> + Send) -> Result<T>
where
    Failure: From<E>,
    E: Send,
{
    // The core's values are immutable or dropped with the call, so none is seen half changed after a panic.
    let work = AssertUnwindSafe(work);
    let outcome = if bytes < BYTES_WORTH_DETACHING { catch_unwind(work) } else { py.detach(|| catch_unwind(work)) };
    match outcome {
        Ok(result) => Ok(result?),
        Err(panic) => Err(Failure::Panic(message_of(panic.as_ref()))),
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("panic").to_owned()
}

/// An `OSError` with its number and file, which Python makes a `FileNotFoundError` or the like of.
fn os_error(py: Python<'_>, path: &Path, source: &io::Error) -> PyErr {
    let made = match source.raw_os_error() {
        Some(number) => {
            // The system's message without Rust's "(os error 2)".
            let message = source.to_string();
            let message = message.split(" (os error").next().unwrap_or(&message);
            py.get_type::<PyOSError>().call1((number, message, path.as_os_str()))
        }
        None => py.get_type::<PyOSError>().call1((format!("{}: {source}", path.display()),)),
    };
    made.map_or_else(|error| error, PyErr::from_value)
}

/// The exception types of the package.
#[derive(Clone, Copy)]
pub(crate) enum Exception {
    Tokmill,
    UnknownId,
    Internal,
}

static TOKMILL_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static UNKNOWN_ID: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static INTERNAL_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();

impl Exception {
    /// The Python type, made at the first use.
    pub(crate) fn python_type(self, py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
        let (slot, name, doc) = match self {
            Self::Tokmill => (
                &TOKMILL_ERROR,
                "TokmillError",
                "A file, an option or a text that tokmill cannot take; the message says where and why.",
            ),
            Self::UnknownId => (&UNKNOWN_ID, "UnknownId", "An id that the vocabulary does not have."),
            Self::Internal => {
                (&INTERNAL_ERROR, "InternalError", "A bug in tokmill. The object it came from is still usable.")
            }
        };
        let made = slot.get_or_try_init(py, || {
            let bases = match self {
                Self::Tokmill => PyTuple::new(py, [py.get_type::<PyValueError>()])?,
                Self::UnknownId => {
                    PyTuple::new(py, [Self::Tokmill.python_type(py)?.clone(), py.get_type::<PyIndexError>()])?
                }
                Self::Internal => PyTuple::new(py, [py.get_type::<PyRuntimeError>()])?,
            };
            let members = PyDict::new(py);
            members.set_item("__module__", "tokmill")?;
            members.set_item("__doc__", doc)?;
            let made = py.get_type::<PyType>().call1((name, bases, members))?;
            PyResult::Ok(made.cast_into::<PyType>()?.unbind())
        })?;
        Ok(made.bind(py))
    }
}

fn raise(py: Python<'_>, exception: Exception, message: &str) -> PyErr {
    match exception.python_type(py) {
        Ok(kind) => PyErr::from_type(kind.clone(), (message.to_owned(),)),
        Err(error) => error,
    }
}
