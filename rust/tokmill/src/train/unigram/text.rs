//! From documents to the words that a Unigram model is trained on.

use crate::error::Result;
use crate::normalize::{Normalizer, SentencePiece, SentencePieceRules};
use crate::pretokenize::{PrependScheme, Pretokenizer, Step};
use crate::train::splitter::Splitter;
use crate::vocab::Spelling;

use super::options::{Normalization, TextRules};
use super::rules::BLANK;

impl Normalization {
    /// The normalisers of tokenizer.json that together are this one.
    pub(super) fn steps(self) -> Vec<Normalizer> {
        match self {
            Self::Identity => Vec::new(),
            Self::Nfc => vec![Normalizer::Nfc],
            Self::Nfkc => vec![Normalizer::Nfkc],
            Self::NmtNfkc => vec![Normalizer::Nmt, Normalizer::Nfkc],
        }
    }
}

/// What cuts documents into the words that [`train_unigram`](super::train_unigram) counts: each begins with a blank, or
/// with the text. Where words are to be joined (`split_by_whitespace` is off), a document is one word.
pub fn splitter(rules: &TextRules, split_by_whitespace: bool) -> Result<Splitter> {
    let blanks = SentencePieceRules {
        add_dummy_prefix: rules.add_dummy_prefix,
        remove_extra_whitespaces: rules.remove_extra_whitespaces,
        escape_whitespaces: true,
        ..SentencePieceRules::default()
    };
    let mut steps = rules.normalization.steps();
    steps.push(Normalizer::SentencePiece(Box::new(SentencePiece::new(blanks, true))));
    let words =
        Step::Metaspace { replacement: BLANK, prepend_scheme: PrependScheme::Never, split: split_by_whitespace };
    let pretokenizer = Pretokenizer::new(vec![words])?.for_spelling(Spelling::Metaspace)?;
    Ok(Splitter::new(Some(Normalizer::Sequence(steps)), pretokenizer))
}
