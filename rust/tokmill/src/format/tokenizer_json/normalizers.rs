//! Normalizers of a tokenizer.json.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::json::Node;
use super::components::elements;
use crate::error::{Error, Result};
use crate::normalize::{BertOptions, Charsmap, LlamaCppOptions, Normalizer, PatternSource, Replacement, SearchPattern};

/// The type under which llama.cpp's own normaliser is kept; tokenizers has none of it and refuses the file.
const LLAMA_CPP: &str = "LlamaCppBertNormalizer";

/// Reads a normalizer.
pub(super) fn read(node: &Node<'_>) -> Result<Normalizer> {
    let signs = [
        ("clean_text", "BertNormalizer"),
        ("strip_left", "Strip"),
        ("precompiled_charsmap", "Precompiled"),
        ("pattern", "Replace"),
        ("prepend", "Prepend"),
    ];
    Ok(match node.type_or_told_by(&signs)? {
        "NFC" => Normalizer::Nfc,
        "NFD" => Normalizer::Nfd,
        "NFKC" => Normalizer::Nfkc,
        "NFKD" => Normalizer::Nfkd,
        "Lowercase" => Normalizer::Lowercase,
        "StripAccents" => Normalizer::StripAccents,
        "Nmt" => Normalizer::Nmt,
        "ByteLevel" => Normalizer::ByteLevel,
        "BertNormalizer" | "Bert" => Normalizer::Bert(BertOptions {
            clean_text: node.flag("clean_text")?,
            handle_chinese_chars: node.flag("handle_chinese_chars")?,
            strip_accents: node.get("strip_accents").map(|node| node.boolean()).transpose()?,
            lowercase: node.flag("lowercase")?,
        }),
        LLAMA_CPP => Normalizer::LlamaCpp(LlamaCppOptions {
            strip_accents: node.flag("strip_accents")?,
            lowercase: node.flag("lowercase")?,
        }),
        "Strip" => Normalizer::Strip { left: node.flag("strip_left")?, right: node.flag("strip_right")? },
        "Prepend" => Normalizer::Prepend(node.field("prepend")?.string()?.to_owned()),
        "Replace" => Normalizer::Replace(replacement(node)?),
        "Precompiled" => Normalizer::Precompiled(Box::new(charsmap(&node.field("precompiled_charsmap")?)?)),
        "Sequence" => Normalizer::Sequence(elements(node, "normalizers", read)?),
        other => return Err(node.unsupported(format!("the normalizer {other}"))),
    })
}

fn charsmap(node: &Node<'_>) -> Result<Charsmap> {
    let bytes = STANDARD.decode(node.string()?).map_err(|error| Error::format(node.path(), error.to_string()))?;
    Charsmap::new(bytes)
}

/// Writes a normalizer.
pub(super) fn write(normalizer: &Normalizer) -> Value {
    match normalizer {
        Normalizer::Nfc => json!({ "type": "NFC" }),
        Normalizer::Nfd => json!({ "type": "NFD" }),
        Normalizer::Nfkc => json!({ "type": "NFKC" }),
        Normalizer::Nfkd => json!({ "type": "NFKD" }),
        Normalizer::Lowercase => json!({ "type": "Lowercase" }),
        Normalizer::StripAccents => json!({ "type": "StripAccents" }),
        Normalizer::Nmt => json!({ "type": "Nmt" }),
        Normalizer::ByteLevel => json!({ "type": "ByteLevel" }),
        Normalizer::Bert(options) => json!({
            "type": "BertNormalizer",
            "clean_text": options.clean_text,
            "handle_chinese_chars": options.handle_chinese_chars,
            "strip_accents": options.strip_accents,
            "lowercase": options.lowercase,
        }),
        Normalizer::LlamaCpp(options) => json!({
            "type": LLAMA_CPP,
            "strip_accents": options.strip_accents,
            "lowercase": options.lowercase,
        }),
        Normalizer::Strip { left, right } => json!({ "type": "Strip", "strip_left": left, "strip_right": right }),
        Normalizer::Prepend(prefix) => json!({ "type": "Prepend", "prepend": prefix }),
        Normalizer::Replace(replacement) => write_replacement(replacement),
        Normalizer::Precompiled(map) => {
            json!({ "type": "Precompiled", "precompiled_charsmap": STANDARD.encode(map.bytes()) })
        }
        Normalizer::SentencePiece(_) => Value::Null,
        Normalizer::Sequence(steps) => {
            json!({ "type": "Sequence", "normalizers": steps.iter().map(write).collect::<Vec<_>>() })
        }
    }
}

/// Reads the `pattern` and `content` of a `Replace`, a normalizer or a decoder.
pub(super) fn replacement(node: &Node<'_>) -> Result<Replacement> {
    let pattern = node.field("pattern")?;
    let mut fields = pattern.object()?.iter();
    let source = match (fields.next(), fields.next()) {
        (Some((kind, _)), None) if kind == "String" => {
            PatternSource::Literal(pattern.field("String")?.string()?.to_owned())
        }
        (Some((kind, _)), None) if kind == "Regex" => {
            PatternSource::Regex(pattern.field("Regex")?.string()?.to_owned())
        }
        _ => return Err(pattern.wrong("an object with the one field `String` or `Regex`")),
    };
    Ok(Replacement { pattern: SearchPattern::new(source)?, content: node.field("content")?.string()?.to_owned() })
}

/// Writes a `Replace`, a normalizer or a decoder.
pub(super) fn write_replacement(replacement: &Replacement) -> Value {
    let pattern = match replacement.pattern.source() {
        PatternSource::Literal(literal) => json!({ "String": literal }),
        PatternSource::Regex(regex) => json!({ "Regex": regex }),
    };
    json!({ "type": "Replace", "pattern": pattern, "content": replacement.content })
}
