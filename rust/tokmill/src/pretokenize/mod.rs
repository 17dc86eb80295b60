//! Pretokenization: cutting a text into the pieces that the model encodes one by one.

mod chars;
pub mod patterns;
mod scan;
mod scripts;
mod split;
mod staged;
mod step;

pub use step::{SplitBehavior, SplitPattern, Step};

use std::ops::Range;

use self::scan::Scanner;
use self::staged::Staged;
use crate::error::Result;

/// Pieces of a text, as byte positions relative to `base`.
///
/// A block is small (a few thousand pieces) so that it stays in cache between the scanner that fills it and the
/// encoder that empties it; positions are 32 bits wide, which `base` makes enough for any input.
#[derive(Debug, Default)]
pub struct Pieces {
    /// What the positions are relative to, in the text.
    pub base: usize,
    /// Begin and end of each piece, in order, never overlapping, never empty.
    pub ends: Vec<(u32, u32)>,
}

/// A validated, compiled pretokenizer.
#[derive(Debug)]
pub struct Pretokenizer {
    steps: Vec<Step>,
    plan: Plan,
}

/// How the pieces are found.
#[derive(Debug)]
enum Plan {
    /// The text is one piece.
    Whole,
    /// Step by step, which serves every pattern.
    Staged(Staged),
    /// By the vectorised scanner, which serves known patterns.
    Scan(Box<Scanner>),
}

impl Pretokenizer {
    /// Compiles a sequence of steps; none means that the whole text is one piece. A pattern that cannot be compiled
    /// and a step that would rewrite the text of later ones are refused.
    pub fn new(steps: Vec<Step>) -> Result<Self> {
        match Scanner::for_steps(&steps) {
            Some(scanner) => Ok(Self { steps, plan: Plan::Scan(Box::new(scanner)) }),
            None => Self::staged(steps),
        }
    }

    /// A pretokenizer that goes step by step even where there is a faster plan, for comparison.
    #[doc(hidden)]
    pub fn staged(steps: Vec<Step>) -> Result<Self> {
        let staged = Staged::new(&steps)?;
        let plan = if staged.is_trivial() { Plan::Whole } else { Plan::Staged(staged) };
        Ok(Self { steps, plan })
    }

    /// The steps as the owner's file lists them.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether a blank is put before a text that does not begin with one (`add_prefix_space` of `ByteLevel`).
    pub fn adds_prefix_space(&self) -> bool {
        matches!(self.steps.first(), Some(Step::ByteLevel { add_prefix_space: true, .. }))
    }

    /// Replaces `pieces` by a block of the next pieces of `text` from byte `from`, which is a piece boundary, and
    /// returns the byte where the next block begins: `text.len()` when the text is used up. A block may be empty
    /// before the end (where a pattern drops text), but every call moves on.
    pub fn fill(&self, text: &[u8], from: usize, pieces: &mut Pieces) -> usize {
        pieces.base = from;
        pieces.ends.clear();
        let reach = reach(text, from);
        match &self.plan {
            Plan::Whole => {
                pieces.ends.extend((from < reach).then_some((0, (reach - from) as u32)));
                reach
            }
            Plan::Staged(staged) => staged.fill(&text[..reach], from, &mut pieces.ends),
            Plan::Scan(scanner) => scanner.fill(&text[..reach], from, pieces),
        }
    }

    /// All pieces of `text`, for tests and for looking.
    pub fn split(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut pieces = Pieces::default();
        let mut all = Vec::new();
        let mut from = 0;
        while from < text.len() {
            from = self.fill(text, from, &mut pieces);
            let base = pieces.base;
            all.extend(pieces.ends.iter().map(|&(begin, end)| base + begin as usize..base + end as usize));
        }
        all
    }
}

/// Bytes of a block at the most, so that positions fit 32 bits.
const LONGEST_BLOCK: usize = 1 << 31;

/// How far a block from `from` may reach: the end of the text, or a character's begin two GiB on. Only a piece of that
/// length is cut by it.
fn reach(text: &[u8], from: usize) -> usize {
    if text.len() - from <= LONGEST_BLOCK {
        return text.len();
    }
    let limit = from + LONGEST_BLOCK;
    (limit - 3..=limit).rev().find(|&at| text[at] & 0xC0 != 0x80).unwrap_or(limit)
}
