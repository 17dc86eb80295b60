//! What a tokenizer knows of its tokens, and tokenizers with more or fewer of them.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};
use tokmill::Error;

use super::Tokenizer;
use crate::arrays::id_from;
use crate::error::{Failure, LONG, Result, call};
use crate::options::Size;
use crate::text::Text;

/// Contents and ids, in the order of the dict.
pub(super) fn pairs(tokens: &Bound<'_, PyDict>) -> Result<Vec<(String, u32)>> {
    let pair = |(content, id): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
        let content: String = content.extract()?;
        match id_from(&id, 0) {
            Ok(id) => Ok((content, id)),
            Err(Failure::Unknown { id, .. }) => {
                Err(Failure::option("special_tokens", format!("{content:?}: {id} cannot be an id")))
            }
            Err(other) => Err(other),
        }
    };
    tokens.iter().map(pair).collect()
}

#[pymethods]
impl Tokenizer {
    /// One more than the largest id, added tokens included.
    #[getter]
    fn vocab_size(&self) -> usize {
        self.core.vocab_size()
    }

    fn __len__(&self) -> usize {
        self.core.vocab_size()
    }

    /// A new dict of all tokens, in the spelling of the owner's file, to their ids, in order of id.
    fn vocab<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyDict>> {
        let spelled = call(py, LONG, || {
            let ids = 0..self.core.vocab_size() as u32;
            Ok::<_, Failure>(ids.filter_map(|id| Some((self.core.token(id)?, id))).collect::<Vec<_>>())
        })?;
        let vocab = PyDict::new(py);
        for (token, id) in spelled {
            vocab.set_item(token, id)?;
        }
        Ok(vocab)
    }

    /// The bytes that an id stands for on its own. Raises `UnknownId` for an id that the vocabulary does not have.
    fn token_bytes<'py>(&self, py: Python<'py>, id: &Bound<'py, PyAny>) -> Result<Bound<'py, PyBytes>> {
        let vocab_size = self.core.vocab_size();
        let id = id_from(id, vocab_size)?;
        let bytes = call(py, 0, || self.core.token_bytes(id).ok_or(Error::UnknownId { id: id.into(), vocab_size }))?;
        Ok(PyBytes::new(py, bytes))
    }

    /// The id of a token, or `None`: given as `bytes`, by what it stands for; as `str`, by the owner's spelling.
    fn token_id(&self, py: Python<'_>, token: &Bound<'_, PyAny>) -> Result<Option<u32>> {
        let spelled = token.is_instance_of::<PyString>();
        let token: Text<'_> = token.as_borrowed().extract()?;
        call(py, 0, || match std::str::from_utf8(token.as_ref()) {
            Ok(text) if spelled => Ok::<_, Failure>(self.core.token_id_spelled(text)),
            _ => Ok(self.core.token_id(token.as_ref())),
        })
    }

    /// A new dict of the special tokens to their ids, in order of id.
    #[getter]
    fn special_tokens<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyDict>> {
        let specials = PyDict::new(py);
        for (content, id) in self.core.special_tokens() {
            specials.set_item(content, id)?;
        }
        Ok(specials)
    }

    /// The merges of a BPE in order of rank, as a new list of the two halves' bytes; empty for other models.
    #[getter]
    fn merges<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyList>> {
        let bytes = |id| PyBytes::new(py, self.core.token_bytes(id).unwrap_or_default());
        let merges = call(py, 0, || Ok::<_, Failure>(self.core.merges()))?;
        Ok(PyList::new(py, merges.iter().map(|merge| (bytes(merge.left), bytes(merge.right))))?)
    }

    /// A hexadecimal digest that is equal for tokenizers that write the same file.
    #[getter]
    fn fingerprint(&self, py: Python<'_>) -> Result<&str> {
        self.digest(py)
    }

    /// A tokenizer that also has these special tokens, contents to ids.
    ///
    /// Raises `TokmillError` for an id that another token has.
    fn with_special_tokens(&self, py: Python<'_>, tokens: &Bound<'_, PyDict>) -> Result<Self> {
        let tokens = pairs(tokens)?;
        Ok(call(py, LONG, || self.core.with_special_tokens(&tokens))?.into())
    }

    /// A tokenizer with the first entries of the merge list only, `vocab_size` in all; ids do not change.
    fn truncated(&self, py: Python<'_>, vocab_size: Size) -> Result<Self> {
        let vocab_size = vocab_size.get("vocab_size")?;
        Ok(call(py, LONG, || self.core.truncated(vocab_size))?.into())
    }
}
