//! Telling a file's format from its content.

use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{json, source};
use crate::error::{Error, Result};

/// The formats that are told apart by content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    TokenizerJson,
    Tekken,
    VocabJson,
    VocabTxt,
    Merges,
    Tiktoken,
    SentencePiece,
    Gguf,
}

/// Tells the format of unpacked bytes. Formats that are known but not supported are refused by name.
pub(super) fn kind(bytes: &[u8]) -> Result<Kind> {
    if bytes.starts_with(b"GGUF") {
        return Ok(Kind::Gguf);
    }
    let begun = bytes.trim_ascii_start();
    if begun.starts_with(b"{") {
        return json_kind(bytes);
    }
    let first = begun.split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    if first.is_empty() {
        return Err(Error::format("file", "is empty"));
    }
    if is_rank_line(first) {
        return Ok(Kind::Tiktoken);
    }
    if is_sentencepiece(bytes) {
        return Ok(Kind::SentencePiece);
    }
    let text = source::text(bytes).map_err(|_| Error::format("file", "is in no format that is known"))?;
    if text.lines().take(MANY_LINES).any(|line| line == "[UNK]") {
        return Ok(Kind::VocabTxt);
    }
    if first.starts_with(b"\"bpe_simple_vocab") {
        return Err(Error::unsupported("file", "the merges of CLIP (bpe_simple_vocab_16e6.txt)"));
    }
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let looks_like_merge = |line: &str| line.split(' ').count() == 2;
    if first.starts_with(b"#version") || lines.by_ref().take(3).all(looks_like_merge) {
        return Ok(Kind::Merges);
    }
    Err(Error::format("file", "is in no format that is known"))
}

/// Real vocabularies have their special tokens among the first lines.
const MANY_LINES: usize = 4096;

/// A base64 string, white space, a number.
fn is_rank_line(line: &[u8]) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    match (words.next(), words.next(), words.next()) {
        (Some(token), Some(rank), None) => {
            token.len() % 4 == 0 && token.iter().all(is_base64) && rank.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

/// A protobuf whose first field is a message that begins with a string: the first piece of a model.
fn is_sentencepiece(bytes: &[u8]) -> bool {
    matches!(bytes, [0x0A, length, 0x0A, ..] if *length < 0x80) || matches!(bytes, [0x0A, _, 0x01..=0x7F, 0x0A, ..])
}

/// Tells JSON files apart by their keys. The walk ends at the first telling key, which in real files comes before the
/// long lists.
fn json_kind(bytes: &[u8]) -> Result<Kind> {
    let mut scan = Scan::default();
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let end = serde::Deserializer::deserialize_map(&mut parser, &mut scan);
    if let Some(kind) = scan.kind {
        return Ok(kind);
    }
    end.map_err(|error| json::syntax_error(&error))?;
    let keys: Vec<_> = scan.keys.iter().take(8).map(|key| json::excerpt(key)).collect();
    Err(Error::format("file", format!("is JSON but no tokenizer; its first keys are: {}", keys.join(", "))))
}

#[derive(Default)]
struct Scan {
    keys: Vec<String>,
    kind: Option<Kind>,
    /// Whether the first value is a number; a second one makes it a vocabulary.
    begins_with_number: bool,
}

impl<'de> Visitor<'de> for &mut Scan {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            self.keys.push(key);
            map.next_value_seed(&mut *self)?;
        }
        Ok(())
    }
}

/// The kinds of JSON value that matter here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Number,
    List,
    Map,
    Other,
}

impl Scan {
    /// Settles the kind if the last key and the shape of its value tell it, and then ends the walk by an error.
    fn tell<E: serde::de::Error>(&mut self, shape: Shape) -> Result<(), E> {
        self.begins_with_number |= self.keys.len() == 1 && shape == Shape::Number;
        let key = self.keys.last().map_or("", String::as_str);
        self.kind = match (key, shape) {
            (_, Shape::Number) if self.keys.len() == 2 && self.begins_with_number => Some(Kind::VocabJson),
            ("config", Shape::Map) | ("vocab", Shape::List) => Some(Kind::Tekken),
            ("model" | "pre_tokenizer" | "post_processor" | "normalizer" | "decoder", Shape::Map)
            | ("added_tokens", Shape::List) => Some(Kind::TokenizerJson),
            _ => None,
        };
        if self.kind.is_some() { Err(E::custom("told")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for &mut Scan {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(Value(self))
    }
}

/// Visits the value of the last key.
struct Value<'s>(&'s mut Scan);

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.0.tell(Shape::Other)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.0.tell(Shape::Other)
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.0.tell(Shape::Other)
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.0.tell(Shape::Number)
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.0.tell(Shape::Number)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.0.tell(Shape::Number)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.0.tell(Shape::List)?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.tell(Shape::Map)?;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
