//! Merges left on disk from time to time, for a later run to go on from.
//!
//! ```text
//! "TOKMILLM"  version: u32  key: SHA-256 of counts and options     little-endian
//! per merge   left: u32  right: u32  result: u32  count: u64
//! SHA-256 of all that is before it
//! ```

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
const VERSION: u32 = 1;
const CHECKSUM_BYTES: usize = 32;
const RECORD_BYTES: usize = 20;

/// The file of one run.
pub(super) struct CheckpointFile {
    path: PathBuf,
    every: Duration,
    written: Instant,
    /// Magic, version and key.
    header: Vec<u8>,
}

impl CheckpointFile {
    /// The file of a run on `counts` with `options`, which name it.
    pub(super) fn new(checkpoint: &Checkpoint, counts: &WordCounts, options: &BpeTrainerOptions) -> Result<Self> {
        let mut header = Vec::from(MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&key(counts, options)?);
        let Checkpoint { path, every } = checkpoint.clone();
        Ok(Self { path, every, written: Instant::now(), header })
    }

    /// The merges that an earlier run left, and their counts; none where there is no file.
    pub(super) fn read(&self) -> Result<Vec<(Merge, u64)>> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
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
        if records.len() % RECORD_BYTES != 0 {
            return Err(damaged());
        }
        Ok(records.chunks_exact(RECORD_BYTES).map(parse).collect())
    }

    /// Writes the file, if the last time is long enough ago.
    pub(super) fn write_if_due(&mut self, steps: &[(Merge, u64)]) -> Result<()> {
        if self.written.elapsed() < self.every {
            return Ok(());
        }
        let mut bytes = self.header.clone();
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
fn key(counts: &WordCounts, options: &BpeTrainerOptions) -> Result<[u8; 32]> {
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
