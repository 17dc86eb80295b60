//! From a tokenizer to the bytes of a tokenizer.json, laid out as tokenizers lays it out.
//!
//! The bytes depend on the tokenizer alone, and reading them gives a tokenizer that writes the same bytes.

use std::io;

use hashbrown::HashMap;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};
use serde_json::{Map, Value, json};

use super::bpe::told_spelling;
use super::components::{behavior_name, prepend_scheme_name};
use super::dialect::to_oniguruma;
use super::read::{LLAMA_CPP, MATCHING};
use super::unigram::UnigramModel;
use super::words::{self, WordLevelModel, WordPieceModel};
use super::{decoders, normalizers};
use crate::added_tokens::{AddedToken, Matching};
use crate::decode::Decoder;
use crate::error::{Error, Result};
use crate::lengths::{StoredPadding, StoredTruncation, TruncationStrategy};
use crate::model::bpe::BpeScratch;
use crate::model::unigram::Rule;
use crate::model::{Bpe, Model};
use crate::normalize::Normalizer;
use crate::pretokenize::{PrependScheme, SplitPattern, Step};
use crate::ragged::Side;
use crate::template::{PostProcessor, Template, TemplatePiece};
use crate::tokenizer::Tokenizer;
use crate::vocab::{Spelling, Vocab};

/// Writes a tokenizer.json. Refused is what a reader would refuse, or give other ids.
pub(crate) fn write(tokenizer: &Tokenizer, out: &mut impl io::Write) -> Result<()> {
    check_owner(tokenizer)?;
    let model = match tokenizer.model() {
        Model::Bpe(bpe) => {
            check_spelling(tokenizer, bpe.vocab().spelling())?;
            let placed = placed_tokens(tokenizer.added_tokens(), bpe.vocab())?;
            let ignore_merges = ignores_merges(tokenizer, bpe, &placed)?;
            WrittenModel::Bpe(BpeModel { bpe, placed, ignore_merges })
        }
        Model::Unigram(unigram) => {
            check_ids(tokenizer, "a Unigram")?;
            WrittenModel::Unigram(UnigramModel(unigram))
        }
        Model::WordPiece(model) => {
            check_words(tokenizer)?;
            check_ids(tokenizer, "a WordPiece")?;
            WrittenModel::WordPiece(WordPieceModel(model))
        }
        Model::WordLevel(model) => {
            check_words(tokenizer)?;
            check_ids(tokenizer, "a WordLevel")?;
            WrittenModel::WordLevel(WordLevelModel(model))
        }
    };
    let file = File { tokenizer, model };
    serde_json::to_writer_pretty(out, &file).map_err(|error| Error::format("tokenizer.json", error.to_string()))
}

/// Refuses added tokens whose ids a reader would not give them. They cannot stand in the vocabulary of a model that
/// takes any entry from a text.
fn check_ids(tokenizer: &Tokenizer, model: &str) -> Result<()> {
    match placed_tokens(tokenizer.added_tokens(), tokenizer.model().vocab())?.first() {
        None => Ok(()),
        Some(token) => {
            let what = format!("its id {} in a tokenizer.json with {model} model", token.id);
            Err(Error::unsupported(format!("added token {:?}", token.content), what))
        }
    }
}

/// How a vocabulary of words is spelled follows from the stages before the model.
fn check_words(tokenizer: &Tokenizer) -> Result<()> {
    let told = words::spelling(tokenizer.normalizer(), tokenizer.pretokenizer().steps())?;
    if told == tokenizer.model().vocab().spelling() {
        return Ok(());
    }
    let what = format!("a vocabulary that is not in {told:?} spelling with this pretokenizer in a tokenizer.json");
    Err(Error::unsupported("pre_tokenizer", what))
}

/// Refuses what works as sentencepiece does, which the format cannot say.
fn check_owner(tokenizer: &Tokenizer) -> Result<()> {
    let refuse = |at: &str| Err(Error::unsupported(at, "what sentencepiece does, in a tokenizer.json"));
    match (tokenizer.normalizer(), tokenizer.decoder(), tokenizer.model()) {
        (Some(Normalizer::SentencePiece(_)), ..) => refuse("normalizer"),
        (_, Decoder::SentencePiece(_), _) => refuse("decoder"),
        (_, _, Model::Unigram(unigram)) if unigram.options().rule != Rule::Tokenizers => refuse("model"),
        _ => Ok(()),
    }
}

/// How a vocabulary is spelled is not written down; it follows from the stages before the model.
fn check_spelling(tokenizer: &Tokenizer, spelling: Spelling) -> Result<()> {
    let steps = tokenizer.pretokenizer().steps();
    let told = told_spelling(tokenizer.normalizer(), steps)?;
    let bare = steps.is_empty() && tokenizer.normalizer().is_none();
    let has_blank = |vocab: &Vocab| vocab.id_spelled("\u{2581}").is_some();
    let fits = match spelling {
        Spelling::ByteLevel => told == Spelling::ByteLevel,
        Spelling::Latin1 => bare,
        Spelling::Metaspace => told == Spelling::Metaspace && has_blank(tokenizer.model().vocab()),
        Spelling::Plain => match told {
            Spelling::Metaspace => !has_blank(tokenizer.model().vocab()),
            told => told == Spelling::Plain,
        },
    };
    if fits {
        return Ok(());
    }
    let what = format!("a vocabulary in {spelling:?} spelling with this pretokenizer in a tokenizer.json");
    Err(Error::unsupported("pre_tokenizer", what))
}

/// Added tokens that have to stand in the model's vocabulary to get their id, in order of id.
///
/// The format does not honour the ids of added tokens ([`super`]). Where the ids that a reader would give differ, all
/// added tokens go into the vocabulary, where ids are honoured.
fn placed_tokens<'p>(tokens: &'p [AddedToken], vocab: &Vocab) -> Result<Vec<&'p AddedToken>> {
    let known = known_ids(tokens, vocab);
    let mut next = vocab.entries() as u32;
    let mut all_right = true;
    for (token, known) in tokens.iter().zip(&known) {
        match known {
            Some(id) if *id == token.id => {}
            Some(id) => {
                let at = format!("added token {:?}", token.content);
                let what = format!("its id {}: a tokenizer.json gives it {id}, the id of the same entry", token.id);
                return Err(Error::unsupported(at, what));
            }
            None => {
                all_right &= token.id == next;
                next += 1;
            }
        }
    }
    if all_right {
        return Ok(Vec::new());
    }
    let mut placed: Vec<_> =
        tokens.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(token, _)| token).collect();
    placed.sort_by_key(|token| token.id);
    let of_chars = matches!(vocab.spelling(), Spelling::Plain | Spelling::Metaspace);
    if let Some(token) = placed.iter().find(|token| of_chars && token.content.chars().count() == 1) {
        // As an entry it would be what merging begins with.
        let what = format!("its id {} in a tokenizer.json, where the model would find it too", token.id);
        return Err(Error::unsupported(format!("added token {:?}", token.content), what));
    }
    match placed.iter().find(|token| vocab.key(token.id).is_some()) {
        Some(token) => {
            let why = format!("has the id {}, which another token has", token.id);
            Err(Error::format(format!("added token {:?}", token.content), why))
        }
        None => Ok(placed),
    }
}

/// The ids of the entries that are spelled as the tokens are.
fn known_ids(tokens: &[AddedToken], vocab: &Vocab) -> Vec<Option<u32>> {
    let apart: HashMap<String, u32> = (0..vocab.size() as u32)
        .filter(|&id| vocab.is_inexpressible(id))
        .filter_map(|id| Some((vocab.spelled(id)?, id)))
        .collect();
    let known = |token: &AddedToken| match vocab.spelling().to_bytes(&token.content) {
        Some(key) => vocab.id(&key),
        None => apart.get(&token.content).copied(),
    };
    tokens.iter().map(known).collect()
}

/// A whole file.
struct File<'p> {
    tokenizer: &'p Tokenizer,
    model: WrittenModel<'p>,
}

#[derive(serde::Serialize)]
#[serde(untagged)]
enum WrittenModel<'p> {
    Bpe(BpeModel<'p>),
    Unigram(UnigramModel<'p>),
    WordPiece(WordPieceModel<'p>),
    WordLevel(WordLevelModel<'p>),
}

impl Serialize for File<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { tokenizer, model } = self;
        let mut file = serializer.serialize_struct("Tokenizer", 10)?;
        file.serialize_field("version", "1.0")?;
        file.serialize_field("truncation", &tokenizer.lengths().truncation.as_ref().map(truncation))?;
        file.serialize_field("padding", &tokenizer.lengths().padding.as_ref().map(padding))?;
        file.serialize_field("added_tokens", &tokenizer.added_tokens().iter().map(added_token).collect::<Vec<_>>())?;
        file.serialize_field("normalizer", &tokenizer.normalizer().map(normalizers::write))?;
        file.serialize_field("pre_tokenizer", &pretokenizer(tokenizer.pretokenizer().steps()))?;
        file.serialize_field("post_processor", &tokenizer.post_processor().map(post_processor))?;
        file.serialize_field("decoder", &decoders::write(tokenizer.decoder(), tokenizer.model().vocab().spelling()))?;
        file.serialize_field("model", model)?;
        if tokenizer.matching() == Matching::LlamaCpp {
            file.serialize_field(MATCHING, LLAMA_CPP)?;
        }
        file.end()
    }
}

/// A BPE model, whose two lists are written without building them.
struct BpeModel<'p> {
    bpe: &'p Bpe,
    placed: Vec<&'p AddedToken>,
    ignore_merges: bool,
}

impl Serialize for BpeModel<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { bpe, placed, ignore_merges } = self;
        let mut model = serializer.serialize_struct("BPE", 10)?;
        model.serialize_field("type", "BPE")?;
        let options = bpe.options();
        model.serialize_field("dropout", &options.dropout)?;
        model.serialize_field("unk_token", &options.unk_token)?;
        model.serialize_field("continuing_subword_prefix", &options.continuing_subword_prefix)?;
        model.serialize_field("end_of_word_suffix", &options.end_of_word_suffix)?;
        model.serialize_field("fuse_unk", &options.fuse_unk)?;
        model.serialize_field("byte_fallback", &options.byte_fallback)?;
        model.serialize_field("ignore_merges", ignore_merges)?;
        model.serialize_field("vocab", &VocabMap { vocab: bpe.vocab(), placed })?;
        model.serialize_field("merges", &MergeList(bpe))?;
        model.end()
    }
}

/// Whether the file has to say `ignore_merges`.
///
/// A placed token must not become an entry that a piece of text can be equal to. So where there are any, the switch is
/// left out if every entry is its own encoding without it, and else no placed token may be one piece.
fn ignores_merges(tokenizer: &Tokenizer, bpe: &Bpe, placed: &[&AddedToken]) -> Result<bool> {
    if !bpe.options().ignore_merges || placed.is_empty() {
        return Ok(bpe.options().ignore_merges);
    }
    let (mut scratch, mut ids) = (BpeScratch::default(), Vec::new());
    let mut encodes_to_itself = |(id, key): (u32, &[u8])| {
        ids.clear();
        bpe.merge(key, &mut scratch, &mut ids);
        ids == [id]
    };
    let mut entries = bpe.vocab().iter().filter(|(id, key)| !key.is_empty() && !bpe.vocab().is_inexpressible(*id));
    if entries.all(&mut encodes_to_itself) {
        return Ok(false);
    }
    let is_piece = |token: &&&AddedToken| {
        let content = token.content.as_bytes();
        tokenizer.pretokenizer().split(content).first() == Some(&(0..content.len()))
    };
    match placed.iter().find(is_piece) {
        Some(token) => {
            let what = format!("its id {} in a tokenizer.json, where text that is equal to it would get it", token.id);
            Err(Error::unsupported(format!("added token {:?}", token.content), what))
        }
        None => Ok(true),
    }
}

/// The entries of a vocabulary and added tokens among them, in order of id.
pub(super) struct VocabMap<'v> {
    pub(super) vocab: &'v Vocab,
    pub(super) placed: &'v [&'v AddedToken],
}

impl Serialize for VocabMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { vocab, placed } = self;
        let mut map = serializer.serialize_map(Some(vocab.entries() + placed.len()))?;
        let mut placed = placed.iter().peekable();
        for (id, _) in vocab.iter() {
            while let Some(token) = placed.next_if(|token| token.id < id) {
                map.serialize_entry(&token.content, &token.id)?;
            }
            map.serialize_entry(&vocab.spelled(id).unwrap_or_default(), &id)?;
        }
        for token in placed {
            map.serialize_entry(&token.content, &token.id)?;
        }
        map.end()
    }
}

struct MergeList<'b>(&'b Bpe);

impl Serialize for MergeList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let spelled = |id| self.0.vocab().spelled(id).unwrap_or_default();
        let mut list = serializer.serialize_seq(Some(self.0.merges().len()))?;
        for merge in self.0.merges() {
            list.serialize_element(&(spelled(merge.left), spelled(merge.right)))?;
        }
        list.end()
    }
}

pub(super) fn added_token(token: &AddedToken) -> Value {
    json!({
        "id": token.id,
        "content": token.content,
        "single_word": token.single_word,
        "lstrip": token.lstrip,
        "rstrip": token.rstrip,
        "normalized": token.normalized,
        "special": token.special,
    })
}

fn pretokenizer(steps: &[Step]) -> Option<Value> {
    match steps {
        [] => None,
        [one] => Some(step(one)),
        more => Some(json!({ "type": "Sequence", "pretokenizers": more.iter().map(step).collect::<Vec<_>>() })),
    }
}

fn step(step: &Step) -> Value {
    match step {
        Step::ByteLevel { add_prefix_space, trim_offsets, use_regex } => {
            byte_level(*add_prefix_space, *trim_offsets, *use_regex)
        }
        Step::Split { pattern, behavior, invert } => {
            let pattern = split_pattern(pattern);
            json!({ "type": "Split", "pattern": pattern, "behavior": behavior_name(*behavior), "invert": invert })
        }
        Step::Metaspace { replacement, prepend_scheme, split } => metaspace(*replacement, *prepend_scheme, *split),
        Step::Digits { individual_digits } => json!({ "type": "Digits", "individual_digits": individual_digits }),
        Step::Whitespace => json!({ "type": "Whitespace" }),
        Step::WhitespaceSplit => json!({ "type": "WhitespaceSplit" }),
        Step::Punctuation { behavior } => json!({ "type": "Punctuation", "behavior": behavior_name(*behavior) }),
        Step::CharDelimiterSplit { delimiter } => json!({ "type": "CharDelimiterSplit", "delimiter": delimiter }),
        Step::BertPreTokenizer => json!({ "type": "BertPreTokenizer" }),
        Step::UnicodeScripts => json!({ "type": "UnicodeScripts" }),
        Step::FixedLength { length } => json!({ "type": "FixedLength", "length": length }),
    }
}

fn split_pattern(pattern: &SplitPattern) -> Value {
    match pattern {
        SplitPattern::Literal(literal) => json!({ "String": literal }),
        SplitPattern::Regex(regex) => json!({ "Regex": regex }),
        SplitPattern::FancyRegex(regex) => match to_oniguruma(regex) {
            Some(translated) => json!({ "Regex": translated }),
            // Not of tokenizers: only for tokmill's own use, see `format::save`.
            None => json!({ "FancyRegex": regex }),
        },
    }
}

pub(super) fn post_processor(post_processor: &PostProcessor) -> Value {
    match post_processor {
        PostProcessor::ByteLevel { add_prefix_space, trim_offsets, use_regex } => {
            byte_level(*add_prefix_space, *trim_offsets, *use_regex)
        }
        PostProcessor::Template(template) => self::template(template),
        PostProcessor::Bert { sep, cls } => json!({ "type": "BertProcessing", "sep": sep, "cls": cls }),
        PostProcessor::Roberta { sep, cls, trim_offsets, add_prefix_space } => json!({
            "type": "RobertaProcessing",
            "sep": sep,
            "cls": cls,
            "trim_offsets": trim_offsets,
            "add_prefix_space": add_prefix_space,
        }),
        PostProcessor::Sequence(steps) => {
            json!({ "type": "Sequence", "processors": steps.iter().map(self::post_processor).collect::<Vec<_>>() })
        }
    }
}

fn template(template: &Template) -> Value {
    let piece = |piece: &TemplatePiece| match piece {
        TemplatePiece::Sequence { second, type_id } => {
            json!({ "Sequence": { "id": if *second { "B" } else { "A" }, "type_id": type_id } })
        }
        TemplatePiece::Special { name, type_id } => json!({ "SpecialToken": { "id": name, "type_id": type_id } }),
    };
    let mut specials: Vec<_> = template.special_tokens.iter().collect();
    specials.sort_by(|one, other| one.name.cmp(&other.name));
    let entry = |special: &&crate::template::TemplateSpecial| {
        (special.name.clone(), json!({ "id": special.name, "ids": special.ids, "tokens": special.tokens }))
    };
    json!({
        "type": "TemplateProcessing",
        "single": template.single.iter().map(piece).collect::<Vec<_>>(),
        "pair": template.pair.iter().map(piece).collect::<Vec<_>>(),
        "special_tokens": specials.iter().map(entry).collect::<Map<_, _>>(),
    })
}

pub(super) fn metaspace(replacement: char, prepend_scheme: PrependScheme, split: bool) -> Value {
    json!({
        "type": "Metaspace",
        "replacement": replacement,
        "prepend_scheme": prepend_scheme_name(prepend_scheme),
        "split": split,
    })
}

pub(super) fn byte_level(add_prefix_space: bool, trim_offsets: bool, use_regex: bool) -> Value {
    json!({
        "type": "ByteLevel",
        "add_prefix_space": add_prefix_space,
        "trim_offsets": trim_offsets,
        "use_regex": use_regex,
    })
}

fn truncation(truncation: &StoredTruncation) -> Value {
    json!({
        "direction": side(truncation.direction),
        "max_length": truncation.max_length,
        "strategy": match truncation.strategy {
            TruncationStrategy::LongestFirst => "LongestFirst",
            TruncationStrategy::OnlyFirst => "OnlyFirst",
            TruncationStrategy::OnlySecond => "OnlySecond",
        },
        "stride": truncation.stride,
    })
}

fn padding(padding: &StoredPadding) -> Value {
    json!({
        "strategy": match padding.length {
            Some(length) => json!({ "Fixed": length }),
            None => json!("BatchLongest"),
        },
        "direction": side(padding.direction),
        "pad_to_multiple_of": padding.pad_to_multiple_of,
        "pad_id": padding.pad_id,
        "pad_type_id": padding.pad_type_id,
        "pad_token": padding.pad_token,
    })
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Left => "Left",
        Side::Right => "Right",
    }
}
