//! From a tokenizer.json to the parts of a tokenizer.

use serde_json::{Map, Value};

use super::super::json::{Node, excerpt};
use super::super::spelled::assign_ids;
use super::bpe::{self, BpeParts};
use super::stream::{self, ModelEntries};
use super::{components, decoders, normalizers, unigram, version2, words};
use crate::added_tokens::{AddedToken, Matching};
use crate::decode::Decoder;
use crate::error::{Error, Result};
use crate::lengths::Lengths;
use crate::model::{Bpe, Model};
use crate::pretokenize::Pretokenizer;
use crate::tokenizer::Parts;
use crate::vocab::Spelling;

/// The field that says whose way of looking for added tokens it is, where it is not that of tokenizers, which passes over
/// the field.
pub(super) const MATCHING: &str = "added_tokens_as_in";
pub(super) const LLAMA_CPP: &str = "llama.cpp";

/// Reads the parts of a tokenizer from a tokenizer.json.
pub(crate) fn parts(text: &str) -> Result<Parts> {
    let mut document = stream::document(text)?;
    let Some(mut model) = document.model else { return Err(Error::format("model", "is missing")) };
    if is_version_2(&document.fields)? {
        version2::to_version_1(&mut document.fields, &mut model.fields)?;
    }
    let fields = Value::Object(document.fields);
    let component = |key: &str| fields.get(key).filter(|value| !value.is_null()).map(|value| Node::new(value, key));

    let kind = model_kind(&model)?;
    let normalizer = component("normalizer").map(|node| normalizers::read(&node)).transpose()?;
    let steps = component("pre_tokenizer").map(|node| components::steps(&node)).transpose()?.unwrap_or_default();
    let decoder = match component("decoder") {
        Some(node) => decoders::read(&node)?,
        None => Decoder::Joined,
    };
    let bare = component("normalizer").is_none()
        && component("pre_tokenizer").is_none()
        && matches!(decoder, Decoder::Joined | Decoder::Fuse);
    let tokens = component("added_tokens").map(|node| added_tokens(&node)).transpose()?.unwrap_or_default();
    let (model, added_tokens) = match kind {
        ModelKind::Bpe => {
            let BpeParts { spelled, merges, options } = bpe::read(model, normalizer.as_ref(), &steps, bare)?;
            let added_tokens = spelled.assign_ids(tokens);
            (Model::Bpe(Bpe::of_spelled(spelled.into_vocab(), merges, options)?), added_tokens)
        }
        ModelKind::Unigram => {
            let unigram = unigram::read(model, normalizer.as_ref(), &steps)?;
            let vocab = unigram.vocab();
            let added_tokens = assign_ids(vocab, |token| vocab.id_spelled(token), tokens);
            (Model::Unigram(unigram), added_tokens)
        }
        ModelKind::WordPiece | ModelKind::WordLevel => {
            let (spelled, options) = words::read(model, &kind, normalizer.as_ref(), &steps)?;
            let added_tokens = spelled.assign_ids(tokens);
            (options.model(spelled.into_vocab())?, added_tokens)
        }
    };
    // The tokens of a byte model are bytes end to end, which a file may spell as a decoder or not.
    let decoder = if model.vocab().spelling() == Spelling::Latin1 { Decoder::Joined } else { decoder };
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
        matching: matching(component(MATCHING).as_ref())?,
    })
}

/// Whether a file is of version 2.0 and not 1.0; others are refused.
fn is_version_2(fields: &Map<String, Value>) -> Result<bool> {
    match fields.get("version") {
        None => Ok(false),
        Some(Value::String(version)) => match version.as_str() {
            "1.0" => Ok(false),
            "2.0" => Ok(true),
            other => {
                Err(Error::unsupported("version", format!("version {}, only \"1.0\" and \"2.0\" are", excerpt(other))))
            }
        },
        Some(other) => Err(Node::new(other, "version").wrong("a string")),
    }
}

/// The models that are read.
pub(super) enum ModelKind {
    Bpe,
    Unigram,
    WordPiece,
    WordLevel,
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
        "WordPiece" => Ok(ModelKind::WordPiece),
        "WordLevel" => Ok(ModelKind::WordLevel),
        other => Err(node.unsupported(format!("the model {other}"))),
    }
}

/// Whose way of looking for added tokens it is.
pub(super) fn matching(node: Option<&Node<'_>>) -> Result<Matching> {
    match node {
        None => Ok(Matching::Tokenizers),
        Some(node) if node.string()? == LLAMA_CPP => Ok(Matching::LlamaCpp),
        Some(node) => Err(node.unsupported("another way of looking for added tokens")),
    }
}

/// The added tokens as listed; their ids are those of the file, which are not final.
pub(super) fn added_tokens(node: &Node<'_>) -> Result<Vec<AddedToken>> {
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
