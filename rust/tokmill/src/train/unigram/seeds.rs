//! The pieces to begin with: the characters, and the strings that occur more than once inside words.
//!
//! A suffix array of the words, end to end with separators, has the occurrences of a string side by side. Its intervals
//! of a common prefix, found with a stack in one pass, are the strings that no longer string has all occurrences of
//! (Abouelhoda, Kurtz and Ohlebusch, "Replacing suffix trees with enhanced suffix arrays", 2004); the others are no
//! better than these. Occurrences count as often as their words do. Common prefixes are compared directly, since only
//! those of the length of a piece matter.
//!
//! Five bytes of memory a byte of distinct words, and twelve a candidate. Words of more than [`CHUNK`] bytes together
//! are taken in chunks, as sentencepiece does, and a string is counted in each chunk where it is among the best.

use hashbrown::HashMap;

use super::corpus::Corpus;
use super::model::Model;
use super::rules::Checker;
use super::strings::Strings;

/// Bytes of words that one suffix array covers.
const CHUNK: usize = 256 << 20;

/// A string worth a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Candidate {
    /// How much text it covers: occurrences times characters.
    score: u64,
    /// Where it stands.
    begin: u32,
    /// Bytes.
    length: u32,
}

/// The characters of the corpus and its best `seed_size` strings, with scores in proportion to the text that they
/// cover.
pub(super) fn seeds(corpus: &Corpus, checker: &Checker, max_chars: usize, seed_size: usize) -> Model {
    let mut pieces = Strings::default();
    let mut frequencies = Vec::new();
    for &(c, count) in &corpus.chars {
        pieces.push(c.encode_utf8(&mut [0; 4]));
        frequencies.push(count as f64);
    }
    let chars = pieces.len();
    let mut strings = Vec::new();
    let chunks = chunks(&corpus.words);
    for words in chunks.clone() {
        strings.push(Chunk::new(corpus, words).best(checker, max_chars, seed_size));
    }
    for (string, score) in merged(strings, seed_size) {
        pieces.push(&string);
        frequencies.push(score as f64);
    }
    Model::new(pieces, chars, &frequencies)
}

/// Runs of words of about [`CHUNK`] bytes.
fn chunks(words: &Strings) -> impl Iterator<Item = std::ops::Range<usize>> + Clone {
    let mut begin = 0;
    std::iter::from_fn(move || {
        if begin == words.len() {
            return None;
        }
        let limit = words.begin(begin) + CHUNK;
        let end = words.holding(limit).max(begin + 1);
        Some(std::mem::replace(&mut begin, end)..end)
    })
}

/// The best strings of all chunks.
fn merged(mut chunks: Vec<Vec<(String, u64)>>, seed_size: usize) -> Vec<(String, u64)> {
    if chunks.len() < 2 {
        return chunks.pop().unwrap_or_default();
    }
    let mut sums = HashMap::<String, u64>::new();
    for (string, score) in chunks.into_iter().flatten() {
        let sum = sums.entry(string).or_default();
        *sum = sum.saturating_add(score);
    }
    let mut all: Vec<(String, u64)> = sums.into_iter().collect();
    all.sort_unstable_by(|(a, x), (b, y)| y.cmp(x).then(a.len().cmp(&b.len())).then(a.cmp(b)));
    all.truncate(seed_size);
    all
}

/// Some of the words, with a suffix array.
struct Chunk<'c> {
    /// The words, each with a separator behind it.
    text: Vec<u8>,
    /// Where each word begins in `text`.
    begins: Vec<u32>,
    /// For every [`STRIDE`] bytes of `text` the word that holds the first of them.
    holders: Vec<u32>,
    weights: &'c [u64],
    /// Suffixes of `text` in byte order.
    suffixes: Vec<i32>,
}

/// Stands behind each word; no character begins with it, and it is less than any other byte.
const SEPARATOR: u8 = 0;
const STRIDE: usize = 64;

impl<'c> Chunk<'c> {
    fn new(corpus: &'c Corpus, words: std::ops::Range<usize>) -> Self {
        let mut text = Vec::new();
        let mut begins = Vec::with_capacity(words.len());
        for word in words.clone() {
            begins.push(text.len() as u32);
            text.extend_from_slice(corpus.words.get(word).as_bytes());
            text.push(SEPARATOR);
        }
        let mut holders = Vec::with_capacity(text.len() / STRIDE + 1);
        let mut holder = 0;
        for at in (0..text.len() as u32).step_by(STRIDE) {
            while begins.get(holder + 1).is_some_and(|&begin| begin <= at) {
                holder += 1;
            }
            holders.push(holder as u32);
        }
        let mut suffixes = vec![0; text.len()];
        divsufsort::sort_in_place(&text, &mut suffixes);
        Self { text, begins, holders, weights: &corpus.weights[words], suffixes }
    }

    /// How often the word at `at` occurs.
    fn weight(&self, at: usize) -> u64 {
        let mut word = self.holders[at / STRIDE] as usize;
        while self.begins.get(word + 1).is_some_and(|&begin| begin as usize <= at) {
            word += 1;
        }
        self.weights[word]
    }

    /// Bytes that the rests of the words at `a` and `b` begin with in common, up to `limit`.
    fn common_prefix(&self, a: usize, b: usize, limit: usize) -> usize {
        let (a, b) = (&self.text[a..], &self.text[b..]);
        a.iter().zip(b).take(limit).take_while(|(x, y)| x == y && **x != SEPARATOR).count()
    }

    /// The best strings that may be pieces, best first.
    fn best(&self, checker: &Checker, max_chars: usize, seed_size: usize) -> Vec<(String, u64)> {
        // Longer than any piece, so that what is cut off is recognised as too long.
        let limit = (max_chars + 1) * char::MAX.len_utf8();
        let mut candidates = Vec::new();
        self.for_each_interval(limit, |interval, parent| {
            candidates.extend(self.candidate(interval, parent, checker, max_chars));
            if candidates.len() > 4 * seed_size.max(1 << 16) {
                self.keep_best(&mut candidates, seed_size);
            }
        });
        self.keep_best(&mut candidates, seed_size);
        candidates.sort_unstable_by(|a, b| self.order(a, b));
        candidates.iter().map(|candidate| (self.string(candidate).to_owned(), candidate.score)).collect()
    }

    fn keep_best(&self, candidates: &mut Vec<Candidate>, size: usize) {
        if candidates.len() > size {
            candidates.select_nth_unstable_by(size, |a, b| self.order(a, b));
            candidates.truncate(size);
        }
    }

    /// Higher scores first, then shorter strings, then smaller ones.
    fn order(&self, a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
        let by_string = || self.string(a).cmp(self.string(b));
        b.score.cmp(&a.score).then(a.length.cmp(&b.length)).then_with(by_string)
    }

    fn string(&self, candidate: &Candidate) -> &str {
        let bytes = &self.text[candidate.begin as usize..][..candidate.length as usize];
        std::str::from_utf8(bytes).expect("candidates are whole characters")
    }

    /// What all suffixes of an interval begin with, down to whole characters, if it may be a piece and if it is more
    /// than what those of the enclosing interval, of a common prefix of `parent` bytes, begin with.
    fn candidate(&self, interval: Interval, parent: usize, checker: &Checker, max_chars: usize) -> Option<Candidate> {
        let Interval { common, begin, occurrences } = interval;
        let bytes = &self.text[begin..begin + common];
        if bytes.first().is_none_or(|byte| byte & 0xC0 == 0x80) || occurrences < 2 {
            return None;
        }
        let valid = match std::str::from_utf8(bytes) {
            Ok(string) => string,
            Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?,
        };
        if valid.len() <= parent {
            return None;
        }
        let length = valid.chars().take(max_chars + 1).count();
        let score = occurrences.saturating_mul(length as u64);
        let fits = length > 1 && checker.allows(valid, length);
        fits.then_some(Candidate { score, begin: begin as u32, length: valid.len() as u32 })
    }

    /// Calls `visit` with every interval of suffixes that have a longer common prefix than any interval around it, and
    /// with the length of that of the next one around.
    fn for_each_interval(&self, limit: usize, mut visit: impl FnMut(Interval, usize)) {
        let root = Interval { common: 0, begin: 0, occurrences: 0 };
        let mut open = vec![root];
        for (rank, &suffix) in self.suffixes.iter().enumerate() {
            let begin = suffix as usize;
            let next = self.suffixes.get(rank + 1);
            let common = next.map_or(0, |&next| self.common_prefix(begin, next as usize, limit));
            // A suffix is an interval of its own, of as many occurrences as its word has.
            let alone = self.text[begin..].iter().take(limit).take_while(|&&byte| byte != SEPARATOR).count();
            // The intervals that end here, from the innermost out, and what they pass on to the next.
            let mut closed = Interval { common: alone, begin, occurrences: self.weight(begin) };
            let around = open.last().map_or(0, |top| top.common.max(common));
            if alone > around {
                visit(closed, around);
            }
            loop {
                let top = open.last_mut().expect("the root is never closed");
                if common > top.common {
                    open.push(Interval { common, ..closed });
                    break;
                }
                top.occurrences = top.occurrences.saturating_add(closed.occurrences);
                if common == top.common {
                    break;
                }
                closed = open.pop().expect("the root has no common prefix");
                let around = open.last().map_or(0, |top| top.common.max(common));
                visit(closed, around);
            }
        }
    }
}

/// Neighbouring suffixes with a common prefix.
#[derive(Clone, Copy, Debug)]
struct Interval {
    /// Bytes of the common prefix.
    common: usize,
    /// One of the suffixes.
    begin: usize,
    /// How often the prefix occurs.
    occurrences: u64,
}
