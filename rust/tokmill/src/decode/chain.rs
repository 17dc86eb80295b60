//! Decoders as tokenizers defines them: each rewrites a list of strings.

use super::Decoder;
use crate::pretokenize::PrependScheme;
use crate::vocab::byte_level_byte;

/// The text of a list of tokens.
pub(super) fn text(steps: &[&Decoder], tokens: Vec<String>) -> String {
    if let [Decoder::Joined] = steps {
        return tokens.join(" ");
    }
    steps.iter().fold(tokens, |tokens, step| rewrite(step, tokens)).concat()
}

fn rewrite(step: &Decoder, tokens: Vec<String>) -> Vec<String> {
    match step {
        // What sentencepiece does is no part of a chain.
        Decoder::Joined | Decoder::SentencePiece(_) => tokens,
        Decoder::Replace(_) | Decoder::Strip { .. } | Decoder::Metaspace { .. } | Decoder::WordPiece { .. } => {
            tokens.into_iter().enumerate().map(|(index, token)| one(step, token, index == 0)).collect()
        }
        Decoder::ByteFallback => byte_fallback(tokens),
        Decoder::Fuse => vec![tokens.concat()],
        Decoder::ByteLevel { .. } => {
            let bytes: Vec<u8> = tokens.iter().flat_map(|token| byte_level(token)).collect();
            vec![String::from_utf8_lossy(&bytes).into_owned()]
        }
        Decoder::Bpe { suffix } => {
            let last = tokens.len().saturating_sub(1);
            let blank = |index: usize| if index == last { "" } else { " " };
            tokens.iter().enumerate().map(|(index, token)| token.replace(suffix, blank(index))).collect()
        }
        Decoder::Ctc { pad_token, word_delimiter_token, cleanup } => {
            let mut tokens = tokens;
            tokens.dedup();
            let clean = |token: String| {
                let token = token.replace(pad_token, "");
                if *cleanup { self::cleanup(token).replace(word_delimiter_token, " ") } else { token }
            };
            tokens.into_iter().map(clean).filter(|token| !token.is_empty()).collect()
        }
        Decoder::Sequence(steps) => steps.iter().fold(tokens, |tokens, step| rewrite(step, tokens)),
    }
}

/// What a step makes of one token, where it depends on nothing but whether that is the first.
pub(super) fn one(step: &Decoder, token: String, first: bool) -> String {
    match step {
        Decoder::Replace(replacement) => replacement.apply(&token),
        Decoder::Strip { content, start, stop } => strip(&token, *content, *start, *stop).to_owned(),
        Decoder::Metaspace { replacement, prepend_scheme, .. } => {
            let blank = if first && *prepend_scheme != PrependScheme::Never { "" } else { " " };
            token.replace(*replacement, blank)
        }
        Decoder::WordPiece { prefix, cleanup } => {
            let spaced = match token.strip_prefix(prefix.as_str()) {
                _ if first => token,
                Some(inner) => inner.to_owned(),
                None => format!(" {token}"),
            };
            if *cleanup { self::cleanup(spaced) } else { spaced }
        }
        _ => token,
    }
}

/// `text` without `content` at its ends, taken away so many times at the most.
pub(super) fn strip(text: &str, content: char, start: usize, stop: usize) -> &str {
    let begin = text.chars().take(start).take_while(|&c| c == content).count() * content.len_utf8();
    let end = text.chars().rev().take(stop).take_while(|&c| c == content).count() * content.len_utf8();
    text.get(begin..text.len() - end).unwrap_or_default()
}

/// The byte that a token like `<0x0A>` stands for.
pub(super) fn byte_of(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None }
}

/// The bytes of a token in the printable alphabet, or its own where it has other characters.
pub(super) fn byte_level(token: &str) -> Vec<u8> {
    let undone: Option<Vec<u8>> = token.chars().map(byte_level_byte).collect();
    undone.unwrap_or_else(|| token.as_bytes().to_vec())
}

/// Appends the text of a run of byte tokens: one U+FFFD a byte where it is not UTF-8.
pub(super) fn push_run(run: &[u8], text: &mut String) {
    match std::str::from_utf8(run) {
        Ok(run) => text.push_str(run),
        Err(_) => text.extend(std::iter::repeat_n(char::REPLACEMENT_CHARACTER, run.len())),
    }
}

fn byte_fallback(tokens: Vec<String>) -> Vec<String> {
    let mut rewritten = Vec::with_capacity(tokens.len());
    let mut run = Vec::new();
    let end_run = |run: &mut Vec<u8>, rewritten: &mut Vec<String>| {
        if run.is_empty() {
            return;
        }
        match String::from_utf8(std::mem::take(run)) {
            Ok(text) => rewritten.push(text),
            Err(error) => {
                let unknown = std::iter::repeat_n(char::REPLACEMENT_CHARACTER, error.as_bytes().len());
                rewritten.extend(unknown.map(String::from));
            }
        }
    };
    for token in tokens {
        if let Some(byte) = byte_of(&token) {
            run.push(byte);
        } else {
            end_run(&mut run, &mut rewritten);
            rewritten.push(token);
        }
    }
    end_run(&mut run, &mut rewritten);
    rewritten
}

/// Blanks that tokenizing English put before punctuation and endings.
fn cleanup(token: String) -> String {
    const REWRITINGS: [(&str, &str); 11] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" do not", " don't"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    if !token.contains(' ') {
        return token;
    }
    REWRITINGS.iter().fold(token, |token, (from, to)| token.replace(from, to))
}
