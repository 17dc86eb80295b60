//! The walk over texts that fall into words before they are normalised.

use std::sync::Arc;

use super::encode::{RUNS, Target};
use super::{EncodeOptions, Tokenizer};
use crate::encoder::{Encoder, Words};
use crate::error::Result;
use crate::parallel;

/// Bytes that are walked whole around a word that cannot be taken out of its text.
const SMALL_PART: usize = 512;

impl Tokenizer {
    /// Walks a text word by word, on several threads where it is long and they are allowed. Parts that cannot be taken out
    /// of it are walked whole.
    pub(super) fn walk_words<T: Target>(
        &self,
        words: &Arc<Words>,
        text: &str,
        base: usize,
        options: &EncodeOptions,
        encoder: &mut Encoder,
        target: &mut T,
    ) -> Result<()> {
        let alone = EncodeOptions { threads: Some(1), ..options.clone() };
        let threads = parallel::threads_for(text.len(), Some(options.threads.unwrap_or(1)));
        if threads == 1 || self.model.wants_one_encoder() {
            let mut at = encoder.encode_words(words, &self.model, text, target);
            while at < text.len() {
                let end = words.part_end(text, at, SMALL_PART);
                let part = &text[at..end];
                self.walk_whole(part.as_bytes(), Some(part), base + at, &alone, encoder, target)?;
                at = end + encoder.encode_words(words, &self.model, &text[end..], target);
            }
            return Ok(());
        }
        let walk = |part: &str, encoder: &mut Encoder, target: &mut T| {
            self.walk_words(words, part, 0, &alone, encoder, target)
        };
        let mut first = Ok(());
        let front = |part| {
            if first.is_ok() {
                first = walk(part, encoder, target);
            }
        };
        let parts = words.parts(text, text.len().div_ceil(threads * RUNS));
        let others = parallel::from_both_ends(parts, threads, front, |part| {
            let mut ids = T::default();
            ids.expect(self.pool.expected_ids(part.len()));
            self.pool.with(&self.model, |encoder| walk(part, encoder, &mut ids)).map(|()| ids)
        });
        first?;
        for ids in others {
            target.join(ids?);
        }
        Ok(())
    }
}
