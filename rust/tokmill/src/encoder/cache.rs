//! The bounded cache of pieces that are several tokens.
//!
//! A slot is one cache line and holds the piece and its ids, so a hit costs one line and the memory is what the slots
//! take. Pieces that do not fit are not cached. The table begins small and grows while it fills; at its limit a new
//! piece takes the place of an old one.

/// Bytes of a piece that fit in a slot.
pub(super) const KEY: usize = 34;
/// Ids that fit in a slot.
pub(super) const IDS: usize = 6;
/// Slots that are looked through for a piece.
const WAYS: usize = 4;
const FIRST_SLOTS: usize = 1 << 12;

#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Slot {
    hash: u32,
    ids: [u32; IDS],
    /// Length of the piece; 0 in an empty slot.
    len: u8,
    count: u8,
    key: [u8; KEY],
}

const EMPTY: Slot = Slot { hash: 0, ids: [0; IDS], len: 0, count: 0, key: [0; KEY] };

/// A cache from pieces to ids.
#[derive(Debug)]
pub(super) struct PieceCache {
    slots: Vec<Slot>,
    used: usize,
    max_slots: usize,
}

impl PieceCache {
    /// A cache that takes at most `bytes` of memory; 0 caches nothing.
    pub(super) fn new(bytes: usize) -> Self {
        let fitting = bytes / size_of::<Slot>();
        let max_slots = if fitting < WAYS { 0 } else { 1 << fitting.ilog2() };
        Self { slots: vec![EMPTY; max_slots.min(FIRST_SLOTS)], used: 0, max_slots }
    }

    /// Asks the processor to fetch the place of a hash.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        if let Some(slot) = self.slots.get(self.first(hash)) {
            super::prefetch(&raw const *slot);
        }
    }

    #[inline]
    fn first(&self, hash: u64) -> usize {
        // The low bits choose the slot in the table of whole tokens; these are others.
        (hash >> 32) as usize & self.slots.len().wrapping_sub(1)
    }

    /// The ids of a piece, if it is cached.
    #[inline]
    pub(super) fn get(&self, hash: u64, piece: &[u8]) -> Option<&[u32]> {
        if piece.len() > KEY || self.slots.is_empty() {
            return None;
        }
        let first = self.first(hash);
        for way in 0..WAYS {
            let slot = &self.slots[(first + way) & (self.slots.len() - 1)];
            if slot.hash == (hash >> 32) as u32 && slot.len as usize == piece.len() && slot.key[..piece.len()] == *piece
            {
                return Some(&slot.ids[..slot.count as usize]);
            }
        }
        None
    }

    /// Remembers the ids of a non-empty piece that is not cached, if both fit in a slot.
    pub(super) fn insert(&mut self, hash: u64, piece: &[u8], ids: &[u32]) {
        if piece.len() > KEY || ids.len() > IDS || self.slots.is_empty() {
            return;
        }
        if self.used * 2 > self.slots.len() && self.slots.len() < self.max_slots {
            self.grow();
        }
        let mut slot = Slot { hash: (hash >> 32) as u32, len: piece.len() as u8, count: ids.len() as u8, ..EMPTY };
        slot.key[..piece.len()].copy_from_slice(piece);
        slot.ids[..ids.len()].copy_from_slice(ids);
        self.place(slot);
    }

    /// Puts a slot in the first free one of its ways, else in place of one of them.
    fn place(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let first = slot.hash as usize & mask;
        let free = (0..WAYS).map(|way| (first + way) & mask).find(|&at| self.slots[at].len == 0);
        self.used += usize::from(free.is_some());
        // Which one gives way follows from the piece alone, so a run is repeatable.
        let at = free.unwrap_or((first + (slot.hash >> 28) as usize % WAYS) & mask);
        self.slots[at] = slot;
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.slots);
        self.slots = vec![EMPTY; (old.len() * 4).min(self.max_slots)];
        self.used = 0;
        for slot in old.into_iter().filter(|slot| slot.len != 0) {
            self.place(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::key::hash_long;

    #[test]
    fn what_is_found_is_what_was_put_in() {
        let mut cache = PieceCache::new(64 * 8192);
        let piece = |number: usize| format!("piece number {number:>8}").into_bytes();
        let mut found = 0;
        for number in 0..20_000 {
            let bytes = piece(number);
            cache.insert(hash_long(&bytes), &bytes, &[number as u32, 7]);
            assert_eq!(cache.get(hash_long(&bytes), &bytes), Some(&[number as u32, 7][..]));
        }
        for number in 0..20_000 {
            let bytes = piece(number);
            if let Some(ids) = cache.get(hash_long(&bytes), &bytes) {
                assert_eq!(ids, [number as u32, 7]);
                found += 1;
            }
        }
        assert_eq!(cache.slots.len(), 8192);
        assert!(found > 4000, "{found}");
    }

    #[test]
    fn a_cache_of_no_bytes_holds_nothing() {
        let mut cache = PieceCache::new(0);
        cache.insert(1, b"a long enough piece", &[1]);
        assert_eq!(cache.get(1, b"a long enough piece"), None);
    }
}
