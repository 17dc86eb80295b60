//! Training a byte-pair encoding from counted pieces.

use crate::error::{Error, Result};
use crate::merges::Merge;
use crate::parallel;
use crate::vocab::Vocab;

use super::checkpoint::{CheckpointFile, Left};
use super::counts::WordCounts;
use super::entries::Entries;
use super::merge_loop::{Limits, MergeLoop};
use super::options::BpeTrainerOptions;
use super::replay::{Replay, ReplayScratch};
use super::run::{Run, Step};
use super::symbols::Symbols;
use super::trace::Trace;
use super::watch::Watch;

/// What a training run made.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Special tokens, alphabet and merged entries, spelled as in byte-level files.
    pub vocab: Vocab,
    /// The merges in order of rank, those of the base first.
    pub merges: Vec<Merge>,
    /// How often the pair of each merge occurred when it was chosen; 0 for those of the base.
    pub merge_counts: Vec<u64>,
    /// The special tokens that were asked for, and their ids.
    pub special_tokens: Vec<(String, u32)>,
    /// Runs of blanks and line feeds that fill up to `pad_to`, and their ids, which follow those of `vocab`. They are
    /// not in `vocab`: no merge makes them, so a tokenizer needs them as added tokens.
    pub padding: Vec<(String, u32)>,
    /// Why it went no further.
    pub stop: Stop,
    /// The pair-count changes, where they were asked for.
    pub trace: Option<Trace>,
}

/// Why a training run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stop {
    /// The vocabulary has the size that was asked for.
    VocabSize,
    /// No pair is left that is frequent enough and not vetoed.
    NoPairLeft,
}

/// Trains a byte-pair encoding.
///
/// Merges are those of tokenizers' `BpeTrainer`, in the same order: the pair with the highest count, among equals the
/// one with the smaller left id, then the smaller right id; a merge whose string is an entry already gets the id of
/// that entry. The result depends on the counts and the options alone.
pub fn train_bpe(counts: &WordCounts, options: &BpeTrainerOptions, watch: &dyn Watch) -> Result<Trained> {
    let (run, stop, _) = run(counts, options, "", watch)?;
    run.finish(stop, options.pad_to)
}

impl BpeTrainerOptions {
    /// Refuses what no corpus would make possible, and returns the special tokens and their ids.
    pub fn check(&self) -> Result<Vec<(String, u32)>> {
        if let Some(checkpoint) = &self.checkpoint {
            if self.trace {
                let what = "together with trace: the changes before an interruption are lost";
                return Err(Error::unsupported("checkpoint", what));
            }
            checkpoint.check()?;
        }
        Ok(Entries::new(&Corpus::unknown(), self)?.into_parts().1)
    }
}

/// Trains up to the point where the result is put together, or another stage begins. Returns the steps of that stage
/// that an interrupted run left, too. `besides` is what decides merges besides the options.
pub(super) fn run(
    counts: &WordCounts,
    options: &BpeTrainerOptions,
    besides: &str,
    watch: &dyn Watch,
) -> Result<(Run, Stop, Vec<Step>)> {
    options.check()?;
    let corpus = Corpus::of(counts)?;
    let mut entries = Entries::new(&corpus, options)?;
    let start = entries.size();
    let checkpoint = options.checkpoint.as_ref();
    let checkpoint =
        checkpoint.map(|checkpoint| CheckpointFile::new(checkpoint, counts, options, besides)).transpose()?;
    let mut steps: Vec<Step> = options.base.iter().flat_map(|base| &base.merges).map(|&merge| (merge, 0)).collect();
    let inherited = steps.len();
    let Left { steps: mut left, first } = checkpoint.as_ref().map_or(Ok(Left::default()), CheckpointFile::read)?;
    let later = left.split_off(first.unwrap_or(left.len()));
    left.iter().try_for_each(|&(merge, _)| entries.redo(merge))?;
    steps.extend(left);
    let limits = corpus.limits(counts, options)?;
    let symbols = if steps.is_empty() { spell(counts, &entries) } else { replay(counts, &entries, &steps) }?;
    let merge_loop = MergeLoop::new(symbols, entries.size(), options.min_frequency, corpus.guess(options), limits);
    let trace = options.trace.then(|| Trace::new(&merge_loop.counts()));
    let mut run = Run { merge_loop, entries, steps, inherited, trace, checkpoint };
    let stop = run.merge(options, start, watch)?;
    if let Some(checkpoint) = &mut run.checkpoint {
        checkpoint.first = Some(run.steps.len() - inherited);
    }
    Ok((run, stop, later))
}

/// Totals over all pieces.
pub(super) struct Corpus {
    /// Symbols of all distinct pieces, before the first merge, and a separator for each.
    cells: usize,
    /// Bytes, each as often as it occurs.
    bytes: u64,
    /// Which bytes occur.
    pub(super) seen: [bool; 256],
}

impl Corpus {
    /// A corpus of which nothing is known.
    pub(super) fn unknown() -> Self {
        Self { cells: 0, bytes: 0, seen: [false; 256] }
    }

    pub(super) fn of(counts: &WordCounts) -> Result<Self> {
        let (mut cells, mut bytes, mut seen) = (0, Some(0u64), [false; 256]);
        counts.for_each(|piece, count| {
            cells += piece.len() + 1;
            bytes = bytes.zip(count.checked_mul(piece.len() as u64)).and_then(|(sum, more)| sum.checked_add(more));
            for &byte in piece {
                seen[usize::from(byte)] = true;
            }
        })?;
        match bytes {
            None => Err(Error::option("source", "counts more than 2^64 bytes")),
            Some(0) => Err(Error::option("source", "is empty: there is nothing to train on")),
            Some(bytes) => Ok(Self { cells, bytes, seen }),
        }
    }

    /// About the count of the last merge: that of a natural corpus occurs several times more often than this.
    pub(super) fn guess(&self, options: &BpeTrainerOptions) -> u64 {
        self.bytes / (1024 * options.vocab_size.max(1) as u64)
    }

    /// What the merge loop may use. A memory limit that it would exceed is refused.
    pub(super) fn limits(&self, counts: &WordCounts, options: &BpeTrainerOptions) -> Result<Limits> {
        let threads = parallel::threads_for(self.cells, options.threads);
        let most = POSITIONS.max(self.cells / 4);
        let Some(limit) = options.memory_limit else { return Ok(Limits { positions: most, threads }) };
        let fixed = counts.memory() + self.cells * size_of::<u32>() + BYTES_BESIDE;
        let (least, bytes) = (self.cells.min(LEAST_POSITIONS), limit.saturating_sub(fixed));
        if bytes / BYTES_PER_POSITION < least {
            let (pieces, needed) = (counts.len(), fixed + least * BYTES_PER_POSITION);
            let why = format!("{limit} bytes are too few for {pieces} distinct pieces, which take about {needed}");
            return Err(Error::option("memory_limit", why));
        }
        Ok(Limits { positions: most.min(bytes / BYTES_PER_POSITION), threads })
    }
}

/// Positions that are listed at a time, where no memory limit says otherwise; of large corpora, as many as a quarter of
/// their cells.
pub(super) const POSITIONS: usize = 1 << 26;

/// A run on a large corpus goes on with this many positions, in more rounds.
const LEAST_POSITIONS: usize = 1 << 22;

/// A position in a list, which has half as much room again, and the notes of a neighbour that are made from it.
const BYTES_PER_POSITION: usize = 8;

/// Tables of pairs and neighbours.
const BYTES_BESIDE: usize = 32 << 20;

/// Pieces as the ids of their bytes.
fn spell(counts: &WordCounts, entries: &Entries) -> Result<Symbols> {
    Symbols::new(|visit| {
        let mut symbols = Vec::new();
        counts.for_each(|piece, count| {
            symbols.clear();
            symbols.extend(piece.iter().map(|&byte| entries.byte_id(byte)));
            visit(&symbols, count);
        })
    })
}

/// Pieces after `steps`.
fn replay(counts: &WordCounts, entries: &Entries, steps: &[Step]) -> Result<Symbols> {
    let replay = Replay::new(steps.iter().map(|&(merge, _)| merge).collect());
    let mut scratch = ReplayScratch::default();
    let (mut piece_symbols, mut all, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    counts.for_each(|piece, count| {
        piece_symbols.clear();
        piece_symbols.extend(piece.iter().map(|&byte| entries.byte_id(byte)));
        replay.apply(&mut piece_symbols, &mut scratch);
        all.extend_from_slice(&piece_symbols);
        ends.push((all.len(), count));
    })?;
    Symbols::new(|visit| {
        let mut begin = 0;
        for &(end, count) in &ends {
            visit(&all[begin..end], count);
            begin = end;
        }
        Ok(())
    })
}
