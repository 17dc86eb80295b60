//! Training a byte-pair encoding from counted pieces.

use hashbrown::HashSet;

use crate::error::{Error, Result};
use crate::merges::Merge;
use crate::vocab::Vocab;

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
    let corpus = Corpus::of(counts)?;
    let mut entries = Entries::new(&corpus, options)?;
    let inherited = options.base.as_ref().map_or(&[][..], |base| &base.merges);
    let symbols = if inherited.is_empty() { spell(counts, &entries) } else { replay(counts, &entries, inherited) }?;
    // The last merge of a natural corpus occurs several times more often than this.
    let guess = corpus.bytes / (1024 * options.vocab_size as u64);
    let mut merge_loop = MergeLoop::new(symbols, entries.size(), options.min_frequency, guess);
    let mut run = Run {
        merges: inherited.to_vec(),
        merge_counts: vec![0; inherited.len()],
        trace: options.trace.then(|| Trace::new(&merge_loop.counts())),
    };
    let stop = run.merge(&mut merge_loop, &mut entries, options, watch)?;
    run.finish(entries, stop, options.pad_to)
}

/// What a run has made so far.
struct Run {
    merges: Vec<Merge>,
    merge_counts: Vec<u64>,
    trace: Option<Trace>,
}

/// Occurrences merged between two reports: a few milliseconds.
const WORK_PER_REPORT: u64 = 1 << 18;

impl Run {
    /// Merges until the vocabulary is full or no pair is left.
    fn merge(
        &mut self,
        merge_loop: &mut MergeLoop,
        entries: &mut Entries,
        options: &BpeTrainerOptions,
        watch: &dyn Watch,
    ) -> Result<Stop> {
        let start = entries.size();
        let total = Some((options.vocab_size - start) as u64);
        let (mut reported, mut steps) = (0, 0u64);
        report(watch, Phase::Merge, 0, total)?;
        while entries.size() < options.vocab_size {
            let Some(candidate) = merge_loop.next() else { return Ok(Stop::NoPairLeft) };
            steps += 1;
            if merge_loop.work() - reported > WORK_PER_REPORT || steps % 1024 == 0 {
                reported = merge_loop.work();
                report(watch, Phase::Merge, (entries.size() - start) as u64, total)?;
            }
            let Candidate { left, right, count } = candidate;
            if !entries.allows(left, right, options.veto.as_ref()) {
                merge_loop.drop_pair(candidate);
                continue;
            }
            let (result, known) = entries.merged(left, right)?;
            self.merges.push(Merge { left, right, result });
            self.merge_counts.push(count);
            let may_merge = |left, right| entries.fits(left, right);
            match &mut self.trace {
                Some(trace) => {
                    trace.begin(count);
                    merge_loop.merge(candidate, result, known, may_merge, |change| trace.note(change));
                    trace.end();
                }
                None => merge_loop.merge(candidate, result, known, may_merge, |_| ()),
            }
        }
        report(watch, Phase::Merge, (entries.size() - start) as u64, total)?;
        Ok(Stop::VocabSize)
    }

    fn finish(mut self, entries: Entries, stop: Stop, pad_to: Option<usize>) -> Result<Trained> {
        self.keep_last_of_repeated();
        let (vocab, special_tokens) = entries.into_parts();
        let padding = pad_to.map_or_else(|| Ok(Vec::new()), |size| padding(&vocab, size))?;
        let Self { merges, merge_counts, trace } = self;
        Ok(Trained { vocab, merges, merge_counts, special_tokens, padding, stop, trace })
    }

    /// A pair may be merged again after its parts came into being by another path; it has one rank then, the last.
    fn keep_last_of_repeated(&mut self) {
        let mut seen = HashSet::with_capacity(self.merges.len());
        let mut last: Vec<bool> =
            self.merges.iter().rev().map(|merge| seen.insert((merge.left, merge.right))).collect();
        last.reverse();
        let mut kept = last.iter();
        self.merges.retain(|_| kept.next() == Some(&true));
        let mut kept = last.iter();
        self.merge_counts.retain(|_| kept.next() == Some(&true));
    }
}

/// Runs of two, three, ... blanks and line feeds that are not entries, up to `size` entries in all.
fn padding(vocab: &Vocab, size: usize) -> Result<Vec<(String, u32)>> {
    if vocab.size() > size {
        return Err(Error::option("pad_to", format!("{size} is less than the {} entries there are", vocab.size())));
    }
    let runs = (2..).flat_map(|length| [" ".repeat(length), "\n".repeat(length)]);
    let absent = runs.filter(|run| vocab.id(run.as_bytes()).is_none());
    Ok(absent.zip(vocab.size() as u32..size as u32).collect())
}

/// Totals over all pieces.
pub(super) struct Corpus {
    /// Bytes, each as often as it occurs.
    bytes: u64,
    /// Which bytes occur.
    pub(super) seen: [bool; 256],
}

impl Corpus {
    fn of(counts: &WordCounts) -> Result<Self> {
        let (mut bytes, mut seen) = (Some(0u64), [false; 256]);
        counts.for_each(|piece, count| {
            bytes = bytes.zip(count.checked_mul(piece.len() as u64)).and_then(|(sum, more)| sum.checked_add(more));
            piece.iter().for_each(|&byte| seen[usize::from(byte)] = true);
        })?;
        match bytes {
            None => Err(Error::option("source", "counts more than 2^64 bytes")),
            Some(0) => Err(Error::option("source", "is empty: there is nothing to train on")),
            Some(bytes) => Ok(Self { bytes, seen }),
        }
    }
}

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

/// Pieces after `merges`.
fn replay(counts: &WordCounts, entries: &Entries, merges: &[Merge]) -> Result<Symbols> {
    let replay = Replay::new(merges);
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
