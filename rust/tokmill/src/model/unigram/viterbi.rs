//! The best segmentation of a text: one pass from left to right, one cell for each place where a piece can end.
//!
//! Every arithmetic operation is done in the order and the width in which the owner of the file does it, since the
//! last bit of a score decides between segmentations that are all but equal: 64 bits wide for tokenizers, 32 bits for
//! sentencepiece. Both take a later candidate only if it is strictly better. The time is the length of the text times
//! the number of entries that begin at a place, which is bounded by the longest entry.

use crate::trie::{ROOT, Trie};

/// A number that scores are added up in.
pub(super) trait Score: Copy + PartialOrd + std::fmt::Debug {
    const ZERO: Self;
    /// Below every score.
    const LOWEST: Self;
    /// What sentencepiece starts again from 0 beyond, so that small differences are not lost; `None` never does.
    const RESET_BEYOND: Option<Self>;

    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn magnitude(self) -> Self;
    fn to_f64(self) -> f64;
}

impl Score for f32 {
    const ZERO: Self = 0.0;
    const LOWEST: Self = Self::NEG_INFINITY;
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
}

impl Score for f64 {
    const ZERO: Self = 0.0;
    const LOWEST: Self = Self::NEG_INFINITY;
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
}

/// Scores of the entries by id, and of a character that is no entry.
#[derive(Clone, Debug)]
pub(super) struct Weights<S> {
    pub(super) by_id: Vec<S>,
    pub(super) unknown: S,
    /// What stands for an unknown character in a segmentation.
    pub(super) unknown_id: u32,
}

impl<S: Score> Weights<S> {
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
    /// The score of the best of all other ways.
    second: S,
    /// Where the last piece begins; [`UNREACHED`] where nothing ends.
    begin: u32,
    id: u32,
}

const UNREACHED: u32 = u32::MAX;

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
    cells: Vec<Cell<S>>,
    /// The best segmentation, from the end to the begin.
    reversed: Vec<Part>,
    /// Whether a character was taken for unknown, on the best way or not.
    met_unknown: bool,
}

impl<S> Default for Scratch<S> {
    fn default() -> Self {
        Self { cells: Vec::new(), reversed: Vec::new(), met_unknown: false }
    }
}

impl<S: Score> Cell<S> {
    const EMPTY: Self = Self { score: S::ZERO, second: S::LOWEST, begin: UNREACHED, id: 0 };

    /// Takes the way over the piece `id` from `begin` if it is strictly better. `second` is the score of the best
    /// rival on that way; it matters with `RIVALS` only.
    #[inline]
    fn offer<const RIVALS: bool>(&mut self, begin: usize, id: u32, score: S, second: S) {
        let first = self.begin == UNREACHED;
        if first || score > self.score {
            if RIVALS {
                let old = if first { S::LOWEST } else { self.score };
                self.second = max(max(old, self.second), second);
            }
            self.score = score;
            self.begin = begin as u32;
            self.id = id;
        } else if RIVALS {
            self.second = max(self.second, score);
        }
    }
}

fn max<S: Score>(a: S, b: S) -> S {
    if b > a { b } else { a }
}

impl<S: Score> Scratch<S> {
    /// Finds the best segmentation of `text`, which is UTF-8 shorter than 4 GiB, and returns its score, when the text
    /// before it has the score `before`. With `RIVALS`, [`Self::margin`] is known afterwards.
    pub(super) fn run<const RIVALS: bool>(&mut self, trie: &Trie, weights: &Weights<S>, text: &[u8], before: S) -> S {
        self.cells.clear();
        self.cells.resize(text.len() + 1, Cell::EMPTY);
        self.cells[0].score = before;
        self.met_unknown = false;
        let (mut begin, mut frontier) = (0, 0);
        while begin < text.len() {
            if let Some(limit) = S::RESET_BEYOND
                && self.cells[begin].score.magnitude() > limit
            {
                self.reset(begin, frontier);
            }
            let Cell { score, second, .. } = self.cells[begin];
            let width = char_width(text[begin]).min(text.len() - begin);
            let mut known = false;
            let mut node = ROOT;
            for (length, &byte) in (1..).zip(&text[begin..]) {
                let Some(child) = trie.child(node, byte) else { break };
                node = child;
                if let Some(id) = trie.id(node) {
                    let weight = weights.by_id[id as usize];
                    let rival = if RIVALS { second.plus(weight) } else { second };
                    self.cells[begin + length].offer::<RIVALS>(begin, id, score.plus(weight), rival);
                    known |= length == width;
                    frontier = frontier.max(begin + length);
                }
            }
            if !known {
                let Weights { unknown, unknown_id, .. } = *weights;
                let rival = if RIVALS { second.plus(unknown) } else { second };
                let cell = &mut self.cells[begin + width];
                cell.offer::<RIVALS>(begin, unknown_id, score.plus(unknown), rival);
                self.met_unknown |= cell.begin == begin as u32;
                frontier = frontier.max(begin + width);
            }
            begin += width;
        }
        self.cells[text.len()].score
    }

    /// Counts scores from the one at `begin` on.
    #[cold]
    fn reset(&mut self, begin: usize, frontier: usize) {
        let offset = self.cells[begin].score;
        for (at, cell) in self.cells.iter_mut().enumerate().take(frontier.max(begin) + 1).skip(begin) {
            if at == begin || cell.begin != UNREACHED {
                cell.score = cell.score.minus(offset);
                cell.second = cell.second.minus(offset);
            }
        }
    }

    /// Whether some character of the text that was run was taken for unknown, even if not in the end.
    pub(super) fn met_unknown(&self) -> bool {
        self.met_unknown
    }

    /// By how much the best segmentation of the text that was run with `RIVALS` beats all others.
    pub(super) fn margin(&self) -> f64 {
        self.cells.last().map_or(f64::INFINITY, |last| last.score.to_f64() - last.second.to_f64())
    }

    /// The best segmentation of the text that was run.
    pub(super) fn parts(&mut self) -> impl Iterator<Item = Part> {
        self.reversed.clear();
        let mut end = self.cells.len().saturating_sub(1) as u32;
        while end > 0 {
            let Cell { begin, id, .. } = self.cells[end as usize];
            self.reversed.push(Part { begin, end, id });
            end = begin;
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
