//! `tokmill.Tokenizer` and its streaming decoder: arguments in, one call of the core, results out.

mod decode;
mod encode;
mod files;
mod vocabulary;

use std::sync::{Arc, OnceLock};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use tokmill::format;
use tokmill::model::Model;
use tokmill::tokenizer as core;

pub(crate) use self::decode::DecodeStream;
use crate::error::{LONG, Result, call};
use crate::options::Size;

/// Turns text into ids and back. Immutable; any number of threads may use one object at the same time.
///
/// Made by `from_file`, `from_bytes`, `from_pretrained` and the training functions. Tokenizers can be pickled,
/// hashed and compared; two are equal if they write the same file.
#[pyclass(frozen, module = "tokmill")]
pub(crate) struct Tokenizer {
    core: Arc<core::Tokenizer>,
    fingerprint: OnceLock<String>,
}

impl From<core::Tokenizer> for Tokenizer {
    fn from(core: core::Tokenizer) -> Self {
        Self { core: Arc::new(core), fingerprint: OnceLock::new() }
    }
}

impl Tokenizer {
    /// The tokenizer itself.
    pub(crate) fn core(&self) -> &core::Tokenizer {
        &self.core
    }

    /// The tokenizer itself, shared.
    pub(crate) fn shared(&self) -> Arc<core::Tokenizer> {
        self.core.clone()
    }

    fn digest(&self, py: Python<'_>) -> Result<&str> {
        if let Some(digest) = self.fingerprint.get() {
            return Ok(digest);
        }
        let digest = call(py, LONG, || format::fingerprint(&self.core))?;
        Ok(self.fingerprint.get_or_init(|| digest))
    }
}

#[pymethods]
impl Tokenizer {
    /// Bytes that the caches of pieces already met may take, 64 MiB unless set; 0 turns them off.
    ///
    /// Ids never depend on it, and neither equality nor pickles know of it. What the caches hold is given up when it is
    /// set, and with the tokenizer.
    #[getter]
    fn cache_bytes(&self) -> usize {
        self.core.cache_bytes()
    }

    #[setter]
    fn set_cache_bytes(&self, bytes: Size) -> Result<()> {
        self.core.set_cache_bytes(bytes.get("cache_bytes")?);
        Ok(())
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> Result<bool> {
        let Ok(other) = other.cast::<Self>() else {
            return Ok(false);
        };
        Ok(Arc::ptr_eq(&self.core, &other.get().core) || self.digest(py)? == other.get().digest(py)?)
    }

    fn __hash__(&self, py: Python<'_>) -> Result<isize> {
        Ok(PyString::new(py, self.digest(py)?).hash()?)
    }

    fn __copy__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let from_bytes = slf.get_type().getattr(intern!(slf.py(), "from_bytes"))?;
        let format = match format::native_format(&slf.get().core) {
            format::Format::SentencePiece => "sentencepiece",
            _ => "tokenizer.json",
        };
        Ok((from_bytes, (slf.get().to_bytes(slf.py(), format)?,)))
    }

    fn __repr__(&self) -> String {
        let model = match self.core.model() {
            Model::Bpe(_) => "BPE, ",
            Model::Unigram(_) => "Unigram, ",
            Model::WordPiece(_) => "WordPiece, ",
            Model::WordLevel(_) => "WordLevel, ",
            _ => "",
        };
        format!("<tokmill.Tokenizer: {model}{} ids>", self.core.vocab_size())
    }
}
