//! Training superwords: a byte-pair encoding whose later merges may span several words.
//!
//! The first stage is ordinary training on counted words. The second goes on, from the merges of the first, on the same
//! documents cut much more coarsely, so that words may merge with their neighbours; a veto keeps the entries short.
//!
//! What makes the second stage fit into memory: all occurrences of a symbol came about by the same merges, so when two
//! symbols meet, the ids at their border are the same two wherever they meet, and they cannot meet more often than those
//! two ids did at first. Where two ids are neighbours less often than the last merge occurs, nothing will ever merge
//! across. So the encoded documents are cut there, in one pass over ids that may lie on disk, and equal pieces are
//! counted once; what is left to merge grows much slower than the corpus. Which count the last merge will have is
//! guessed, and where the guess was too high the pieces are cut again with a lower one. The result is exact.
//!
//! The procedure is that of Liu and others, "`SuperBPE`: Space Travel for Language Models" (2025).

use crate::error::{Error, Result};
use crate::merges::Merge;
use crate::parallel;

use super::bpe::{self, POSITIONS, Stop, Trained};
use super::count_table::CountTable;
use super::counter::CounterOptions;
use super::counts::WordCounts;
use super::documents::{BaseEncoder, Documents, EncodedPieces, for_each_piece};
use super::merge_loop::{Limits, MergeLoop};
use super::options::BpeTrainerOptions;
use super::pair_sketch::PairSketch;
use super::replay::{Replay, ReplayScratch};
use super::run::{Run, Step};
use super::spill;
use super::splitter::Splitter;
use super::symbols::Symbols;
use super::veto::Veto;
use super::watch::{Phase, Watch, report};

/// Options of [`train_superbpe`].
#[derive(Clone, Debug)]
pub struct SuperBpeOptions {
    /// Those of both stages; `vocab_size` is that of the end.
    pub bpe: BpeTrainerOptions,
    /// Entries of the first stage.
    pub transition: usize,
    /// What no merge of the second stage may make, besides what `bpe.veto` forbids in both.
    pub superword_veto: Option<Veto>,
    /// Where the second stage puts what does not fit into memory.
    pub counter: CounterOptions,
}

/// Trains words and then superwords. `words` are the words of `documents`, which are cut by `splitter` in the second
/// stage.
///
/// The result is that of the textbook: the merges of the first stage are applied to each piece of the second in order,
/// and then the most frequent pair is merged, again and again.
pub fn train_superbpe(
    words: WordCounts,
    documents: Documents,
    splitter: &Splitter,
    options: &SuperBpeOptions,
    watch: &dyn Watch,
) -> Result<Trained> {
    let first = first_options(options)?;
    let second = BpeTrainerOptions {
        veto: both(options.bpe.veto.as_ref(), options.superword_veto.as_ref())?,
        ..options.bpe.clone()
    };
    let besides =
        format!("{:?}", (options.bpe.vocab_size, second.veto.as_ref().map(Veto::rules), splitter.description()));
    let (mut run, _, left) = bpe::run(&words, &first, &besides, watch)?;
    drop(words);
    run.release();
    let start = run.entries.size();
    let corpus = EncodedCorpus::new(&run, documents, splitter, options, watch)?;
    let (least, mut count) = (options.bpe.min_frequency.max(1), corpus.guess(options.bpe.vocab_size - start));
    let inherited = run.steps.len();
    // What an interrupted run merged stands in pieces that are cut by no higher count than it had then.
    count = left.iter().fold(count, |count, &(_, lowest)| count.min(lowest));
    left.iter().try_for_each(|&(merge, _)| run.entries.redo(merge))?;
    run.steps.extend(left);
    let stop = loop {
        count = count.max(least);
        let symbols = corpus.symbols(count, &run.steps[inherited..])?;
        run.merge_loop = MergeLoop::new(symbols, run.entries.size(), count, count, corpus.limits);
        let stop = run.merge(&second, start, watch)?;
        if stop == Stop::VocabSize || count == least {
            break stop;
        }
        count /= 8;
    };
    run.finish(stop, options.bpe.pad_to)
}

impl SuperBpeOptions {
    /// Refuses what no corpus would make possible, and returns the special tokens and their ids.
    pub fn check(&self) -> Result<Vec<(String, u32)>> {
        first_options(self)?.check()
    }
}

/// The options of the first stage.
fn first_options(options: &SuperBpeOptions) -> Result<BpeTrainerOptions> {
    let refuse = |why: String| Err(Error::option("transition", why));
    if options.bpe.trace {
        return Err(Error::unsupported("train_superbpe", "trace, since pairs that cannot win are not counted"));
    }
    if options.transition > options.bpe.vocab_size {
        return refuse(format!("{} is more than vocab_size, {}", options.transition, options.bpe.vocab_size));
    }
    let size = options.bpe.base.as_ref().map_or(0, |base| base.vocab.size());
    if options.transition < size {
        return refuse(format!("{} is less than the base has, {size}: truncate the base first", options.transition));
    }
    Ok(BpeTrainerOptions { vocab_size: options.transition, pad_to: None, ..options.bpe.clone() })
}

fn both(some: Option<&Veto>, other: Option<&Veto>) -> Result<Option<Veto>> {
    match (some, other) {
        (Some(some), Some(other)) => some.and(other).map(Some),
        (some, other) => Ok(some.or(other).cloned()),
    }
}

/// The documents as the first stage leaves them, and upper bounds of what its pairs count.
struct EncodedCorpus<'o> {
    pieces: EncodedPieces,
    bounds: PairSketch,
    counter: &'o CounterOptions,
    limits: Limits,
}

impl<'o> EncodedCorpus<'o> {
    fn new(
        run: &Run,
        documents: Documents,
        splitter: &Splitter,
        options: &'o SuperBpeOptions,
        watch: &dyn Watch,
    ) -> Result<Self> {
        let total = documents.bytes() as u64;
        let merges: Vec<Merge> = run.steps.iter().map(|&(merge, _)| merge).collect();
        let encoder = BaseEncoder::new(run.entries.vocab(), merges)?;
        let pieces = encoder.encode(documents, splitter, &options.counter, |done| {
            report(watch, Phase::Encode, (done as u64).min(total), Some(total))
        })?;
        let (ids, threads) = (run.entries.size(), parallel::threads_for(4 * pieces.len(), options.counter.threads));
        let counted = PairSketch::of(pieces.shares(threads), pieces.len(), ids, |blocks, sketch| {
            for_each_piece(blocks, |piece| {
                for pair in piece.windows(2) {
                    sketch.add(pair[0], pair[1], 1);
                }
                Ok(())
            })
        })?;
        let positions = options.counter.memory_limit.map_or(POSITIONS, |limit| (limit / 32).min(POSITIONS));
        Ok(Self { pieces, bounds: counted, counter: &options.counter, limits: Limits { positions, threads } })
    }

    /// About the count of the last of so many merges, better too low: new pairs make up for some of those that merging
    /// others makes rarer.
    fn guess(&self, merges: usize) -> u64 {
        self.bounds.largest(4 * merges) / 2
    }

    /// The pieces, cut where ids are neighbours less than `count` times, after `steps`.
    fn symbols(&self, count: u64, steps: &[Step]) -> Result<Symbols> {
        let counts = self.cut(count)?;
        let replay = (!steps.is_empty()).then(|| Replay::new(steps.iter().map(|&(merge, _)| merge).collect()));
        Symbols::new(|visit| {
            let (mut ids, mut scratch) = (Vec::new(), ReplayScratch::default());
            counts.for_each(|piece, count| {
                ids.clear();
                ids.extend(piece.as_chunks().0.iter().copied().map(unpack));
                if let Some(replay) = &replay {
                    replay.apply(&mut ids, &mut scratch);
                }
                visit(&ids, count);
            })
        })
    }

    /// Counts the pieces, three bytes for each id.
    fn cut(&self, count: u64) -> Result<WordCounts> {
        let threads = self.limits.threads;
        let directory = self.counter.temporary_directory.clone().unwrap_or_else(std::env::temp_dir);
        let room = self.counter.memory_limit.map(|limit| limit / (4 * threads));
        let counted = parallel::map(self.pieces.shares(threads), threads, |blocks| {
            let (mut table, mut runs, mut packed) = (CountTable::default(), Vec::new(), Vec::new());
            for_each_piece(blocks, |piece| {
                for part in piece.chunk_by(|&left, &right| self.bounds.may_count(left, right, count)) {
                    if part.len() > 1 {
                        packed.clear();
                        packed.extend(part.iter().flat_map(|&id| pack(id)));
                        table.add_piece(&packed, 0, packed.len(), 1);
                    }
                }
                if room.is_some_and(|room| table.memory() > room) {
                    runs.push(spill::Run::spill(std::mem::take(&mut table), &directory)?);
                }
                Ok(())
            })?;
            Ok((table, runs))
        });
        let (mut tables, mut runs) = (Vec::new(), Vec::new());
        for share in counted {
            let (table, more) = share?;
            tables.push(table);
            runs.extend(more);
        }
        spill::total(tables, runs, &directory, threads)
    }
}

/// An id, which is below 2^24, in three bytes.
fn pack(id: u32) -> [u8; 3] {
    let [low, middle, high, _] = id.to_le_bytes();
    [low, middle, high]
}

fn unpack([low, middle, high]: [u8; 3]) -> u32 {
    u32::from_le_bytes([low, middle, high, 0])
}
