//! Counting the pieces of documents, on all threads.

use std::ops::Range;
use std::path::PathBuf;

use crate::error::Result;
use crate::parallel;
use crate::pretokenize::Pieces;

use super::count_table::{CountTable, Pending};
use super::counts::WordCounts;
use super::documents::{Documents, KeptDocuments};
use super::spill::{Run, total};
use super::splitter::Splitter;

/// Options of a [`Counter`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CounterOptions {
    /// Threads; `None` is as many as a batch is worth. The counts do not depend on it.
    pub threads: Option<usize>,
    /// Bytes of memory to stay below while counting; counts that do not fit go to temporary files.
    pub memory_limit: Option<usize>,
    /// The directory of the temporary files; `None` is the system's.
    pub temporary_directory: Option<PathBuf>,
    /// Keep the documents too, for [`Counter::finish_with_documents`].
    pub keep_documents: bool,
}

/// Counts the pieces of documents as they are pushed. The counts do not depend on threads, batches or order.
#[derive(Debug)]
pub struct Counter {
    splitter: Splitter,
    options: CounterOptions,
    /// One for each thread that has been of use so far.
    workers: Vec<Worker>,
    /// Counts that did not fit into memory.
    runs: Vec<Run>,
    bytes: u64,
}

/// What one thread counts into.
#[derive(Debug, Default)]
pub(super) struct Worker {
    table: CountTable,
    pieces: Pieces,
    pending: Pending,
    /// The documents, where they are kept.
    kept: Option<KeptDocuments>,
}

/// The tables may take this part of the memory limit before they are spilled: each may double once before it is
/// looked at again, and holds its old and its new slots for a while then.
const LIMIT_SHARE: usize = 4;

impl Counter {
    /// Counts what `splitter` makes of documents.
    pub fn new(splitter: Splitter, options: CounterOptions) -> Self {
        let workers = vec![Worker::new(options.keep_documents)];
        Self { splitter, options, workers, runs: Vec::new(), bytes: 0 }
    }

    /// Counts one document.
    pub fn push(&mut self, document: &[u8]) -> Result<()> {
        self.workers[0].count(&self.splitter, document);
        self.bytes += document.len() as u64;
        self.spill_if_full()
    }

    /// Counts documents, shared out over the threads by bytes.
    pub fn push_batch<T: AsRef<[u8]> + Sync>(&mut self, documents: &[T]) -> Result<()> {
        let lengths = documents.iter().map(|document| document.as_ref().len());
        let bytes: usize = lengths.clone().sum();
        let shares = parallel::balanced(lengths, parallel::threads_for(bytes, self.options.threads));
        self.count_shares(bytes, shares, |share, worker, splitter| {
            documents[share].iter().for_each(|document| worker.count(splitter, document.as_ref()));
            Ok(())
        })
    }

    /// Counts the lines of `text`, each with its ending, as documents of their own.
    pub fn push_lines(&mut self, text: &[u8]) -> Result<()> {
        self.count_line_shares(text, |share, worker, splitter| {
            worker.count_lines(splitter, &text[share]);
            Ok(())
        })
    }

    /// Shares `text` out over the threads in whole lines.
    pub(super) fn count_line_shares(
        &mut self,
        text: &[u8],
        count: impl Fn(Range<usize>, &mut Worker, &Splitter) -> Result<()> + Sync,
    ) -> Result<()> {
        let shares = line_shares(text, parallel::threads_for(text.len(), self.options.threads));
        self.count_shares(text.len(), shares, count)
    }

    /// Has each share counted on a thread of its own; they are `bytes` together.
    pub(super) fn count_shares(
        &mut self,
        bytes: usize,
        shares: Vec<Range<usize>>,
        count: impl Fn(Range<usize>, &mut Worker, &Splitter) -> Result<()> + Sync,
    ) -> Result<()> {
        if self.workers.len() < shares.len() {
            let keep = self.options.keep_documents;
            self.workers.resize_with(shares.len(), || Worker::new(keep));
        }
        let splitter = &self.splitter;
        let threads = shares.len();
        let work = shares.into_iter().zip(&mut self.workers).collect();
        let done = parallel::map(work, threads, |(share, worker)| count(share, worker, splitter));
        done.into_iter().collect::<Result<()>>()?;
        self.bytes += bytes as u64;
        self.spill_if_full()
    }

    fn spill_if_full(&mut self) -> Result<()> {
        let Some(limit) = self.options.memory_limit else { return Ok(()) };
        let directory = self.temporary_directory();
        let mut kept = self.workers.iter_mut().filter_map(|worker| worker.kept.as_mut());
        if kept.by_ref().map(|kept| kept.memory()).sum::<usize>() > limit / LIMIT_SHARE {
            for worker in &mut self.workers {
                worker.kept.as_mut().map_or(Ok(()), |kept| kept.spill(&directory))?;
            }
        }
        if self.memory() > limit / LIMIT_SHARE { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<()> {
        let directory = self.temporary_directory();
        let tables: Vec<CountTable> = self.workers.iter_mut().map(Worker::take).collect();
        let threads = self.most_threads();
        let runs = parallel::map(tables, threads, |table| Run::spill(table, &directory));
        for run in runs {
            self.runs.push(run?);
        }
        Ok(())
    }

    fn temporary_directory(&self) -> PathBuf {
        self.options.temporary_directory.clone().unwrap_or_else(std::env::temp_dir)
    }

    /// How many threads a batch of so many bytes is counted on.
    pub(super) fn threads_for(&self, bytes: usize) -> usize {
        parallel::threads_for(bytes, self.options.threads)
    }

    /// How many threads a large batch is counted on.
    pub(super) fn most_threads(&self) -> usize {
        parallel::threads_for(usize::MAX, self.options.threads)
    }

    /// Bytes pushed so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of memory that the counts take.
    pub fn memory(&self) -> usize {
        self.workers.iter().map(|worker| worker.table.memory()).sum()
    }

    /// The counts of all that was pushed.
    pub fn finish(mut self) -> Result<WordCounts> {
        let (directory, threads) = (self.temporary_directory(), self.most_threads());
        let tables = self.workers.iter_mut().map(Worker::take).collect();
        total(tables, self.runs, &directory, threads)
    }

    /// The counts of all that was pushed, and the documents themselves, which [`CounterOptions::keep_documents`] kept.
    pub fn finish_with_documents(mut self) -> Result<(WordCounts, Documents)> {
        let mut documents = Documents::default();
        for worker in &mut self.workers {
            documents.append(worker.kept.take().unwrap_or_default().finish());
        }
        Ok((self.finish()?, documents))
    }
}

impl Worker {
    fn new(keep_documents: bool) -> Self {
        Self { kept: keep_documents.then(KeptDocuments::default), ..Self::default() }
    }

    /// Counts one document.
    pub(super) fn count(&mut self, splitter: &Splitter, document: &[u8]) {
        let Self { table, pieces, pending, kept } = self;
        if let Some(kept) = kept {
            kept.push(document);
        }
        splitter.split(document, pieces, |text, pieces| {
            let text = &text[pieces.base..];
            for &(begin, end) in &pieces.ends {
                table.add_later(text, begin as usize, end as usize, pending);
            }
        });
    }

    /// Counts each line of `text` as a document.
    pub(super) fn count_lines(&mut self, splitter: &Splitter, text: &[u8]) {
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', text).map(|at| at + 1).chain([text.len()]) {
            self.count(splitter, &text[begin..end]);
            begin = end;
        }
    }

    /// Takes the counts out.
    fn take(&mut self) -> CountTable {
        self.table.flush(&mut self.pending);
        std::mem::take(&mut self.table)
    }
}

/// Cuts `text` behind line feeds into at most `parts` parts of about equal length.
fn line_shares(text: &[u8], parts: usize) -> Vec<Range<usize>> {
    let mut shares = Vec::with_capacity(parts);
    let mut begin = 0;
    for part in 1..=parts {
        let wanted = (text.len() / parts * part).max(begin);
        let end = match memchr::memchr(b'\n', &text[wanted..]) {
            Some(at) if part < parts => wanted + at + 1,
            _ => text.len(),
        };
        if begin < end {
            shares.push(begin..end);
        }
        begin = end;
    }
    shares
}
