//! From the stages of one owner's files to those of another's, where the same texts get the same ids.
//!
//! sentencepiece has one normaliser with switches and a model of scored pieces, tokenizers a chain of stages and a list
//! of merges. What one can say and the other cannot is refused by name. Two things cannot be told from the parts and
//! are warned of: the two add up the scores of Unigram models in another width, and what text spells a control token or
//! a byte is found by the Unigram models of tokenizers. Bytes that are not UTF-8 are decoded as each owner does it.

use super::sentencepiece::bpe_model;
use crate::added_tokens::{AddedToken, Matching};
use crate::decode::{Decoder, SentencePieceDecoder};
use crate::error::{Error, Result};
use crate::lengths::Lengths;
use crate::model::bpe::BpeScratch;
use crate::model::unigram::{Rule, Unigram, UnigramOptions};
use crate::model::{Bpe, BpeOptions, Model};
use crate::normalize::{Normalizer, PatternSource, Replacement, SearchPattern, SentencePiece, SentencePieceRules};
use crate::pieces::{Piece, PieceKind};
use crate::pretokenize::{PrependScheme, Pretokenizer, Step};
use crate::tokenizer::{Parts, Tokenizer};
use crate::vocab::Spelling;

const BLANK: &str = "\u{2581}";
const ENDS: &str = r"\A +| +\z";
const RUNS: &str = " {2,}";

/// Runs of blanks that are tried, in blanks.
const LONGEST_RUN: usize = 300;

/// A tokenizer in another owner's stages, and what is not the same.
pub(super) type Translated = (Tokenizer, Vec<String>);

fn unigram_warnings(added: &[AddedToken]) -> Vec<String> {
    let width = "sentencepiece adds up scores in 32 bits and tokenizers in 64: segmentations that differ by less than \
                 rounding may change places";
    let control = "tokenizers finds the pieces of control tokens and of bytes in text: texts that spell one get its id";
    let all = [Some(width), Some(control).filter(|_| !added.is_empty())];
    all.into_iter().flatten().map(str::to_owned).collect()
}

/// The stages of tokenizers for what works as sentencepiece does.
pub(super) fn for_tokenizers(tokenizer: &Tokenizer) -> Result<Translated> {
    let refuse = |what: &str| Err(Error::unsupported("tokenizer.json", what));
    let (Some(Normalizer::SentencePiece(normalizer)), Decoder::SentencePiece(decoder)) =
        (tokenizer.normalizer(), tokenizer.decoder())
    else {
        return refuse("a normaliser of sentencepiece without its decoder, or the other way round");
    };
    let rules = normalizer.rules();
    if rules.charsmap.is_some() {
        return refuse("a map of normalisation rules, which tokenizers reads by clusters of characters");
    }
    if rules.treat_whitespace_as_suffix {
        return refuse("blanks behind words");
    }
    for kind in [PieceKind::UserDefined, PieceKind::Unused] {
        if decoder.kinds.contains(&kind) {
            return refuse(&format!("{kind:?} pieces, which tokenizers does not have"));
        }
    }
    let mut warnings = Vec::new();
    let (model, steps, byte_fallback) = match tokenizer.model() {
        Model::Bpe(bpe) => (Model::Bpe(listed(bpe)?), Vec::new(), bpe.options().byte_fallback),
        Model::Unigram(unigram) => {
            warnings = unigram_warnings(tokenizer.added_tokens());
            let options = UnigramOptions { rule: Rule::Tokenizers, ..unigram.options().clone() };
            let byte_fallback = options.byte_fallback;
            let pieces: Vec<Piece> = unigram.pieces().map(|piece| Piece::normal(piece.text, piece.score)).collect();
            let split = !pieces.iter().any(|piece| piece.text.trim_start_matches('\u{2581}').contains('\u{2581}'));
            let metaspace = Step::Metaspace { replacement: '\u{2581}', prepend_scheme: PrependScheme::Never, split };
            (Model::Unigram(Unigram::new(&pieces, options)?), vec![metaspace], byte_fallback)
        }
        _ => return refuse("a model that is neither BPE nor Unigram"),
    };
    let prefixed = rules.add_dummy_prefix;
    let parts = Parts {
        normalizer: Some(Normalizer::Sequence(stages(rules)?)),
        added_tokens: tokenizer.added_tokens().to_vec(),
        pretokenizer: Pretokenizer::new(steps)?,
        model,
        post_processor: tokenizer.post_processor().cloned(),
        decoder: Decoder::Sequence(decoders(byte_fallback, prefixed)?),
        lengths: tokenizer.lengths().clone(),
        matching: Matching::default(),
    };
    Ok((Tokenizer::new(parts)?, warnings))
}

/// The steps of tokenizers that do what the switches of sentencepiece's normaliser say.
fn stages(rules: &SentencePieceRules) -> Result<Vec<Normalizer>> {
    let mut stages = Vec::new();
    if rules.remove_extra_whitespaces {
        stages.push(replace(PatternSource::Regex(ENDS.to_owned()), "")?);
        stages.push(replace(PatternSource::Regex(RUNS.to_owned()), " ")?);
    }
    if rules.add_dummy_prefix {
        stages.push(Normalizer::Prepend(if rules.escape_whitespaces { BLANK } else { " " }.to_owned()));
    }
    if rules.escape_whitespaces {
        stages.push(replace(PatternSource::Literal(" ".to_owned()), BLANK)?);
    }
    Ok(stages)
}

fn decoders(byte_fallback: bool, prefixed: bool) -> Result<Vec<Decoder>> {
    let mut decoders = vec![Decoder::Replace(replacement(PatternSource::Literal(BLANK.to_owned()), " ")?)];
    decoders.extend(byte_fallback.then_some(Decoder::ByteFallback));
    decoders.push(Decoder::Fuse);
    decoders.extend(prefixed.then_some(Decoder::Strip { content: ' ', start: 1, stop: 0 }));
    Ok(decoders)
}

fn replacement(source: PatternSource, content: &str) -> Result<Replacement> {
    Ok(Replacement { pattern: SearchPattern::new(source)?, content: content.to_owned() })
}

fn replace(source: PatternSource, content: &str) -> Result<Normalizer> {
    replacement(source, content).map(Normalizer::Replace)
}

/// The same model as a list of merges without equal ranks.
fn listed(bpe: &Bpe) -> Result<Bpe> {
    let refuse = |what: &str| Err(Error::unsupported("tokenizer.json", what));
    let vocab = bpe.vocab();
    if bpe.scores().is_some() {
        return refuse("a BPE model with pieces of equal score, or with pieces of characters that are no pieces");
    }
    let is_single = |id: u32| vocab.spelled(id).is_some_and(|spelled| spelled.chars().nth(1).is_none());
    if let Some(id) = (0..vocab.size() as u32).find(|&id| vocab.is_inexpressible(id) && is_single(id)) {
        return refuse(&format!("the piece {id}, one character that text does not have"));
    }
    let list = Bpe::new(vocab.clone(), bpe.merges().to_vec(), bpe.options().clone())?;
    if list.late_entries().is_none_or(|late| !late.is_empty()) {
        return refuse("a BPE model whose pieces are not made in order of their scores");
    }
    if bpe.has_equal_ranks() && !runs_agree(bpe, &list) {
        return refuse("a BPE model in which runs of blanks have equal scores and merge otherwise in a list");
    }
    Ok(list)
}

/// Whether a list of merges makes the same of runs of blanks, which are merged after everything else, as a model in
/// which these have equal ranks.
fn runs_agree(bpe: &Bpe, list: &Bpe) -> bool {
    let has_run = |id: u32| bpe.vocab().key(id).is_some_and(|key| memchr::memmem::find(key, b"  ").is_some());
    let is_blank = |id: u32| bpe.vocab().key(id).is_some_and(|key| key.iter().all(|&byte| byte == b' '));
    let merges = bpe.merges();
    let first_run = merges.iter().position(|merge| has_run(merge.result)).unwrap_or(merges.len());
    if !merges[first_run..].iter().all(|merge| is_blank(merge.result)) {
        return false;
    }
    let mut scratch = BpeScratch::default();
    let mut ids_of = |model: &Bpe, run: &[u8]| {
        let mut ids = Vec::new();
        model.merge(run, &mut scratch, &mut ids);
        ids
    };
    (2..LONGEST_RUN).map(|len| vec![b' '; len]).all(|run| ids_of(bpe, &run) == ids_of(list, &run))
}

/// The stages of sentencepiece for what works as tokenizers does.
pub(super) fn for_sentencepiece(tokenizer: &Tokenizer) -> Result<Translated> {
    let refuse = |what: &str| Err(Error::unsupported(".model", what));
    if let Some(token) = tokenizer.added_tokens().iter().find(|token| !token.special) {
        return refuse(&format!("the added token {:?}, which is not special", token.content));
    }
    let Some(rules) = told_rules(tokenizer.normalizer())? else {
        return refuse(
            "a normaliser that does more than to trim blanks, put one before the text and write U+2581 for them",
        );
    };
    let kinds = kinds(tokenizer);
    let unknown = kinds.iter().position(|kind| *kind == PieceKind::Unknown).map(|id| id as u32);
    let mut warnings = Vec::new();
    let steps = tokenizer.pretokenizer().steps();
    let model = match tokenizer.model() {
        Model::Bpe(bpe) if steps.is_empty() => Model::Bpe(scored(bpe, &kinds)?),
        Model::Unigram(unigram) if unigram.options().rule == Rule::Tokenizers && splits_alike(unigram, steps) => {
            warnings = unigram_warnings(tokenizer.added_tokens());
            let options = UnigramOptions { rule: Rule::SentencePiece, unk_id: unknown, ..unigram.options().clone() };
            if unigram.options().unk_id != unknown {
                return refuse("a Unigram model whose unknown token is not a special one");
            }
            let piece = |(piece, &kind): (Piece, &PieceKind)| Piece { kind, ..piece };
            let pieces: Vec<Piece> = unigram.pieces().zip(&kinds).map(piece).collect();
            Model::Unigram(Unigram::new(&pieces, options)?)
        }
        Model::Bpe(_) | Model::Unigram(_) => return refuse("a pretokenizer"),
        _ => return refuse("a model that is neither BPE nor Unigram"),
    };
    if tokenizer.post_processor().is_some() {
        warnings.push("the file has no template: special tokens are put around texts by the caller".to_owned());
    }
    let blanks = model.vocab().spelling() == Spelling::Metaspace;
    let decoder = SentencePieceDecoder {
        kinds,
        unk_surface: " \u{2047} ".to_owned(),
        add_dummy_prefix: rules.add_dummy_prefix,
        remove_extra_whitespaces: rules.remove_extra_whitespaces,
    };
    let special = |token: &AddedToken| AddedToken::special(token.content.clone(), token.id);
    let parts = Parts {
        normalizer: Some(Normalizer::SentencePiece(Box::new(SentencePiece::new(rules, blanks)))),
        added_tokens: tokenizer.added_tokens().iter().map(special).collect(),
        pretokenizer: Pretokenizer::new(Vec::new())?,
        model,
        post_processor: None,
        decoder: Decoder::SentencePiece(Box::new(decoder)),
        lengths: Lengths::default(),
        matching: Matching::default(),
    };
    Ok((Tokenizer::new(parts)?, warnings))
}

/// The switches of sentencepiece's normaliser that a chain of steps stands for: those of [`stages`].
fn told_rules(normalizer: Option<&Normalizer>) -> Result<Option<SentencePieceRules>> {
    let steps: &[Normalizer] = match normalizer {
        None => &[],
        Some(Normalizer::Sequence(steps)) => steps,
        Some(one) => std::slice::from_ref(one),
    };
    for number in 0..8 {
        let rules = SentencePieceRules {
            add_dummy_prefix: number & 1 > 0,
            remove_extra_whitespaces: number & 2 > 0,
            escape_whitespaces: number & 4 > 0,
            ..SentencePieceRules::default()
        };
        if stages(&rules)? == steps {
            return Ok(Some(rules));
        }
    }
    Ok(None)
}

/// What each entry is for.
fn kinds(tokenizer: &Tokenizer) -> Vec<PieceKind> {
    let vocab = tokenizer.model().vocab();
    let (unk_token, byte_fallback) = match tokenizer.model() {
        Model::Bpe(bpe) => (bpe.options().unk_token.clone(), bpe.options().byte_fallback),
        Model::Unigram(unigram) => {
            let unk_token = unigram.options().unk_id.and_then(|id| vocab.spelled(id));
            (unk_token, unigram.options().byte_fallback)
        }
        _ => (None, false),
    };
    let kind = |id: u32| {
        let piece = Piece::normal(vocab.spelled(id).unwrap_or_default(), 0.0);
        match unk_token.as_ref() {
            Some(unknown) if *unknown == piece.text => PieceKind::Unknown,
            _ if tokenizer.added_tokens().iter().any(|token| token.id == id) => PieceKind::Control,
            _ if byte_fallback && piece.byte().is_some() => PieceKind::Byte,
            _ => PieceKind::Normal,
        }
    };
    (0..vocab.size() as u32).map(kind).collect()
}

/// Whether the steps before a Unigram model cut only where no piece reaches over the cut.
fn splits_alike(unigram: &Unigram, steps: &[Step]) -> bool {
    let crosses = |piece: Piece| piece.text.trim_start_matches('\u{2581}').contains('\u{2581}');
    match steps {
        [] => true,
        [Step::Metaspace { replacement: '\u{2581}', prepend_scheme: PrependScheme::Never, split }] => {
            !split || !unigram.pieces().any(crosses)
        }
        _ => false,
    }
}

/// The same model as pieces with scores, in the order in which merging makes them.
fn scored(bpe: &Bpe, kinds: &[PieceKind]) -> Result<Bpe> {
    let refuse = |what: &str| Err(Error::unsupported(".model", what));
    let options = bpe.options();
    let plain = BpeOptions {
        unk_token: options.unk_token.clone(),
        byte_fallback: options.byte_fallback,
        fuse_unk: options.fuse_unk,
        ..BpeOptions::default()
    };
    if *options != plain || !options.byte_fallback && (!options.fuse_unk || options.unk_token.is_none()) {
        return refuse("affixes, dropout, ignore_merges, or unknown characters that are not joined");
    }
    let vocab = bpe.vocab();
    let made = bpe.made_in_order();
    let mut scores = vec![None; kinds.len()];
    for (place, merge) in made.iter().enumerate() {
        scores[merge.result as usize] = Some(place);
    }
    let piece = |(id, &kind): (u32, &PieceKind)| Piece {
        text: vocab.spelled(id).unwrap_or_default(),
        score: -(scores[id as usize].unwrap_or(made.len() + id as usize) as f64),
        kind,
    };
    let pieces: Vec<Piece> = (0..).zip(kinds).map(piece).collect();
    let scored = bpe_model(&pieces, options.byte_fallback, true)?;
    if made.is_empty() || bpe.late_entries().is_none_or(|late| !late.is_empty()) || scored.made_in_order() != made {
        return refuse(
            "a list of merges that merges less than all neighbours that spell an entry, or in another order",
        );
    }
    Ok(scored)
}
