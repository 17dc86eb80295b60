//! From a tokenizer.json to the parts of a tokenizer.

use serde_json::{Map, Value};

use super::super::json::{Node, excerpt};
use super::super::spelled::assign_ids;
use super::bpe::{self, BpeParts};
use super::stream::{self, ModelEntries};
use super::{components, decoders, normalizers, unigram};
use crate::added_tokens::AddedToken;
use crate::decode::Decoder;
use crate::error::{Error, Result};
use crate::lengths::Lengths;
use crate::model::{Bpe, Model};
use crate::pretokenize::Pretokenizer;
use crate::tokenizer::Parts;

/// Reads the parts of a tokenizer from a tokenizer.json.
pub(crate) fn parts(text: &str) -> Result<Parts> {
    let document = stream::document(text)?;
    let Some(model) = document.model else { return Err(Error::format("model", "is missing")) };
    check_version(&document.fields)?;
    let fields = Value::Object(document.fields);
    let component = |key: &str| fields.get(key).filter(|value| !value.is_null()).map(|value| Node::new(value, key));

    let kind = model_kind(&model)?;
    let normalizer = component("normalizer").map(|node| normalizers::read(&node)).transpose()?;
    let steps = component("pre_tokenizer").map(|node| components::steps(&node)).transpose()?.unwrap_or_default();
    let bare = ["normalizer", "pre_tokenizer", "decoder"].iter().all(|key| component(key).is_none());
    let decoder = match component("decoder") {
        Some(node) => decoders::read(&node)?,
        None => Decoder::Joined,
    };
    let tokens = component("added_tokens").map(|node| added_tokens(&node)).transpose()?.unwrap_or_default();
    let (model, added_tokens) = match kind {
        ModelKind::Bpe => {
            let BpeParts { spelled, merges, options } = bpe::read(model, normalizer.as_ref(), &steps, bare)?;
            let added_tokens = spelled.assign_ids(tokens, "added_tokens")?;
            (Model::Bpe(Bpe::new(spelled.into_vocab(), merges, options)?), added_tokens)
        }
        ModelKind::Unigram => {
            let unigram = unigram::read(model, normalizer.as_ref(), &steps)?;
            let vocab = unigram.vocab();
            let added_tokens = assign_ids(vocab, |token| vocab.id_spelled(token), tokens, "added_tokens")?;
            (Model::Unigram(unigram), added_tokens)
        }
    };
    Ok(Parts {
        normalizer,
        added_tokens,
        pretokenizer: Pretokenizer::new(steps)?,
        model,
        post_processor: component("post_processor").map(|node| components::post_processor(&node)).transpose()?,
        decoder,
        lengths: Lengths {
            truncation: component("truncation").map(|node| components::truncation(&node)).transpose()?,
            padding: component("padding").map(|node| components::padding(&node)).transpose()?,
        },
    })
}

fn check_version(fields: &Map<String, Value>) -> Result<()> {
    match fields.get("version") {
        None => Ok(()),
        Some(Value::String(version)) if version == "1.0" => Ok(()),
        Some(Value::String(version)) => {
            Err(Error::unsupported("version", format!("version {}, only \"1.0\" is", excerpt(version))))
        }
        Some(other) => Err(Node::new(other, "version").wrong("a string")),
    }
}

/// The models that are read.
enum ModelKind {
    Bpe,
    Unigram,
}

/// Tells the model; one without a type is told by its fields. Others are refused by name.
fn model_kind(model: &ModelEntries) -> Result<ModelKind> {
    let fields = Value::Object(model.fields.clone());
    let node = Node::new(&fields, "model");
    let name = match node.get("type") {
        Some(name) => name.string()?,
        None if model.scored.is_some() => "Unigram",
        None if model.merges.is_some() => "BPE",
        None if node.get("max_input_chars_per_word").is_some() => "WordPiece",
        None => "WordLevel",
    };
    match name {
        "BPE" => Ok(ModelKind::Bpe),
        "Unigram" => Ok(ModelKind::Unigram),
        other => Err(node.unsupported(format!("the model {other}"))),
    }
}

/// The added tokens as listed; their ids are those of the file, which are not final.
fn added_tokens(node: &Node<'_>) -> Result<Vec<AddedToken>> {
    let token = |node: Node<'_>| {
        Ok(AddedToken {
            id: node.field("id")?.id()?,
            content: node.field("content")?.string()?.to_owned(),
            single_word: node.flag("single_word")?,
            lstrip: node.flag("lstrip")?,
            rstrip: node.flag("rstrip")?,
            normalized: node.flag("normalized")?,
            special: node.flag("special")?,
        })
    };
    node.items()?.map(token).collect()
}
