//! Validity by trying: a sequence begins the encoding of some text if it begins the encoding of one of many.
//!
//! Slow, and as right as the continuations are many: every string of up to three bytes over a small
//! vocabulary's alphabet, or the characters that pretokenizers tell apart, alone and in pairs. Serves any tokenizer.

use std::sync::Arc;

use super::bits::Bits;
use super::index::{Index, ROOT};
use super::spelling::Opening;
use super::tree::Node;
use crate::error::Result;
use crate::tokenizer::{EncodeOptions, Tokenizer};

/// Alphabets up to this size are tried in all combinations of three.
const SMALL_ALPHABET: usize = 8;

const CHARACTERS: [&str; 26] = [
    "a", "Z", "s", "ll", "'", "1", "11", "111", " ", "  ", "\n", "\r", "\t", ".", "/", "-", "é", "ß", "\u{301}", "中",
    "か", "ー", "٣", "²", "🙂", "\u{a0}",
];

/// Tries continuations.
#[derive(Debug)]
pub(super) struct Brute {
    tokenizer: Arc<Tokenizer>,
    opening: Opening,
    continuations: Vec<Vec<u8>>,
}

impl Brute {
    pub(super) fn new(tokenizer: Arc<Tokenizer>, opening: Opening, index: &Index) -> Self {
        let alphabet: Vec<u8> = (0..=255u8)
            .filter(|&byte| index.find(&[byte]).is_some_and(|prefix| !index.exact(prefix).is_empty()))
            .collect();
        let mut continuations: Vec<Vec<u8>> = vec![Vec::new()];
        if alphabet.len() <= SMALL_ALPHABET {
            let mut shorter = 0;
            for _ in 0..3 {
                let longest = continuations.len();
                let longer = continuations[shorter..longest].iter();
                let longer: Vec<Vec<u8>> =
                    longer.flat_map(|text| alphabet.iter().map(|&byte| [&text[..], &[byte]].concat())).collect();
                continuations.extend(longer);
                shorter = longest;
            }
        } else {
            let parts = CHARACTERS.map(|text| text.as_bytes().to_vec());
            continuations.extend(parts.iter().cloned());
            // Ends of characters that the text may have begun.
            continuations
                .extend([&[0x80][..], &[0xBF], &[0x80, 0x80], &[0xB8, 0xAD], &[0x80, 0x80, 0x80]].map(<[u8]>::to_vec));
            continuations
                .extend(parts.iter().flat_map(|first| parts.iter().map(|second| [&first[..], second].concat())));
        }
        Self { tokenizer, opening, continuations }
    }

    /// The tokens that follow a context in the encoding of some text.
    pub(super) fn allowed(&self, node: &Node, index: &Index) -> Bits {
        let tokens = node.tokens_from(0);
        let text = bytes_of(&tokens, index);
        let mut allowed = Bits::new(index.vocab_size());
        for (_, first) in index.children(ROOT) {
            for rank in index.range(first) {
                let longer = [&tokens[..], &[index.id(rank)]].concat();
                let text = [&text[..], index.bytes(rank)].concat();
                if self
                    .continuations
                    .iter()
                    .any(|rest| self.encodes(&[&text[..], rest].concat(), |ids| ids.starts_with(&longer)))
                {
                    allowed.insert(index.id(rank));
                }
            }
        }
        allowed
    }

    /// Whether the bytes of a context and a token encode to them.
    pub(super) fn is_closed(&self, node: &Node, rank: u32, index: &Index) -> bool {
        let mut tokens = node.tokens_from(0);
        tokens.push(index.id(rank));
        self.encodes(&bytes_of(&tokens, index), |ids| *ids == tokens)
    }

    /// Whether the encoding of what the model is to see passes a test.
    fn encodes(&self, seen: &[u8], test: impl Fn(&[u32]) -> bool) -> bool {
        let Some(text) = self.opening.text(seen) else { return false };
        let ids: Result<Vec<u32>> =
            self.tokenizer.encode(text, &EncodeOptions { threads: Some(1), ..EncodeOptions::default() });
        // A text that the tokenizer refuses has no encoding.
        ids.is_ok_and(|ids| test(&ids))
    }
}

fn bytes_of(tokens: &[u32], index: &Index) -> Vec<u8> {
    tokens.iter().flat_map(|&token| index.bytes(index.rank(token))).copied().collect()
}
