//! From text to ids.

use std::hash::{BuildHasher, RandomState};

use numpy::{PyArray1, PyArray2, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokmill::Error;
use tokmill::ragged::RaggedView;
use tokmill::tokenizer::{EncodeOptions, Sampling};

use super::Tokenizer;
use crate::arrays::{Ids, Ragged, spans_to_numpy, to_numpy};
use crate::error::{Failure, LONG, Result, call};
use crate::options::{self, Allowed, Size, parse_truncation, parse_unit};
use crate::text::{Text, Texts, total_len};

/// One-dimensional `numpy.uint32`.
type IdArray<'py> = Bound<'py, PyArray1<u32>>;
/// `numpy.int64` of shape `[n, 2]`.
type SpanArray<'py> = Bound<'py, PyArray2<i64>>;
/// Rows of ids, their offsets, the numbers of their pieces, and texts that are spelled in another way.
type Detailed<'py> = (Ragged, SpanArray<'py>, IdArray<'py>, Bound<'py, PyDict>);

impl Tokenizer {
    /// What the core is told about an encoding.
    fn options(&self, allowed: Option<Allowed>, add: bool, asked_threads: Option<Size>) -> Result<EncodeOptions> {
        Ok(EncodeOptions {
            allowed_special: allowed.unwrap_or(Allowed::None).resolve(&self.core)?,
            add_special_tokens: add,
            threads: options::threads(asked_threads.as_ref())?,
        })
    }
}

#[pymethods]
impl Tokenizer {
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

    /// The score of a segmentation by a Unigram model: the logarithm of its probability, up to a constant.
    ///
    /// It is the sum of the scores of the pieces, where each unknown character is one of its own; what `nbest` gives
    /// with a segmentation. Without the `text`, one id for unknown characters counts as one of them, since it does not
    /// tell how many. Special tokens count nothing. `allowed_special` as for `encode`.
    ///
    /// Raises `UnknownId` for an id out of range, and `TokmillError` for ids that are no segmentation of `text` and for
    /// models of other kinds.
    #[pyo3(
        signature = (ids, text = None, *, allowed_special = None),
        text_signature = "($self, ids, text=None, *, allowed_special='none')"
    )]
    fn score(
        &self,
        py: Python<'_>,
        ids: &Bound<'_, PyAny>,
        text: Option<Text<'_>>,
        allowed_special: Option<Allowed>,
    ) -> Result<f64> {
        let options = self.options(allowed_special, false, Some(Size::of(1)))?;
        let ids = Ids::new(ids, self.core.vocab_size())?;
        let (ids, text) = (ids.as_slice(), text.as_ref().map(AsRef::as_ref));
        call(py, LONG, || self.core.score(ids, text, &options))
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

    /// What the face of Hugging Face tokenizers makes encodings of: rows of ids without special tokens around them, and
    /// beside their values int64[total, 2] of offsets in characters (bytes with `unit="byte"`) before any post-processor,
    /// uint32[total] of the numbers of the pieces, and a dict from places to the texts of tokens that are not spelled as
    /// in the vocabulary.
    #[pyo3(
        name = "_encode_batch_details",
        signature = (texts, *, unit = "char", allowed_special = None, threads = None),
        text_signature = "($self, texts, *, unit='char', allowed_special='none', threads=None)"
    )]
    fn encode_batch_details<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        unit: &str,
        allowed_special: Option<Allowed>,
        threads: Option<Size>,
    ) -> Result<Detailed<'py>> {
        let options = self.options(allowed_special, false, threads)?;
        let unit = parse_unit(unit)?;
        let texts = Texts::new(texts)?;
        let texts = texts.borrow()?;
        let details = call(py, total_len(&texts), || self.core.encode_batch_details(&texts, unit, &options))?;
        let surfaces = PyDict::new(py);
        for (place, text) in details.surfaces {
            surfaces.set_item(place, text)?;
        }
        let spans = spans_to_numpy(py, details.offsets)?;
        Ok((Ragged::from_rows(py, details.ids), spans, to_numpy(py, details.words), surfaces))
    }

    /// The offsets in characters that `_encode_batch_details` gives, from the ids of the texts: uint32[total], of which
    /// those of text `i` are at `ends[i]` to `ends[i + 1]`, int64[len(texts) + 1]. `None` where they have to be encoded
    /// again. Where they are given, all tokens are spelled as in the vocabulary.
    #[pyo3(name = "_offsets_of_ids", signature = (texts, ids, ends), text_signature = "($self, texts, ids, ends)")]
    fn offsets_of_ids<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        ids: PyReadonlyArray1<'py, u32>,
        ends: PyReadonlyArray1<'py, i64>,
    ) -> Result<Option<SpanArray<'py>>> {
        let contiguous = |name| move |_| Failure::option(name, "must be contiguous");
        let ids = ids.as_slice().map_err(contiguous("ids"))?;
        let rows = RaggedView::new(ids, ends.as_slice().map_err(contiguous("ends"))?)?;
        let texts = Texts::new(texts)?;
        let texts = texts.borrow()?;
        let found = call(py, total_len(&texts), || Ok::<_, Error>(self.core.offsets_of_ids(&texts, rows)))?;
        found.map(|spans| spans_to_numpy(py, spans)).transpose()
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
}
