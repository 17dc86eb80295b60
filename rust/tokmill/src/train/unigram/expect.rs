//! Expected counts of pieces, by the forward-backward algorithm over a forest.
//!
//! Let `forward(d)` be the sum, over all segmentations of a word's first `d` characters, of the product of their pieces'
//! probabilities. The derivative of the corpus' log-likelihood by `forward(d)`, which [`Expect`] calls `back`, gathers
//! from all words that share these characters; the expected count of an arc is the product of the two at its ends and of
//! its probability. Products are plain ones, rescaled where long words would underflow, so there is no logarithm and no
//! exponential in the loop.
//!
//! Expected counts are summed in fixed point: the result does not depend on the order, and so not on threads.

use std::ops::Range;

use crate::error::Result;

use super::forest::{Arc, Forest, Visit};
use super::options::MAX_PIECE_CHARS;
use super::sweep::{Sweep, added};

/// Expected counts of all pieces, given their probabilities.
pub(super) fn expected_counts(
    sweep: &Sweep<'_>,
    forest: &Forest,
    weights: &[u64],
    probabilities: &[f64],
) -> Result<Vec<f64>> {
    let unit = unit(weights, forest);
    let sums = sweep.run(
        forest,
        || vec![0; probabilities.len()],
        |blocks: Range<usize>, sums: &mut Vec<i64>| {
            let mut expect = Expect::new(weights, probabilities, unit, sums);
            blocks.for_each(|block| forest.walk(block, &mut expect));
        },
    )?;
    Ok(added(sums).into_iter().map(|sum| sum as f64 / unit).collect())
}

/// A power of two, such that a sum of that many for each character of the corpus fits 62 bits.
fn unit(weights: &[u64], forest: &Forest) -> f64 {
    let chars: f64 =
        weights.iter().zip(forest.lengths()).map(|(&weight, length)| weight as f64 * f64::from(length)).sum();
    (62.0 - chars.max(1.0).log2().ceil()).exp2()
}

/// Where a forward sum falls below this, the sums that arcs can still reach are multiplied by [`RESCALE`].
const TINY: f64 = 1.0 / RESCALE;
/// 2^500.
const RESCALE: f64 = f64::from_bits((1023 + 500) << 52);

/// The sums of a walk.
struct Expect<'a> {
    weights: &'a [u64],
    probabilities: &'a [f64],
    /// What an expected count of one adds to `sums`.
    unit: f64,
    sums: &'a mut Vec<i64>,
    /// By depth. Relative to the last rescaling above.
    forward: Vec<f64>,
    /// By depth.
    back: Vec<f64>,
    rescalings: Vec<Rescaling>,
}

/// What there was before forward sums up to `depth` were rescaled.
struct Rescaling {
    depth: usize,
    forward: Vec<f64>,
}

impl<'a> Expect<'a> {
    fn new(weights: &'a [u64], probabilities: &'a [f64], unit: f64, sums: &'a mut Vec<i64>) -> Self {
        Self { weights, probabilities, unit, sums, forward: vec![1.0], back: vec![0.0], rescalings: Vec::new() }
    }

    /// Makes the sums that arcs can reach from behind `depth` larger. What is too large to be held then is so much
    /// larger than the others that an arc from it would have kept them from becoming small.
    #[cold]
    fn rescale(&mut self, depth: usize) {
        let window = window(depth);
        self.rescalings.push(Rescaling { depth, forward: self.forward[window.clone()].to_vec() });
        for at in window {
            self.forward[at] = (self.forward[at] * RESCALE).min(f64::MAX);
            self.back[at] *= TINY;
        }
    }

    #[cold]
    fn undo_rescaling(&mut self) {
        if let Some(Rescaling { depth, forward }) = self.rescalings.pop() {
            for (at, sum) in window(depth).zip(forward) {
                self.forward[at] = sum;
                self.back[at] *= RESCALE;
            }
        }
    }
}

/// The depths from which an arc may reach beyond `depth`, and `depth`.
fn window(depth: usize) -> Range<usize> {
    (depth + 1).saturating_sub(MAX_PIECE_CHARS)..depth + 1
}

impl Visit for Expect<'_> {
    #[inline]
    fn enter(&mut self, depth: usize, arcs: &[Arc]) {
        let mut sum = 0.0;
        for arc in arcs {
            sum += self.forward[depth - arc.length()] * self.probabilities[arc.piece()];
        }
        self.forward.push(sum);
        self.back.push(0.0);
        if sum < TINY {
            self.rescale(depth);
        }
    }

    #[inline]
    fn word(&mut self, word: usize, depth: usize, _arcs: &[Arc]) {
        self.back[depth] += self.weights[word] as f64 / self.forward[depth];
    }

    #[inline]
    fn leave(&mut self, depth: usize, arcs: &[Arc]) {
        if self.rescalings.last().is_some_and(|rescaling| rescaling.depth == depth) {
            self.undo_rescaling();
        }
        let back = self.back[depth];
        for arc in arcs {
            let from = depth - arc.length();
            let share = back * self.probabilities[arc.piece()];
            self.back[from] += share;
            self.sums[arc.piece()] += (share * self.forward[from] * self.unit).round_ties_even() as i64;
        }
        self.forward.truncate(depth);
        self.back.truncate(depth);
    }
}
