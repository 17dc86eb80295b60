//! SentencePiece models (`.model`), as release 0.2.3 reads them.
//!
//! Control and unknown pieces become special tokens, which text yields only where the caller allows it; everything else
//! is the model's own, also user-defined symbols. What the library refuses is refused here, and the models of words, which
//! nobody publishes, by name. Those of characters are BPE models without merges, and are written as such.

mod bpe;
mod proto;
mod read;
mod wire;
mod write;

pub(super) use bpe::model as bpe_model;
pub(super) use read::parts;
pub(super) use write::to_bytes;
