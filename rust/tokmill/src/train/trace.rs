//! What every merge did to the counts of all pairs, in columns.

use super::merge_loop::Change;

/// The pair counts before the first merge and their changes in each step, in columns of equal length.
///
/// A step is one merge that was made, in order; a merge of the base is none. Changes are sorted by step, then left,
/// then right id, one for each pair, and those that cancel out are left out. Counts include overlaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Left id of each pair of the corpus, ascending, before the first step.
    pub initial_left: Vec<u32>,
    /// Right id of the pair.
    pub initial_right: Vec<u32>,
    /// Count of the pair.
    pub initial_count: Vec<u64>,
    /// For each step, the count of the pair that was merged.
    pub count: Vec<u64>,
    /// For each step, where its changes end.
    pub end: Vec<u64>,
    /// Left id of each pair whose count changed.
    pub left: Vec<u32>,
    /// Right id of the pair.
    pub right: Vec<u32>,
    /// By how much its count changed.
    pub delta: Vec<i64>,
    /// The changes of the step under way.
    pending: Vec<Change>,
}

impl Trace {
    pub(super) fn new(initial: &[(u32, u32, u64)]) -> Self {
        Self {
            initial_left: initial.iter().map(|pair| pair.0).collect(),
            initial_right: initial.iter().map(|pair| pair.1).collect(),
            initial_count: initial.iter().map(|pair| pair.2).collect(),
            ..Self::default()
        }
    }

    pub(super) fn begin(&mut self, count: u64) {
        self.count.push(count);
    }

    pub(super) fn note(&mut self, change: Change) {
        self.pending.push(change);
    }

    pub(super) fn end(&mut self) {
        self.pending.sort_unstable();
        for same in self.pending.chunk_by(|a, b| (a.left, a.right) == (b.left, b.right)) {
            let delta = same.iter().map(|change| change.delta).sum();
            if delta != 0 {
                self.left.push(same[0].left);
                self.right.push(same[0].right);
                self.delta.push(delta);
            }
        }
        self.pending.clear();
        self.end.push(self.left.len() as u64);
    }
}
