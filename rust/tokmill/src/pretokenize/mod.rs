//! Pretokenization: cutting a text into the pieces that the model encodes one by one.

mod scan;
mod step;

pub use step::{SplitBehavior, SplitPattern, Step};

use std::ops::Range;

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

#[derive(Debug)]
enum Plan {
    Whole,
    Scan(scan::Scanner),
}

impl Pretokenizer {
    /// Compiles a sequence of steps; none means that the whole text is one piece.
    pub fn new(steps: Vec<Step>) -> Result<Self> {
        let plan = match scan::Scanner::for_steps(&steps) {
            Some(scanner) => Plan::Scan(scanner),
            None => Plan::Whole,
        };
        Ok(Self { steps, plan })
    }

    /// The steps as the owner's file lists them.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether a blank is put before a text that does not begin with one (ByteLevel's `add_prefix_space`).
    pub fn adds_prefix_space(&self) -> bool {
        matches!(self.steps.first(), Some(Step::ByteLevel { add_prefix_space: true, .. }))
    }

    /// Replaces `pieces` by a block of the next pieces of `text` from byte `from`, which is a piece boundary, and
    /// returns the byte where the next block begins: `text.len()` when the text is used up. A block may be empty
    /// before the end (where a pattern drops text), but every call moves on.
    pub fn fill(&self, text: &[u8], from: usize, pieces: &mut Pieces) -> usize {
        match &self.plan {
            Plan::Whole => {
                pieces.base = from;
                pieces.ends.clear();
                pieces.ends.push((0, (text.len() - from) as u32));
                text.len()
            }
            Plan::Scan(scanner) => scanner.fill(text, from, pieces),
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
