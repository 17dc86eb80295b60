//! What a tokenizer.json says about the lengths of rows: its `truncation` and `padding`.
//!
//! The calls of this crate take lengths as arguments and never act on these settings. They are kept so that a file
//! keeps them when it is saved again, and for callers that follow tokenizers, where they act by default.

use crate::ragged::Side;

/// The stored settings of a file; none of them where the file has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lengths {
    /// How rows are cut to length.
    pub truncation: Option<StoredTruncation>,
    /// How rows are filled up.
    pub padding: Option<StoredPadding>,
}

/// The `truncation` of a tokenizer.json.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTruncation {
    /// Where ids are cut away.
    pub direction: Side,
    /// Ids of a row at the most.
    pub max_length: u64,
    /// Which sequence of a pair is cut.
    pub strategy: TruncationStrategy,
    /// How many ids overflowing rows share.
    pub stride: u64,
}

/// Which sequence of a pair is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TruncationStrategy {
    /// The longer one first.
    LongestFirst,
    /// The first one only.
    OnlyFirst,
    /// The second one only.
    OnlySecond,
}

/// The `padding` of a tokenizer.json.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPadding {
    /// The length of every row; `None` is that of the longest row of the batch.
    pub length: Option<u64>,
    /// Where padding is added.
    pub direction: Side,
    /// Round the length up to a multiple of this.
    pub pad_to_multiple_of: Option<u64>,
    /// The id that is added.
    pub pad_id: u32,
    /// Its type id.
    pub pad_type_id: u32,
    /// Its token.
    pub pad_token: String,
}
