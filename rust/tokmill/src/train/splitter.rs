//! From a document to the pieces that are counted: special tokens cut out, normalised, pretokenized.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::error::{Error, Result};
use crate::normalize::Normalizer;
use crate::pretokenize::{Pieces, Pretokenizer};

/// What is done to a document before its pieces are counted.
#[derive(Debug)]
pub struct Splitter {
    special_tokens: Option<AhoCorasick>,
    normalizer: Option<Normalizer>,
    pretokenizer: Pretokenizer,
}

impl Splitter {
    /// Special tokens are cut out of the text first, the leftmost and then the longest one where several match, and
    /// are not counted.
    pub fn new(special_tokens: &[String], normalizer: Option<Normalizer>, pretokenizer: Pretokenizer) -> Result<Self> {
        if special_tokens.iter().any(String::is_empty) {
            return Err(Error::option("special_tokens", "an empty string cannot be a token"));
        }
        let matcher = || AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(special_tokens);
        let special_tokens = (!special_tokens.is_empty())
            .then(matcher)
            .transpose()
            .map_err(|error| Error::option("special_tokens", error.to_string()))?;
        Ok(Self { special_tokens, normalizer, pretokenizer })
    }

    /// The pretokenizer.
    pub fn pretokenizer(&self) -> &Pretokenizer {
        &self.pretokenizer
    }

    /// Calls `visit` with a text and the pieces in it, again and again until the document is used up. Bytes that are
    /// not UTF-8 are left as they are by the normaliser, and treated by the pretokenizer as it documents.
    pub(super) fn split(&self, document: &[u8], pieces: &mut Pieces, mut visit: impl FnMut(&[u8], &Pieces)) {
        let mut from = 0;
        if let Some(matcher) = &self.special_tokens {
            for found in matcher.find_iter(document) {
                self.split_ordinary(&document[from..found.start()], pieces, &mut visit);
                from = found.end();
            }
        }
        self.split_ordinary(&document[from..], pieces, &mut visit);
    }

    fn split_ordinary(&self, text: &[u8], pieces: &mut Pieces, visit: &mut impl FnMut(&[u8], &Pieces)) {
        let mut text = match &self.normalizer {
            Some(normalizer) => normalize(normalizer, text),
            None => Cow::Borrowed(text),
        };
        if self.pretokenizer.adds_prefix_space() && text.first().is_some_and(|&byte| byte != b' ') {
            text.to_mut().insert(0, b' ');
        }
        let mut from = 0;
        while from < text.len() {
            from = self.pretokenizer.fill(&text, from, pieces);
            visit(&text, pieces);
        }
    }
}

/// The valid stretches of `text` normalised, the rest as it is.
fn normalize<'t>(normalizer: &Normalizer, text: &'t [u8]) -> Cow<'t, [u8]> {
    let bytes_of = |text| match normalizer.normalize(text) {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    if let Ok(text) = std::str::from_utf8(text) {
        return bytes_of(text);
    }
    let mut normalized = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        normalized.extend_from_slice(&bytes_of(chunk.valid()));
        normalized.extend_from_slice(chunk.invalid());
    }
    Cow::Owned(normalized)
}
