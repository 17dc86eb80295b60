//! Documents that are needed once more after their words have been counted, and the same as the ids of a base.

use std::path::Path;

use hashbrown::HashSet;

use crate::encoder::{Encoder, Sink};
use crate::error::Result;
use crate::merges::Merge;
use crate::model::{Bpe, BpeOptions, Model};
use crate::parallel;
use crate::pretokenize::Pieces;
use crate::vocab::Vocab;

use super::counter::CounterOptions;
use super::pair_table::pair;
use super::replay::{Replay, ReplayScratch};
use super::splitter::Splitter;
use super::spool::{Block, Spool};

/// The documents of a corpus, in no particular order, in memory or in temporary files.
#[derive(Debug, Default)]
pub struct Documents {
    spool: Spool,
}

impl Documents {
    pub(super) fn append(&mut self, other: Self) {
        self.spool.append(other.spool);
    }

    /// Bytes of all documents, and four more for each.
    pub(super) fn bytes(&self) -> usize {
        self.spool.blocks().iter().map(Block::len).sum()
    }
}

/// Bytes of a block: enough to be read at one go, few enough to be freed one by one.
const BLOCK_BYTES: usize = if cfg!(test) { 20 } else { 4 << 20 };

/// Documents on their way into [`Documents`], each behind its length.
#[derive(Debug, Default)]
pub(super) struct KeptDocuments {
    spool: Spool,
    block: Vec<u8>,
}

impl KeptDocuments {
    /// Keeps a document. One of 2^32 bytes or more is kept in parts.
    pub(super) fn push(&mut self, document: &[u8]) {
        for part in document.chunks(u32::MAX as usize) {
            if self.block.len() + part.len() > BLOCK_BYTES && !self.block.is_empty() {
                self.spool.push(std::mem::take(&mut self.block));
            }
            if self.block.capacity() == 0 {
                self.block.reserve_exact(BLOCK_BYTES.max(part.len() + 4));
            }
            self.block.extend_from_slice(&(part.len() as u32).to_le_bytes());
            self.block.extend_from_slice(part);
        }
    }

    /// Bytes of memory in use.
    pub(super) fn memory(&self) -> usize {
        self.spool.memory() + self.block.capacity()
    }

    /// Moves what is in memory to a file.
    pub(super) fn spill(&mut self, directory: &Path) -> Result<()> {
        self.spool.push(std::mem::take(&mut self.block));
        self.spool.spill(directory)
    }

    pub(super) fn finish(mut self) -> Documents {
        self.spool.push(self.block);
        Documents { spool: self.spool }
    }
}

/// Calls `visit` with each document of a block.
fn for_each_document(mut block: &[u8], mut visit: impl FnMut(&[u8])) {
    while let Some((len, rest)) = block.split_first_chunk() {
        let (document, rest) = rest.split_at(u32::from_le_bytes(*len) as usize);
        visit(document);
        block = rest;
    }
}

/// Stands behind each piece of ids. Not an id.
pub(super) const END: u32 = u32::MAX;

/// The pieces of documents as ids, each followed by [`END`].
#[derive(Debug, Default)]
pub(super) struct EncodedPieces {
    spool: Spool,
}

impl EncodedPieces {
    /// Ids and ends in all.
    pub(super) fn len(&self) -> usize {
        self.spool.blocks().iter().map(Block::len).sum::<usize>() / size_of::<u32>()
    }

    /// The blocks of all pieces, in at most `parts` shares of about equal length.
    pub(super) fn shares(&self, parts: usize) -> Vec<&[Block]> {
        let blocks = self.spool.blocks();
        parallel::balanced(blocks.iter().map(Block::len), parts).into_iter().map(|share| &blocks[share]).collect()
    }
}

/// Calls `visit` with the ids of each piece in `blocks`.
pub(super) fn for_each_piece(blocks: &[Block], mut visit: impl FnMut(&[u32]) -> Result<()>) -> Result<()> {
    let (mut buffer, mut ids) = (Vec::new(), Vec::new());
    for block in blocks {
        block.with(&mut buffer, |bytes| {
            ids.clear();
            ids.extend(bytes.as_chunks().0.iter().map(|&id| u32::from_le_bytes(id)));
        })?;
        for piece in ids.split(|&id| id == END) {
            visit(piece)?;
        }
    }
    Ok(())
}

/// Turns documents into the ids that the merges of a base make of their pieces.
///
/// Encoding looks for the merge of lowest rank each time, training applies merges in order. That is the same where
/// every merge comes after those that make its parts, as a trainer's do; other lists are applied one by one.
pub(super) struct BaseEncoder {
    model: Model,
    replay: Option<Replay>,
}

impl BaseEncoder {
    pub(super) fn new(vocab: &Vocab, merges: Vec<Merge>) -> Result<Self> {
        let replay = (!are_in_order(&merges, vocab.size())).then(|| Replay::new(merges.clone()));
        Ok(Self { model: Model::Bpe(Bpe::new(vocab.clone(), merges, BpeOptions::default())?), replay })
    }

    /// Encodes documents, which are given up on the way. `tell` is told of the bytes that are done.
    pub(super) fn encode(
        &self,
        documents: Documents,
        splitter: &Splitter,
        options: &CounterOptions,
        tell: impl Fn(usize) -> Result<()>,
    ) -> Result<EncodedPieces> {
        let threads = parallel::threads_for(documents.bytes(), options.threads);
        let directory = options.temporary_directory.clone().unwrap_or_else(std::env::temp_dir);
        let room = options.memory_limit.map_or(usize::MAX, |limit| limit / (4 * threads));
        let mut lanes: Vec<Lane> = (0..threads).map(|_| Lane::new(&self.model)).collect();
        let mut blocks = documents.spool.into_blocks().into_iter();
        let mut done = 0;
        while blocks.len() > 0 {
            let work: Vec<(&mut Lane, Block)> = lanes.iter_mut().zip(blocks.by_ref()).collect();
            done += work.iter().map(|(_, block)| block.len()).sum::<usize>();
            let encoded = parallel::map(work, threads, |(lane, block)| {
                self.encode_block(&block, splitter, lane)?;
                if lane.spool.memory() > room { lane.spool.spill(&directory) } else { Ok(()) }
            });
            encoded.into_iter().collect::<Result<()>>()?;
            tell(done)?;
        }
        let mut spool = Spool::default();
        for lane in lanes {
            spool.append(lane.spool);
        }
        Ok(EncodedPieces { spool })
    }

    fn encode_block(&self, block: &Block, splitter: &Splitter, lane: &mut Lane) -> Result<()> {
        let Lane { scratch, buffer, spool } = lane;
        let mut ids = EndedIds::default();
        block.with(buffer, |bytes| {
            for_each_document(bytes, |document| self.encode_document(document, splitter, scratch, &mut ids));
        })?;
        spool.push(ids.bytes);
        Ok(())
    }

    fn encode_document(&self, document: &[u8], splitter: &Splitter, scratch: &mut Scratch, ids: &mut EndedIds) {
        let Some(replay) = &self.replay else {
            let text = splitter.prepare(document);
            scratch.encoder.encode(splitter.pretokenizer(), &self.model, &text, 0, text.len(), ids);
            return;
        };
        let Scratch { pieces, replay: links, symbols, .. } = scratch;
        splitter.split(document, pieces, |text, pieces| {
            let text = &text[pieces.base..];
            for &(begin, end) in &pieces.ends {
                symbols.clear();
                let bytes = text[begin as usize..end as usize].iter();
                symbols.extend(bytes.filter_map(|byte| self.model.vocab().id(std::slice::from_ref(byte))));
                replay.apply(symbols, links);
                ids.end(symbols);
            }
        });
    }
}

/// Whether each merge comes after all that make its parts, so that looking for the lowest rank is applying in order.
fn are_in_order(merges: &[Merge], ids: usize) -> bool {
    let mut made = vec![None; ids];
    for (rank, merge) in merges.iter().enumerate() {
        made[merge.result as usize] = Some(rank);
    }
    let before = |id: u32, rank| made[id as usize].is_none_or(|made| made < rank);
    let once = merges.iter().map(|merge| pair(merge.left, merge.right)).collect::<HashSet<_>>().len() == merges.len();
    once && merges.iter().enumerate().all(|(rank, merge)| before(merge.left, rank) && before(merge.right, rank))
}

/// One thread's share of the work.
struct Lane {
    scratch: Scratch,
    /// A block that was read from a file.
    buffer: Vec<u8>,
    spool: Spool,
}

impl Lane {
    fn new(model: &Model) -> Self {
        Self { scratch: Scratch::new(model), buffer: Vec::new(), spool: Spool::default() }
    }
}

/// What a thread encodes with.
struct Scratch {
    encoder: Encoder,
    pieces: Pieces,
    replay: ReplayScratch,
    symbols: Vec<u32>,
}

/// Memory for the tables of an encoder: enough for the frequent parts of a large corpus.
const TABLE_BYTES: usize = 64 << 20;

impl Scratch {
    fn new(model: &Model) -> Self {
        Self {
            encoder: Encoder::new(model, TABLE_BYTES),
            pieces: Pieces::default(),
            replay: ReplayScratch::default(),
            symbols: Vec::new(),
        }
    }
}

/// Collects the ids of pieces with their ends, as bytes.
#[derive(Default)]
struct EndedIds {
    bytes: Vec<u8>,
}

impl Sink for EndedIds {
    const BY_PIECE: bool = true;

    fn ids(&mut self, ids: &[u32]) {
        self.bytes.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
    }

    fn piece(&mut self, _model: &Model, _piece: &[u8], _begin: usize, ids: &[u32]) {
        self.end(ids);
    }
}

impl EndedIds {
    /// Adds the ids of a piece. One of one id has nothing to merge.
    fn end(&mut self, ids: &[u32]) {
        if ids.len() > 1 {
            self.ids(ids);
            self.bytes.extend_from_slice(&END.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pretokenize::Pretokenizer;
    use crate::vocab::Spelling;

    /// Entries are the bytes and runs of `a` with a blank behind or not; merges are any that spell one of them.
    fn base(picks: &[(u32, u32)]) -> (Vocab, Vec<Merge>) {
        let mut vocab = Vocab::new(Spelling::ByteLevel);
        for byte in 0..=255u8 {
            vocab.insert(u32::from(byte), &[byte]).unwrap();
        }
        for length in 2..8u32 {
            vocab.insert(254 + length, &vec![b'a'; length as usize]).unwrap();
        }
        let run = |length: u32| if length == 1 { u32::from(b'a') } else { 254 + length };
        let merge = |&(left, right)| Merge { left: run(left), right: run(right), result: run(left + right) };
        (vocab, picks.iter().map(merge).collect())
    }

    proptest! {
        #[test]
        fn encoding_is_applying_the_merges_in_order(
            picks in prop::collection::vec((1u32..4, 1u32..4), 0..12),
            documents in prop::collection::vec("[ab ]{0,30}", 0..8),
            limit in prop_oneof![Just(None), Just(Some(1usize))],
        ) {
            let (vocab, merges) = base(&picks);
            let replay = Replay::new(merges.clone());
            let mut kept = KeptDocuments::default();
            let mut expected = Vec::new();
            for document in &documents {
                kept.push(document.as_bytes());
                let mut ids: Vec<u32> = document.bytes().map(u32::from).collect();
                replay.apply(&mut ids, &mut ReplayScratch::default());
                if ids.len() > 1 {
                    expected.push(ids);
                }
            }
            if limit.is_some() {
                kept.spill(&std::env::temp_dir()).unwrap();
            }
            let splitter = Splitter::new(None, Pretokenizer::new(Vec::new()).unwrap());
            let options = CounterOptions { memory_limit: limit, threads: Some(1), ..CounterOptions::default() };
            let encoder = BaseEncoder::new(&vocab, merges).unwrap();
            let encoded = encoder.encode(kept.finish(), &splitter, &options, |_| Ok(())).unwrap();
            let mut found = Vec::new();
            for share in encoded.shares(3) {
                for_each_piece(share, |piece| {
                    found.extend((!piece.is_empty()).then(|| piece.to_vec()));
                    Ok(())
                })
                .unwrap();
            }
            prop_assert_eq!(found, expected);
        }
    }
}
