//! The table of short pieces that are one token: made once from the vocabulary, shared by all encoders.

use super::key::{SHORT, hash_short, short_key};
use crate::model::Model;

/// A short piece and its id, two to a cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(32))]
struct Slot {
    key: u128,
    id: u32,
}

/// Open addressing by [`hash_short`]; a slot with key 0 is empty, since no piece is.
#[derive(Debug)]
pub struct WholeTable {
    slots: Box<[Slot]>,
}

impl WholeTable {
    /// All entries of a model that are their own encoding and fit in a short key.
    pub fn new(model: &Model) -> Self {
        let entries = || match model {
            Model::Bpe(bpe) => bpe.whole_entries().filter(|(_, key)| (1..=SHORT).contains(&key.len())),
        };
        let size = (entries().count() * 2).next_power_of_two().max(16);
        let mut table = Self { slots: vec![Slot::default(); size].into_boxed_slice() };
        for (id, bytes) in entries() {
            table.insert(short_key(bytes, 0, bytes.len()), id);
        }
        table
    }

    fn insert(&mut self, key: u128, id: u32) {
        let mut slot = self.slot(hash_short(key));
        while self.slots[slot].key != 0 {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.slots[slot] = Slot { key, id };
    }

    #[inline]
    fn slot(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    /// Asks the processor to fetch the place of a hash.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        super::prefetch(&raw const self.slots[self.slot(hash)]);
    }

    /// The id of a short piece, if it is one token.
    #[inline]
    pub(super) fn get(&self, key: u128, hash: u64) -> Option<u32> {
        let mut slot = self.slot(hash);
        loop {
            let entry = &self.slots[slot];
            if entry.key == key {
                return Some(entry.id);
            }
            if entry.key == 0 {
                return None;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }
}
