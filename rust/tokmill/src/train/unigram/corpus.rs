//! The corpus as the trainer sees it: distinct words of covered characters, in byte order, with their counts.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::error::{Error, Result};
use crate::train::counts::WordCounts;

use super::options::UnigramTrainerOptions;
use super::rules::{BLANK, Checker};
use super::strings::Strings;

/// Distinct words and their counts.
#[derive(Debug, Default)]
pub(super) struct Corpus {
    /// In byte order. No word holds a character that is not in `chars`.
    pub(super) words: Strings,
    /// How often each word occurs.
    pub(super) weights: Vec<u64>,
    /// The characters that are pieces, the most frequent first, with their counts.
    pub(super) chars: Vec<(char, u64)>,
}

impl Corpus {
    /// Cuts the counted words at user-defined tokens and at characters that are not covered.
    ///
    /// Both stand for themselves in every segmentation, so what is between them can be segmented on its own.
    pub(super) fn new(counts: &WordCounts, options: &UnigramTrainerOptions, checker: &Checker) -> Result<Self> {
        let tokens = options.user_defined_tokens.iter().filter(|token| !token.is_empty());
        let cutter = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(tokens)
            .map_err(|error| Error::option("user_defined_tokens", error.to_string()))?;
        let mut census = Census::default();
        counts.for_each(|word, count| {
            for_each_part(&cutter, &spelled(word), |part| census.add(part, count));
        })?;
        let chars = census.covered(options, checker)?;
        let mut covered = vec![false; char::MAX as usize + 1];
        for &(c, _) in &chars {
            covered[c as usize] = true;
        }
        let (mut parts, mut weights) = (Strings::default(), Vec::new());
        counts.for_each(|word, count| {
            for_each_part(&cutter, &spelled(word), |part| {
                for run in part.split(|c| !covered[c as usize]).filter(|run| !run.is_empty()) {
                    parts.push(run);
                    weights.push(count);
                }
            });
        })?;
        let (words, weights) = distinct(&parts, &weights);
        if words.len() == 0 {
            return Err(Error::option("source", "is empty: there is nothing to train on"));
        }
        Ok(Self { words, weights, chars })
    }

    /// Bytes of memory in use.
    pub(super) fn memory(&self) -> usize {
        self.words.memory() + self.weights.capacity() * size_of::<u64>()
    }
}

/// A word in characters, with the sign for each blank.
fn spelled(word: &[u8]) -> Cow<'_, str> {
    let word = String::from_utf8_lossy(word);
    if word.contains(' ') { Cow::Owned(word.replace(' ', BLANK.encode_utf8(&mut [0; 4]))) } else { word }
}

/// Calls `visit` with what stands between user-defined tokens.
fn for_each_part(cutter: &AhoCorasick, word: &str, mut visit: impl FnMut(&str)) {
    let mut begin = 0;
    for found in cutter.find_iter(word) {
        visit(&word[begin..found.start()]);
        begin = found.end();
    }
    visit(&word[begin..]);
}

/// Strings in byte order without repetition, the weights of equal ones added up.
fn distinct(parts: &Strings, weights: &[u64]) -> (Strings, Vec<u64>) {
    let (mut words, mut sums) = (Strings::default(), Vec::<u64>::new());
    for index in parts.sorted() {
        let (part, weight) = (parts.get(index as usize), weights[index as usize]);
        match sums.last_mut() {
            Some(sum) if words.get(words.len() - 1) == part => *sum = sum.saturating_add(weight),
            _ => {
                words.push(part);
                sums.push(weight);
            }
        }
    }
    (words, sums)
}

/// How often each character occurs.
struct Census {
    /// By code point.
    counts: Vec<u64>,
}

impl Default for Census {
    fn default() -> Self {
        Self { counts: vec![0; char::MAX as usize + 1] }
    }
}

impl Census {
    fn add(&mut self, text: &str, times: u64) {
        for c in text.chars() {
            let count = &mut self.counts[c as usize];
            *count = count.saturating_add(times);
        }
    }

    /// The most frequent characters that together make up the share asked for, and those that are required; refused
    /// where the vocabulary has no room for them.
    fn covered(&self, options: &UnigramTrainerOptions, checker: &Checker) -> Result<Vec<(char, u64)>> {
        let with_count = |c: char| (c, self.counts[c as usize]);
        let all = ('\0'..=char::MAX).filter(|&c| checker.allows_char(c)).map(with_count);
        let mut chars: Vec<(char, u64)> = all.filter(|&(_, count)| count > 0).collect();
        chars.sort_unstable_by_key(|&(c, count)| (std::cmp::Reverse(count), c));
        let total: f64 = chars.iter().map(|&(_, count)| count as f64).sum();
        let mut sum = 0.0;
        let frequent = chars.iter().take_while(|&&(_, count)| {
            let reached = sum / total >= options.character_coverage;
            sum += count as f64;
            !reached
        });
        let kept = frequent.count();
        chars.truncate(kept);
        for c in options.required_chars.chars() {
            if !checker.allows_char(c) {
                return Err(Error::option("required_chars", format!("{c:?} cannot be a piece")));
            }
            if chars.iter().all(|&(other, _)| other != c) {
                chars.push(with_count(c));
            }
        }
        Ok(chars)
    }
}
