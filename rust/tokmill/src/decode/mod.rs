//! From ids back to bytes and text.
//!
//! A decoder of tokenizer.json is a chain of rewritings of a list of strings. For the chains in use, what a token
//! becomes depends on nothing but whether it is the first, so it is computed once and laid out end to end
//! ([`TokenBytes`]); what is left to do for a text is to copy, to see to runs of byte tokens that are not UTF-8, and to
//! strip the ends. Other chains are run as they stand ([`chain`]).

mod chain;
mod layout;
mod sentencepiece;
mod slots;
mod stream;

pub use layout::TokenBytes;
pub use sentencepiece::SentencePieceDecoder;
pub use stream::{DecodeStream, complete_prefix};

use crate::pretokenize::PrependScheme;
use crate::regex::Replacement;

/// How the tokens of a sequence become text. Names and options are those of tokenizers' JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decoder {
    /// Bytes end to end (and what tiktoken does). The flags are kept for the file.
    ByteLevel {
        /// Kept for the file.
        add_prefix_space: bool,
        /// Kept for the file.
        trim_offsets: bool,
        /// Kept for the file.
        use_regex: bool,
    },
    /// Spellings joined by blanks: what tokenizers does for a file without a decoder.
    Joined,
    /// Replaces the matches of a pattern in each token.
    Replace(Replacement),
    /// Turns runs of tokens like `<0x0A>` into the text of their bytes; a run that is not UTF-8 becomes one U+FFFD a
    /// byte.
    ByteFallback,
    /// Makes one token of all.
    Fuse,
    /// Strips a character from the ends of each token.
    Strip {
        /// The character.
        content: char,
        /// At most this many at the beginning.
        start: usize,
        /// At most this many at the end.
        stop: usize,
    },
    /// Writes a character as a blank, and drops it from the first token unless `prepend_scheme` is never.
    Metaspace {
        /// The character.
        replacement: char,
        /// Whether text was given one at its beginning.
        prepend_scheme: PrependScheme,
        /// Kept for the file.
        split: bool,
    },
    /// Puts blanks between words: before each token that does not begin with `prefix`, which is dropped.
    WordPiece {
        /// What tokens inside a word begin with.
        prefix: String,
        /// Take blanks before punctuation and some English endings away.
        cleanup: bool,
    },
    /// Writes a suffix as a blank, and drops it from the last token.
    Bpe {
        /// What the last token of a word ends in.
        suffix: String,
    },
    /// For speech recognition: drops repetitions, then padding.
    Ctc {
        /// What is dropped.
        pad_token: String,
        /// Written as a blank where `cleanup`.
        word_delimiter_token: String,
        /// Take blanks before punctuation and some English endings away.
        cleanup: bool,
    },
    /// As sentencepiece does for its own models.
    SentencePiece(Box<SentencePieceDecoder>),
    /// One after the other.
    Sequence(Vec<Decoder>),
}

impl Decoder {
    /// Bytes end to end, with the flags that tokenizers writes by default.
    pub fn byte_level() -> Self {
        Self::ByteLevel { add_prefix_space: true, trim_offsets: true, use_regex: true }
    }

    /// The steps of nested sequences, one after the other.
    fn flat(&self) -> Vec<&Self> {
        match self {
            Self::Sequence(steps) => steps.iter().flat_map(Self::flat).collect(),
            step => vec![step],
        }
    }
}
