//! Encoding the pieces of a text: a probe of the table of whole tokens, a probe of a bounded cache, and only then the
//! model.
//!
//! Pieces come in blocks and are handled in groups. For a whole group the keys are hashed and the tables' lines
//! requested, then the first table is probed and lines of the second are requested, then ids are written out; so
//! memory is waited for once a group and not once a piece.

mod cache;
mod key;
mod whole;

pub use whole::WholeTable;

use cache::PieceCache;
use key::{SHORT, hash_long, hash_short, short_key};

use crate::model::Model;
use crate::model::bpe::{Bpe, BpeScratch};
use crate::pretokenize::{Pieces, Pretokenizer};

/// Pieces that are handled together.
const GROUP: usize = 64;

/// Asks the processor to fetch a cache line; does nothing where that cannot be said.
#[inline]
fn prefetch<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint, reads nothing that the program can see, and never faults.
    unsafe {
        std::arch::x86_64::_mm_prefetch(place.cast(), std::arch::x86_64::_MM_HINT_T0);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Takes the pieces of a text and their ids, in order.
pub trait Sink {
    /// The bytes `begin..end` of the text are a piece, and these are its ids.
    fn piece(&mut self, begin: usize, end: usize, ids: &[u32]);
}

/// Collects ids.
impl Sink for Vec<u32> {
    #[inline]
    fn piece(&mut self, _begin: usize, _end: usize, ids: &[u32]) {
        self.extend_from_slice(ids);
    }
}

/// Counts ids.
impl Sink for usize {
    #[inline]
    fn piece(&mut self, _begin: usize, _end: usize, ids: &[u32]) {
        *self += ids.len();
    }
}

/// The scratch of one thread: caches and buffers, never shared while in use.
#[derive(Debug)]
pub struct Encoder {
    cache: PieceCache,
    cache_bytes: usize,
    pieces: Pieces,
    rest: Rest,
}

/// Memory for the pieces that no table knows.
#[derive(Debug, Default)]
struct Rest {
    scratch: BpeScratch,
    ids: Vec<u32>,
    part: Vec<u32>,
}

impl Encoder {
    /// An encoder whose cache takes at most `cache_bytes` of memory.
    pub fn new(cache_bytes: usize) -> Self {
        Self { cache: PieceCache::new(cache_bytes), cache_bytes, pieces: Pieces::default(), rest: Rest::default() }
    }

    /// What the cache was allowed when it was made.
    pub fn cache_bytes(&self) -> usize {
        self.cache_bytes
    }

    /// Encodes `text` from byte `from`, a piece boundary, up to the first piece boundary at or after `until`, and
    /// returns that boundary.
    pub fn encode(
        &mut self,
        pretokenizer: &Pretokenizer,
        model: &Model,
        whole: &WholeTable,
        text: &[u8],
        mut from: usize,
        until: usize,
        sink: &mut impl Sink,
    ) -> usize {
        let Model::Bpe(bpe) = model;
        while from < until {
            let next = pretokenizer.fill(text, from, &mut self.pieces);
            let base = self.pieces.base;
            let mut ends = self.pieces.ends.as_slice();
            if next > until {
                let inside = ends.partition_point(|&(begin, _)| base + (begin as usize) < until);
                let stop = ends.get(inside).map_or(next, |&(begin, _)| base + begin as usize);
                ends = &ends[..inside];
                from = stop;
            } else {
                from = next;
            }
            let mut tables = Tables { whole, cache: &mut self.cache, rest: &mut self.rest, bpe };
            for group in ends.chunks(GROUP) {
                tables.encode_group(text, base, group, sink);
            }
        }
        from
    }

    /// Encodes the piece that begins at byte `from` and returns where it ends (or the text that is dropped after it).
    pub fn encode_next(
        &mut self,
        pretokenizer: &Pretokenizer,
        model: &Model,
        whole: &WholeTable,
        text: &[u8],
        from: usize,
        sink: &mut impl Sink,
    ) -> usize {
        self.encode(pretokenizer, model, whole, text, from, from + 1, sink)
    }
}

struct Tables<'a> {
    whole: &'a WholeTable,
    cache: &'a mut PieceCache,
    rest: &'a mut Rest,
    bpe: &'a Bpe,
}

/// "Not a whole token" among the ids of a group.
const UNKNOWN: u32 = u32::MAX;

impl Tables<'_> {
    fn encode_group(&mut self, text: &[u8], base: usize, group: &[(u32, u32)], sink: &mut impl Sink) {
        let mut keys = [0; GROUP];
        let mut hashes = [0; GROUP];
        let mut ids = [UNKNOWN; GROUP];
        for (index, &(begin, end)) in group.iter().enumerate() {
            let (begin, len) = (base + begin as usize, (end - begin) as usize);
            if len <= SHORT {
                keys[index] = short_key(text, begin, len);
                hashes[index] = hash_short(keys[index]);
                self.whole.prefetch(hashes[index]);
            } else {
                hashes[index] = hash_long(&text[begin..begin + len]);
                self.cache.prefetch(hashes[index]);
            }
        }
        for index in 0..group.len() {
            if keys[index] == 0 {
                continue;
            }
            match self.whole.get(keys[index], hashes[index]) {
                Some(id) => ids[index] = id,
                None => self.cache.prefetch(hashes[index]),
            }
        }
        for (index, &(begin, end)) in group.iter().enumerate() {
            let (begin, end) = (base + begin as usize, base + end as usize);
            if ids[index] == UNKNOWN {
                self.encode_unknown(&text[begin..end], hashes[index], begin, end, sink);
            } else {
                sink.piece(begin, end, &ids[index..=index]);
            }
        }
    }

    /// Encodes a piece that is not a short whole token.
    fn encode_unknown(&mut self, piece: &[u8], hash: u64, begin: usize, end: usize, sink: &mut impl Sink) {
        if let Some(ids) = self.cache.get(hash, piece) {
            return sink.piece(begin, end, ids);
        }
        self.rest.ids.clear();
        match self.bpe.whole(piece) {
            Some(id) => self.rest.ids.push(id),
            None => self.encode_parts(piece),
        }
        self.cache.insert(hash, piece, &self.rest.ids);
        sink.piece(begin, end, &self.rest.ids);
    }

    /// Encodes a piece that is not one token, part by part between safe cuts.
    fn encode_parts(&mut self, piece: &[u8]) {
        let mut rest = piece;
        // A byte without entry vanishes and its neighbours may then merge, so cuts are not safe beside it.
        let cuts = (!self.bpe.lacks_bytes_of(piece)).then(|| self.bpe.cuts());
        while !rest.is_empty() {
            let len = cuts.map_or(rest.len(), |cuts| cuts.first_part(rest));
            let (part, after) = rest.split_at(len);
            self.encode_part(part, len < piece.len());
            rest = after;
        }
    }

    fn encode_part(&mut self, part: &[u8], cached: bool) {
        let Rest { scratch, ids, part: part_ids } = &mut *self.rest;
        if !cached {
            return self.bpe.merge(part, scratch, ids);
        }
        let hash = if part.len() <= SHORT {
            let key = short_key(part, 0, part.len());
            let hash = hash_short(key);
            // Where merges are ignored for entries, that holds for whole pieces alone, not for parts.
            if !self.bpe.options().ignore_merges
                && let Some(id) = self.whole.get(key, hash)
            {
                ids.push(id);
                return;
            }
            hash
        } else {
            hash_long(part)
        };
        if self.bpe.options().ignore_merges {
            return self.bpe.merge(part, scratch, ids);
        }
        if let Some(found) = self.cache.get(hash, part) {
            ids.extend_from_slice(found);
            return;
        }
        part_ids.clear();
        self.bpe.merge(part, scratch, part_ids);
        self.cache.insert(hash, part, part_ids);
        ids.extend_from_slice(part_ids);
    }
}
