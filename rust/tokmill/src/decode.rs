//! From ids back to bytes and text.

/// How the tokens of a sequence become text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decoder {
    /// Bytes end to end (tokenizers' `ByteLevel`, and what tiktoken does). The flags are kept for the file.
    ByteLevel {
        /// Kept for the file.
        add_prefix_space: bool,
        /// Kept for the file.
        trim_offsets: bool,
        /// Kept for the file.
        use_regex: bool,
    },
    /// Spellings joined by blanks: what tokenizers does for a file without a decoder.
    Joined,
}
