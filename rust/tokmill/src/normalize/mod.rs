//! Normalisation of text before pretokenization, with or without a record of what came from where.

mod alignment;

pub use alignment::Alignment;

use std::borrow::Cow;

/// A normaliser of tokenizer.json. Names are those of tokenizers' JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Normalizer {
    /// Unicode normalisation form C, by the tables that tokenizers 0.23 uses.
    Nfc,
    /// One after the other; none is the identity.
    Sequence(Vec<Normalizer>),
}

impl Normalizer {
    /// The normalised text; borrowed where nothing changes.
    pub fn normalize<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let _ = text;
        todo!()
    }

    /// The normalised text and where each part of it came from.
    pub fn normalize_aligned<'t>(&self, text: &'t str) -> (Cow<'t, str>, Alignment) {
        let _ = text;
        todo!()
    }
}
