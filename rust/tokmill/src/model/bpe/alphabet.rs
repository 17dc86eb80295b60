//! What merging begins with: the symbols of a text's bytes, or of its characters.
//!
//! A byte-level model has a symbol for each byte. A model over characters has one for each character that is an entry,
//! and those of the bytes for all others where it falls back to bytes. The symbols 0..256 are the bytes in both; below
//! 128 they are characters, of which a model over characters may know some as bytes only (`<0x0A>`).

use super::symbols::NONE;
use crate::vocab::{Spelling, Vocab};

/// The symbols of all bytes.
pub(super) const BYTES: usize = 256;

/// From text to symbols.
#[derive(Clone, Debug)]
pub(super) struct Alphabet {
    /// Ids of the symbols; [`NONE`] for a byte without entry.
    ids: Vec<u32>,
    /// Symbols of the characters from U+0080 on, where these are what merging begins with.
    chars: Option<CharTable>,
    /// Whether some text has no symbols, and whether some of ASCII has none.
    lacks: bool,
    lacks_ascii: bool,
}

impl Alphabet {
    /// The alphabet of a vocabulary. `fallback` has the ids of the entries `<0x00>` to `<0xFF>`, for a model over
    /// characters that falls back to them and has all that a text can need.
    pub(super) fn new(vocab: &Vocab, fallback: Option<&[u32; BYTES]>) -> Self {
        let mut ids: Vec<u32> = (0..=u8::MAX).map(|byte| vocab.id(&[byte]).unwrap_or(NONE)).collect();
        let lacks_ascii = ids[..0x80].contains(&NONE);
        if matches!(vocab.spelling(), Spelling::ByteLevel | Spelling::Latin1) {
            let lacks = ids.contains(&NONE);
            return Self { ids, chars: None, lacks, lacks_ascii };
        }
        if let Some(fallback) = fallback {
            for (id, &fallback) in ids.iter_mut().zip(fallback).filter(|(id, _)| **id == NONE) {
                *id = fallback;
            }
        }
        let mut chars = CharTable::default();
        for (id, key) in vocab.iter().filter(|(id, key)| (2..=4).contains(&key.len()) && !vocab.is_inexpressible(*id)) {
            let (code, len) = decode(key);
            if len == key.len() {
                chars.insert(code, ids.len() as u32);
                ids.push(id);
            }
        }
        Self { ids, chars: Some(chars), lacks: fallback.is_none(), lacks_ascii }
    }

    /// Ids of the symbols, [`NONE`] for those without entry.
    pub(super) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Whether symbols are those of characters.
    pub(super) fn is_of_chars(&self) -> bool {
        self.chars.is_some()
    }

    /// Whether some texts are not known.
    pub(super) fn lacks(&self) -> bool {
        self.lacks
    }

    /// Whether a byte has a symbol with an entry.
    pub(super) fn has_byte(&self, byte: u8) -> bool {
        self.ids[usize::from(byte)] != NONE
    }

    /// Appends the symbols of a text that is known.
    pub(super) fn append_symbols(&self, text: &[u8], symbols: &mut Vec<u32>) {
        let Some(chars) = &self.chars else {
            return symbols.extend(text.iter().map(|&byte| u32::from(byte)));
        };
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            if byte < 0x80 {
                symbols.push(byte.into());
                at += 1;
                continue;
            }
            let (code, len) = decode(&text[at..]);
            match chars.get(code) {
                NONE => symbols.extend(text[at..at + len].iter().map(|&byte| u32::from(byte))),
                symbol => symbols.push(symbol),
            }
            at += len;
        }
    }

    /// How many symbols a text that is known has.
    pub(super) fn count(&self, text: &[u8]) -> usize {
        if self.chars.is_none() {
            return text.len();
        }
        let mut symbols = Vec::with_capacity(text.len());
        self.append_symbols(text, &mut symbols);
        symbols.len()
    }

    /// Whether all of a text has symbols.
    pub(super) fn knows(&self, text: &[u8]) -> bool {
        !self.lacks || !self.lacks_ascii && text.is_ascii() || self.units(text).all(|(_, known)| known)
    }

    /// What a text consists of, bytes or characters: the length of each and whether it is known.
    pub(super) fn units(&self, text: &[u8]) -> impl Iterator<Item = (usize, bool)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let first = *text.get(at)?;
            let (len, known) = match &self.chars {
                Some(chars) if first >= 0x80 => {
                    let (code, len) = decode(&text[at..]);
                    (len, !self.lacks || chars.get(code) != NONE)
                }
                _ => (1, self.has_byte(first)),
            };
            at += len;
            Some((len, known))
        })
    }
}

/// Code point and length of the character that a text begins with, which is whole: only UTF-8 gets here.
#[inline]
pub(super) fn decode(text: &[u8]) -> (u32, usize) {
    let tail = |index: usize| u32::from(text.get(index).copied().unwrap_or(0) & 0x3F);
    let first = u32::from(text[0]);
    let (code, len) = match text[0] {
        0..0x80 => (first, 1),
        0x80..0xE0 => ((first & 0x1F) << 6 | tail(1), 2),
        0xE0..0xF0 => ((first & 0x0F) << 12 | tail(1) << 6 | tail(2), 3),
        0xF0.. => ((first & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4),
    };
    (code, len.min(text.len()))
}

/// Symbols of characters, in pages of 256 of which most are absent.
#[derive(Clone, Debug)]
pub(super) struct CharTable {
    /// Number of each page; page 0 is empty.
    pages: Vec<u16>,
    symbols: Vec<[u32; PAGE]>,
}

const PAGE: usize = 256;

impl Default for CharTable {
    fn default() -> Self {
        Self { pages: vec![0; 0x20_0000 / PAGE], symbols: vec![[NONE; PAGE]] }
    }
}

impl CharTable {
    pub(super) fn insert(&mut self, code: u32, symbol: u32) {
        let page = &mut self.pages[code as usize / PAGE];
        if *page == 0 {
            *page = self.symbols.len() as u16;
            self.symbols.push([NONE; PAGE]);
        }
        self.symbols[usize::from(*page)][code as usize % PAGE] = symbol;
    }

    #[inline]
    pub(super) fn get(&self, code: u32) -> u32 {
        self.symbols[usize::from(self.pages[code as usize / PAGE])][code as usize % PAGE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(entries: &[&str]) -> Vocab {
        let mut vocab = Vocab::new(Spelling::Plain);
        for (id, entry) in entries.iter().enumerate() {
            vocab.insert(id as u32, entry.as_bytes()).unwrap();
        }
        vocab
    }

    #[test]
    fn characters_have_symbols_and_others_fall_back_to_their_bytes() {
        let vocab = plain(&["a", "é", "▁", "ab", "🦜"]);
        let mut fallback = [0; BYTES];
        fallback.iter_mut().enumerate().for_each(|(byte, id)| *id = 100 + byte as u32);
        let alphabet = Alphabet::new(&vocab, Some(&fallback));
        let mut symbols = Vec::new();
        alphabet.append_symbols("aé▁ñb🦜".as_bytes(), &mut symbols);
        let ids: Vec<u32> = symbols.iter().map(|&symbol| alphabet.ids()[symbol as usize]).collect();
        assert_eq!(ids, [0, 1, 2, 100 + 0xC3, 100 + 0xB1, 100 + 0x62, 4]);
        assert!(alphabet.knows("ñ".as_bytes()));
    }

    #[test]
    fn without_fallback_some_characters_are_unknown() {
        let alphabet = Alphabet::new(&plain(&["a", "é"]), None);
        let units: Vec<_> = alphabet.units("añéb".as_bytes()).collect();
        assert_eq!(units, [(1, true), (2, false), (2, true), (1, false)]);
    }
}
