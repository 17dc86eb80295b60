//! The order in which pairs come up: highest count first, then the smaller pair.
//!
//! Counts fall after a pair is queued, so what a queue holds are upper bounds. Pairs are kept by the magnitude of
//! their count, in heaps of plain keys that are never looked at until their magnitude is reached; only the pairs of
//! the magnitude that is merged at the moment are in order. Most pairs are never reached, or have fallen out by then.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Pairs by upper bounds of their counts. Pairs of equal count come up in the order of their keys.
#[derive(Debug)]
pub(super) struct PairQueue {
    /// Bounds and pairs of the magnitudes from `magnitude` up.
    near: BinaryHeap<(u64, Reverse<u64>)>,
    /// Pairs of the magnitudes below, whose bounds need not be known.
    far: [Vec<u64>; 64],
    magnitude: u32,
}

impl Default for PairQueue {
    fn default() -> Self {
        Self { near: BinaryHeap::new(), far: std::array::from_fn(|_| Vec::new()), magnitude: 63 }
    }
}

impl PairQueue {
    /// Puts in a pair that occurs `count` times, more than 0.
    #[inline]
    pub(super) fn push(&mut self, pair: u64, count: u64) {
        let magnitude = count.ilog2();
        if magnitude < self.magnitude {
            self.far[magnitude as usize].push(pair);
        } else {
            self.near.push((count, Reverse(pair)));
        }
    }

    /// Takes out the pair with the highest count, and the count. `count_of` says what a pair counts by now; pairs
    /// that count less than `least` are lost.
    pub(super) fn pop(&mut self, least: u64, count_of: impl Fn(u64) -> u64) -> Option<(u64, u64)> {
        loop {
            while let Some((bound, Reverse(pair))) = self.near.pop() {
                let count = count_of(pair);
                if count == bound {
                    return Some((pair, count));
                }
                if count >= least {
                    self.push(pair, count);
                }
            }
            if self.magnitude == 0 {
                return None;
            }
            self.magnitude -= 1;
            for pair in std::mem::take(&mut self.far[self.magnitude as usize]) {
                let count = count_of(pair);
                if count >= least {
                    self.push(pair, count);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn comes_up_in_order(counts in prop::collection::vec(1u64..40, 1..60), falls in prop::collection::vec((0usize..60, 0u64..9), 0..60)) {
            let mut counts = counts;
            let mut queue = PairQueue::default();
            for (pair, &count) in counts.iter().enumerate() {
                queue.push(pair as u64, count);
            }
            let mut falls = falls.into_iter();
            loop {
                let expected = counts.iter().enumerate().filter(|&(_, &count)| count >= 3);
                let expected = expected.max_by_key(|&(pair, &count)| (count, Reverse(pair)));
                let expected = expected.map(|(pair, &count)| (pair as u64, count));
                prop_assert_eq!(queue.pop(3, |pair| counts[pair as usize]), expected);
                let Some((pair, _)) = expected else { break };
                counts[pair as usize] = 0;
                for (pair, by) in falls.by_ref().take(3) {
                    if let Some(count) = counts.get_mut(pair) {
                        *count = count.saturating_sub(by);
                    }
                }
            }
        }
    }
}
