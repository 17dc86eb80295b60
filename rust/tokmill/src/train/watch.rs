//! Progress out of a long operation, and the wish to stop into it.

use std::ops::ControlFlow;

use crate::error::{Error, Result};

/// The part of a training run that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Pieces are counted; the unit is bytes of input as stored (compressed bytes of compressed files).
    Count,
    /// Documents are encoded for superwords; the unit is bytes.
    Encode,
    /// Merges are chosen; the unit is merges.
    Merge,
    /// Pieces to begin with are looked for; the unit is bytes of distinct words. Nothing is reported meanwhile.
    Seed,
    /// Pieces are fitted and removed; the unit is pieces removed.
    Prune,
}

impl Phase {
    /// The name of the phase, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Encode => "encode",
            Self::Merge => "merge",
            Self::Seed => "seed",
            Self::Prune => "prune",
        }
    }
}

/// How far a phase has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The phase.
    pub phase: Phase,
    /// Units done, in the unit of the phase.
    pub done: u64,
    /// Units in all, where that is known.
    pub total: Option<u64>,
}

/// Who watches a long operation. `()` watches nothing and never stops.
pub trait Watch: Sync {
    /// Takes note of the progress, and says whether to go on. Called from the thread that started the operation, at
    /// least every few tens of milliseconds of work, so it should return quickly.
    fn update(&self, progress: Progress) -> ControlFlow<()>;
}

impl Watch for () {
    fn update(&self, _progress: Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Reports to `watch`, and turns a wish to stop into [`Error::Cancelled`].
pub(super) fn report(watch: &dyn Watch, phase: Phase, done: u64, total: Option<u64>) -> Result<()> {
    match watch.update(Progress { phase, done, total }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Cancelled),
    }
}
