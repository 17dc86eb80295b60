//! Upper bounds of pair counts in a fixed amount of memory, so that rare pairs, which are most, need no table entry.
//!
//! Pairs are hashed to a fixed number of sums; pairs that share a sum share a bound. While ids are few every pair has
//! a sum of its own. A count-min sketch of one row (Cormode and Muthukrishnan, 2005).

use crate::error::Result;
use crate::parallel;

use super::pair_table::pair;

/// Sums of pair counts.
#[derive(Debug)]
pub(super) struct PairSketch {
    sums: Vec<u32>,
    /// Number of ids, where each pair of ids has its own sum.
    ids: Option<u32>,
}

const LEAST_LOG2: u32 = 16;
const MOST_LOG2: u32 = 25;

impl PairSketch {
    /// A sketch for about `pairs` pairs of ids below `ids`.
    pub(super) fn new(pairs: usize, ids: usize) -> Self {
        if let Some(dense) = ids.checked_mul(ids).filter(|&dense| dense <= 1 << MOST_LOG2) {
            return Self { sums: vec![0; dense], ids: Some(ids as u32) };
        }
        let log2 = (pairs / 8).max(1).ilog2().clamp(LEAST_LOG2, MOST_LOG2);
        Self { sums: vec![0; 1 << log2], ids: None }
    }

    #[inline]
    fn index(&self, left: u32, right: u32) -> usize {
        if let Some(ids) = self.ids {
            return left as usize * ids as usize + right as usize;
        }
        // The number of sums is a power of two.
        (pair(left, right).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (self.sums.len().leading_zeros() + 1)) as usize
    }

    /// Counts a pair `weight` times more. A sum stays at the largest number rather than overflow.
    #[inline]
    pub(super) fn add(&mut self, left: u32, right: u32, weight: u64) {
        let index = self.index(left, right);
        let sum = &mut self.sums[index];
        *sum = sum.saturating_add(weight.min(u64::from(u32::MAX)) as u32);
    }

    /// Whether a pair may count as much as `count`; never wrong where it says no.
    #[inline]
    pub(super) fn may_count(&self, left: u32, right: u32, count: u64) -> bool {
        self.sums[self.index(left, right)] >= count.min(u64::from(u32::MAX)) as u32
    }

    /// The sums of shares of a corpus, each counted by `count` on a thread.
    pub(super) fn of<T: Send>(
        shares: Vec<T>,
        pairs: usize,
        ids: usize,
        count: impl Fn(T, &mut Self) -> Result<()> + Sync,
    ) -> Result<Self> {
        let threads = shares.len();
        let sketches = parallel::map(shares, threads, |share| {
            let mut sketch = Self::new(pairs, ids);
            count(share, &mut sketch).map(|()| sketch)
        });
        let mut total: Option<Self> = None;
        for sketch in sketches {
            let sketch = sketch?;
            match &mut total {
                None => total = Some(sketch),
                Some(total) => {
                    for (sum, more) in total.sums.iter_mut().zip(sketch.sums) {
                        *sum = sum.saturating_add(more);
                    }
                }
            }
        }
        Ok(total.unwrap_or_else(|| Self::new(pairs, ids)))
    }

    /// The `rank`-th largest sum, from 0; 0 where there are fewer.
    pub(super) fn largest(&self, rank: usize) -> u64 {
        let mut sums: Vec<u32> = self.sums.iter().copied().filter(|&sum| sum > 1).collect();
        if rank >= sums.len() {
            return 0;
        }
        u64::from(*sums.select_nth_unstable_by(rank, |a, b| b.cmp(a)).1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn never_says_less_than_there_is(
            pairs in prop::collection::vec(((0u32..40, 0u32..40), 1u64..5), 0..200),
            ids in prop_oneof![Just(40usize), Just(1 << 20)],
        ) {
            let half = pairs.len() / 2;
            let count = |share: &[((u32, u32), u64)], sketch: &mut PairSketch| {
                for &((left, right), weight) in share {
                    sketch.add(left, right, weight);
                }
                Ok(())
            };
            let sketch = PairSketch::of(vec![&pairs[..half], &pairs[half..]], 100, ids, count).unwrap();
            let mut counts = BTreeMap::<(u32, u32), u64>::new();
            for (pair, weight) in pairs {
                *counts.entry(pair).or_default() += weight;
            }
            for (&(left, right), &count) in &counts {
                prop_assert!(sketch.may_count(left, right, count));
                prop_assert!(ids > 40 || !sketch.may_count(left, right, count + 1));
            }
            prop_assert!(sketch.largest(0) >= counts.values().copied().filter(|&count| count > 1).max().unwrap_or(0));
            prop_assert_eq!(sketch.largest(1 << 26), 0);
        }
    }
}
