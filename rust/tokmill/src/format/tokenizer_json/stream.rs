//! The first pass over a tokenizer.json: one walk that copies the two long lists into flat storage.
//!
//! A vocabulary and its merges are hundreds of thousands of short strings. As a tree of JSON values they would cost an
//! allocation each; here they go end to end into one string each ([`Strings`]), in the order of the file. What remains
//! is small and becomes [`Value`]s.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::super::json;
use crate::error::{Error, Result};

/// Strings end to end; the positions are 32 bits wide, which the limit on file sizes makes enough.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    text: String,
    ends: Vec<u32>,
}

impl Strings {
    fn push(&mut self, string: &str) {
        self.text.push_str(string);
        self.ends.push(self.text.len() as u32);
    }

    pub(crate) fn get(&self, index: usize) -> &str {
        let begin = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[begin as usize..self.ends[index] as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }
}

/// A vocabulary as the file lists it.
#[derive(Debug, Default)]
pub(crate) struct VocabEntries {
    /// The tokens as they are written.
    pub(crate) tokens: Strings,
    /// Their ids.
    pub(crate) ids: Vec<u32>,
}

impl VocabEntries {
    /// Adds a token and its id.
    pub(crate) fn push(&mut self, token: &str, id: u32) {
        self.tokens.push(token);
        self.ids.push(id);
    }
}

/// The vocabulary of a Unigram model as the file lists it, in order of id.
#[derive(Debug, Default)]
pub(crate) struct ScoredEntries {
    /// The tokens.
    pub(crate) tokens: Strings,
    /// Their scores.
    pub(crate) scores: Vec<f64>,
}

/// Merges as the file lists them.
#[derive(Debug, Default)]
pub(crate) struct MergeEntries {
    /// Left and right parts in turns.
    pub(crate) parts: Strings,
    /// How many merges stood before each line that is none.
    comments: Vec<u32>,
}

impl MergeEntries {
    /// How many merges there are.
    pub(crate) fn len(&self) -> usize {
        self.parts.len() / 2
    }

    /// The two parts of a merge.
    pub(crate) fn get(&self, merge: usize) -> (&str, &str) {
        (self.parts.get(2 * merge), self.parts.get(2 * merge + 1))
    }

    /// The place of a merge in the file's list, which also counts comments.
    pub(crate) fn line(&self, merge: usize) -> usize {
        merge + self.comments.partition_point(|&before| before as usize <= merge)
    }

    fn push(&mut self, left: &str, right: &str) {
        self.parts.push(left);
        self.parts.push(right);
    }

    /// Counts a line that is no merge.
    pub(crate) fn push_comment(&mut self) {
        self.comments.push(self.len() as u32);
    }

    /// Adds a merge written as one string: two parts around exactly one blank. `false` where it is not so written.
    pub(crate) fn push_line(&mut self, line: &str) -> bool {
        if line.starts_with("#version") {
            self.push_comment();
            return true;
        }
        match line.split_once(' ') {
            Some((left, right)) if !right.contains(' ') => {
                self.push(left, right);
                true
            }
            _ => false,
        }
    }
}

/// The `model` of a file.
#[derive(Debug, Default)]
pub(crate) struct ModelEntries {
    /// Everything but the two lists.
    pub(crate) fields: Map<String, Value>,
    /// The vocabulary, where it is a map of ids.
    pub(crate) vocab: Option<VocabEntries>,
    /// The vocabulary, where it is a list of scores.
    pub(crate) scored: Option<ScoredEntries>,
    /// The merges.
    pub(crate) merges: Option<MergeEntries>,
}

/// A file after the first pass.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// The top-level fields but `model`.
    pub(crate) fields: Map<String, Value>,
    /// The model, if the file has one.
    pub(crate) model: Option<ModelEntries>,
}

/// Reads a whole tokenizer.json.
pub(crate) fn document(text: &str) -> Result<Document> {
    let fault = Fault::default();
    fault.read(text, DocumentSeed { fault: &fault })
}

/// Reads a `vocab.json`: one map of tokens to ids.
pub(crate) fn vocabulary(text: &str) -> Result<VocabEntries> {
    let fault = Fault::default();
    match fault.read(text, VocabSeed { fault: &fault, path: "vocab" })? {
        VocabForm::Map(entries) => Ok(entries),
        VocabForm::List(_) | VocabForm::Null => Err(Error::format("vocab", "must be an object of tokens and ids")),
    }
}

/// The first fault that has a JSON path; it takes precedence over what the parser says of it.
#[derive(Default)]
struct Fault(RefCell<Option<Error>>);

impl Fault {
    /// Runs a seed over a whole text.
    fn read<'t, S: DeserializeSeed<'t>>(&self, text: &'t str, seed: S) -> Result<S::Value> {
        let mut parser = serde_json::Deserializer::from_str(text);
        let read = seed.deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
        read.map_err(|error| self.0.take().unwrap_or_else(|| json::syntax_error(&error)))
    }

    /// Notes where `error` came up, unless it came up further in.
    fn at<E: fmt::Display>(&self, error: E, path: impl FnOnce() -> String) -> E {
        self.0.borrow_mut().get_or_insert_with(|| Error::format(path(), error.to_string()));
        error
    }
}

struct DocumentSeed<'f> {
    fault: &'f Fault,
}

impl<'de> DeserializeSeed<'de> for DocumentSeed<'_> {
    type Value = Document;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Document, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for DocumentSeed<'_> {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tokenizer.json object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut document = Document::default();
        while let Some(key) = map.next_key::<String>()? {
            if key == "model" {
                document.model = Some(map.next_value_seed(ModelSeed { fault: self.fault })?);
            } else {
                let value = map.next_value().map_err(|error| self.fault.at(error, || key.clone()))?;
                document.fields.insert(key, value);
            }
        }
        Ok(document)
    }
}

struct ModelSeed<'f> {
    fault: &'f Fault,
}

impl<'de> DeserializeSeed<'de> for ModelSeed<'_> {
    type Value = ModelEntries;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<ModelEntries, D::Error> {
        let fault = self.fault;
        deserializer.deserialize_map(self).map_err(|error| fault.at(error, || "model".to_owned()))
    }
}

impl<'de> Visitor<'de> for ModelSeed<'_> {
    type Value = ModelEntries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ModelEntries, A::Error> {
        let fault = self.fault;
        let mut model = ModelEntries::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "vocab" => match map.next_value_seed(VocabSeed { fault, path: "model.vocab" })? {
                    VocabForm::Map(entries) => model.vocab = Some(entries),
                    VocabForm::List(entries) => model.scored = Some(entries),
                    VocabForm::Null => {}
                },
                "merges" => model.merges = Some(map.next_value_seed(MergesSeed { fault })?),
                _ => {
                    let value = map.next_value().map_err(|error| fault.at(error, || format!("model.{key}")))?;
                    model.fields.insert(key, value);
                }
            }
        }
        Ok(model)
    }
}

/// What a vocabulary turned out to be.
enum VocabForm {
    Map(VocabEntries),
    List(ScoredEntries),
    Null,
}

struct VocabSeed<'f> {
    fault: &'f Fault,
    path: &'static str,
}

impl<'de> DeserializeSeed<'de> for VocabSeed<'_> {
    type Value = VocabForm;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<VocabForm, D::Error> {
        let Self { fault, path } = self;
        deserializer.deserialize_any(self).map_err(|error| fault.at(error, || path.to_owned()))
    }
}

impl<'de> Visitor<'de> for VocabSeed<'_> {
    type Value = VocabForm;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tokens and ids")
    }

    fn visit_unit<E>(self) -> Result<VocabForm, E> {
        Ok(VocabForm::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<VocabForm, A::Error> {
        let mut entries = ScoredEntries::default();
        for index in 0.. {
            let next = list.next_element_seed(ScoredSeed(&mut entries));
            if next.map_err(|error| self.fault.at(error, || format!("{}[{index}]", self.path)))?.is_none() {
                break;
            }
        }
        Ok(VocabForm::List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<VocabForm, A::Error> {
        let mut entries = VocabEntries::default();
        while map.next_key_seed(PushString(&mut entries.tokens))?.is_some() {
            let id = map.next_value().map_err(|error| {
                let token = json::excerpt(entries.tokens.get(entries.ids.len()));
                self.fault.at(error, || format!("{}[{token}]", self.path))
            })?;
            entries.ids.push(id);
        }
        Ok(VocabForm::Map(entries))
    }
}

struct ScoredSeed<'e>(&'e mut ScoredEntries);

impl<'de> DeserializeSeed<'de> for ScoredSeed<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ScoredSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of a token and a score")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<(), A::Error> {
        let token = pair.next_element_seed(PushString(&mut self.0.tokens))?;
        let score = pair.next_element()?;
        match (token, score, pair.next_element::<IgnoredAny>()?) {
            (Some(()), Some(score), None) => {
                self.0.scores.push(score);
                Ok(())
            }
            _ => Err(A::Error::custom("must be a token and a score")),
        }
    }
}

struct MergesSeed<'f> {
    fault: &'f Fault,
}

impl<'de> DeserializeSeed<'de> for MergesSeed<'_> {
    type Value = MergeEntries;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<MergeEntries, D::Error> {
        let fault = self.fault;
        deserializer.deserialize_seq(self).map_err(|error| fault.at(error, || "model.merges".to_owned()))
    }
}

impl<'de> Visitor<'de> for MergesSeed<'_> {
    type Value = MergeEntries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of merges")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<MergeEntries, A::Error> {
        let mut entries = MergeEntries::default();
        let mut form = None;
        for line in 0.. {
            let next = list.next_element_seed(MergeSeed { entries: &mut entries });
            match next.map_err(|error| self.fault.at(error, || format!("model.merges[{line}]")))? {
                None => break,
                Some(this) if *form.get_or_insert(this) == this => {}
                Some(_) => {
                    let error = A::Error::custom("is written in another form than the merges before it");
                    return Err(self.fault.at(error, || format!("model.merges[{line}]")));
                }
            }
        }
        Ok(entries)
    }
}

/// How a merge is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MergeForm {
    Line,
    Pair,
}

struct MergeSeed<'e> {
    entries: &'e mut MergeEntries,
}

impl<'de> DeserializeSeed<'de> for MergeSeed<'_> {
    type Value = MergeForm;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<MergeForm, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MergeSeed<'_> {
    type Value = MergeForm;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string of two parts around one blank, or a list of two strings")
    }

    fn visit_str<E: serde::de::Error>(self, line: &str) -> Result<MergeForm, E> {
        if self.entries.push_line(line) {
            Ok(MergeForm::Line)
        } else {
            Err(E::custom(format!("{} is not two parts around one blank", json::excerpt(line))))
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<MergeForm, A::Error> {
        for _ in 0..2 {
            if pair.next_element_seed(PushString(&mut self.entries.parts))?.is_none() {
                return Err(A::Error::custom("has less than two parts"));
            }
        }
        match pair.next_element::<IgnoredAny>()? {
            None => Ok(MergeForm::Pair),
            Some(_) => Err(A::Error::custom("has more than two parts")),
        }
    }
}

/// Appends a string to a list without an allocation of its own.
struct PushString<'s>(&'s mut Strings);

impl<'de> DeserializeSeed<'de> for PushString<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for PushString<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, string: &str) -> Result<(), E> {
        self.0.push(string);
        Ok(())
    }
}
