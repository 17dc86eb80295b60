//! SentencePiece models (`.model`), as release 0.2.3 reads them.
//!
//! Control and unknown pieces become special tokens, which text yields only where the caller allows it; everything else
//! is the model's own, also user-defined symbols. What the library refuses is refused here, and the models of words and
//! of characters, which nobody publishes, by name.

mod bpe;
mod proto;
mod read;
mod wire;
mod write;

pub(super) use bpe::model as bpe_model;
pub(super) use read::parts;
pub(super) use write::to_bytes;
