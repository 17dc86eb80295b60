//! Encoding the pieces of a text: probes of two tables of short pieces and of a bounded cache, and only then the model.
//!
//! Pieces come in blocks and are handled in groups, in stages ([`group`]): look the group up in the table of common
//! pieces; look up in the front table what that does not know; look up in the cache what neither knows; write all ids
//! out, and encode what is left. Between two stages of a group others go through theirs, so memory is fetched meanwhile
//! and hardly waited for, and the stages that every piece goes through have no branch that depends on the text. Short
//! texts are laid out one behind the other ([`documents`]), so that groups run across them.

mod cache;
mod common;
mod documents;
mod front;
mod group;
mod key;
#[cfg(target_arch = "x86_64")]
mod vector;
mod words;

use std::sync::Arc;

use cache::PieceCache;
use common::{CommonTable, END_ID};
use documents::Documents;
use front::FrontTable;
use group::{GROUP, Group, Joined, Merged, Path, Probed, Unknown};
use key::{SHORT, hash_short, short_key};
use words::Laid;
pub use words::Words;

use crate::memory;
use crate::model::bpe::{Bpe, SafeCuts, Stretch};
use crate::model::unigram::UnigramScratch;
use crate::model::{Model, ModelScratch};
use crate::pretokenize::{Pieces, Pretokenizer};

/// Stages that a group goes through, and so groups at work.
const STAGES: usize = 4;

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
        memory::append(self, ids);
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
    documents: Documents,
    laid: Laid,
}

#[derive(Debug)]
struct Tables {
    common: CommonTable,
    front: FrontTable,
    cache: PieceCache,
    /// The groups at work, [`STAGES`] of them.
    probed: Box<[Probed]>,
    joined: Box<Joined>,
    merged: Merged,
    scratch: ModelScratch,
    /// Ids of the piece being encoded.
    ids: Vec<u32>,
    /// Parts of long pieces.
    parts: Vec<(u32, u32)>,
    /// What makes pieces of words that are looked up as they stand in the text, once there were any.
    words: Option<Arc<Words>>,
    /// Whether pieces are such words now.
    are_words: bool,
}

impl Encoder {
    /// An encoder for `model` whose tables take at most `table_bytes` of memory; with 0, nothing is remembered.
    pub fn new(model: &Model, table_bytes: usize) -> Self {
        let front = FrontTable::new(model, table_bytes / 4);
        let common = CommonTable::new(model, table_bytes / 8);
        let tables = Tables {
            cache: PieceCache::new(table_bytes.saturating_sub(front.bytes() + common.bytes())),
            common,
            front,
            probed: (0..STAGES).map(|_| Probed::new(Path::best())).collect(),
            joined: Box::new(Joined::new()),
            merged: Merged::default(),
            scratch: ModelScratch::default(),
            ids: Vec::new(),
            parts: Vec::new(),
            words: None,
            are_words: false,
        };
        Self { tables, table_bytes, pieces: Pieces::default(), documents: Documents::default(), laid: Laid::default() }
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

    /// Forgets the documents that have not been encoded, if there are any.
    pub fn begin_documents(&mut self) {
        self.documents.clear();
    }

    /// Whether a document is one for [`Self::push_document`].
    pub fn takes_document(&self, model: &Model, text: &[u8]) -> bool {
        let by_groups = match model {
            Model::Bpe(_) => true,
            Model::Unigram(unigram) => !unigram.is_near_reset(text.len(), &UnigramScratch::default()),
            Model::WordPiece(_) | Model::WordLevel(_) => false,
        };
        by_groups && !self.tables.front.is_off() && Documents::take(text) && model.vocab().size() <= END_ID as usize
    }

    /// Takes a document to be encoded together with others, sooner or later, and hands the ids of those that are encoded
    /// now to `row`, each on its own and in order.
    pub fn push_document(
        &mut self,
        pretokenizer: &Pretokenizer,
        model: &Model,
        text: &[u8],
        mut row: impl FnMut(&[u32]),
    ) {
        if !self.documents.can_follow(text) {
            self.finish_documents(pretokenizer, model, &mut row);
        }
        self.documents.push(pretokenizer, text, &mut self.pieces);
        if self.documents.are_full() {
            self.finish_documents(pretokenizer, model, row);
        }
    }

    /// Encodes the documents that have been pushed.
    pub fn finish_documents(&mut self, pretokenizer: &Pretokenizer, model: &Model, row: impl FnMut(&[u32])) {
        self.documents.cut(pretokenizer, &mut self.pieces);
        self.documents.encode(&mut self.tables, model, row);
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
    /// From here on pieces are words as they stand in texts.
    fn begin_words(&mut self, words: &Arc<Words>) {
        if self.words.is_none() {
            self.words = Some(Arc::clone(words));
        }
        self.are_words = true;
    }

    fn end_words(&mut self) {
        self.are_words = false;
    }

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
        let are_others = self.words.is_some() && !self.are_words;
        if S::BY_PIECE || self.front.is_off() || are_others {
            return self.encode_singly(model, Group { text: &text[base..], base, pieces }, sink);
        }
        let group = |number: usize| Group {
            text: &text[base..],
            base,
            pieces: &pieces[number * GROUP..pieces.len().min((number + 1) * GROUP)],
        };
        let groups = pieces.len().div_ceil(GROUP);
        for step in 0..groups + STAGES - 1 {
            let at_stage = |stage: usize| step.checked_sub(stage).filter(|&number| number < groups);
            if let Some(number) = at_stage(0) {
                self.probed[number % STAGES].look_up_common(&self.common, &self.front, group(number));
            }
            if let Some(number) = at_stage(1) {
                let probed = &mut self.probed[number % STAGES];
                probed.look_up_front(&mut self.common, &self.front, &self.cache, group(number));
            }
            if let Some(number) = at_stage(2) {
                self.probed[number % STAGES].look_up_cache(&self.cache);
            }
            if let Some(number) = at_stage(3) {
                self.finish_group(model, number % STAGES, group(number), sink);
            }
        }
        self.hand_over(model, &text[base..], sink);
    }

    /// Encodes pieces one by one.
    fn encode_singly(&mut self, model: &Model, pieces: Group<'_>, sink: &mut impl Sink) {
        for &(begin, end) in pieces.pieces {
            let piece = &pieces.text[begin as usize..end as usize];
            let begin = pieces.base + begin as usize;
            if piece.is_empty() {
                // The end of a document.
                self.scratch.unigram.begin();
                sink.ids(&[END_ID]);
                continue;
            }
            // The tables may know what becomes of a word that reads like this piece, before it is normalised.
            let is_other = !self.are_words && self.words.as_ref().is_some_and(|words| !words.keeps(piece));
            if is_other || model.is_out_of_line(piece.len(), &self.scratch) {
                self.encode_afresh(model, piece);
                model.spell_out(&mut self.ids);
                sink.piece(model, piece, begin, &self.ids);
                continue;
            }
            let hash = key::hash(piece);
            let found = self.front.get_piece(piece, hash);
            if found.is_empty() {
                sink.piece(model, piece, begin, self.encode_unknown(model, piece, hash));
            } else {
                self.ids.clear();
                self.ids.extend_from_slice(&found);
                model.pass(&mut self.ids, &mut self.scratch);
                sink.piece(model, piece, begin, &self.ids);
            }
        }
    }

    /// Last stage of a group: hands its ids over, and encodes what is not remembered.
    fn finish_group(&mut self, model: &Model, probed: usize, group: Group<'_>, sink: &mut impl Sink) {
        if model.is_out_of_line(group.bytes().len(), &self.scratch) {
            return self.encode_singly(model, group, sink);
        }
        let unknowns = self.probed[probed].unknown().len();
        let mut done = 0;
        for at in 0..unknowns {
            let Unknown { index, place } = self.probed[probed].unknown()[at];
            let (place, piece) = (place as usize, group.piece(index));
            if !self.joined.has_room(place - done) {
                self.hand_over(model, group.text, sink);
            }
            self.joined.push_some(self.probed[probed].known_and_more(), done..place);
            done = place;
            let Probed { found, positions, .. } = &self.probed[probed];
            let (position, hash) = (positions[at], found.hashes[index as usize]);
            if let Some(ids) = self.cache.get_at(position, found.keys[index as usize], piece)
                && self.joined.has_room(ids.count)
            {
                self.joined.push_remembered(ids);
                continue;
            }
            let waiting = self.joined.waiting(group.text, hash, piece);
            if waiting.is_some() || position == 0 && self.put_in_batch(model, piece) {
                let (begin, end) = group.pieces[index as usize];
                self.joined.push_gap(hash, begin as usize..end as usize, waiting);
                if self.joined.has_enough_gaps() {
                    self.hand_over(model, group.text, sink);
                }
                continue;
            }
            self.hand_over(model, group.text, sink);
            sink.ids(self.encode_unknown(model, piece, hash));
        }
        let found = &self.probed[probed].known()[done..];
        if self.joined.has_gaps() && self.joined.has_room(found.len()) {
            // Waits with what stands before it.
            return self.joined.push(found);
        }
        if !self.joined.is_empty() {
            self.hand_over(model, group.text, sink);
        }
        let found = &mut self.probed[probed].known_mut()[done..];
        model.pass(found, &mut self.scratch);
        sink.ids(found);
    }

    /// Puts a piece into the batch, if it can wait.
    fn put_in_batch(&mut self, model: &Model, piece: &[u8]) -> bool {
        match model {
            Model::Bpe(bpe) => bpe.put_in_batch(piece, &mut self.scratch.bpe),
            _ => false,
        }
    }

    /// Gives the sink the ids that are gathered; those of the gaps between them are made now, and remembered. Positions of
    /// pieces are relative to `text`.
    #[inline]
    fn hand_over(&mut self, model: &Model, text: &[u8], sink: &mut impl Sink) {
        if self.joined.has_gaps() {
            return self.fill_gaps(model, text, sink);
        }
        let ids = self.joined.take();
        model.pass(ids, &mut self.scratch);
        sink.ids(ids);
    }

    fn fill_gaps(&mut self, model: &Model, text: &[u8], sink: &mut impl Sink) {
        let Model::Bpe(bpe) = model else { return };
        let Self { front, cache, joined, merged, scratch, .. } = self;
        merged.clear();
        bpe.merge_batch(&mut scratch.bpe, &mut merged.ids, &mut merged.ends);
        sink.ids(joined.filled(merged));
        let mut remembered = 0;
        for gap in joined.gaps() {
            if gap.number == remembered {
                remembered += 1;
                remember(front, cache, &text[gap.piece.clone()], gap.hash, merged.of(gap.number));
            }
        }
        joined.clear();
    }

    /// The ids of a piece that the front table does not know, with its hash.
    fn encode_unknown(&mut self, model: &Model, piece: &[u8], hash: u64) -> &[u32] {
        self.ids.clear();
        // Either table may have it since the group was looked up.
        let found = self.front.get_piece(piece, hash);
        let remembered = if found.is_empty() { self.cache.get(hash, piece) } else { None };
        if remembered.is_some() || !found.is_empty() {
            self.ids.extend_from_slice(&found);
            if let Some(ids) = remembered {
                self.ids.extend(ids.iter());
            }
            model.pass(&mut self.ids, &mut self.scratch);
            return &self.ids;
        }
        if self.encode_afresh(model, piece) {
            remember(&mut self.front, &mut self.cache, piece, hash, &self.ids);
        }
        model.spell_out(&mut self.ids);
        &self.ids
    }

    /// Replaces [`Self::ids`] by those of a piece that is not looked up, as tables keep them. Returns whether it has these
    /// ids wherever it stands.
    fn encode_afresh(&mut self, model: &Model, piece: &[u8]) -> bool {
        self.ids.clear();
        let mut always = true;
        match model {
            Model::Bpe(bpe) => match bpe.whole_unmerged(piece) {
                Some(id) => self.ids.push(id),
                None => self.encode_parts(bpe, piece),
            },
            Model::Unigram(unigram) => {
                let scratch = &mut self.scratch.unigram;
                always = match self.words.as_ref().filter(|_| self.are_words) {
                    Some(words) => words.encode(unigram, piece, scratch, &mut self.ids),
                    None => unigram.encode_for_tables(piece, scratch, &mut self.ids),
                };
            }
            Model::WordPiece(model) => model.encode(piece, &mut self.scratch.wordpiece, &mut self.ids),
            Model::WordLevel(model) => self.ids.push(model.encode(piece)),
        }
        always
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
            return self.ids.extend_from_slice(&found);
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

/// Puts a piece where it will be looked for first, if it is not there yet; the cache takes what the front table cannot hold
/// or gives up.
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
