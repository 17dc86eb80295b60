//! `tekken.json` of `mistral_common`: ranked entries, a pattern, and special tokens before all other ids.
//!
//! The id of an entry is its rank plus the number of special tokens; entries beyond the default size of the vocabulary
//! are left out. Special tokens are listed in newer files; for older ones `mistral_common` knows the first twenty, and
//! fills up with `<SPECIAL_20>` and so on.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hashbrown::HashSet;
use serde::Deserialize;

use super::{json, ranks};
use crate::added_tokens::AddedToken;
use crate::error::{Error, Result};
use crate::tokenizer::Parts;
use crate::vocab::{MAX_VOCAB, Spelling, Vocab};

#[derive(Deserialize)]
struct Tekken<'t> {
    config: Config,
    #[serde(borrow)]
    vocab: Vec<Entry<'t>>,
    special_tokens: Option<Vec<Special>>,
}

#[derive(Deserialize)]
struct Config {
    pattern: String,
    default_vocab_size: usize,
    default_num_special_tokens: usize,
    version: String,
}

#[derive(Deserialize)]
struct Entry<'t> {
    rank: usize,
    #[serde(borrow)]
    token_bytes: Cow<'t, str>,
}

#[derive(Deserialize)]
struct Special {
    rank: usize,
    token_str: String,
}

/// Versions of files that may come without their special tokens.
const VERSIONS_WITH_DEFAULTS: [&str; 4] = ["v1", "v2", "v3", "v7"];

/// The special tokens of such files, in order of id.
const DEFAULT_SPECIAL_TOKENS: [&str; 20] = [
    "<unk>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[TOOL_CALLS]",
    "[IMG]",
    "<pad>",
    "[IMG_BREAK]",
    "[IMG_END]",
    "[PREFIX]",
    "[MIDDLE]",
    "[SUFFIX]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[TOOL_CONTENT]",
];

/// Reads the parts of a tokenizer from a tekken.json.
pub(super) fn parts(text: &str) -> Result<Parts> {
    let Tekken { config, vocab, special_tokens } =
        serde_json::from_str(text).map_err(|error| json::syntax_error(&error))?;
    let special_count = config.default_num_special_tokens;
    let entry_count = config.default_vocab_size.checked_sub(special_count);
    let Some(entries) = entry_count.and_then(|count| vocab.get(..count)) else {
        let why =
            format!("is {}, for {special_count} special tokens and {} entries", config.default_vocab_size, vocab.len());
        return Err(Error::format("config.default_vocab_size", why));
    };
    if config.default_vocab_size > MAX_VOCAB {
        return Err(Error::format("config.default_vocab_size", format!("must be at most {MAX_VOCAB}")));
    }
    let added_tokens = added_tokens(special_tokens, special_count, &config.version)?;
    let vocab = read_entries(entries, special_count)?;
    ranks::check_bytes(&vocab)?;
    ranks::parts(vocab, &config.pattern, added_tokens)
}

fn read_entries(entries: &[Entry<'_>], special_count: usize) -> Result<Vocab> {
    let mut vocab = Vocab::new(Spelling::ByteLevel);
    let mut key = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let wrong = |field: &str, why: String| Error::format(format!("vocab[{index}]{field}"), why);
        if entry.rank != index {
            return Err(wrong(".rank", format!("is {}; entries must be in order of rank, without gaps", entry.rank)));
        }
        key.clear();
        STANDARD
            .decode_vec(entry.token_bytes.as_bytes(), &mut key)
            .map_err(|error| wrong(".token_bytes", format!("is not base64: {error}")))?;
        vocab.insert((index + special_count) as u32, &key).map_err(|error| wrong("", error.to_string()))?;
    }
    Ok(vocab)
}

/// All special tokens, listed or default, with fillers up to `count`.
fn added_tokens(listed: Option<Vec<Special>>, count: usize, version: &str) -> Result<Vec<AddedToken>> {
    let listed = match listed {
        Some(listed) => listed,
        None if VERSIONS_WITH_DEFAULTS.contains(&version) => {
            let special = |(rank, token): (usize, &&str)| Special { rank, token_str: (*token).to_owned() };
            DEFAULT_SPECIAL_TOKENS.iter().enumerate().map(special).collect()
        }
        None => return Err(Error::format("special_tokens", format!("is missing, in a file of version {version:?}"))),
    };
    if listed.len() > count {
        let why = format!("is {count}, but there are {} special tokens", listed.len());
        return Err(Error::format("config.default_num_special_tokens", why));
    }
    let fillers = (listed.len()..count).map(|rank| Special { rank, token_str: format!("<SPECIAL_{rank}>") });
    let all: Vec<_> = listed.into_iter().chain(fillers).collect();
    let (mut ranks, mut contents) = (HashSet::new(), HashSet::new());
    for (index, special) in all.iter().enumerate() {
        let twice = !ranks.insert(special.rank) || !contents.insert(&special.token_str);
        if twice || special.rank >= count || special.token_str.is_empty() {
            let why = format!("{:?} of rank {} is given twice or out of range", special.token_str, special.rank);
            return Err(Error::format(format!("special_tokens[{index}]"), why));
        }
    }
    let mut tokens: Vec<_> =
        all.iter().map(|special| AddedToken::special(special.token_str.as_str(), special.rank as u32)).collect();
    tokens.sort_by_key(|token| token.id);
    Ok(tokens)
}
