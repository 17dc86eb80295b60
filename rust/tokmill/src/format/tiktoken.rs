//! `.tiktoken`: a line for each entry, its bytes in base64 and its rank, which is its id.
//!
//! The file holds neither the pattern nor the special tokens; the caller gives them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hashbrown::HashSet;

use super::{LoadOptions, ranks};
use crate::added_tokens::AddedToken;
use crate::error::{Error, Result};
use crate::tokenizer::Parts;
use crate::vocab::{MAX_VOCAB, Spelling, Vocab};

/// Reads the parts of a tokenizer from a `.tiktoken` file.
pub(super) fn parts(bytes: &[u8], options: &LoadOptions) -> Result<Parts> {
    let vocab = read_ranks(bytes)?;
    ranks::check_bytes(&vocab)?;
    let special_tokens = special_tokens(&options.special_tokens, &vocab)?;
    check_gaps(&vocab, &special_tokens)?;
    ranks::parts(vocab, pattern(options)?, special_tokens)
}

/// Reads the lines of a file into a vocabulary.
pub(super) fn read_ranks(bytes: &[u8]) -> Result<Vocab> {
    let mut vocab = Vocab::new(Spelling::ByteLevel);
    let mut key = Vec::new();
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let read =
            read_line(line, &mut key).and_then(|rank| vocab.insert(rank, &key).map_err(|error| error.to_string()));
        read.map_err(|why| Error::format(format!("line {}", index + 1), why))?;
    }
    Ok(vocab)
}

/// Reads one line: the rank, and the bytes into `key`.
fn read_line(line: &[u8], key: &mut Vec<u8>) -> Result<u32, String> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (Some(token), Some(rank), None) = (words.next(), words.next(), words.next()) else {
        return Err("is not a base64 string and a rank".to_owned());
    };
    key.clear();
    // The empty entry is written as padding alone (whisper has one).
    if token != b"=" {
        STANDARD.decode_vec(token, key).map_err(|error| format!("the first word is not base64: {error}"))?;
    }
    let rank = std::str::from_utf8(rank).ok().filter(|rank| rank.bytes().all(|byte| byte.is_ascii_digit()));
    rank.and_then(|rank| rank.parse().ok()).ok_or_else(|| "the second word is not a rank".to_owned())
}

/// The special tokens of the options, in order of id.
fn special_tokens(tokens: &[(String, u32)], vocab: &Vocab) -> Result<Vec<AddedToken>> {
    let wrong = |content: &str, why: String| Err(Error::option("special_tokens", format!("{content:?} {why}")));
    let mut contents = HashSet::new();
    let mut ids = HashSet::new();
    for (content, id) in tokens {
        if content.is_empty() {
            return wrong(content, "is empty".to_owned());
        }
        if *id as usize >= MAX_VOCAB {
            return wrong(content, format!("has the id {id}; ids must be below {MAX_VOCAB}"));
        }
        if vocab.key(*id).is_some() || !ids.insert(*id) {
            return wrong(content, format!("has the id {id}, which another token has"));
        }
        if !contents.insert(content) {
            return wrong(content, "is given twice".to_owned());
        }
    }
    let mut tokens: Vec<_> = tokens.iter().map(|(content, id)| ranks::special_token(content, *id)).collect();
    tokens.sort_by_key(|token| token.id);
    Ok(tokens)
}

/// Refuses a file that leaves ranks out, unless special tokens fill them.
fn check_gaps(vocab: &Vocab, special_tokens: &[AddedToken]) -> Result<()> {
    let is_free = |id: &u32| special_tokens.binary_search_by_key(id, |token| token.id).is_err();
    match (0..vocab.size() as u32).filter(|&id| vocab.key(id).is_none()).find(is_free) {
        Some(id) => Err(Error::format("file", format!("has no entry of rank {id}, and no special token has that id"))),
        None => Ok(()),
    }
}

/// The pattern of the options: one that is known by name, else a regular expression.
fn pattern(options: &LoadOptions) -> Result<String> {
    match &options.pattern {
        Some(pattern) => Ok(pattern.clone()),
        None => Err(Error::option("pattern", "a .tiktoken file has no pattern; give a regular expression")),
    }
}
