//! What a Unigram training run is told.

use crate::error::{Error, Result};

/// What is done to a text before it is segmented.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TextRules {
    /// How characters are unified.
    pub normalization: Normalization,
    /// Put a blank before a text that begins with none.
    pub add_dummy_prefix: bool,
    /// Drop blanks at the ends of a text and all but one of neighbouring ones.
    pub remove_extra_whitespaces: bool,
}

impl Default for TextRules {
    fn default() -> Self {
        Self { normalization: Normalization::default(), add_dummy_prefix: true, remove_extra_whitespaces: true }
    }
}

/// How characters are unified before training and encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Normalization {
    /// Not at all.
    Identity,
    /// Unicode normalisation form C.
    Nfc,
    /// Unicode normalisation form KC.
    Nfkc,
    /// The clean-up of Google's NMT, which drops control characters and makes blanks of white space, and form KC.
    #[default]
    NmtNfkc,
}

impl Normalization {
    /// All of them with their names, which are sentencepiece's where it has them.
    pub const NAMED: [(&str, Self); 4] =
        [("identity", Self::Identity), ("nfc", Self::Nfc), ("nfkc", Self::Nfkc), ("nmt_nfkc", Self::NmtNfkc)];

    /// The normalisation of this name.
    pub fn named(name: &str) -> Result<Self> {
        let found = Self::NAMED.iter().find(|(other, _)| *other == name);
        found.map(|&(_, normalization)| normalization).ok_or_else(|| {
            let names = Self::NAMED.map(|(name, _)| name).join(", ");
            Error::option("normalization", format!("{name:?} is none of {names}"))
        })
    }
}

/// How the vocabulary is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// As sentencepiece: expectation maximisation, and removal of the pieces whose loss lowers the likelihood least.
    #[default]
    Em,
    /// Expectation maximisation, and removal of the pieces with the lowest scores (Final-Style Pruning).
    ScorePruning,
    /// Pieces of byte-pair merging that the shortest segmentations use most; the result segments into as few tokens as
    /// it can (MinGram).
    MinGram,
}

impl Method {
    /// In how many steps a score goes from one to the next integer. The scores of `MinGram` are larger, and sums of them
    /// stay exact in single precision with fewer.
    pub(super) fn steps(self) -> f64 {
        if self == Self::MinGram { 256.0 } else { 1024.0 }
    }

    /// The method of this name, `em`, `score_pruning` or `mingram`.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "em" => Ok(Self::Em),
            "score_pruning" => Ok(Self::ScorePruning),
            "mingram" => Ok(Self::MinGram),
            _ => Err(Error::option("method", format!("{name:?} is none of \"em\", \"score_pruning\", \"mingram\""))),
        }
    }
}

/// Which strings may be pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceRules {
    /// Characters of a piece at the most, up to [`MAX_PIECE_CHARS`].
    pub max_piece_chars: usize,
    /// A piece holds characters of one script only; kana count as Han, and marks go with any script.
    pub split_by_unicode_script: bool,
    /// Digits have a script of their own kind, that of punctuation, and do not stand together with letters.
    pub split_by_number: bool,
    /// Each digit is a piece of its own.
    pub split_digits: bool,
    /// The sign for a blank begins a piece or is in none: words are not joined.
    pub split_by_whitespace: bool,
}

/// The longest pieces that can be asked for, in characters.
pub const MAX_PIECE_CHARS: usize = 32;

/// The most seeds that can be asked for.
pub const MAX_SEEDS: usize = 1 << 26;

impl Default for PieceRules {
    fn default() -> Self {
        Self {
            max_piece_chars: 16,
            split_by_unicode_script: true,
            split_by_number: true,
            split_digits: false,
            split_by_whitespace: true,
        }
    }
}

/// Options of [`train_unigram`](super::train_unigram). Names and defaults are sentencepiece's where it has them.
#[derive(Clone, Debug, PartialEq)]
pub struct UnigramTrainerOptions {
    /// Entries in all, exactly: special and user-defined ones, bytes, and pieces.
    pub vocab_size: usize,
    /// How the vocabulary is found.
    pub method: Method,
    /// The token for what cannot be encoded; it has id 0.
    pub unk_token: String,
    /// Tokens that no text yields, with the ids after that of `unk_token`, in this order.
    pub control_tokens: Vec<String>,
    /// Tokens that are cut out of any text as they are, with the ids after those of `control_tokens`.
    pub user_defined_tokens: Vec<String>,
    /// An entry for each byte, so that any text can be encoded.
    pub byte_fallback: bool,
    /// The most frequent characters that make up this share of the text are pieces; others are never in one.
    pub character_coverage: f64,
    /// Characters that are pieces whether they are frequent or not.
    pub required_chars: String,
    /// Which strings may be pieces.
    pub rules: PieceRules,
    /// Pieces to begin with, besides the characters.
    pub seed_size: usize,
    /// The share of pieces that a round of pruning leaves.
    pub shrinking_factor: f64,
    /// What pruning by likelihood gives for a shorter segmentation: it takes a token more for a loss of so many nats.
    /// 0 is what sentencepiece does.
    pub token_cost: f64,
    /// Steps of expectation maximisation before each round of pruning.
    pub sub_iterations: usize,
    /// Threads; `None` is as many as the work is worth. The result does not depend on it.
    pub threads: Option<usize>,
    /// Bytes of memory, the counts included, beyond which the run is refused before it begins.
    pub memory_limit: Option<usize>,
}

impl Default for UnigramTrainerOptions {
    fn default() -> Self {
        Self {
            vocab_size: 32_000,
            method: Method::default(),
            unk_token: "<unk>".to_owned(),
            control_tokens: vec!["<s>".to_owned(), "</s>".to_owned()],
            user_defined_tokens: Vec::new(),
            byte_fallback: true,
            character_coverage: 0.9995,
            required_chars: String::new(),
            rules: PieceRules::default(),
            seed_size: 1_000_000,
            shrinking_factor: 0.75,
            token_cost: 8.0,
            sub_iterations: 2,
            threads: None,
            memory_limit: None,
        }
    }
}
