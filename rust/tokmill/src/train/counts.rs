//! How often each piece occurs in a corpus: all that a trainer needs to know of it.

use std::path::Path;

use crate::error::Result;

use super::count_file;
use super::count_table::CountTable;

/// Pieces and how often each occurs.
///
/// Adding is associative and commutative, so parts of a corpus may be counted anywhere, in any order, and merged;
/// everything made from the counts is the same as from the whole. Counts stay at 2^64 - 1 rather than overflow.
#[derive(Clone, Default)]
pub struct WordCounts {
    table: CountTable,
}

impl WordCounts {
    /// No pieces.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts `piece` `times` times more; the empty piece is not counted.
    pub fn add(&mut self, piece: &[u8], times: u64) {
        self.table.add_piece(piece, 0, piece.len(), times);
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, mut other: Self) {
        if other.table.len() > self.table.len() {
            std::mem::swap(&mut self.table, &mut other.table);
        }
        self.table.absorb(&other.table);
    }

    /// Number of distinct pieces.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often `piece` occurs.
    pub fn get(&self, piece: &[u8]) -> u64 {
        self.table.get(piece)
    }

    /// Number of pieces counted, each as often as it occurs.
    pub fn total(&self) -> u64 {
        let mut total = 0u64;
        self.for_each(|_, count| total = total.saturating_add(count));
        total
    }

    /// The pieces in byte order, each with its count.
    pub fn sorted(&self) -> Vec<(Vec<u8>, u64)> {
        let mut all = Vec::with_capacity(self.len());
        self.for_each(|piece, count| all.push((piece.to_vec(), count)));
        all.sort_unstable();
        all
    }

    /// Calls `visit` with each piece and its count, in no particular order.
    pub fn for_each(&self, visit: impl FnMut(&[u8], u64)) {
        self.table.for_each(visit);
    }

    /// Writes the counts to a file that [`Self::load`] reads on any machine, atomically: under another name in the
    /// same directory, synced, then renamed. Equal counts make equal files.
    pub fn save(&self, path: &Path) -> Result<()> {
        count_file::write(path, &self.sorted())
    }

    /// Reads a file that [`Self::save`] wrote, and checks it to the last byte.
    pub fn load(path: &Path) -> Result<Self> {
        let mut counts = Self::new();
        count_file::read(path, |piece, count| counts.add(piece, count))?;
        Ok(counts)
    }

    /// Bytes of memory that the counts take.
    pub fn memory(&self) -> usize {
        self.table.memory()
    }

    pub(super) fn from_table(table: CountTable) -> Self {
        Self { table }
    }
}

impl std::fmt::Debug for WordCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WordCounts").field("len", &self.len()).finish_non_exhaustive()
    }
}
