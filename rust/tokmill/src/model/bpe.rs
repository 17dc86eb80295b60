//! Byte-pair encoding.

use crate::error::Result;
use crate::merges::Merge;
use crate::vocab::Vocab;

/// Switches of a BPE model, named as in tokenizers' JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BpeOptions {
    /// A piece that is an entry of the vocabulary becomes that entry without merging.
    pub ignore_merges: bool,
}

/// A validated byte-pair encoding over bytes.
#[derive(Debug)]
pub struct Bpe {
    vocab: Vocab,
    merges: Vec<Merge>,
    options: BpeOptions,
}

impl Bpe {
    /// Checks and compiles a vocabulary and its merges, which are in order of rank.
    pub fn new(vocab: Vocab, merges: Vec<Merge>, options: BpeOptions) -> Result<Self> {
        Ok(Self { vocab, merges, options })
    }

    /// A model that merges whatever neighbours form the entry with the smallest id (tiktoken's rule), which needs an
    /// entry for each of the 256 bytes. `vocab` holds the ranked entries alone.
    pub fn from_ranks(vocab: Vocab) -> Result<Self> {
        let _ = vocab;
        todo!()
    }

    /// The vocabulary.
    pub fn vocab(&self) -> &Vocab {
        &self.vocab
    }

    /// The merges in order of rank, as the file lists them.
    pub fn merges(&self) -> &[Merge] {
        &self.merges
    }

    /// The switches.
    pub fn options(&self) -> &BpeOptions {
        &self.options
    }
}
