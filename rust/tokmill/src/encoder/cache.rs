//! The bounded cache of pieces that the front table cannot hold: long ones, and short ones of many tokens.
//!
//! Entries lie one behind the other in a ring of bytes and are found through a table of sets of places, a cache line
//! each. The ring is its own eviction: what is written over is the oldest entry, and a place that points further back
//! than the ring reaches is void. Both have their final size from the beginning; the system provides their memory as
//! it is first written to.

// What the vector path calls is compiled for its instructions only where it is inlined.
#![allow(clippy::inline_always)]

use std::ops::Range;

use super::key::{SHORT, short_key};
use crate::memory::{self, LINE, Zeroed};

/// The longest piece, in bytes, that is remembered.
const MAX_KEY: usize = 1024;
const WORD: usize = size_of::<u32>();
/// Words of the ring for one place of the table.
const WORDS_PER_PLACE: usize = 16;
/// Places of a set, which is a cache line.
const WAYS: usize = LINE / size_of::<u64>();

/// Ids are copied in chunks of this many, since few entries have more.
pub(super) const CHUNK: usize = 8;
/// Bytes that may be read behind the end of an entry.
const OVERRUN: usize = CHUNK * WORD;

/// A cache from pieces to ids.
#[derive(Debug)]
pub(super) struct PieceCache {
    /// Where the entry of a piece lies, next to others whose hashes choose the same set: the low half of the hash, then
    /// the position in words since the cache was made; 0 for an empty place.
    places: Zeroed<u64>,
    /// Number of sets less one.
    set_mask: usize,
    /// Entries: a word with the length of the key and the number of ids, the key padded to words, the ids. Behind the
    /// ring are [`OVERRUN`] bytes, as entries are read in whole chunks.
    ring: Zeroed<u8>,
    /// Length of the ring in words, a power of two; 0 for a cache that remembers nothing.
    words: usize,
    /// Position in words where the next entry begins.
    head: u32,
}

/// Ids of an entry of the cache.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remembered<'c> {
    /// The ids as bytes, and more behind them.
    bytes: &'c [u8],
    /// Number of ids.
    pub count: usize,
}

impl Remembered<'_> {
    /// Writes the ids to the beginning of `out`, which has room for a chunk more than there are ids.
    #[inline]
    pub(super) fn copy_to(self, out: &mut [u32]) {
        let mut done = 0;
        while done < self.count {
            let chunk = &self.bytes[done * WORD..(done + CHUNK) * WORD];
            for (id, bytes) in out[done..done + CHUNK].iter_mut().zip(chunk.as_chunks().0) {
                *id = u32::from_le_bytes(*bytes);
            }
            done += CHUNK;
        }
    }

    /// The ids.
    pub(super) fn iter(self) -> impl Iterator<Item = u32> {
        self.bytes.as_chunks().0.iter().take(self.count).map(|bytes| u32::from_le_bytes(*bytes))
    }
}

impl PieceCache {
    /// A cache that takes at most `bytes` of memory; 0 remembers nothing.
    pub(super) fn new(bytes: usize) -> Self {
        let fitting = bytes / (size_of::<u64>() + WORDS_PER_PLACE * WORD);
        let places = if fitting < LINE { WAYS } else { 1 << fitting.ilog2() };
        let words = if fitting < LINE { 0 } else { places * WORDS_PER_PLACE };
        let (table, ring) = (Zeroed::new(places), Zeroed::new(words * WORD + OVERRUN));
        Self { places: table, set_mask: places / WAYS - 1, ring, words, head: 1 }
    }

    /// The first place of the set of a hash.
    #[inline(always)]
    fn first(&self, hash: u64) -> usize {
        // Bits that the front table does not choose by.
        ((hash >> 40) as usize & self.set_mask) * WAYS
    }

    /// The places that a hash may have.
    #[inline(always)]
    fn set(&self, hash: u64) -> &[u64; WAYS] {
        self.places[self.first(hash)..].first_chunk().expect("sets are whole")
    }

    /// Asks the processor to fetch the places of a hash.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        memory::prefetch(self.set(hash));
    }

    /// The position of an entry that has the low half of this hash, or 0, and asks the processor to fetch the entry.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64) -> u32 {
        // No branch, as it is not predictable which place it is.
        let set = self.set(hash);
        let matches = set
            .iter()
            .enumerate()
            .fold(0_u32, |matches, (way, place)| matches | u32::from((place ^ hash) as u32 == 0) << way);
        let place = set[matches.trailing_zeros() as usize % WAYS];
        let position = (place >> 32) as u32 & u32::from(matches != 0).wrapping_neg();
        let at = self.byte(position);
        for line in [at, at + LINE] {
            if let Some(byte) = self.ring.get(line) {
                memory::prefetch(byte);
            }
        }
        position
    }

    /// Where in the ring a position is.
    #[inline]
    fn byte(&self, position: u32) -> usize {
        (position as usize & self.words.wrapping_sub(1)) * WORD
    }

    /// Whether the entry at a position has not been written over.
    #[inline]
    fn holds(&self, position: u32) -> bool {
        position != 0 && self.head.wrapping_sub(position) as usize <= self.words
    }

    /// The ids at a position that [`Self::find`] has given, if they are still there and those of `piece`; `key` is its short
    /// key.
    #[inline]
    pub(super) fn get_at(&self, position: u32, key: u128, piece: &[u8]) -> Option<Remembered<'_>> {
        if !self.holds(position) {
            return None;
        }
        let (len, entry) = self.entry(position);
        let same = if piece.len() <= SHORT {
            short_key(&self.ring, entry.start, len) == key
        } else {
            len == piece.len() && equal_long(&self.ring[entry.start..entry.start + len], piece)
        };
        same.then(|| self.remembered(len, entry))
    }

    /// Length of the key of an entry, and where its key begins and its ids end.
    #[inline]
    fn entry(&self, position: u32) -> (usize, Range<usize>) {
        let at = self.byte(position);
        let header = self.ring[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let (len, count) = (header as usize & 0xFFFF, header as usize >> 16);
        (len, at + WORD..at + WORD + len.next_multiple_of(WORD) + count * WORD)
    }

    #[inline]
    fn remembered(&self, len: usize, entry: Range<usize>) -> Remembered<'_> {
        let ids = entry.start + len.next_multiple_of(WORD);
        Remembered { bytes: &self.ring[ids..entry.end + OVERRUN], count: (entry.end - ids) / WORD }
    }

    /// The ids of a piece, if it is remembered.
    pub(super) fn get(&self, hash: u64, piece: &[u8]) -> Option<Remembered<'_>> {
        let places = self.set(hash).iter().filter(|&place| (place ^ hash) as u32 == 0);
        let held = places.map(|place| (place >> 32) as u32).filter(|&position| self.holds(position));
        held.map(|position| self.entry(position)).find_map(|(len, entry)| {
            (self.ring[entry.start..entry.start + len] == *piece).then(|| self.remembered(len, entry))
        })
    }

    /// Remembers the ids of a non-empty piece, if it is not remembered yet and not too long.
    pub(super) fn insert(&mut self, hash: u64, piece: &[u8], ids: &[u32]) {
        let words = 1 + piece.len().div_ceil(WORD) + ids.len();
        if piece.len() > MAX_KEY || words > self.words || self.get(hash, piece).is_some() {
            return;
        }
        // An entry does not wrap around; what is left at the end of the ring is skipped.
        let left = self.words - (self.head as usize & (self.words - 1));
        let skipped = if left < words { left } else { 0 };
        let Some(head) = self.head.checked_add((skipped + words) as u32) else {
            // Positions are used up, after 16 GiB of entries.
            self.places.fill(0);
            self.head = 1;
            return;
        };
        let position = self.head + skipped as u32;
        let at = self.byte(position);
        self.head = head;
        let entry = &mut self.ring[at..at + words * WORD];
        entry[..WORD].copy_from_slice(&(piece.len() as u32 | (ids.len() as u32) << 16).to_le_bytes());
        entry[WORD..WORD + piece.len()].copy_from_slice(piece);
        let ids_begin = entry.len() - ids.len() * WORD;
        for (bytes, id) in entry[ids_begin..].as_chunks_mut().0.iter_mut().zip(ids) {
            *bytes = id.to_le_bytes();
        }
        let place = self.free_place(hash);
        self.places[place] = u64::from(position) << 32 | hash & u64::from(u32::MAX);
    }

    /// The first place for a hash whose entry is gone, else the one whose entry is the oldest.
    fn free_place(&self, hash: u64) -> usize {
        let set = self.first(hash)..self.first(hash) + WAYS;
        let age = |&place: &usize| {
            let position = (self.places[place] >> 32) as u32;
            if self.holds(position) { position } else { 0 }
        };
        set.clone().min_by_key(age).unwrap_or(set.start)
    }
}

/// Whether two strings of the same length, at least sixteen bytes, are equal: sixteen bytes at both ends, and those between
/// them where there are any.
#[inline]
fn equal_long(a: &[u8], b: &[u8]) -> bool {
    let ends = a.first_chunk::<16>() == b.first_chunk() && a.last_chunk::<16>() == b.last_chunk();
    ends && (a.len() <= 32 || a[16..a.len() - 16] == b[16..b.len() - 16])
}

#[cfg(test)]
mod tests {
    use super::super::key::hash;
    use super::*;

    #[test]
    fn what_is_found_is_what_was_put_in() {
        let mut cache = PieceCache::new(1 << 19);
        let piece = |number: usize| format!("{number}{}", "-".repeat(number * 7 % 61)).into_bytes();
        let ids = |number: usize| vec![number as u32; number % 19];
        for number in 0..40_000 {
            let bytes = piece(number);
            cache.insert(hash(&bytes), &bytes, &ids(number));
            assert_eq!(found(&cache, &bytes), Some(ids(number)));
        }
        let mut held = 0;
        for number in 0..40_000 {
            if let Some(cached) = found(&cache, &piece(number)) {
                assert_eq!(cached, ids(number));
                held += 1;
            }
        }
        assert!(held > 2000, "{held}");
    }

    /// What both ways of looking up give, and the ids copied in chunks.
    fn found(cache: &PieceCache, piece: &[u8]) -> Option<Vec<u32>> {
        let ids = cache.get(hash(piece), piece).map(|ids| ids.iter().collect::<Vec<u32>>());
        let at_once = cache.get_at(cache.find(hash(piece)), short_key(piece, 0, piece.len()), piece);
        let copied = at_once.map(|ids| {
            let mut copy = vec![0; ids.count + CHUNK];
            ids.copy_to(&mut copy);
            copy.truncate(ids.count);
            copy
        });
        assert_eq!(copied, ids);
        ids
    }

    #[test]
    fn a_cache_of_no_bytes_holds_nothing() {
        let mut cache = PieceCache::new(0);
        cache.insert(1, b"a long enough piece", &[1]);
        assert!(cache.get(1, b"a long enough piece").is_none());
        assert_eq!(cache.find(1), 0);
    }
}
