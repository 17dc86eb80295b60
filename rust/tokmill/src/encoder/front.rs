//! The table behind that of the common pieces: short pieces of up to three tokens, two to a cache line.
//!
//! A bucket is one line of two slots. When the encoder is made, the first gets an entry of the vocabulary, smallest ids
//! (the most frequent ones) first; so what the vocabulary knows is found from the first text on, and a lookup is one
//! line and no search. Other pieces take the free slot, then that of the vocabulary's entry, whose id is found again
//! without merging, and then that of the piece before.

use std::hint::select_unpredictable;

use super::key::{SHORT, hash_short, short_key};
use crate::memory;
use crate::model::Model;

/// Ids that a slot holds.
pub(super) const IDS: usize = 3;

/// Entries of the vocabulary whose buckets are fetched together.
const TOGETHER: usize = 64;

/// A short piece and its ids. Key 0 is no piece's, so a zeroed slot is empty.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct Slot {
    key: u128,
    found: Found,
}

/// What is found where nothing is.
static EMPTY: Slot = Slot { key: 0, found: [0; IDS + 1] };

/// Stands behind the id of an entry of the vocabulary that was put into the table unasked.
const SEED: u32 = u32::MAX;

impl Slot {
    fn is_seed(&self) -> bool {
        self.found[1] == SEED && self.found[IDS] == 1
    }
}

/// Up to [`IDS`] ids and, last, their number.
pub(super) type Found = [u32; IDS + 1];

#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Bucket([Slot; 2]);

/// A direct-mapped table of buckets.
#[derive(Debug)]
pub(super) struct FrontTable {
    buckets: Box<[Bucket]>,
}

impl FrontTable {
    /// A table of at most `bytes` with the short entries of `model` that are their own encoding, or an empty one that
    /// finds nothing where `bytes` is not worth a table.
    pub(super) fn new(model: &Model, bytes: usize) -> Self {
        let fitting = bytes / size_of::<Bucket>();
        if fitting < 64 {
            return Self { buckets: Box::default() };
        }
        let wanted = model.vocab().entries().next_power_of_two();
        let size = wanted.min(1 << fitting.ilog2());
        let mut table = Self { buckets: memory::filled(size).into_boxed_slice() };
        let mut entries = model.whole_entries().filter(|(_, bytes)| (1..=SHORT).contains(&bytes.len()));
        let mut together = Vec::with_capacity(TOGETHER);
        loop {
            together.clear();
            together.extend(entries.by_ref().take(TOGETHER).map(|(id, bytes)| {
                let key = short_key(bytes, 0, bytes.len());
                table.buckets().prefetch(hash_short(key));
                (id, key)
            }));
            if together.is_empty() {
                return table;
            }
            for &(id, key) in &together {
                let bucket = table.buckets().bucket(hash_short(key));
                if let Some(free) = table.buckets[bucket].0.iter_mut().find(|slot| slot.key == 0) {
                    *free = Slot { key, found: [id, SEED, 0, 1] };
                }
            }
        }
    }

    /// What the table takes of memory.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.buckets)
    }

    /// Whether the table holds nothing and never will.
    pub(super) fn is_off(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The table, to be probed. It must not be off.
    #[inline]
    pub(super) fn buckets(&self) -> Buckets<'_> {
        Buckets(&self.buckets)
    }

    /// The ids of a piece of any length, given its hash.
    pub(super) fn get_piece(&self, piece: &[u8], hash: u64) -> &[u32] {
        if piece.len() > SHORT || self.is_off() {
            return &[];
        }
        let (found, count) = self.buckets().get(short_key(piece, 0, piece.len()), hash);
        &found[..count]
    }

    /// Remembers the ids of a short piece that is not in the table, if a slot holds that many; `false` if not. What
    /// has to give way is handed to `evicted`.
    pub(super) fn insert(&mut self, key: u128, hash: u64, ids: &[u32], evicted: impl FnOnce(u128, &[u32])) -> bool {
        if ids.len() > IDS || self.is_off() {
            return false;
        }
        let mut found = [0; IDS + 1];
        found[..ids.len()].copy_from_slice(ids);
        found[IDS] = ids.len() as u32;
        let bucket = self.buckets().bucket(hash);
        let Bucket(slots) = &mut self.buckets[bucket];
        let free = slots.iter().position(|slot| slot.key == 0);
        let seed = || slots.iter().rposition(Slot::is_seed);
        let slot = &mut slots[free.or_else(seed).unwrap_or(1)];
        if slot.key != 0 && !slot.is_seed() {
            evicted(slot.key, &slot.found[..slot.found[IDS] as usize]);
        }
        *slot = Slot { key, found };
        true
    }
}

/// The buckets of a table that is not off.
#[derive(Clone, Copy)]
pub(super) struct Buckets<'a>(&'a [Bucket]);

impl<'a> Buckets<'a> {
    #[inline]
    fn bucket(self, hash: u64) -> usize {
        hash as usize & (self.0.len() - 1)
    }

    /// Asks the processor to fetch the line of a hash.
    #[inline]
    pub(super) fn prefetch(self, hash: u64) {
        memory::prefetch(&self.0[self.bucket(hash)]);
    }

    /// What holds the ids of a short piece, and how many they are; 0 says that the piece is not known.
    #[inline]
    pub(super) fn get(self, key: u128, hash: u64) -> (&'a Found, usize) {
        let Bucket([first, second]) = &self.0[self.bucket(hash)];
        // Whether a piece is known is not predictable, so this chooses between addresses and not between ways to go.
        let slot = select_unpredictable(first.key == key, first, &EMPTY);
        let slot = select_unpredictable(second.key == key, second, slot);
        (&slot.found, slot.found[IDS] as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_stays_longer_than_what_was_not() {
        let mut table = FrontTable { buckets: vec![Bucket::default(); 64].into_boxed_slice() };
        let hash = 5;
        for (slot, key) in [1, 2].into_iter().enumerate() {
            table.buckets[hash as usize].0[slot] = Slot { key, found: [key as u32, SEED, 0, 1] };
        }
        let mut evicted = Vec::new();
        for key in [11, 12, 13] {
            let ids = [key as u32, 7];
            assert!(table.insert(key, hash, &ids, |key, ids| evicted.push((key, ids.to_vec()))));
            let (found, count) = table.buckets().get(key, hash);
            assert_eq!(found[..count], ids);
        }
        assert_eq!(evicted, [(11, vec![11, 7])]);
        assert_eq!(table.buckets().get(12, hash).1, 2);
        assert_eq!(table.buckets().get(1, hash).1, 0);
    }
}
