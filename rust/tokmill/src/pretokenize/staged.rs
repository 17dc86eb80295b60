//! Pretokenization step by step: each step cuts the pieces of the one before. Serves every pipeline that only cuts;
//! one that also rewrites is [`super::rewrite`]'s.
//!
//! The first step works on the text itself and stops when a block is full; the others work on whole pieces, whose
//! neighbourhood they do not see, as in tokenizers. A piece of the first step is never divided between blocks.

use super::chars;
use super::scripts::Scripts;
use super::split::{Limit, Span, Split};
use crate::regex::Memo;

/// Pieces and bytes of a block, as the first step sees them.
const BLOCK: Limit = Limit { pieces: 2048, bytes: 1 << 17 };

/// A compiled sequence of steps.
#[derive(Debug)]
pub(super) struct Staged {
    stages: Vec<Stage>,
}

/// One compiled step.
#[derive(Debug)]
pub(super) enum Stage {
    Split(Box<Split>),
    Scripts(Box<Scripts>),
    /// Pieces of so many characters.
    FixedLength(usize),
}

impl Stage {
    /// Appends pieces of `text` from `from`, as [`Split::cut`] does.
    pub(super) fn cut(
        &self,
        text: &[u8],
        from: usize,
        base: usize,
        limit: Limit,
        memo: &mut Memo,
        pieces: &mut Vec<Span>,
    ) -> usize {
        match self {
            Self::Split(split) => split.cut(text, from, base, limit, memo, pieces),
            Self::Scripts(scripts) => scripts.cut(text, from, base, limit, pieces),
            Self::FixedLength(length) => {
                let mut at = from;
                while at < text.len() && pieces.len() < limit.pieces {
                    let begin = at;
                    for _ in 0..*length {
                        if at < text.len() {
                            at += chars::length_at(text, at);
                        }
                    }
                    pieces.push(((begin - base) as u32, (at - base) as u32));
                }
                at
            }
        }
    }
}

impl Staged {
    /// Steps that have been compiled.
    pub(super) fn new(stages: Vec<Stage>) -> Self {
        Self { stages }
    }

    /// Appends a block of the pieces of `text` from `from`, relative to it, and returns where the next block begins.
    pub(super) fn fill(&self, text: &[u8], from: usize, pieces: &mut Vec<Span>) -> usize {
        let Some((first, others)) = self.stages.split_first() else { return text.len() };
        let mut memo = Memo::default();
        let next = first.cut(text, from, from, BLOCK, &mut memo, pieces);
        let mut coarse = Vec::new();
        for stage in others {
            std::mem::swap(&mut coarse, pieces);
            pieces.clear();
            for &(begin, end) in &coarse {
                memo.clear();
                let piece = &text[from + begin as usize..from + end as usize];
                let before = pieces.len();
                stage.cut(piece, 0, 0, Limit::NONE, &mut memo, pieces);
                for (piece_begin, piece_end) in &mut pieces[before..] {
                    *piece_begin += begin;
                    *piece_end += begin;
                }
            }
        }
        next
    }
}
