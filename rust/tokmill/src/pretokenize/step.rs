//! The pretokenizers of tokenizer.json, as data.

/// What happens to the matches of a pattern (the `behavior` of tokenizers' `Split`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SplitBehavior {
    /// Matches are dropped.
    Removed,
    /// Each match is a piece of its own.
    Isolated,
    /// Each match ends the piece before it.
    MergedWithPrevious,
    /// Each match begins the piece after it.
    MergedWithNext,
    /// Neighbouring matches are one piece.
    Contiguous,
}

/// What a split looks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SplitPattern {
    /// A literal string.
    Literal(String),
    /// A regular expression in the syntax of tokenizer.json (Oniguruma's, as far as it is supported).
    Regex(String),
    /// A regular expression in the syntax of tiktoken (that of the `fancy-regex` crate, as far as it is supported).
    FancyRegex(String),
}

/// Where [`Step::Metaspace`] puts its replacement before a piece that does not begin with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrependScheme {
    /// Before every piece it is given.
    Always,
    /// Before the piece that begins where the original text begins.
    First,
    /// Nowhere.
    Never,
}

/// One pretokenizer of a sequence. Names and options are those of tokenizers' JSON.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// GPT-2's: an optional leading blank, GPT-2's pattern where `use_regex`, then bytes.
    ByteLevel {
        /// Put a blank before a text that does not begin with one.
        add_prefix_space: bool,
        /// Kept for the file; only post-processors act on it.
        trim_offsets: bool,
        /// Cut by GPT-2's pattern.
        use_regex: bool,
    },
    /// Cut at the matches of a pattern.
    Split {
        /// What to look for.
        pattern: SplitPattern,
        /// What becomes of the matches.
        behavior: SplitBehavior,
        /// Swap matches and the text between them.
        invert: bool,
    },
    /// A visible character for each blank, one before the text, and a piece for each: SentencePiece's way.
    Metaspace {
        /// The character.
        replacement: char,
        /// Where one is put before a piece.
        prepend_scheme: PrependScheme,
        /// Whether each begins a piece.
        split: bool,
    },
    /// Numbers (Nd, Nl, No) apart from the rest, each character on its own where `individual_digits`.
    Digits {
        /// One piece a digit.
        individual_digits: bool,
    },
    /// Runs of word characters and runs of other non-blank characters; blanks are dropped.
    Whitespace,
    /// Cut at and drop white space.
    WhitespaceSplit,
    /// Punctuation, treated as `behavior` says.
    Punctuation {
        /// What becomes of the punctuation.
        behavior: SplitBehavior,
    },
    /// Cut at and drop one character.
    CharDelimiterSplit {
        /// The character.
        delimiter: char,
    },
    /// Cut at and drop white space, then each punctuation mark on its own.
    BertPreTokenizer,
    /// Cut where the script changes. Kana count as Han, and blanks go with what precedes them.
    UnicodeScripts,
    /// Pieces of so many characters; the last may be shorter.
    FixedLength {
        /// Characters a piece, at least one.
        length: usize,
    },
}
