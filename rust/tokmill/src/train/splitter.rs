//! From a document to the pieces that are counted: normalised, pretokenized. Special tokens that stand in it are text
//! like any other, as they are for tokenizers' trainer.

use std::borrow::Cow;

use crate::error::Result;
use crate::normalize::Normalizer;
use crate::pretokenize::{Pieces, Pretokenizer};
use crate::tokenizer::Tokenizer;
use crate::vocab::Spelling;

/// What is done to a document before its pieces are counted.
#[derive(Debug)]
pub struct Splitter {
    normalizer: Option<Normalizer>,
    pretokenizer: Pretokenizer,
    /// Whether the pretokenizer rewrites texts, and pieces are those of what it writes.
    rewrites: bool,
}

impl Splitter {
    /// Normalises, if at all, and then cuts.
    pub fn new(normalizer: Option<Normalizer>, pretokenizer: Pretokenizer) -> Self {
        Self { normalizer, pretokenizer, rewrites: false }
    }

    /// Cuts texts into pieces as tokenizers spells them, with the stages of a tokenizer.
    pub fn of_stages(tokenizer: &Tokenizer) -> Result<Self> {
        let steps = tokenizer.pretokenizer().steps().to_vec();
        let pretokenizer = Pretokenizer::new(steps)?.for_spelling(Spelling::Plain)?;
        let rewrites = pretokenizer.rewrites();
        Ok(Self { rewrites, ..Self::new(tokenizer.normalizer().cloned(), pretokenizer) })
    }

    /// The pretokenizer.
    pub fn pretokenizer(&self) -> &Pretokenizer {
        &self.pretokenizer
    }

    /// What is done, in words that differ where it does.
    pub(super) fn description(&self) -> String {
        format!("{:?}", (&self.normalizer, self.pretokenizer.steps()))
    }

    /// The text that is cut. Bytes that are not UTF-8 are left as they are by the normaliser.
    pub(super) fn prepare<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let mut text = match &self.normalizer {
            Some(normalizer) => normalize(normalizer, text),
            None => Cow::Borrowed(text),
        };
        if self.pretokenizer.adds_prefix_space() && text.first().is_some_and(|&byte| byte != b' ') {
            text.to_mut().insert(0, b' ');
        }
        text
    }

    /// Calls `visit` with a text and the pieces in it, again and again until the document is used up. Bytes that are
    /// not UTF-8 are treated by the pretokenizer as it documents.
    pub(super) fn split(&self, text: &[u8], pieces: &mut Pieces, mut visit: impl FnMut(&[u8], &Pieces)) {
        let mut text = self.prepare(text);
        if self.rewrites && !text.is_empty() {
            let head = 1 + text[1..].iter().take_while(|&&byte| byte & 0xC0 == 0x80).count();
            let rewritten = self.pretokenizer.rewrite(&text, head, false);
            if let Some(blocks) = rewritten.blocks {
                for block in &blocks {
                    visit(&rewritten.text, block);
                }
                return;
            }
            text = Cow::Owned(rewritten.text);
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
