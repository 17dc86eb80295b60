//! What rank files have in common: a table of byte strings by rank, and a pattern beside it.
//!
//! tiktoken merges whichever neighbours form the entry of the lowest rank, and leaves out text that its pattern does
//! not match ([`tiktoken_steps`]).

use crate::added_tokens::{AddedToken, Matching};
use crate::decode::Decoder;
use crate::error::{Error, Result};
use crate::lengths::Lengths;
use crate::model::{Bpe, Model};
use crate::pretokenize::patterns::tiktoken_steps;
use crate::pretokenize::{Pretokenizer, Step};
use crate::tokenizer::Parts;
use crate::vocab::Vocab;

/// The parts of a tokenizer of ranked entries. `pattern` is a regular expression in tiktoken's syntax, or a name.
pub(super) fn parts(vocab: Vocab, pattern: &str, added_tokens: Vec<AddedToken>) -> Result<Parts> {
    added_tokens.iter().try_for_each(|token| token.check_id(&vocab))?;
    let mut steps = tiktoken_steps(pattern);
    steps.push(Step::ByteLevel { add_prefix_space: false, trim_offsets: true, use_regex: false });
    Ok(Parts {
        normalizer: None,
        added_tokens,
        pretokenizer: Pretokenizer::new(steps)?,
        model: Model::Bpe(Bpe::from_ranks(vocab)?),
        post_processor: None,
        decoder: Decoder::byte_level(),
        lengths: Lengths::default(),
        matching: Matching::default(),
    })
}

/// Refuses a vocabulary without an entry for each byte: text could not be encoded.
pub(super) fn check_bytes(vocab: &Vocab) -> Result<()> {
    match (0..=u8::MAX).find(|&byte| vocab.id(&[byte]).is_none()) {
        Some(byte) => Err(Error::format("file", format!("has no entry for the byte 0x{byte:02X}"))),
        None => Ok(()),
    }
}
