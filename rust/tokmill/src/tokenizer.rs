//! The waist of the crate: an immutable, validated tokenizer and what it can do.

use std::borrow::Cow;

use crate::added_tokens::{AddedToken, AddedTokens};
use crate::decode::Decoder;
use crate::error::Result;
use crate::merges::Merge;
use crate::model::Model;
use crate::normalize::Normalizer;
use crate::pretokenize::Pretokenizer;
use crate::ragged::Ragged;
use crate::ragged::Side;
use crate::template::PostProcessor;

/// What a tokenizer is made of; [`Tokenizer::new`] checks that the parts fit.
#[derive(Debug)]
pub struct Parts {
    /// Rewrites the text first.
    pub normalizer: Option<Normalizer>,
    /// Tokens found before the model sees the text. Their ids are final.
    pub added_tokens: Vec<AddedToken>,
    /// Cuts the text into pieces.
    pub pretokenizer: Pretokenizer,
    /// Encodes the pieces.
    pub model: Model,
    /// Puts special tokens around the ids and trims offsets.
    pub post_processor: Option<PostProcessor>,
    /// Turns ids back into text.
    pub decoder: Decoder,
}

/// An immutable tokenizer. `Send + Sync`; clones of the reference may encode at the same time.
#[derive(Debug)]
pub struct Tokenizer {
    parts: Parts,
    added_tokens: AddedTokens,
}

/// Which special tokens may be recognised in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AllowedSpecial {
    /// None: a text never yields the id of a special token.
    #[default]
    None,
    /// All of them.
    All,
    /// Those with these ids.
    Only(Vec<u32>),
}

/// How to encode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Which special tokens are recognised.
    pub allowed_special: AllowedSpecial,
    /// Put the template's special tokens around the ids.
    pub add_special_tokens: bool,
    /// Threads for one call; `None` is as many as the input is worth.
    pub threads: Option<usize>,
}

/// How a batch is cut to length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncation {
    /// Ids of a row at the most, special tokens included.
    pub max_length: usize,
    /// Where ids are cut away.
    pub side: Side,
}

/// What offsets count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OffsetUnit {
    /// Unicode scalars; a token that holds part of a character spans all of it (as in tokenizers).
    #[default]
    Char,
    /// Bytes of UTF-8, exact: the spans of a byte-level model partition the text.
    Byte,
}

/// Begin and end of each id in the original text; `[0, 0]` for ids that stand for no text.
pub type Offsets = Vec<[i64; 2]>;

impl Tokenizer {
    /// Checks that the parts fit together and builds the matchers.
    pub fn new(parts: Parts) -> Result<Self> {
        let _ = parts;
        todo!()
    }

    /// The parts as given.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The added tokens in order of id.
    pub fn added_tokens(&self) -> &AddedTokens {
        &self.added_tokens
    }

    /// The ids of `text`.
    pub fn encode(&self, text: &[u8], options: &EncodeOptions) -> Result<Vec<u32>> {
        let _ = (text, options);
        todo!()
    }

    /// One row of ids a text (a pair of texts where `pairs` is given, one for each text).
    pub fn encode_batch<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
        pairs: Option<&[T]>,
        truncation: Option<Truncation>,
        options: &EncodeOptions,
    ) -> Result<Ragged<u32>> {
        let _ = (texts, pairs, truncation, options);
        todo!()
    }

    /// The ids of `text` and where each came from.
    pub fn encode_with_offsets(
        &self,
        text: &[u8],
        unit: OffsetUnit,
        options: &EncodeOptions,
    ) -> Result<(Vec<u32>, Offsets)> {
        let _ = (text, unit, options);
        todo!()
    }

    /// Ids and offsets, one row a text.
    pub fn encode_batch_with_offsets<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
        unit: OffsetUnit,
        options: &EncodeOptions,
    ) -> Result<(Ragged<u32>, Offsets)> {
        let _ = (texts, unit, options);
        todo!()
    }

    /// How many ids `text` has, without building them.
    pub fn count(&self, text: &[u8], options: &EncodeOptions) -> Result<usize> {
        let _ = (text, options);
        todo!()
    }

    /// How many ids each text has.
    pub fn count_batch<T: AsRef<[u8]> + Sync>(&self, texts: &[T], options: &EncodeOptions) -> Result<Vec<i64>> {
        let _ = (texts, options);
        todo!()
    }

    /// The bytes that `ids` stand for. Fails on an id that the vocabulary does not have.
    pub fn decode_bytes(&self, ids: &[u32], skip_special_tokens: bool) -> Result<Vec<u8>> {
        let _ = (ids, skip_special_tokens);
        todo!()
    }

    /// The text that `ids` stand for, with U+FFFD for what is not UTF-8.
    pub fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> Result<String> {
        let _ = (ids, skip_special_tokens);
        todo!()
    }

    /// One more than the largest id, added tokens included.
    pub fn vocab_size(&self) -> usize {
        todo!()
    }

    /// The bytes that an id stands for on its own; `None` for an id that does not exist.
    pub fn token_bytes(&self, id: u32) -> Option<Cow<'_, [u8]>> {
        let _ = id;
        todo!()
    }

    /// The id whose entry is `key`: an added token's content, else an entry of the model.
    pub fn token_id(&self, key: &[u8]) -> Option<u32> {
        let _ = key;
        todo!()
    }

    /// The id of a token in the owner's spelling.
    pub fn token_id_spelled(&self, spelled: &str) -> Option<u32> {
        let _ = spelled;
        todo!()
    }

    /// How the owner's file spells an id; `None` for an id that does not exist.
    pub fn token(&self, id: u32) -> Option<String> {
        let _ = id;
        todo!()
    }

    /// The merges of a BPE model in order of rank; none for other models.
    pub fn merges(&self) -> &[Merge] {
        todo!()
    }

    /// A tokenizer that also has these special tokens. An id that is taken by another token is refused.
    pub fn with_special_tokens(&self, tokens: &[(String, u32)]) -> Result<Self> {
        let _ = tokens;
        todo!()
    }

    /// A tokenizer with the first entries of the merge list only, `vocab_size` in all; ids do not change.
    pub fn truncated(&self, vocab_size: usize) -> Result<Self> {
        let _ = vocab_size;
        todo!()
    }
}

/// Decodes ids one at a time and never gives out half a character.
#[derive(Debug)]
pub struct DecodeStream {
    pending: Vec<u8>,
    skip_special_tokens: bool,
}

impl DecodeStream {
    /// A stream at the beginning of a text.
    pub fn new(skip_special_tokens: bool) -> Self {
        Self { pending: Vec::new(), skip_special_tokens }
    }

    /// The text that is certain once `id` is known; may be empty.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> Result<String> {
        let _ = (tokenizer, id, &self.pending, self.skip_special_tokens);
        todo!()
    }

    /// What is left: an unfinished character becomes U+FFFD. The stream begins anew.
    pub fn finish(&mut self) -> String {
        todo!()
    }
}
