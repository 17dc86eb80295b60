//! The table that counts pieces: open addressing, with short pieces inside the slots.
//!
//! A piece of at most [`INLINE`] bytes is two machine words: its bytes, zero-filled, and its length in the topmost
//! byte. It is loaded, hashed and compared without a loop or a call, and the hot words of a language stay in the
//! first two cache levels at 24 bytes each. Longer pieces, a percent or so of them, lie in an arena. Nothing is
//! allocated for a piece. About 8 ns a piece on text.

use hashbrown::HashTable;

use super::prefetch::prefetch;

/// The longest piece that is stored in its slot.
pub(super) const INLINE: usize = 15;

/// A slot; empty where the count is 0.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    key: Key,
    count: u64,
}

/// The bytes of a short piece and, in the topmost byte of the second word, their number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Key([u64; 2]);

/// A piece that is too long for a slot.
#[derive(Clone, Copy, Debug)]
struct Long {
    hash: u64,
    begin: usize,
    len: usize,
    count: u64,
}

impl Long {
    fn bytes<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        &arena[self.begin..self.begin + self.len]
    }
}

/// Counts by piece.
#[derive(Clone, Debug)]
pub(super) struct CountTable {
    /// A power of two of them; a key's place is the top bits of its hash, or the next free slot.
    slots: Vec<Slot>,
    /// 64 less the binary logarithm of the number of slots.
    shift: u32,
    /// Slots in use.
    used: usize,
    longs: HashTable<Long>,
    /// The bytes of the long pieces, end to end.
    arena: Vec<u8>,
}

/// Short pieces on their way into a table: their slots are fetched into the cache while later pieces are hashed.
///
/// A look-up that misses the cache costs a mispredicted branch on top, unless its slot has arrived before it is
/// compared; counting is a third faster so.
#[derive(Debug)]
pub(super) struct Pending {
    keys: [(Key, u64); Self::CAPACITY],
    len: usize,
}

impl Pending {
    const CAPACITY: usize = 64;
}

impl Default for Pending {
    fn default() -> Self {
        Self { keys: [(Key::default(), 0); Self::CAPACITY], len: 0 }
    }
}

const INITIAL_SLOTS_LOG2: u32 = 10;

/// `MASKS[n]` keeps the first `n` bytes of sixteen.
const MASKS: [[u64; 2]; INLINE + 1] = {
    let mut masks = [[0; 2]; INLINE + 1];
    let mut len = 0;
    while len <= INLINE {
        let mask = (1u128 << (8 * len)) - 1;
        masks[len] = [mask as u64, (mask >> 64) as u64];
        len += 1;
    }
    masks
};

impl Key {
    /// The key of `text[begin..begin + len]`, for `len` up to [`INLINE`].
    #[inline]
    fn of(text: &[u8], begin: usize, len: usize) -> Self {
        let mut window = [0; 16];
        match text.get(begin..begin + 16) {
            Some(bytes) => window.copy_from_slice(bytes),
            None => window[..len].copy_from_slice(&text[begin..begin + len]),
        }
        let (low, high) = window.split_at(8);
        let word = |half: &[u8]| u64::from_le_bytes(half.try_into().expect("half of sixteen bytes"));
        let mask = MASKS[len];
        Self([word(low) & mask[0], (word(high) & mask[1]) | (len as u64) << 56])
    }

    /// A fixed-seed multiply-and-fold hash whose top bits are its best.
    #[inline]
    fn hash(self) -> u64 {
        fold(self.0[0] ^ 0x9E37_79B9_7F4A_7C15, self.0[1] ^ 0xD6E8_FEB8_6659_FD93)
    }

    /// A number by which keys are in the order of their pieces.
    fn order(self) -> u128 {
        u128::from(self.0[0].swap_bytes()) << 64 | u128::from(self.0[1].swap_bytes())
    }

    /// The piece: these bytes, of which the second value are used.
    fn bytes(self) -> ([u8; 16], usize) {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.0[0].to_le_bytes());
        bytes[8..].copy_from_slice(&self.0[1].to_le_bytes());
        (bytes, usize::from(bytes[INLINE]))
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product >> 64) as u64 ^ product as u64
}

/// A fixed-seed hash of a long piece, sixteen bytes a step.
fn hash_long(piece: &[u8]) -> u64 {
    let mut hash = piece.len() as u64;
    let mut from = 0;
    while from < piece.len() {
        let len = INLINE.min(piece.len() - from);
        let Key([low, high]) = Key::of(piece, from, len);
        hash = fold(hash ^ low ^ 0x9E37_79B9_7F4A_7C15, high ^ 0xD6E8_FEB8_6659_FD93);
        from += len;
    }
    hash
}

/// Two hashes of a piece and its count together.
pub(super) fn piece_hashes(piece: &[u8], count: u64) -> [u64; 2] {
    let hash = hash_long(piece);
    [fold(hash ^ 0xA076_1D64_78BD_642F, count ^ 0xE703_7ED1_A0B4_28DB), fold(hash, count ^ 0x8EBC_6AF0_9C88_C6E3)]
}

impl Default for CountTable {
    fn default() -> Self {
        Self {
            slots: vec![Slot::default(); 1 << INITIAL_SLOTS_LOG2],
            shift: u64::BITS - INITIAL_SLOTS_LOG2,
            used: 0,
            longs: HashTable::new(),
            arena: Vec::new(),
        }
    }
}

impl CountTable {
    /// Counts `text[begin..end]` `times` times more. The empty piece is not counted.
    #[inline]
    pub(super) fn add_piece(&mut self, text: &[u8], begin: usize, end: usize, times: u64) {
        let len = end - begin;
        if len.wrapping_sub(1) < INLINE {
            let key = Key::of(text, begin, len);
            self.add_key(key, key.hash(), times);
        } else if len > 0 {
            self.add_long(&text[begin..end], times);
        }
    }

    /// Counts `text[begin..end]` once more, now or when `pending` is flushed.
    #[inline]
    pub(super) fn add_later(&mut self, text: &[u8], begin: usize, end: usize, pending: &mut Pending) {
        let len = end - begin;
        if len.wrapping_sub(1) >= INLINE {
            return self.add_piece(text, begin, end, 1);
        }
        let key = Key::of(text, begin, len);
        let hash = key.hash();
        prefetch(&self.slots, (hash >> self.shift) as usize);
        pending.keys[pending.len] = (key, hash);
        pending.len += 1;
        if pending.len == Pending::CAPACITY {
            self.flush(pending);
        }
    }

    /// Counts what is pending.
    pub(super) fn flush(&mut self, pending: &mut Pending) {
        for &(key, hash) in &pending.keys[..pending.len] {
            self.add_key(key, hash, 1);
        }
        pending.len = 0;
    }

    #[inline]
    fn add_key(&mut self, key: Key, hash: u64, times: u64) {
        let last = self.slots.len() - 1;
        let mut index = (hash >> self.shift) as usize;
        loop {
            let slot = &mut self.slots[index & last];
            if slot.key == key {
                slot.count = slot.count.saturating_add(times);
                return;
            }
            if slot.count == 0 {
                if times > 0 {
                    *slot = Slot { key, count: times };
                    self.used += 1;
                    if self.used * 4 > self.slots.len() * 3 {
                        self.grow();
                    }
                }
                return;
            }
            index += 1;
        }
    }

    #[cold]
    fn grow(&mut self) {
        self.shift -= 1;
        let slots = vec![Slot::default(); self.slots.len() * 2];
        let last = slots.len() - 1;
        for old in std::mem::replace(&mut self.slots, slots) {
            if old.count > 0 {
                let mut index = (old.key.hash() >> self.shift) as usize;
                while self.slots[index & last].count > 0 {
                    index += 1;
                }
                self.slots[index & last] = old;
            }
        }
    }

    fn add_long(&mut self, piece: &[u8], times: u64) {
        let hash = hash_long(piece);
        let Self { longs, arena, .. } = self;
        let same = |long: &Long| long.hash == hash && long.bytes(arena) == piece;
        if let Some(long) = longs.find_mut(hash, same) {
            long.count = long.count.saturating_add(times);
        } else if times > 0 {
            let begin = arena.len();
            arena.extend_from_slice(piece);
            longs.insert_unique(hash, Long { hash, begin, len: piece.len(), count: times }, |long| long.hash);
        }
    }

    /// Adds the counts of `other`.
    pub(super) fn absorb(&mut self, other: &Self) {
        // Slots lie in order of hash; taken in that order they would crowd into the front of a fuller or smaller table.
        // Steps of an odd number visit each slot once.
        let last = other.slots.len() - 1;
        for step in 0..other.slots.len() {
            let slot = other.slots[step.wrapping_mul(0x9E37_79B1) & last];
            if slot.count > 0 {
                self.add_key(slot.key, slot.key.hash(), slot.count);
            }
        }
        for long in &other.longs {
            self.add_long(long.bytes(&other.arena), long.count);
        }
    }

    /// The counts of both.
    pub(super) fn merged(self, other: Self) -> Self {
        let (mut larger, smaller) = if self.len() < other.len() { (other, self) } else { (self, other) };
        larger.absorb(&smaller);
        larger
    }

    /// Number of distinct pieces.
    pub(super) fn len(&self) -> usize {
        self.used + self.longs.len()
    }

    /// Calls `visit` with each piece and its count, in no particular order.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&[u8], u64)) {
        for slot in self.slots.iter().filter(|slot| slot.count > 0) {
            let (bytes, len) = slot.key.bytes();
            visit(&bytes[..len], slot.count);
        }
        for long in &self.longs {
            visit(long.bytes(&self.arena), long.count);
        }
    }

    /// Takes the counts apart into byte order, without further memory for short pieces.
    pub(super) fn into_sorted(mut self) -> SortedTable {
        self.slots.retain(|slot| slot.count > 0);
        self.slots.sort_unstable_by_key(|slot| slot.key.order());
        let mut longs: Vec<Long> = self.longs.into_iter().collect();
        let arena = self.arena;
        longs.sort_unstable_by(|a, b| a.bytes(&arena).cmp(b.bytes(&arena)));
        SortedTable { slots: self.slots, longs, arena }
    }

    /// Bytes of memory in use.
    pub(super) fn memory(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.arena.capacity()
            + self.longs.capacity() * (size_of::<Long>() + 1)
    }
}

/// The pieces of a table in byte order.
pub(super) struct SortedTable {
    slots: Vec<Slot>,
    longs: Vec<Long>,
    arena: Vec<u8>,
}

impl SortedTable {
    /// Calls `visit` with each piece and its count, in byte order, until it fails.
    pub(super) fn try_for_each<E>(&self, mut visit: impl FnMut(&[u8], u64) -> Result<(), E>) -> Result<(), E> {
        let mut longs = self.longs.iter().peekable();
        for slot in &self.slots {
            let (bytes, len) = slot.key.bytes();
            let short = &bytes[..len];
            while let Some(long) = longs.next_if(|long| long.bytes(&self.arena) < short) {
                visit(long.bytes(&self.arena), long.count)?;
            }
            visit(short, slot.count)?;
        }
        longs.try_for_each(|long| visit(long.bytes(&self.arena), long.count))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn contents(table: &CountTable) -> BTreeMap<Vec<u8>, u64> {
        let mut contents = BTreeMap::new();
        table.for_each(|piece, count| assert_eq!(contents.insert(piece.to_vec(), count), None));
        contents
    }

    proptest! {
        #[test]
        fn counts_like_a_map(pieces in prop::collection::vec((prop::collection::vec(0u8..3, 0..40), 0u64..4), 0..2000)) {
            let mut expected = BTreeMap::<Vec<u8>, u64>::new();
            let (mut whole, mut left, mut right) = (CountTable::default(), CountTable::default(), CountTable::default());
            for (index, (piece, times)) in pieces.iter().enumerate() {
                // The piece lies somewhere inside a text, or at its very end.
                let text = [&b"before"[..], piece, if index % 2 == 0 { b"and a long tail behind" } else { b"" }].concat();
                whole.add_piece(&text, 6, 6 + piece.len(), *times);
                let half = if index % 3 == 0 { &mut left } else { &mut right };
                half.add_piece(piece, 0, piece.len(), *times);
                if !piece.is_empty() && *times > 0 {
                    *expected.entry(piece.clone()).or_default() += times;
                }
            }
            prop_assert_eq!(&contents(&whole), &expected);
            prop_assert_eq!(whole.len(), expected.len());
            left.absorb(&right);
            prop_assert_eq!(&contents(&left), &expected);
            let mut sorted = Vec::new();
            let visited = left.into_sorted().try_for_each(|piece, count| {
                sorted.push((piece.to_vec(), count));
                Ok::<(), ()>(())
            });
            prop_assert_eq!(visited, Ok(()));
            prop_assert_eq!(sorted, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
