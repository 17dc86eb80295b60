//! Exact, fast tokenization: text and bytes to ids and back, and training.

#![deny(missing_docs)]

pub mod added_tokens;
pub mod alignment;
mod atomic_file;
pub mod byte_level;
mod chars;
pub mod decode;
pub mod encoder;
pub mod error;
pub mod format;
pub mod lengths;
pub mod memory;
pub mod merges;
pub mod model;
pub mod normalize;
pub mod parallel;
pub mod pieces;
pub mod pretokenize;
pub mod ragged;
pub mod random;
mod regex;
pub mod template;
pub mod tokenizer;
pub mod train;
mod trie;
pub mod vocab;

pub use added_tokens::AddedToken;
pub use decode::DecodeStream;
pub use error::{Error, Result};
pub use ragged::{Ragged, RaggedView, Side};
pub use tokenizer::{AllowedSpecial, EncodeOptions, OffsetUnit, Offsets, Parts, Tokenizer, Truncation};
