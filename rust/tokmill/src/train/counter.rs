//! Counting the pieces of documents, on all threads.

use std::ops::Range;

use crate::error::Result;
use crate::parallel;
use crate::pretokenize::Pieces;

use super::count_table::{CountTable, Pending};
use super::counts::WordCounts;
use super::splitter::Splitter;

/// Counts the pieces of documents as they are pushed. The counts do not depend on threads, batches or order.
#[derive(Debug)]
pub struct Counter {
    splitter: Splitter,
    threads: Option<usize>,
    /// One for each thread that has been of use so far.
    workers: Vec<Worker>,
    bytes: u64,
}

/// What one thread counts into.
#[derive(Debug, Default)]
struct Worker {
    table: CountTable,
    pieces: Pieces,
    pending: Pending,
}

impl Counter {
    /// Counts what `splitter` makes of documents, on at most `threads` threads; `None` is as many as a batch is worth.
    pub fn new(splitter: Splitter, threads: Option<usize>) -> Self {
        Self { splitter, threads, workers: vec![Worker::default()], bytes: 0 }
    }

    /// Counts one document.
    pub fn push(&mut self, document: &[u8]) -> Result<()> {
        self.bytes += document.len() as u64;
        self.workers[0].count(&self.splitter, document);
        Ok(())
    }

    /// Counts documents, shared out over the threads by bytes.
    pub fn push_batch<T: AsRef<[u8]> + Sync>(&mut self, documents: &[T]) -> Result<()> {
        let lengths = documents.iter().map(|document| document.as_ref().len());
        let bytes: usize = lengths.clone().sum();
        let shares = parallel::balanced(lengths, parallel::threads_for(bytes, self.threads));
        self.count_shares(shares, |share, worker, splitter| {
            documents[share].iter().for_each(|document| worker.count(splitter, document.as_ref()));
        });
        self.bytes += bytes as u64;
        Ok(())
    }

    /// Counts the lines of `text`, each with its ending, as documents of their own.
    pub fn push_lines(&mut self, text: &[u8]) -> Result<()> {
        let shares = line_shares(text, parallel::threads_for(text.len(), self.threads));
        self.count_shares(shares, |share, worker, splitter| {
            let mut lines = &text[share];
            while !lines.is_empty() {
                let end = memchr::memchr(b'\n', lines).map_or(lines.len(), |at| at + 1);
                worker.count(splitter, &lines[..end]);
                lines = &lines[end..];
            }
        });
        self.bytes += text.len() as u64;
        Ok(())
    }

    fn count_shares(&mut self, shares: Vec<Range<usize>>, count: impl Fn(Range<usize>, &mut Worker, &Splitter) + Sync) {
        if self.workers.len() < shares.len() {
            self.workers.resize_with(shares.len(), Worker::default);
        }
        let splitter = &self.splitter;
        let threads = shares.len();
        let work = shares.into_iter().zip(&mut self.workers).collect();
        parallel::map(work, threads, |(share, worker)| count(share, worker, splitter));
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
    pub fn finish(self) -> Result<WordCounts> {
        let mut tables: Vec<CountTable> = self.workers.into_iter().map(Worker::finish).collect();
        let threads = parallel::threads_for(usize::MAX, self.threads);
        while tables.len() > 1 {
            let mut rounds = Vec::with_capacity(tables.len().div_ceil(2));
            let mut rest = tables.into_iter();
            while let Some(table) = rest.next() {
                rounds.push((table, rest.next()));
            }
            tables = parallel::map(rounds, threads, |(mut table, other)| {
                if let Some(mut other) = other {
                    if other.len() > table.len() {
                        std::mem::swap(&mut table, &mut other);
                    }
                    table.absorb(&other);
                }
                table
            });
        }
        Ok(WordCounts::from_table(tables.pop().unwrap_or_default()))
    }
}

impl Worker {
    fn finish(mut self) -> CountTable {
        self.table.flush(&mut self.pending);
        self.table
    }

    fn count(&mut self, splitter: &Splitter, document: &[u8]) {
        let Self { table, pieces, pending } = self;
        splitter.split(document, pieces, |text, pieces| {
            let text = &text[pieces.base..];
            for &(begin, end) in &pieces.ends {
                table.add_later(text, begin as usize, end as usize, pending);
            }
        });
    }
}

/// Cuts `text` behind line feeds into at most `parts` parts of about equal length.
fn line_shares(text: &[u8], parts: usize) -> Vec<Range<usize>> {
    let mut shares = Vec::with_capacity(parts);
    let mut begin = 0;
    for part in 1..=parts {
        let wanted = text.len() / parts * part;
        let end = match memchr::memchr(b'\n', &text[wanted.max(begin)..]) {
            Some(at) if part < parts => wanted.max(begin) + at + 1,
            _ => text.len(),
        };
        if begin < end {
            shares.push(begin..end);
        }
        begin = end;
    }
    shares
}
