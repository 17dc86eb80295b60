//! Training a byte-pair encoding from counted pieces.

use hashbrown::HashSet;

use crate::error::{Error, Result};
use crate::merges::Merge;
use crate::vocab::Vocab;

use super::checkpoint::CheckpointFile;
use super::counts::WordCounts;
use super::entries::Entries;
use super::merge_loop::{Candidate, MergeLoop};
use super::options::BpeTrainerOptions;
use super::replay::{Replay, ReplayScratch};
use super::symbols::Symbols;
use super::trace::Trace;
use super::watch::{Phase, Watch, report};

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
    if options.checkpoint.is_some() && options.trace {
        return Err(Error::unsupported(
            "checkpoint",
            "together with trace: the changes before an interruption are lost",
        ));
    }
    let corpus = Corpus::of(counts)?;
    let mut entries = Entries::new(&corpus, options)?;
    let start = entries.size();
    let checkpoint = options.checkpoint.as_ref();
    let checkpoint = checkpoint.map(|checkpoint| CheckpointFile::new(checkpoint, counts, options)).transpose()?;
    let mut steps: Vec<Step> = options.base.iter().flat_map(|base| &base.merges).map(|&merge| (merge, 0)).collect();
    let inherited = steps.len();
    if let Some(checkpoint) = &checkpoint {
        steps.extend(checkpoint.read()?);
        steps[inherited..].iter().try_for_each(|&(merge, _)| entries.redo(merge))?;
    }
    corpus.check_memory(counts, options.memory_limit)?;
    let symbols = if steps.is_empty() { spell(counts, &entries) } else { replay(counts, &entries, &steps) }?;
    // The last merge of a natural corpus occurs several times more often than this.
    let guess = corpus.bytes / (1024 * options.vocab_size as u64);
    let merge_loop = MergeLoop::new(symbols, entries.size(), options.min_frequency, guess);
    let trace = options.trace.then(|| Trace::new(&merge_loop.counts()));
    let mut run = Run { merge_loop, entries, steps, inherited, trace, checkpoint };
    let total = (options.vocab_size - start) as u64;
    let stop =
        run.merge(options, |run| report(watch, Phase::Merge, (run.entries.size() - start) as u64, Some(total)))?;
    run.finish(stop, options.pad_to)
}

/// A merge and how often its pair occurred when it was chosen.
type Step = (Merge, u64);

/// A run under way.
struct Run {
    merge_loop: MergeLoop,
    entries: Entries,
    /// Those of the base first.
    steps: Vec<Step>,
    /// How many steps are the base's.
    inherited: usize,
    trace: Option<Trace>,
    checkpoint: Option<CheckpointFile>,
}

/// Occurrences merged between two reports: a few milliseconds.
const WORK_PER_REPORT: u64 = 1 << 18;

impl Run {
    /// Merges until the vocabulary is full or no pair is left.
    fn merge(&mut self, options: &BpeTrainerOptions, report: impl Fn(&Self) -> Result<()>) -> Result<Stop> {
        let (mut reported, mut candidates) = (0, 0u64);
        report(self)?;
        while self.entries.size() < options.vocab_size {
            let Some(candidate) = self.merge_loop.next() else { return Ok(Stop::NoPairLeft) };
            candidates += 1;
            if self.merge_loop.work() - reported > WORK_PER_REPORT || candidates % 1024 == 0 {
                reported = self.merge_loop.work();
                report(self)?;
                if let Some(checkpoint) = &mut self.checkpoint {
                    checkpoint.write_if_due(&self.steps[self.inherited..])?;
                }
            }
            if self.entries.allows(candidate.left, candidate.right, options.veto.as_ref()) {
                self.take(candidate)?;
            } else {
                self.merge_loop.drop_pair(candidate);
            }
        }
        report(self)?;
        Ok(Stop::VocabSize)
    }

    fn take(&mut self, candidate: Candidate) -> Result<()> {
        let Self { merge_loop, entries, steps, trace, .. } = self;
        let Candidate { left, right, count } = candidate;
        let (result, known) = entries.merged(left, right)?;
        steps.push((Merge { left, right, result }, count));
        let may_merge = |left, right| entries.fits(left, right);
        match trace {
            Some(trace) => {
                trace.begin(count);
                merge_loop.merge(candidate, result, known, may_merge, |change| trace.note(change));
                trace.end();
            }
            None => merge_loop.merge(candidate, result, known, may_merge, |_| ()),
        }
        Ok(())
    }

    fn finish(self, stop: Stop, pad_to: Option<usize>) -> Result<Trained> {
        let (vocab, special_tokens) = self.entries.into_parts();
        let padding = pad_to.map_or_else(Vec::new, |size| padding(&vocab, size));
        let (merges, merge_counts) = last_of_repeated(&self.steps).into_iter().unzip();
        if let Some(checkpoint) = self.checkpoint {
            checkpoint.remove()?;
        }
        Ok(Trained { vocab, merges, merge_counts, special_tokens, padding, stop, trace: self.trace })
    }
}

/// A pair may be merged again after its parts came into being by another path; it has one rank then, the last.
fn last_of_repeated(steps: &[Step]) -> Vec<Step> {
    let mut seen = HashSet::with_capacity(steps.len());
    let unseen = steps.iter().rev().filter(|(merge, _)| seen.insert((merge.left, merge.right)));
    let mut kept: Vec<Step> = unseen.copied().collect();
    kept.reverse();
    kept
}

/// Runs of two, three, ... blanks and line feeds that are not entries, up to `size` entries in all.
fn padding(vocab: &Vocab, size: usize) -> Vec<(String, u32)> {
    let runs = (2..).flat_map(|length| [" ".repeat(length), "\n".repeat(length)]);
    let absent = runs.filter(|run| vocab.id(run.as_bytes()).is_none());
    absent.zip(vocab.size() as u32..size as u32).collect()
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
    fn of(counts: &WordCounts) -> Result<Self> {
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

    /// Refuses a limit that the merge loop would exceed.
    fn check_memory(&self, counts: &WordCounts, limit: Option<usize>) -> Result<()> {
        let needed = counts.memory() + self.cells * BYTES_PER_CELL + (32 << 20);
        match limit {
            Some(limit) if limit < needed => {
                let pieces = counts.len();
                let why = format!("{limit} bytes are too few for {pieces} distinct pieces, which take about {needed}");
                Err(Error::option("memory_limit", why))
            }
            _ => Ok(()),
        }
    }
}

/// Memory of the merge loop for each symbol that a distinct piece begins with: the cell, and its position in the
/// lists of pairs, which have half as much room again.
const BYTES_PER_CELL: usize = 11;

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
