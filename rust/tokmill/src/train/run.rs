//! A training run under way: candidates from the merge loop, entries that may be made of them, and what is kept.

use hashbrown::HashSet;

use crate::error::Result;
use crate::merges::Merge;
use crate::vocab::Vocab;

use super::bpe::{Stop, Trained};
use super::checkpoint::CheckpointFile;
use super::entries::Entries;
use super::merge_loop::{Candidate, MergeLoop};
use super::options::BpeTrainerOptions;
use super::trace::Trace;
use super::watch::{Phase, Watch, report};

/// A merge and how often its pair occurred when it was chosen.
pub(super) type Step = (Merge, u64);

/// A run under way.
pub(super) struct Run {
    pub(super) merge_loop: MergeLoop,
    pub(super) entries: Entries,
    /// Those of the base first.
    pub(super) steps: Vec<Step>,
    /// How many steps are the base's.
    pub(super) inherited: usize,
    pub(super) trace: Option<Trace>,
    pub(super) checkpoint: Option<CheckpointFile>,
}

/// Occurrences merged between two reports: a few milliseconds.
const WORK_PER_REPORT: u64 = 1 << 18;

impl Run {
    /// Merges until the vocabulary is full or no pair is left. Progress counts from `start` entries.
    pub(super) fn merge(&mut self, options: &BpeTrainerOptions, start: usize, watch: &dyn Watch) -> Result<Stop> {
        let total = Some((options.vocab_size - start) as u64);
        let report = |run: &Self| report(watch, Phase::Merge, (run.entries.size() - start) as u64, total);
        let (mut reported, mut candidates) = (0, 0u64);
        report(self)?;
        while self.entries.size() < options.vocab_size {
            let entries = &self.entries;
            let wanted = options.vocab_size - entries.size();
            let next = self.merge_loop.next(wanted, |left, right| entries.fits(left, right));
            let Some(candidate) = next else { return Ok(Stop::NoPairLeft) };
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

    /// Gives the memory of the merge loop back.
    pub(super) fn release(&mut self) {
        self.merge_loop = MergeLoop::empty();
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

    pub(super) fn finish(self, stop: Stop, pad_to: Option<usize>) -> Result<Trained> {
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
