//! From a SentencePiece model to the parts of a tokenizer.

use hashbrown::HashMap;

use super::super::json::excerpt;
use super::super::tokenizer_json::Stages;
use super::bpe;
use super::proto::{ModelProto, ModelType, NormalizerSpec, TrainerSpec};
use crate::added_tokens::AddedToken;
use crate::decode::{Decoder, SentencePieceDecoder};
use crate::error::{Error, Result};
use crate::lengths::Lengths;
use crate::model::Model;
use crate::model::unigram::{Rule, Unigram, UnigramOptions};
use crate::normalize::{Charsmap, Normalizer, SentencePiece, SentencePieceRules};
use crate::pieces::{Piece, PieceKind};
use crate::pretokenize::Pretokenizer;
use crate::tokenizer::Parts;
use crate::vocab::Spelling;

/// Pieces are shorter than this, in bytes.
const MAX_PIECE: usize = 8000;

/// Reads the parts of a tokenizer from the bytes of a `.model` file.
pub(crate) fn parts(file: &[u8]) -> Result<Parts> {
    let mut proto = ModelProto::read(file)?;
    check(&mut proto)?;
    let ModelProto { pieces, trainer, normalizer, denormalizer, extension } = proto;
    if denormalizer.is_some_and(|spec| !spec.precompiled_charsmap.is_empty()) {
        return Err(Error::unsupported("denormalizer_spec", "rules for decoded text"));
    }
    let special = |piece: &Piece| matches!(piece.kind, PieceKind::Control | PieceKind::Unknown);
    let added = |(id, piece): (u32, &Piece)| special(piece).then(|| AddedToken::special(piece.text.clone(), id));
    let mut stages = Stages::default();
    match extension {
        Some(extension) => stages = Stages::read(&extension)?,
        None => stages.added_tokens = (0..).zip(&pieces).filter_map(added).collect(),
    }
    let model = match trainer.model_type {
        ModelType::Bpe => model(&found_before(&pieces, &stages.added_tokens), &trainer, normalizer.escape_whitespaces)?,
        _ => model(&pieces, &trainer, normalizer.escape_whitespaces)?,
    };
    let blanks = model.vocab().spelling() == Spelling::Metaspace;
    let decoder = SentencePieceDecoder {
        kinds: pieces.iter().map(|piece| piece.kind).collect(),
        unk_surface: trainer.unk_surface.clone(),
        add_dummy_prefix: normalizer.add_dummy_prefix,
        remove_extra_whitespaces: normalizer.remove_extra_whitespaces,
    };
    Ok(Parts {
        normalizer: Some(Normalizer::SentencePiece(Box::new(SentencePiece::new(
            rules(normalizer, &trainer, &pieces)?,
            blanks,
        )))),
        added_tokens: stages.added_tokens,
        pretokenizer: Pretokenizer::new(Vec::new())?,
        model,
        post_processor: stages.post_processor,
        decoder: Decoder::SentencePiece(Box::new(decoder)),
        lengths: Lengths::default(),
        matching: stages.matching,
    })
}

/// The pieces of a BPE model that takes no notice of symbols that are found before it.
fn found_before(pieces: &[Piece], added: &[AddedToken]) -> Vec<Piece> {
    let mut pieces = pieces.to_vec();
    for token in added.iter().filter(|token| !token.special) {
        if let Some(piece) = pieces.get_mut(token.id as usize).filter(|piece| piece.kind == PieceKind::UserDefined) {
            piece.kind = PieceKind::Control;
        }
    }
    pieces
}

fn rules(spec: NormalizerSpec, trainer: &TrainerSpec, pieces: &[Piece]) -> Result<SentencePieceRules> {
    let charsmap = match spec.precompiled_charsmap {
        bytes if bytes.is_empty() => None,
        bytes => Some(Charsmap::new(bytes)?),
    };
    let symbols = pieces.iter().filter(|piece| piece.kind == PieceKind::UserDefined);
    Ok(SentencePieceRules {
        charsmap,
        add_dummy_prefix: spec.add_dummy_prefix,
        remove_extra_whitespaces: spec.remove_extra_whitespaces,
        escape_whitespaces: spec.escape_whitespaces,
        treat_whitespace_as_suffix: trainer.treat_whitespace_as_suffix,
        user_symbols: symbols.map(|piece| piece.text.clone()).collect(),
    })
}

fn model(pieces: &[Piece], trainer: &TrainerSpec, escaped: bool) -> Result<Model> {
    let refuse = |what: &str| Err(Error::unsupported("trainer_spec.model_type", what));
    match trainer.model_type {
        ModelType::Unigram => {
            let options = UnigramOptions {
                unk_id: pieces.iter().position(|piece| piece.kind == PieceKind::Unknown).map(|id| id as u32),
                byte_fallback: trainer.byte_fallback,
                rule: Rule::SentencePiece,
                blanks: escaped,
            };
            Ok(Model::Unigram(Unigram::new(pieces, options)?))
        }
        ModelType::Word => refuse("a SentencePiece model of type WORD"),
        ModelType::Char if pieces.iter().any(is_longer) => {
            refuse("a SentencePiece model of type CHAR with pieces of several characters")
        }
        // Characters are a BPE in which nothing merges.
        ModelType::Bpe | ModelType::Char => Ok(Model::Bpe(bpe::model(pieces, trainer.byte_fallback, escaped)?)),
    }
}

/// Whether a piece is found in text and is more than one character, or is one that is not found.
fn is_longer(piece: &Piece) -> bool {
    piece.kind == PieceKind::Unused || piece.kind == PieceKind::Normal && piece.text.chars().nth(1).is_some()
}

/// Refuses what sentencepiece refuses.
fn check(proto: &mut ModelProto) -> Result<()> {
    let byte_fallback = proto.trainer.byte_fallback;
    let apart = proto.trainer.model_type == ModelType::Unigram;
    let mut unknown = None;
    let mut bytes = [false; 256];
    let mut seen = HashMap::with_capacity(proto.pieces.len());
    for (id, piece) in proto.pieces.iter_mut().enumerate() {
        let wrong = |why: String| Err(Error::format(format!("pieces[{id}]"), why));
        if piece.text == "\0" && (byte_fallback || piece.kind == PieceKind::Unused) {
            piece.kind = PieceKind::Unused;
            continue;
        }
        if piece.text.is_empty() || piece.text.len() >= MAX_PIECE || piece.text.contains('\0') {
            return wrong(format!("{} is empty, too long, or has a zero byte", excerpt(&piece.text)));
        }
        if !piece.score.is_finite() && apart {
            return wrong("its score is not a finite number".to_owned());
        }
        let in_text = matches!(piece.kind, PieceKind::Normal | PieceKind::UserDefined | PieceKind::Unused);
        if let Some(other) = seen.insert((piece.text.as_str(), apart && in_text), id) {
            return wrong(format!("{} is piece {other} already", excerpt(&piece.text)));
        }
        match (piece.kind, piece.byte()) {
            (PieceKind::Unknown, _) => {
                if let Some(other) = unknown.replace(id) {
                    return wrong(format!("is unknown, as piece {other} is"));
                }
            }
            (PieceKind::Byte, Some(byte)) if byte_fallback => bytes[usize::from(byte)] = true,
            (PieceKind::Byte, _) => return wrong(format!("{} is no byte to fall back to", excerpt(&piece.text))),
            _ => {}
        }
    }
    if byte_fallback && bytes.contains(&false) {
        return Err(Error::format("pieces", "lack some of the 256 bytes to fall back to"));
    }
    if unknown.is_none() && !byte_fallback {
        return Err(Error::format("pieces", "lack one for the unknown"));
    }
    Ok(())
}
