//! Options as Python types them.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyOverflowError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use tokmill::format::Format;
use tokmill::ragged::Side;
use tokmill::tokenizer::{AllowedSpecial, OffsetUnit, Tokenizer, Truncation};

use crate::error::{Failure, Result};

/// A number of things: an integer that may have been typed with a minus sign.
pub(crate) struct Size(Result<usize, String>);

impl<'py> FromPyObject<'_, 'py> for Size {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.extract::<usize>() {
            Ok(size) => Ok(Self(Ok(size))),
            Err(error) if error.is_instance_of::<PyOverflowError>(object.py()) => Ok(Self(Err(object.to_string()))),
            Err(error) => Err(error),
        }
    }
}

impl Size {
    /// A size that is given by default.
    pub(crate) const fn of(size: usize) -> Self {
        Self(Ok(size))
    }

    /// The number, which is the value of the option `name`.
    pub(crate) fn get(&self, name: &'static str) -> Result<usize> {
        match &self.0 {
            Ok(size) => Ok(*size),
            Err(value) => Err(Failure::option(name, format!("must be a size, not {value}"))),
        }
    }

    /// The number, which must not be 0.
    pub(crate) fn positive(&self, name: &'static str) -> Result<usize> {
        match self.get(name)? {
            0 => Err(Failure::option(name, "must be at least 1, not 0")),
            size => Ok(size),
        }
    }
}

/// What `threads=None` means; 0 is "as many as the input is worth".
static DEFAULT_THREADS: AtomicUsize = AtomicUsize::new(0);

/// Sets how many threads a call may use that is not told otherwise.
///
/// `None`, the initial state, is as many as there are cores available, and never more than one for each 256 KiB of
/// input; in a process that `multiprocessing` started, such as a worker of a data loader, it is one. Results never
/// depend on the number of threads.
#[pyfunction]
#[pyo3(signature = (n))]
pub(crate) fn set_default_threads(n: Option<Size>) -> Result<()> {
    let threads = n.as_ref().map_or(Ok(0), |n| n.positive("n"))?;
    DEFAULT_THREADS.store(threads, Ordering::Relaxed);
    Ok(())
}

/// The option `threads`.
pub(crate) fn threads(asked: Option<&Size>) -> Result<Option<usize>> {
    match asked {
        Some(size) => size.positive("threads").map(Some),
        None => Ok(match DEFAULT_THREADS.load(Ordering::Relaxed) {
            0 if is_worker() => Some(1),
            0 => None,
            threads => Some(threads),
        }),
    }
}

/// Whether `multiprocessing`, or its twin `multiprocess`, started this process: then others share its cores.
fn is_worker() -> bool {
    Python::attach(|py| {
        let modules = py.import(intern!(py, "sys"))?.getattr(intern!(py, "modules"))?;
        for name in [intern!(py, "multiprocessing.process"), intern!(py, "multiprocess.process")] {
            let Ok(module) = modules.get_item(name) else { continue };
            if !module.call_method0(intern!(py, "parent_process"))?.is_none() {
                return PyResult::Ok(true);
            }
        }
        Ok(false)
    })
    .unwrap_or(false)
}

/// The option `allowed_special`: "none", "all", or some special tokens by their content.
pub(crate) enum Allowed {
    None,
    All,
    Names(Vec<String>),
}

impl<'py> FromPyObject<'_, 'py> for Allowed {
    type Error = Failure;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> Result<Self> {
        if object.is_instance_of::<PyString>() {
            return match object.extract::<&str>()? {
                "none" => Ok(Self::None),
                "all" => Ok(Self::All),
                other => Err(Failure::option(
                    "allowed_special",
                    format!("{other:?} is neither \"none\" nor \"all\" nor a set of special tokens"),
                )),
            };
        }
        let Ok(names) = object.try_iter() else {
            return Err(Failure::wrong_type("\"none\", \"all\" or a set of special tokens", &object));
        };
        Ok(Self::Names(names.map(|name| name?.extract::<String>()).collect::<PyResult<_>>()?))
    }
}

impl Allowed {
    /// Looks the names up among the special tokens of `tokenizer`.
    pub(crate) fn resolve(self, tokenizer: &Tokenizer) -> Result<AllowedSpecial> {
        let names = match self {
            Self::None => return Ok(AllowedSpecial::None),
            Self::All => return Ok(AllowedSpecial::All),
            Self::Names(names) => names,
        };
        let id = |name: &String| match tokenizer.special_tokens().find(|(content, _)| content == name) {
            Some((_, id)) => Ok(id),
            None => Err(Failure::option("allowed_special", format!("{name:?} is not a special token"))),
        };
        Ok(AllowedSpecial::Only(names.iter().map(id).collect::<Result<_>>()?))
    }
}

/// The option of this name that says "left" or "right".
pub(crate) fn parse_side(name: &'static str, side: &str) -> Result<Side> {
    match side {
        "left" => Ok(Side::Left),
        "right" => Ok(Side::Right),
        _ => Err(Failure::option(name, format!("{side:?} is neither \"left\" nor \"right\""))),
    }
}

/// The options `max_length` and `truncation_side`.
pub(crate) fn parse_truncation(max_length: Option<&Size>, truncation_side: &str) -> Result<Option<Truncation>> {
    let side = parse_side("truncation_side", truncation_side)?;
    let max_length = max_length.map(|length| length.get("max_length")).transpose()?;
    Ok(max_length.map(|max_length| Truncation { max_length, side }))
}

/// The option `unit`.
pub(crate) fn parse_unit(unit: &str) -> Result<OffsetUnit> {
    match unit {
        "char" => Ok(OffsetUnit::Char),
        "byte" => Ok(OffsetUnit::Byte),
        _ => Err(Failure::option("unit", format!("{unit:?} is neither \"char\" nor \"byte\""))),
    }
}

/// The option `errors` where it is not "replace", which is the core's own: what becomes of bytes that are not UTF-8, by
/// the name of a Python error handler.
#[derive(Clone, Copy)]
pub(crate) struct ErrorHandler(&'static str);

impl ErrorHandler {
    pub(crate) fn parse(errors: &str) -> Result<Option<Self>> {
        match errors {
            "replace" => Ok(None),
            "strict" => Ok(Some(Self("strict"))),
            "ignore" => Ok(Some(Self("ignore"))),
            _ => {
                Err(Failure::option("errors", format!("{errors:?} is none of \"replace\", \"strict\" and \"ignore\"")))
            }
        }
    }

    /// Makes a `str` of UTF-8.
    pub(crate) fn decode<'py>(self, py: Python<'py>, bytes: &[u8]) -> Result<Bound<'py, PyString>> {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Ok(PyString::new(py, text));
        }
        let text = PyBytes::new(py, bytes).call_method1(intern!(py, "decode"), ("utf-8", self.0))?;
        Ok(text.cast_into().map_err(PyErr::from)?)
    }
}

/// The option `format`.
pub(crate) fn parse_format(format: &str) -> Result<Format> {
    match format {
        "tokenizer.json" => Ok(Format::TokenizerJson),
        "tiktoken" => Ok(Format::Tiktoken),
        "sentencepiece" => Ok(Format::SentencePiece),
        _ => {
            let why = format!("{format:?} is not \"tokenizer.json\", \"tiktoken\" or \"sentencepiece\"");
            Err(Failure::option("format", why))
        }
    }
}
