//! The stages of a tokenizer that other formats have no place for, spelled as in a tokenizer.json.

use serde_json::{Value, json};

use super::super::json::{Node, syntax_error};
use super::read::{added_tokens, matching};
use super::write::{added_token, post_processor};
use super::{components, read};
use crate::added_tokens::{AddedToken, Matching};
use crate::error::Result;
use crate::template::PostProcessor;
use crate::tokenizer::Tokenizer;

/// Added tokens with their flags and final ids, and what comes behind the model.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    pub(crate) added_tokens: Vec<AddedToken>,
    pub(crate) matching: Matching,
    pub(crate) post_processor: Option<PostProcessor>,
}

impl Stages {
    /// Those of a tokenizer.
    pub(crate) fn of(tokenizer: &Tokenizer) -> Self {
        Self {
            added_tokens: tokenizer.added_tokens().to_vec(),
            matching: tokenizer.matching(),
            post_processor: tokenizer.post_processor().cloned(),
        }
    }

    /// Writes them.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut value = json!({
            "added_tokens": self.added_tokens.iter().map(added_token).collect::<Vec<_>>(),
            "post_processor": self.post_processor.as_ref().map(post_processor),
        });
        if self.matching == Matching::LlamaCpp {
            value[read::MATCHING] = json!(read::LLAMA_CPP);
        }
        value.to_string().into_bytes()
    }

    /// Reads what [`Self::write`] wrote.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| syntax_error(&error))?;
        let node = Node::new(&value, "extension");
        let post_processor = node.get("post_processor").map(|node| components::post_processor(&node)).transpose()?;
        Ok(Self {
            added_tokens: added_tokens(&node.field("added_tokens")?)?,
            matching: matching(node.get(read::MATCHING).as_ref())?,
            post_processor,
        })
    }
}
