//! Models: from the bytes of one piece to ids.

pub mod bpe;
pub mod unigram;

pub use bpe::{Bpe, BpeOptions};
pub use unigram::{Unigram, UnigramOptions};

use crate::vocab::Vocab;
use bpe::BpeScratch;

/// The model of a tokenizer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Model {
    /// Byte-pair encoding.
    Bpe(Bpe),
}

impl Model {
    /// The model's vocabulary, without added tokens that it does not know.
    pub fn vocab(&self) -> &Vocab {
        match self {
            Self::Bpe(bpe) => bpe.vocab(),
        }
    }

    /// Entries that are their own encoding as a piece, with their ids. Some may be left out.
    pub fn whole_entries(&self) -> impl Iterator<Item = (u32, &[u8])> {
        match self {
            Self::Bpe(bpe) => bpe.whole_entries(),
        }
    }

    /// Appends how many bytes of `piece` each of its `ids` stands for; they add up to the piece.
    pub fn lengths(&self, piece: &[u8], ids: &[u32], lengths: &mut Vec<usize>) {
        match self {
            Self::Bpe(bpe) => bpe.lengths(piece, ids, lengths),
        }
    }

    /// Whether texts must be UTF-8.
    pub fn reads_text(&self) -> bool {
        match self {
            Self::Bpe(bpe) => bpe.reads_text(),
        }
    }

    /// The first byte of `text` that the model cannot encode although no text can contain it.
    pub fn first_unencodable(&self, text: &[u8]) -> Option<(usize, u8)> {
        match self {
            Self::Bpe(bpe) => bpe.first_unencodable(text),
        }
    }
}

/// Reusable memory for encoding pieces.
#[derive(Debug, Default)]
pub struct ModelScratch {
    /// Of a BPE model.
    pub bpe: BpeScratch,
}
