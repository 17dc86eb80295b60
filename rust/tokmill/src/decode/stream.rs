//! Decoding ids one at a time.

use super::TokenBytes;
use crate::error::Result;

/// Decodes ids one at a time and never gives out half a character.
///
/// Where a text is the bytes of its ids, a character that is not complete is held back. Elsewhere, as in tokenizers,
/// the last ids are decoded with and without the new one, and the difference is given out unless it ends in U+FFFD.
#[derive(Clone, Debug)]
pub struct DecodeStream {
    skip_special_tokens: bool,
    /// Bytes of a character that is not complete yet.
    pending: Vec<u8>,
    /// The ids behind the text given out last, and those since.
    ids: Vec<u32>,
    /// How many of the ids are behind text that was given out.
    known: usize,
    /// The text of these ids.
    prefix: String,
}

impl DecodeStream {
    /// A stream at the beginning of a text.
    pub fn new(skip_special_tokens: bool) -> Self {
        Self { skip_special_tokens, pending: Vec::new(), ids: Vec::new(), known: 0, prefix: String::new() }
    }

    /// The text that is certain once `id` is known; may be empty.
    pub(crate) fn push(&mut self, tokens: &TokenBytes, id: u32) -> Result<String> {
        let bytes = tokens.get(id).ok_or_else(|| tokens.unknown(id))?;
        if self.skip_special_tokens && tokens.is_special(id) {
            return Ok(String::new());
        }
        if !tokens.is_bytes() {
            return self.push_text(tokens, id);
        }
        self.pending.extend_from_slice(bytes);
        let complete = complete_prefix(&self.pending);
        let rest = self.pending.split_off(complete);
        let text = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending = rest;
        Ok(text)
    }

    fn push_text(&mut self, tokens: &TokenBytes, id: u32) -> Result<String> {
        if self.prefix.is_empty() && !self.ids.is_empty() {
            let text = tokens.text(&self.ids, false)?;
            if !text.ends_with(char::REPLACEMENT_CHARACTER) {
                (self.prefix, self.known) = (text, self.ids.len());
            }
        }
        self.ids.push(id);
        let text = tokens.text(&self.ids, false)?;
        // What is held back goes to `pending`, so that the end of the stream needs no vocabulary.
        let new = text.strip_prefix(&self.prefix).unwrap_or(&text);
        if new.is_empty() || new.ends_with(char::REPLACEMENT_CHARACTER) {
            self.pending = new.as_bytes().to_vec();
            return Ok(String::new());
        }
        let new = new.to_owned();
        self.pending.clear();
        self.ids.drain(..self.known);
        self.known = self.ids.len();
        self.prefix = tokens.text(&self.ids, false)?;
        Ok(new)
    }

    /// What is left: an unfinished character becomes U+FFFD. The stream begins anew.
    pub fn finish(&mut self) -> String {
        let fresh = Self::new(self.skip_special_tokens);
        let ended = std::mem::replace(self, fresh);
        String::from_utf8_lossy(&ended.pending).into_owned()
    }
}

/// Length of the part of `bytes` that further bytes cannot change: all but a begun character at the end.
pub fn complete_prefix(bytes: &[u8]) -> usize {
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
