//! Models: from the bytes of one piece to ids.

pub mod bpe;

pub use bpe::{Bpe, BpeOptions};

use crate::vocab::Vocab;

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
}
