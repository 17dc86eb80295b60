//! The WordPiece and WordLevel models of a tokenizer.json.

use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::Value;

use super::super::json::Node;
use super::super::spelled::SpelledVocab;
use super::bpe::told_spelling;
use super::read::ModelKind;
use super::stream::ModelEntries;
use super::write::VocabMap;
use crate::error::{Error, Result};
use crate::model::{Model, WordLevel, WordPiece, WordPieceOptions};
use crate::normalize::Normalizer;
use crate::pretokenize::Step;
use crate::vocab::{Spelling, Vocab};

/// The field for the prefix at the beginning of words, which tokenizers does not have. Files with it have a normalizer
/// that tokenizers refuses.
const BEGINNING: &str = "beginning_of_word_prefix";

/// What a model is made of besides its vocabulary.
pub(super) enum WordOptions {
    WordPiece(WordPieceOptions),
    /// The unknown token.
    WordLevel(String),
}

impl WordOptions {
    /// The model with this vocabulary.
    pub(super) fn model(self, vocab: Vocab) -> Result<Model> {
        Ok(match self {
            Self::WordPiece(options) => Model::WordPiece(WordPiece::new(vocab, options)?),
            Self::WordLevel(unk_token) => Model::WordLevel(WordLevel::new(vocab, unk_token)?),
        })
    }
}

/// Reads a WordPiece or WordLevel model.
pub(super) fn read(
    model: ModelEntries,
    kind: &ModelKind,
    normalizer: Option<&Normalizer>,
    steps: &[Step],
) -> Result<(SpelledVocab, WordOptions)> {
    let ModelEntries { fields, vocab, .. } = model;
    let entries = vocab.ok_or_else(|| Error::format("model.vocab", "must be an object of tokens and ids"))?;
    let fields = Value::Object(fields);
    let node = Node::new(&fields, "model");
    let unk_token = node.field("unk_token")?.string()?.to_owned();
    let options = match kind {
        ModelKind::WordPiece => WordOptions::WordPiece(WordPieceOptions {
            unk_token,
            continuing_subword_prefix: node.field("continuing_subword_prefix")?.string()?.to_owned(),
            beginning_of_word_prefix: match node.get(BEGINNING) {
                Some(prefix) => prefix.string()?.to_owned(),
                None => String::new(),
            },
            max_input_chars_per_word: node.field("max_input_chars_per_word")?.count()? as usize,
        }),
        _ => WordOptions::WordLevel(unk_token),
    };
    Ok((SpelledVocab::new(&entries, spelling(normalizer, steps)?, "model.vocab")?, options))
}

/// How a vocabulary of words is spelled: through the alphabet of `ByteLevel` where that comes last of what rewrites
/// text, else as it is.
pub(super) fn spelling(normalizer: Option<&Normalizer>, steps: &[Step]) -> Result<Spelling> {
    Ok(match told_spelling(normalizer, steps)? {
        Spelling::ByteLevel => Spelling::ByteLevel,
        _ => Spelling::Plain,
    })
}

/// A WordPiece model as it is written.
pub(super) struct WordPieceModel<'m>(pub(super) &'m WordPiece);

impl Serialize for WordPieceModel<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let options = self.0.options();
        let mut model = serializer.serialize_struct("WordPiece", 6)?;
        model.serialize_field("type", "WordPiece")?;
        model.serialize_field("unk_token", &options.unk_token)?;
        model.serialize_field("continuing_subword_prefix", &options.continuing_subword_prefix)?;
        if !options.beginning_of_word_prefix.is_empty() {
            model.serialize_field(BEGINNING, &options.beginning_of_word_prefix)?;
        }
        model.serialize_field("max_input_chars_per_word", &options.max_input_chars_per_word)?;
        model.serialize_field("vocab", &VocabMap { vocab: self.0.vocab(), placed: &[] })?;
        model.end()
    }
}

/// A WordLevel model as it is written.
pub(super) struct WordLevelModel<'m>(pub(super) &'m WordLevel);

impl Serialize for WordLevelModel<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut model = serializer.serialize_struct("WordLevel", 3)?;
        model.serialize_field("type", "WordLevel")?;
        model.serialize_field("vocab", &VocabMap { vocab: self.0.vocab(), placed: &[] })?;
        model.serialize_field("unk_token", self.0.unk_token())?;
        model.end()
    }
}
