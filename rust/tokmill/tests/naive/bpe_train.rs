//! The BPE trainer as a textbook has it: count every pair afresh for every merge.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Entries by id, and merges as (left, right, result).
pub(crate) type Model = (Vec<Vec<u8>>, Vec<(u32, u32, u32)>);

/// Goes on from `entries` and `merges` until there are `vocab_size` entries, or no pair is left that occurs
/// `min_frequency` times and whose entry is allowed.
pub(crate) fn train(
    words: &BTreeMap<Vec<u8>, u64>,
    (mut entries, mut merges): Model,
    vocab_size: usize,
    min_frequency: u64,
    allowed: impl Fn(&[u8]) -> bool,
) -> Model {
    let id_of = |entries: &[Vec<u8>], key: &[u8]| entries.iter().position(|entry| entry == key).map(|id| id as u32);
    let spell = |word: &[u8]| word.iter().map(|&byte| id_of(&entries, &[byte]).unwrap()).collect();
    let mut rows: Vec<(Vec<u32>, u64)> = words.iter().map(|(word, &count)| (spell(word), count)).collect();
    for &merge in &merges {
        apply(&mut rows, merge);
    }
    while entries.len() < vocab_size {
        let mut counts = BTreeMap::<(u32, u32), u64>::new();
        for (row, count) in &rows {
            for pair in row.windows(2) {
                *counts.entry((pair[0], pair[1])).or_default() += count;
            }
        }
        let joined = |(left, right): (u32, u32)| [&entries[left as usize][..], &entries[right as usize]].concat();
        counts.retain(|&pair, _| allowed(&joined(pair)));
        let Some((&pair, &count)) = counts.iter().max_by_key(|&(&pair, &count)| (count, Reverse(pair))) else { break };
        if count < min_frequency.max(1) {
            break;
        }
        let key = joined(pair);
        let result = id_of(&entries, &key).unwrap_or_else(|| {
            entries.push(key);
            entries.len() as u32 - 1
        });
        let merge = (pair.0, pair.1, result);
        apply(&mut rows, merge);
        merges.retain(|&(left, right, _)| (left, right) != pair);
        merges.push(merge);
    }
    (entries, merges)
}

fn apply(rows: &mut [(Vec<u32>, u64)], (left, right, result): (u32, u32, u32)) {
    for (row, _) in rows {
        let mut at = 0;
        while at + 1 < row.len() {
            if row[at..at + 2] == [left, right] {
                row.splice(at..at + 2, [result]);
            }
            at += 1;
        }
    }
}
