//! What a BPE training run is told.

use std::path::PathBuf;
use std::time::Duration;

use crate::merges::Merge;
use crate::vocab::{Vocab, byte_level_char};

use super::veto::Veto;

/// The bytes that are entries before the first merge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum InitialAlphabet {
    /// All 256, so that any input can be encoded.
    #[default]
    Bytes,
    /// Those that the corpus holds, and these. What else a later input holds, the tokenizer cannot encode.
    Seen(Vec<u8>),
}

/// The order in which the bytes of the alphabet get their ids. Ties between pairs compare ids, so it decides merges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AlphabetOrder {
    /// By the code point of the byte's printable character in byte-level files; this is what tokenizers does.
    #[default]
    Gpt2,
    /// By value.
    Bytes,
}

impl AlphabetOrder {
    /// All 256 bytes in this order.
    pub fn bytes(self) -> [u8; 256] {
        let mut bytes: [u8; 256] = std::array::from_fn(|byte| byte as u8);
        if self == Self::Gpt2 {
            bytes.sort_unstable_by_key(|&byte| byte_level_char(byte));
        }
        bytes
    }
}

/// An existing tokenizer whose entries keep their ids; training goes on where its merges end.
#[derive(Clone, Debug)]
pub struct Base {
    /// Its entries, special tokens included.
    pub vocab: Vocab,
    /// Its merges in order of rank. They are applied to the corpus in this order, whatever the veto says.
    pub merges: Vec<Merge>,
}

/// Where an interrupted run left its merges, and where it goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The file; written under another name and renamed. A file of a run with other counts or options is refused.
    pub path: PathBuf,
    /// Time between two writes.
    pub every: Duration,
}

/// Options of [`train_bpe`](super::train_bpe).
#[derive(Clone, Debug)]
pub struct BpeTrainerOptions {
    /// Entries to end with: special tokens, alphabet and merges, or the base and further merges. Fewer where the
    /// corpus has no pair left.
    pub vocab_size: usize,
    /// A pair seen less often than this is not merged.
    pub min_frequency: u64,
    /// Entries with the first ids, in this order; repeated ones count once.
    pub special_tokens: Vec<String>,
    /// The bytes that are entries before the first merge.
    pub initial_alphabet: InitialAlphabet,
    /// The order of their ids.
    pub alphabet_order: AlphabetOrder,
    /// No merge makes an entry of more bytes than this.
    pub max_token_bytes: Option<usize>,
    /// No merge makes an entry that touches more characters than this; part of a character counts as one.
    pub max_token_chars: Option<usize>,
    /// Further entries that no merge may make.
    pub veto: Option<Veto>,
    /// The tokenizer to go on from.
    pub base: Option<Base>,
    /// Fill up with runs of blanks and of line feeds to exactly this many entries, `vocab_size` of them or more.
    pub pad_to: Option<usize>,
    /// Threads; `None` is as many as the work is worth. The result does not depend on it.
    pub threads: Option<usize>,
    /// Bytes of memory, the counts included, beyond which the run is refused before it begins.
    pub memory_limit: Option<usize>,
    /// Record the pair-count changes of every merge.
    pub trace: bool,
    /// Where to leave the merges from time to time, and to take them up again.
    pub checkpoint: Option<Checkpoint>,
}

impl Default for BpeTrainerOptions {
    fn default() -> Self {
        Self {
            vocab_size: 32_000,
            min_frequency: 2,
            special_tokens: Vec::new(),
            initial_alphabet: InitialAlphabet::default(),
            alphabet_order: AlphabetOrder::default(),
            max_token_bytes: None,
            max_token_chars: None,
            veto: None,
            base: None,
            pad_to: None,
            threads: None,
            memory_limit: None,
            trace: false,
            checkpoint: None,
        }
    }
}
