//! From ids back to bytes and text.
//!
//! What each id decodes to is laid out once, end to end; decoding copies a fixed sixteen bytes an id and moves on by
//! the token's length, so short tokens, nearly all of them, cost no loop.

use std::borrow::Cow;

use crate::added_tokens::AddedTokens;
use crate::error::{Error, Result};
use crate::vocab::{Spelling, Vocab};

/// How the tokens of a sequence become text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decoder {
    /// Bytes end to end (tokenizers' `ByteLevel`, and what tiktoken does). The flags are kept for the file.
    ByteLevel {
        /// Kept for the file.
        add_prefix_space: bool,
        /// Kept for the file.
        trim_offsets: bool,
        /// Kept for the file.
        use_regex: bool,
    },
    /// Spellings joined by blanks: what tokenizers does for a file without a decoder.
    Joined,
}

impl Decoder {
    /// Bytes end to end, with the flags that tokenizers writes by default.
    pub fn byte_level() -> Self {
        Self::ByteLevel { add_prefix_space: true, trim_offsets: true, use_regex: true }
    }
}

/// Bytes copied at once; a token longer than this is copied by length.
const COPY: usize = 16;

/// What each id decodes to.
#[derive(Debug)]
pub struct TokenBytes {
    /// All tokens end to end, with [`COPY`] bytes behind the last.
    arena: Vec<u8>,
    /// Begin and length of each id's bytes; [`ABSENT`] as length for an id that does not exist.
    spans: Vec<(u32, u32)>,
    /// Which ids are special tokens.
    special: Vec<bool>,
    /// Whether tokens are joined by blanks.
    joined: bool,
}

const ABSENT: u32 = u32::MAX;

impl TokenBytes {
    /// Lays out the tokens of a vocabulary and the added tokens, which take precedence.
    pub fn new(vocab: &Vocab, added: &AddedTokens, decoder: &Decoder) -> Result<Self> {
        let joined = *decoder == Decoder::Joined && vocab.spelling() != Spelling::Latin1;
        let largest_added = added.tokens().last().map_or(0, |token| token.id as usize + 1);
        let mut tokens = Self {
            arena: Vec::new(),
            spans: vec![(0, ABSENT); vocab.size().max(largest_added)],
            special: vec![false; vocab.size().max(largest_added)],
            joined,
        };
        for (id, key) in vocab.iter().filter(|(id, _)| added.get(*id).is_none()) {
            if joined {
                tokens.place(id, vocab.spelled(id).unwrap_or_default().as_bytes())?;
            } else {
                tokens.place(id, key)?;
            }
        }
        for token in added.tokens() {
            // A decoder that undoes the printable alphabet also undoes it in added tokens that happen to be in it.
            let content = added.decoded_content(token);
            let undone = match vocab.spelling() {
                Spelling::ByteLevel if !joined => Spelling::ByteLevel.to_bytes(content),
                _ => None,
            };
            let bytes = undone.map_or(Cow::Borrowed(content.as_bytes()), Cow::Owned);
            tokens.place(token.id, &bytes)?;
            tokens.special[token.id as usize] = token.special;
        }
        tokens.arena.extend([0; COPY]);
        Ok(tokens)
    }

    fn place(&mut self, id: u32, bytes: &[u8]) -> Result<()> {
        let begin = u32::try_from(self.arena.len())
            .map_err(|_| Error::format("vocabulary", "the tokens are longer than 4 GiB together"))?;
        self.spans[id as usize] = (begin, bytes.len() as u32);
        self.arena.extend_from_slice(bytes);
        Ok(())
    }

    /// One more than the largest id.
    pub fn size(&self) -> usize {
        self.spans.len()
    }

    /// The bytes of one id.
    pub fn get(&self, id: u32) -> Option<&[u8]> {
        let &(begin, len) = self.spans.get(id as usize).filter(|(_, len)| *len != ABSENT)?;
        Some(&self.arena[begin as usize..(begin + len) as usize])
    }

    /// Whether an id is a special token.
    pub fn is_special(&self, id: u32) -> bool {
        self.special.get(id as usize).copied().unwrap_or(false)
    }

    /// Whether tokens are joined by blanks.
    pub fn joined(&self) -> bool {
        self.joined
    }

    /// Appends the bytes of `ids`. Fails on the first id that does not exist.
    pub fn decode(&self, ids: &[u32], skip_special_tokens: bool, out: &mut Vec<u8>) -> Result<()> {
        if self.joined {
            return self.decode_joined(ids, skip_special_tokens, out);
        }
        let mut len = 0;
        for &id in ids {
            let (_, token_len) = self.spans.get(id as usize).copied().unwrap_or((0, ABSENT));
            if token_len == ABSENT {
                return Err(self.unknown(id));
            }
            len += token_len as usize;
        }
        let begin = out.len();
        out.resize(begin + len + COPY, 0);
        let mut rest = &mut out[begin..];
        for &id in ids {
            if skip_special_tokens && self.is_special(id) {
                continue;
            }
            let (at, token_len) = self.spans[id as usize];
            let (at, token_len) = (at as usize, token_len as usize);
            if token_len <= COPY {
                rest[..COPY].copy_from_slice(&self.arena[at..at + COPY]);
            } else {
                rest[..token_len].copy_from_slice(&self.arena[at..at + token_len]);
            }
            rest = &mut rest[token_len..];
        }
        let unused = rest.len();
        out.truncate(out.len() - unused);
        Ok(())
    }

    fn decode_joined(&self, ids: &[u32], skip_special_tokens: bool, out: &mut Vec<u8>) -> Result<()> {
        let mut first = true;
        for &id in ids {
            let bytes = self.get(id).ok_or_else(|| self.unknown(id))?;
            if skip_special_tokens && self.is_special(id) {
                continue;
            }
            if !first {
                out.push(b' ');
            }
            first = false;
            out.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn unknown(&self, id: u32) -> Error {
        Error::UnknownId { id: id.into(), vocab_size: self.size() }
    }
}

/// Decodes ids one at a time and never gives out half a character.
#[derive(Clone, Debug)]
pub struct DecodeStream {
    /// Bytes of a character that is not complete yet.
    pending: Vec<u8>,
    skip_special_tokens: bool,
    begun: bool,
}

impl DecodeStream {
    /// A stream at the beginning of a text.
    pub fn new(skip_special_tokens: bool) -> Self {
        Self { pending: Vec::new(), skip_special_tokens, begun: false }
    }

    /// The text that is certain once `id` is known; may be empty.
    pub(crate) fn push(&mut self, tokens: &TokenBytes, id: u32) -> Result<String> {
        let bytes = tokens.get(id).ok_or_else(|| tokens.unknown(id))?;
        if self.skip_special_tokens && tokens.is_special(id) {
            return Ok(String::new());
        }
        if tokens.joined && self.begun {
            self.pending.push(b' ');
        }
        self.begun = true;
        self.pending.extend_from_slice(bytes);
        let complete = complete_prefix(&self.pending);
        let rest = self.pending.split_off(complete);
        let text = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending = rest;
        Ok(text)
    }

    /// What is left: an unfinished character becomes U+FFFD. The stream begins anew.
    pub fn finish(&mut self) -> String {
        self.begun = false;
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

/// Length of the part of `bytes` that further bytes cannot change: all but a begun character at the end.
fn complete_prefix(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(3);
    for begin in (tail..bytes.len()).rev() {
        if bytes[begin] & 0xC0 != 0x80 {
            let begun = match std::str::from_utf8(&bytes[begin..]) {
                Ok(_) => false,
                // `None` means that the input ended in mid-character, not that it is wrong.
                Err(error) => error.error_len().is_none(),
            };
            return if begun { begin } else { bytes.len() };
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::complete_prefix;

    #[test]
    fn a_begun_character_is_held_back() {
        for (bytes, complete) in
            [(&b"ab"[..], 2), (b"a\xE2\x82", 1), (b"\xE2\x82\xAC", 3), (b"a\x80\x80\x80\x80", 5), (b"\xF0\x9F\x98", 0)]
        {
            assert_eq!(complete_prefix(bytes), complete, "{bytes:?}");
        }
        assert_eq!(complete_prefix(b"a\xFF"), 2);
        assert_eq!(complete_prefix(b"a\xE0\x80"), 3, "E0 80 begins no character");
    }
}
