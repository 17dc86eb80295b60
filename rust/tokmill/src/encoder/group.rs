//! A group of pieces on its way through the tables, in stages: between two of them the processor fetches what the next
//! one reads, while other groups go through theirs.

// What the vector path calls is compiled for its instructions only where it is inlined.
#![allow(clippy::inline_always)]

use std::ops::Range;

use super::cache::{PieceCache, Remembered};
use super::common::CommonTable;
use super::front::{FrontTable, IDS, UNPACKED};
use super::key::{SHORT, hash_long, hash_short, short_key};
#[cfg(target_arch = "x86_64")]
use super::vector;

/// Pieces that are handled together.
pub(super) const GROUP: usize = 64;

/// Ids are copied in chunks of this many, so that there is no branch on their number.
const CHUNK: usize = 16;

/// At most [`GROUP`] pieces of a text, at least one.
#[derive(Clone, Copy)]
pub(super) struct Group<'a> {
    /// The text from where the positions of the pieces are relative to.
    pub(super) text: &'a [u8],
    /// Where that is in the whole text.
    pub(super) base: usize,
    pub(super) pieces: &'a [(u32, u32)],
}

impl<'a> Group<'a> {
    /// A piece of the group.
    #[inline]
    pub(super) fn piece(&self, index: u8) -> &'a [u8] {
        let (begin, end) = self.pieces[index as usize];
        &self.text[begin as usize..end as usize]
    }

    /// Bytes from the begin of the first piece to the end of the last.
    #[inline]
    pub(super) fn bytes(&self) -> Range<usize> {
        let end = self.pieces.last().map_or(0, |last| last.1 as usize);
        self.pieces.first().map_or(0, |first| first.0 as usize)..end
    }
}

/// The instructions that a group is looked up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Path {
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if vector::is_available() {
            return Self::Avx512;
        }
        Self::Portable
    }
}

/// The keys and hashes of the pieces of a group, and what the table of common pieces says of them.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) keys: [u128; GROUP],
    pub(super) hashes: [u64; GROUP],
    /// The ids of the pieces that are there, each at the number of its piece.
    pub(super) ids: [u32; GROUP + CHUNK],
}

/// What the tables say of a group; kept from group to group, as clearing it takes time.
#[derive(Debug)]
pub(super) struct Probed {
    pub(super) found: Found,
    /// The pieces that are not there, a bit for each.
    missed: u64,
    /// Ids of the pieces that are in either table, end to end.
    ids: [u32; GROUP * IDS + CHUNK],
    len: usize,
    /// The pieces that are in neither, [`Self::unknowns`] of them.
    unknown: [Unknown; GROUP],
    unknowns: usize,
    /// Where the cache may hold them.
    pub(super) positions: [u32; GROUP],
    path: Path,
    #[cfg(target_arch = "x86_64")]
    padding: vector::Padding,
}

/// A piece that the tables of short pieces do not know.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unknown {
    /// Its number in the group.
    pub(super) index: u8,
    /// How many ids of known pieces stand before it.
    pub(super) place: u16,
}

impl Probed {
    pub(super) fn new(path: Path) -> Self {
        Self {
            found: Found { keys: [0; GROUP], hashes: [0; GROUP], ids: [0; GROUP + CHUNK] },
            missed: 0,
            ids: [0; GROUP * IDS + CHUNK],
            len: 0,
            unknown: [Unknown::default(); GROUP],
            unknowns: 0,
            positions: [0; GROUP],
            path,
            #[cfg(target_arch = "x86_64")]
            padding: vector::Padding::new(),
        }
    }

    /// First stage: looks the group up in the table of common pieces.
    #[inline]
    pub(super) fn look_up_common(&mut self, common: &CommonTable, front: &FrontTable, group: Group<'_>) {
        let missed = match self.path {
            Path::Portable => probe(&mut self.found, common, group),
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => vector::probe(&mut self.found, &mut self.padding, common, group)
                .unwrap_or_else(|| probe(&mut self.found, common, group)),
        };
        self.missed = missed & (u64::MAX >> (GROUP - group.pieces.len()));
        let front = front.buckets();
        let mut missed = self.missed;
        while missed != 0 {
            front.prefetch(self.found.hashes[missed.trailing_zeros() as usize]);
            missed &= missed - 1;
        }
    }

    /// Second stage: looks up in the front table what the first missed.
    #[inline]
    pub(super) fn look_up_front(
        &mut self,
        common: &mut CommonTable,
        front: &FrontTable,
        cache: &PieceCache,
        group: Group<'_>,
    ) {
        if self.missed == 0 {
            (self.len, self.unknowns) = (group.pieces.len(), 0);
            return;
        }
        match self.path {
            Path::Portable => self.join_front(common, front, group.pieces.len()),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the path is only taken where its features are available.
            Path::Avx512 => unsafe { vector::join_front(self, common, front, group.pieces.len()) },
        }
        for &Unknown { index, .. } in &self.unknown[..self.unknowns] {
            let (piece, hash) = (group.piece(index), &mut self.found.hashes[index as usize]);
            if piece.len() > SHORT {
                *hash = hash_long(piece);
            }
            cache.prefetch(*hash);
        }
    }

    /// Third stage: looks up in the cache, by hash alone, what neither table knows.
    #[inline]
    pub(super) fn look_up_cache(&mut self, cache: &PieceCache) {
        match self.path {
            Path::Portable => self.find_unknown(cache),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the path is only taken where its features are available.
            Path::Avx512 => unsafe { vector::find_unknown(self, cache) },
        }
    }

    #[inline(always)]
    pub(super) fn find_unknown(&mut self, cache: &PieceCache) {
        for (unknown, position) in self.unknown[..self.unknowns].iter().zip(&mut self.positions) {
            *position = cache.find(self.found.hashes[unknown.index as usize]);
        }
    }

    /// The ids of the known pieces, end to end.
    #[inline]
    pub(super) fn known(&self) -> &[u32] {
        if self.missed != 0 { &self.ids[..self.len] } else { &self.found.ids[..self.len] }
    }

    /// The same, to be changed by who hands them on.
    #[inline]
    pub(super) fn known_mut(&mut self) -> &mut [u32] {
        if self.missed != 0 { &mut self.ids[..self.len] } else { &mut self.found.ids[..self.len] }
    }

    /// The ids of known pieces where some are not, with [`CHUNK`] others behind them.
    #[inline]
    pub(super) fn known_and_more(&self) -> &[u32] {
        &self.ids[..self.len + CHUNK]
    }

    /// The pieces that no table of short pieces knows, in order.
    #[inline]
    pub(super) fn unknown(&self) -> &[Unknown] {
        &self.unknown[..self.unknowns]
    }

    /// Looks up in the front table what was missed, and joins what is known. Nothing branches on what is found, as that
    /// is not predictable.
    #[inline(always)]
    pub(super) fn join_front(&mut self, common: &mut CommonTable, front: &FrontTable, pieces: usize) {
        let front = front.buckets();
        let (mut len, mut unknowns, mut done) = (0, 0, 0);
        let mut missed = self.missed;
        while missed != 0 {
            let piece = missed.trailing_zeros() as usize;
            missed &= missed - 1;
            append_chunks(&mut self.ids, &mut len, &self.found.ids, done..piece);
            done = piece + 1;
            let (key, hash) = (self.found.keys[piece], self.found.hashes[piece]);
            // All of what is found is written and its ids counted, or none.
            let found = front.get(key, hash);
            let out: &mut [u32; UNPACKED] =
                self.ids[len..].first_chunk_mut().expect("a chunk is behind the ids of a group");
            found.unpack(out);
            self.unknown[unknowns] = Unknown { index: piece as u8, place: len as u16 };
            len += found.count();
            unknowns += usize::from(found.count() == 0);
            common.insert(key, hash, found.first(), found.count() == 1);
        }
        append_chunks(&mut self.ids, &mut len, &self.found.ids, done..pieces);
        (self.len, self.unknowns) = (len, unknowns);
    }
}

/// Makes the keys and hashes of a group, looks it up in the table of common pieces, and says which are not there, a bit
/// for each.
pub(super) fn probe(out: &mut Found, common: &CommonTable, group: Group<'_>) -> u64 {
    let mut missed = 0;
    for (index, &(begin, end)) in group.pieces.iter().enumerate().take(GROUP) {
        // A long piece gets a key that no short piece has, and is not found.
        let key = short_key(group.text, begin as usize, (end - begin) as usize);
        let hash = hash_short(key);
        out.keys[index] = key;
        out.hashes[index] = hash;
        let (id, is_known) = common.get(key, hash);
        out.ids[index] = id;
        missed |= u64::from(!is_known) << index;
    }
    missed
}

/// Appends a range of ids that have [`CHUNK`] others behind them, to ids that have room for as many more.
#[inline]
fn append_chunks(out: &mut [u32], len: &mut usize, ids: &[u32], range: Range<usize>) {
    let (mut from, mut to) = (range.start, *len);
    // The first chunk even where there is nothing to append, as that is not predictable.
    loop {
        out[to..to + CHUNK].copy_from_slice(&ids[from..from + CHUNK]);
        (from, to) = (from + CHUNK, to + CHUNK);
        if from >= range.end {
            break;
        }
    }
    *len += range.len();
}

/// Pieces that are new are kept waiting until there are so many different ones, and then merged side by side.
const GAPS: usize = 64;
/// Or until they have so many bytes.
const GAP_BYTES: usize = 8 << 10;

/// Ids that are gathered at most.
const GATHERED: usize = 4096;

/// Ids on their way to the sink: gathered here in chunks, which costs less than handing over a few at a time. Behind a
/// piece whose ids are not made yet, also those of the groups that follow.
#[derive(Debug)]
pub(super) struct Joined {
    ids: [u32; GATHERED],
    len: usize,
    /// The ids with those of the gaps between them, and others behind them.
    filled: Vec<u32>,
    gaps: Vec<Gap>,
    /// How many different pieces the gaps are, and their bytes.
    pieces: usize,
    bytes: usize,
    /// The gap of a piece, by its hash, or another one.
    recent: [u8; RECENT],
}

/// Places by which a piece that waits is found again.
const RECENT: usize = 256;

/// A piece whose ids are not made yet; it is in the batch of the scratch.
#[derive(Debug)]
pub(super) struct Gap {
    /// How many of the gathered ids stand before it.
    pub(super) place: usize,
    pub(super) hash: u64,
    /// Where it lies, in the text that positions of pieces are relative to.
    pub(super) piece: Range<usize>,
    /// Its number among the different pieces, in the order in which they came.
    pub(super) number: usize,
}

/// Ids of the pieces of a batch.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// Those of all pieces, end to end.
    pub(super) ids: Vec<u32>,
    /// Where those of each piece end.
    pub(super) ends: Vec<usize>,
}

impl Merged {
    pub(super) fn clear(&mut self) {
        self.ids.clear();
        self.ends.clear();
    }

    /// The ids of a piece, by its number.
    pub(super) fn of(&self, number: usize) -> &[u32] {
        &self.ids[self.range(number)]
    }

    /// Where they are.
    fn range(&self, number: usize) -> Range<usize> {
        let begin = if number == 0 { 0 } else { self.ends[number - 1] };
        begin..self.ends[number]
    }
}

impl Joined {
    pub(super) fn new() -> Self {
        let (filled, gaps) = (Vec::new(), Vec::with_capacity(GAPS));
        Self { ids: [0; GATHERED], len: 0, filled, gaps, pieces: 0, bytes: 0, recent: [0; RECENT] }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0 && self.gaps.is_empty()
    }

    /// Whether there are pieces whose ids are not made yet.
    #[inline]
    pub(super) fn has_gaps(&self) -> bool {
        !self.gaps.is_empty()
    }

    /// Whether there are so many of them that they should be made.
    #[inline]
    pub(super) fn has_enough_gaps(&self) -> bool {
        self.pieces >= GAPS || self.bytes >= GAP_BYTES || self.gaps.len() >= u8::MAX.into()
    }

    /// The pieces whose ids are not made yet, in the order of the text.
    pub(super) fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// The number of a piece of `text` that waits already.
    pub(super) fn waiting(&self, text: &[u8], hash: u64, piece: &[u8]) -> Option<usize> {
        // Which gap it is may be from before the last ones were filled; it is the right one if it is of this piece.
        let gap = self.gaps.get(usize::from(self.recent[hash as usize % RECENT]))?;
        (gap.hash == hash && text[gap.piece.clone()] == *piece).then_some(gap.number)
    }

    /// Leaves the place of the ids of a piece: of a new one, which is put into the batch, or of one that waits already,
    /// given its number.
    pub(super) fn push_gap(&mut self, hash: u64, piece: Range<usize>, waiting: Option<usize>) {
        let number = waiting.unwrap_or_else(|| {
            self.recent[hash as usize % RECENT] = self.gaps.len() as u8;
            self.pieces += 1;
            self.bytes += piece.len();
            self.pieces - 1
        });
        self.gaps.push(Gap { place: self.len, hash, piece, number });
    }

    /// The ids, with those of the pieces in the gaps, which `merged` has.
    pub(super) fn filled(&mut self, merged: &mut Merged) -> &[u32] {
        let more: usize = self.gaps.iter().map(|gap| merged.range(gap.number).len()).sum();
        let most = self.len + more + CHUNK;
        if self.filled.len() < most {
            self.filled.resize(most, 0);
        }
        merged.ids.extend([0; CHUNK]);
        let (mut len, mut place) = (0, 0);
        for gap in &self.gaps {
            append_chunks(&mut self.filled, &mut len, &self.ids, place..gap.place);
            append_chunks(&mut self.filled, &mut len, &merged.ids, merged.range(gap.number));
            place = gap.place;
        }
        append_chunks(&mut self.filled, &mut len, &self.ids, place..self.len);
        &self.filled[..len]
    }

    pub(super) fn clear(&mut self) {
        (self.len, self.pieces, self.bytes) = (0, 0, 0);
        self.gaps.clear();
    }

    /// Whether so many ids can be appended.
    #[inline]
    pub(super) fn has_room(&self, count: usize) -> bool {
        self.len + count + CHUNK <= self.ids.len()
    }

    /// Appends a range of ids that have [`CHUNK`] others behind them.
    #[inline]
    pub(super) fn push_some(&mut self, ids: &[u32], range: Range<usize>) {
        append_chunks(&mut self.ids, &mut self.len, ids, range);
    }

    /// Appends ids, for which there is room.
    #[inline]
    pub(super) fn push(&mut self, ids: &[u32]) {
        self.ids[self.len..self.len + ids.len()].copy_from_slice(ids);
        self.len += ids.len();
    }

    #[inline]
    pub(super) fn push_remembered(&mut self, ids: Remembered<'_>) {
        ids.copy_to(&mut self.ids[self.len..]);
        self.len += ids.count;
    }

    /// All of them, to be handed over, where there are no gaps; afterwards there are none.
    #[inline]
    pub(super) fn take(&mut self) -> &mut [u32] {
        let len = std::mem::take(&mut self.len);
        &mut self.ids[..len]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::random::Random;

    /// Groups of pieces of a text, some of them at its end.
    fn for_each_group(text: &[u8], pieces: &[(u32, u32)], mut check: impl FnMut(Group<'_>)) {
        for (begin, count) in (0..pieces.len() - GROUP).zip((1..=GROUP).cycle()) {
            let pieces = &pieces[begin..begin + count];
            let end = pieces[count - 1].1 as usize;
            for text in [text, &text[..end], &text[..text.len().min(end + 7)]] {
                check(Group { text, base: 0, pieces });
            }
        }
    }

    #[test]
    fn every_path_finds_what_is_in_the_table_and_nothing_else() {
        let mut random = Random::new(7);
        let mut below = |limit: u64| random.bits() % limit;
        let mut pieces = Vec::new();
        let mut end = 0;
        for _ in 0..4000 {
            let begin = end;
            let longest = if below(9) == 0 { 40 } else { 18 };
            end += 1 + below(longest) as u32;
            pieces.push((begin, end));
        }
        let text: Vec<u8> = (0..end).map(|_| b"ab\0\xFF"[below(4) as usize]).collect();
        let mut common = CommonTable::empty(1 << 20);
        let mut ids = HashMap::new();
        for (id, &(begin, end)) in pieces.iter().enumerate().step_by(2) {
            let piece = &text[begin as usize..end as usize];
            let key = short_key(piece, 0, piece.len());
            let id = *ids.entry(piece).or_insert(id as u32 * 37);
            common.insert(key, hash_short(key), id, true);
        }
        let (mut found, mut other) = (Probed::new(Path::Portable).found, Probed::new(Path::Portable).found);
        let mut hits = 0;
        for_each_group(&text, &pieces, |group| {
            let all = u64::MAX >> (GROUP - group.pieces.len());
            let missed = probe(&mut found, &common, group) & all;
            for index in (0..group.pieces.len()).filter(|index| missed >> index & 1 == 0) {
                assert_eq!(ids.get(group.piece(index as u8)), Some(&found.ids[index]));
                hits += 1;
            }
            #[cfg(target_arch = "x86_64")]
            if vector::is_available()
                && let Some(by_vector) = vector::probe(&mut other, &mut vector::Padding::new(), &common, group)
            {
                let count = group.pieces.len();
                assert_eq!(by_vector & all, missed);
                assert_eq!(
                    (&other.keys[..count], &other.hashes[..count]),
                    (&found.keys[..count], &found.hashes[..count])
                );
                for index in (0..count).filter(|index| missed >> index & 1 == 0) {
                    assert_eq!(other.ids[index], found.ids[index]);
                }
            }
        });
        assert!(hits > 50_000, "{hits}");
    }
}
