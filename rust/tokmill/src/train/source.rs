//! Corpora in files: text or JSON lines, plain, gzipped or Zstandard, read as a stream while the last block is counted.

use std::io::Read;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::error::{Error, Result};

use super::counter::Counter;
use super::json_lines::string_field;
use super::unpack::{self, Unpacked};
use super::watch::{Phase, Watch, report};

/// What the pretokenizer sees at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A line with its ending, of a file or of a record of JSON lines; this is how tokenizers feeds files.
    #[default]
    Line,
    /// A whole record of JSON lines, or a whole file of text, which then has to fit into memory.
    Document,
}

/// How files are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// What the pretokenizer sees at a time.
    pub unit: Unit,
    /// The field of each record of `.jsonl` files that holds the text.
    pub json_field: Option<String>,
}

/// Bytes of text that are read while as many are counted, for each thread.
const BLOCK_PER_THREAD: usize = 4 << 20;

impl Counter {
    /// Counts the contents of files, of which `.gz` and `.zst` are unpacked on the way. `.jsonl` files hold one JSON
    /// object a line; all others are text, in which bytes that are not UTF-8 are allowed.
    ///
    /// Files that cannot be read are refused before anything is counted, where that shows. `watch` sees bytes as
    /// stored.
    pub fn push_files(&mut self, paths: &[PathBuf], options: &FileOptions, watch: &dyn Watch) -> Result<()> {
        let mut total = 0;
        for path in paths {
            total += std::fs::metadata(path).map_err(|error| Error::io(path, error))?.len();
            check_content(path, options)?;
        }
        let stored = Arc::new(AtomicU64::new(0));
        report(watch, Phase::Count, 0, Some(total))?;
        for path in paths {
            let reader = unpack::open(path, &stored).map_err(|error| Error::io(path, error))?;
            let json_field = options.json_field.as_deref().filter(|_| unpack::content_suffix(path) == "jsonl");
            let mut file =
                OpenFile { path, blocks: Blocks { reader, carry: Vec::new() }, stored: &stored, total, watch };
            match (json_field, options.unit) {
                (None, Unit::Document) => file.push_whole(self),
                (None, Unit::Line) => file.push_blocks(self, |counter, block, _| counter.push_lines(block)),
                (Some(field), unit) => {
                    file.push_blocks(self, |counter, block, line| counter.push_records(path, block, line, field, unit))
                }
            }?;
        }
        report(watch, Phase::Count, stored.load(Ordering::Relaxed), Some(total))
    }

    /// Counts records of JSON lines; `lines` lines of `path` are before them.
    fn push_records(&mut self, path: &Path, block: &[u8], lines: u64, field: &str, unit: Unit) -> Result<()> {
        self.count_line_shares(block, |share, worker, splitter| {
            let mut begin = share.start;
            while begin < share.end {
                let end = memchr::memchr(b'\n', &block[begin..share.end]).map_or(share.end, |at| begin + at + 1);
                let record = block[begin..end].trim_ascii();
                if !record.is_empty() {
                    let text = string_field(record, field).map_err(|why| {
                        let line = lines + memchr::memchr_iter(b'\n', &block[..begin]).count() as u64 + 1;
                        Error::format(format!("{}:{line}", path.display()), why)
                    })?;
                    match unit {
                        Unit::Line => worker.count_lines(splitter, text.as_bytes()),
                        Unit::Document => worker.count(splitter, text.as_bytes()),
                    }
                }
                begin = end;
            }
            Ok(())
        })
    }
}

/// Refuses what cannot be read here.
fn check_content(path: &Path, options: &FileOptions) -> Result<()> {
    match &unpack::content_suffix(path)[..] {
        "jsonl" if options.json_field.is_none() => {
            let why = format!("{} holds JSON lines: name the field that holds the text", path.display());
            Err(Error::option("field", why))
        }
        "parquet" => Err(Error::unsupported(path.display().to_string(), "Parquet files; read them with pyarrow")),
        _ => Ok(()),
    }
}

/// A file under way.
struct OpenFile<'f> {
    path: &'f Path,
    blocks: Blocks,
    stored: &'f AtomicU64,
    total: u64,
    watch: &'f dyn Watch,
}

impl OpenFile<'_> {
    fn push_whole(&mut self, counter: &mut Counter) -> Result<()> {
        let mut text = Vec::new();
        self.blocks.reader.read_to_end(&mut text).map_err(|error| Error::io(self.path, error))?;
        counter.push(&text)?;
        self.report()
    }

    /// Calls `push` with blocks of whole lines and the number of lines before them, and reads ahead meanwhile.
    fn push_blocks(
        &mut self,
        counter: &mut Counter,
        push: impl Fn(&mut Counter, &[u8], u64) -> Result<()>,
    ) -> Result<()> {
        let threads = counter.most_threads();
        let size = BLOCK_PER_THREAD * threads;
        let (mut block, mut ahead) = (Vec::new(), Vec::new());
        let mut lines = 0;
        self.blocks.next(&mut block, size).map_err(|error| Error::io(self.path, error))?;
        while !block.is_empty() {
            let mut read = || self.blocks.next(&mut ahead, size);
            let (pushed, read) = if threads > 1 {
                thread::scope(|scope| {
                    let reading = scope.spawn(read);
                    let pushed = push(counter, &block, lines);
                    (pushed, reading.join().unwrap_or_else(|panic| resume_unwind(panic)))
                })
            } else {
                (push(counter, &block, lines), read())
            };
            pushed?;
            read.map_err(|error| Error::io(self.path, error))?;
            lines += memchr::memchr_iter(b'\n', &block).count() as u64;
            std::mem::swap(&mut block, &mut ahead);
            self.report()?;
        }
        Ok(())
    }

    fn report(&self) -> Result<()> {
        report(self.watch, Phase::Count, self.stored.load(Ordering::Relaxed), Some(self.total))
    }
}

/// A stream cut into blocks of whole lines.
struct Blocks {
    reader: Unpacked,
    /// The beginning of a line whose end has not been read.
    carry: Vec<u8>,
}

impl Blocks {
    /// Replaces `block` by the next lines, `size` bytes of them or one line that is longer; by nothing at the end.
    fn next(&mut self, block: &mut Vec<u8>, size: usize) -> std::io::Result<()> {
        block.clear();
        block.append(&mut self.carry);
        loop {
            let before = block.len();
            let read =
                self.reader.by_ref().take(size.saturating_sub(before).max(size / 4) as u64).read_to_end(block)?;
            if read == 0 {
                return Ok(());
            }
            if let Some(last) = memchr::memrchr(b'\n', &block[before..]) {
                self.carry.extend_from_slice(&block[before + last + 1..]);
                block.truncate(before + last + 1);
                return Ok(());
            }
        }
    }
}
