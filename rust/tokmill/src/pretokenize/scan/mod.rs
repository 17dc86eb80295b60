//! The scanner of known patterns: the pieces of GPT-2's pattern and its descendants at memory-like speed.

mod classes;
mod family;
mod single;
#[cfg(test)]
mod tests;

use super::{Pieces, Step};
use classes::Roles;
use family::Family;

/// The most pieces in a block, so that it stays in the first-level cache.
const BLOCK_PIECES: usize = 1024;

/// The scanner of one pattern family.
#[derive(Clone)]
pub(crate) struct Scanner {
    family: &'static Family,
    roles: Roles,
}

impl std::fmt::Debug for Scanner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Scanner").field("family", self.family).finish_non_exhaustive()
    }
}

impl Scanner {
    /// The scanner for `steps`, if they spell a pattern that it knows.
    pub(crate) fn for_steps(steps: &[Step]) -> Option<Self> {
        Family::of(steps).map(Self::new)
    }

    fn new(family: &'static Family) -> Self {
        Self { family, roles: family.roles() }
    }

    /// Replaces `pieces` by the next block of pieces of `text` from byte `from`, which is a piece boundary, and
    /// returns the byte where the next block begins.
    pub(crate) fn fill(&self, text: &[u8], from: usize, pieces: &mut Pieces) -> usize {
        pieces.base = from;
        pieces.ends.clear();
        let mut at = from;
        while at < text.len() && pieces.ends.len() < BLOCK_PIECES {
            let end = self.piece_end(text, at);
            pieces.ends.push(((at - from) as u32, (end - from) as u32));
            at = end;
        }
        at
    }
}
