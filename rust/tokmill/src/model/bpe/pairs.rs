//! Pairs of symbols and what they merge into.

// What the vector paths call is compiled for their instructions only where it is inlined.
#![allow(clippy::inline_always)]

use std::hint::select_unpredictable;

use super::alphabet::BYTES;
use super::symbols::{NONE, SYMBOL_BITS};
use crate::memory;

/// The bits of a slot that hold the product, and of a key that hold the right symbol.
const PRODUCT: u64 = (1 << SYMBOL_BITS) - 1;

/// Slots that are looked at together.
const WINDOW: usize = 4;

/// Pairs of symbols to products: open addressing, pair and product packed in one word, and a plain array for pairs of
/// bytes, where most lookups of a short piece fall.
///
/// Three of four lookups are for pairs that do not merge. A filter of one bit a hash, small enough to stay in the
/// second-level cache, turns nearly all of them away before they miss it in the table.
#[derive(Clone, Debug)]
pub(super) struct PairTable {
    /// `(left, right, product)` in 21 bits each, so that an empty slot is 0; behind the last slot the first ones again,
    /// so that a window does not wrap around.
    slots: Vec<u64>,
    /// Number of slots less one.
    mask: usize,
    shift: u32,
    len: usize,
    filter: Vec<u64>,
    filter_shift: u32,
    /// Product of two bytes, or [`NONE`].
    bytes: Box<[u32]>,
}

impl PairTable {
    pub(super) fn with_capacity(pairs: usize) -> Self {
        let slots = (pairs * 2).next_power_of_two().max(64);
        let filter_bits = slots * 4;
        Self {
            slots: vec![0; slots + WINDOW - 1],
            mask: slots - 1,
            shift: 64 - slots.trailing_zeros(),
            len: 0,
            filter: vec![0; filter_bits / 64],
            filter_shift: 64 - filter_bits.trailing_zeros(),
            bytes: vec![NONE; 1 << 16].into_boxed_slice(),
        }
    }

    #[inline]
    fn key(left: u32, right: u32) -> u64 {
        u64::from(left) << SYMBOL_BITS | u64::from(right)
    }

    #[inline]
    fn hash(key: u64) -> u64 {
        key.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    /// The word and the bit of the filter for a hash.
    #[inline]
    fn filter_bit(&self, hash: u64) -> (usize, u64) {
        let bit = hash >> self.filter_shift;
        (bit as usize / 64, 1 << (bit % 64))
    }

    pub(super) fn insert(&mut self, left: u32, right: u32, product: u32) {
        if left.max(right) < BYTES as u32 {
            self.bytes[(left << 8 | right) as usize] = product;
            return;
        }
        assert!(self.len * 2 <= self.mask + 1, "the table was made for the number of products");
        let key = Self::key(left, right);
        let hash = Self::hash(key);
        let (word, bit) = self.filter_bit(hash);
        self.filter[word] |= bit;
        let mut slot = (hash >> self.shift) as usize;
        while self.slots[slot] != 0 {
            slot = (slot + 1) & self.mask;
        }
        let entry = key << SYMBOL_BITS | u64::from(product);
        self.slots[slot] = entry;
        if slot < WINDOW - 1 {
            self.slots[self.mask + 1 + slot] = entry;
        }
        self.len += 1;
    }

    /// Asks the processor to fetch where a pair is or will be.
    #[inline(always)]
    pub(super) fn prefetch(&self, left: u32, right: u32) {
        self.prefetch_window((Self::hash(Self::key(left, right)) >> self.shift) as usize);
    }

    #[inline(always)]
    fn prefetch_window(&self, slot: usize) {
        let window = &self.slots[slot..slot + WINDOW];
        memory::prefetch(&window[0]);
        memory::prefetch(&window[WINDOW - 1]);
    }

    /// What two bytes merge into, or [`NONE`].
    #[inline(always)]
    pub(super) fn of_bytes(&self, left: u8, right: u8) -> u32 {
        self.bytes[usize::from(left) << 8 | usize::from(right)]
    }

    /// What two symbols merge into, or [`NONE`].
    #[inline]
    pub(super) fn get(&self, left: u32, right: u32) -> u32 {
        if left.max(right) < BYTES as u32 {
            return self.bytes[(left << 8 | right) as usize];
        }
        let key = Self::key(left, right);
        let hash = Self::hash(key);
        let (word, bit) = self.filter_bit(hash);
        if self.filter[word] & bit == 0 {
            return NONE;
        }
        let mut slot = (hash >> self.shift) as usize;
        loop {
            let entry = self.slots[slot];
            if entry >> SYMBOL_BITS == key {
                return (entry & PRODUCT) as u32;
            }
            if entry == 0 {
                return NONE;
            }
            slot = (slot + 1) & self.mask;
        }
    }

    /// Whether two symbols, not both bytes, may merge: `false` is certain, and what is said where `unless` holds. Where
    /// they may, the processor is asked to fetch what [`Self::find`] reads.
    #[inline(always)]
    pub(super) fn may_merge(&self, left: u32, right: u32, unless: bool) -> bool {
        let hash = Self::hash(Self::key(left, right));
        let (word, bit) = self.filter_bit(hash);
        let may = u64::from(unless).wrapping_sub(1) & self.filter[word] & bit != 0;
        // The first slots are at hand.
        let slot = select_unpredictable(may, (hash >> self.shift) as usize, 0);
        self.prefetch_window(slot);
        may
    }

    /// What two symbols that [`Self::may_merge`] merge into, or [`NONE`]. Nothing branches on which slot it is in.
    #[inline(always)]
    pub(super) fn find(&self, left: u32, right: u32) -> u32 {
        let key = Self::key(left, right);
        let slot = (Self::hash(key) >> self.shift) as usize;
        let window: [u64; WINDOW] = self.slots[slot..].first_chunk().copied().unwrap_or_default();
        let found = window.map(|entry| select_unpredictable(entry >> SYMBOL_BITS == key, entry, 0));
        let found = (found[0] | found[1]) | (found[2] | found[3]);
        // Hardly ever are there others in all the slots before the one that is looked for.
        if u32::from(found == 0) & u32::from(window[WINDOW - 1] != 0) != 0 {
            return self.get_beyond(key);
        }
        select_unpredictable(found == 0, NONE, (found & PRODUCT) as u32)
    }

    #[cold]
    fn get_beyond(&self, key: u64) -> u32 {
        self.get((key >> SYMBOL_BITS) as u32, (key & PRODUCT) as u32)
    }
}
