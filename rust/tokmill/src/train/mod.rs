//! Training: from a corpus to a vocabulary and merges.
//!
//! Two steps that know nothing of each other. Counting ([`Counter`]) cuts documents into pieces and counts equal
//! ones, on all threads, into [`WordCounts`], which are all that a trainer needs to know of a corpus, and which add
//! up over machines. Training ([`train_bpe`]) turns counts into a [`Trained`] vocabulary. A [`Watch`] sees how far
//! either has come and may stop it.
//!
//! ```
//! use tokmill::train::{BpeTrainerOptions, WordCounts, train_bpe};
//!
//! let mut counts = WordCounts::new();
//! for word in ["low", "lower", "lowest"] {
//!     counts.add(word.as_bytes(), 1)?;
//! }
//! let options = BpeTrainerOptions { vocab_size: 258, ..BpeTrainerOptions::default() };
//! let trained = train_bpe(&counts, &options, &())?;
//! assert_eq!(trained.vocab.key(256), Some(&b"lo"[..]));
//! assert_eq!(trained.vocab.key(257), Some(&b"low"[..]));
//! # Ok::<(), tokmill::Error>(())
//! ```

mod assemble;
mod bpe;
mod census;
mod characters;
mod checkpoint;
mod chunks;
mod count_file;
mod count_table;
mod counter;
mod counts;
mod documents;
mod entries;
mod json_lines;
mod merge_loop;
mod neighbours;
mod options;
mod pair_sketch;
mod pair_table;
mod prefetch;
mod queue;
mod replay;
mod rows;
mod run;
mod source;
mod spill;
mod splitter;
mod spool;
mod superbpe;
mod symbols;
mod trace;
pub mod unigram;
mod unpack;
mod veto;
mod watch;

pub use assemble::template;
pub use bpe::{Stop, Trained, train_bpe};
pub use characters::{CharacterTrainerOptions, train_characters};
pub use chunks::{ChunkOptions, ChunkSplit};
pub use counter::{Counter, CounterOptions};
pub use counts::WordCounts;
pub use documents::Documents;
pub use options::{AlphabetOrder, Base, BpeTrainerOptions, Checkpoint, InitialAlphabet};
pub use source::{FileOptions, Unit};
pub use splitter::Splitter;
pub use superbpe::{SuperBpeOptions, train_superbpe};
pub use trace::Trace;
pub use veto::{Veto, VetoRules};
pub use watch::{Phase, Progress, Watch};
