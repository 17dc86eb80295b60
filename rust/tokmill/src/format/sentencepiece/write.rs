//! From a tokenizer to the bytes of a SentencePiece model.

use super::super::tokenizer_json::Stages;
use super::bpe;
use super::proto::{ModelProto, ModelType, NormalizerSpec, TrainerSpec};
use crate::added_tokens::AddedToken;
use crate::decode::{Decoder, SentencePieceDecoder};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::unigram::Rule;
use crate::normalize::{Normalizer, SentencePiece};
use crate::pieces::{Piece, PieceKind};
use crate::tokenizer::Tokenizer;

fn refused(what: impl Into<String>) -> Error {
    Error::unsupported(".model", what)
}

/// The bytes of a `.model` file. Refused is what would have other ids when it is read.
pub(crate) fn to_bytes(tokenizer: &Tokenizer) -> Result<Vec<u8>> {
    let (Some(Normalizer::SentencePiece(normalizer)), Decoder::SentencePiece(decoder)) =
        (tokenizer.normalizer(), tokenizer.decoder())
    else {
        return Err(refused("a tokenizer that does not normalise and decode as sentencepiece does"));
    };
    if !tokenizer.pretokenizer().steps().is_empty() {
        return Err(refused("a pretokenizer"));
    }
    let (model_type, byte_fallback, pieces) = match tokenizer.model() {
        Model::Unigram(unigram) if unigram.options().rule == Rule::SentencePiece => {
            (ModelType::Unigram, unigram.options().byte_fallback, unigram.pieces().collect())
        }
        Model::Bpe(model) => (ModelType::Bpe, model.options().byte_fallback, bpe::pieces(model, &decoder.kinds)),
        Model::Unigram(_) => return Err(refused("a Unigram model by the rule of tokenizers")),
        _ => return Err(refused("a model that is neither Unigram nor BPE")),
    };
    let is_told = |token: &AddedToken| {
        let kind = pieces.get(token.id as usize).map(|piece| piece.kind);
        matches!(kind, Some(PieceKind::Control | PieceKind::Unknown))
            && *token == AddedToken::special(token.content.clone(), token.id)
    };
    let is_piece = |token: &AddedToken| pieces.get(token.id as usize).is_some_and(|piece| piece.text == token.content);
    if let Some(token) = tokenizer.added_tokens().iter().find(|token| !is_piece(token)) {
        return Err(refused(format!("the added token {:?}", token.content)));
    }
    let told = tokenizer.post_processor().is_none() && tokenizer.added_tokens().iter().all(is_told);
    let extension = (!told).then(|| Stages::of(tokenizer).write());
    let trainer = TrainerSpec { model_type, byte_fallback, ..trainer(normalizer, decoder, &pieces) };
    Ok(ModelProto { trainer, normalizer: spec(normalizer), denormalizer: None, pieces, extension }.write())
}

fn trainer(normalizer: &SentencePiece, decoder: &SentencePieceDecoder, pieces: &[Piece]) -> TrainerSpec {
    let mut trainer = TrainerSpec {
        unk_surface: decoder.unk_surface.clone(),
        treat_whitespace_as_suffix: normalizer.rules().treat_whitespace_as_suffix,
        ..TrainerSpec::default()
    };
    let unknown = pieces.iter().position(|piece| piece.kind == PieceKind::Unknown);
    let [(unk_id, unk_piece), others @ ..] = &mut trainer.special;
    *unk_id = unknown.map_or(-1, |id| id as i32);
    if let Some(id) = unknown {
        unk_piece.clone_from(&pieces[id].text);
    }
    for (id, name) in others {
        let is_it = |piece: &Piece| piece.kind == PieceKind::Control && piece.text == *name;
        *id = pieces.iter().position(is_it).map_or(-1, |id| id as i32);
    }
    trainer
}

fn spec(normalizer: &SentencePiece) -> NormalizerSpec {
    let rules = normalizer.rules();
    NormalizerSpec {
        name: String::new(),
        precompiled_charsmap: rules.charsmap.as_ref().map(|map| map.bytes().to_vec()).unwrap_or_default(),
        add_dummy_prefix: rules.add_dummy_prefix,
        remove_extra_whitespaces: rules.remove_extra_whitespaces,
        escape_whitespaces: rules.escape_whitespaces,
    }
}
