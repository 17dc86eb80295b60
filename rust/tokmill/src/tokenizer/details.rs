//! What tokenizers' `Encoding` tells of each id beside the id: its span, the number of its piece, and the text that it was
//! found as where that is not how the vocabulary spells it.
//!
//! Spans are those before the post-processor, which is the caller's to apply, as are truncation and padding.

use std::ops::Range;

use super::encode::Target;
use super::join::Join;
use super::offsets::{Position, Spans};
use super::{EncodeOptions, OffsetUnit, Offsets, Tokenizer};
use crate::alignment::Alignment;
use crate::encoder::{Encoder, Sink};
use crate::error::Result;
use crate::model::Model;
use crate::ragged::Ragged;
use crate::vocab::Spelling;

/// The text that an id of a batch was found as: its place among all ids, and the text.
pub type Surface = (usize, String);

/// Rows of ids, and what belongs to each id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// One row of ids a text.
    pub ids: Ragged<u32>,
    /// Begin and end of each id in its text.
    pub offsets: Offsets,
    /// The number of each id's piece in its text; added tokens count as pieces, and so do pieces without ids.
    pub words: Vec<u32>,
    /// Added tokens and unknown text that are not spelled as in the vocabulary, in order.
    pub surfaces: Vec<Surface>,
}

impl Join for Details {
    fn join(&mut self, next: &mut Self) {
        let before = self.words.len();
        self.ids.join(&mut next.ids);
        self.offsets.join(&mut next.offsets);
        self.words.join(&mut next.words);
        self.surfaces.extend(next.surfaces.drain(..).map(|(at, text)| (before + at, text)));
    }
}

/// Spans, and the text of added tokens and of what the model does not know.
#[derive(Debug, Default)]
struct Found {
    spans: Spans,
    surfaces: Vec<Surface>,
}

impl Found {
    fn push(&mut self, at: usize, text: &[u8], marks: bool) {
        let text = String::from_utf8_lossy(text);
        self.surfaces.push((at, if marks { text.replace(' ', "\u{2581}") } else { text.into_owned() }));
    }
}

impl Sink for Found {
    const BY_PIECE: bool = true;

    fn pieces(&mut self, base: usize, ends: &[(u32, u32)], one: bool) {
        self.spans.pieces(base, ends, one);
    }

    fn ids(&mut self, ids: &[u32]) {
        self.spans.ids(ids);
    }

    fn piece(&mut self, model: &Model, piece: &[u8], begin: usize, ids: &[u32]) {
        self.spans.piece(model, piece, begin, ids);
        let Model::Unigram(unigram) = model else { return };
        let Some(unknown) = unigram.options().unk_id.filter(|id| ids.contains(id)) else { return };
        let marks = model.vocab().spelling() == Spelling::Metaspace;
        let before = self.spans.ids.len() - ids.len();
        for (index, _) in ids.iter().enumerate().filter(|&(_, id)| *id == unknown) {
            let range = self.spans.last_ranges(ids.len())[index].clone();
            self.push(before + index, &piece[range], marks);
        }
    }
}

impl Target for Found {
    const ALIGNED: bool = true;

    fn enter(&mut self, base: usize, alignment: Option<Alignment>) {
        self.spans.enter(base, alignment);
    }

    fn token(&mut self, id: u32, range: Range<usize>, found: &[u8], marks: bool) {
        self.push(self.spans.ids.len(), found, marks);
        self.spans.token(id, range, found, marks);
    }
}

impl Join for Found {
    fn join(&mut self, next: &mut Self) {
        let before = self.spans.ids.len();
        self.spans.join(&mut next.spans);
        self.surfaces.extend(next.surfaces.drain(..).map(|(at, text)| (before + at, text)));
    }
}

impl Tokenizer {
    /// One row of ids a text, without special tokens around it, and what belongs to each id.
    pub fn encode_batch_details<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
        unit: OffsetUnit,
        options: &EncodeOptions,
    ) -> Result<Details> {
        let row = |index: usize, encoder: &mut Encoder, rows: &mut Details| {
            self.detailed_row(texts[index].as_ref(), unit, options, encoder, rows)
        };
        self.for_runs(texts.len(), |index| texts[index].as_ref().len(), options.threads, row)
    }

    fn detailed_row(
        &self,
        text: &[u8],
        unit: OffsetUnit,
        options: &EncodeOptions,
        encoder: &mut Encoder,
        rows: &mut Details,
    ) -> Result<()> {
        let mut found = Found::default();
        self.walk(text, options, encoder, &mut found)?;
        let spans = &found.spans;
        let before = rows.words.len();
        let mut position = Position::new(text, unit);
        self.each_place(spans, |_, bytes, _| rows.offsets.push(position.span(&bytes)));
        rows.words.extend(spans.words());
        let spelled_so = |(at, text): &Surface| match self.added_tokens.get(spans.ids[*at]) {
            Some(token) => token.content == *text,
            None => self.model.vocab().spelled(spans.ids[*at]).is_some_and(|spelled| spelled == *text),
        };
        let differing = found.surfaces.iter().filter(|surface| !spelled_so(surface));
        rows.surfaces.extend(differing.map(|(at, text)| (before + at, text.clone())));
        rows.ids.values_mut().extend_from_slice(&spans.ids);
        rows.ids.end_row();
        Ok(())
    }
}
