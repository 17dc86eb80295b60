//! From ids to text, at once or one id at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use tokmill::decode;
use tokmill::ragged::RaggedView;
use tokmill::tokenizer as core;

use super::Tokenizer;
use crate::arrays::{Ids, Ragged, gather_rows, id_from};
use crate::error::{Failure, Result, call};
use crate::options::{self, ErrorHandler, Size};

#[pymethods]
impl Tokenizer {
    /// The text that ids stand for.
    ///
    /// `ids` is an array or any sequence of integers; a contiguous uint32 array is not copied. What is not UTF-8
    /// becomes U+FFFD, raises `UnicodeDecodeError` with `errors="strict"`, or is left out with `errors="ignore"`.
    ///
    /// Raises `UnknownId` for an id that the vocabulary does not have.
    #[pyo3(signature = (ids, *, skip_special_tokens = false, errors = "replace"))]
    fn decode<'py>(
        &self,
        py: Python<'py>,
        ids: &Bound<'py, PyAny>,
        skip_special_tokens: bool,
        errors: &str,
    ) -> Result<Bound<'py, PyString>> {
        let errors = ErrorHandler::parse(errors)?;
        let ids = Ids::new(ids, self.core.vocab_size())?;
        let ids = ids.as_slice();
        let Some(errors) = errors else {
            if self.core.decodes_end_to_end() {
                // Python checks that the bytes are UTF-8, as they hardly ever are not; so nobody has to before.
                if let Some(text) = self.decode_utf8(py, ids, skip_special_tokens)? {
                    return Ok(text);
                }
            }
            let text = call(py, size_of_val(ids), || self.core.decode(ids, skip_special_tokens))?;
            return Ok(PyString::new(py, &text));
        };
        let bytes = call(py, size_of_val(ids), || self.core.decode_bytes(ids, skip_special_tokens))?;
        errors.decode(py, &bytes)
    }

    /// The bytes that ids stand for. Ids and errors as for `decode`.
    #[pyo3(signature = (ids, *, skip_special_tokens = false))]
    fn decode_bytes<'py>(
        &self,
        py: Python<'py>,
        ids: &Bound<'py, PyAny>,
        skip_special_tokens: bool,
    ) -> Result<Bound<'py, PyBytes>> {
        let ids = Ids::new(ids, self.core.vocab_size())?;
        let ids = ids.as_slice();
        let bytes = call(py, size_of_val(ids), || self.core.decode_bytes(ids, skip_special_tokens))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// The text of each row of a `Ragged`, or of an iterable of what `decode` takes. Errors as for `decode`.
    ///
    /// `threads=None` is what `set_default_threads` says.
    #[pyo3(signature = (batch, *, skip_special_tokens = false, errors = "replace", threads = None))]
    fn decode_batch<'py>(
        &self,
        py: Python<'py>,
        batch: &Bound<'py, PyAny>,
        skip_special_tokens: bool,
        errors: &str,
        threads: Option<Size>,
    ) -> Result<Vec<Bound<'py, PyString>>> {
        let errors = ErrorHandler::parse(errors)?;
        let threads = options::threads(threads.as_ref())?;
        let decode = |rows: RaggedView<'_, u32>| {
            let size = size_of_val(rows.values());
            let Some(errors) = errors else {
                let texts = call(py, size, || self.core.decode_batch(rows, skip_special_tokens, threads))?;
                return Ok(texts.iter().map(|text| PyString::new(py, text)).collect());
            };
            let texts = call(py, size, || self.core.decode_batch_bytes(rows, skip_special_tokens, threads))?;
            texts.iter().map(|bytes| errors.decode(py, bytes)).collect()
        };
        match batch.cast::<Ragged>() {
            Ok(batch) => decode(batch.get().lend(py)?.view()?),
            Err(_) => decode(gather_rows(batch, self.core.vocab_size())?.view()),
        }
    }

    /// A decoder that takes ids one at a time and never gives out half a character.
    #[pyo3(signature = (*, skip_special_tokens = false))]
    fn stream(&self, skip_special_tokens: bool) -> DecodeStream {
        DecodeStream {
            tokenizer: Arc::clone(&self.core),
            state: Mutex::new(decode::DecodeStream::new(skip_special_tokens)),
        }
    }
}

/// Ids that are decoded at a time. What they become stays in the second-level cache, and Python has to widen only the
/// strings that hold wide characters before it joins them.
const TOGETHER: usize = 16 << 10;

impl Tokenizer {
    /// The text of ids whose bytes stand end to end, if these are UTF-8.
    fn decode_utf8<'py>(
        &self,
        py: Python<'py>,
        ids: &[u32],
        skip_special_tokens: bool,
    ) -> Result<Option<Bound<'py, PyString>>> {
        let mut strings = Vec::with_capacity(ids.len().div_ceil(TOGETHER));
        let mut begun = Vec::new();
        for together in ids.chunks(TOGETHER) {
            let mut bytes = call(py, size_of_val(together), || self.core.decode_bytes(together, skip_special_tokens))?;
            if !begun.is_empty() {
                bytes.splice(..0, begun.drain(..));
            }
            let complete = decode::complete_prefix(&bytes);
            let Ok(string) = PyString::from_bytes(py, &bytes[..complete]) else { return Ok(None) };
            strings.push(string);
            begun.extend_from_slice(&bytes[complete..]);
        }
        if !begun.is_empty() {
            return Ok(None);
        }
        match strings.as_slice() {
            [] => Ok(Some(PyString::new(py, ""))),
            [string] => Ok(Some(string.clone())),
            _ => Ok(Some(
                PyString::new(py, "")
                    .call_method1(intern!(py, "join"), (strings,))?
                    .cast_into()
                    .map_err(PyErr::from)?,
            )),
        }
    }
}

/// Decodes ids one at a time and never gives out half a character. Made by `Tokenizer.stream`.
#[pyclass(frozen, module = "tokmill")]
pub(crate) struct DecodeStream {
    tokenizer: Arc<core::Tokenizer>,
    state: Mutex<decode::DecodeStream>,
}

impl DecodeStream {
    /// The state, which is whole even if a panic interrupted a call: ids are taken up one at a time.
    fn lock(&self) -> MutexGuard<'_, decode::DecodeStream> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl DecodeStream {
    /// The text that is certain once `id` is known; may be empty.
    ///
    /// Raises `UnknownId` for an id that the vocabulary does not have, and goes on as if it had not been given.
    fn push(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> Result<String> {
        let id = id_from(id, self.tokenizer.vocab_size())?;
        call(py, 0, || self.tokenizer.decode_next(&mut self.lock(), id))
    }

    /// What is left: an unfinished character becomes U+FFFD. The stream begins anew.
    fn finish(&self, py: Python<'_>) -> Result<String> {
        call(py, 0, || Ok::<_, Failure>(self.lock().finish()))
    }
}
