//! Single components of tokenizer.json, for the face of tokenizers: JSON in, texts, pieces and alignments out.

use std::ops::Range;

use pyo3::prelude::*;
use tokmill::format;
use tokmill::normalize::{self, Alignment, PatternSource, SearchPattern};
use tokmill::pretokenize;

use crate::error::{Result, call};

/// A range of characters.
type Span = (usize, usize);

/// Which character of a text each of its bytes belongs to.
enum Characters {
    /// One to a byte.
    Ascii,
    /// The number of the character, for each byte and for the end.
    Numbers(Vec<usize>),
}

impl Characters {
    fn new(text: &str) -> Self {
        if text.is_ascii() {
            return Self::Ascii;
        }
        let mut numbers = Vec::with_capacity(text.len() + 1);
        for (number, c) in text.chars().enumerate() {
            numbers.extend(std::iter::repeat_n(number, c.len_utf8()));
        }
        numbers.push(numbers.last().map_or(0, |last| last + 1));
        Self::Numbers(numbers)
    }

    fn at(&self, byte: usize) -> usize {
        match self {
            Self::Ascii => byte,
            Self::Numbers(numbers) => numbers[byte],
        }
    }

    /// The characters that a range of bytes touches.
    fn span(&self, range: &Range<usize>) -> Span {
        let begin = self.at(range.start);
        if range.is_empty() { (begin, begin) } else { (begin, self.at(range.end - 1) + 1) }
    }
}

/// For each character of `rewritten`, the characters of `text` that it stands for.
fn spans(text: &str, rewritten: &str, alignment: &Alignment) -> Vec<Span> {
    let characters = Characters::new(text);
    let stands_for = |(at, c): (usize, char)| characters.span(&alignment.original(at..at + c.len_utf8()));
    rewritten.char_indices().map(stands_for).collect()
}

/// A regular expression of tokenizer.json.
#[pyclass(frozen, module = "tokmill._tokmill", name = "_Pattern")]
pub(crate) struct Pattern(SearchPattern);

#[pymethods]
impl Pattern {
    #[new]
    fn new(py: Python<'_>, regex: String) -> Result<Self> {
        Ok(Self(call(py, regex.len(), || SearchPattern::new(PatternSource::Regex(regex)))?))
    }

    /// Begin and end of each match, in characters.
    fn matches(&self, py: Python<'_>, text: &str) -> Result<Vec<Span>> {
        call(py, text.len(), || -> Result<_> {
            let characters = Characters::new(text);
            let mut matches = Vec::new();
            self.0.for_each_match(text, |begin, end| matches.push(characters.span(&(begin..end))));
            Ok(matches)
        })
    }
}

/// A normalizer, from the JSON object of tokenizer.json.
#[pyclass(frozen, module = "tokmill._tokmill", name = "_Normalizer")]
pub(crate) struct Normalizer(normalize::Normalizer);

#[pymethods]
impl Normalizer {
    #[new]
    fn new(py: Python<'_>, json: &str) -> Result<Self> {
        Ok(Self(call(py, json.len(), || format::normalizer(json.as_bytes()))?))
    }

    /// The normalised text.
    fn normalize(&self, py: Python<'_>, text: &str) -> Result<String> {
        call(py, text.len(), || -> Result<_> { Ok(self.0.normalize(text).into_owned()) })
    }

    /// The normalised text, and for each of its characters the characters that it stands for.
    fn normalize_aligned(&self, py: Python<'_>, text: &str) -> Result<(String, Vec<Span>)> {
        call(py, text.len(), || -> Result<_> {
            let (normalized, alignment) = self.0.normalize_aligned(text);
            let spans = spans(text, &normalized, &alignment);
            Ok((normalized.into_owned(), spans))
        })
    }
}

/// A pretokenizer, from the JSON object of tokenizer.json.
#[pyclass(frozen, module = "tokmill._tokmill", name = "_PreTokenizer")]
pub(crate) struct PreTokenizer(pretokenize::Pretokenizer);

#[pymethods]
impl PreTokenizer {
    #[new]
    fn new(py: Python<'_>, json: &str) -> Result<Self> {
        Ok(Self(call(py, json.len(), || format::pretokenizer(json.as_bytes()))?))
    }

    /// The text as it is rewritten, for each of its characters the characters that it stands for, and the pieces in
    /// characters of it. The first `head` characters of `text` come from the first one of the original text.
    fn pre_tokenize(&self, py: Python<'_>, text: &str, head: usize) -> Result<(String, Vec<Span>, Vec<Span>)> {
        call(py, text.len(), || -> Result<_> {
            let head = text.char_indices().nth(head).map_or(text.len(), |(at, _)| at);
            let cut = self.0.cut(text, head);
            let characters = Characters::new(&cut.text);
            let pieces = cut.pieces.iter().map(|piece| characters.span(piece)).collect();
            let spans = spans(text, &cut.text, &cut.alignment);
            Ok((cut.text, spans, pieces))
        })
    }
}

/// The text in upper case, and for each of its characters the characters that it stands for.
#[pyfunction]
#[pyo3(name = "_uppercase")]
pub(crate) fn uppercase(py: Python<'_>, text: &str) -> Result<(String, Vec<Span>)> {
    call(py, text.len(), || -> Result<_> {
        let (upper, alignment) = normalize::uppercase(text);
        let spans = spans(text, &upper, &alignment);
        Ok((upper, spans))
    })
}
