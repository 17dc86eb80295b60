//! WordLevel: a piece is an entry, or unknown.

use super::wordpiece::unknown_id;
use crate::error::Result;
use crate::vocab::Vocab;

/// A validated WordLevel model.
#[derive(Clone, Debug)]
pub struct WordLevel {
    vocab: Vocab,
    unk_token: String,
    unknown: u32,
}

impl WordLevel {
    /// A model over a vocabulary. Fails where that does not hold the unknown token.
    pub fn new(vocab: Vocab, unk_token: String) -> Result<Self> {
        let unknown = unknown_id(&vocab, &unk_token)?;
        Ok(Self { vocab, unk_token, unknown })
    }

    /// The vocabulary.
    pub fn vocab(&self) -> &Vocab {
        &self.vocab
    }

    /// What a piece becomes that is no entry.
    pub fn unk_token(&self) -> &str {
        &self.unk_token
    }

    /// Entries that are their own encoding: all that a piece can be.
    pub(super) fn whole_entries(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.vocab.iter().filter(|(id, key)| !key.is_empty() && !self.vocab.is_inexpressible(*id))
    }

    /// The id of a piece.
    pub fn encode(&self, piece: &[u8]) -> u32 {
        self.vocab.id(piece).unwrap_or(self.unknown)
    }
}
