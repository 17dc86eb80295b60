//! The table behind that of the common pieces: short pieces of up to six tokens, two to a cache line.
//!
//! A bucket is one line of two slots. When the encoder is made, the first gets an entry of the vocabulary, smallest ids
//! (the most frequent ones) first; so what the vocabulary knows is found from the first text on, and a lookup is one
//! line and no search. Other pieces take the free slot, then that of the vocabulary's entry, whose id is found again
//! without merging, and then that of the piece before.

// What the vector path calls is compiled for its instructions only where it is inlined.
#![allow(clippy::inline_always)]

use super::key::{SHORT, hash_short, short_key};
#[cfg(target_arch = "x86_64")]
use super::vector;
use crate::memory::{self, Zeroed};
use crate::model::Model;

/// Ids that a slot holds.
pub(super) const IDS: usize = 6;
/// Ids that are unpacked together; those behind the ones that count mean nothing.
pub(super) const UNPACKED: usize = 8;

/// Ids have so many bits here, so that six and their number are 128; a piece with a larger one is not kept.
const ID_BITS: u32 = 20;
const ID_MASK: u64 = (1 << ID_BITS) - 1;
/// Where the ids are in the two halves of a packed word, in front of which the number of ids is.
const SHIFTS: [u32; UNPACKED] = [4, 24, 44, 0, 20, 40, 0, 0];
const COUNT: u64 = 7;
/// Marks an entry of the vocabulary that was put into the table unasked.
const SEED: u64 = 8;

/// The most buckets: 8 MiB. How many pieces are met depends on the text and hardly on the vocabulary.
const BUCKETS: usize = 1 << 17;

/// Entries of the vocabulary whose buckets are fetched together.
const TOGETHER: usize = 64;

/// Up to [`IDS`] ids and their number, which is 0 where nothing is known.
#[derive(Clone, Copy)]
pub(super) struct Packed {
    low: u64,
    high: u64,
}

impl Packed {
    fn new(word: u128) -> Self {
        Self { low: word as u64, high: (word >> 64) as u64 }
    }

    /// The word of a slot for some ids, if they fit.
    fn pack(ids: &[u32]) -> Option<u128> {
        if ids.len() > IDS || ids.iter().any(|&id| u64::from(id) > ID_MASK) {
            return None;
        }
        let mut halves = [ids.len() as u64, 0];
        for (at, &id) in ids.iter().enumerate() {
            halves[at / (IDS / 2)] |= u64::from(id) << SHIFTS[at];
        }
        Some(u128::from(halves[1]) << 64 | u128::from(halves[0]))
    }

    fn is_seed(self) -> bool {
        self.low & SEED != 0
    }

    /// The number of ids.
    #[inline(always)]
    pub(super) fn count(self) -> usize {
        (self.low & COUNT) as usize
    }

    /// The first id.
    #[inline(always)]
    pub(super) fn first(self) -> u32 {
        (self.low >> SHIFTS[0] & ID_MASK) as u32
    }

    /// Writes the ids and others behind them, so that nothing depends on their number.
    #[inline(always)]
    pub(super) fn unpack(self, out: &mut [u32; UNPACKED]) {
        let Self { low, high } = self;
        let halves = [low, low, low, high, high, high, high, high];
        for ((id, half), shift) in out.iter_mut().zip(halves).zip(SHIFTS) {
            *id = (half >> shift & ID_MASK) as u32;
        }
    }

    /// The ids by themselves.
    fn ids(self) -> Ids {
        let mut ids = Ids { ids: [0; UNPACKED], count: self.count() };
        self.unpack(&mut ids.ids);
        ids
    }
}

/// The ids of a piece.
pub(super) struct Ids {
    ids: [u32; UNPACKED],
    count: usize,
}

impl std::ops::Deref for Ids {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.ids[..self.count]
    }
}

/// Two slots, each of a short key and the packed ids of its piece. Key 0 is no piece's, so a zeroed slot is empty.
type Bucket = [u128; WORDS];
const WORDS: usize = 4;

/// A direct-mapped table of buckets.
#[derive(Debug)]
pub(super) struct FrontTable {
    /// The words of the buckets, end to end.
    words: Zeroed<u128>,
}

impl FrontTable {
    /// A table of at most `bytes` with the short entries of `model` that are their own encoding, or an empty one that
    /// finds nothing where `bytes` is not worth a table.
    pub(super) fn new(model: &Model, bytes: usize) -> Self {
        let fitting = bytes / size_of::<Bucket>();
        if fitting < 64 {
            return Self { words: Zeroed::new(0) };
        }
        let size = BUCKETS.min(1 << fitting.ilog2());
        let mut table = Self { words: Zeroed::new(size * WORDS) };
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
                let bucket = table.bucket_mut(hash_short(key));
                if let (Some(free), Some(word)) = (free(bucket), Packed::pack(&[id])) {
                    (bucket[free], bucket[free + 1]) = (key, word | u128::from(SEED));
                }
            }
        }
    }

    /// What the table takes of memory.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.words)
    }

    /// Whether the table holds nothing and never will.
    pub(super) fn is_off(&self) -> bool {
        self.words.is_empty()
    }

    /// The table, to be probed. It must not be off.
    #[inline]
    pub(super) fn buckets(&self) -> Buckets<'_> {
        Buckets(self.words.as_chunks().0)
    }

    fn bucket_mut(&mut self, hash: u64) -> &mut Bucket {
        let bucket = self.buckets().bucket(hash);
        &mut self.words.as_chunks_mut().0[bucket]
    }

    /// The ids of a piece of any length, given its hash; none where it is not known.
    pub(super) fn get_piece(&self, piece: &[u8], hash: u64) -> Ids {
        if piece.len() > SHORT || self.is_off() {
            return Packed::new(0).ids();
        }
        self.buckets().get(short_key(piece, 0, piece.len()), hash).ids()
    }

    /// Remembers the ids of a short piece, if a slot holds them; `false` if not. What has to give way is handed to `evicted`.
    pub(super) fn insert(&mut self, key: u128, hash: u64, ids: &[u32], evicted: impl FnOnce(u128, &[u32])) -> bool {
        let Some(word) = Packed::pack(ids) else { return false };
        if self.is_off() {
            return false;
        }
        let bucket = self.bucket_mut(hash);
        if bucket[0] == key || bucket[2] == key {
            return true;
        }
        let seed = || [2, 0].into_iter().find(|&slot| Packed::new(bucket[slot + 1]).is_seed());
        let slot = free(bucket).or_else(seed).unwrap_or(2);
        let old = Packed::new(bucket[slot + 1]);
        if bucket[slot] != 0 && !old.is_seed() {
            evicted(bucket[slot], &old.ids());
        }
        (bucket[slot], bucket[slot + 1]) = (key, word);
        true
    }
}

/// Where the first slot is that nothing is in.
fn free(bucket: &Bucket) -> Option<usize> {
    [0, 2].into_iter().find(|&slot| bucket[slot] == 0)
}

/// The buckets of a table that is not off.
#[derive(Clone, Copy)]
pub(super) struct Buckets<'a>(&'a [Bucket]);

impl Buckets<'_> {
    #[inline(always)]
    fn bucket(self, hash: u64) -> usize {
        hash as usize & (self.0.len() - 1)
    }

    /// Asks the processor to fetch the line of a hash.
    #[inline]
    pub(super) fn prefetch(self, hash: u64) {
        memory::prefetch(&self.0[self.bucket(hash)]);
    }

    /// What is known of a short piece.
    #[inline(always)]
    pub(super) fn get(self, key: u128, hash: u64) -> Packed {
        let bucket = &self.0[self.bucket(hash)];
        // Whether a piece is known, and where, is not predictable. Compilers make branches of the comparisons of
        // integers, whatever is said to them, but not of those of vectors.
        #[cfg(target_arch = "x86_64")]
        // SAFETY: all processors of this architecture have SSE2.
        let [low, high] = unsafe { vector::choose(bucket, key) };
        #[cfg(not(target_arch = "x86_64"))]
        let [low, high] = choose(bucket, key);
        Packed { low, high }
    }
}

/// The halves of the word that stands behind a key, or zeros.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline(always)]
fn choose(bucket: &Bucket, key: u128) -> [u64; 2] {
    let slot = usize::from(bucket[2] == key) * 2;
    let known = u64::from(bucket[slot] == key).wrapping_neg();
    [bucket[slot + 1] as u64 & known, (bucket[slot + 1] >> 64) as u64 & known]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(table: &FrontTable, key: u128, hash: u64) -> Vec<u32> {
        table.buckets().get(key, hash).ids().to_vec()
    }

    #[test]
    fn what_was_asked_for_stays_longer_than_what_was_not() {
        let mut table = FrontTable { words: Zeroed::new(64 * WORDS) };
        let hash = 5;
        for key in [1, 2] {
            let slot = 2 * (key as usize - 1);
            table.bucket_mut(hash)[slot..slot + 2].copy_from_slice(&[key, Packed::pack(&[key as u32]).unwrap() | 8]);
        }
        let mut evicted = Vec::new();
        for key in [11, 12, 13] {
            let ids = [key as u32, 7];
            assert!(table.insert(key, hash, &ids, |key, ids| evicted.push((key, ids.to_vec()))));
            assert_eq!(held(&table, key, hash), ids);
        }
        assert_eq!(evicted, [(11, vec![11, 7])]);
        assert_eq!(held(&table, 12, hash), [12, 7]);
        assert!(held(&table, 1, hash).is_empty());
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn vectors_choose_what_integers_choose() {
        let keys = [1 << 127, 1 << 64, 1 << 63, 1 << 32, 1, 3 << 100 | 1];
        for (first, second, key) in
            keys.iter().flat_map(|a| keys.iter().flat_map(move |b| keys.map(|key| (*a, *b, key))))
        {
            let bucket = [first, u128::MAX / 3, second, u128::MAX / 7];
            let second = if first == second { [second, bucket[1]] } else { [second, bucket[3]] };
            let bucket = [first, bucket[1], second[0], second[1]];
            // SAFETY: all processors of this architecture have SSE2.
            assert_eq!(unsafe { vector::choose(&bucket, key) }, choose(&bucket, key));
        }
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let mut table = FrontTable { words: Zeroed::new(64 * WORDS) };
        let largest = ID_MASK as u32;
        for count in 0..=IDS + 1 {
            let ids: Vec<u32> = (0..count as u32).map(|at| largest - at * 99_991).collect();
            let key = 1000 + count as u128;
            assert_eq!(table.insert(key, count as u64, &ids, |_, _| {}), count <= IDS);
            assert_eq!(held(&table, key, count as u64), if count <= IDS { ids.as_slice() } else { &[] });
        }
        assert!(!table.insert(3, 3, &[1, largest + 1], |_, _| {}), "an id of more bits");
    }
}
