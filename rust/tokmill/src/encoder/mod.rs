//! Encoding the pieces of a text: a probe of a front table, a probe of a bounded cache, and only then the model.
//!
//! Pieces come in blocks and are handled in groups, in passes over the whole group: hash the short ones and request
//! their lines of the front table; probe it, and request lines of the cache for what it does not know; look that up or
//! encode it; write all ids out. Memory is so waited for once a group and not once a piece, and the passes that every
//! piece goes through have no branch that depends on the text.

mod cache;
mod front;
mod key;

use std::ops::Range;

use cache::{PieceCache, Remembered};
use front::{FrontTable, IDS};
use key::{SHORT, hash_long, hash_short, short_key};

use crate::model::bpe::{Bpe, SafeCuts, Stretch};
use crate::model::{Model, ModelScratch};
use crate::pretokenize::{Pieces, Pretokenizer};

/// Pieces that are handled together.
const GROUP: usize = 64;

/// Pieces longer than this many bytes are cut where that is safe before they are looked up.
const LONG: u32 = 64;

/// Parts that are collected before they are encoded; they stay in the first-level cache.
const PARTS: usize = 1024;

/// Takes the pieces of a text and their ids, in order.
pub trait Sink {
    /// Whether [`Self::piece`] is called for each piece, instead of [`Self::ids`] for several together.
    const BY_PIECE: bool;

    /// Whether pieces come with their ids. If not, [`Self::piece`] gets each piece whole, and no ids.
    const ENCODED: bool = true;

    /// Begin and end of the pieces that come next, relative to `base`, before long ones are handed over part by part.
    /// `one` says that they are parts of one piece that goes on from block to block.
    fn pieces(&mut self, _base: usize, _ends: &[(u32, u32)], _one: bool) {}

    /// The ids of the next pieces.
    fn ids(&mut self, ids: &[u32]);

    /// `piece` begins at byte `begin` of the text, and `model` makes these ids of it.
    fn piece(&mut self, model: &Model, piece: &[u8], begin: usize, ids: &[u32]);
}

/// Collects ids.
impl Sink for Vec<u32> {
    const BY_PIECE: bool = false;

    #[inline]
    fn ids(&mut self, ids: &[u32]) {
        self.extend_from_slice(ids);
    }

    fn piece(&mut self, _model: &Model, _piece: &[u8], _begin: usize, ids: &[u32]) {
        self.ids(ids);
    }
}

/// Counts ids.
impl Sink for usize {
    const BY_PIECE: bool = false;

    #[inline]
    fn ids(&mut self, ids: &[u32]) {
        *self += ids.len();
    }

    fn piece(&mut self, _model: &Model, _piece: &[u8], _begin: usize, ids: &[u32]) {
        self.ids(ids);
    }
}

/// The scratch of one thread: tables and buffers, never shared while in use.
#[derive(Debug)]
pub struct Encoder {
    tables: Tables,
    table_bytes: usize,
    pieces: Pieces,
}

#[derive(Debug)]
struct Tables {
    front: FrontTable,
    cache: PieceCache,
    probed: Box<Probed>,
    joined: Box<Joined>,
    scratch: ModelScratch,
    /// Ids of the piece being encoded.
    ids: Vec<u32>,
    /// Parts of long pieces.
    parts: Vec<(u32, u32)>,
}

impl Encoder {
    /// An encoder for `model` whose tables take at most `table_bytes` of memory; with 0, nothing is remembered.
    pub fn new(model: &Model, table_bytes: usize) -> Self {
        let front = FrontTable::new(model, table_bytes / 2);
        let tables = Tables {
            cache: PieceCache::new(table_bytes - front.bytes()),
            front,
            probed: Box::new(Probed::new()),
            joined: Box::new(Joined::new()),
            scratch: ModelScratch::default(),
            ids: Vec::new(),
            parts: Vec::new(),
        };
        Self { tables, table_bytes, pieces: Pieces::default() }
    }

    /// What the tables were allowed when they were made.
    pub fn table_bytes(&self) -> usize {
        self.table_bytes
    }

    /// Encodes `text` from byte `from`, a piece boundary, up to the first piece boundary at or after `until`, and
    /// returns that boundary. `model` is the one that the encoder was made for.
    pub fn encode<S: Sink>(
        &mut self,
        pretokenizer: &Pretokenizer,
        model: &Model,
        text: &[u8],
        mut from: usize,
        until: usize,
        sink: &mut S,
    ) -> usize {
        if from == 0 {
            self.tables.scratch.unigram.begin();
        }
        while from < until {
            let next = pretokenizer.fill(text, from, &mut self.pieces);
            let base = self.pieces.base;
            let mut ends = self.pieces.ends.as_slice();
            from = next;
            if next > until {
                let inside = ends.partition_point(|&(begin, _)| base + (begin as usize) < until);
                from = ends.get(inside).map_or(next, |&(begin, _)| base + begin as usize);
                ends = &ends[..inside];
            }
            sink.pieces(base, ends, pretokenizer.joins_pieces());
            self.tables.encode(model, text, base, ends, sink);
        }
        from
    }

    /// Encodes pieces of `text` that are known.
    pub fn encode_block(&mut self, model: &Model, text: &[u8], block: &Pieces, sink: &mut impl Sink) {
        sink.pieces(block.base, &block.ends, false);
        self.tables.encode(model, text, block.base, &block.ends, sink);
    }

    /// Whether a character was met, since this was last asked, that the model has no id for.
    pub fn take_missing(&mut self) -> bool {
        self.tables.scratch.unigram.take_missing()
    }
}

impl Tables {
    /// Encodes pieces; long ones part by part between safe cuts, so that the tables serve them too.
    fn encode<S: Sink>(&mut self, model: &Model, text: &[u8], base: usize, pieces: &[(u32, u32)], sink: &mut S) {
        if !S::ENCODED {
            for &(begin, end) in pieces {
                let (begin, end) = (base + begin as usize, base + end as usize);
                sink.piece(model, &text[begin..end], begin, &[]);
            }
            return;
        }
        let longest = pieces.iter().fold(0, |longest, &(begin, end)| longest.max(end - begin));
        let cuts = if longest > LONG { model.cuts() } else { None };
        let Some(cuts) = cuts else { return self.encode_uncut(model, text, base, pieces, sink) };
        let mut parts = std::mem::take(&mut self.parts);
        for &(begin, end) in pieces {
            let piece = &text[base + begin as usize..base + end as usize];
            if end - begin <= LONG || !model.may_cut(piece) {
                parts.push((begin, end));
                continue;
            }
            let mut from = 0;
            while from < piece.len() {
                from = cuts.append_parts(piece, from, begin, &mut parts);
                if parts.len() >= PARTS {
                    self.encode_uncut(model, text, base, &parts, sink);
                    parts.clear();
                }
            }
        }
        self.encode_uncut(model, text, base, &parts, sink);
        parts.clear();
        self.parts = parts;
    }

    /// Encodes pieces, in groups where nobody asks for each.
    fn encode_uncut<S: Sink>(&mut self, model: &Model, text: &[u8], base: usize, pieces: &[(u32, u32)], sink: &mut S) {
        if S::BY_PIECE || self.front.is_off() {
            return self.encode_singly(model, text, base, pieces, sink);
        }
        for group in pieces.chunks(GROUP) {
            self.encode_group(model, text, base, group, sink);
        }
    }

    /// Encodes pieces one by one.
    fn encode_singly(&mut self, model: &Model, text: &[u8], base: usize, pieces: &[(u32, u32)], sink: &mut impl Sink) {
        for &(begin, end) in pieces {
            let (begin, end) = (base + begin as usize, base + end as usize);
            let piece = &text[begin..end];
            if model.is_out_of_line(piece.len(), &self.scratch) {
                sink.piece(model, piece, begin, self.encode_afresh(model, piece).0);
                continue;
            }
            let hash = key::hash(piece);
            let found = self.front.get_piece(piece, hash);
            if found.is_empty() {
                sink.piece(model, piece, begin, self.encode_unknown(model, piece, hash));
            } else {
                model.pass(found, &mut self.scratch);
                sink.piece(model, piece, begin, found);
            }
        }
    }

    /// Encodes a group of at most [`GROUP`] pieces; the front table is not off.
    fn encode_group(&mut self, model: &Model, text: &[u8], base: usize, group: &[(u32, u32)], sink: &mut impl Sink) {
        let len = group.last().map_or(0, |last| last.1 - group[0].0);
        if model.is_out_of_line(len as usize, &self.scratch) {
            return self.encode_singly(model, text, base, group, sink);
        }
        self.probed.run(&self.front, text, base, group);
        if self.probed.unknowns == 0 {
            let found = &self.probed.ids[..self.probed.len];
            model.pass(found, &mut self.scratch);
            return sink.ids(found);
        }
        let piece = |index: u8| {
            let (begin, end) = group[index as usize];
            &text[base + begin as usize..base + end as usize]
        };
        self.probed.find_unknowns(&self.cache, piece);
        // What is remembered on the way may void what was found before.
        let mut remembered_none = true;
        let mut done = 0;
        for at in 0..self.probed.unknowns {
            let Unknown { index, place } = self.probed.unknown[at];
            let place = place as usize;
            if !self.joined.has_room(place - done) {
                self.hand_over(model, sink);
            }
            self.joined.push_some(&self.probed.ids, done..place);
            done = place;
            let (piece, key) = (piece(index), self.probed.keys[index as usize]);
            let found = if remembered_none { self.cache.get_at(self.probed.positions[at], key, piece) } else { None };
            if let Some(ids) = found
                && self.joined.has_room(ids.count)
            {
                self.joined.push_remembered(ids);
                continue;
            }
            self.hand_over(model, sink);
            sink.ids(self.encode_unknown(model, piece, self.probed.hashes[index as usize]));
            remembered_none = false;
        }
        self.hand_over(model, sink);
        let found = &self.probed.ids[done..self.probed.len];
        model.pass(found, &mut self.scratch);
        sink.ids(found);
    }

    /// Gives the sink the ids that are gathered.
    #[inline]
    fn hand_over(&mut self, model: &Model, sink: &mut impl Sink) {
        let ids = self.joined.take();
        model.pass(ids, &mut self.scratch);
        sink.ids(ids);
    }

    /// The ids of a piece that the front table does not know, with its hash.
    fn encode_unknown(&mut self, model: &Model, piece: &[u8], hash: u64) -> &[u32] {
        if let Some(ids) = self.cache.get(hash, piece) {
            self.ids.clear();
            self.ids.extend(ids.iter());
            model.pass(&self.ids, &mut self.scratch);
            return &self.ids;
        }
        if self.encode_afresh(model, piece).1 {
            remember(&mut self.front, &mut self.cache, piece, hash, &self.ids);
        }
        &self.ids
    }

    /// The ids of a piece that is not looked up, and whether it has these ids wherever it stands.
    fn encode_afresh(&mut self, model: &Model, piece: &[u8]) -> (&[u32], bool) {
        self.ids.clear();
        let mut always = true;
        match model {
            Model::Bpe(bpe) => match bpe.whole_unmerged(piece) {
                Some(id) => self.ids.push(id),
                None => self.encode_parts(bpe, piece),
            },
            Model::Unigram(unigram) => {
                always = unigram.encode(piece, &mut self.scratch.unigram, &mut self.ids);
            }
            Model::WordPiece(model) => model.encode(piece, &mut self.scratch.wordpiece, &mut self.ids),
            Model::WordLevel(model) => self.ids.push(model.encode(piece)),
        }
        (&self.ids, always)
    }

    /// Encodes a piece by merging, part by part.
    fn encode_parts(&mut self, bpe: &Bpe, piece: &[u8]) {
        let Some(cuts) = bpe.cuts() else { return bpe.merge(piece, &mut self.scratch.bpe, &mut self.ids) };
        if bpe.knows(piece) {
            return self.encode_known(bpe, cuts, piece);
        }
        for stretch in bpe.stretches(piece) {
            match stretch {
                Stretch::Known(known) => self.encode_known(bpe, cuts, &known),
                Stretch::Unknown(id) => self.ids.push(id),
            }
        }
    }

    /// Encodes a piece without unknown text, part by part between safe cuts.
    fn encode_known(&mut self, bpe: &Bpe, cuts: &SafeCuts, piece: &[u8]) {
        let first = cuts.first_part(piece);
        if first == piece.len() {
            return bpe.merge(piece, &mut self.scratch.bpe, &mut self.ids);
        }
        let mut rest = piece;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(cuts.first_part(rest));
            self.encode_part(bpe, part);
            rest = after;
        }
    }

    fn encode_part(&mut self, bpe: &Bpe, part: &[u8]) {
        if bpe.has_unmerged() {
            // What the tables know is how a part is encoded as a piece of its own, which may be otherwise.
            return bpe.merge(part, &mut self.scratch.bpe, &mut self.ids);
        }
        let hash = key::hash(part);
        let found = self.front.get_piece(part, hash);
        if !found.is_empty() {
            return self.ids.extend_from_slice(found);
        }
        if let Some(ids) = self.cache.get(hash, part) {
            self.ids.extend(ids.iter());
            return;
        }
        let begin = self.ids.len();
        bpe.merge(part, &mut self.scratch.bpe, &mut self.ids);
        remember(&mut self.front, &mut self.cache, part, hash, &self.ids[begin..]);
    }
}

/// Puts a piece where it will be looked for first; the cache takes what the front table cannot hold or gives up.
fn remember(front: &mut FrontTable, cache: &mut PieceCache, piece: &[u8], hash: u64, ids: &[u32]) {
    let kept = piece.len() <= SHORT
        && front.insert(short_key(piece, 0, piece.len()), hash, ids, |key, ids| {
            let (bytes, len) = key::bytes_of(key);
            cache.insert(hash_short(key), &bytes[..len], ids);
        });
    if !kept {
        cache.insert(hash, piece, ids);
    }
}

/// Words behind what is copied in chunks that may be read and written as well.
const SLACK: usize = 16;

/// What the tables say of a group; kept from group to group, as clearing it takes time.
#[derive(Debug)]
struct Probed {
    /// Ids of the pieces that the front table knows, end to end.
    ids: [u32; GROUP * IDS + SLACK],
    len: usize,
    keys: [u128; GROUP],
    hashes: [u64; GROUP],
    /// The pieces that it does not know, [`Self::unknowns`] of them.
    unknown: [Unknown; GROUP],
    /// Where the cache may hold them.
    positions: [u32; GROUP],
    unknowns: usize,
}

/// A piece that the front table does not know.
#[derive(Clone, Copy, Debug, Default)]
struct Unknown {
    /// Its number in the group.
    index: u8,
    /// How many ids of known pieces stand before it.
    place: u8,
}

impl Probed {
    fn new() -> Self {
        Self {
            ids: [0; GROUP * IDS + SLACK],
            len: 0,
            keys: [0; GROUP],
            hashes: [0; GROUP],
            unknown: [Unknown::default(); GROUP],
            positions: [0; GROUP],
            unknowns: 0,
        }
    }

    #[inline]
    fn run(&mut self, front: &FrontTable, text: &[u8], base: usize, group: &[(u32, u32)]) {
        let front = front.buckets();
        for ((&(begin, end), key), hash) in group.iter().zip(&mut self.keys).zip(&mut self.hashes) {
            // A long piece gets a key that no short piece has, and is not found.
            *key = short_key(text, base + begin as usize, (end - begin) as usize);
            *hash = hash_short(*key);
            front.prefetch(*hash);
        }
        let (mut len, mut unknowns) = (0, 0);
        for (index, (&key, &hash)) in self.keys.iter().zip(&self.hashes).enumerate().take(group.len()) {
            // All of what is found is written and its ids counted, or none; so nothing here depends on what it is.
            let (found, count) = front.get(key, hash);
            self.ids[len..=len + IDS].copy_from_slice(found);
            self.unknown[unknowns] = Unknown { index: index as u8, place: len as u8 };
            len += count;
            unknowns += usize::from(count == 0);
        }
        (self.len, self.unknowns) = (len, unknowns);
    }

    /// Looks up in the cache, by hash alone, what the front table does not know.
    #[inline]
    fn find_unknowns<'t>(&mut self, cache: &PieceCache, piece: impl Fn(u8) -> &'t [u8]) {
        let unknown = &self.unknown[..self.unknowns];
        for &Unknown { index, .. } in unknown {
            let (piece, hash) = (piece(index), &mut self.hashes[index as usize]);
            if piece.len() > SHORT {
                *hash = hash_long(piece);
            }
            cache.prefetch(*hash);
        }
        for (unknown, position) in unknown.iter().zip(&mut self.positions) {
            *position = cache.find(self.hashes[unknown.index as usize]);
        }
    }
}

/// Ids of a group on their way to the sink: gathered here in chunks, which costs less than handing over a few at a time.
#[derive(Debug)]
struct Joined {
    ids: [u32; 1024],
    len: usize,
}

impl Joined {
    fn new() -> Self {
        Self { ids: [0; 1024], len: 0 }
    }

    /// Whether so many ids can be appended.
    #[inline]
    fn has_room(&self, count: usize) -> bool {
        self.len + count + SLACK <= self.ids.len()
    }

    /// Appends a range of ids that have [`SLACK`] others behind them.
    #[inline]
    fn push_some(&mut self, ids: &[u32], range: Range<usize>) {
        let mut done = 0;
        while done < range.len() {
            let (from, to) = (range.start + done, self.len + done);
            self.ids[to..to + SLACK].copy_from_slice(&ids[from..from + SLACK]);
            done += SLACK;
        }
        self.len += range.len();
    }

    #[inline]
    fn push_remembered(&mut self, ids: Remembered<'_>) {
        ids.copy_to(&mut self.ids[self.len..]);
        self.len += ids.count;
    }

    /// All of them, to be handed over; afterwards there are none.
    #[inline]
    fn take(&mut self) -> &[u32] {
        let len = std::mem::take(&mut self.len);
        &self.ids[..len]
    }
}
