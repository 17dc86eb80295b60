//! Training over characters, with marks for what continues or ends a word; so vocabularies of WordPiece are made.
//!
//! Words are spelled in entries of one character, each with its marks, and then pairs are merged as over bytes. The
//! result is that of tokenizers' `BpeTrainer` and `WordPieceTrainer`, which give marked characters their ids in the
//! order of a hash map, and break ties by id, so that no two of their runs agree; here words are taken in order.

use std::cmp::Ordering;

use hashbrown::HashMap;

use crate::error::{Error, Result};
use crate::vocab::byte_level_char;

use super::bpe::{Corpus, Trained};
use super::counts::WordCounts;
use super::entries::Entries;
use super::merge_loop::MergeLoop;
use super::options::BpeTrainerOptions;
use super::run::Run;
use super::symbols::Symbols;
use super::watch::Watch;

/// Options of [`train_characters`].
#[derive(Clone, Debug)]
pub struct CharacterTrainerOptions {
    /// Entries to end with: special tokens, alphabet and merges. Fewer where the corpus has no pair left.
    pub vocab_size: usize,
    /// A pair seen less often than this is not merged.
    pub min_frequency: u64,
    /// Entries with the first ids, in this order; repeated ones count once.
    pub special_tokens: Vec<String>,
    /// Characters of the alphabet besides those of the corpus.
    pub initial_alphabet: Vec<char>,
    /// Keep only so many characters, the most frequent ones, `initial_alphabet` before all others; among equally
    /// frequent ones those with lower code points. The others vanish from words.
    pub limit_alphabet: Option<usize>,
    /// Stands before entries inside a word. Merged, the right entry loses it.
    pub continuing_subword_prefix: String,
    /// Stands behind entries at the end of a word.
    pub end_of_word_suffix: String,
    /// No merge makes an entry of more characters.
    pub max_token_chars: Option<usize>,
    /// Words are bytes, each of which is the character that stands for it in byte-level files.
    pub byte_level: bool,
    /// Let the vocabulary exceed `vocab_size` where special tokens and alphabet do, instead of refusing it.
    pub may_exceed: bool,
    /// Threads; `None` is as many as the work is worth. The result does not depend on it.
    pub threads: Option<usize>,
    /// Bytes of memory, the counts included, beyond which the run is refused before it begins.
    pub memory_limit: Option<usize>,
}

impl Default for CharacterTrainerOptions {
    fn default() -> Self {
        Self {
            vocab_size: 30_000,
            min_frequency: 2,
            special_tokens: Vec::new(),
            initial_alphabet: Vec::new(),
            limit_alphabet: None,
            continuing_subword_prefix: String::new(),
            end_of_word_suffix: String::new(),
            max_token_chars: None,
            byte_level: false,
            may_exceed: false,
            threads: None,
            memory_limit: None,
        }
    }
}

impl CharacterTrainerOptions {
    /// Refuses what no corpus would make possible, and returns the special tokens and their ids.
    pub fn check(&self) -> Result<Vec<(String, u32)>> {
        let options = self.for_bytes();
        let entries = Entries::of_characters(&self.continuing_subword_prefix, &options)?;
        if !self.may_exceed {
            entries.check_sizes("special tokens", &options)?;
        }
        Ok(entries.into_parts().1)
    }

    /// What training over bytes is told too.
    fn for_bytes(&self) -> BpeTrainerOptions {
        BpeTrainerOptions {
            vocab_size: self.vocab_size,
            min_frequency: self.min_frequency,
            special_tokens: self.special_tokens.clone(),
            max_token_chars: self.max_token_chars,
            threads: self.threads,
            memory_limit: self.memory_limit,
            ..BpeTrainerOptions::default()
        }
    }
}

/// Trains on words of characters.
///
/// Ids go to special tokens, then to the characters by code point, then to characters with marks by the first word that
/// holds them in order of bytes, and by their place in it, then to merges. Merges are chosen as by
/// [`train_bpe`](super::train_bpe). The result depends on the counts and the options alone.
pub fn train_characters(counts: &WordCounts, options: &CharacterTrainerOptions, watch: &dyn Watch) -> Result<Trained> {
    let mut bpe_options = options.for_bytes();
    let corpus = Corpus::of(counts)?;
    let mut entries = Entries::of_characters(&options.continuing_subword_prefix, &bpe_options)?;
    let ids = alphabet(counts, options, &mut entries)?;
    if options.may_exceed {
        bpe_options.vocab_size = bpe_options.vocab_size.max(entries.size());
    }
    entries.check_sizes("special tokens and alphabet", &bpe_options)?;
    let limits = corpus.limits(counts, &bpe_options)?;
    let words = Words { counts, options };
    let symbols = Symbols::new(|visit| {
        let mut symbols = Vec::new();
        words.for_each(|characters, _, count| {
            symbols.clear();
            symbols.extend(characters.iter().filter_map(|character| ids.get(character)));
            visit(&symbols, count);
        })
    })?;
    let start = entries.size();
    let merge_loop = MergeLoop::new(symbols, start, options.min_frequency, corpus.guess(&bpe_options), limits);
    let mut run = Run { merge_loop, entries, steps: Vec::new(), inherited: 0, trace: None, checkpoint: None };
    let stop = run.merge(&bpe_options, start, watch)?;
    run.finish(stop, None)
}

/// A character and whether it has a prefix and a suffix.
type Marked = (char, bool, bool);

/// Gives ids to the characters, then to those with marks.
fn alphabet(
    counts: &WordCounts,
    options: &CharacterTrainerOptions,
    entries: &mut Entries,
) -> Result<HashMap<Marked, u32>> {
    let words = Words { counts, options };
    let mut seen: HashMap<char, u64> = HashMap::new();
    let mut first: HashMap<Marked, (Vec<u8>, usize)> = HashMap::new();
    words.for_each(|characters, word, count| {
        for (place, &marked) in characters.iter().enumerate() {
            let frequency = seen.entry(marked.0).or_default();
            *frequency = frequency.saturating_add(count);
            let earliest = first.entry(marked).or_insert_with(|| (word.to_owned(), place));
            if word.cmp(&earliest.0[..]) == Ordering::Less {
                earliest.0.clear();
                earliest.0.extend_from_slice(word);
                earliest.1 = place;
            }
        }
    })?;
    for &character in &options.initial_alphabet {
        seen.insert(character, u64::MAX);
    }
    let mut kept: Vec<(char, u64)> = seen.into_iter().collect();
    kept.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    kept.truncate(options.limit_alphabet.unwrap_or(usize::MAX));
    kept.sort_unstable();
    for (character, _) in kept {
        entries.add_character(character.encode_utf8(&mut [0; 4]))?;
    }
    let mut marked: Vec<_> = first.into_iter().collect();
    marked.sort_unstable_by(|(_, a), (_, b)| a.cmp(b));
    let mut ids = HashMap::with_capacity(marked.len());
    for (form, _) in marked {
        let (character, prefixed, suffixed) = form;
        // A special token of one character is in the alphabet too.
        if entries.vocab().id(character.encode_utf8(&mut [0; 4]).as_bytes()).is_none() {
            continue;
        }
        let prefix = if prefixed { &options.continuing_subword_prefix[..] } else { "" };
        let suffix = if suffixed { &options.end_of_word_suffix[..] } else { "" };
        ids.insert(form, entries.add_character(&format!("{prefix}{character}{suffix}"))?);
    }
    Ok(ids)
}

/// Counted words as marked characters.
struct Words<'c> {
    counts: &'c WordCounts,
    options: &'c CharacterTrainerOptions,
}

impl Words<'_> {
    /// Calls `visit` with the characters of each word, its bytes, and its count.
    fn for_each(&self, mut visit: impl FnMut(&[Marked], &[u8], u64)) -> Result<()> {
        let (prefixes, suffixes) =
            (!self.options.continuing_subword_prefix.is_empty(), !self.options.end_of_word_suffix.is_empty());
        let mut characters: Vec<Marked> = Vec::new();
        let mut not_text: Option<Vec<u8>> = None;
        self.counts.for_each(|word, count| {
            characters.clear();
            if self.options.byte_level {
                characters.extend(word.iter().map(|&byte| (byte_level_char(byte), prefixes, false)));
            } else if let Ok(text) = std::str::from_utf8(word) {
                characters.extend(text.chars().map(|character| (character, prefixes, false)));
            } else {
                if not_text.as_ref().is_none_or(|other| word < &other[..]) {
                    not_text = Some(word.to_owned());
                }
                return;
            }
            if let Some(begin) = characters.first_mut() {
                begin.1 = false;
            }
            if let Some(end) = characters.last_mut() {
                end.2 = suffixes;
            }
            visit(&characters, word, count);
        })?;
        match not_text {
            None => Ok(()),
            Some(word) => {
                let why = format!("holds \"{}\", which is not UTF-8", word.escape_ascii());
                Err(Error::option("source", why))
            }
        }
    }
}
