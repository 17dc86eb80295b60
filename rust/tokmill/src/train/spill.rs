//! Counts that do not fit into memory: sorted runs in temporary files, merged as they are read.

use std::path::{Path, PathBuf};

use crate::error::Result;

use super::count_file::{Reader, Writer};
use super::count_table::CountTable;
use super::counts::WordCounts;
use super::spool::temporary_path;
use crate::parallel;

/// Sorted counts in a temporary file, which goes when they go.
#[derive(Debug)]
pub(super) struct Run {
    path: PathBuf,
    /// Number of distinct pieces.
    pub(super) len: u64,
}

impl Run {
    /// Moves a table to a file in `directory`.
    pub(super) fn spill(table: CountTable, directory: &Path) -> Result<Self> {
        let sorted = table.into_sorted();
        Self::write(directory, |writer| sorted.try_for_each(|piece, count| writer.write(piece, count)))
    }

    /// Makes one run of several.
    pub(super) fn merge(runs: &[&Self], directory: &Path) -> Result<Self> {
        Self::write(directory, |writer| for_each_merged(runs, |piece, count| writer.write(piece, count)))
    }

    fn write(directory: &Path, fill: impl FnOnce(&mut Writer) -> Result<()>) -> Result<Self> {
        let path = temporary_path(directory, "counts");
        let mut writer = Writer::create(&path)?;
        fill(&mut writer)?;
        let len = writer.finish()?;
        Ok(Self { path, len })
    }

    /// The directory of the file.
    pub(super) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // A file that cannot be removed is in a directory for temporary files.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The counts of all tables and runs; where there are runs, in a run in `directory`.
pub(super) fn total(
    tables: Vec<CountTable>,
    mut runs: Vec<Run>,
    directory: &Path,
    threads: usize,
) -> Result<WordCounts> {
    if !runs.is_empty() {
        let tables: Vec<CountTable> = tables.into_iter().filter(|table| table.len() > 0).collect();
        for run in parallel::map(tables, threads, |table| Run::spill(table, directory)) {
            runs.push(run?);
        }
        let run = match runs.pop() {
            Some(only) if runs.is_empty() => only,
            last => {
                runs.extend(last);
                Run::merge(&runs.iter().collect::<Vec<_>>(), directory)?
            }
        };
        return Ok(WordCounts::from_run(run));
    }
    let mut tables = tables;
    while tables.len() > 1 {
        let mut rounds = Vec::with_capacity(tables.len().div_ceil(2));
        let mut rest = tables.into_iter();
        while let Some(table) = rest.next() {
            rounds.push((table, rest.next()));
        }
        tables = parallel::map(rounds, threads, |(table, other)| match other {
            Some(other) => table.merged(other),
            None => table,
        });
    }
    Ok(WordCounts::from_table(tables.pop().unwrap_or_default()))
}

/// Calls `visit` with each piece of all runs and the sum of its counts, in byte order, until it fails.
pub(super) fn for_each_merged(runs: &[&Run], mut visit: impl FnMut(&[u8], u64) -> Result<()>) -> Result<()> {
    let mut readers = Vec::with_capacity(runs.len());
    for run in runs {
        let mut reader = Reader::open(&run.path)?;
        if reader.next()? {
            readers.push(reader);
        }
    }
    let mut piece = Vec::new();
    while let Some(least) = readers.iter().min_by_key(|reader| reader.current().0) {
        piece.clear();
        piece.extend_from_slice(least.current().0);
        let mut sum = 0u64;
        let mut at = 0;
        while at < readers.len() {
            let (other, count) = readers[at].current();
            if other == piece {
                sum = sum.saturating_add(count);
                if !readers[at].next()? {
                    readers.swap_remove(at);
                    continue;
                }
            }
            at += 1;
        }
        visit(&piece, sum)?;
    }
    Ok(())
}
