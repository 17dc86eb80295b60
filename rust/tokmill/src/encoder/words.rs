//! Texts that fall into words before they are normalised: a word is looked up as it stands in the text, and only where
//! no table knows it is it normalised, cut and encoded.
//!
//! That needs a normaliser that makes the same of a word wherever it stands ([`Apart`]), and a pretokenizer that cuts at
//! blanks. A text is then read once, to find its separators: what a normaliser would look for is known of each word that
//! has been met before.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;

use super::documents::BYTES;
use super::{Encoder, Sink};
use crate::error::Result;
use crate::model::unigram::UnigramScratch;
use crate::model::{Model, Unigram};
use crate::normalize::{Apart, Normalizer, Odd, may_be_odd, untouched_apart};
use crate::pretokenize::{Pieces, Positions, Pretokenizer, Spacing};
use crate::vocab::{BLANK, Spelling};

/// Longer texts are not laid out, so that positions fit 32 bits.
const LONGEST: usize = 1 << 31;

/// How texts fall into words, and what is done with a word that no table knows.
#[derive(Debug)]
pub struct Words {
    normalizer: Option<Arc<Normalizer>>,
    pretokenizer: Pretokenizer,
    spacing: Spacing,
    odd: Option<Odd>,
    refuses_marks: bool,
}

impl Words {
    /// For a model behind these stages; nothing where texts have to be normalised whole.
    pub fn new(
        normalizer: Option<&Arc<Normalizer>>,
        pretokenizer: &Pretokenizer,
        model: &Model,
    ) -> Result<Option<Self>> {
        let Model::Unigram(unigram) = model else { return Ok(None) };
        if unigram.options().unk_id.is_none() || unigram.vocab().spelling() != Spelling::Metaspace {
            return Ok(None);
        }
        // Of pieces that depend on each other, none may be walked on its own.
        let spaces_words = pretokenizer.spaces_words() && !unigram.cuts_words();
        let apart = match normalizer.map(Arc::as_ref) {
            Some(Normalizer::SentencePiece(rules)) if pretokenizer.joins_pieces() => rules.apart(),
            Some(normalizer) if spaces_words => normalizer.apart(),
            None if spaces_words => Some(untouched_apart()),
            _ => None,
        };
        let Some(Apart { separators, odd, refuses_marks }) = apart else { return Ok(None) };
        let copy = Pretokenizer::new(pretokenizer.steps().to_vec())?.for_spelling(Spelling::Metaspace)?;
        Ok(Some(Self {
            normalizer: normalizer.cloned(),
            pretokenizer: if pretokenizer.joins_pieces() { copy.cutting_words() } else { copy },
            spacing: Spacing::new(&separators, |byte| odd.is_some() && may_be_odd(byte)),
            odd,
            refuses_marks,
        }))
    }

    /// Whether a text can be taken apart, but for its odd words.
    pub fn takes(&self, text: &str) -> bool {
        text.len() <= LONGEST && !(self.refuses_marks && MARKS.find(text.as_bytes()).is_some())
    }

    /// Lays out the words of a text; nothing happens and `false` is returned where one of them is odd.
    pub(super) fn lay_out(
        &self,
        text: &str,
        out: &mut Vec<u8>,
        pieces: &mut Vec<(u32, u32)>,
        positions: &mut Positions,
    ) -> bool {
        let before = (out.len(), pieces.len());
        let has_suspects = self.spacing.append(text.as_bytes(), out, pieces, positions);
        if let Some(odd) = self.odd.as_ref().filter(|_| has_suspects) {
            let is_odd = |&(begin, end): &(u32, u32)| {
                let word = &out[begin as usize + 1..end as usize];
                self.spacing.is_odd(word[0])
                    && crate::chars::decode(word).and_then(|(c, _)| char::from_u32(c)).is_none_or(|c| odd.is_odd(c))
            };
            if pieces[before.1..].iter().any(is_odd) {
                out.truncate(before.0);
                pieces.truncate(before.1);
                return false;
            }
        }
        true
    }

    /// Where a part of a text that begins at `at` should end: at a separator, or with the text.
    pub fn part_end(&self, text: &str, at: usize, bytes: usize) -> usize {
        let text = text.as_bytes();
        if text.len() - at <= bytes + bytes / 4 {
            return text.len();
        }
        let is_separator = |&place: &usize| self.spacing.is_separator(text[place]);
        let before = (at + 1..=at + bytes).rev().find(is_separator);
        before.or_else(|| (at + bytes..text.len()).find(is_separator)).unwrap_or(text.len())
    }

    /// Parts of a text of about so many bytes, which may be encoded on their own.
    pub fn parts<'t>(&self, text: &'t str, bytes: usize) -> Vec<&'t str> {
        let mut parts = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let end = self.part_end(text, at, bytes.max(1));
            parts.push(&text[at..end]);
            at = end;
        }
        parts
    }

    /// Whether a piece, a word behind a blank, is encoded as it stands.
    pub(super) fn keeps(&self, piece: &[u8]) -> bool {
        let Some(word) = piece.get(1..).and_then(|word| simdutf8::basic::from_utf8(word).ok()) else { return false };
        match self.normalizer.as_deref() {
            Some(Normalizer::SentencePiece(rules)) => piece[0] == b' ' && rules.keeps(word),
            other => {
                piece[0] == b' '
                    && other.is_none_or(|normalizer| matches!(normalizer.normalize(word), Cow::Borrowed(_)))
                    && self.pretokenizer.keeps_word(word.as_bytes())
            }
        }
    }

    /// Appends the ids of a word behind a blank as the model remembers them. Returns whether it has these ids wherever it
    /// stands.
    pub(super) fn encode(
        &self,
        unigram: &Unigram,
        piece: &[u8],
        scratch: &mut UnigramScratch,
        ids: &mut Vec<u32>,
    ) -> bool {
        if self.keeps(piece) {
            return unigram.encode_for_tables(piece, scratch, ids);
        }
        let word = String::from_utf8_lossy(&piece[1..]);
        let normalized = self.normalizer.as_ref().map_or(Cow::Borrowed(&*word), |steps| steps.normalize(&word));
        if normalized.is_empty() {
            return false;
        }
        let rewritten = if self.pretokenizer.rewrites() {
            Cow::Owned(self.pretokenizer.rewrite(normalized.as_bytes(), 0, false).text)
        } else {
            Cow::Borrowed(normalized.as_bytes())
        };
        let mut always = true;
        let mut block = Pieces::default();
        let mut from = 0;
        while from < rewritten.len() {
            from = self.pretokenizer.fill(&rewritten, from, &mut block);
            for &(begin, end) in &block.ends {
                let piece = &rewritten[block.base + begin as usize..block.base + end as usize];
                always &= unigram.encode_for_tables(piece, scratch, ids);
            }
        }
        // What may come before scores are counted anew is told from the bytes of the text.
        always && !ids.is_empty() && (!unigram.cuts_words() || rewritten.len() <= piece.len())
    }
}

static MARKS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(BLANK));

/// Words that are laid out, to be encoded.
#[derive(Debug, Default)]
pub(super) struct Laid {
    text: Vec<u8>,
    pieces: Vec<(u32, u32)>,
    positions: Positions,
}

impl Encoder {
    /// Encodes a text that can be taken apart word by word, up to the first part that has an odd word. Returns where that
    /// begins, at a separator, or the length of the text.
    pub fn encode_words<S: Sink>(&mut self, words: &Arc<Words>, model: &Model, text: &str, sink: &mut S) -> usize {
        let Self { tables, laid, .. } = self;
        tables.scratch.unigram.begin();
        tables.begin_words(words);
        let mut at = 0;
        while at < text.len() {
            let end = words.part_end(text, at, BYTES);
            laid.text.clear();
            laid.pieces.clear();
            if !words.lay_out(&text[at..end], &mut laid.text, &mut laid.pieces, &mut laid.positions) {
                break;
            }
            // So that the last pieces have as much text behind them as is read at a time.
            laid.text.extend([0; 16]);
            tables.encode(model, &laid.text, 0, &laid.pieces, sink);
            at = end;
        }
        tables.end_words();
        at
    }

    /// Takes a document as [`Self::push_document`] does, word by word; `false` where that is not possible, and nothing is
    /// taken.
    pub fn push_words(&mut self, words: &Arc<Words>, model: &Model, text: &str, row: impl FnMut(&[u32])) -> bool {
        if !words.takes(text) || !self.documents.push_words(words, text) {
            return false;
        }
        if self.documents.are_full() {
            self.finish_words(words, model, row);
        }
        true
    }

    /// Encodes the documents that have been pushed word by word.
    pub fn finish_words(&mut self, words: &Arc<Words>, model: &Model, row: impl FnMut(&[u32])) {
        let Self { tables, documents, .. } = self;
        tables.scratch.unigram.begin();
        tables.begin_words(words);
        documents.encode(tables, model, row);
        tables.end_words();
    }
}
