//! Blocks of bytes that are kept for later, in memory or, where that is short, in a temporary file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// A path in `directory` that no other spool or run of this process has.
pub(super) fn temporary_path(directory: &Path, suffix: &str) -> PathBuf {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    directory.join(format!("tokmill-{}-{serial}.{suffix}", process::id()))
}

/// Blocks in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Spool {
    blocks: Vec<Block>,
    /// Bytes of the blocks that are in memory.
    memory: usize,
}

/// Some bytes.
#[derive(Debug)]
pub(super) struct Block {
    len: usize,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory(Vec<u8>),
    File { file: Arc<TemporaryFile>, begin: u64 },
}

/// A file that goes when its blocks do.
#[derive(Debug)]
struct TemporaryFile {
    path: PathBuf,
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // A file that cannot be removed is in a directory for temporary files.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Spool {
    /// Adds a block.
    pub(super) fn push(&mut self, mut bytes: Vec<u8>) {
        bytes.shrink_to_fit();
        self.memory += bytes.len();
        self.blocks.push(Block { len: bytes.len(), place: Place::Memory(bytes) });
    }

    /// Bytes of memory that the blocks take.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// Moves the blocks that are in memory to a file in `directory`.
    pub(super) fn spill(&mut self, directory: &Path) -> Result<()> {
        if self.memory == 0 {
            return Ok(());
        }
        let path = temporary_path(directory, "spool");
        let failed = |error| Error::io(&path, error);
        let mut out = File::create_new(&path).map_err(failed)?;
        let file = Arc::new(TemporaryFile { path: path.clone() });
        let mut begin = 0;
        for block in &mut self.blocks {
            if let Place::Memory(bytes) = &block.place {
                out.write_all(bytes).map_err(failed)?;
                block.place = Place::File { file: Arc::clone(&file), begin };
                begin += block.len as u64;
            }
        }
        self.memory = 0;
        Ok(())
    }

    /// Adds the blocks of another.
    pub(super) fn append(&mut self, other: Self) {
        self.memory += other.memory;
        self.blocks.extend(other.blocks);
    }

    /// The blocks.
    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Takes the blocks out.
    pub(super) fn into_blocks(self) -> Vec<Block> {
        self.blocks
    }
}

impl Block {
    /// Number of bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Calls `visit` with the bytes, read into `buffer` where they are in a file.
    pub(super) fn with<R>(&self, buffer: &mut Vec<u8>, visit: impl FnOnce(&[u8]) -> R) -> Result<R> {
        match &self.place {
            Place::Memory(bytes) => Ok(visit(bytes)),
            Place::File { file, begin } => {
                let mut read = || -> io::Result<()> {
                    let mut source = File::open(&file.path)?;
                    source.seek(SeekFrom::Start(*begin))?;
                    buffer.resize(self.len, 0);
                    source.read_exact(buffer)
                };
                read().map_err(|error| Error::io(&file.path, error))?;
                Ok(visit(buffer))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(spool: &Spool) -> Vec<Vec<u8>> {
        spool.blocks().iter().map(|block| block.with(&mut Vec::new(), <[u8]>::to_vec).unwrap()).collect()
    }

    #[test]
    fn blocks_come_back_from_memory_and_from_files() {
        let directory = std::env::temp_dir();
        let mut spool = Spool::default();
        let blocks: Vec<Vec<u8>> = (0..6).map(|n| vec![n; 10 * usize::from(n)]).collect();
        for (index, block) in blocks.iter().enumerate() {
            spool.push(block.clone());
            if index % 2 == 1 {
                spool.spill(&directory).unwrap();
                assert_eq!(spool.memory(), 0);
            }
        }
        let mut other = Spool::default();
        other.push(vec![7]);
        spool.append(other);
        assert_eq!(spool.memory(), 1);
        assert_eq!(contents(&spool), [blocks, vec![vec![7]]].concat());
        let Place::File { file, .. } = &spool.blocks()[1].place else { panic!("is in a file") };
        let path = file.path.clone();
        assert!(path.exists());
        drop(spool);
        assert!(!path.exists());
    }
}
