//! All segmentations of a text: the best ones in order, and random ones.
//!
//! The arcs of the lattice are never stored: the trie gives those that begin at a place whenever they are needed. What
//! can follow a place is summed up from the right first (the best score, or the logarithm of the sum of all weights);
//! segmentations are then built from the left. The best ones come from an A* search, whose estimate is exact, so that
//! nothing is expanded in vain; a sample is drawn piece by piece. Reference: T. Kudo, "Subword Regularization" (2018).

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::viterbi::{Part, char_width};
use super::{AnyWeights, NO_ID, Rule, Unigram};
use crate::pieces::PieceKind;
use crate::random::Random;

/// A segmentation and the sum of its scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Segmentation {
    /// Its ids.
    pub ids: Vec<u32>,
    /// The sum of the scores of its parts, where each unknown character is a part of its own.
    pub score: f64,
}

/// The beginning of a segmentation.
struct Hypothesis {
    /// The score so far, and the best score that it can come to.
    score: f64,
    estimate: f64,
    /// How many were made before it; of equal ones the oldest is followed first.
    number: usize,
    end: usize,
    /// The step that led here.
    last: Option<usize>,
}

impl Ord for Hypothesis {
    fn cmp(&self, other: &Self) -> Ordering {
        self.estimate.total_cmp(&other.estimate).then(other.number.cmp(&self.number))
    }
}

impl PartialOrd for Hypothesis {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Hypothesis {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Hypothesis {}

/// A part of a segmentation and the step before it.
struct Step {
    part: Part,
    previous: Option<usize>,
}

impl Unigram {
    /// The `count` best segmentations of a text, best first, or all of them where there are fewer.
    pub fn nbest(&self, text: &[u8], count: usize) -> Vec<Segmentation> {
        let best = self.ways_to_end(text, 1.0, f64::max);
        let mut steps: Vec<Step> = Vec::new();
        let mut open = BinaryHeap::new();
        open.push(Hypothesis { score: 0.0, estimate: best[0], number: 0, end: 0, last: None });
        let mut number = 1;
        let mut found = Vec::new();
        while found.len() < count
            && let Some(top) = open.pop()
        {
            if top.end == text.len() {
                found.push(self.segmentation(text, &steps, &top));
                continue;
            }
            self.for_arcs(text, top.end, |part, weight| {
                let score = top.score + weight;
                let end = part.end as usize;
                steps.push(Step { part, previous: top.last });
                let last = Some(steps.len() - 1);
                open.push(Hypothesis { score, estimate: score + best[end], number, end, last });
                number += 1;
            });
        }
        found
    }

    /// A random segmentation of a text: each is as likely as the exponential of `alpha` times its score.
    pub fn sample(&self, text: &[u8], alpha: f64, random: &mut Random) -> Vec<u32> {
        let sums = self.ways_to_end(text, alpha, log_add);
        let mut parts = Vec::new();
        let mut arcs = Vec::new();
        let mut at = 0;
        while at < text.len() {
            arcs.clear();
            self.for_arcs(text, at, |part, weight| {
                arcs.push((part, (alpha * weight + sums[part.end as usize] - sums[at]).exp()));
            });
            let (part, _) = arcs[random.choose(arcs.iter().map(|(_, weight)| *weight))];
            parts.push(part);
            at = part.end as usize;
        }
        self.ids_of(text, parts.into_iter())
    }

    /// For each place, what `join` makes of all ways from there to the end, whose scores are taken `alpha` times.
    fn ways_to_end(&self, text: &[u8], alpha: f64, join: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        let mut joined = vec![f64::NEG_INFINITY; text.len() + 1];
        joined[text.len()] = 0.0;
        for at in (0..text.len()).rev().filter(|&at| text[at] & 0xC0 != 0x80) {
            let mut sum = f64::NEG_INFINITY;
            self.for_arcs(text, at, |part, weight| sum = join(sum, alpha * weight + joined[part.end as usize]));
            joined[at] = sum;
        }
        joined
    }

    /// Gives the parts that can begin at a place, with their scores.
    pub(super) fn for_arcs(&self, text: &[u8], at: usize, mut take: impl FnMut(Part, f64)) {
        let width = char_width(text[at]).min(text.len() - at);
        let part = |len: usize, id| Part { begin: at as u32, end: (at + len) as u32, id };
        let mut known = false;
        self.weights.for_prefixes(&text[at..], |(len, id)| {
            known |= len == width;
            take(part(len, id), self.arc_weight(id));
        });
        if !known {
            let (id, weight) = match &self.weights {
                AnyWeights::Double(weights) => (weights.unknown_id, weights.unknown),
                AnyWeights::Single(weights) => (weights.unknown_id, weights.unknown.into()),
            };
            take(part(width, id), weight);
        }
    }

    /// The score of an arc; sentencepiece counts the characters of user-defined pieces here, not their bytes.
    pub(super) fn arc_weight(&self, id: u32) -> f64 {
        match &self.weights {
            AnyWeights::Double(weights) => weights.by_id[id as usize],
            AnyWeights::Single(_) if self.kinds[id as usize] == PieceKind::UserDefined => {
                let key = self.vocab.key(id).unwrap_or_default();
                let chars = key.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
                0.1 * (chars as f64 - 1.0)
            }
            AnyWeights::Single(weights) => weights.by_id[id as usize].into(),
        }
    }

    fn segmentation(&self, text: &[u8], steps: &[Step], end: &Hypothesis) -> Segmentation {
        let mut parts = Vec::new();
        let mut last = end.last;
        while let Some(step) = last {
            parts.push(steps[step].part);
            last = steps[step].previous;
        }
        Segmentation { ids: self.ids_of(text, parts.into_iter().rev()), score: end.score }
    }

    fn ids_of(&self, text: &[u8], parts: impl Iterator<Item = Part>) -> Vec<u32> {
        let mut ids = Vec::new();
        self.tokens(text, parts, |part| ids.push(part.id));
        ids
    }

    /// Whether a segmentation of `text` may need an id for unknown characters that the model does not have.
    pub fn lacks_id_for(&self, text: &[u8]) -> bool {
        let nothing_else = self.options.rule == Rule::Tokenizers || !self.options.byte_fallback;
        let mut unknown = false;
        if self.options.unk_id.is_none() && nothing_else {
            for at in (0..text.len()).filter(|&at| text[at] & 0xC0 != 0x80) {
                self.for_arcs(text, at, |part, _| unknown |= part.id == NO_ID);
            }
        }
        unknown
    }
}

/// The logarithm of the sum of two exponentials.
fn log_add(a: f64, b: f64) -> f64 {
    let (small, large) = if a < b { (a, b) } else { (b, a) };
    if small == f64::NEG_INFINITY { large } else { large + (small - large).exp().ln_1p() }
}
