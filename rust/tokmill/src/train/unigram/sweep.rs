//! Work on all blocks of a forest, on all threads, with an eye on who watches.

use std::ops::Range;

use crate::error::Result;
use crate::parallel;
use crate::train::watch::{Phase, Watch, report};

use super::forest::Forest;

/// How a run works through its forests.
pub(super) struct Sweep<'w> {
    pub(super) threads: usize,
    pub(super) watch: &'w dyn Watch,
    /// Pieces removed so far.
    pub(super) removed: u64,
    /// Pieces to remove in all.
    pub(super) surplus: u64,
}

/// Arcs between two reports, for each thread: some ten milliseconds.
const ARCS_PER_REPORT: usize = 1 << 20;

impl Sweep<'_> {
    /// Calls `work` with runs of blocks that together are all of them, and with one of the states that `state` makes,
    /// which are as many as threads. Which blocks a state sees depends on their number.
    pub(super) fn run<S: Send>(
        &self,
        forest: &Forest,
        state: impl FnMut() -> S,
        work: impl Fn(Range<usize>, &mut S) + Sync,
    ) -> Result<Vec<S>> {
        let bytes = forest.arcs().sum::<usize>() * size_of::<u32>();
        let threads = parallel::threads_for(bytes, Some(self.threads));
        let mut states: Vec<S> = std::iter::repeat_with(state).take(threads).collect();
        let arcs: Vec<usize> = forest.arcs().collect();
        for round in
            parallel::balanced(arcs.iter().copied(), arcs.iter().sum::<usize>() / (ARCS_PER_REPORT * threads) + 1)
        {
            let shares = parallel::balanced(arcs[round.clone()].iter().copied(), threads);
            let shares = shares.into_iter().map(|share| round.start + share.start..round.start + share.end);
            parallel::map(shares.zip(&mut states).collect(), threads, |(share, state)| work(share, state));
            report(self.watch, Phase::Prune, self.removed, Some(self.surplus))?;
        }
        Ok(states)
    }
}

/// Sums by index, over all states.
pub(super) fn added<T: Copy + std::ops::AddAssign>(states: Vec<Vec<T>>) -> Vec<T> {
    let mut states = states.into_iter();
    let mut total = states.next().unwrap_or_default();
    for other in states {
        total.iter_mut().zip(other).for_each(|(sum, more)| *sum += more);
    }
    total
}
