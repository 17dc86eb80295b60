//! What each id decodes to, laid out once: decoding copies a fixed sixteen bytes an id and moves on by the token's
//! length, so short tokens, nearly all of them, cost no loop.

use super::sentencepiece::{SentencePieceDecoder, Token};
use super::{Decoder, chain};
use crate::added_tokens::AddedTokens;
use crate::error::{Error, Result};
use crate::memory;
use crate::vocab::{Spelling, Vocab};

/// Bytes copied at once; a token longer than this is copied by length.
const COPY: usize = 16;

/// What each id decodes to.
#[derive(Debug)]
pub struct TokenBytes {
    /// All tokens end to end, with [`COPY`] bytes behind the last.
    arena: Vec<u8>,
    /// Begin and length of each id's bytes, wherever it stands.
    spans: Vec<Span>,
    /// The same for an id that stands first; empty where that makes no difference.
    first_spans: Vec<Span>,
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

/// A place in the arena, and the token's length, with [`BYTE`] for a byte in disguise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    begin: u32,
    len: u32,
}

/// The length of an id that does not exist.
const ABSENT: u32 = u32::MAX;
/// Marks the lengths of bytes in disguise.
const BYTE: u32 = 1 << 31;

impl Span {
    const ABSENT: Self = Self { begin: 0, len: ABSENT };

    #[inline]
    fn len(self) -> usize {
        (self.len & !BYTE) as usize
    }
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
            arena: Vec::new(),
            spans: vec![Span::ABSENT; size],
            first_spans: Vec::new(),
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
        tokens.arena.extend([0; COPY]);
        Ok(tokens)
    }

    /// Lays out the keys of a vocabulary of bytes.
    fn lay_out_keys(&mut self, vocab: &Vocab, added: &AddedTokens) -> Result<()> {
        for (id, key) in vocab.iter().filter(|(id, _)| added.get(*id).is_none()) {
            self.spans[id as usize] = self.append(key, false)?;
        }
        for token in added.tokens() {
            // A decoder that undoes the printable alphabet also undoes it in added tokens that happen to be in it.
            let content = added.decoded_content(token);
            let span = match vocab.spelling() {
                Spelling::ByteLevel => self.append(&chain::byte_level(content), false),
                _ => self.append(content.as_bytes(), false),
            };
            self.spans[token.id as usize] = span?;
        }
        Ok(())
    }

    /// Lays out what a decoder makes of the spelling of each id.
    fn lay_out(&mut self, vocab: &Vocab, added: &AddedTokens, decoder: &Decoder) -> Result<()> {
        let spelled = |id: u32| match added.get(id) {
            Some(token) => Some(added.decoded_content(token).to_owned()),
            None => vocab.spelled(id),
        };
        let ids = 0..self.spans.len() as u32;
        if *decoder == Decoder::Joined {
            self.assembly = Assembly::Joined;
            for (id, token) in ids.filter_map(|id| Some((id, spelled(id)?))) {
                self.spans[id as usize] = self.append(token.as_bytes(), false)?;
            }
            return Ok(());
        }
        if let Decoder::SentencePiece(decoder) = decoder {
            let tokens: Vec<Token> =
                ids.map(|id| spelled(id).map_or(Token::Nothing, |spelled| decoder.token(id, &spelled))).collect();
            for (id, token) in tokens.iter().enumerate() {
                self.spans[id] = match token {
                    Token::Nothing => self.append(&[], false)?,
                    Token::Byte(byte) => self.append(&[*byte], true)?,
                    Token::Surface(text) | Token::Text(text, _) => self.append(text.as_bytes(), false)?,
                };
            }
            self.assembly = Assembly::SentencePiece { decoder: (**decoder).clone(), tokens };
            return Ok(());
        }
        let Some(plan) = Plan::new(decoder) else {
            let steps = decoder.flat();
            for (id, token) in ids.clone().filter_map(|id| Some((id, spelled(id)?))) {
                self.spans[id as usize] = self.append(chain::text(&steps, vec![token]).as_bytes(), false)?;
            }
            let spelled = ids.map(|id| spelled(id).map(String::into_boxed_str)).collect();
            self.assembly = Assembly::Chain { decoder: decoder.clone(), spelled };
            return Ok(());
        };
        let mut first_spans = self.spans.clone();
        for (id, token) in ids.filter_map(|id| Some((id, spelled(id)?))) {
            let (bytes, is_byte) = plan.bytes(&token, false);
            let span = self.append(&bytes, is_byte)?;
            self.spans[id as usize] = span;
            let (first_bytes, first_is_byte) = plan.bytes(&token, true);
            let same = first_bytes == bytes && first_is_byte == is_byte;
            first_spans[id as usize] = if same { span } else { self.append(&first_bytes, first_is_byte)? };
        }
        if first_spans != self.spans {
            self.first_spans = first_spans;
        }
        if plan.bytes != Bytes::Level {
            self.assembly = Assembly::Texts { strips: plan.strips };
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8], is_byte: bool) -> Result<Span> {
        let begin = u32::try_from(self.arena.len())
            .map_err(|_| Error::format("vocabulary", "the tokens are longer than 4 GiB together"))?;
        self.arena.extend_from_slice(bytes);
        Ok(Span { begin, len: bytes.len() as u32 | if is_byte { BYTE } else { 0 } })
    }

    /// One more than the largest id.
    pub fn size(&self) -> usize {
        self.spans.len()
    }

    fn span(&self, id: u32) -> Result<Span> {
        let span = self.spans.get(id as usize).filter(|span| span.len != ABSENT);
        span.copied().ok_or_else(|| self.unknown(id))
    }

    fn slice(&self, span: Span) -> &[u8] {
        &self.arena[span.begin as usize..span.begin as usize + span.len()]
    }

    /// The bytes of one id: what it adds to a text that it does not begin.
    pub fn get(&self, id: u32) -> Option<&[u8]> {
        Some(self.slice(self.span(id).ok()?))
    }

    /// Whether an id is a special token.
    pub fn is_special(&self, id: u32) -> bool {
        self.special.get(id as usize).copied().unwrap_or(false)
    }

    /// Whether a text is the bytes of its ids end to end, whatever they are.
    pub fn is_bytes(&self) -> bool {
        matches!(self.assembly, Assembly::Bytes) && self.first_spans.is_empty()
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
                ids.iter().try_for_each(|&id| self.span(id).map(|_| ()))?;
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

    /// The first of `ids` that is not skipped, as it is when it stands first, and its place.
    fn first(&self, ids: &[u32], skip_special_tokens: bool) -> Option<(usize, Span)> {
        let at = ids.iter().position(|&id| !(skip_special_tokens && self.is_special(id)))?;
        let spans = if self.first_spans.is_empty() { &self.spans } else { &self.first_spans };
        Some((at, spans[ids[at] as usize]))
    }

    /// The bytes of `ids` end to end, and whether there are bytes in disguise among them.
    fn end_to_end(&self, ids: &[u32], skip_special_tokens: bool) -> Result<(Vec<u8>, bool)> {
        let mut len = 0;
        for &id in ids {
            len += self.span(id)?.len();
        }
        let first = if self.first_spans.is_empty() { None } else { self.first(ids, skip_special_tokens) };
        let begin = first.map_or(0, |(_, span)| span.len());
        // Zeroed by the system, which provides pages as they are written to.
        let mut out = vec![0; begin + len + COPY];
        memory::prefer_huge_pages(&mut out);
        let (mut rest_ids, mut flags) = (ids, 0);
        if let Some((at, span)) = first {
            out[..begin].copy_from_slice(self.slice(span));
            (rest_ids, flags) = (&ids[at + 1..], span.len);
        }
        let mut rest = &mut out[begin..];
        for &id in rest_ids {
            if skip_special_tokens && self.is_special(id) {
                continue;
            }
            let span = self.spans[id as usize];
            flags |= span.len;
            let (at, token_len) = (span.begin as usize, span.len());
            if token_len <= COPY {
                rest[..COPY].copy_from_slice(&self.arena[at..at + COPY]);
            } else {
                rest[..token_len].copy_from_slice(&self.arena[at..at + token_len]);
            }
            rest = &mut rest[token_len..];
        }
        let unused = rest.len();
        out.truncate(out.len() - unused);
        Ok((out, flags & BYTE != 0))
    }

    /// The text of ids that exist, with each run of bytes in disguise seen to.
    fn run_by_run(&self, ids: &[u32], skip_special_tokens: bool) -> String {
        let Some((begin, first)) = self.first(ids, skip_special_tokens) else { return String::new() };
        let (mut text, mut run) = (String::new(), Vec::new());
        let mut add = |span: Span| {
            if span.len & BYTE != 0 {
                run.extend_from_slice(self.slice(span));
                return;
            }
            chain::push_run(&run, &mut text);
            run.clear();
            text.push_str(&String::from_utf8_lossy(self.slice(span)));
        };
        add(first);
        let kept = ids[begin + 1..].iter().filter(|&&id| !(skip_special_tokens && self.is_special(id)));
        kept.for_each(|&id| add(self.spans[id as usize]));
        chain::push_run(&run, &mut text);
        text
    }

    fn joined(&self, ids: &[u32], skip_special_tokens: bool) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut first = true;
        for &id in ids {
            let bytes = self.slice(self.span(id)?);
            if skip_special_tokens && self.is_special(id) {
                continue;
            }
            if !first {
                out.push(b' ');
            }
            first = false;
            out.extend_from_slice(bytes);
        }
        Ok(out)
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
