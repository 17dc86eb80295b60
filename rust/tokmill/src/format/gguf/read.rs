//! From the metadata of a GGUF file to the parts of a tokenizer.

use super::super::json::excerpt;
use super::super::sentencepiece;
use super::super::spelled::SpelledVocab;
use super::super::tokenizer_json::{MergeEntries, VocabEntries};
use super::metadata::Metadata;
use super::pre::Pretokenization;
use super::tokens::added_tokens;
use crate::added_tokens::Matching;
use crate::decode::{Decoder, SentencePieceDecoder};
use crate::error::{Error, Result};
use crate::lengths::Lengths;
use crate::model::unigram::{Rule, Unigram, UnigramOptions};
use crate::model::{Bpe, BpeOptions, Model, WordPiece, WordPieceOptions};
use crate::normalize::{
    Charsmap, LlamaCppOptions, Normalizer, PatternSource, Replacement, SearchPattern, SentencePiece, SentencePieceRules,
};
use crate::pieces::{Piece, PieceKind};
use crate::pretokenize::{Pretokenizer, SplitBehavior, SplitPattern, Step};
use crate::template::{PostProcessor, Template, TemplatePiece, TemplateSpecial};
use crate::tokenizer::Parts;
use crate::vocab::Spelling;

const BLANK: &str = "\u{2581}";

/// What llama.cpp writes for unknown pieces.
const UNKNOWN_SURFACE: &str = " \u{2047} ";

/// Reads the parts of a tokenizer from a GGUF file.
pub(crate) fn parts(file: &[u8]) -> Result<Parts> {
    let metadata = Metadata::read(file)?;
    let model = metadata.string("model")?;
    let pieces = pieces(&metadata)?;
    match model {
        Some("gpt2") => byte_level(&metadata, &pieces),
        Some("llama") => llama(&metadata, pieces),
        Some("bert") => bert(&metadata, &pieces),
        Some("t5") => t5(&metadata, &pieces),
        Some(other) => Err(Error::unsupported("tokenizer.ggml.model", format!("the model {}", excerpt(other)))),
        None => Err(Error::format("tokenizer.ggml.model", "is missing; the file has no vocabulary")),
    }
}

/// The tokens with their scores and types.
fn pieces(metadata: &Metadata<'_>) -> Result<Vec<Piece>> {
    let tokens = metadata.strings("tokens")?.ok_or_else(|| Error::format("tokenizer.ggml.tokens", "is missing"))?;
    let scores = metadata.floats("scores")?.unwrap_or_else(|| vec![0.0; tokens.len()]);
    let types = metadata.integers("token_type")?.map_or_else(|| vec![1; tokens.len()], <[i64]>::to_vec);
    for (key, len) in [("scores", scores.len()), ("token_type", types.len())] {
        if len < tokens.len() {
            let why = format!("has {len} entries for {} tokens", tokens.len());
            return Err(Error::format(format!("tokenizer.ggml.{key}"), why));
        }
    }
    let piece = |((&text, &score), (id, &number)): ((&&str, &f64), (usize, &i64))| {
        let kind = match number {
            0 | 1 => PieceKind::Normal,
            2 => PieceKind::Unknown,
            3 => PieceKind::Control,
            4 => PieceKind::UserDefined,
            5 => PieceKind::Unused,
            6 => PieceKind::Byte,
            _ => {
                let why = format!("{number} is no type of tokens");
                return Err(Error::format(format!("tokenizer.ggml.token_type[{id}]"), why));
            }
        };
        Ok(Piece { text: text.to_owned(), score, kind })
    };
    tokens.iter().zip(&scores).zip(types.iter().enumerate()).map(piece).collect()
}

/// A template with the tokens that llama.cpp puts around a text.
fn template(pieces: &[Piece], before: Option<u32>, after: Option<u32>) -> Option<PostProcessor> {
    let special = |id: Option<u32>| {
        let id = id.filter(|&id| (id as usize) < pieces.len())?;
        let name = pieces[id as usize].text.clone();
        Some(TemplateSpecial { name: name.clone(), ids: vec![id], tokens: vec![name] })
    };
    let (before, after) = (special(before), special(after));
    if before.is_none() && after.is_none() {
        return None;
    }
    let piece = |special: &TemplateSpecial, type_id| TemplatePiece::Special { name: special.name.clone(), type_id };
    let row = |second: bool| {
        let type_id = second.into();
        let text = std::iter::once(TemplatePiece::Sequence { second, type_id });
        let first = before.iter().map(move |special| piece(special, type_id));
        first.chain(text).chain(after.iter().map(move |special| piece(special, type_id))).collect::<Vec<_>>()
    };
    let single = row(false);
    let pair = [row(false), row(true)].concat();
    let mut special_tokens: Vec<TemplateSpecial> = before.iter().chain(&after).cloned().collect();
    special_tokens.dedup_by(|one, other| one.name == other.name);
    Some(PostProcessor::Template(Template { single, pair, special_tokens }))
}

/// The tokens at the begin and the end, as far as they are put around a text.
fn begin_and_end(metadata: &Metadata<'_>, begins: bool, ends: bool) -> Result<(Option<u32>, Option<u32>)> {
    let begins = metadata.flag("add_bos_token")?.unwrap_or(begins);
    let ends = metadata.flag("add_eos_token")?.unwrap_or(ends);
    let begin = metadata.id("bos_token_id")?.filter(|_| begins);
    Ok((begin, metadata.id("eos_token_id")?.filter(|_| ends)))
}

/// A byte-level BPE.
fn byte_level(metadata: &Metadata<'_>, pieces: &[Piece]) -> Result<Parts> {
    let name = metadata.string("pre")?.unwrap_or("default");
    let pre = Pretokenization::named(name)
        .ok_or_else(|| Error::unsupported("tokenizer.ggml.pre", format!("the pretokenizer {}", excerpt(name))))?;
    let mut entries = VocabEntries::default();
    for (id, piece) in (0..).zip(pieces) {
        entries.push(&piece.text, id);
    }
    let spelled = SpelledVocab::new(&entries, Spelling::ByteLevel, "tokenizer.ggml.tokens")?;
    let lines = metadata.strings("merges")?.ok_or_else(|| Error::format("tokenizer.ggml.merges", "is missing"))?;
    let mut merges = MergeEntries::default();
    for (index, line) in lines.iter().enumerate() {
        if !merges.push_line(line) {
            let why = format!("{} is not two parts around one blank", excerpt(line));
            return Err(Error::format(format!("tokenizer.ggml.merges[{index}]"), why));
        }
    }
    let merges = spelled.merges(&merges, "", |line| format!("tokenizer.ggml.merges[{line}]"))?;
    let options = BpeOptions { ignore_merges: pre.ignore_merges, ..BpeOptions::default() };
    let (begin, end) = begin_and_end(metadata, pre.add_bos, false)?;
    Ok(Parts {
        normalizer: None,
        added_tokens: added_tokens(metadata, pieces)?,
        pretokenizer: Pretokenizer::new(pre.steps())?,
        model: Model::Bpe(Bpe::new(spelled.into_vocab(), merges, options)?),
        post_processor: template(pieces, begin, end),
        decoder: Decoder::byte_level(),
        lengths: Lengths::default(),
        matching: Matching::LlamaCpp,
    })
}

/// A BPE of sentencepiece's kind, which always falls back to bytes.
fn llama(metadata: &Metadata<'_>, pieces: Vec<Piece>) -> Result<Parts> {
    let (begin, end) = begin_and_end(metadata, true, false)?;
    let post_processor = template(&pieces, begin, end);
    let added_tokens = added_tokens(metadata, &pieces)?;
    // What a user defined is found before the model, which need not know it.
    let own = |mut piece: Piece| {
        if piece.kind == PieceKind::UserDefined {
            piece.kind = PieceKind::Control;
        }
        piece
    };
    let decoder = decoder(metadata, &pieces, true)?;
    let pieces: Vec<Piece> = pieces.into_iter().map(own).collect();
    let model = sentencepiece::bpe_model(&pieces, true, true)?;
    let blanks = model.vocab().spelling() == Spelling::Metaspace;
    let rules = rules(metadata, &[], true)?;
    Ok(Parts {
        normalizer: Some(Normalizer::SentencePiece(Box::new(SentencePiece::new(rules, blanks)))),
        added_tokens,
        pretokenizer: Pretokenizer::new(Vec::new())?,
        model: Model::Bpe(model),
        post_processor,
        decoder,
        lengths: Lengths::default(),
        matching: Matching::LlamaCpp,
    })
}

/// A Unigram model of sentencepiece's kind.
fn t5(metadata: &Metadata<'_>, pieces: &[Piece]) -> Result<Parts> {
    let (begin, end) = begin_and_end(metadata, false, true)?;
    let unknown = pieces.iter().position(|piece| piece.kind == PieceKind::Unknown);
    let options = UnigramOptions {
        unk_id: metadata.id("unknown_token_id")?.or(unknown.map(|id| id as u32)),
        byte_fallback: false,
        rule: Rule::SentencePiece,
        blanks: true,
    };
    let model = Unigram::new(pieces, options)?;
    let blanks = model.vocab().spelling() == Spelling::Metaspace;
    let rules = rules(metadata, pieces, false)?;
    check_blanks(&rules)?;
    Ok(Parts {
        normalizer: Some(Normalizer::SentencePiece(Box::new(SentencePiece::new(rules, blanks)))),
        added_tokens: added_tokens(metadata, pieces)?,
        pretokenizer: Pretokenizer::new(Vec::new())?,
        model: Model::Unigram(model),
        post_processor: template(pieces, begin, end),
        decoder: decoder(metadata, pieces, false)?,
        lengths: Lengths::default(),
        matching: Matching::LlamaCpp,
    })
}

/// The rules of the normaliser; `prefixed` is whether a blank comes before texts where the file does not say it.
fn rules(metadata: &Metadata<'_>, pieces: &[Piece], prefixed: bool) -> Result<SentencePieceRules> {
    let charsmap = metadata.bytes("precompiled_charsmap")?.filter(|bytes| !bytes.is_empty());
    let symbols = pieces.iter().filter(|piece| piece.kind == PieceKind::UserDefined);
    Ok(SentencePieceRules {
        charsmap: charsmap.map(|bytes| Charsmap::new(bytes.to_vec())).transpose()?,
        add_dummy_prefix: metadata.flag("add_space_prefix")?.unwrap_or(prefixed),
        remove_extra_whitespaces: metadata.flag("remove_extra_whitespaces")?.unwrap_or(false),
        escape_whitespaces: true,
        treat_whitespace_as_suffix: false,
        user_symbols: symbols.map(|piece| piece.text.clone()).collect(),
    })
}

/// Refuses what llama.cpp does to blanks that sentencepiece does not.
fn check_blanks(rules: &SentencePieceRules) -> Result<()> {
    if rules.add_dummy_prefix != rules.remove_extra_whitespaces {
        let what = "one of `add_space_prefix` and `remove_extra_whitespaces` without the other";
        return Err(Error::unsupported("tokenizer.ggml.add_space_prefix", what));
    }
    let mark = rules.charsmap.as_ref().and_then(|map| map.longest(BLANK.as_bytes()));
    if rules.remove_extra_whitespaces && mark != Some((BLANK.len(), " ")) {
        let what = "`remove_extra_whitespaces` without a map that writes U+2581 as a blank";
        return Err(Error::unsupported("tokenizer.ggml.precompiled_charsmap", what));
    }
    Ok(())
}

fn decoder(metadata: &Metadata<'_>, pieces: &[Piece], prefixed: bool) -> Result<Decoder> {
    Ok(Decoder::SentencePiece(Box::new(SentencePieceDecoder {
        kinds: pieces.iter().map(|piece| piece.kind).collect(),
        unk_surface: UNKNOWN_SURFACE.to_owned(),
        add_dummy_prefix: metadata.flag("add_space_prefix")?.unwrap_or(prefixed),
        remove_extra_whitespaces: metadata.flag("remove_extra_whitespaces")?.unwrap_or(false),
    })))
}

/// A WordPiece model. The file writes `▁` before the tokens that begin a word, and nothing before the others.
fn bert(metadata: &Metadata<'_>, pieces: &[Piece]) -> Result<Parts> {
    let mut entries = VocabEntries::default();
    for (id, piece) in (0..).zip(pieces) {
        entries.push(&piece.text, id);
    }
    let vocab = SpelledVocab::new(&entries, Spelling::Plain, "tokenizer.ggml.tokens")?.into_vocab();
    let unknown = metadata.id("unknown_token_id")?.unwrap_or(100);
    let unk_token = vocab.spelled(unknown).unwrap_or_default();
    let options = WordPieceOptions {
        unk_token,
        continuing_subword_prefix: String::new(),
        beginning_of_word_prefix: BLANK.to_owned(),
        max_input_chars_per_word: usize::MAX,
    };
    let lowercase = metadata.flag("normalizer.lowercase")?.unwrap_or(true);
    let begin = metadata.id("cls_token_id")?.or(metadata.id("bos_token_id")?);
    let end = metadata.id("seperator_token_id")?.or(metadata.id("eos_token_id")?);
    Ok(Parts {
        normalizer: Some(Normalizer::LlamaCpp(LlamaCppOptions {
            strip_accents: metadata.flag("normalizer.strip_accents")?.unwrap_or(lowercase),
            lowercase,
        })),
        added_tokens: added_tokens(metadata, pieces)?,
        pretokenizer: Pretokenizer::new(vec![Step::WhitespaceSplit, ascii_punctuation()])?,
        model: Model::WordPiece(WordPiece::new(vocab, options)?),
        post_processor: template(pieces, begin, end),
        decoder: Decoder::Replace(blank_for_mark()?),
        lengths: Lengths::default(),
        matching: Matching::LlamaCpp,
    })
}

/// The punctuation of ASCII, symbols included; the normaliser sees to the rest.
fn ascii_punctuation() -> Step {
    let pattern = SplitPattern::Regex(r"[!-/:-@\[-`{-~]".to_owned());
    Step::Split { pattern, behavior: SplitBehavior::Isolated, invert: false }
}

/// Writes blanks again.
fn blank_for_mark() -> Result<Replacement> {
    Ok(Replacement { pattern: SearchPattern::new(PatternSource::Literal(BLANK.to_owned()))?, content: " ".to_owned() })
}
