//! Offsets of ids that are known already: where their bytes, one behind the other, are the text, no second walk is needed.

use super::{Offsets, Tokenizer};
use crate::decode::Decoder;
use crate::model::Model;
use crate::normalize::Normalizer;
use crate::ragged::RaggedView;
use crate::vocab::Spelling;

impl Tokenizer {
    /// The offsets that [`Self::encode_batch_details`] gives for texts with these ids, in characters. `None` where the
    /// ids do not tell: texts are rewritten, or some text is not what its ids spell.
    pub fn offsets_of_ids<T: AsRef<[u8]>>(&self, texts: &[T], ids: RaggedView<'_, u32>) -> Option<Offsets> {
        let tiling = Tiling::of(self)?;
        if texts.len() != ids.len() {
            return None;
        }
        let mut offsets = Offsets::with_capacity(ids.values().len());
        for (text, row) in texts.iter().zip(ids.rows()) {
            let text = text.as_ref();
            std::str::from_utf8(text).ok()?;
            tiling.append(text, row, &mut offsets)?;
        }
        Some(offsets)
    }
}

/// What says which bytes of a text an id takes.
struct Tiling<'t> {
    tokenizer: &'t Tokenizer,
    /// A blank is put before each text.
    prefixed: bool,
    /// Characters may have become the tokens of their bytes.
    by_bytes: bool,
    /// All bytes of such a character but the last stand for nothing, as in sentencepiece.
    left_to_last: bool,
    unknown: Option<u32>,
    /// The smallest and the largest id of an added token.
    added: Option<(u32, u32)>,
}

impl<'t> Tiling<'t> {
    fn of(tokenizer: &'t Tokenizer) -> Option<Self> {
        let Model::Bpe(bpe) = &tokenizer.model else { return None };
        if tokenizer.pretokenizer.adds_prefix_space() || tokenizer.pretokenizer.rewrites() {
            return None;
        }
        let prefixed = match (&tokenizer.normalizer, &tokenizer.with_blanks, bpe.vocab().spelling()) {
            (None, None, Spelling::ByteLevel) => false,
            (_, Some(normalizer), Spelling::Metaspace) => puts_a_blank_before(normalizer)?,
            _ => return None,
        };
        if bpe.options().has_affixes() {
            return None;
        }
        let left_to_last = matches!(tokenizer.decoder, Decoder::SentencePiece(_));
        let unknown = bpe.options().unk_token.as_ref().and_then(|token| bpe.vocab().id_spelled(token));
        let added = tokenizer.added_tokens().iter().map(|token| token.id);
        let added = added.clone().min().zip(added.max());
        Some(Self { tokenizer, prefixed, by_bytes: bpe.options().byte_fallback, left_to_last, unknown, added })
    }

    /// Appends the offsets of a text's ids, if these are what the text consists of.
    fn append(&self, text: &[u8], ids: &[u32], offsets: &mut Offsets) -> Option<()> {
        let ascii = text.is_ascii();
        // A blank before the text belongs to its first character.
        let mut owes_blank = self.prefixed && !text.is_empty();
        // Where the next id begins, in bytes, and the number of characters that begin before.
        let (mut at, mut chars) = (0, 0);
        for &id in ids {
            let mut key = self.key(id)?;
            let byte = if self.by_bytes { named_byte(key) } else { None };
            if let Some(byte) = &byte {
                key = std::slice::from_ref(byte);
            } else if owes_blank {
                key = key.strip_prefix(b" ")?;
                owes_blank = false;
                if key.is_empty() {
                    offsets.push([0, 1]);
                    continue;
                }
            }
            let bytes = text.get(at..at + key.len()).filter(|bytes| *bytes == key)?;
            let begin = if begins(bytes[0]) { chars } else { chars - 1 };
            chars += if ascii { bytes.len() } else { bytes.iter().filter(|byte| begins(**byte)).count() };
            at += bytes.len();
            let unfinished = byte.is_some() && self.left_to_last && text.get(at).is_some_and(|byte| !begins(*byte));
            offsets.push([begin as i64, if unfinished { begin } else { chars } as i64]);
        }
        (at == text.len() && !owes_blank).then_some(())
    }

    /// What an id is spelled with, at least one byte.
    #[inline]
    fn key(&self, id: u32) -> Option<&'t [u8]> {
        if Some(id) == self.unknown {
            return None;
        }
        let added = self.added.filter(|&(first, last)| (first..=last).contains(&id));
        let key = match added.and_then(|_| self.tokenizer.added_tokens.get(id)) {
            Some(token) => token.content.as_bytes(),
            None => self.tokenizer.model.vocab().key(id)?,
        };
        (!key.is_empty()).then_some(key)
    }
}

/// The byte that a token like `<0x0A>` stands for.
fn named_byte(key: &[u8]) -> Option<u8> {
    let digits = key.strip_prefix(b"<0x")?.strip_suffix(b">")?;
    let is_digit = |digit: &u8| digit.is_ascii_digit() || (b'A'..=b'F').contains(digit);
    let digits =
        std::str::from_utf8(digits).ok().filter(|digits| digits.len() == 2 && digits.bytes().all(|d| is_digit(&d)))?;
    u8::from_str_radix(digits, 16).ok()
}

fn begins(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

/// Whether a normaliser that leaves blanks alone puts one before each text. `None` if it does anything else to a text
/// without U+2581.
fn puts_a_blank_before(normalizer: &Normalizer) -> Option<bool> {
    let Normalizer::Sequence(steps) = normalizer else { return None };
    match steps.as_slice() {
        [Normalizer::Replace(_)] => Some(false),
        [Normalizer::Replace(_), Normalizer::Prepend(prefix)] if prefix == " " => Some(true),
        _ => None,
    }
}
