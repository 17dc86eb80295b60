//! What each id decodes to, laid out once in [`Slots`], so that decoding has only to copy.

use super::sentencepiece::{SentencePieceDecoder, Token};
use super::slots::Slots;
use super::{Decoder, chain};
use crate::added_tokens::AddedTokens;
use crate::error::{Error, Result};
use crate::vocab::{Spelling, Vocab};

/// What each id decodes to.
#[derive(Debug)]
pub struct TokenBytes {
    /// The bytes of each id, wherever it stands.
    slots: Slots,
    /// The same for an id that stands first; empty where that makes no difference.
    first_slots: Slots,
    /// Which ids are special tokens.
    special: Vec<bool>,
    assembly: Assembly,
}

/// How tokens become a text.
#[derive(Debug)]
enum Assembly {
    /// Bytes end to end.
    Bytes,
    /// With blanks between them.
    Joined,
    /// Texts end to end, of which some are bytes in disguise; then stripped.
    Texts { strips: Vec<(char, usize, usize)> },
    /// As sentencepiece does.
    SentencePiece { decoder: SentencePieceDecoder, tokens: Vec<Token> },
    /// By running the decoder on what the ids are spelled as.
    Chain { decoder: Decoder, spelled: Vec<Option<Box<str>>> },
}

/// A chain whose steps can be applied to each token beforehand.
struct Plan<'d> {
    /// Steps that rewrite one token.
    steps: Vec<&'d Decoder>,
    /// What comes after them.
    bytes: Bytes,
    /// What is stripped from the whole.
    strips: Vec<(char, usize, usize)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bytes {
    None,
    Fallback,
    Level,
}

impl<'d> Plan<'d> {
    fn new(decoder: &'d Decoder) -> Option<Self> {
        let mut plan = Self { steps: Vec::new(), bytes: Bytes::None, strips: Vec::new() };
        let mut fused = false;
        for step in decoder.flat() {
            match step {
                Decoder::Fuse => fused = true,
                Decoder::Strip { content, start, stop } if fused && plan.bytes != Bytes::Level => {
                    plan.strips.push((*content, *start, *stop));
                }
                _ if fused || plan.bytes != Bytes::None => return None,
                Decoder::ByteFallback => plan.bytes = Bytes::Fallback,
                Decoder::ByteLevel { .. } => plan.bytes = Bytes::Level,
                Decoder::Replace(_) | Decoder::Strip { .. } | Decoder::Metaspace { .. } | Decoder::WordPiece { .. } => {
                    plan.steps.push(step);
                }
                Decoder::Joined
                | Decoder::Bpe { .. }
                | Decoder::Ctc { .. }
                | Decoder::SentencePiece(_)
                | Decoder::Sequence(_) => return None,
            }
        }
        Some(plan)
    }

    /// What a token becomes, and whether it is a byte in disguise.
    fn bytes(&self, token: &str, first: bool) -> (Vec<u8>, bool) {
        let token = self.steps.iter().fold(token.to_owned(), |token, step| chain::one(step, token, first));
        match (self.bytes, chain::byte_of(&token)) {
            (Bytes::Level, _) => (chain::byte_level(&token), false),
            (Bytes::Fallback, Some(byte)) => (vec![byte], true),
            _ => (token.into_bytes(), false),
        }
    }
}

impl TokenBytes {
    /// Lays out the tokens of a vocabulary and the added tokens, which take precedence.
    pub fn new(vocab: &Vocab, added: &AddedTokens, decoder: &Decoder) -> Result<Self> {
        let largest_added = added.tokens().last().map_or(0, |token| token.id as usize + 1);
        let size = vocab.size().max(largest_added);
        let mut tokens = Self {
            slots: Slots::new(size),
            first_slots: Slots::default(),
            special: vec![false; size],
            assembly: Assembly::Bytes,
        };
        for token in added.tokens() {
            tokens.special[token.id as usize] = added.is_special_content(added.decoded_content(token));
        }
        let raw = matches!(
            (decoder, vocab.spelling()),
            (Decoder::ByteLevel { .. }, Spelling::ByteLevel)
                | (Decoder::ByteLevel { .. } | Decoder::Joined, Spelling::Latin1)
        );
        if raw {
            tokens.lay_out_keys(vocab, added)?;
        } else {
            tokens.lay_out(vocab, added, decoder)?;
        }
        Ok(tokens)
    }

    /// Lays out the keys of a vocabulary of bytes.
    fn lay_out_keys(&mut self, vocab: &Vocab, added: &AddedTokens) -> Result<()> {
        for (id, key) in vocab.iter().filter(|(id, _)| added.get(*id).is_none()) {
            self.slots.set(id, key, false)?;
        }
        for token in added.tokens() {
            // A decoder that undoes the printable alphabet also undoes it in added tokens that happen to be in it.
            let content = added.decoded_content(token);
            match vocab.spelling() {
                Spelling::ByteLevel => self.slots.set(token.id, &chain::byte_level(content), false)?,
                _ => self.slots.set(token.id, content.as_bytes(), false)?,
            }
        }
        Ok(())
    }

    /// Lays out what a decoder makes of the spelling of each id.
    fn lay_out(&mut self, vocab: &Vocab, added: &AddedTokens, decoder: &Decoder) -> Result<()> {
        let spelled = |id: u32| match added.get(id) {
            Some(token) => Some(added.decoded_content(token).to_owned()),
            None => vocab.spelled(id),
        };
        let ids = 0..self.size() as u32;
        if *decoder == Decoder::Joined {
            self.assembly = Assembly::Joined;
            for (id, token) in ids.filter_map(|id| Some((id, spelled(id)?))) {
                self.slots.set(id, token.as_bytes(), false)?;
            }
            return Ok(());
        }
        if let Decoder::SentencePiece(decoder) = decoder {
            let tokens: Vec<Token> =
                ids.map(|id| spelled(id).map_or(Token::Nothing, |spelled| decoder.token(id, &spelled))).collect();
            for (id, token) in (0..).zip(&tokens) {
                match token {
                    Token::Nothing => self.slots.set(id, &[], false)?,
                    Token::Byte(byte) => self.slots.set(id, &[*byte], true)?,
                    Token::Surface(text) | Token::Text(text, _) => self.slots.set(id, text.as_bytes(), false)?,
                }
            }
            self.assembly = Assembly::SentencePiece { decoder: (**decoder).clone(), tokens };
            return Ok(());
        }
        let Some(plan) = Plan::new(decoder) else {
            let steps = decoder.flat();
            for (id, token) in ids.clone().filter_map(|id| Some((id, spelled(id)?))) {
                self.slots.set(id, chain::text(&steps, vec![token]).as_bytes(), false)?;
            }
            let spelled = ids.map(|id| spelled(id).map(String::into_boxed_str)).collect();
            self.assembly = Assembly::Chain { decoder: decoder.clone(), spelled };
            return Ok(());
        };
        let mut first_slots = self.slots.clone();
        let mut differ = false;
        for (id, token) in ids.filter_map(|id| Some((id, spelled(id)?))) {
            let (bytes, is_byte) = plan.bytes(&token, false);
            self.slots.set(id, &bytes, is_byte)?;
            let (first_bytes, first_is_byte) = plan.bytes(&token, true);
            first_slots.set(id, &first_bytes, first_is_byte)?;
            differ |= first_bytes != bytes || first_is_byte != is_byte;
        }
        if differ {
            self.first_slots = first_slots;
        }
        if plan.bytes != Bytes::Level {
            self.assembly = Assembly::Texts { strips: plan.strips };
        }
        Ok(())
    }

    /// One more than the largest id.
    pub fn size(&self) -> usize {
        self.slots.size()
    }

    /// The bytes of one id: what it adds to a text that it does not begin.
    pub fn get(&self, id: u32) -> Option<&[u8]> {
        Some(self.slots.get(id)?.0)
    }

    /// Whether an id is a special token.
    pub fn is_special(&self, id: u32) -> bool {
        self.special.get(id as usize).copied().unwrap_or(false)
    }

    /// Whether a text is the bytes of its ids end to end, whatever they are.
    pub fn is_bytes(&self) -> bool {
        matches!(self.assembly, Assembly::Bytes) && self.first_slots.is_empty()
    }

    /// The bytes of `ids`. Fails on the first id that does not exist.
    pub fn bytes(&self, ids: &[u32], skip_special_tokens: bool) -> Result<Vec<u8>> {
        match &self.assembly {
            Assembly::Bytes => Ok(self.end_to_end(ids, skip_special_tokens)?.0),
            Assembly::Joined => self.joined(ids, skip_special_tokens),
            Assembly::Texts { strips } => {
                let (bytes, _) = self.end_to_end(ids, skip_special_tokens)?;
                Ok(strip_bytes(bytes, strips))
            }
            Assembly::SentencePiece { .. } | Assembly::Chain { .. } => {
                Ok(self.text(ids, skip_special_tokens)?.into_bytes())
            }
        }
    }

    /// The text of `ids`, with U+FFFD for what is not UTF-8. Fails on the first id that does not exist.
    pub fn text(&self, ids: &[u32], skip_special_tokens: bool) -> Result<String> {
        match &self.assembly {
            Assembly::Bytes => Ok(lossy(self.end_to_end(ids, skip_special_tokens)?.0)),
            Assembly::Joined => Ok(lossy(self.joined(ids, skip_special_tokens)?)),
            Assembly::Texts { strips } => {
                let (bytes, any_byte) = self.end_to_end(ids, skip_special_tokens)?;
                let text = if any_byte { self.run_by_run(ids, skip_special_tokens) } else { lossy(bytes) };
                if strips.is_empty() {
                    return Ok(text);
                }
                let strip = |text, &(content, start, stop): &_| chain::strip(text, content, start, stop);
                Ok(strips.iter().fold(text.as_str(), strip).to_owned())
            }
            Assembly::SentencePiece { decoder, tokens } => {
                self.check(ids)?;
                let kept = ids.iter().filter(|&&id| !(skip_special_tokens && self.is_special(id)));
                Ok(decoder.text(kept.map(|&id| &tokens[id as usize])))
            }
            Assembly::Chain { decoder, spelled } => {
                let mut tokens = Vec::with_capacity(ids.len());
                for &id in ids {
                    let token = spelled.get(id as usize).and_then(Option::as_ref).ok_or_else(|| self.unknown(id))?;
                    if !(skip_special_tokens && self.is_special(id)) {
                        tokens.push(token.to_string());
                    }
                }
                Ok(chain::text(&decoder.flat(), tokens))
            }
        }
    }

    /// The ids that are not skipped.
    fn kept<'i>(&'i self, ids: &'i [u32], skip_special_tokens: bool) -> impl Iterator<Item = u32> + 'i {
        ids.iter().copied().filter(move |&id| !(skip_special_tokens && self.is_special(id)))
    }

    /// What an id stands for, which exists, at the beginning of a text or further on.
    fn slot(&self, id: u32, first: bool) -> (&[u8], bool) {
        let slots = if first && !self.first_slots.is_empty() { &self.first_slots } else { &self.slots };
        slots.get(id).unwrap_or_default()
    }

    /// The bytes of `ids` end to end, and whether there are bytes in disguise among them.
    fn end_to_end(&self, ids: &[u32], skip_special_tokens: bool) -> Result<(Vec<u8>, bool)> {
        let keep = |id| !(skip_special_tokens && self.is_special(id));
        let (mut text, mut first_is_byte, mut from) = (Vec::new(), false, 0);
        if !self.first_slots.is_empty()
            && let Some(first) = ids.iter().position(|&id| keep(id))
        {
            let (bytes, is_byte) = self.first_slots.get(ids[first]).ok_or_else(|| self.unknown(ids[first]))?;
            text.extend_from_slice(bytes);
            (first_is_byte, from) = (is_byte, first + 1);
        }
        let any_byte = if skip_special_tokens {
            self.slots.append(&ids[from..], keep, &mut text)
        } else {
            self.slots.append(&ids[from..], |_| true, &mut text)
        };
        let any_byte = any_byte.ok_or_else(|| self.unknown(self.slots.first_absent(ids).unwrap_or(u32::MAX)))?;
        Ok((text, any_byte || first_is_byte))
    }

    /// The text of ids that exist, with each run of bytes in disguise seen to.
    fn run_by_run(&self, ids: &[u32], skip_special_tokens: bool) -> String {
        let (mut text, mut run) = (String::new(), Vec::new());
        for (index, id) in self.kept(ids, skip_special_tokens).enumerate() {
            let (bytes, is_byte) = self.slot(id, index == 0);
            if is_byte {
                run.extend_from_slice(bytes);
                continue;
            }
            chain::push_run(&run, &mut text);
            run.clear();
            text.push_str(&String::from_utf8_lossy(bytes));
        }
        chain::push_run(&run, &mut text);
        text
    }

    fn joined(&self, ids: &[u32], skip_special_tokens: bool) -> Result<Vec<u8>> {
        self.check(ids)?;
        let mut out = Vec::new();
        for (index, id) in self.kept(ids, skip_special_tokens).enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(self.slot(id, false).0);
        }
        Ok(out)
    }

    /// Fails on the first id that does not exist.
    fn check(&self, ids: &[u32]) -> Result<()> {
        self.slots.first_absent(ids).map_or(Ok(()), |id| Err(self.unknown(id)))
    }

    /// The error that an id does not exist.
    pub(super) fn unknown(&self, id: u32) -> Error {
        Error::UnknownId { id: id.into(), vocab_size: self.size() }
    }
}

/// Bytes as text, with U+FFFD for what is not UTF-8.
fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Bytes stripped as their text is.
fn strip_bytes(bytes: Vec<u8>, strips: &[(char, usize, usize)]) -> Vec<u8> {
    if strips.is_empty() {
        return bytes;
    }
    let mut kept = bytes.as_slice();
    for &(content, start, stop) in strips {
        let mut buffer = [0; 4];
        let content = content.encode_utf8(&mut buffer).as_bytes();
        for _ in 0..start {
            kept = kept.strip_prefix(content).unwrap_or(kept);
        }
        for _ in 0..stop {
            kept = kept.strip_suffix(content).unwrap_or(kept);
        }
    }
    kept.to_vec()
}
