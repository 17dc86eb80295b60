//! Ids by their keys: open addressing, half of each word a part of the hash and half the id.
//!
//! The keys lie elsewhere, and looking one up goes from the table to its place to its bytes, three times into memory
//! that is in no cache. So it can be said beforehand which hashes will be asked for, step by step.

use crate::memory;

/// A table from hashes to ids; what has the same hash is told apart by the caller.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyIndex {
    /// The upper half of the hash above one more than the id; 0 where nothing is.
    slots: Vec<u64>,
    len: usize,
}

const TAG: u64 = !0 << 32;

impl KeyIndex {
    pub(super) fn with_capacity(entries: usize) -> Self {
        Self { slots: vec![0; (entries * 2).next_power_of_two()], len: 0 }
    }

    /// The ids whose hash may be this one, in the order in which they were put in.
    #[inline]
    pub(super) fn candidates(&self, hash: u64) -> impl Iterator<Item = u32> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut slot = hash as usize;
        std::iter::from_fn(move || {
            loop {
                let &word = self.slots.get(slot & mask)?;
                slot += 1;
                if word == 0 {
                    return None;
                }
                if (word ^ hash) & TAG == 0 {
                    return Some(word as u32 - 1);
                }
            }
        })
    }

    /// Asks the processor to fetch what [`Self::candidates`] looks at.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        if let Some(slot) = self.slots.get(hash as usize & self.slots.len().wrapping_sub(1)) {
            memory::prefetch(slot);
        }
    }

    /// Adds an id, which is not in the table; `hash_of` gives the hashes of those that are.
    pub(super) fn insert(&mut self, hash: u64, id: u32, hash_of: impl Fn(u32) -> u64) {
        if (self.len + 1) * 2 > self.slots.len() {
            let larger = Self::with_capacity((self.len + 1) * 2);
            let old = std::mem::replace(self, larger);
            for word in old.slots.into_iter().filter(|&word| word != 0) {
                let id = word as u32 - 1;
                self.put(hash_of(id), id);
            }
        }
        self.put(hash, id);
    }

    fn put(&mut self, hash: u64, id: u32) {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while self.slots[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = hash & TAG | u64::from(id + 1);
        self.len += 1;
    }
}
