//! Sampling: other ids for the same text, for training models that see a text cut in many ways.

use std::ops::Range;

use super::encode::Target;
use super::{EncodeOptions, Tokenizer};
use crate::alignment::Alignment;
use crate::encoder::Sink;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::bpe::Sampler;

/// Encodes pieces by a sampler.
#[derive(Debug, Default)]
struct Sampled<'b> {
    sampler: Option<Sampler<'b>>,
    ids: Vec<u32>,
}

impl Sink for Sampled<'_> {
    const BY_PIECE: bool = true;
    const ENCODED: bool = false;

    fn ids(&mut self, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
    }

    fn piece(&mut self, _model: &Model, piece: &[u8], _begin: usize, _ids: &[u32]) {
        if let Some(sampler) = &mut self.sampler {
            sampler.encode(piece, &mut self.ids);
        }
    }
}

impl Target for Sampled<'_> {
    const ALIGNED: bool = false;

    fn enter(&mut self, _base: usize, _alignment: Option<Alignment>) {}

    fn token(&mut self, id: u32, _range: Range<usize>) {
        self.ids.push(id);
    }

    fn join(&mut self, next: Self) {
        self.ids.extend(next.ids);
    }
}

impl Tokenizer {
    /// Ids of `text` by a BPE model that passes over each merge with probability `dropout`, from 0 to 1; where it is not
    /// given, that of the file (its `dropout`), which encoding never acts on. Equal seeds give equal ids. Special tokens
    /// of a template are not added. Fails for models that are not BPE.
    pub fn sample_with_dropout(
        &self,
        text: &[u8],
        dropout: Option<f32>,
        seed: u64,
        options: &EncodeOptions,
    ) -> Result<Vec<u32>> {
        let Model::Bpe(bpe) = &self.model else {
            return Err(Error::unsupported("dropout", "a model that is not BPE"));
        };
        let Some(dropout) = dropout.or(bpe.options().dropout) else {
            return Err(Error::option("dropout", "must be given, since the tokenizer's file has none"));
        };
        if !(0.0..=1.0).contains(&dropout) {
            return Err(Error::option("dropout", "must be from 0 to 1"));
        }
        let alone = EncodeOptions { threads: Some(1), ..options.clone() };
        let mut sampled = Sampled { sampler: Some(bpe.sampler(dropout, seed)), ids: Vec::new() };
        self.pool.with(&self.model, |encoder| self.walk(text, &alone, encoder, &mut sampled))?;
        Ok(sampled.ids)
    }
}
