//! The walk over texts that fall into words before they are normalised.

use std::sync::Arc;

use super::encode::Target;
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
        let parts = words.parts(text, text.len().div_ceil(parallel::parts_for(text.len(), threads)));
        self.on_threads(&parts, threads, encoder, target, |part, encoder, ids| {
            ids.expect(self.pool.expected_ids(part.len()));
            self.walk_words(words, part, 0, &alone, encoder, ids)
        })
    }
}
