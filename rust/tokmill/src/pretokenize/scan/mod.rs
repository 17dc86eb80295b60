//! The scanner of known patterns: the pieces of GPT-2's pattern and its descendants at memory-like speed.
//!
//! One engine serves all of them, with a table a family ([`family`]), and is compiled for each. It takes about a thousand
//! bytes at a time ([`chunk`]), finds their characters and turns these into rows of bits, one for each role ([`level`]).
//! From a piece boundary on it then takes some 60 characters, finds where pieces begin by bit algebra ([`block`]) and goes
//! on from the last of these places. Pieces that do not end in their block, and rare constructs, go through a plain reading
//! of the pattern ([`single`]). Time is linear in the text: a character is looked at in at most three pieces. The tests
//! hold every path against Oniguruma.

// What the vector paths call is compiled for their instructions only where it is inlined.
#![allow(clippy::inline_always)]

mod block;
mod chunk;
mod classes;
mod family;
mod level;
mod single;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod vector;

#[cfg(target_arch = "x86_64")]
pub(super) use vector::POSITIONS;

use super::{Pieces, Step};
use block::low;
pub(super) use chunk::Chunk;
use chunk::{CHUNK, Part, WIDTH};
use classes::{Roles, role};
use family::{Contractions, FAMILIES, Family};
use level::{Level, Portable, is_ascii};
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
    /// Which of [`FAMILIES`] it is.
    number: usize,
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
        Self { family, number: family.number(), roles: family.roles(), path: Path::best() }
    }

    /// Replaces `pieces` by the next block of pieces of `text` from byte `from`, which is a piece boundary, and
    /// returns the byte where the next block begins. No piece may be longer than 2 GiB.
    pub(crate) fn fill(&self, text: &[u8], from: usize, pieces: &mut Pieces) -> usize {
        pieces.base = from;
        pieces.ends.clear();
        self.append(text, from, &[text.len()], false, pieces)
    }

    /// Whether texts may be scanned together: no piece depends on what stands before it.
    pub(crate) fn takes_texts(&self) -> bool {
        !self.family.digits_only
    }

    /// For a scanner that [`Self::takes_texts`], replaces `pieces` by those of texts that lie one behind the other and end
    /// at `stops`, with a piece of no bytes behind each text. They have less than 2 GiB together, and none but the first
    /// begins with a byte that goes on with a character.
    pub(crate) fn fill_texts(&self, texts: &[u8], stops: &[usize], pieces: &mut Pieces) {
        pieces.base = 0;
        pieces.ends.clear();
        self.append(texts, 0, stops, true, pieces);
    }

    fn append(&self, text: &[u8], from: usize, stops: &[usize], all: bool, pieces: &mut Pieces) -> usize {
        let compiled = &COMPILED[self.number];
        let append = match self.path {
            Path::Portable => compiled.portable,
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => compiled.avx2,
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => compiled.avx512,
        };
        // SAFETY: a path is only taken where its features are available.
        unsafe { append(self, text, from, stops, all, pieces) }
    }

    /// Appends pieces of texts that end at `stops`: of all of them, with a piece of no bytes behind each, or only a block.
    /// Returns where the pieces end.
    #[inline(always)]
    fn append_with<L: Level, const F: usize>(
        &self,
        text: &[u8],
        from: usize,
        stops: &[usize],
        all: bool,
        pieces: &mut Pieces,
    ) -> usize {
        let Pieces { ends, chunk, .. } = pieces;
        let chunk = chunk.get_or_insert_default();
        if const { FAMILIES[F].digits_only } {
            return self.append_singly(text, from, ends);
        }
        let (mut at, mut number) = (from, 0);
        while number < stops.len() && (all || ends.len() < BLOCK_PIECES && at - from < BLOCK_BYTES) {
            ends.reserve(CHUNK + WIDTH);
            chunk.base = at;
            self.read::<L, F>(&text[at..], chunk);
            let mut first = 0;
            while let Some(&stop) = stops.get(number) {
                let part = chunk.part(first, stop);
                at = self.push_part::<L, F>(&text[..stop], chunk, &part, from, ends);
                if at < stop {
                    break;
                }
                (first, number) = (part.end, number + 1);
                ends.extend(all.then_some(((at - from) as u32, (at - from) as u32)));
                if stop >= chunk.base + chunk.bytes {
                    break;
                }
            }
        }
        at
    }

    /// Pushes a block of pieces from a byte on one by one, and returns where they end.
    fn append_singly(&self, text: &[u8], base: usize, ends: &mut Vec<(u32, u32)>) -> usize {
        let mut at = base;
        while at < text.len() && ends.len() < BLOCK_PIECES && at - base < BLOCK_BYTES {
            at = self.push_single(text, at, base, ends);
        }
        at
    }

    /// Reads the chunk that `text` begins with.
    #[inline(always)]
    fn read<L: Level, const F: usize>(&self, text: &[u8], chunk: &mut Chunk) {
        chunk.bytes = text.len().min(CHUNK);
        chunk.is_ascii = is_ascii(&text[..chunk.bytes]);
        chunk.count = chunk.bytes;
        if !chunk.is_ascii && !L::split(&self.roles, text, chunk) {
            chunk.decode(&self.roles, text);
        }
        L::fill_rows(const { &FAMILIES[F] }, &self.roles, text, chunk);
    }

    /// Pushes the pieces that are certain in a part of a chunk and returns where they end. They are at least one if the part
    /// begins with the chunk and is not empty, and all if the text ends with it. Positions are relative to `base`.
    #[inline(always)]
    fn push_part<L: Level, const F: usize>(
        &self,
        text: &[u8],
        chunk: &Chunk,
        part: &Part,
        base: usize,
        ends: &mut Vec<(u32, u32)>,
    ) -> usize {
        let family = const { &FAMILIES[F] };
        let offset = (chunk.base - base) as u32;
        let mut first = part.first;
        while first < part.end {
            let block = chunk.block(family, first, part);
            let cuts = block.cuts(family);
            let mut begins = cuts.begins;
            let mut is_last = block.is_last && cuts.usable == low(block.count);
            if cuts.apostrophes != 0 {
                is_last &= self.mend_contractions(text, chunk, first, block.count, cuts.apostrophes, &mut begins);
                begins &= cuts.usable;
            }
            begins &= !1;
            if begins != 0 || is_last {
                L::push(ends, chunk, offset, first, begins);
                first += (begins | 1).ilog2() as usize;
                if is_last {
                    ends.push((offset + chunk.position(first) as u32, (text.len() - base) as u32));
                    break;
                }
                continue;
            }
            let begin = chunk.base + chunk.position(first);
            if first > 0 && !part.is_last && first + block.count as usize == part.end {
                return begin;
            }
            let end = self.push_single(text, begin, base, ends);
            if end >= chunk.base + chunk.bytes {
                return end;
            }
            first = chunk.character_at(first, end - chunk.base);
        }
        text.len()
    }

    /// Pushes the piece at `at` and returns its end.
    fn push_single(&self, text: &[u8], at: usize, base: usize, ends: &mut Vec<(u32, u32)>) -> usize {
        let end = self.piece_end(text, at);
        ends.push(((at - base) as u32, (end - base) as u32));
        end
    }

    /// Corrects the characters that begin a piece in a block of `count` characters from `first` on by the contractions that
    /// begin at `apostrophes`. Returns whether all that remain are certain; else those behind a place that is not are gone.
    #[inline(never)]
    fn mend_contractions(
        &self,
        text: &[u8],
        chunk: &Chunk,
        first: usize,
        count: u32,
        mut apostrophes: u64,
        begins: &mut u64,
    ) -> bool {
        let kind = self.family.contractions;
        while apostrophes != 0 {
            let apostrophe = apostrophes.trailing_zeros();
            apostrophes &= apostrophes - 1;
            let at = chunk.base + chunk.position(first + apostrophe as usize);
            let Some(length) = contraction(&text[at..], kind != Contractions::Exact) else {
                continue;
            };
            let next = at + length;
            // All their characters are ASCII but the long s.
            let end = apostrophe + if text[at + 1].is_ascii() { length as u32 } else { 2 };
            if end >= count && next < text.len() {
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

/// Does what [`Scanner::append`] does.
type Append = unsafe fn(&Scanner, &[u8], usize, &[usize], bool, &mut Pieces) -> usize;

/// What is compiled for one family.
struct Compiled {
    portable: Append,
    #[cfg(target_arch = "x86_64")]
    avx2: Append,
    #[cfg(target_arch = "x86_64")]
    avx512: Append,
}

const fn compiled<const F: usize>() -> Compiled {
    Compiled {
        portable: Scanner::append_with::<Portable, F>,
        #[cfg(target_arch = "x86_64")]
        avx2: vector::append_avx2::<F>,
        #[cfg(target_arch = "x86_64")]
        avx512: vector::append_avx512::<F>,
    }
}

/// By the number of the family.
static COMPILED: [Compiled; FAMILIES.len()] = [
    compiled::<0>(),
    compiled::<1>(),
    compiled::<2>(),
    compiled::<3>(),
    compiled::<4>(),
    compiled::<5>(),
    compiled::<6>(),
    compiled::<7>(),
    compiled::<8>(),
    compiled::<9>(),
    compiled::<10>(),
];
