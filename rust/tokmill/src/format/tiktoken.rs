//! `.tiktoken`: a line for each entry, its bytes in base64 and its rank, which is its id.
//!
//! The file holds neither the pattern nor the special tokens; the caller gives them. Merges follow from the ranks, so a
//! tokenizer can only be written if its merges are the ones that follow.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hashbrown::{HashMap, HashSet};

use super::{LoadOptions, ranks};
use crate::added_tokens::AddedToken;
use crate::error::{Error, Result};
use crate::model::{Bpe, Model};
use crate::pretokenize::patterns::{self, patterns};
use crate::pretokenize::{SplitPattern, Step};
use crate::tokenizer::{Parts, Tokenizer};
use crate::vocab::{MAX_VOCAB, Spelling, Vocab};

/// Lines that are put into the vocabulary together.
const TOGETHER: usize = 64;

/// Reads the parts of a tokenizer from a `.tiktoken` file.
pub(super) fn parts(bytes: &[u8], options: &LoadOptions) -> Result<Parts> {
    options.check_lowercase("a .tiktoken file")?;
    let vocab = read_ranks(bytes)?;
    ranks::check_bytes(&vocab)?;
    let special_tokens = special_tokens(&options.special_tokens, &vocab)?;
    check_gaps(&vocab, &special_tokens)?;
    ranks::parts(vocab, pattern(options)?, special_tokens)
}

/// Reads the lines of a file into a vocabulary.
pub(super) fn read_ranks(bytes: &[u8]) -> Result<Vocab> {
    // A line has about 18 bytes.
    let mut vocab = Vocab::with_capacity(Spelling::ByteLevel, bytes.len() / 16);
    let mut lines = bytes.split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    let (mut keys, mut entries, mut places) = (Vec::new(), Vec::new(), Vec::new());
    let wrong = |index: usize, why: String| Error::format(format!("line {}", index + 1), why);
    loop {
        keys.clear();
        entries.clear();
        places.clear();
        let mut failed = Ok(());
        for (index, line) in lines.by_ref().take(TOGETHER) {
            let begin = keys.len();
            match read_line(line.trim_ascii(), &mut keys) {
                Ok(rank) => entries.push((rank, begin..keys.len())),
                Err(why) => {
                    failed = Err(wrong(index, why));
                    break;
                }
            }
            places.push(index);
        }
        // What stands before a line that cannot be read is complained of first.
        let inserted = vocab.insert_together(&keys, &entries);
        inserted.map_err(|(entry, error)| wrong(places[entry], error.to_string()))?;
        failed?;
        if entries.is_empty() {
            return Ok(vocab);
        }
    }
}

/// Reads one line: the rank, and the bytes, which are appended to `keys`.
fn read_line(line: &[u8], keys: &mut Vec<u8>) -> Result<u32, String> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (Some(token), Some(rank), None) = (words.next(), words.next(), words.next()) else {
        return Err("is not a base64 string and a rank".to_owned());
    };
    // The empty entry is written as padding alone (whisper has one).
    if token != b"=" {
        STANDARD.decode_vec(token, keys).map_err(|error| format!("the first word is not base64: {error}"))?;
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
    let mut tokens: Vec<_> = tokens.iter().map(|(content, id)| AddedToken::special(content, *id)).collect();
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

/// The pattern of the options. A word that is no known name can hardly be meant as a regular expression.
fn pattern(options: &LoadOptions) -> Result<&str> {
    let names = || patterns().iter().map(|pattern| pattern.name).collect::<Vec<_>>().join(", ");
    let Some(given) = &options.pattern else {
        let why = format!("a .tiktoken file has none; give a regular expression or one of {}", names());
        return Err(Error::option("pattern", why));
    };
    let is_word = given.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_word && patterns::pattern(given).is_none() {
        return Err(Error::option("pattern", format!("{given:?} is not one of {}", names())));
    }
    Ok(given)
}

/// The bytes of a `.tiktoken` file and what it does not hold. Refused is what would have other ids when it is read.
pub(super) fn to_bytes(tokenizer: &Tokenizer) -> Result<(Vec<u8>, Vec<String>)> {
    let Model::Bpe(bpe) = tokenizer.model() else { return Err(refused("a model that is not BPE")) };
    check_pipeline(tokenizer)?;
    if bpe.options().has_affixes() {
        return Err(refused("a model with a prefix or suffix in its tokens"));
    }
    let ranked = ranked_entries(bpe.vocab(), tokenizer.added_tokens())?;
    ranks::check_bytes(&ranked).map_err(|error| refused(error.to_string()))?;
    check_gaps(&ranked, tokenizer.added_tokens()).map_err(|error| refused(error.to_string()))?;
    check_merges(bpe, &ranked)?;
    let mut bytes = Vec::new();
    for (id, key) in ranked.iter() {
        let token = if key.is_empty() { "=".to_owned() } else { STANDARD.encode(key) };
        bytes.extend_from_slice(format!("{token} {id}\n").as_bytes());
    }
    Ok((bytes, warnings(tokenizer)))
}

fn refused(what: impl Into<String>) -> Error {
    Error::unsupported(".tiktoken", what)
}

/// Whether text reaches the model as it is, and added tokens are special tokens without flags.
fn check_pipeline(tokenizer: &Tokenizer) -> Result<()> {
    if tokenizer.effective_normalizer().is_some() {
        return Err(refused("a normalizer"));
    }
    if tokenizer.pretokenizer().rewrites() {
        return Err(refused("a pretokenizer that rewrites text"));
    }
    if tokenizer.pretokenizer().adds_prefix_space() {
        return Err(refused("a blank put before the text (add_prefix_space)"));
    }
    let plain = |token: &&AddedToken| **token == AddedToken::special(token.content.clone(), token.id);
    match tokenizer.added_tokens().iter().find(|token| !plain(token)) {
        Some(token) => Err(refused(format!("the added token {:?}, which is not special or has flags", token.content))),
        None => Ok(()),
    }
}

/// The vocabulary without the entries of added tokens.
fn ranked_entries(vocab: &Vocab, added_tokens: &[AddedToken]) -> Result<Vocab> {
    let mut ranked = Vocab::with_capacity(vocab.spelling(), vocab.entries());
    for (id, key) in vocab.iter() {
        if added_tokens.binary_search_by_key(&id, |token| token.id).is_ok() {
            continue;
        }
        if vocab.is_inexpressible(id) {
            return Err(refused(format!(
                "the entry {:?}, which stands for no bytes",
                vocab.spelled(id).unwrap_or_default()
            )));
        }
        ranked.insert(id, key)?;
    }
    Ok(ranked)
}

/// Whether a model's merges are those that follow from its ids.
///
/// Of all pairs that spell an entry only one can ever meet, the one that the ranks lead to. So it is enough that these
/// pairs are merges of the model, in the same order, and that no entry outside the file takes part. A rank file also
/// takes pieces that are entries whole, which makes a difference for entries that merging does not reach.
fn check_merges(bpe: &Bpe, ranked: &Vocab) -> Result<()> {
    let by_ranks = Bpe::from_ranks(ranked.clone())?;
    let mut order: HashMap<(u32, u32), usize> = HashMap::with_capacity(bpe.merges().len());
    for (rank, merge) in bpe.merges().iter().enumerate() {
        if [merge.left, merge.right, merge.result].iter().any(|&id| ranked.key(id).is_none()) {
            return Err(refused(format!("the merge of rank {rank}, which has part in an added token")));
        }
        order.insert((merge.left, merge.right), rank);
    }
    let mut least = 0;
    for merge in by_ranks.merges() {
        match order.get(&(merge.left, merge.right)) {
            Some(&rank) if rank >= least => least = rank,
            _ => {
                return Err(refused(format!(
                    "merges in another order than that of ids: id {} is not made in turn",
                    merge.result
                )));
            }
        }
    }
    let one_step = ranked.iter().filter(|(_, key)| key.len() < 2).count();
    let all_reached = by_ranks.merges().len() + one_step == ranked.entries();
    match bpe.options().ignore_merges {
        false if !all_reached => Err(refused("entries that no merges lead to, without ignore_merges")),
        true if ranked.entries() != bpe.vocab().entries() => {
            Err(refused("ignore_merges, with added tokens among the entries"))
        }
        _ => Ok(()),
    }
}

/// So many special tokens are named in a warning.
const SHOWN: usize = 8;

/// What the file does not hold.
fn warnings(tokenizer: &Tokenizer) -> Vec<String> {
    let mut warnings = Vec::new();
    let patterns: Vec<_> = tokenizer.pretokenizer().steps().iter().filter_map(pattern_of).collect();
    warnings.push(match patterns.as_slice() {
        [] => "a .tiktoken file does not hold the pattern; this tokenizer has none".to_owned(),
        [one] => format!("a .tiktoken file does not hold the pattern, which is {one}"),
        more => {
            format!("a .tiktoken file does not hold the pretokenizer, which splits by {} patterns in turn", more.len())
        }
    });
    let tokens: Vec<_> = tokenizer.special_tokens().map(|(content, id)| format!("{content:?}: {id}")).collect();
    if !tokens.is_empty() {
        let (shown, more) = (&tokens[..tokens.len().min(SHOWN)], if tokens.len() > SHOWN { ", ..." } else { "" });
        let (count, shown) = (tokens.len(), shown.join(", "));
        warnings.push(format!("a .tiktoken file does not hold special tokens; there are {count}: {{{shown}{more}}}"));
    }
    if tokenizer.post_processor().is_some() {
        warnings.push("a .tiktoken file does not hold the post-processor".to_owned());
    }
    warnings
}

/// What a pretokenizer's step cuts by.
fn pattern_of(step: &Step) -> Option<String> {
    match step {
        Step::ByteLevel { use_regex: false, .. } => None,
        Step::ByteLevel { use_regex: true, .. } => Some("gpt2".to_owned()),
        Step::Split { pattern: SplitPattern::Regex(regex) | SplitPattern::FancyRegex(regex), .. } => {
            Some(regex.clone())
        }
        other => Some(format!("{other:?}")),
    }
}
