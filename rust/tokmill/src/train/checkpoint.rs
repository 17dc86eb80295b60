//! Merges left on disk from time to time, for a later run to go on from.
//!
//! ```text
//! "TOKMILLM"  version: u32  key: SHA-256 of counts and options  first: u64     little-endian
//! per merge   left: u32  right: u32  result: u32  count: u64
//! SHA-256 of all that is before it
//! ```
//!
//! `first` is the number of merges of the first of two stages, or 2^64 - 1 while that is under way.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::atomic_file::AtomicFile;
use crate::error::{Error, Result};
use crate::merges::Merge;

use super::counts::WordCounts;
use super::options::{BpeTrainerOptions, Checkpoint};

const MAGIC: &[u8; 8] = b"TOKMILLM";
const VERSION: u32 = 2;
const CHECKSUM_BYTES: usize = 32;
const RECORD_BYTES: usize = 20;
const UNDER_WAY: u64 = u64::MAX;

impl Checkpoint {
    /// Refuses a file in a directory that is not there.
    pub(super) fn check(&self) -> Result<()> {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() && !parent.is_dir() => {
                Err(Error::io(&self.path, io::ErrorKind::NotFound.into()))
            }
            _ => Ok(()),
        }
    }
}

/// The file of one run.
pub(super) struct CheckpointFile {
    path: PathBuf,
    every: Duration,
    written: Instant,
    /// Magic, version and key.
    header: Vec<u8>,
    /// Merges of the first stage, once it has ended.
    pub(super) first: Option<usize>,
}

/// What an earlier run left.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Merges with their counts.
    pub(super) steps: Vec<(Merge, u64)>,
    /// How many of them are of the first of two stages; `None` while that was under way.
    pub(super) first: Option<usize>,
}

impl CheckpointFile {
    /// The file of a run on `counts` with `options`, which name it, and with what else decides the merges.
    pub(super) fn new(
        checkpoint: &Checkpoint,
        counts: &WordCounts,
        options: &BpeTrainerOptions,
        besides: &str,
    ) -> Result<Self> {
        let mut header = Vec::from(MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&key(counts, options, besides)?);
        let Checkpoint { path, every } = checkpoint.clone();
        Ok(Self { path, every, written: Instant::now(), header, first: None })
    }

    /// What an earlier run left; nothing where there is no file.
    pub(super) fn read(&self) -> Result<Left> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Left::default()),
            Err(error) => return Err(Error::io(&self.path, error)),
        };
        let damaged = || Error::format(self.path.display().to_string(), "is not a sound checkpoint");
        let (body, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or_else(damaged)?;
        if checksum[..] != Sha256::digest(body)[..] || !body.starts_with(MAGIC) {
            return Err(damaged());
        }
        let Some(records) = body.strip_prefix(&self.header[..]) else {
            let why = format!("{} is of a run with other counts or options", self.path.display());
            return Err(Error::option("checkpoint", why));
        };
        let (first, records) = records.split_first_chunk().ok_or_else(damaged)?;
        if records.len() % RECORD_BYTES != 0 {
            return Err(damaged());
        }
        let steps: Vec<_> = records.chunks_exact(RECORD_BYTES).map(parse).collect();
        let first = u64::from_le_bytes(*first);
        let first = (first != UNDER_WAY).then(|| steps.len().min(first as usize));
        Ok(Left { steps, first })
    }

    /// Writes the file, if the last time is long enough ago.
    pub(super) fn write_if_due(&mut self, steps: &[(Merge, u64)]) -> Result<()> {
        if self.written.elapsed() < self.every {
            return Ok(());
        }
        let mut bytes = self.header.clone();
        bytes.extend_from_slice(&self.first.map_or(UNDER_WAY, |first| first as u64).to_le_bytes());
        for (merge, count) in steps {
            for id in [merge.left, merge.right, merge.result] {
                bytes.extend_from_slice(&id.to_le_bytes());
            }
            bytes.extend_from_slice(&count.to_le_bytes());
        }
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum);
        let mut file = AtomicFile::create(&self.path)?;
        file.write_all(&bytes).map_err(|error| Error::io(&self.path, error))?;
        file.commit()?;
        self.written = Instant::now();
        Ok(())
    }

    /// Removes the file of a run that has come to its end.
    pub(super) fn remove(self) -> Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(&self.path, error)),
            _ => Ok(()),
        }
    }
}

fn parse(record: &[u8]) -> (Merge, u64) {
    let id = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().expect("four bytes"));
    let count = u64::from_le_bytes(record[12..].try_into().expect("eight bytes"));
    (Merge { left: id(0), right: id(4), result: id(8) }, count)
}

/// A digest of all that decides the merges.
fn key(counts: &WordCounts, options: &BpeTrainerOptions, besides: &str) -> Result<[u8; 32]> {
    let BpeTrainerOptions {
        vocab_size,
        min_frequency,
        special_tokens,
        initial_alphabet,
        alphabet_order,
        max_token_bytes,
        max_token_chars,
        veto,
        base,
        ..
    } = options;
    let rules = veto.as_ref().map(super::Veto::rules);
    let limits = (max_token_bytes, max_token_chars, rules);
    let mut digest = Sha256::new();
    digest
        .update(format!("{:?}", (vocab_size, min_frequency, special_tokens, initial_alphabet, alphabet_order, limits)));
    digest.update(besides);
    if let Some(base) = base {
        for (id, key) in base.vocab.iter() {
            digest.update(id.to_le_bytes());
            digest.update((key.len() as u64).to_le_bytes());
            digest.update(key);
        }
        digest.update(format!("{:?}", base.merges));
    }
    for sum in counts.digest()? {
        digest.update(sum.to_le_bytes());
    }
    Ok(digest.finalize().into())
}
