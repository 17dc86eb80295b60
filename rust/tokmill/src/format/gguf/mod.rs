//! The vocabularies in GGUF files, read as llama.cpp reads them. The tensors behind them are not looked at.
//!
//! Tokens of control type become special tokens, which text yields only where the caller allows it; those that a user
//! defined are found in text before anything else. An unknown kind of model or name of a pretokenizer is refused.

mod metadata;
mod pre;
mod read;
mod tokens;

pub(super) use read::parts;
