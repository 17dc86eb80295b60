//! From a tokenizer.json to the parts of a tokenizer.

use serde_json::{Map, Value};

use super::super::json::{Node, excerpt};
use super::super::spelled::SpelledVocab;
use super::stream::{self, MergeEntries, ModelEntries, VocabEntries};
use super::{components, decoders, normalizers};
use crate::added_tokens::AddedToken;
use crate::decode::Decoder;
use crate::error::{Error, Result};
use crate::lengths::Lengths;
use crate::model::{Bpe, BpeOptions, Model};
use crate::pretokenize::{Pretokenizer, Step};
use crate::tokenizer::Parts;
use crate::vocab::{Spelling, Vocab};

/// Reads the parts of a tokenizer from a tokenizer.json.
pub(crate) fn parts(text: &str) -> Result<Parts> {
    let document = stream::document(text)?;
    let Some(model) = document.model else { return Err(Error::format("model", "is missing")) };
    check_version(&document.fields)?;
    let fields = Value::Object(document.fields);
    let component = |key: &str| fields.get(key).filter(|value| !value.is_null()).map(|value| Node::new(value, key));

    let (entries, merge_entries, switches) = bpe_entries(model)?;
    let steps = component("pre_tokenizer").map(|node| components::steps(&node)).transpose()?.unwrap_or_default();
    let spelling = spelling(&steps, &component, &entries, &switches)?;
    let spelled = SpelledVocab::new(&entries, spelling, "model.vocab")?;
    check_unknown(spelled.vocab(), &switches)?;
    let merges = spelled.merges(&merge_entries, |line| format!("model.merges[{line}]"))?;
    let decoder = match component("decoder") {
        Some(node) => decoders::read(&node)?,
        None => Decoder::Joined,
    };
    let added_tokens = match component("added_tokens") {
        Some(node) => spelled.assign_ids(added_tokens(&node)?, "added_tokens")?,
        None => Vec::new(),
    };
    Ok(Parts {
        normalizer: component("normalizer").map(|node| normalizers::read(&node)).transpose()?,
        added_tokens,
        pretokenizer: Pretokenizer::new(steps)?,
        model: Model::Bpe(Bpe::new(
            spelled.into_vocab(),
            merges,
            BpeOptions { ignore_merges: switches.ignore_merges, ..BpeOptions::default() },
        )?),
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

/// Switches of a BPE model.
#[derive(Default)]
struct Switches {
    ignore_merges: bool,
    byte_fallback: bool,
    unk_token: Option<String>,
}

/// The two lists and the switches of a BPE model; any other model is refused by name.
fn bpe_entries(model: ModelEntries) -> Result<(VocabEntries, MergeEntries, Switches)> {
    let ModelEntries { fields, vocab, vocab_is_list, merges } = model;
    let fields = Value::Object(fields);
    let node = Node::new(&fields, "model");
    let name = match node.get("type") {
        Some(name) => name.string()?,
        None if vocab_is_list => "Unigram",
        None if merges.is_some() => "BPE",
        None if node.get("max_input_chars_per_word").is_some() => "WordPiece",
        None => "WordLevel",
    };
    if name != "BPE" {
        return Err(node.unsupported(format!("the model {name}")));
    }
    let entries = vocab.ok_or_else(|| Error::format("model.vocab", "must be an object of tokens and ids"))?;
    let merges = merges.ok_or_else(|| Error::format("model.merges", "is missing"))?;
    Ok((entries, merges, switches(&node)?))
}

fn switches(model: &Node<'_>) -> Result<Switches> {
    if let Some(dropout) = model.get("dropout")
        && dropout.number()? != 0.0
    {
        return Err(Error::unsupported("model.dropout", "merges that are skipped at random"));
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
        if let Some(affix) = model.get(key)
            && !affix.string()?.is_empty()
        {
            return Err(Error::unsupported(affix.path(), format!("the affix {}", excerpt(affix.string()?))));
        }
    }
    model.flag_or("fuse_unk", false)?;
    Ok(Switches {
        ignore_merges: model.flag_or("ignore_merges", false)?,
        byte_fallback: model.flag_or("byte_fallback", false)?,
        unk_token: model.get("unk_token").map(|unk| unk.string()).transpose()?.map(str::to_owned),
    })
}

/// How the vocabulary is spelled: through the alphabet of `ByteLevel` where the pretokenizer maps to it, else as Latin-1
/// where the file is a byte model in that disguise.
fn spelling<'v>(
    steps: &[Step],
    component: &impl Fn(&str) -> Option<Node<'v>>,
    entries: &VocabEntries,
    switches: &Switches,
) -> Result<Spelling> {
    if components::maps_bytes(steps)? {
        return Ok(Spelling::ByteLevel);
    }
    if switches.byte_fallback {
        return Err(Error::unsupported("model.byte_fallback", "a BPE over characters that falls back to bytes"));
    }
    let bare = ["normalizer", "pre_tokenizer", "decoder"].iter().all(|key| component(key).is_none());
    if bare && switches.unk_token.is_none() && is_latin1(entries) {
        return Ok(Spelling::Latin1);
    }
    Err(Error::unsupported(
        "pre_tokenizer",
        "a BPE over characters; a byte-level one ends in the pretokenizer ByteLevel",
    ))
}

/// Whether every token is written in U+0000..U+00FF and each of these characters is a token.
fn is_latin1(entries: &VocabEntries) -> bool {
    let mut seen = [false; 256];
    for index in 0..entries.ids.len() {
        let token = entries.tokens.get(index);
        let mut chars = token.chars();
        if let (Some(c), None) = (chars.next(), chars.next())
            && let Ok(byte) = u8::try_from(u32::from(c))
        {
            seen[usize::from(byte)] = true;
        } else if token.chars().any(|c| u32::from(c) > 0xFF) {
            return false;
        }
    }
    seen.iter().all(|&seen| seen)
}

/// An unknown token or a fallback is no matter where every byte is an entry: then nothing is unknown.
fn check_unknown(vocab: &Vocab, switches: &Switches) -> Result<()> {
    let Some(missing) = (0..=u8::MAX).find(|&byte| vocab.id(&[byte]).is_none()) else { return Ok(()) };
    let what = |switch: &str| format!("{switch} in a byte-level vocabulary without byte 0x{missing:02X}");
    match switches {
        Switches { unk_token: Some(_), .. } => Err(Error::unsupported("model.unk_token", what("an unknown token"))),
        Switches { byte_fallback: true, .. } => Err(Error::unsupported("model.byte_fallback", what("a fallback"))),
        Switches { unk_token: None, byte_fallback: false, .. } => Ok(()),
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
