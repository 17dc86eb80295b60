//! Applying the merges of an existing tokenizer to a piece, in their order.
//!
//! A heap of (step, position) finds the next merge that applies, so a piece of n symbols takes n log n whatever the
//! number of merges. The same as going through the whole list and merging every occurrence of each pair in turn.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashMap;

use crate::merges::Merge;

use super::pair_table::pair;

/// A list of merges, ready to be applied.
#[derive(Debug)]
pub(super) struct Replay {
    merges: Vec<Merge>,
    /// The first step that merges a pair.
    first: HashMap<u64, u32>,
    /// The next step that merges the same pair, or [`NEVER`].
    again: Vec<u32>,
}

/// Scratch memory of [`Replay::apply`].
#[derive(Debug, Default)]
pub(super) struct ReplayScratch {
    links: Vec<Link>,
    queue: BinaryHeap<Reverse<(u32, u32)>>,
}

/// A symbol in a doubly linked list.
#[derive(Clone, Copy, Debug)]
struct Link {
    symbol: u32,
    previous: u32,
    next: u32,
}

const NEVER: u32 = u32::MAX;

/// No neighbour; also the symbol of a link that was merged away.
const NONE: u32 = u32::MAX;

impl Replay {
    pub(super) fn new(merges: Vec<Merge>) -> Self {
        let mut first = HashMap::with_capacity(merges.len());
        let mut again = vec![NEVER; merges.len()];
        for (step, merge) in merges.iter().enumerate().rev() {
            if let Some(later) = first.insert(pair(merge.left, merge.right), step as u32) {
                again[step] = later;
            }
        }
        Self { merges, first, again }
    }

    /// The first step from `from` on that merges this pair.
    fn step(&self, left: u32, right: u32, from: u32) -> u32 {
        let mut step = self.first.get(&pair(left, right)).copied().unwrap_or(NEVER);
        while step < from {
            step = self.again[step as usize];
        }
        step
    }

    /// Applies the merges to `symbols`. The result of a merge is neither of its parts.
    pub(super) fn apply(&self, symbols: &mut Vec<u32>, scratch: &mut ReplayScratch) {
        let ReplayScratch { links, queue } = scratch;
        links.clear();
        queue.clear();
        let count = symbols.len() as u32;
        links.extend(symbols.iter().zip(0..count).map(|(&symbol, at)| Link {
            symbol,
            previous: at.wrapping_sub(1),
            next: if at + 1 < count { at + 1 } else { NONE },
        }));
        for (at, pair) in symbols.windows(2).enumerate() {
            let step = self.step(pair[0], pair[1], 0);
            if step != NEVER {
                queue.push(Reverse((step, at as u32)));
            }
        }
        while let Some(Reverse((step, at))) = queue.pop() {
            let merge = self.merges[step as usize];
            let link = links[at as usize];
            let Some(&right) = links.get(link.next as usize) else { continue };
            if (link.symbol, right.symbol) != (merge.left, merge.right) {
                continue;
            }
            links[link.next as usize].symbol = NONE;
            links[at as usize] = Link { symbol: merge.result, next: right.next, ..link };
            if let Some(after) = links.get_mut(right.next as usize) {
                after.previous = at;
                let step = self.step(merge.result, after.symbol, step + 1);
                if step != NEVER {
                    queue.push(Reverse((step, at)));
                }
            }
            if let Some(before) = links.get(link.previous as usize) {
                let step = self.step(before.symbol, merge.result, step + 1);
                if step != NEVER {
                    queue.push(Reverse((step, link.previous)));
                }
            }
        }
        symbols.clear();
        symbols.extend(links.iter().map(|link| link.symbol).filter(|&symbol| symbol != NONE));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one_after_the_other(merges: &[Merge], symbols: &[u32]) -> Vec<u32> {
        let mut symbols = symbols.to_vec();
        for merge in merges {
            let mut at = 0;
            while at + 1 < symbols.len() {
                if symbols[at..at + 2] == [merge.left, merge.right] {
                    symbols.splice(at..at + 2, [merge.result]);
                }
                at += 1;
            }
        }
        symbols
    }

    proptest! {
        // Symbol n stands for n + 1 times the same letter, so that symbols come about by many paths, and earlier steps
        // become possible again when it is too late.
        #[test]
        fn equals_one_merge_after_the_other(
            merges in prop::collection::vec((0u32..6, 0u32..6), 0..20),
            symbols in prop::collection::vec(0u32..3, 0..40),
        ) {
            let merge = |&(left, right)| Merge { left, right, result: left + right + 1 };
            let merges: Vec<_> = merges.iter().map(merge).collect();
            let mut replayed = symbols.clone();
            Replay::new(merges.clone()).apply(&mut replayed, &mut ReplayScratch::default());
            prop_assert_eq!(replayed, one_after_the_other(&merges, &symbols));
        }
    }
}
