//! Best segmentations, by Viterbi's algorithm over a forest.
//!
//! Of equally good segmentations the one whose last piece is longest wins, as it does for the model.

use crate::error::Result;

use super::forest::{Arc, Forest, Visit};
use super::sweep::{Sweep, added};

/// The best way to each depth of a path.
#[derive(Debug)]
struct BestWays<'a> {
    scores: &'a [f64],
    /// By depth, from 0 on: the score of the best way there, and its last arc.
    ways: Vec<(f64, Option<Arc>)>,
}

impl<'a> BestWays<'a> {
    fn new(scores: &'a [f64]) -> Self {
        Self { scores, ways: vec![(0.0, None)] }
    }

    /// The best way to `depth` over one of `arcs`.
    #[inline]
    fn best(&self, depth: usize, arcs: impl Iterator<Item = Arc>) -> (f64, Option<Arc>) {
        let mut best = (f64::NEG_INFINITY, None);
        for arc in arcs {
            let score = self.ways[depth - arc.length()].0 + self.scores[arc.piece()];
            if score > best.0 {
                best = (score, Some(arc));
            }
        }
        best
    }

    #[inline]
    fn enter(&mut self, depth: usize, arcs: &[Arc]) {
        let best = self.best(depth, arcs.iter().copied());
        self.ways.push(best);
    }
}

/// How often each piece occurs in the best segmentations of all words.
pub(super) fn best_counts(sweep: &Sweep<'_>, forest: &Forest, weights: &[u64], scores: &[f64]) -> Result<Vec<u64>> {
    let states = sweep.run(
        forest,
        || vec![0; scores.len()],
        |blocks, counts| {
            let mut count = CountBest { ways: BestWays::new(scores), weights, passing: vec![0], counts };
            blocks.for_each(|block| forest.walk(block, &mut count));
        },
    )?;
    Ok(added(states))
}

struct CountBest<'a> {
    ways: BestWays<'a>,
    weights: &'a [u64],
    /// How many words' best ways pass through each depth, as far as they are known.
    passing: Vec<u64>,
    counts: &'a mut Vec<u64>,
}

impl Visit for CountBest<'_> {
    #[inline]
    fn enter(&mut self, depth: usize, arcs: &[Arc]) {
        self.ways.enter(depth, arcs);
        self.passing.push(0);
    }

    #[inline]
    fn word(&mut self, word: usize, depth: usize, _arcs: &[Arc]) {
        self.passing[depth] += self.weights[word];
    }

    #[inline]
    fn leave(&mut self, depth: usize, _arcs: &[Arc]) {
        let passing = self.passing.pop().unwrap_or_default();
        if let Some((_, Some(arc))) = self.ways.ways.pop() {
            self.counts[arc.piece()] += passing;
            self.passing[depth - arc.length()] += passing;
        }
    }
}

/// How a piece would be segmented if it were none.
#[derive(Debug)]
pub(super) enum Split<'a> {
    /// Not at all.
    Impossible,
    /// Better than as a piece.
    Better,
    /// Into these pieces, at a lower score.
    Worse(&'a [usize]),
}

/// Calls `judge` with each word of `forest` that `piece_of` says is a piece and with its best segmentation into others,
/// and returns what it says, in any order.
pub(super) fn judge_splits<T: Send>(
    sweep: &Sweep<'_>,
    forest: &Forest,
    scores: &[f64],
    piece_of: &(dyn Fn(usize) -> Option<usize> + Sync),
    judge: &(dyn Fn(usize, Split<'_>) -> T + Sync),
) -> Result<Vec<T>> {
    let states = sweep.run(forest, Vec::new, |blocks, judged| {
        let mut judging = Judging { ways: BestWays::new(scores), piece_of, judge, judged, parts: Vec::new() };
        blocks.for_each(|block| forest.walk(block, &mut judging));
    })?;
    Ok(states.into_iter().flatten().collect())
}

struct Judging<'a, T> {
    ways: BestWays<'a>,
    piece_of: &'a (dyn Fn(usize) -> Option<usize> + Sync),
    judge: &'a (dyn Fn(usize, Split<'_>) -> T + Sync),
    judged: &'a mut Vec<T>,
    parts: Vec<usize>,
}

impl<T> Visit for Judging<'_, T> {
    #[inline]
    fn enter(&mut self, depth: usize, arcs: &[Arc]) {
        self.ways.enter(depth, arcs);
    }

    fn word(&mut self, word: usize, depth: usize, arcs: &[Arc]) {
        let Some(piece) = (self.piece_of)(word) else { return };
        let (score, mut last) = self.ways.best(depth, arcs.iter().copied().filter(|arc| arc.length() < depth));
        let split = if last.is_none() {
            Split::Impossible
        } else if score > self.ways.scores[piece] {
            Split::Better
        } else {
            self.parts.clear();
            let mut depth = depth;
            while let Some(arc) = last {
                self.parts.push(arc.piece());
                depth -= arc.length();
                last = self.ways.ways[depth].1;
            }
            Split::Worse(&self.parts)
        };
        self.judged.push((self.judge)(piece, split));
    }

    #[inline]
    fn leave(&mut self, _depth: usize, _arcs: &[Arc]) {
        self.ways.ways.pop();
    }
}
