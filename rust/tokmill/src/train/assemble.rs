//! Between tokenizers and training: a tokenizer to go on from, and the tokenizers that were trained.

use crate::added_tokens::{AddedToken, Matching};
use crate::decode::Decoder;
use crate::error::{Error, Result};
use crate::lengths::Lengths;
use crate::model::{Bpe, BpeOptions, Model, WordPiece, WordPieceOptions};
use crate::normalize::{BertOptions, Normalizer};
use crate::pretokenize::{Pretokenizer, Step};
use crate::template::{PostProcessor, Template};
use crate::tokenizer::{Parts, Tokenizer};

use super::bpe::Trained;
use super::options::Base;
use super::splitter::Splitter;

impl Base {
    /// The entries and merges of a tokenizer, its added tokens included.
    pub fn of(tokenizer: &Tokenizer) -> Result<Self> {
        let Model::Bpe(bpe) = tokenizer.model() else {
            return Err(Error::unsupported("base", "a tokenizer whose model is not BPE"));
        };
        if bpe.reads_text() || bpe.options().has_affixes() {
            return Err(Error::unsupported("base", "a BPE over characters, or with affixes"));
        }
        let mut vocab = bpe.vocab().clone();
        for token in tokenizer.added_tokens() {
            if vocab.key(token.id).is_none() {
                vocab.insert_spelled(token.id, &token.content)?;
            }
        }
        Ok(Self { vocab, merges: bpe.merges().to_vec() })
    }
}

/// A post-processor that places `special_tokens`, given with their ids; see [`Template::parse`].
pub fn template(special_tokens: &[(String, u32)], single: &str, pair: Option<&str>) -> Result<PostProcessor> {
    let special = |name: &str| special_tokens.iter().find(|(content, _)| content == name);
    Template::parse(single, pair, |name| special(name).map(|(_, id)| *id)).map(PostProcessor::Template)
}

impl Trained {
    /// The byte-level tokenizer that was trained, given the stages that its pieces went through. Added tokens of the
    /// base are `inherited`.
    pub fn into_tokenizer(
        self,
        normalizer: Option<Normalizer>,
        pretokenizer: Pretokenizer,
        post_processor: Option<PostProcessor>,
        inherited: &[AddedToken],
    ) -> Result<Tokenizer> {
        let mut added_tokens = inherited.to_vec();
        let mut add = |content: String, id: u32, special: bool| match added_tokens
            .iter_mut()
            .find(|token| token.content == content)
        {
            Some(token) => token.special |= special,
            None => added_tokens.push(AddedToken { special, ..AddedToken::special(content, id) }),
        };
        for (content, id) in self.special_tokens {
            add(content, id, true);
        }
        for (content, id) in self.padding {
            add(content, id, false);
        }
        let model = Bpe::new(self.vocab, self.merges, BpeOptions::default())
            .map_err(|error| Error::format("trained model", error.to_string()))?;
        Tokenizer::new(Parts {
            normalizer,
            added_tokens,
            pretokenizer,
            model: Model::Bpe(model),
            post_processor,
            decoder: Decoder::ByteLevel { add_prefix_space: false, trim_offsets: true, use_regex: false },
            lengths: Lengths::default(),
            matching: Matching::default(),
        })
    }
    /// The tokenizer with BERT's stages, whose model covers words by the entries that were trained.
    pub fn into_word_piece(
        self,
        normalizer: BertOptions,
        options: WordPieceOptions,
        post_processor: Option<PostProcessor>,
    ) -> Result<Tokenizer> {
        let special = |(content, id)| AddedToken::special(content, id);
        let prefix = options.continuing_subword_prefix.clone();
        Tokenizer::new(Parts {
            normalizer: Some(Normalizer::Bert(normalizer)),
            added_tokens: self.special_tokens.into_iter().map(special).collect(),
            pretokenizer: Pretokenizer::new(vec![Step::BertPreTokenizer])?,
            model: Model::WordPiece(WordPiece::new(self.vocab, options)?),
            post_processor,
            decoder: Decoder::WordPiece { prefix, cleanup: true },
            lengths: Lengths::default(),
            matching: Matching::default(),
        })
    }
}

impl Splitter {
    /// Cuts texts into words as BERT's tokenizers do.
    pub fn bert(normalizer: BertOptions) -> Result<Self> {
        let pretokenizer = Pretokenizer::new(vec![Step::BertPreTokenizer])?;
        Ok(Self::new(Some(Normalizer::Bert(normalizer)), pretokenizer))
    }
}
