//! Unigram language models: the segmentation of a text whose pieces have the largest sum of scores.
//!
//! One engine serves two owners, which compute in different widths and say differently what becomes of characters
//! that are no entry ([`Rule`]). The entries lie in a double-array trie over characters; a Viterbi pass finds the best segmentation in
//! time linear in the text, and a lattice gives the next best ones and samples.
//!
//! Sums of 32 bits depend on how much has been added before, so that a word may be encoded on its own only where its
//! best segmentation leads by more than rounding can ever take away: [`Unigram::encode`] says whether it does.
//! Reference: T. Kudo, "Subword Regularization" (2018); `unigram_model.cc` of sentencepiece 0.2.3 and the Unigram of
//! tokenizers 0.23.

mod lattice;
mod score;
mod viterbi;
mod window;

use std::ops::Range;
use std::sync::OnceLock;

use hashbrown::HashMap;

use crate::error::{Error, Result};
use crate::pieces::{Piece, PieceKind};
use crate::trie::Trie;
use crate::vocab::{Spelling, Vocab};
pub use lattice::Segmentation;
use viterbi::{Part, Weights};
pub use window::{Extension, TrieNode, WayStep, Window};

/// Whose arithmetic and whose treatment of unknown characters a model follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// Of tokenizers 0.23: sums of 64 bits; every piece is found in text, whatever its kind; neighbouring unknown
    /// characters are one token, or its bytes.
    #[default]
    Tokenizers,
    /// Of sentencepiece 0.2.3: sums of 32 bits; each unknown character is its bytes, or else neighbouring ones are one
    /// token.
    SentencePiece,
}

/// Options of a Unigram model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnigramOptions {
    /// The id that stands for unknown characters; a text that needs it is refused where there is none.
    pub unk_id: Option<u32>,
    /// Characters that are not found become their bytes, where the vocabulary has these (`<0xE4>`).
    pub byte_fallback: bool,
    /// Whose rule to follow.
    pub rule: Rule,
    /// Texts come with blanks in place of each `▁` and with no other blanks, so that most need not be rewritten.
    /// Without effect where a piece has a blank in it, or none is `▁`.
    pub blanks: bool,
}

/// How much less than the lowest score an unknown character has.
const UNKNOWN_PENALTY: f64 = 10.0;

/// The largest magnitude of a score: sums of so large ones are still finite.
const LARGEST_SCORE: f64 = 1e30;

/// The id of unknown characters where a model has none.
const NO_ID: u32 = u32::MAX;

/// A validated Unigram model.
#[derive(Clone, Debug)]
pub struct Unigram {
    vocab: Vocab,
    scores: Vec<f64>,
    kinds: Vec<PieceKind>,
    options: UnigramOptions,
    weights: AnyWeights,
    /// The entries that are found in text, byte by byte; made when a text that grows is first segmented.
    byte_trie: OnceLock<Trie>,
    /// The ids of the 256 bytes, [`NO_ID`] where one has no entry; of use with byte fallback only.
    bytes: Box<[u32; 256]>,
    words: bool,
    /// A bound on how much one character can add to a score.
    largest_weight: f64,
}

#[derive(Clone, Debug)]
enum AnyWeights {
    Double(Weights<f64>),
    Single(Weights<f32>),
}

/// Reusable memory for encoding pieces, and the score of what was encoded before.
#[derive(Debug, Default)]
pub struct UnigramScratch {
    double: viterbi::Scratch<f64>,
    single: viterbi::Scratch<f32>,
    /// The score of the text so far, where words are encoded one after the other.
    before: f32,
    /// Whether a character was met that the model has no id for.
    missing: bool,
}

impl UnigramScratch {
    /// Begins a text.
    pub fn begin(&mut self) {
        self.before = 0.0;
    }

    /// Whether a character was met, since this was last asked, that the model has no id for.
    pub fn take_missing(&mut self) -> bool {
        std::mem::take(&mut self.missing)
    }
}

impl Unigram {
    /// Checks and compiles a list of pieces, whose ids are their places in it. Fails on a score that is not a number
    /// and on an unknown id that no piece has.
    pub fn new(pieces: &[Piece], options: UnigramOptions) -> Result<Self> {
        if let Some(id) = options.unk_id.filter(|&id| id as usize >= pieces.len()) {
            return Err(Error::format("model.unk_id", format!("there is no piece {id}")));
        }
        if let Some(id) = pieces.iter().position(|piece| piece.score.is_nan()) {
            return Err(Error::format(format!("model.vocab[{id}]"), "its score is not a number"));
        }
        if let Some(id) = pieces.iter().position(|piece| piece.score.abs() > LARGEST_SCORE) {
            return Err(Error::format(format!("model.vocab[{id}]"), "its score is beyond 1e30"));
        }
        let vocab = vocabulary(pieces, options.blanks)?;
        let key = |id: u32| vocab.key(id).unwrap_or_default();
        let found = |piece: &Piece| match options.rule {
            Rule::Tokenizers => true,
            Rule::SentencePiece => matches!(piece.kind, PieceKind::Normal | PieceKind::UserDefined),
        };
        let texts: Vec<(&[u8], u32)> = (0..)
            .zip(pieces)
            .filter(|&(id, piece)| found(piece) && !vocab.is_inexpressible(id))
            .map(|(id, _): (u32, _)| (key(id), id))
            .collect();
        let weights = AnyWeights::new(pieces, &texts, &options);
        let bytes =
            Box::new(std::array::from_fn(|byte| vocab.id(format!("<0x{byte:02X}>").as_bytes()).unwrap_or(NO_ID)));
        Ok(Self {
            words: options.rule == Rule::SentencePiece && has_words(&vocab, &texts),
            scores: pieces.iter().map(|piece| piece.score).collect(),
            kinds: pieces.iter().map(|piece| piece.kind).collect(),
            largest_weight: weights.largest(),
            vocab,
            options,
            weights,
            byte_trie: OnceLock::new(),
            bytes,
        })
    }

    fn byte_trie(&self) -> &Trie {
        self.byte_trie.get_or_init(|| {
            let found = |id: u32| match self.options.rule {
                Rule::Tokenizers => true,
                Rule::SentencePiece => {
                    matches!(self.kinds[id as usize], PieceKind::Normal | PieceKind::UserDefined)
                }
            };
            let entries = self.vocab.iter().filter(|&(id, _)| found(id) && !self.vocab.is_inexpressible(id));
            Trie::new(entries.map(|(id, key)| (key, id)))
        })
    }

    /// The vocabulary.
    pub fn vocab(&self) -> &Vocab {
        &self.vocab
    }

    /// The options.
    pub fn options(&self) -> &UnigramOptions {
        &self.options
    }

    /// The pieces in order of id, as they were given.
    pub fn pieces(&self) -> impl Iterator<Item = Piece> {
        (0..).zip(self.scores.iter().zip(&self.kinds)).map(|(id, (&score, &kind))| Piece {
            text: self.vocab.spelled(id).unwrap_or_default(),
            score,
            kind,
        })
    }

    /// The score of an id, as the file gives it.
    pub fn score(&self, id: u32) -> Option<f64> {
        self.scores.get(id as usize).copied()
    }

    /// What an id is for.
    pub fn kind(&self, id: u32) -> Option<PieceKind> {
        self.kinds.get(id as usize).copied()
    }

    /// Whether a text may be cut before every blank that follows another character, and the parts encoded in order: no
    /// entry reaches over such a place, and what follows it is never unknown.
    pub fn cuts_words(&self) -> bool {
        self.words
    }

    /// Appends the ids of a non-empty piece of UTF-8. Where words are cut ([`Self::cuts_words`]), they depend on what comes
    /// before: the pieces of a text have to come in order, after [`UnigramScratch::begin`].
    pub fn encode(&self, piece: &[u8], scratch: &mut UnigramScratch, ids: &mut Vec<u32>) {
        self.segment(piece, scratch, |part| ids.push(part.id));
    }

    /// As [`Self::encode`], for tables of pieces: returns whether the piece has these ids wherever it stands. Ids tell the
    /// score of each token: where words are cut, a run of unknown characters, which is one token, has a number beyond the
    /// vocabulary that says how many they are. [`Self::spell_out`] makes it the token; pieces that need no encoding are
    /// given to [`Self::pass`] instead.
    pub fn encode_for_tables(&self, piece: &[u8], scratch: &mut UnigramScratch, ids: &mut Vec<u32>) -> bool {
        let first_run = self.scores.len() as u32;
        let Some(unknown) = self.options.unk_id.filter(|_| self.words && first_run < MOST_WITH_RUNS) else {
            let (always, fused) = self.segment(piece, scratch, |part| ids.push(part.id));
            // What cannot be encoded is an error each time.
            return always && !(fused && self.words) && !scratch.missing;
        };
        let (always, _) = self.segment(piece, scratch, |part| {
            let count = || characters(&piece[part.begin as usize..part.end as usize]) as u32;
            let more = if part.id == unknown { count().saturating_sub(1).min(LONGEST_RUN) } else { 0 };
            ids.push(if more > 0 { first_run + more } else { part.id });
        });
        always
    }

    /// Takes notice of pieces that have these ids in tables, and spells out the ids. One that is neither of the vocabulary
    /// nor a run of unknown characters stands for the end of a text.
    #[inline]
    pub fn pass(&self, ids: &mut [u32], scratch: &mut UnigramScratch) {
        if let AnyWeights::Single(weights) = &self.weights
            && self.words
        {
            let mut sum = scratch.before;
            for id in ids {
                sum = match (weights.by_id.get(*id as usize), self.run_of(*id)) {
                    (Some(weight), _) => sum + weight,
                    (None, Some((unknown, length))) => {
                        *id = unknown;
                        (0..length).fold(sum, |sum, _| sum + weights.unknown)
                    }
                    (None, None) => 0.0,
                };
            }
            scratch.before = sum;
        }
    }

    /// Makes ids of [`Self::encode_for_tables`] those of the vocabulary.
    #[inline]
    pub fn spell_out(&self, ids: &mut [u32]) {
        if self.words {
            for id in ids {
                *id = self.run_of(*id).map_or(*id, |(unknown, _)| unknown);
            }
        }
    }

    /// The unknown id, and how many characters a number stands for that is no id of the vocabulary.
    #[inline]
    fn run_of(&self, number: u32) -> Option<(u32, u32)> {
        let more = number.checked_sub(self.scores.len() as u32).filter(|more| (1..=LONGEST_RUN).contains(more))?;
        Some((self.options.unk_id?, more + 1))
    }

    /// Whether all pieces of the next `len` bytes have to be given to [`Self::encode`], because the owner may begin
    /// to count scores anew among them.
    #[inline]
    pub fn is_near_reset(&self, len: usize, scratch: &UnigramScratch) -> bool {
        self.words && f64::from(scratch.before.abs()) + len as f64 * self.largest_weight > RESET
    }

    /// Appends the range of the bytes of a piece that each of its `ids` stands for, as the owner gives them: bytes of
    /// a character share its range (tokenizers) or leave it to the last of them (sentencepiece).
    pub fn spans(&self, piece: &[u8], ids: &[u32], spans: &mut Vec<Range<usize>>) {
        if self.words {
            return self.word_spans(piece, ids, spans);
        }
        self.segment(piece, &mut UnigramScratch::default(), |part| spans.push(part.begin as usize..part.end as usize));
    }

    /// As [`Self::spans`], from the ids alone, since the segmentation depends on what stands before the word.
    fn word_spans(&self, word: &[u8], ids: &[u32], spans: &mut Vec<Range<usize>>) {
        let unknown = self.options.unk_id;
        let key = |id: u32| self.vocab.key(id).unwrap_or_default();
        let mut at = 0;
        let mut rest = ids;
        while let Some((&id, after)) = rest.split_first() {
            rest = after;
            let begin = at;
            if Some(id) == unknown {
                let known = after.iter().position(|&id| Some(id) == unknown).unwrap_or(after.len());
                let next: Vec<u8> = after[..known].iter().flat_map(|&id| key(id)).copied().collect();
                let is_last = known == after.len();
                let fits =
                    |end: &usize| word[*end..].starts_with(&next) && (!is_last || word.len() == end + next.len());
                let ends = (at + 1..=word.len()).filter(|&end| word.get(end).is_none_or(|byte| byte & 0xC0 != 0x80));
                at = ends.into_iter().find(fits).unwrap_or(word.len());
            } else if self.kinds[id as usize] == PieceKind::Byte {
                // The last byte of a character stands for all of it.
                let width = viterbi::char_width(word[at]);
                spans.extend((1..width).map(|_| at..at));
                rest = &after[(width - 1).min(after.len())..];
                at += width;
            } else {
                at += key(id).len();
            }
            spans.push(begin..at);
        }
    }

    /// Gives the tokens of a piece to `take`, in order. Returns whether they are the same wherever it stands, and whether
    /// some token stands for several unknown characters.
    fn segment(&self, piece: &[u8], scratch: &mut UnigramScratch, take: impl FnMut(Part)) -> (bool, bool) {
        let UnigramScratch { double, single, before, missing } = scratch;
        match &self.weights {
            AnyWeights::Double(weights) => {
                double.run::<false>(weights, piece, 0.0);
                *missing |= self.options.unk_id.is_none() && double.met_unknown();
                (true, self.tokens(piece, double.parts(weights), take))
            }
            AnyWeights::Single(weights) if !self.words => {
                single.run::<false>(weights, piece, 0.0);
                (true, self.tokens(piece, single.parts(weights), take))
            }
            AnyWeights::Single(weights) => {
                let always = self.segment_word(piece, weights, single, before);
                (always, self.tokens(piece, single.parts(weights), take))
            }
        }
    }

    /// Finds the best segmentation of a word that stands where the score of the text is `before`, and adds its score.
    /// Returns whether the segmentation is the same wherever the word stands.
    fn segment_word(
        &self,
        word: &[u8],
        weights: &Weights<f32>,
        scratch: &mut viterbi::Scratch<f32>,
        before: &mut f32,
    ) -> bool {
        let near_reset = f64::from(before.abs()) + word.len() as f64 * self.largest_weight > RESET;
        if near_reset || word.len() > LONGEST_REMEMBERED {
            *before = scratch.run::<false>(weights, word, *before);
            return false;
        }
        let chars = characters(word);
        if word.len() > LONGEST_TWICE {
            // Run where it stands, so that it need not be run again; the lead itself is then rounded.
            *before = scratch.run::<true>(weights, word, *before);
            let pieces = scratch.parts(weights).count();
            return scratch.margin() > 2.0 * (chars + pieces) as f64 * ROUNDING;
        }
        scratch.run::<true>(weights, word, 0.0);
        let (mut pieces, mut sum) = (0, *before);
        for part in scratch.parts(weights) {
            sum += weights.of(part.id);
            pieces += 1;
        }
        if scratch.margin() > (chars + pieces) as f64 * ROUNDING {
            *before = sum;
            return true;
        }
        *before = scratch.run::<false>(weights, word, *before);
        false
    }

    /// Turns the parts of a segmentation into tokens: those that stand for unknown characters are fused or become
    /// bytes. Returns whether any were fused.
    fn tokens(&self, piece: &[u8], parts: impl Iterator<Item = Part>, mut take: impl FnMut(Part)) -> bool {
        let unknown = self.options.unk_id.unwrap_or(NO_ID);
        let by_character = self.options.rule == Rule::SentencePiece && self.options.byte_fallback;
        let mut fused = false;
        let mut run: Option<Part> = None;
        for part in parts {
            if part.id == unknown && !by_character {
                fused |= run.is_some();
                run = Some(Part { begin: run.map_or(part.begin, |run| run.begin), ..part });
                continue;
            }
            if let Some(run) = run.take() {
                self.unknown_run(piece, run, &mut take);
            }
            if part.id == unknown {
                self.bytes_of(piece, part, |byte, last| {
                    let (begin, end) = if last { (part.begin, part.end) } else { (part.begin, part.begin) };
                    take(Part { begin, end, id: byte });
                });
            } else {
                take(part);
            }
        }
        if let Some(run) = run {
            self.unknown_run(piece, run, &mut take);
        }
        fused
    }

    /// The tokens of neighbouring unknown characters.
    fn unknown_run(&self, piece: &[u8], run: Part, take: &mut impl FnMut(Part)) {
        let text = &piece[run.begin as usize..run.end as usize];
        if self.options.rule == Rule::Tokenizers {
            if let Some(id) = self.vocab.id(text) {
                return take(Part { id, ..run });
            }
            if self.options.byte_fallback && text.iter().all(|&byte| self.bytes[byte as usize] != NO_ID) {
                return self.bytes_of(piece, run, |id, _| take(Part { id, ..run }));
            }
        }
        if self.options.unk_id.is_some() {
            take(run);
        }
    }

    /// Gives the ids of the bytes of a part, and whether each is the last one.
    fn bytes_of(&self, piece: &[u8], part: Part, mut take: impl FnMut(u32, bool)) {
        for at in part.begin..part.end {
            take(self.bytes[piece[at as usize] as usize], at + 1 == part.end);
        }
    }
}

/// A longer word is not kept by tables.
const LONGEST_REMEMBERED: usize = 1024;

/// A longer word often leads by too little to be the same everywhere.
const LONGEST_TWICE: usize = 64;

/// The most characters but one that a number beyond the vocabulary stands for; a word that is remembered has no more.
const LONGEST_RUN: u32 = LONGEST_REMEMBERED as u32;

/// Vocabularies of so many pieces have no numbers for runs, which tables keep in 24 bits.
const MOST_WITH_RUNS: u32 = 0xFF_FF00;

fn characters(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

/// Beyond this score sentencepiece begins to count anew.
const RESET: f64 = 100_000.0;

/// What one addition of 32 bits can be off by, where sums stay below 2^17.
const ROUNDING: f64 = 1.0 / 256.0;

impl AnyWeights {
    /// Scores of all pieces, of which those in `texts`, with their ids, are found in text.
    fn new(pieces: &[Piece], texts: &[(&[u8], u32)], options: &UnigramOptions) -> Self {
        let unknown_id = options.unk_id.unwrap_or(NO_ID);
        match options.rule {
            Rule::Tokenizers => {
                let lowest = pieces.iter().map(|piece| piece.score).fold(f64::INFINITY, f64::min);
                let by_id = pieces.iter().map(|piece| piece.score).collect();
                Self::Double(Weights::new(texts, by_id, lowest - UNKNOWN_PENALTY, unknown_id))
            }
            Rule::SentencePiece => {
                let normal = pieces.iter().filter(|piece| piece.kind == PieceKind::Normal);
                let lowest = normal.map(|piece| piece.score as f32).fold(f32::MAX, f32::min);
                let unknown = lowest - UNKNOWN_PENALTY as f32;
                let weight = |piece: &Piece| match piece.kind {
                    PieceKind::UserDefined => (0.1 * (piece.text.len() as f64 - 1.0)) as f32,
                    PieceKind::Unknown => unknown,
                    PieceKind::Byte if piece.byte().is_some_and(|byte| byte & 0xC0 != 0x80) => unknown,
                    PieceKind::Byte => 0.0,
                    _ => piece.score as f32,
                };
                Self::Single(Weights::new(texts, pieces.iter().map(weight).collect(), unknown, unknown_id))
            }
        }
    }

    /// Gives lengths and ids of the entries that `text` begins with, shortest first.
    fn for_prefixes(&self, text: &[u8], take: impl FnMut((usize, u32))) {
        match self {
            Self::Double(weights) => weights.trie.prefixes(text).for_each(take),
            Self::Single(weights) => weights.trie.prefixes(text).for_each(take),
        }
    }

    fn largest(&self) -> f64 {
        match self {
            Self::Double(weights) => weights.largest(),
            Self::Single(weights) => weights.largest(),
        }
    }
}

/// The vocabulary of a list of pieces. Of equal texts, the one that may be found in text has the name, else the last.
fn vocabulary(pieces: &[Piece], blanks: bool) -> Result<Vocab> {
    let found = |piece: &Piece| matches!(piece.kind, PieceKind::Normal | PieceKind::UserDefined | PieceKind::Unused);
    // Without a piece of its own a blank would be unknown, and not fall back to the bytes of `▁`.
    let known = pieces.iter().any(|piece| found(piece) && piece.kind != PieceKind::Unused && piece.text == "\u{2581}");
    let blanks = blanks && known && !pieces.iter().any(|piece| piece.text.contains(' '));
    let spelling = if blanks { Spelling::Metaspace } else { Spelling::Plain };
    let mut vocab = Vocab::with_capacity(spelling, pieces.len());
    // As a rule all texts are distinct.
    if (0..).zip(pieces).all(|(id, piece)| vocab.insert_spelled(id, &piece.text).is_ok()) {
        return Ok(vocab);
    }
    let mut owners: HashMap<&str, usize> = HashMap::with_capacity(pieces.len());
    for (id, piece) in pieces.iter().enumerate() {
        let owner = owners.entry(&piece.text).or_insert(id);
        if found(piece) || !found(&pieces[*owner]) {
            *owner = id;
        }
    }
    vocab = Vocab::with_capacity(spelling, pieces.len());
    for (id, piece) in pieces.iter().enumerate() {
        if owners[piece.text.as_str()] == id {
            vocab.insert_spelled(id as u32, &piece.text)?;
        } else {
            vocab.insert_shadowed(id as u32, &piece.text)?;
        }
    }
    Ok(vocab)
}

/// Whether words can be cut: the blank is found in text, and no text that is found has one behind another character.
fn has_words(vocab: &Vocab, found: &[(&[u8], u32)]) -> bool {
    let has_inner = |text: &[u8]| {
        let begun = text.iter().take_while(|byte| **byte == b' ').count();
        memchr::memchr(b' ', &text[begun..]).is_some()
    };
    vocab.spelling() == Spelling::Metaspace
        && found.iter().any(|(text, _)| *text == b" ")
        && !found.iter().any(|(text, _)| has_inner(text))
}
