//! The waist of the crate: an immutable, validated tokenizer and what it can do.

mod details;
mod edit;
mod encode;
mod join;
mod offsets;
mod pool;
mod sample;
mod stretches;
mod tiling;
mod words;

pub use crate::added_tokens::AllowedSpecial;
pub use crate::decode::DecodeStream;
pub use details::{Details, Surface};
pub use offsets::{OffsetUnit, Offsets};
pub use pool::DEFAULT_CACHE_BYTES;
pub use sample::Sampling;

use std::sync::Arc;

use crate::added_tokens::{AddedToken, AddedTokens, Matching, Round};
use crate::decode::{Decoder, TokenBytes};
use crate::encoder::Words;
use crate::error::{Error, Result};
use crate::lengths::Lengths;
use crate::merges::Merge;
use crate::model::Model;
use crate::normalize::Normalizer;
use crate::parallel;
use crate::pretokenize::Pretokenizer;
use crate::ragged::{RaggedView, Side};
use crate::template::{Layouts, PostProcessor};
use crate::vocab::{MAX_VOCAB, Spelling};
use pool::Pool;

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
    /// What the file says about the lengths of rows; kept for the file, never acted on.
    pub lengths: Lengths,
    /// Whose way of looking for added tokens it is.
    pub matching: Matching,
}

/// An immutable tokenizer. `Send + Sync`: any number of threads may use one at the same time.
#[derive(Debug)]
pub struct Tokenizer {
    normalizer: Option<Arc<Normalizer>>,
    /// What normalises texts instead where the model reads blanks for U+2581.
    with_blanks: Option<Arc<Normalizer>>,
    /// Where texts fall into words before they are normalised: how.
    words: Option<Arc<Words>>,
    added_tokens: AddedTokens,
    pretokenizer: Pretokenizer,
    model: Model,
    post_processor: Option<PostProcessor>,
    layouts: Layouts,
    decoder: Decoder,
    lengths: Lengths,
    token_bytes: TokenBytes,
    pool: Pool,
}

/// Tables of vocabularies of so many entries are built side by side.
const WORTH_A_THREAD: usize = 32_768;

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

/// How the rows of a batch are cut to length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncation {
    /// Ids of a row at the most, special tokens included.
    pub max_length: usize,
    /// Where ids are cut away.
    pub side: Side,
}

impl Tokenizer {
    /// Checks that the parts fit together and builds the tables.
    pub fn new(parts: Parts) -> Result<Self> {
        let Parts { normalizer, added_tokens, pretokenizer, model, post_processor, decoder, lengths, matching } = parts;
        if let Some(token) = added_tokens.iter().find(|token| token.id as usize >= MAX_VOCAB) {
            let at = format!("added token {:?}", token.content);
            return Err(Error::format(at, format!("its id {} is not below {MAX_VOCAB}", token.id)));
        }
        let spelling = model.vocab().spelling();
        let pretokenizer = pretokenizer.for_spelling(spelling)?;
        let pretokenizer = if model.is_sequential() { pretokenizer.cutting_words() } else { pretokenizer };
        let folds = spelling == Spelling::Metaspace && pretokenizer.takes_blanks();
        let with_blanks = normalizer.as_ref().filter(|_| folds).map(Normalizer::with_blanks).transpose()?.flatten();
        let added_tokens = AddedTokens::matching(added_tokens, matching, normalizer.as_ref(), with_blanks.as_ref())?;
        let (normalizer, with_blanks) = (normalizer.map(Arc::new), with_blanks.map(Arc::new));
        let words = if added_tokens.may_match(Round::Normalized, &AllowedSpecial::All) {
            None
        } else {
            Words::new(with_blanks.as_ref().or(normalizer.as_ref()), &pretokenizer, &model)?.map(Arc::new)
        };
        let layouts = Layouts::new(post_processor.as_ref())?;
        let is_large = model.vocab().entries() >= WORTH_A_THREAD;
        let (token_bytes, pool) =
            parallel::both(is_large, || TokenBytes::new(model.vocab(), &added_tokens, &decoder), || Pool::new(&model));
        let token_bytes = token_bytes?;
        if let Some(id) = layouts.largest_id().filter(|&id| id as usize >= token_bytes.size()) {
            return Err(Error::format("post_processor", format!("the template's id {id} is not in the vocabulary")));
        }
        Ok(Self {
            normalizer,
            with_blanks,
            words,
            added_tokens,
            pretokenizer,
            model,
            post_processor,
            layouts,
            decoder,
            lengths,
            token_bytes,
            pool,
        })
    }

    /// Whose way of looking for added tokens it is; that of tokenizers where both give the same.
    pub fn matching(&self) -> Matching {
        self.added_tokens.rule()
    }

    /// The normaliser, if there is one.
    pub fn normalizer(&self) -> Option<&Normalizer> {
        self.normalizer.as_deref()
    }

    /// The normaliser, if it does something; one without steps leaves bytes that are no text as they are, too.
    pub(crate) fn effective_normalizer(&self) -> Option<&Normalizer> {
        self.normalizer().filter(|normalizer| **normalizer != Normalizer::Sequence(Vec::new()))
    }

    /// The added tokens, in order of id.
    pub fn added_tokens(&self) -> &[AddedToken] {
        self.added_tokens.tokens()
    }

    /// The pretokenizer.
    pub fn pretokenizer(&self) -> &Pretokenizer {
        &self.pretokenizer
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The post-processor, if there is one.
    pub fn post_processor(&self) -> Option<&PostProcessor> {
        self.post_processor.as_ref()
    }

    /// The decoder.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The truncation and padding that the file states.
    pub fn lengths(&self) -> &Lengths {
        &self.lengths
    }

    /// Memory that caches may take, in bytes, over all threads.
    pub fn cache_bytes(&self) -> usize {
        self.pool.cache_bytes()
    }

    /// Sets the memory that caches may take, in bytes, over all threads; 0 turns them off. Results do not change.
    pub fn set_cache_bytes(&self, bytes: usize) {
        self.pool.set_cache_bytes(bytes);
    }

    /// The bytes that `ids` stand for. Fails on an id that the vocabulary does not have.
    pub fn decode_bytes(&self, ids: &[u32], skip_special_tokens: bool) -> Result<Vec<u8>> {
        self.token_bytes.bytes(ids, skip_special_tokens)
    }

    /// Whether a text is the bytes of its ids end to end, and U+FFFD what is not UTF-8 in them, whatever the ids are.
    pub fn decodes_end_to_end(&self) -> bool {
        self.token_bytes.is_bytes()
    }

    /// The text that `ids` stand for, with U+FFFD for what is not UTF-8, as the decoder has it.
    pub fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> Result<String> {
        self.token_bytes.text(ids, skip_special_tokens)
    }

    /// The text of each row; `threads` as in [`EncodeOptions::threads`].
    pub fn decode_batch(
        &self,
        batch: RaggedView<'_, u32>,
        skip_special_tokens: bool,
        threads: Option<usize>,
    ) -> Result<Vec<String>> {
        decode_rows(batch, threads, |row| self.decode(row, skip_special_tokens))
    }

    /// The bytes of each row; `threads` as in [`EncodeOptions::threads`].
    pub fn decode_batch_bytes(
        &self,
        batch: RaggedView<'_, u32>,
        skip_special_tokens: bool,
        threads: Option<usize>,
    ) -> Result<Vec<Vec<u8>>> {
        decode_rows(batch, threads, |row| self.decode_bytes(row, skip_special_tokens))
    }

    /// The next text of a stream, given its next id; see [`DecodeStream`].
    pub fn decode_next(&self, stream: &mut DecodeStream, id: u32) -> Result<String> {
        stream.push(&self.token_bytes, id)
    }

    /// One more than the largest id, added tokens included.
    pub fn vocab_size(&self) -> usize {
        self.token_bytes.size()
    }

    /// The bytes that an id stands for on its own; `None` for an id that does not exist.
    pub fn token_bytes(&self, id: u32) -> Option<&[u8]> {
        self.token_bytes.get(id)
    }

    /// The id whose entry is `key`: an added token's content, else an entry of the model.
    pub fn token_id(&self, key: &[u8]) -> Option<u32> {
        let added = self.added_tokens().iter().find(|token| token.content.as_bytes() == key);
        added.map(|token| token.id).or_else(|| self.model.vocab().id(key))
    }

    /// The id of a token in the owner's spelling.
    pub fn token_id_spelled(&self, spelled: &str) -> Option<u32> {
        let added = self.added_tokens().iter().find(|token| token.content == spelled);
        added.map(|token| token.id).or_else(|| self.model.vocab().id_spelled(spelled))
    }

    /// How the owner's file spells an id; `None` for an id that does not exist.
    pub fn token(&self, id: u32) -> Option<String> {
        match self.added_tokens.get(id) {
            Some(token) => Some(token.content.clone()),
            None => self.model.vocab().spelled(id),
        }
    }

    /// Special tokens and their ids, in order of id.
    pub fn special_tokens(&self) -> impl Iterator<Item = (&str, u32)> {
        self.added_tokens().iter().filter(|token| token.special).map(|token| (token.content.as_str(), token.id))
    }

    /// The merges of a BPE model in order of rank; none for other models.
    pub fn merges(&self) -> &[Merge] {
        match &self.model {
            Model::Bpe(bpe) => bpe.merges(),
            Model::Unigram(_) | Model::WordPiece(_) | Model::WordLevel(_) => &[],
        }
    }
}

/// Decodes rows on threads that take about equally many ids.
fn decode_rows<R: Send>(
    batch: RaggedView<'_, u32>,
    threads: Option<usize>,
    decode: impl Fn(&[u32]) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let threads = parallel::threads_for(batch.values().len() * 4, threads);
    let runs = parallel::balanced(batch.rows().map(<[u32]>::len), threads);
    let decode_run = |run: std::ops::Range<usize>| -> Result<Vec<R>> {
        batch.rows().skip(run.start).take(run.len()).map(&decode).collect()
    };
    let parts = parallel::map(runs, threads, decode_run).into_iter().collect::<Result<Vec<_>>>()?;
    Ok(parts.into_iter().flatten().collect())
}
