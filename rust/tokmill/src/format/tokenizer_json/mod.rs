//! `tokenizer.json` of Hugging Face tokenizers, version 1.0, as release 0.23 reads and writes it.
//!
//! Two rules of that format are easily missed. The `id` of an added token is not honoured: tokens are added in the
//! order of the file, each with the id its content already has, else with the next free one. And a pair that is
//! listed twice among the merges has the later rank. Fields that are not known are passed over, components that are
//! not known are refused by name.

mod bpe;
mod component;
mod components;
mod decoders;
mod dialect;
mod normalizers;
mod read;
mod stages;
mod stream;
mod unigram;
mod version2;
mod words;
mod write;

pub use component::{normalizer, pretokenizer};
pub(crate) use dialect::to_oniguruma;
pub(crate) use read::parts;
pub(crate) use stages::Stages;
pub(crate) use stream::{MergeEntries, VocabEntries, vocabulary};
pub(crate) use write::write;
