//! Single components, read from the objects that a tokenizer.json holds for them.

use serde_json::Value;

use super::super::json::Node;
use super::{components, normalizers};
use crate::error::{Error, Result};
use crate::normalize::Normalizer;
use crate::pretokenize::Pretokenizer;
use crate::vocab::Spelling;

/// Reads the object that a tokenizer.json holds for a normalizer.
pub fn normalizer(json: &[u8]) -> Result<Normalizer> {
    normalizers::read(&Node::new(&value(json, "normalizer")?, "normalizer"))
}

/// Reads the object that a tokenizer.json holds for a pretokenizer. Its pieces are spelled as its steps leave them:
/// bytes, for one, as the characters of `ByteLevel`.
pub fn pretokenizer(json: &[u8]) -> Result<Pretokenizer> {
    let steps = components::steps(&Node::new(&value(json, "pre_tokenizer")?, "pre_tokenizer"))?;
    Pretokenizer::new(steps)?.for_spelling(Spelling::Plain)
}

fn value(json: &[u8], path: &str) -> Result<Value> {
    serde_json::from_slice(json).map_err(|error| Error::format(path, error.to_string()))
}
