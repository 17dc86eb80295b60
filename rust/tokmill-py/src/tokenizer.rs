//! `tokmill.Tokenizer` and its streaming decoder: arguments in, one call of the core, results out.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use numpy::{PyArray1, PyArray2};
use pyo3::exceptions::PyUserWarning;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyType};
use tokmill::Error;
use tokmill::decode;
use tokmill::format::{self, LoadOptions};
use tokmill::model::Model;
use tokmill::ragged::RaggedView;
use tokmill::tokenizer::{self as core, EncodeOptions, Sampling};

use crate::arrays::{Ids, Ragged, gather_rows, id_from, spans_to_numpy, to_numpy};
use crate::error::{Failure, LONG, Result, call};
use crate::options::{self, Allowed, ErrorHandler, Size, parse_format, parse_truncation, parse_unit};
use crate::text::{Text, Texts, total_len};

/// One-dimensional `numpy.uint32`.
type IdArray<'py> = Bound<'py, PyArray1<u32>>;
/// `numpy.int64` of shape `[n, 2]`.
type SpanArray<'py> = Bound<'py, PyArray2<i64>>;

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

    /// What the core is told about an encoding.
    fn options(&self, allowed: Option<Allowed>, add: bool, asked_threads: Option<Size>) -> Result<EncodeOptions> {
        Ok(EncodeOptions {
            allowed_special: allowed.unwrap_or(Allowed::None).resolve(&self.core)?,
            add_special_tokens: add,
            threads: options::threads(asked_threads.as_ref())?,
        })
    }

    fn digest(&self, py: Python<'_>) -> Result<&str> {
        if let Some(digest) = self.fingerprint.get() {
            return Ok(digest);
        }
        let digest = call(py, LONG, || format::fingerprint(&self.core))?;
        Ok(self.fingerprint.get_or_init(|| digest))
    }
}

fn load_options(
    pattern: Option<String>,
    special_tokens: Option<&Bound<'_, PyDict>>,
    lowercase: Option<bool>,
) -> Result<LoadOptions> {
    let special_tokens = special_tokens.map(pairs).transpose()?.unwrap_or_default();
    Ok(LoadOptions { pattern, special_tokens, lowercase })
}

/// Contents and ids, in the order of the dict.
fn pairs(tokens: &Bound<'_, PyDict>) -> Result<Vec<(String, u32)>> {
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

fn warn(py: Python<'_>, warnings: Vec<String>) -> Result<()> {
    let warn = py.import(intern!(py, "warnings"))?.getattr(intern!(py, "warn"))?;
    for warning in warnings {
        warn.call1((warning, py.get_type::<PyUserWarning>()))?;
    }
    Ok(())
}

#[pymethods]
impl Tokenizer {
    // -- loading and saving -------------------------------------------------------------------------------------------

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
    /// The format is told from the name, `.json` or `.tiktoken`, or by `format`, "tokenizer.json" or "tiktoken". What
    /// the format cannot hold is said in a `UserWarning`; what would change ids raises `TokmillError`.
    #[pyo3(signature = (path, *, format = None))]
    fn save(&self, py: Python<'_>, path: PathBuf, format: Option<&str>) -> Result<()> {
        let format = format.map(parse_format).transpose()?;
        warn(py, call(py, LONG, || format::save(&self.core, &path, format))?)
    }

    /// The bytes that `save` would write: a `tokenizer.json` unless `format` says "tiktoken".
    #[pyo3(signature = (*, format = "tokenizer.json"))]
    fn to_bytes<'py>(&self, py: Python<'py>, format: &str) -> Result<Bound<'py, PyBytes>> {
        let format = parse_format(format)?;
        let (bytes, warnings) = call(py, LONG, || format::to_bytes(&self.core, format))?;
        warn(py, warnings)?;
        Ok(PyBytes::new(py, &bytes))
    }

    // -- text to ids --------------------------------------------------------------------------------------------------

    /// The ids of a text: uint32[n].
    ///
    /// `text` is a `str`, or UTF-8 in `bytes` or any buffer of bytes (`bytearray`, `memoryview`, `mmap`, a uint8 array),
    /// which must not be written to meanwhile.
    ///
    /// `allowed_special` says which special tokens are recognised in the text: "none", "all", or a set of them. Added
    /// tokens that are not special always are. `add_special_tokens` puts the template's tokens around the ids (begin
    /// and end of text, for instance). `threads` may be more than 1 for long texts.
    ///
    /// Raises `TokmillError` for a lone surrogate, with its position.
    #[pyo3(
        signature = (text, *, allowed_special = None, add_special_tokens = false, threads = Some(Size::of(1))),
        text_signature = "($self, text, *, allowed_special='none', add_special_tokens=False, threads=1)"
    )]
    fn encode<'py>(
        &self,
        py: Python<'py>,
        text: Text<'_>,
        allowed_special: Option<Allowed>,
        add_special_tokens: bool,
        threads: Option<Size>,
    ) -> Result<IdArray<'py>> {
        let options = self.options(allowed_special, add_special_tokens, threads)?;
        let ids = call(py, text.len(), || self.core.encode(text.as_ref(), &options))?;
        Ok(to_numpy(py, ids))
    }

    /// A random segmentation of a text: uint32[n].
    ///
    /// With a Unigram model each segmentation is as likely as the exponential of `alpha` times its score; `nbest` draws
    /// from that many of the best ones only. With a BPE model each merge that is due is passed over with probability
    /// `dropout`, from 0 to 1, and comes up again after the next that is made; without `dropout`, it is that of the
    /// tokenizer's file, which `encode` never acts on. Equal seeds give equal samples; without a `seed` each call gives
    /// another one. `allowed_special` as for `encode`.
    ///
    /// Raises `TokmillError` for models of other kinds, and for a BPE model where there is no `dropout`.
    #[pyo3(
        signature = (text, *, alpha = 0.1, nbest = None, dropout = None, seed = None, allowed_special = None),
        text_signature = "($self, text, *, alpha=0.1, nbest=None, dropout=None, seed=None, allowed_special='none')"
    )]
    #[expect(clippy::too_many_arguments, reason = "they are the keywords of the Python method")]
    fn sample<'py>(
        &self,
        py: Python<'py>,
        text: Text<'_>,
        alpha: f64,
        nbest: Option<Size>,
        dropout: Option<f32>,
        seed: Option<u64>,
        allowed_special: Option<Allowed>,
    ) -> Result<IdArray<'py>> {
        let options = self.options(allowed_special, false, Some(Size::of(1)))?;
        let nbest = nbest.map(|count| count.get("nbest")).transpose()?;
        let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(0));
        let sampling = Sampling { alpha, nbest, dropout, seed };
        let ids = call(py, LONG, || self.core.sample(text.as_ref(), sampling, &options))?;
        Ok(to_numpy(py, ids))
    }

    /// The `n` best segmentations of a text by a Unigram model, best first: a list of (uint32[k], score).
    ///
    /// There are fewer where the text has fewer. The score is the sum of the scores of the pieces. `allowed_special` as
    /// for `encode`.
    #[pyo3(
        signature = (text, n, *, allowed_special = None),
        text_signature = "($self, text, n, *, allowed_special='none')"
    )]
    fn nbest<'py>(
        &self,
        py: Python<'py>,
        text: Text<'_>,
        n: Size,
        allowed_special: Option<Allowed>,
    ) -> Result<Vec<(IdArray<'py>, f64)>> {
        let options = self.options(allowed_special, false, Some(Size::of(1)))?;
        let count = n.get("n")?;
        let found = call(py, LONG, || self.core.nbest(text.as_ref(), count, &options))?;
        Ok(found.into_iter().map(|other| (to_numpy(py, other.ids), other.score)).collect())
    }

    /// The ids of many texts, one row a text.
    ///
    /// `texts` is an iterable of what `encode` takes, or an Arrow column of strings or binary, which is not copied.
    /// With `pairs`, as many texts again, each row is a text and its pair, laid out by the template where
    /// `add_special_tokens`. `max_length` is the most ids a row may have, special tokens included; what is too much is
    /// cut away at `truncation_side`, "right" or "left". Overlapping windows of what is cut away are not supported, so
    /// `stride` must be 0.
    ///
    /// `threads=None` is what `set_default_threads` says. Other options as for `encode`.
    #[pyo3(
        signature = (texts, *, pairs = None, max_length = None, stride = None, truncation_side = "right",
                     allowed_special = None, add_special_tokens = false, threads = None),
        text_signature = "($self, texts, *, pairs=None, max_length=None, stride=0, truncation_side='right', \
                          allowed_special='none', add_special_tokens=False, threads=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "they are the keywords of the Python method")]
    fn encode_batch(
        &self,
        py: Python<'_>,
        texts: &Bound<'_, PyAny>,
        pairs: Option<&Bound<'_, PyAny>>,
        max_length: Option<Size>,
        stride: Option<Size>,
        truncation_side: &str,
        allowed_special: Option<Allowed>,
        add_special_tokens: bool,
        threads: Option<Size>,
    ) -> Result<Ragged> {
        let options = self.options(allowed_special, add_special_tokens, threads)?;
        let truncation = parse_truncation(max_length.as_ref(), truncation_side)?;
        if stride.map_or(Ok(0), |stride| stride.get("stride"))? != 0 {
            return Err(Error::unsupported("stride", "overlapping windows; it must be 0").into());
        }
        let (texts, pairs) = (Texts::new(texts)?, pairs.map(Texts::new).transpose()?);
        let (texts, pairs) = (texts.borrow()?, pairs.as_ref().map(Texts::borrow).transpose()?);
        if let Some(pairs) = &pairs
            && pairs.len() != texts.len()
        {
            return Err(Failure::option("pairs", format!("has {} texts beside {}", pairs.len(), texts.len())));
        }
        let bytes = total_len(&texts) + pairs.as_deref().map_or(0, total_len);
        let rows = call(py, bytes, || self.core.encode_batch(&texts, pairs.as_deref(), truncation, &options))?;
        Ok(Ragged::from_rows(py, rows))
    }

    /// The ids of a text and where each came from: uint32[n] and int64[n, 2].
    ///
    /// Each span is begin and end in `text`, counted in characters (`unit="char"`) or in bytes of UTF-8
    /// (`unit="byte"`); tokens that stand for no text have (0, 0). Counted in characters, a token that is part of a
    /// character spans all of it. Other options as for `encode`.
    #[pyo3(
        signature = (text, *, unit = "char", allowed_special = None, add_special_tokens = false),
        text_signature = "($self, text, *, unit='char', allowed_special='none', add_special_tokens=False)"
    )]
    fn encode_with_offsets<'py>(
        &self,
        py: Python<'py>,
        text: Text<'_>,
        unit: &str,
        allowed_special: Option<Allowed>,
        add_special_tokens: bool,
    ) -> Result<(IdArray<'py>, SpanArray<'py>)> {
        let options = self.options(allowed_special, add_special_tokens, Some(Size::of(1)))?;
        let unit = parse_unit(unit)?;
        let (ids, spans) = call(py, text.len(), || self.core.encode_with_offsets(text.as_ref(), unit, &options))?;
        Ok((to_numpy(py, ids), spans_to_numpy(py, spans)?))
    }

    /// `encode_with_offsets` of many texts: the rows of ids, and int64[total, 2] beside `values` of the rows.
    #[pyo3(
        signature = (texts, *, unit = "char", allowed_special = None, add_special_tokens = false, threads = None),
        text_signature = "($self, texts, *, unit='char', allowed_special='none', add_special_tokens=False, threads=None)"
    )]
    fn encode_batch_with_offsets<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        unit: &str,
        allowed_special: Option<Allowed>,
        add_special_tokens: bool,
        threads: Option<Size>,
    ) -> Result<(Ragged, SpanArray<'py>)> {
        let options = self.options(allowed_special, add_special_tokens, threads)?;
        let unit = parse_unit(unit)?;
        let texts = Texts::new(texts)?;
        let texts = texts.borrow()?;
        let encode = || self.core.encode_batch_with_offsets(&texts, unit, &options);
        let (rows, spans) = call(py, total_len(&texts), encode)?;
        Ok((Ragged::from_rows(py, rows), spans_to_numpy(py, spans)?))
    }

    /// The ids of a text or a pair, uint32[n], and the type id of each, uint32[n], as the post-processor has them.
    ///
    /// `max_length` and `truncation_side` cut as `encode_batch` does, the longer text of a pair first. Other options as
    /// for `encode`.
    #[pyo3(
        signature = (text, pair = None, *, max_length = None, truncation_side = "right", allowed_special = None,
            add_special_tokens = false),
        text_signature = "($self, text, pair=None, *, max_length=None, truncation_side='right', \
                          allowed_special='none', add_special_tokens=False)"
    )]
    #[expect(clippy::too_many_arguments, reason = "they are the keywords of the Python method")]
    fn encode_with_type_ids<'py>(
        &self,
        py: Python<'py>,
        text: Text<'_>,
        pair: Option<Text<'_>>,
        max_length: Option<Size>,
        truncation_side: &str,
        allowed_special: Option<Allowed>,
        add_special_tokens: bool,
    ) -> Result<(IdArray<'py>, IdArray<'py>)> {
        let options = self.options(allowed_special, add_special_tokens, Some(Size::of(1)))?;
        let truncation = parse_truncation(max_length.as_ref(), truncation_side)?;
        let bytes = text.len() + pair.as_ref().map_or(0, Text::len);
        let pair = pair.as_ref().map(AsRef::as_ref);
        let encode = || self.core.encode_with_type_ids(text.as_ref(), pair, truncation, &options);
        let (ids, types) = call(py, bytes, encode)?;
        Ok((to_numpy(py, ids), to_numpy(py, types)))
    }

    /// The rows of ids that `encode_batch` gives, and rows of type ids beside them. Options as for `encode_batch`.
    #[pyo3(
        signature = (texts, *, pairs = None, max_length = None, truncation_side = "right", allowed_special = None,
            add_special_tokens = false, threads = None),
        text_signature = "($self, texts, *, pairs=None, max_length=None, truncation_side='right', \
                          allowed_special='none', add_special_tokens=False, threads=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "they are the keywords of the Python method")]
    fn encode_batch_with_type_ids<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        pairs: Option<&Bound<'py, PyAny>>,
        max_length: Option<Size>,
        truncation_side: &str,
        allowed_special: Option<Allowed>,
        add_special_tokens: bool,
        threads: Option<Size>,
    ) -> Result<(Ragged, Ragged)> {
        let options = self.options(allowed_special, add_special_tokens, threads)?;
        let truncation = parse_truncation(max_length.as_ref(), truncation_side)?;
        let (texts, pairs) = (Texts::new(texts)?, pairs.map(Texts::new).transpose()?);
        let (texts, pairs) = (texts.borrow()?, pairs.as_ref().map(Texts::borrow).transpose()?);
        let bytes = total_len(&texts) + pairs.as_deref().map_or(0, total_len);
        let encode = || self.core.encode_batch_with_type_ids(&texts, pairs.as_deref(), truncation, &options);
        let (rows, types) = call(py, bytes, encode)?;
        Ok((Ragged::from_rows(py, rows), Ragged::from_rows(py, types)))
    }

    /// How many ids `encode` would give, without building them. Options as for `encode`.
    #[pyo3(
        signature = (text, *, allowed_special = None, add_special_tokens = false, threads = Some(Size::of(1))),
        text_signature = "($self, text, *, allowed_special='none', add_special_tokens=False, threads=1)"
    )]
    fn count(
        &self,
        py: Python<'_>,
        text: Text<'_>,
        allowed_special: Option<Allowed>,
        add_special_tokens: bool,
        threads: Option<Size>,
    ) -> Result<usize> {
        let options = self.options(allowed_special, add_special_tokens, threads)?;
        call(py, text.len(), || self.core.count(text.as_ref(), &options))
    }

    /// How many ids each text has: int64[len(texts)]. Texts and options as for `encode_batch`.
    #[pyo3(
        signature = (texts, *, allowed_special = None, add_special_tokens = false, threads = None),
        text_signature = "($self, texts, *, allowed_special='none', add_special_tokens=False, threads=None)"
    )]
    fn count_batch<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        allowed_special: Option<Allowed>,
        add_special_tokens: bool,
        threads: Option<Size>,
    ) -> Result<Bound<'py, PyArray1<i64>>> {
        let options = self.options(allowed_special, add_special_tokens, threads)?;
        let texts = Texts::new(texts)?;
        let texts = texts.borrow()?;
        let counts = call(py, total_len(&texts), || self.core.count_batch(&texts, &options))?;
        Ok(to_numpy(py, counts))
    }

    /// The tokens of a text in the spelling of the owner's file (`Ġthe`), for looking. Options as for `encode`.
    #[pyo3(
        signature = (text, *, allowed_special = None, add_special_tokens = false),
        text_signature = "($self, text, *, allowed_special='none', add_special_tokens=False)"
    )]
    fn tokens(
        &self,
        py: Python<'_>,
        text: Text<'_>,
        allowed_special: Option<Allowed>,
        add_special_tokens: bool,
    ) -> Result<Vec<String>> {
        let options = self.options(allowed_special, add_special_tokens, Some(Size::of(1)))?;
        call(py, text.len(), || {
            let ids = self.core.encode(text.as_ref(), &options)?;
            Ok::<_, Error>(ids.into_iter().map(|id| self.core.token(id).unwrap_or_default()).collect())
        })
    }

    // -- ids to text --------------------------------------------------------------------------------------------------

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

    // -- the vocabulary -----------------------------------------------------------------------------------------------

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

    // -- being an object ----------------------------------------------------------------------------------------------

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
