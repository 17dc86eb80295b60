//! The scanner of known patterns: the pieces of GPT-2's pattern and its descendants at memory-like speed.
//!
//! One engine serves all of them, with a table a family ([`family`]). It takes 64 bytes at a time, turns their
//! characters into bit masks by role ([`level`]), finds where pieces begin by bit algebra ([`block`]) and
//! goes on from the last of these places. Pieces that do not end in their block, and rare constructs, go through a
//! plain reading of the pattern ([`single`]). Time is linear in the text: a character is looked at in at most three
//! pieces. The tests hold every path against Oniguruma.

// What the vector paths call is compiled for their instructions only where it is inlined.
#![allow(clippy::inline_always)]

mod block;
mod classes;
mod family;
mod level;
#[cfg(target_arch = "x86_64")]
mod shape;
mod single;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod vector;

#[cfg(target_arch = "x86_64")]
pub(super) use vector::POSITIONS;

use super::{Pieces, Step};
use block::low;
use classes::{Roles, role};
use family::{Contractions, Family};
use level::{BLOCK, Level, Portable, WINDOW};
use single::{contraction, is_word};

/// The most pieces in a block, so that it stays in the first-level cache.
const BLOCK_PIECES: usize = 1024;
/// No more pieces are added to a block behind as many bytes, so that positions have 32 bits.
const BLOCK_BYTES: usize = 1 << 30;

/// The instructions that a scanner uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Path {
    /// The paths that this machine has, the best last.
    fn available() -> Vec<Self> {
        [
            Some(Self::Portable),
            #[cfg(target_arch = "x86_64")]
            vector::Avx2::is_available().then_some(Self::Avx2),
            #[cfg(target_arch = "x86_64")]
            vector::Avx512::is_available().then_some(Self::Avx512),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn best() -> Self {
        Self::available().pop().expect("the portable path is always there")
    }
}

/// The scanner of one pattern family.
#[derive(Clone)]
pub(crate) struct Scanner {
    family: &'static Family,
    roles: Roles,
    path: Path,
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
        Self { family, roles: family.roles(), path: Path::best() }
    }

    /// Replaces `pieces` by the next block of pieces of `text` from byte `from`, which is a piece boundary, and
    /// returns the byte where the next block begins. No piece may be longer than 2 GiB.
    pub(crate) fn fill(&self, text: &[u8], from: usize, pieces: &mut Pieces) -> usize {
        match self.path {
            Path::Portable => self.fill_with::<Portable>(text, from, pieces),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the path is only taken where its features are available.
            Path::Avx2 => unsafe { vector::fill_avx2(self, text, from, pieces) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the same.
            Path::Avx512 => unsafe { vector::fill_avx512(self, text, from, pieces) },
        }
    }

    #[inline(always)]
    fn fill_with<L: Level>(&self, text: &[u8], from: usize, pieces: &mut Pieces) -> usize {
        pieces.base = from;
        pieces.ends.clear();
        pieces.ends.reserve(BLOCK_PIECES + BLOCK);
        let mut at = from;
        while at < text.len() && pieces.ends.len() < BLOCK_PIECES && at - from < BLOCK_BYTES {
            let rest = &text[at..];
            let padded;
            let window = if let Some(window) = rest.first_chunk() {
                window
            } else {
                padded = pad(rest);
                &padded
            };
            at = self.push_block::<L>(text, at, window, pieces);
        }
        at
    }

    /// Pushes the pieces that are certain in the block at `at`, at least one, and returns where they end. `window`
    /// holds the bytes of the text from there on.
    #[inline(always)]
    fn push_block<L: Level>(&self, text: &[u8], at: usize, window: &[u8; WINDOW], pieces: &mut Pieces) -> usize {
        if self.family.digits_only {
            return self.push_single(text, at, pieces);
        }
        let rest = text.len() - at;
        let mut block = L::block(&self.roles, window, rest.min(BLOCK));
        block.is_last = rest < BLOCK;
        let cuts = block.cuts(self.family);
        let mut begins = L::to_bytes(&block, cuts.begins);
        let mut is_last = block.is_last && cuts.usable == low(block.count);
        if cuts.apostrophes != 0 {
            let apostrophes = L::to_bytes(&block, cuts.apostrophes);
            is_last &= self.mend_contractions(text, at, apostrophes, &mut begins);
            begins &= L::to_bytes(&block, cuts.usable);
        }
        begins &= !1;
        if is_last {
            let offset = (at - pieces.base) as u32;
            let begin = L::push(&mut pieces.ends, offset, begins);
            pieces.ends.push((begin, offset + rest as u32));
            text.len()
        } else if begins == 0 {
            self.push_single(text, at, pieces)
        } else {
            L::push(&mut pieces.ends, (at - pieces.base) as u32, begins);
            at + begins.ilog2() as usize
        }
    }

    /// Pushes the piece at `at` and returns its end.
    fn push_single(&self, text: &[u8], at: usize, pieces: &mut Pieces) -> usize {
        let end = self.piece_end(text, at);
        pieces.ends.push(((at - pieces.base) as u32, (end - pieces.base) as u32));
        end
    }

    /// Corrects the bytes that begin a piece in the block at `at` by the contractions that begin at `apostrophes`.
    /// Returns whether all that remain are certain; else those behind a place that is not are gone.
    #[inline(never)]
    fn mend_contractions(&self, text: &[u8], at: usize, mut apostrophes: u64, begins: &mut u64) -> bool {
        let kind = self.family.contractions;
        while apostrophes != 0 {
            let apostrophe = apostrophes.trailing_zeros();
            apostrophes &= apostrophes - 1;
            let Some(length) = contraction(&text[at + apostrophe as usize..], kind != Contractions::Exact) else {
                continue;
            };
            let end = apostrophe + length as u32;
            let next = at + end as usize;
            if end >= BLOCK as u32 && next < text.len() {
                *begins &= low(apostrophe);
                return false;
            }
            let follower = if next < text.len() { self.roles.at(text, next).0 } else { role::SPACE };
            let behind = if is_word(follower) { 1 << end } else { 0 };
            match kind {
                Contractions::None | Contractions::Folded => *begins |= behind,
                Contractions::Exact => *begins = *begins & !(2 << apostrophe) | behind,
                Contractions::Suffix => {
                    *begins &= low(apostrophe) | !low(end);
                    if behind != 0 || text.get(next) == Some(&b'\'') {
                        // What stands behind a suffix is no part of the word that the masks show.
                        *begins = *begins & low(end) | 1 << end;
                        return false;
                    }
                }
            }
        }
        true
    }
}

/// Less than a window of bytes, with zeros behind.
fn pad(bytes: &[u8]) -> [u8; WINDOW] {
    let mut window = [0; WINDOW];
    window[..bytes.len()].copy_from_slice(bytes);
    window
}
