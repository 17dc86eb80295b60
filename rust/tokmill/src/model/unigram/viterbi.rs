//! The best segmentation of a text: one pass from left to right, one cell for each place between two characters.
//!
//! Every arithmetic operation is done in the order and the width in which the owner of the file does it, since the
//! last bit of a score decides between segmentations that are all but equal: 64 bits wide for tokenizers, 32 bits for
//! sentencepiece. Both take a later candidate only if it is strictly better. The time is the length of the text times
//! the number of entries that begin at a place, which is bounded by the longest entry.

use crate::trie::{CharacterTrie, Symbol};

/// A number that scores are added up in.
pub(super) trait Score: Copy + PartialOrd + std::fmt::Debug {
    /// Below every score.
    const LOWEST: Self;
    /// What no entry is worth: no sum with it is better than any other.
    const NO_ENTRY: Self;
    /// What sentencepiece starts again from 0 beyond, so that small differences are not lost; `None` never does.
    const RESET_BEYOND: Option<Self>;

    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn magnitude(self) -> Self;
    fn to_f64(self) -> f64;
    fn is_entry(self) -> bool;
}

impl Score for f32 {
    const LOWEST: Self = Self::NEG_INFINITY;
    const NO_ENTRY: Self = Self::NAN;
    const RESET_BEYOND: Option<Self> = Some(100_000.0);

    fn plus(self, other: Self) -> Self {
        self + other
    }

    fn minus(self, other: Self) -> Self {
        self - other
    }

    fn magnitude(self) -> Self {
        self.abs()
    }

    fn to_f64(self) -> f64 {
        self.into()
    }

    fn is_entry(self) -> bool {
        !self.is_nan()
    }
}

impl Score for f64 {
    const LOWEST: Self = Self::NEG_INFINITY;
    const NO_ENTRY: Self = Self::NAN;
    const RESET_BEYOND: Option<Self> = None;

    fn plus(self, other: Self) -> Self {
        self + other
    }

    fn minus(self, other: Self) -> Self {
        self - other
    }

    fn magnitude(self) -> Self {
        self.abs()
    }

    fn to_f64(self) -> f64 {
        self
    }

    fn is_entry(self) -> bool {
        !self.is_nan()
    }
}

/// Entries and their scores, and that of a character that is no entry.
#[derive(Clone, Debug)]
pub(super) struct Weights<S> {
    /// The entries that are found in text, with their scores.
    pub(super) trie: CharacterTrie<S>,
    /// Scores by id.
    pub(super) by_id: Vec<S>,
    pub(super) unknown: S,
    /// What stands for an unknown character in a segmentation.
    pub(super) unknown_id: u32,
}

impl<S: Score> Weights<S> {
    /// Scores by id, where those of `texts`, with their ids, are found in text.
    pub(super) fn new(texts: &[(&[u8], u32)], by_id: Vec<S>, unknown: S, unknown_id: u32) -> Self {
        let trie = CharacterTrie::new(texts.iter().copied(), |id| by_id[id as usize], S::NO_ENTRY);
        Self { trie, by_id, unknown, unknown_id }
    }

    /// The score of a part of a segmentation.
    pub(super) fn of(&self, id: u32) -> S {
        if id == self.unknown_id { self.unknown } else { self.by_id[id as usize] }
    }

    /// The largest magnitude of a score.
    pub(super) fn largest(&self) -> f64 {
        let scores = self.by_id.iter().chain([&self.unknown]);
        scores.map(|score| score.to_f64().abs()).fold(0.0, f64::max)
    }
}

/// The best way to a place in the text.
#[derive(Clone, Copy, Debug)]
struct Cell<S> {
    score: S,
    /// The character that the last piece begins with.
    begin: u32,
    /// The place of that piece in the trie; [`UNKNOWN`] for a character that is no entry.
    place: u32,
}

/// No place of an entry, as it is the root's.
const UNKNOWN: u32 = 0;

/// A piece of a segmentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) begin: u32,
    pub(super) end: u32,
    pub(super) id: u32,
}

/// Reusable memory.
#[derive(Debug)]
pub(super) struct Scratch<S> {
    /// The characters of the text.
    symbols: Vec<Symbol>,
    /// One for each place between characters and at the ends.
    cells: Vec<Cell<S>>,
    /// For each cell the score of the best of all other ways; of use with `RIVALS` only.
    seconds: Vec<S>,
    /// The best segmentation, from the end to the begin.
    reversed: Vec<Part>,
    /// Whether a character was taken for unknown, on the best way or not.
    met_unknown: bool,
}

impl<S> Default for Scratch<S> {
    fn default() -> Self {
        Self { symbols: Vec::new(), cells: Vec::new(), seconds: Vec::new(), reversed: Vec::new(), met_unknown: false }
    }
}

fn max<S: Score>(a: S, b: S) -> S {
    if b > a { b } else { a }
}

impl<S: Score> Scratch<S> {
    /// Finds the best segmentation of `text`, which is UTF-8 shorter than 4 GiB, and returns its score, when the text
    /// before it has the score `before`. With `RIVALS`, [`Self::margin`] is known afterwards.
    pub(super) fn run<const RIVALS: bool>(&mut self, weights: &Weights<S>, text: &[u8], before: S) -> S {
        weights.trie.read(text, &mut self.symbols);
        let len = self.symbols.len();
        self.cells.clear();
        self.cells.resize(len + 1, Cell { score: S::LOWEST, begin: 0, place: UNKNOWN });
        self.cells[0].score = before;
        if RIVALS {
            self.seconds.clear();
            self.seconds.resize(len + 1, S::LOWEST);
        }
        self.met_unknown = false;
        for begin in 0..len {
            if let Some(limit) = S::RESET_BEYOND
                && self.cells[begin].score.magnitude() > limit
            {
                self.reset::<RIVALS>(begin, weights.trie.longest());
            }
            let score = self.cells[begin].score;
            let second = if RIVALS { self.seconds[begin] } else { S::LOWEST };
            let mut walk = weights.trie.walk(&self.symbols[begin..]);
            let cells = &mut self.cells[begin + 1..];
            let seconds = if RIVALS { &mut self.seconds[begin + 1..] } else { &mut [] };
            let mut offer = |ahead: usize, place, weight: S| {
                let candidate = score.plus(weight);
                let cell = &mut cells[ahead];
                // Where no entry ends, no comparison is true.
                if candidate > cell.score {
                    if RIVALS {
                        seconds[ahead] = max(max(cell.score, seconds[ahead]), second.plus(weight));
                    }
                    *cell = Cell { score: candidate, begin: begin as u32, place };
                } else if RIVALS {
                    seconds[ahead] = max(seconds[ahead], candidate);
                }
            };
            let mut known = false;
            if let Some((place, weight)) = walk.step() {
                known = weight.is_entry();
                offer(0, place, weight);
                let mut ahead = 1;
                while let Some((place, weight)) = walk.step() {
                    offer(ahead, place, weight);
                    ahead += 1;
                }
            }
            if !known {
                offer(0, UNKNOWN, weights.unknown);
                self.met_unknown |= self.cells[begin + 1].place == UNKNOWN;
            }
        }
        self.cells[len].score
    }

    /// Counts scores from the one at `begin` on; no piece reaches further than `longest` characters.
    #[cold]
    fn reset<const RIVALS: bool>(&mut self, begin: usize, longest: usize) {
        let offset = self.cells[begin].score;
        let end = self.cells.len().min(begin + longest.max(1));
        for cell in &mut self.cells[begin..end] {
            cell.score = cell.score.minus(offset);
        }
        if RIVALS {
            self.seconds[begin..end].iter_mut().for_each(|second| *second = second.minus(offset));
        }
    }

    /// Whether some character of the text that was run was taken for unknown, even if not in the end.
    pub(super) fn met_unknown(&self) -> bool {
        self.met_unknown
    }

    /// By how much the best segmentation of the text that was run with `RIVALS` beats all others.
    pub(super) fn margin(&self) -> f64 {
        let last = self.cells.last().zip(self.seconds.last());
        last.map_or(f64::INFINITY, |(best, second)| best.score.to_f64() - second.to_f64())
    }

    /// The best segmentation of the text that was run.
    pub(super) fn parts(&mut self, weights: &Weights<S>) -> impl Iterator<Item = Part> {
        self.reversed.clear();
        let mut cell = self.symbols.len();
        let mut end: u32 = self.symbols.iter().map(|symbol| symbol.len() as u32).sum();
        while cell > 0 {
            let Cell { begin: first, place, .. } = self.cells[cell];
            let bytes: u32 = self.symbols[first as usize..cell].iter().map(|symbol| symbol.len() as u32).sum();
            let id = weights.trie.id(place).unwrap_or(weights.unknown_id);
            self.reversed.push(Part { begin: end - bytes, end, id });
            end -= bytes;
            cell = first as usize;
        }
        self.reversed.iter().rev().copied()
    }
}

/// Bytes of the character that begins with `byte`.
#[inline]
pub(super) fn char_width(byte: u8) -> usize {
    match byte {
        0..0xC0 => 1,
        0xC0..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0.. => 4,
    }
}
