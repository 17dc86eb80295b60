//! How often each piece occurs in a corpus: all that a trainer needs to know of it.

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};

use super::count_file::{Reader, Writer};
use super::count_table::{CountTable, piece_hashes};
use super::spill::{Run, for_each_merged};

/// Pieces and how often each occurs.
///
/// Adding is associative and commutative, so parts of a corpus may be counted anywhere, in any order, and merged;
/// everything made from the counts is the same as from the whole. Counts stay at 2^64 - 1 rather than overflow.
///
/// Counts made under a memory limit may lie in a temporary file. Reading them can fail then, and they cannot be
/// added to.
#[derive(Clone, Debug, Default)]
pub struct WordCounts {
    stored: Stored,
}

#[derive(Clone, Debug)]
enum Stored {
    Table(CountTable),
    Run(Arc<Run>),
}

impl Default for Stored {
    fn default() -> Self {
        Self::Table(CountTable::default())
    }
}

impl WordCounts {
    /// No pieces.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts `piece` `times` times more; the empty piece is not counted. Refused where the counts lie in a file.
    pub fn add(&mut self, piece: &[u8], times: u64) -> Result<()> {
        match &mut self.stored {
            Stored::Table(table) => {
                table.add_piece(piece, 0, piece.len(), times);
                Ok(())
            }
            Stored::Run(_) => Err(Error::unsupported("counts.add", "counts that lie in a file; merge counts instead")),
        }
    }

    /// Adds the counts of `other`, in memory where both are, else in a file beside the one there is.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        self.stored = match (std::mem::take(&mut self.stored), other.stored) {
            (Stored::Table(table), Stored::Table(other)) => Stored::Table(table.merged(other)),
            (Stored::Run(run), other) | (other, Stored::Run(run)) => {
                let directory = run.directory().to_owned();
                let other = match other {
                    Stored::Table(table) => Arc::new(Run::spill(table, &directory)?),
                    Stored::Run(other) => other,
                };
                Stored::Run(Arc::new(Run::merge(&[&run, &other], &directory)?))
            }
        };
        Ok(())
    }

    /// Number of distinct pieces.
    pub fn len(&self) -> usize {
        match &self.stored {
            Stored::Table(table) => table.len(),
            Stored::Run(run) => run.len as usize,
        }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often `piece` occurs. Looks through all counts.
    pub fn count(&self, piece: &[u8]) -> Result<u64> {
        let mut count = 0;
        self.for_each(|other, times| count = if other == piece { times } else { count })?;
        Ok(count)
    }

    /// Number of pieces counted, each as often as it occurs.
    pub fn total(&self) -> Result<u64> {
        let mut total = 0u64;
        self.for_each(|_, count| total = total.saturating_add(count))?;
        Ok(total)
    }

    /// Bytes of the longest piece; 0 where nothing was counted.
    pub fn longest(&self) -> Result<usize> {
        let mut longest = 0;
        self.for_each(|piece, _| longest = longest.max(piece.len()))?;
        Ok(longest)
    }

    /// The pieces in byte order, each with its count.
    pub fn sorted(&self) -> Result<Vec<(Vec<u8>, u64)>> {
        let mut all = Vec::with_capacity(self.len());
        self.for_each(|piece, count| all.push((piece.to_vec(), count)))?;
        all.sort_unstable();
        Ok(all)
    }

    /// Calls `visit` with each piece and its count, in no particular order.
    pub fn for_each(&self, mut visit: impl FnMut(&[u8], u64)) -> Result<()> {
        match &self.stored {
            Stored::Table(table) => {
                table.for_each(visit);
                Ok(())
            }
            Stored::Run(run) => for_each_merged(&[run], |piece, count| {
                visit(piece, count);
                Ok(())
            }),
        }
    }

    /// Writes the counts to a file that [`Self::load`] reads on any machine, atomically: under another name in the
    /// same directory, synced, then renamed. Equal counts make equal files.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut writer = Writer::create(path)?;
        match &self.stored {
            Stored::Table(table) => {
                table.clone().into_sorted().try_for_each(|piece, count| writer.write(piece, count))?;
            }
            Stored::Run(run) => {
                for_each_merged(&[run], |piece, count| writer.write(piece, count))?;
            }
        }
        writer.finish().map(|_| ())
    }

    /// Reads a file that [`Self::save`] wrote, and checks it to the last byte.
    pub fn load(path: &Path) -> Result<Self> {
        let mut table = CountTable::default();
        let mut reader = Reader::open(path)?;
        while reader.next()? {
            let (piece, count) = reader.current();
            table.add_piece(piece, 0, piece.len(), count);
        }
        Ok(Self::from_table(table))
    }

    /// Numbers that differ, in all likelihood, from those of other counts. They do not depend on order.
    pub(super) fn digest(&self) -> Result<[u64; 2]> {
        let mut sums = [0u64; 2];
        self.for_each(|piece, count| {
            for (sum, hash) in sums.iter_mut().zip(piece_hashes(piece, count)) {
                *sum = sum.wrapping_add(hash);
            }
        })?;
        Ok(sums)
    }

    /// Bytes of memory that the counts take.
    pub fn memory(&self) -> usize {
        match &self.stored {
            Stored::Table(table) => table.memory(),
            Stored::Run(_) => 0,
        }
    }

    pub(super) fn from_table(table: CountTable) -> Self {
        Self { stored: Stored::Table(table) }
    }

    pub(super) fn from_run(run: Run) -> Self {
        Self { stored: Stored::Run(Arc::new(run)) }
    }
}
