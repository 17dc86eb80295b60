//! Reading tokenizers from files and writing them.

use std::path::PathBuf;

use pyo3::exceptions::PyUserWarning;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyType};
use tokmill::format::{self, LoadOptions};

use super::Tokenizer;
use super::vocabulary::pairs;
use crate::error::{LONG, Result, call};
use crate::options::parse_format;
use crate::text::Text;

fn load_options(
    pattern: Option<String>,
    special_tokens: Option<&Bound<'_, PyDict>>,
    lowercase: Option<bool>,
) -> Result<LoadOptions> {
    let special_tokens = special_tokens.map(pairs).transpose()?.unwrap_or_default();
    Ok(LoadOptions { pattern, special_tokens, lowercase })
}

fn warn(py: Python<'_>, warnings: Vec<String>) -> Result<()> {
    let warn = py.import(intern!(py, "warnings"))?.getattr(intern!(py, "warn"))?;
    for warning in warnings {
        warn.call1((warning, py.get_type::<PyUserWarning>()))?;
    }
    Ok(())
}

#[pymethods]
impl Tokenizer {
    /// Reads a tokenizer from a file or a directory.
    ///
    /// The format is told from the content: `tokenizer.json`, `.tiktoken`, `tekken.json`, or a directory with
    /// `tokenizer.json`, or with `vocab.json` and `merges.txt`. Files compressed with gzip are read through.
    ///
    /// A `.tiktoken` file says neither how text is cut nor what is special: `pattern` is a regular expression or a
    /// name of `tokmill.patterns()`, and `special_tokens` maps contents to ids. A `vocab.txt` does not say whether its
    /// words are in lower case: `lowercase` does, unless a `tokenizer_config.json` beside it tells.
    ///
    /// Raises `OSError` if the file cannot be read, and `TokmillError` if it is damaged or names what is not supported.
    #[classmethod]
    #[pyo3(signature = (path, *, pattern = None, special_tokens = None, lowercase = None))]
    fn from_file(
        cls: &Bound<'_, PyType>,
        path: PathBuf,
        pattern: Option<String>,
        special_tokens: Option<&Bound<'_, PyDict>>,
        lowercase: Option<bool>,
    ) -> Result<Self> {
        let options = load_options(pattern, special_tokens, lowercase)?;
        Ok(call(cls.py(), LONG, || format::load(&path, &options))?.into())
    }

    /// Reads a tokenizer from the bytes of a file, which may be compressed with gzip. Options as for `from_file`.
    #[classmethod]
    #[pyo3(signature = (data, *, pattern = None, special_tokens = None, lowercase = None))]
    fn from_bytes(
        cls: &Bound<'_, PyType>,
        data: Text<'_>,
        pattern: Option<String>,
        special_tokens: Option<&Bound<'_, PyDict>>,
        lowercase: Option<bool>,
    ) -> Result<Self> {
        let options = load_options(pattern, special_tokens, lowercase)?;
        Ok(call(cls.py(), LONG, || format::from_bytes(data.as_ref(), &options))?.into())
    }

    /// Reads a tokenizer of the Hugging Face hub, "organisation/name", or of a local directory of that name.
    ///
    /// Needs the extra `tokmill[hub]`. Its cache and its settings are those of `huggingface_hub`: with
    /// `HF_HUB_OFFLINE=1`, only the cache is read. `revision` is a branch, tag or commit. Other options as for
    /// `from_file`.
    #[classmethod]
    #[pyo3(signature = (name, *, revision = None, token = None, pattern = None, special_tokens = None, lowercase = None))]
    fn from_pretrained(
        cls: &Bound<'_, PyType>,
        name: &str,
        revision: Option<&str>,
        token: Option<&Bound<'_, PyAny>>,
        pattern: Option<String>,
        special_tokens: Option<&Bound<'_, PyDict>>,
        lowercase: Option<bool>,
    ) -> Result<Self> {
        let py = cls.py();
        let path = py.import(intern!(py, "tokmill.hub"))?.call_method1("fetch", (name, revision, token))?;
        Self::from_file(cls, path.extract()?, pattern, special_tokens, lowercase)
    }

    /// Writes the tokenizer to a file: all of it or, if something goes wrong, nothing.
    ///
    /// The format is told from the name, `.json`, `.tiktoken` or `.model`, or by `format`, "tokenizer.json", "tiktoken"
    /// or "sentencepiece". What the format cannot hold is said in a `UserWarning`; what would change ids raises
    /// `TokmillError`.
    #[pyo3(signature = (path, *, format = None))]
    fn save(&self, py: Python<'_>, path: PathBuf, format: Option<&str>) -> Result<()> {
        let format = format.map(parse_format).transpose()?;
        warn(py, call(py, LONG, || format::save(&self.core, &path, format))?)
    }

    /// The bytes that `save` would write: a `tokenizer.json` unless `format` says "tiktoken" or "sentencepiece".
    #[pyo3(signature = (*, format = "tokenizer.json"))]
    pub(super) fn to_bytes<'py>(&self, py: Python<'py>, format: &str) -> Result<Bound<'py, PyBytes>> {
        let format = parse_format(format)?;
        let (bytes, warnings) = call(py, LONG, || format::to_bytes(&self.core, format))?;
        warn(py, warnings)?;
        Ok(PyBytes::new(py, &bytes))
    }
}
