//! The Unigram model of a tokenizer.json.

use serde::ser::{Serialize, SerializeSeq, SerializeStruct, Serializer};
use serde_json::Value;

use super::super::json::Node;
use super::bpe::told_spelling;
use super::stream::ModelEntries;
use crate::error::{Error, Result};
use crate::model::unigram::{Rule, Unigram, UnigramOptions};
use crate::normalize::Normalizer;
use crate::pieces::{Piece, PieceKind};
use crate::pretokenize::Step;
use crate::vocab::Spelling;

/// Reads a Unigram model.
pub(super) fn read(model: ModelEntries, normalizer: Option<&Normalizer>, steps: &[Step]) -> Result<Unigram> {
    let ModelEntries { fields, scored, .. } = model;
    let list = scored.ok_or_else(|| Error::format("model.vocab", "must be a list of tokens and scores"))?;
    let fields = Value::Object(fields);
    let node = Node::new(&fields, "model");
    let options = UnigramOptions {
        unk_id: node.get("unk_id").map(|id| id.id()).transpose()?,
        byte_fallback: node.flag_or("byte_fallback", false)?,
        rule: Rule::Tokenizers,
        blanks: told_spelling(normalizer, steps)? == Spelling::Metaspace,
    };
    let piece = |(index, &score): (usize, &f64)| Piece {
        text: list.tokens.get(index).to_owned(),
        score,
        kind: PieceKind::Normal,
    };
    let pieces: Vec<Piece> = list.scores.iter().enumerate().map(piece).collect();
    Unigram::new(&pieces, options)
}

/// A Unigram model as it is written.
pub(super) struct UnigramModel<'u>(pub(super) &'u Unigram);

impl Serialize for UnigramModel<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let options = self.0.options();
        let mut model = serializer.serialize_struct("Unigram", 4)?;
        model.serialize_field("type", "Unigram")?;
        model.serialize_field("unk_id", &options.unk_id)?;
        model.serialize_field("vocab", &VocabList(self.0))?;
        model.serialize_field("byte_fallback", &options.byte_fallback)?;
        model.end()
    }
}

struct VocabList<'u>(&'u Unigram);

impl Serialize for VocabList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.vocab().size()))?;
        for piece in self.0.pieces() {
            list.serialize_element(&(piece.text, piece.score))?;
        }
        list.end()
    }
}
