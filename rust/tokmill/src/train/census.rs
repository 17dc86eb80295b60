//! Counting all pairs of a corpus to find those that may be merged next.

use hashbrown::HashSet;

use super::pair_sketch::PairSketch;
use super::pair_table::{PairTable, pair, unpair};
use super::symbols::Symbols;

use crate::parallel;

/// Corpora of fewer cells are counted without a sketch, as all their pairs fit. Tests have none that large.
const SKETCH_FROM: usize = if cfg!(test) { 0 } else { 1 << 22 };

/// Which pairs are counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Pairs that count less are of no interest.
    pub(super) least: u64,
    /// So many of the most frequent pairs are enough.
    pub(super) pairs: usize,
    /// A count that was too high to be the least.
    pub(super) below: u64,
}

/// Counts and numbers of occurrences of the pairs in `symbols`, whose ids are below `ids`: of all pairs that count as
/// much as the second result or more, and of some others.
pub(super) fn count_pairs(symbols: &Symbols, ids: usize, wanted: Wanted, threads: usize) -> (PairTable, u64) {
    let shares = symbols.shares(threads);
    let sketch = (symbols.len() > SKETCH_FROM).then(|| {
        PairSketch::of(shares.clone(), symbols.len(), ids, |share, sketch| {
            symbols.for_each_pair(share, |left, right, _, weight| sketch.add(left, right, weight));
            Ok(())
        })
        .expect("counting symbols in memory does not fail")
    });
    let enough = sketch.as_ref().map_or(0, |sketch| sketch.largest(wanted.pairs));
    let least = enough.min(wanted.below / 2).max(wanted.least);
    let threads = shares.len();
    let tables = parallel::map(shares, threads, |share| {
        let mut table = PairTable::default();
        symbols.for_each_pair(share, |left, right, _, weight| {
            if sketch.as_ref().is_none_or(|sketch| sketch.may_count(left, right, least)) {
                let slot = table.entry(pair(left, right), 0);
                slot.count += weight;
                slot.len += 1;
            }
        });
        table
    });
    let all = tables.into_iter().reduce(|mut all, more| {
        for (key, slot) in more.iter() {
            let sum = all.entry(key, 0);
            sum.count += slot.count;
            sum.len += slot.len;
        }
        all
    });
    (all.unwrap_or_default(), least)
}

/// The pairs of `all` to list: those that count `least` or more and are allowed, but no more of them, the most frequent
/// first, than have `room` occurrences together, or one. Comes with the count from which on all are there.
pub(super) fn select(
    all: &PairTable,
    least: u64,
    room: usize,
    refused: &HashSet<u64>,
    may_merge: impl Fn(u32, u32) -> bool,
) -> (Vec<(u64, u64, usize)>, u64) {
    let allowed = |key| !refused.contains(&key) && may_merge(unpair(key).0, unpair(key).1);
    let frequent = all.iter().filter(|&(key, slot)| slot.count >= least && allowed(key));
    let mut pairs: Vec<_> = frequent.map(|(key, slot)| (key, slot.count, slot.len)).collect();
    if pairs.iter().map(|&(.., len)| len).sum::<usize>() <= room {
        return (pairs, least);
    }
    pairs.sort_unstable_by_key(|&(_, count, _)| std::cmp::Reverse(count));
    let (mut end, mut listed) = (0, 0);
    for same in pairs.chunk_by(|a, b| a.1 == b.1) {
        listed += same.iter().map(|&(.., len)| len).sum::<usize>();
        if end > 0 && listed > room {
            break;
        }
        end += same.len();
    }
    pairs.truncate(end);
    let threshold = pairs.last().map_or(least, |&(_, count, _)| count);
    (pairs, threshold)
}
