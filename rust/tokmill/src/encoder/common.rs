//! The first table that pieces are looked up in: the common ones, of up to twelve bytes and one token.
//!
//! A slot is one 128-bit word, the short key of a piece with its id in the bytes that are free there, so four pieces
//! share a cache line and the whole table stays in the second-level cache of a core. Words are distributed so unevenly
//! that 16,384 slots serve nine of ten pieces of English. The table starts with the smallest ids of the vocabulary,
//! and from then on a slot holds whatever piece came last.

use super::key::{hash_short, short_key};
use crate::model::Model;

/// The most slots: what shares the second-level cache with the text and the other tables.
const SLOTS: usize = 1 << 14;
/// The longest piece, in bytes.
const LENGTH: usize = 12;
/// Where the id is in a slot; the key of a piece of up to [`LENGTH`] bytes is zero there.
pub(super) const ID: u128 = 0xFF_FFFF << ID_SHIFT;
const ID_SHIFT: u32 = 96;

/// The id of the piece of no bytes, which marks the end of a text; no other piece has it.
pub(super) const END_ID: u32 = (ID >> ID_SHIFT) as u32;
/// The slot of that piece, whose key and hash are 0.
const END: usize = 0;

/// Pieces of one token, by their short keys. No other piece's key is 0, so a zeroed slot is empty.
#[derive(Debug)]
pub(super) struct CommonTable {
    /// A power of two of slots, and one more that is written to where nothing is to be kept.
    slots: Box<[u128]>,
}

impl CommonTable {
    /// A table of at most `bytes` with the short entries of `model` that are their own encoding.
    pub(super) fn new(model: &Model, bytes: usize) -> Self {
        let mut table = Self::empty(bytes);
        for (id, bytes) in model.whole_entries().filter(|(_, bytes)| (1..=LENGTH).contains(&bytes.len())) {
            let key = short_key(bytes, 0, bytes.len());
            let slot = table.slot(hash_short(key));
            if table.slots[slot] == 0 {
                table.insert(key, hash_short(key), id, true);
            }
        }
        table
    }

    /// A table of at most `bytes`, but of two slots at least, that holds nothing yet.
    pub(super) fn empty(bytes: usize) -> Self {
        let size = 1 << (bytes / size_of::<u128>()).clamp(1, SLOTS).ilog2();
        let mut slots = vec![0; size + 1].into_boxed_slice();
        slots[END] = ID;
        Self { slots }
    }

    /// What the table takes of memory.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.slots)
    }

    /// The slots, [`Self::mask`] and more of them.
    #[inline]
    pub(super) fn slots(&self) -> &[u128] {
        &self.slots
    }

    /// The bits of a hash that say which slot.
    #[inline]
    pub(super) fn mask(&self) -> usize {
        self.slots.len() - 2
    }

    #[inline]
    fn slot(&self, hash: u64) -> usize {
        hash as usize & self.mask()
    }

    /// The id of a piece and whether it is known; if not, the id means nothing.
    #[inline]
    pub(super) fn get(&self, key: u128, hash: u64) -> (u32, bool) {
        let difference = self.slots[self.slot(hash)] ^ key;
        ((difference >> ID_SHIFT) as u32, difference & !ID == 0)
    }

    /// Keeps the id of a piece if `keep` says so and it fits, without a branch on that.
    #[inline]
    pub(super) fn insert(&mut self, key: u128, hash: u64, id: u32, keep: bool) {
        let word = key | u128::from(id) << ID_SHIFT;
        // A longer key has bytes where the id is; a larger id reaches the length of the key.
        let fits = key & ID == 0 && id < END_ID;
        let slot = if keep & fits { self.slot(hash) } else { END };
        let slot = if slot == END { self.slots.len() - 1 } else { slot };
        self.slots[slot] = word;
    }
}
