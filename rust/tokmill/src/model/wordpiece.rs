//! WordPiece: a piece is covered from left to right, each time by the longest entry that fits.
//!
//! Inside a piece entries carry a prefix (`##`), or those at its beginning do (`▁`, in GGUF). Prefixes of what is left are looked up from the longest on, no longer
//! than the longest entry, so a piece costs at most its length times that of the longest entry. A piece that cannot be
//! covered becomes one unknown token as a whole (Schuster and Nakajima, "Japanese and Korean voice search", 2012).

use std::ops::Range;

use crate::error::{Error, Result};
use crate::vocab::{Spelling, Vocab};

/// The options of a WordPiece model, named as in tokenizers' JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordPieceOptions {
    /// What a piece becomes that cannot be covered.
    pub unk_token: String,
    /// What entries inside a piece begin with.
    pub continuing_subword_prefix: String,
    /// What entries at the beginning of a piece begin with; nothing but in files of llama.cpp.
    pub beginning_of_word_prefix: String,
    /// A piece of more characters is unknown.
    pub max_input_chars_per_word: usize,
}

impl Default for WordPieceOptions {
    fn default() -> Self {
        Self {
            unk_token: "[UNK]".to_owned(),
            continuing_subword_prefix: "##".to_owned(),
            beginning_of_word_prefix: String::new(),
            max_input_chars_per_word: 100,
        }
    }
}

/// A validated WordPiece model.
#[derive(Clone, Debug)]
pub struct WordPiece {
    vocab: Vocab,
    options: WordPieceOptions,
    unknown: u32,
    /// The prefixes as the vocabulary's keys have them.
    beginning: Vec<u8>,
    continuing: Vec<u8>,
    /// Bytes of the longest entry.
    longest: usize,
}

/// Reusable memory for encoding pieces.
#[derive(Debug, Default)]
pub struct WordPieceScratch {
    /// What is left of a piece, behind room for the prefix.
    rest: Vec<u8>,
}

impl WordPiece {
    /// A model over a vocabulary. Fails where that does not hold the unknown token.
    pub fn new(vocab: Vocab, options: WordPieceOptions) -> Result<Self> {
        let unknown = unknown_id(&vocab, &options.unk_token)?;
        let prefix = |field: &str, prefix: &str| {
            vocab.spelling().to_bytes(prefix).ok_or_else(|| {
                let what = format!("{prefix:?} where pieces are spelled in bytes");
                Error::unsupported(format!("model.{field}"), what)
            })
        };
        let beginning = prefix("beginning_of_word_prefix", &options.beginning_of_word_prefix)?;
        let continuing = prefix("continuing_subword_prefix", &options.continuing_subword_prefix)?;
        let longest = vocab.iter().map(|(_, key)| key.len()).max().unwrap_or(0);
        Ok(Self { vocab, options, unknown, beginning, continuing, longest })
    }

    /// The vocabulary.
    pub fn vocab(&self) -> &Vocab {
        &self.vocab
    }

    /// The options.
    pub fn options(&self) -> &WordPieceOptions {
        &self.options
    }

    /// Pieces that are encoded by one entry.
    pub(super) fn whole_entries(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let fits = |piece: &[u8]| !piece.is_empty() && self.chars(piece) <= self.options.max_input_chars_per_word;
        let pieces = self.vocab.iter().filter_map(|(id, key)| Some((id, key.strip_prefix(&*self.beginning)?)));
        pieces.filter(move |&(id, piece)| !self.vocab.is_inexpressible(id) && fits(piece))
    }

    /// Appends the ids of a piece.
    pub fn encode(&self, piece: &[u8], scratch: &mut WordPieceScratch, ids: &mut Vec<u32>) {
        let begin = ids.len();
        if self.chars(piece) > self.options.max_input_chars_per_word || !self.cover(piece, scratch, ids) {
            ids.truncate(begin);
            ids.push(self.unknown);
        }
    }

    /// Appends the entries that cover a piece, longest first. `false` where there are none.
    fn cover(&self, piece: &[u8], scratch: &mut WordPieceScratch, ids: &mut Vec<u32>) -> bool {
        let rest = &mut scratch.rest;
        rest.clear();
        rest.resize(self.continuing.len(), 0);
        rest.extend_from_slice(&self.beginning);
        rest.extend_from_slice(piece);
        // What is covered ends here; the prefix of what follows goes over it.
        let mut at = self.continuing.len();
        let mut prefix = 0;
        while at < rest.len() {
            let Some((id, len)) = self.longest_prefix(&rest[at - prefix..], prefix) else { return false };
            ids.push(id);
            at += len - prefix;
            prefix = self.continuing.len();
            rest[at - prefix..at].copy_from_slice(&self.continuing);
        }
        true
    }

    /// The longest entry of more than `shortest` bytes that `text` begins with, and its length.
    fn longest_prefix(&self, text: &[u8], shortest: usize) -> Option<(u32, usize)> {
        (shortest + 1..=text.len().min(self.longest)).rev().find_map(|len| Some((self.vocab.id(&text[..len])?, len)))
    }

    /// Characters of a piece, as the owner counts them: each byte is one where pieces are spelled in bytes.
    fn chars(&self, piece: &[u8]) -> usize {
        match self.vocab.spelling() {
            Spelling::ByteLevel | Spelling::Latin1 => piece.len(),
            Spelling::Plain | Spelling::Metaspace => piece.iter().filter(|byte| **byte & 0xC0 != 0x80).count(),
        }
    }

    /// Appends the range of the bytes of `piece` that each of its `ids` stands for.
    pub(super) fn spans(&self, piece: &[u8], ids: &[u32], spans: &mut Vec<Range<usize>>) {
        if ids.len() == 1 {
            spans.push(0..piece.len());
            return;
        }
        let mut at = 0;
        for (index, &id) in ids.iter().enumerate() {
            let prefix = if index == 0 { &self.beginning } else { &self.continuing };
            let len = self.vocab.key(id).map_or(0, <[u8]>::len) - prefix.len();
            spans.push(at..at + len);
            at += len;
        }
    }
}

/// The id of an unknown token.
pub(super) fn unknown_id(vocab: &Vocab, unk_token: &str) -> Result<u32> {
    vocab.id_spelled(unk_token).ok_or_else(|| {
        let what = format!("{unk_token:?}, which is not in the vocabulary, so that unknown text could not be encoded");
        Error::unsupported("model.unk_token", what)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, word for word.
    fn naive(entries: &[&str], word: &str) -> Option<Vec<String>> {
        let (mut found, mut rest) = (Vec::new(), word);
        while !rest.is_empty() {
            let prefix = if found.is_empty() { "" } else { "##" };
            let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
            let (end, token) = ends
                .map(|end| (end, format!("{prefix}{}", &rest[..end])))
                .find(|(_, token)| entries.contains(&token.as_str()))?;
            found.push(token);
            rest = &rest[end..];
        }
        Some(found)
    }

    proptest! {
        #[test]
        fn the_longest_entry_is_taken(
            entries in prop::collection::btree_set("(##)?[abé]{1,3}", 0..12),
            word in "#{0,2}[abé]{1,8}",
        ) {
            let entries: Vec<&str> = entries.iter().map(String::as_str).filter(|entry| *entry != "##").collect();
            let mut vocab = Vocab::new(Spelling::Plain);
            vocab.insert(0, b"[UNK]").unwrap();
            for (index, entry) in entries.iter().enumerate() {
                vocab.insert(index as u32 + 1, entry.as_bytes()).unwrap();
            }
            let model = WordPiece::new(vocab, WordPieceOptions::default()).unwrap();
            let mut ids = Vec::new();
            model.encode(word.as_bytes(), &mut WordPieceScratch::default(), &mut ids);
            let expected = naive(&entries, &word).unwrap_or_else(|| vec!["[UNK]".to_owned()]);
            let found: Vec<_> = ids.iter().map(|&id| model.vocab().spelled(id).unwrap()).collect();
            prop_assert_eq!(found, expected);
            let mut spans = Vec::new();
            model.spans(word.as_bytes(), &ids, &mut spans);
            prop_assert_eq!(spans.last().map(|span| span.end), Some(word.len()));
        }
    }
}
