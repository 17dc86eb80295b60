//! Models: from the bytes of one piece to ids.

pub mod bpe;
pub mod unigram;
pub mod wordlevel;
pub mod wordpiece;

pub use bpe::{Bpe, BpeOptions};
pub use unigram::{Unigram, UnigramOptions};
pub use wordlevel::WordLevel;
pub use wordpiece::{WordPiece, WordPieceOptions};

use std::ops::Range;

use crate::vocab::{Spelling, Vocab};
use bpe::{BpeScratch, SafeCuts};
use unigram::UnigramScratch;
use wordpiece::WordPieceScratch;

/// The model of a tokenizer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Model {
    /// Byte-pair encoding.
    Bpe(Bpe),
    /// Unigram language model.
    Unigram(Unigram),
    /// WordPiece.
    WordPiece(WordPiece),
    /// One id a piece.
    WordLevel(WordLevel),
}

impl Model {
    /// The model's vocabulary, without added tokens that it does not know.
    pub fn vocab(&self) -> &Vocab {
        match self {
            Self::Bpe(bpe) => bpe.vocab(),
            Self::Unigram(unigram) => unigram.vocab(),
            Self::WordPiece(model) => model.vocab(),
            Self::WordLevel(model) => model.vocab(),
        }
    }

    /// Entries that are their own encoding as a piece, with their ids. Some may be left out.
    pub fn whole_entries(&self) -> Box<dyn Iterator<Item = (u32, &[u8])> + '_> {
        match self {
            Self::Bpe(bpe) => Box::new(bpe.whole_entries()),
            Self::Unigram(_) => Box::new(std::iter::empty()),
            Self::WordPiece(model) => Box::new(model.whole_entries()),
            Self::WordLevel(model) => Box::new(model.whole_entries()),
        }
    }

    /// Where a piece that [`Self::may_cut`] allows is cut into parts that are encoded as pieces of their own.
    pub fn cuts(&self) -> Option<&SafeCuts> {
        match self {
            Self::Bpe(bpe) => bpe.cuts().filter(|_| !bpe.has_unmerged()),
            Self::Unigram(_) | Self::WordPiece(_) | Self::WordLevel(_) => None,
        }
    }

    /// Whether cuts of `piece` change nothing.
    pub fn may_cut(&self, piece: &[u8]) -> bool {
        match self {
            Self::Bpe(bpe) => bpe.knows(piece),
            Self::Unigram(_) | Self::WordPiece(_) | Self::WordLevel(_) => false,
        }
    }

    /// Appends the range of the bytes of `piece` that each of its `ids` stands for.
    pub fn spans(&self, piece: &[u8], ids: &[u32], spans: &mut Vec<Range<usize>>) {
        match self {
            Self::Bpe(bpe) => bpe.spans(piece, ids, spans),
            Self::Unigram(unigram) => unigram.spans(piece, ids, spans),
            Self::WordPiece(model) => model.spans(piece, ids, spans),
            Self::WordLevel(_) => spans.extend(ids.iter().map(|_| 0..piece.len())),
        }
    }

    /// Whether texts must be UTF-8.
    pub fn reads_text(&self) -> bool {
        match self {
            Self::Bpe(bpe) => bpe.reads_text(),
            Self::Unigram(_) => true,
            Self::WordPiece(_) | Self::WordLevel(_) => self.vocab().spelling() == Spelling::Plain,
        }
    }

    /// Whether the ids of a piece depend on what stands before it, so that pieces have to be encoded in order.
    pub fn is_sequential(&self) -> bool {
        match self {
            Self::Bpe(_) | Self::WordPiece(_) | Self::WordLevel(_) => false,
            Self::Unigram(unigram) => unigram.cuts_words(),
        }
    }

    /// Whether a text has to be given to one encoder, since pieces depend on each other or may be refused.
    pub fn wants_one_encoder(&self) -> bool {
        match self {
            Self::Bpe(_) | Self::WordPiece(_) | Self::WordLevel(_) => false,
            Self::Unigram(unigram) => unigram.cuts_words() || unigram.options().unk_id.is_none(),
        }
    }

    /// Takes notice of pieces of a text that are encoded by other means, and spells out their ids; of use for sequential
    /// models only.
    #[inline]
    pub fn pass(&self, ids: &mut [u32], scratch: &mut ModelScratch) {
        if let Self::Unigram(unigram) = self {
            unigram.pass(ids, &mut scratch.unigram);
        }
    }

    /// Makes ids as tables keep them those of the vocabulary.
    #[inline]
    pub fn spell_out(&self, ids: &mut [u32]) {
        if let Self::Unigram(unigram) = self {
            unigram.spell_out(ids);
        }
    }

    /// Whether the next `len` bytes of a text may have other ids here than elsewhere.
    #[inline]
    pub fn is_out_of_line(&self, len: usize, scratch: &ModelScratch) -> bool {
        matches!(self, Self::Unigram(unigram) if unigram.is_near_reset(len, &scratch.unigram))
    }

    /// The first byte of `text` that the model cannot encode although no text can contain it.
    pub fn first_unencodable(&self, text: &[u8]) -> Option<(usize, u8)> {
        match self {
            Self::Bpe(bpe) => bpe.first_unencodable(text),
            Self::Unigram(_) | Self::WordPiece(_) | Self::WordLevel(_) => None,
        }
    }
}

/// Reusable memory for encoding pieces.
#[derive(Debug, Default)]
pub struct ModelScratch {
    /// Of a BPE model.
    pub bpe: BpeScratch,
    /// Of a Unigram model.
    pub unigram: UnigramScratch,
    /// Of a WordPiece model.
    pub wordpiece: WordPieceScratch,
}
