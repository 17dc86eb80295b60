//! Corpora of raw bytes: files of any kind, cut into chunks, each of which is one piece or a few.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::parallel;

use super::count_table::piece_hashes;
use super::counter::Counter;
use super::watch::{Phase, Watch, report};

/// How files of raw bytes are cut.
#[derive(Clone, Debug, PartialEq)]
pub struct ChunkOptions {
    /// Bytes of a chunk, from the beginning of the file; the last one is shorter. 0 takes whole files.
    pub chunk_bytes: usize,
    /// Chunks whose entropy, in bits per byte, is not in this range are left out: constant bytes have 0, what is
    /// compressed or encrypted nearly 8.
    pub entropy: Option<(f64, f64)>,
    /// Where chunks are cut further, if at all.
    pub split: Option<ChunkSplit>,
    /// Each of these cuts is made with this probability, drawn from the chunk, the place and the seed.
    pub split_probability: f64,
    /// Another seed draws other cuts.
    pub seed: u64,
}

impl Default for ChunkOptions {
    fn default() -> Self {
        Self { chunk_bytes: 8192, entropy: None, split: None, split_probability: 1.0, seed: 0 }
    }
}

/// Where a chunk may be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChunkSplit {
    /// Behind each run of NUL bytes, so that a string keeps its end.
    Nul,
    /// Before each run of ASCII white space, so that a word keeps the blank before it.
    Whitespace,
}

impl ChunkSplit {
    /// Whether a chunk may be cut between two bytes.
    fn is_between(self, left: u8, right: u8) -> bool {
        match self {
            Self::Nul => left == 0 && right != 0,
            Self::Whitespace => !left.is_ascii_whitespace() && right.is_ascii_whitespace(),
        }
    }
}

/// Bytes read while as many are counted, for each thread.
const BATCH_PER_THREAD: usize = 4 << 20;

/// Bytes read at a time, about.
const READ_BYTES: usize = 1 << 20;

impl Counter {
    /// Counts the chunks of files, whatever they hold; the splitter cuts them further. Files that cannot be opened are
    /// refused before anything is counted, where that shows.
    pub fn push_chunks(&mut self, paths: &[PathBuf], options: &ChunkOptions, watch: &dyn Watch) -> Result<()> {
        check(options)?;
        let mut total = 0;
        for path in paths {
            total += std::fs::metadata(path).map_err(|error| Error::io(path, error))?.len();
        }
        let mut done = 0;
        report(watch, Phase::Count, 0, Some(total))?;
        let room = BATCH_PER_THREAD * self.most_threads();
        let mut batch = Chunks::default();
        for path in paths {
            let mut file = File::open(path).map_err(|error| Error::io(path, error))?;
            while batch.read(&mut file, path, options.chunk_bytes, room)? {
                done += batch.bytes.len() as u64;
                self.push_batch_of(&mut batch, options)?;
                report(watch, Phase::Count, done.min(total), Some(total))?;
            }
        }
        done += batch.bytes.len() as u64;
        self.push_batch_of(&mut batch, options)?;
        report(watch, Phase::Count, done.min(total), Some(total))
    }

    fn push_batch_of(&mut self, batch: &mut Chunks, options: &ChunkOptions) -> Result<()> {
        let Chunks { bytes, ends } = &*batch;
        let begin = |index: usize| if index == 0 { 0 } else { ends[index - 1] };
        let lengths: Vec<usize> = ends.iter().enumerate().map(|(index, end)| end - begin(index)).collect();
        let shares = parallel::balanced(lengths.into_iter(), self.threads_for(bytes.len()));
        self.count_shares(bytes.len(), shares, |share, worker, splitter| {
            for index in share {
                let chunk = &bytes[begin(index)..ends[index]];
                if options.entropy.is_none_or(|(least, most)| (least..=most).contains(&entropy(chunk))) {
                    for_each_part(chunk, options, |part| worker.count(splitter, part));
                }
            }
            Ok(())
        })?;
        batch.bytes.clear();
        batch.ends.clear();
        Ok(())
    }
}

fn check(options: &ChunkOptions) -> Result<()> {
    if options.entropy.is_some_and(|(least, most)| !(0.0..=8.0).contains(&least) || !(least..=8.0).contains(&most)) {
        return Err(Error::option("entropy", "is not two numbers from 0 to 8, the smaller one first"));
    }
    if !(0.0..=1.0).contains(&options.split_probability) {
        return Err(Error::option("split_probability", "is not from 0 to 1"));
    }
    Ok(())
}

/// Chunks of some files, end to end.
#[derive(Default)]
struct Chunks {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Chunks {
    /// Reads on in a file, until it ends (`false`) or the chunks fill `room`. With `size` 0 the file is one chunk.
    fn read(&mut self, file: &mut File, path: &Path, size: usize, room: usize) -> Result<bool> {
        let failed = |error| Error::io(path, error);
        if size == 0 {
            file.read_to_end(&mut self.bytes).map_err(failed)?;
            self.end();
            return Ok(self.bytes.len() >= room);
        }
        loop {
            // Whole chunks.
            let wanted = READ_BYTES.div_ceil(size).saturating_mul(size);
            let begin = self.bytes.len();
            let read = file.take(wanted as u64).read_to_end(&mut self.bytes).map_err(failed)?;
            for _ in 0..read / size {
                self.ends.push(self.ends.last().map_or(0, |end| *end) + size);
            }
            self.end();
            debug_assert_eq!(self.ends.last().copied().unwrap_or(0), begin + read, "chunks cover what was read");
            if read < wanted {
                return Ok(false);
            }
            if self.bytes.len() >= room {
                return Ok(true);
            }
        }
    }

    /// Ends the chunk that has no end yet, if there is one.
    fn end(&mut self) {
        if self.ends.last().copied().unwrap_or(0) < self.bytes.len() {
            self.ends.push(self.bytes.len());
        }
    }
}

/// The entropy of the bytes of a chunk, in bits per byte: 0 where all are equal, 8 where all values are equally frequent.
fn entropy(chunk: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for &byte in chunk {
        counts[usize::from(byte)] += 1;
    }
    let total = chunk.len() as f64;
    let bits = |&count: &u32| f64::from(count) * (total / f64::from(count)).log2();
    counts.iter().filter(|&&count| count > 0).map(bits).sum::<f64>() / total.max(1.0)
}

/// Calls `visit` with the parts of a chunk between the cuts that are made.
fn for_each_part(chunk: &[u8], options: &ChunkOptions, mut visit: impl FnMut(&[u8])) {
    let Some(split) = options.split else { return visit(chunk) };
    let [hash, _] = piece_hashes(chunk, options.seed);
    let mut begin = 0;
    for (at, pair) in chunk.windows(2).enumerate() {
        if split.is_between(pair[0], pair[1]) && fraction(hash.wrapping_add(at as u64)) < options.split_probability {
            visit(&chunk[begin..=at]);
            begin = at + 1;
        }
    }
    visit(&chunk[begin..]);
}

/// A number from 0 up to 1, excluded, that looks random; the mixer of splitmix64.
fn fraction(seed: u64) -> f64 {
    let mut bits = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((bits ^ bits >> 31) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_that_of_the_histogram() {
        assert!(entropy(&[7; 100]).abs() < 1e-12);
        assert!((entropy(&[0, 1, 0, 1]) - 1.0).abs() < 1e-12);
        let all: Vec<u8> = (0..=255).collect();
        assert!((entropy(&all) - 8.0).abs() < 1e-12);
    }

    fn parts(chunk: &[u8], split: ChunkSplit, split_probability: f64, seed: u64) -> Vec<Vec<u8>> {
        let options = ChunkOptions { split: Some(split), split_probability, seed, ..ChunkOptions::default() };
        let mut parts = Vec::new();
        for_each_part(chunk, &options, |part| parts.push(part.to_vec()));
        assert_eq!(parts.concat(), chunk);
        parts
    }

    #[test]
    fn chunks_are_cut_at_strings_and_at_words() {
        assert_eq!(parts(b"ab\0\0c\0", ChunkSplit::Nul, 1.0, 0), [&b"ab\0\0"[..], b"c\0"]);
        assert_eq!(parts(b" ab \nc", ChunkSplit::Whitespace, 1.0, 0), [&b" ab"[..], b" \nc"]);
        assert_eq!(parts(b"ab\0c", ChunkSplit::Nul, 0.0, 0), [b"ab\0c"]);
    }

    #[test]
    fn cuts_are_drawn_with_the_probability() {
        let chunk = b"a\0".repeat(10_000);
        let cuts = parts(&chunk, ChunkSplit::Nul, 0.6, 1).len();
        assert!((5_700..6_300).contains(&cuts), "{cuts}");
        assert_eq!(parts(&chunk, ChunkSplit::Nul, 0.6, 1), parts(&chunk, ChunkSplit::Nul, 0.6, 1));
        assert_ne!(parts(&chunk, ChunkSplit::Nul, 0.6, 1), parts(&chunk, ChunkSplit::Nul, 0.6, 2));
    }
}
