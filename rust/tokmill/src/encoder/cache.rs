//! The bounded cache of pieces that the front table cannot hold: long ones, and short ones of many tokens.
//!
//! Entries lie one behind the other in a ring of words and are found through a table of (hash, position). The ring is
//! its own eviction: what is written over is the oldest entry, and an index that points further back than the ring
//! reaches is void. Both begin small and grow while they fill.

use crate::memory;

/// The longest piece, in bytes, that is remembered.
const MAX_KEY: usize = 1024;
/// Neighbouring places that are looked through for a piece; they share a cache line.
const WAYS: usize = 4;
/// Words of the ring for one place of the table.
const WORDS_PER_PLACE: usize = 8;
const FIRST_PLACES: usize = 1 << 12;

/// Where the entry of a piece lies.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    hash: u32,
    /// Position in words since the cache was made; 0 in an empty place.
    position: u32,
}

/// A cache from pieces to ids.
#[derive(Debug)]
pub(super) struct PieceCache {
    places: Vec<Place>,
    /// Entries: a word with the length of the key and the number of ids, the key padded to words, the ids.
    ring: Vec<u32>,
    /// Position in words where the next entry begins.
    head: u32,
    max_places: usize,
}

impl PieceCache {
    /// A cache that takes at most `bytes` of memory; 0 remembers nothing.
    pub(super) fn new(bytes: usize) -> Self {
        let fitting = bytes / (size_of::<Place>() + WORDS_PER_PLACE * size_of::<u32>());
        let max_places = if fitting < 64 { 0 } else { 1 << fitting.ilog2() };
        Self::with_places(max_places.min(FIRST_PLACES), max_places)
    }

    fn with_places(places: usize, max_places: usize) -> Self {
        Self { places: vec![Place::default(); places], ring: vec![0; places * WORDS_PER_PLACE], head: 1, max_places }
    }

    fn first(&self, hash: u64) -> usize {
        // Bits that the front table does not choose by.
        (hash >> 40) as usize & self.places.len().wrapping_sub(1) & !(WAYS - 1)
    }

    /// Asks the processor to fetch the place of a hash.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        if let Some(place) = self.places.get(self.first(hash)) {
            memory::prefetch(place);
        }
    }

    /// Asks the processor to fetch the entry of a hash, once its place has come.
    #[inline]
    pub(super) fn prefetch_entry(&self, hash: u64) {
        if let Some(at) = self.candidates(hash).next() {
            memory::prefetch(&self.ring[at]);
        }
    }

    /// Where in the ring entries with this hash begin.
    #[inline]
    fn candidates(&self, hash: u64) -> impl Iterator<Item = usize> {
        let first = self.first(hash);
        let ways = self.places.get(first..first + WAYS).unwrap_or_default();
        let held = move |place: &&Place| place.hash == hash as u32 && self.holds(place.position);
        ways.iter().filter(held).map(|place| place.position as usize & (self.ring.len() - 1))
    }

    /// Whether the entry at a position has not been written over.
    #[inline]
    fn holds(&self, position: u32) -> bool {
        position != 0 && (self.head - position) as usize <= self.ring.len()
    }

    /// The ids of a piece, if it is remembered.
    #[inline]
    pub(super) fn get(&self, hash: u64, piece: &[u8]) -> Option<&[u32]> {
        self.candidates(hash).find_map(|at| {
            let (len, count) = (self.ring[at] as usize & 0xFFFF, self.ring[at] as usize >> 16);
            let key = at + 1..at + 1 + len.div_ceil(4);
            let ids = key.end..key.end + count;
            (len == piece.len() && equal(&self.ring[key], piece)).then(|| &self.ring[ids])
        })
    }

    /// Remembers the ids of a non-empty piece that is not remembered yet, if it is not too long.
    pub(super) fn insert(&mut self, hash: u64, piece: &[u8], ids: &[u32]) {
        if piece.len() > MAX_KEY || self.places.is_empty() {
            return;
        }
        let words = 1 + piece.len().div_ceil(4) + ids.len();
        if self.head as usize + words > self.ring.len() && self.places.len() < self.max_places {
            self.grow();
        }
        // An entry does not wrap around; what is left at the end of the ring is skipped.
        let left = self.ring.len() - (self.head as usize & (self.ring.len() - 1));
        let skipped = if left < words { left } else { 0 };
        let Some(head) = self.head.checked_add((skipped + words) as u32) else {
            // Positions are used up, after 16 GiB of entries.
            *self = Self::with_places(self.places.len(), self.max_places);
            return;
        };
        let position = self.head + skipped as u32;
        let at = position as usize & (self.ring.len() - 1);
        self.head = head;
        self.ring[at] = piece.len() as u32 | (ids.len() as u32) << 16;
        for (word, bytes) in self.ring[at + 1..].iter_mut().zip(piece.chunks(4)) {
            let mut padded = [0; 4];
            padded[..bytes.len()].copy_from_slice(bytes);
            *word = u32::from_le_bytes(padded);
        }
        self.ring[at + words - ids.len()..at + words].copy_from_slice(ids);
        let place = self.free_place(hash);
        self.places[place] = Place { hash: hash as u32, position };
    }

    /// The first place for a hash whose entry is gone, else the one whose entry is the oldest.
    fn free_place(&self, hash: u64) -> usize {
        let first = self.first(hash);
        (first..first + WAYS)
            .min_by_key(|&at| {
                let position = self.places[at].position;
                if self.holds(position) { position } else { 0 }
            })
            .unwrap_or(first)
    }

    fn grow(&mut self) {
        let larger = Self::with_places((self.places.len() * 4).min(self.max_places), self.max_places);
        let old = std::mem::replace(self, larger);
        let mut held: Vec<Place> = old.places.iter().copied().filter(|place| old.holds(place.position)).collect();
        held.sort_unstable_by_key(|place| place.position);
        for place in held {
            let at = place.position as usize & (old.ring.len() - 1);
            let (len, count) = (old.ring[at] as usize & 0xFFFF, old.ring[at] as usize >> 16);
            let key: Vec<u8> = old.ring[at + 1..].iter().flat_map(|word| word.to_le_bytes()).take(len).collect();
            let ids = at + 1 + len.div_ceil(4);
            self.insert(super::key::hash(&key), &key, &old.ring[ids..ids + count]);
        }
    }
}

/// Whether the words, in which bytes are packed little-endian and padded with zeros, hold exactly `piece`.
#[inline]
fn equal(words: &[u32], piece: &[u8]) -> bool {
    let (whole, tail) = piece.as_chunks::<4>();
    let mut last = [0; 4];
    last[..tail.len()].copy_from_slice(tail);
    whole.iter().zip(words).all(|(bytes, word)| u32::from_le_bytes(*bytes) == *word)
        && (tail.is_empty() || words.last() == Some(&u32::from_le_bytes(last)))
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
            assert_eq!(cache.get(hash(&bytes), &bytes), Some(&ids(number)[..]));
        }
        let mut found = 0;
        for number in 0..40_000 {
            let bytes = piece(number);
            if let Some(cached) = cache.get(hash(&bytes), &bytes) {
                assert_eq!(cached, ids(number));
                found += 1;
            }
        }
        assert_eq!(cache.places.len(), cache.max_places);
        assert!(found > 2000, "{found}");
    }

    #[test]
    fn a_cache_of_no_bytes_holds_nothing() {
        let mut cache = PieceCache::new(0);
        cache.insert(1, b"a long enough piece", &[1]);
        assert_eq!(cache.get(1, b"a long enough piece"), None);
    }
}
