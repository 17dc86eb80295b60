//! Many short texts at once: they are laid out one behind the other, so that groups of pieces run across them and each
//! text does not wait for memory on its own.
//!
//! Behind each text stands a piece of no bytes, which the table of common pieces knows by an id of its own; so the ids
//! come out in one stream with marks at the ends of texts.

use super::Tables;
use super::common::END_ID;
use super::words::Words;
use crate::model::Model;
use crate::pretokenize::{Pieces, Positions, Pretokenizer};

/// Longer texts are worth encoding on their own.
const LONGEST: usize = 4096;
/// Bytes that are laid out before they are encoded; they stay in the first caches.
pub(super) const BYTES: usize = 16 << 10;

/// Texts that wait to be encoded.
#[derive(Debug, Default)]
pub(super) struct Documents {
    /// The texts, end to end.
    text: Vec<u8>,
    /// Their pieces, and a piece of no bytes behind each text.
    pieces: Vec<(u32, u32)>,
    /// Where texts end whose pieces are not known yet; then those of no text are.
    stops: Vec<usize>,
    /// Number of texts.
    count: usize,
    /// Ids of all of them.
    ids: Vec<u32>,
    positions: Positions,
}

impl Documents {
    /// Forgets the texts.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.pieces.clear();
        self.stops.clear();
        self.ids.clear();
        self.count = 0;
    }

    /// Whether a text is short enough.
    pub(super) fn take(text: &[u8]) -> bool {
        text.len() <= LONGEST
    }

    /// Whether there are enough of them.
    pub(super) fn are_full(&self) -> bool {
        self.text.len() >= BYTES || self.pieces.len() >= BYTES || self.count >= BYTES
    }

    /// Whether a text may lie behind those that are there: it does not begin with a byte that might go on with their last
    /// character.
    pub(super) fn can_follow(&self, text: &[u8]) -> bool {
        self.stops.is_empty() || text.first().is_none_or(|byte| byte & 0xC0 != 0x80)
    }

    /// Adds a text that [`Self::can_follow`] and is not rewritten any more.
    pub(super) fn push(&mut self, pretokenizer: &Pretokenizer, text: &[u8], block: &mut Pieces) {
        if pretokenizer.takes_texts() {
            self.text.extend_from_slice(text);
            self.stops.push(self.text.len());
            self.count += 1;
            return;
        }
        let mut from = 0;
        while from < text.len() {
            from = pretokenizer.fill(text, from, block);
            let base = (self.text.len() + block.base) as u32;
            self.pieces.extend(block.ends.iter().map(|&(begin, end)| (base + begin, base + end)));
        }
        self.text.extend_from_slice(text);
        self.end_text();
    }

    /// Adds a text word by word; `false` where that is not possible.
    pub(super) fn push_words(&mut self, words: &Words, text: &str) -> bool {
        let taken = words.lay_out(text, &mut self.text, &mut self.pieces, &mut self.positions);
        if taken {
            self.end_text();
        }
        taken
    }

    fn end_text(&mut self) {
        let end = self.text.len() as u32;
        self.pieces.push((end, end));
        self.count += 1;
    }

    /// Finds the pieces of the texts where they are not known yet.
    pub(super) fn cut(&mut self, pretokenizer: &Pretokenizer, block: &mut Pieces) {
        if !self.stops.is_empty() {
            pretokenizer.fill_texts(&self.text, &self.stops, block);
            std::mem::swap(&mut self.pieces, &mut block.ends);
        }
    }

    /// Encodes the texts, whose pieces are known, hands the ids of each to `row`, and forgets them.
    pub(super) fn encode(&mut self, tables: &mut Tables, model: &Model, mut row: impl FnMut(&[u32])) {
        // So that the last pieces have as much text behind them as is read at a time.
        self.text.extend([0; 16]);
        tables.encode(model, &self.text, 0, &self.pieces, &mut self.ids);
        let mut rest = self.ids.as_slice();
        for _ in 0..self.count {
            let end = rest.iter().position(|&id| id == END_ID).expect("each text has its mark");
            row(&rest[..end]);
            rest = &rest[end + 1..];
        }
        self.clear();
    }
}
