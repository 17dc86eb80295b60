//! GPT-2's two files: `vocab.json`, a map of tokens to ids, and `merges.txt`, a merge a line.
//!
//! They hold nothing else. The pipeline is GPT-2's; special tokens come from a `tokenizer_config.json` or the caller.

use hashbrown::HashMap;
use serde_json::Value;

use super::LoadOptions;
use super::json::{self, Node};
use super::spelled::SpelledVocab;
use super::tokenizer_json::{self, MergeEntries};
use crate::added_tokens::{AddedToken, Matching};
use crate::decode::Decoder;
use crate::error::{Error, Result};
use crate::lengths::Lengths;
use crate::model::{Bpe, BpeOptions, Model};
use crate::pretokenize::{Pretokenizer, Step};
use crate::template::PostProcessor;
use crate::tokenizer::Parts;
use crate::vocab::Spelling;

/// Reads the parts of a tokenizer from the two files, and the settings where there are any.
pub(super) fn parts(vocab: &str, merges: &str, config: Option<&str>, options: &LoadOptions) -> Result<Parts> {
    options.check_lowercase("vocab.json")?;
    if options.pattern.is_some() {
        return Err(Error::option("pattern", "vocab.json and merges.txt go with GPT-2's pattern"));
    }
    let spelled = SpelledVocab::new(&tokenizer_json::vocabulary(vocab)?, Spelling::ByteLevel, "vocab")?;
    let merges = spelled.merges(&read_merges(merges)?, "", |line| format!("merges.txt line {}", line + 1))?;
    let config = match config {
        Some(config) => serde_json::from_str(config).map_err(|error| json::syntax_error(&error))?,
        None => Value::Null,
    };
    let config = Node::new(&config, "tokenizer_config");
    let add_prefix_space = config.flag_or("add_prefix_space", false)?;
    let added_tokens = added_tokens(&config, &spelled, options)?;
    Ok(Parts {
        normalizer: None,
        added_tokens,
        pretokenizer: Pretokenizer::new(vec![Step::ByteLevel {
            add_prefix_space,
            trim_offsets: true,
            use_regex: true,
        }])?,
        model: Model::Bpe(Bpe::new(spelled.into_vocab(), merges, BpeOptions::default())?),
        post_processor: Some(PostProcessor::ByteLevel { add_prefix_space: true, trim_offsets: false, use_regex: true }),
        decoder: Decoder::byte_level(),
        lengths: Lengths::default(),
        matching: Matching::default(),
    })
}

/// Reads the lines of a merges.txt; empty ones and `#version` are passed over.
fn read_merges(text: &str) -> Result<MergeEntries> {
    let mut entries = MergeEntries::default();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() {
            entries.push_comment();
        } else if !entries.push_line(line) {
            let why = format!("{} is not two parts around one blank", json::excerpt(line));
            return Err(Error::format(format!("merges.txt line {}", index + 1), why));
        }
    }
    Ok(entries)
}

/// A token as the settings or the caller name it, and the id it is said to have.
type Declared = (AddedToken, Option<u32>);

/// The tokens of `added_tokens_decoder`, or of the named roles where the settings have none, and those of the caller.
pub(super) fn added_tokens(
    config: &Node<'_>,
    spelled: &SpelledVocab,
    options: &LoadOptions,
) -> Result<Vec<AddedToken>> {
    let mut declared = match config.get("added_tokens_decoder") {
        Some(decoder) => listed_tokens(&decoder)?,
        None => role_tokens(config)?,
    };
    let given = options.special_tokens.iter();
    declared.extend(given.map(|(content, id)| (AddedToken::special(content, *id), Some(*id))));
    let said: HashMap<String, u32> =
        declared.iter().filter_map(|(token, id)| Some((token.content.clone(), (*id)?))).collect();
    let tokens = spelled.assign_ids(declared.into_iter().map(|(token, _)| token).collect());
    for token in &tokens {
        if let Some(id) = said.get(&token.content)
            && *id != token.id
        {
            let why = format!("is said to have the id {id}, but the vocabulary gives it {}", token.id);
            return Err(Error::format(format!("added token {}", json::excerpt(&token.content)), why));
        }
    }
    Ok(tokens)
}

/// `added_tokens_decoder`: ids and what they stand for, in order of id.
fn listed_tokens(decoder: &Node<'_>) -> Result<Vec<Declared>> {
    let mut tokens = Vec::new();
    for key in decoder.object()?.keys() {
        let node = decoder.field(key)?;
        let id = key.parse().map_err(|_| Error::format(node.path(), "must have an id as its key"))?;
        tokens.push((token(&node, id)?, Some(id)));
    }
    tokens.sort_by_key(|(token, _)| token.id);
    Ok(tokens)
}

/// The tokens of the settings' named roles.
fn role_tokens(config: &Node<'_>) -> Result<Vec<Declared>> {
    let roles = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
    let mut nodes: Vec<_> = roles.iter().filter_map(|role| config.get(role)).collect();
    if let Some(additional) = config.get("additional_special_tokens") {
        nodes.extend(additional.items()?);
    }
    nodes.iter().map(|node| Ok((AddedToken { special: true, ..token(node, 0)? }, None))).collect()
}

/// A token: its content alone, or an object with the flags of tokenizers' `AddedToken`.
pub(super) fn token(node: &Node<'_>, id: u32) -> Result<AddedToken> {
    if let Ok(content) = node.string() {
        return Ok(AddedToken::special(content, id));
    }
    Ok(AddedToken {
        id,
        content: node.field("content")?.string()?.to_owned(),
        single_word: node.flag_or("single_word", false)?,
        lstrip: node.flag_or("lstrip", false)?,
        rstrip: node.flag_or("rstrip", false)?,
        normalized: node.flag_or("normalized", false)?,
        special: node.flag_or("special", false)?,
    })
}
