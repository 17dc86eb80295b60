//! What texts an engine is about, and what the ids of a tokenizer stand for in them.
//!
//! A text is what the decoder makes of a sequence of tokens. That has to be their bytes end to end, and what is done to
//! a text before the model sees it must not lose anything: the normal form NFC is accepted, since a text in that form
//! stays as it is, and so is SentencePiece's blank before the text, which the decoder drops again ([`Opening`]).

use crate::added_tokens::AddedToken;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::normalize::{Normalizer, PatternSource};
use crate::pretokenize::{PrependScheme, Step};
use crate::regex::CharSet;
use crate::tokenizer::Tokenizer;
use crate::vocab::Spelling;

/// What stands before a text when the model sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// Nothing.
    Nothing,
    /// A blank, which is no part of the text, before every text but the empty one.
    Blank,
    /// The same; the tokenizer may also make the blank alone of a text (of a blank).
    BlankAlone,
}

impl Opening {
    /// What a tokenizer puts before a text. Refuses what rewrites texts in other ways.
    pub(super) fn of(tokenizer: &Tokenizer) -> Result<Self> {
        let mut opening = Self::Nothing;
        if let Some(normalizer) = tokenizer.normalizer() {
            read_normalizer(normalizer, tokenizer.model().vocab().spelling(), &mut opening)?;
        }
        for step in tokenizer.pretokenizer().steps() {
            if let Step::Metaspace { prepend_scheme: PrependScheme::Always | PrependScheme::First, .. } = step {
                if opening != Self::Nothing {
                    let what = "byte-level probabilities behind a normalizer and a Metaspace that both begin a text";
                    return Err(Error::unsupported("pre_tokenizer", what));
                }
                opening = Self::BlankAlone;
            }
        }
        Ok(opening)
    }

    /// The text before which the model sees what it is given; `None` if it sees that of no text.
    pub(super) fn text(self, seen: &[u8]) -> Option<&[u8]> {
        match (self, seen.split_first()) {
            // Of a text that begins with a blank, `BlankAlone` makes the same as without.
            (Self::Nothing, _) | (_, None) | (Self::BlankAlone, Some((b' ', _))) => Some(seen),
            (Self::Blank, Some((b' ', text))) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// What the model sees before a text that is not empty.
    pub(super) fn bytes(self) -> &'static [u8] {
        if self == Self::Nothing { b"" } else { b" " }
    }
}

fn read_normalizer(normalizer: &Normalizer, spelling: Spelling, opening: &mut Opening) -> Result<()> {
    let blanks = spelling == Spelling::Metaspace;
    let why = match normalizer {
        Normalizer::Sequence(steps) => {
            return steps.iter().try_for_each(|step| read_normalizer(step, spelling, opening));
        }
        Normalizer::Nfc => return Ok(()),
        Normalizer::Prepend(prefix) if blanks && prefix == "\u{2581}" && *opening == Opening::Nothing => {
            *opening = Opening::Blank;
            return Ok(());
        }
        Normalizer::Replace(replacement)
            if blanks
                && *replacement.pattern.source() == PatternSource::Literal(" ".to_owned())
                && replacement.content == "\u{2581}" =>
        {
            return Ok(());
        }
        Normalizer::SentencePiece(normalizer) => {
            let rules = normalizer.rules();
            match () {
                () if rules.charsmap.is_some() => "a map of characters (NFKC or the like) rewrites them",
                () if rules.remove_extra_whitespaces => "extra blanks are removed (remove_extra_whitespaces)",
                () if rules.add_dummy_prefix && rules.treat_whitespace_as_suffix => {
                    "a blank is put behind the text (treat_whitespace_as_suffix)"
                }
                () if !blanks => "its pieces are not spelled with U+2581 for the blank",
                () => {
                    if rules.add_dummy_prefix {
                        *opening = Opening::Blank;
                    }
                    return Ok(());
                }
            }
        }
        Normalizer::Nfd => "NFD decomposes characters",
        Normalizer::Nfkc | Normalizer::Nfkd | Normalizer::Precompiled(_) => "compatible characters become one",
        Normalizer::Lowercase => "the case of letters is lost",
        Normalizer::StripAccents => "accents are lost",
        Normalizer::Nmt | Normalizer::Bert(_) | Normalizer::LlamaCpp(_) => {
            "control characters and white space are lost"
        }
        Normalizer::Strip { .. } => "white space at the ends is lost",
        Normalizer::Replace(_) => "what a Replace finds is lost",
        Normalizer::Prepend(_) => "a Prepend is no part of the text",
        Normalizer::ByteLevel => "the model reads bytes as characters",
    };
    let what = format!("byte-level probabilities of a text that is rewritten: {why}, and never reaches the model");
    Err(Error::unsupported("normalizer", what))
}

/// Ids of ordinary tokens with the bytes that they stand for in a text. Refuses decoders under which a text is not the
/// bytes of its tokens end to end, behind the opening.
pub(super) fn ordinary_tokens(tokenizer: &Tokenizer, opening: Opening) -> Result<Vec<(u32, &[u8])>> {
    let model = tokenizer.model();
    let vocab = model.vocab();
    // An added token that is no special one may also be what the model makes of its text.
    let is_apart = |token: &&AddedToken| token.special || vocab.spelled(token.id).as_ref() != Some(&token.content);
    let added: Vec<u32> = tokenizer.added_tokens().iter().filter(is_apart).map(|token| token.id).collect();
    let falls_back = match model {
        Model::Bpe(bpe) => bpe.options().byte_fallback,
        Model::Unigram(unigram) => unigram.options().byte_fallback,
        Model::WordPiece(_) | Model::WordLevel(_) => false,
    };
    let unknown = unknown_id(model);
    let mut tokens = Vec::with_capacity(vocab.entries());
    for (id, key) in vocab.iter() {
        let is_text = !vocab.is_inexpressible(id) && !key.is_empty() && Some(id) != unknown;
        if !is_text || added.binary_search(&id).is_ok() {
            continue;
        }
        match tokenizer.token_bytes(id) {
            Some(bytes) if bytes == key => tokens.push((id, key)),
            Some(bytes @ &[byte]) if falls_back && key == format!("<0x{byte:02X}>").as_bytes() => {
                tokens.push((id, bytes));
            }
            _ => {
                let what = format!(
                    "byte-level probabilities: the decoder writes the entry {:?} as other bytes",
                    String::from_utf8_lossy(key)
                );
                return Err(Error::unsupported("decoder", what));
            }
        }
    }
    check_decoder(tokenizer, opening, &tokens)?;
    Ok(tokens)
}

/// The id that stands for characters without a token, which are no bytes of a text.
pub(super) fn unknown_id(model: &Model) -> Option<u32> {
    match model {
        Model::Bpe(bpe) => {
            let token = bpe.options().unk_token.as_ref()?;
            bpe.vocab().id_spelled(token).filter(|&id| !bpe.reaches(id))
        }
        Model::Unigram(unigram) => unigram.options().unk_id,
        Model::WordPiece(_) | Model::WordLevel(_) => None,
    }
}

/// The token of the byte of a blank, where the decoder keeps it at the begin of a text although it drops the blank that
/// opens texts.
pub(super) fn kept_blank(tokenizer: &Tokenizer, opening: Opening, tokens: &[(u32, &[u8])]) -> Option<u32> {
    let vocab = tokenizer.model().vocab();
    let byte = tokens.iter().find(|&&(id, bytes)| bytes == b" " && vocab.key(id) != Some(bytes));
    let &(id, bytes) = byte.filter(|_| opening != Opening::Nothing)?;
    let is_kept = tokenizer.decode_bytes(&[id], false).is_ok_and(|text| text == bytes);
    is_kept.then_some(id)
}

/// Decodes a few pairs of tokens.
fn check_decoder(tokenizer: &Tokenizer, opening: Opening, tokens: &[(u32, &[u8])]) -> Result<()> {
    let vocab = tokenizer.model().vocab();
    let is_text = |&&(id, key): &&(u32, &[u8])| {
        let text = std::str::from_utf8(key).is_ok_and(|key| !key.contains('\u{2581}'));
        text && vocab.key(id) == Some(key)
    };
    let some = tokens.iter().filter(is_text).take(4);
    let blanks = tokens.iter().filter(is_text).filter(|(_, key)| key[0] == b' ').take(4);
    let sample: Vec<&(u32, &[u8])> = some.chain(blanks).collect();
    for &&(first, first_key) in &sample {
        for &&(second, second_key) in &sample {
            let both = [first_key, second_key].concat();
            let expected = both.strip_prefix(opening.bytes()).unwrap_or(&both);
            if tokenizer.decode_bytes(&[first, second], false)? != expected {
                let what = "byte-level probabilities behind a decoder that does not write tokens end to end";
                return Err(Error::unsupported("decoder", what));
            }
        }
    }
    Ok(())
}

/// Characters that are entries of a model of characters, and all others but U+2581 where it stands for the blank.
pub(super) fn characters(tokenizer: &Tokenizer, entries: impl Iterator<Item = u32>) -> (CharSet, CharSet) {
    let vocab = tokenizer.model().vocab();
    let one = |id: u32| {
        let mut chars = std::str::from_utf8(vocab.key(id)?).ok()?.chars();
        chars.next().filter(|_| chars.next().is_none())
    };
    let whole = CharSet::of(entries.filter_map(one).map(|c| (u32::from(c), u32::from(c))).collect());
    let mut known = whole.clone();
    if vocab.spelling() == Spelling::Metaspace {
        known = known.union(&CharSet::one('\u{2581}'));
    }
    (whole, known.negated())
}
