//! The walk from text to ids: added tokens, normaliser, pretokenizer, model, template.

use std::borrow::Cow;
use std::ops::Range;

use simdutf8::compat::from_utf8;

use super::join::Join;
use super::{EncodeOptions, Tokenizer, Truncation};
use crate::added_tokens::{Round, Segment};
use crate::alignment::Alignment;
use crate::encoder::{Encoder, Sink};
use crate::error::{Error, Result};
use crate::memory;
use crate::parallel;
use crate::ragged::{Ragged, Side};
use crate::template::Place;

/// Takes what the walk finds, in the order of the text.
pub(super) trait Target: Sink + Join {
    /// Whether [`Self::enter`] wants alignments.
    const ALIGNED: bool;

    /// The pieces that follow are of the text at byte `base`; where it was rewritten, `alignment` leads back.
    fn enter(&mut self, base: usize, alignment: Option<Alignment>);

    /// An added token that takes `range` of the text entered last, where it is found as `found`. A blank of it stands
    /// for U+2581 where `marks`.
    fn token(&mut self, id: u32, range: Range<usize>, found: &[u8], marks: bool);

    /// Makes room for about so many ids.
    fn expect(&mut self, _ids: usize) {}
}

impl Target for Vec<u32> {
    const ALIGNED: bool = false;

    fn enter(&mut self, _base: usize, _alignment: Option<Alignment>) {}

    fn token(&mut self, id: u32, _range: Range<usize>, _found: &[u8], _marks: bool) {
        memory::append(self, &[id]);
    }

    fn expect(&mut self, ids: usize) {
        memory::grow(self, ids);
    }
}

impl Target for usize {
    const ALIGNED: bool = false;

    fn enter(&mut self, _base: usize, _alignment: Option<Alignment>) {}

    fn token(&mut self, _id: u32, _range: Range<usize>, _found: &[u8], _marks: bool) {
        *self += 1;
    }
}

impl Tokenizer {
    /// The ids of `text`.
    pub fn encode(&self, text: &[u8], options: &EncodeOptions) -> Result<Vec<u32>> {
        self.encode_pair(text, None, None, options)
    }

    /// The ids of a text, or of a pair of texts laid out by the template, cut to length.
    pub fn encode_pair(
        &self,
        text: &[u8],
        pair: Option<&[u8]>,
        truncation: Option<Truncation>,
        options: &EncodeOptions,
    ) -> Result<Vec<u32>> {
        if pair.is_none() && truncation.is_none() && !options.add_special_tokens {
            let mut ids = Vec::new();
            ids.expect(self.pool.expected_ids(text.len()));
            self.pool.with(&self.model, |encoder| self.walk(text, options, encoder, &mut ids))?;
            self.pool.note_ids(text.len(), ids.len());
            return Ok(ids);
        }
        let mut ids = Vec::new();
        self.pool
            .with(&self.model, |encoder| self.encode_row(text, pair, truncation, options, encoder, &mut ids, None))?;
        Ok(ids)
    }

    /// The ids of a text or a pair, and the type id of each, as the post-processor has them.
    pub fn encode_with_type_ids(
        &self,
        text: &[u8],
        pair: Option<&[u8]>,
        truncation: Option<Truncation>,
        options: &EncodeOptions,
    ) -> Result<(Vec<u32>, Vec<u32>)> {
        let (mut ids, mut types) = (Vec::new(), Vec::new());
        self.pool.with(&self.model, |encoder| {
            self.encode_row(text, pair, truncation, options, encoder, &mut ids, Some(&mut types))
        })?;
        Ok((ids, types))
    }

    /// Rows as [`Self::encode_batch`] has them, and rows of the type ids.
    pub fn encode_batch_with_type_ids<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
        pairs: Option<&[T]>,
        truncation: Option<Truncation>,
        options: &EncodeOptions,
    ) -> Result<(Ragged<u32>, Ragged<u32>)> {
        let row = |text: &[u8], pair: Option<&[u8]>, alone: &EncodeOptions, encoder: &mut Encoder, rows: &mut Typed| {
            let Typed(ids, types) = rows;
            let types = Some(types.values_mut());
            self.encode_row(text, pair, truncation, alone, encoder, ids.values_mut(), types)?;
            rows.0.end_row();
            rows.1.end_row();
            Ok(())
        };
        let Typed(ids, types) = self.encode_rows(texts, pairs, options, row)?;
        Ok((ids, types))
    }

    /// One row of ids a text (a pair of texts where `pairs` is given, one for each text).
    pub fn encode_batch<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
        pairs: Option<&[T]>,
        truncation: Option<Truncation>,
        options: &EncodeOptions,
    ) -> Result<Ragged<u32>> {
        if pairs.is_none() && truncation.is_none() && !options.add_special_tokens {
            let bytes = |index: usize| texts[index].as_ref().len();
            let room = |bytes, rows: &mut Ragged<u32>| rows.values_mut().expect(self.pool.expected_ids(bytes));
            let rows = self.for_runs_of(texts.len(), bytes, options.threads, room, |run, encoder, rows| {
                self.encode_documents(texts[run].iter().map(AsRef::as_ref), options, encoder, |ids| {
                    memory::append(rows.values_mut(), ids);
                    rows.end_row();
                })
            })?;
            self.pool.note_ids((0..texts.len()).map(bytes).sum(), rows.values().len());
            return Ok(rows);
        }
        let row =
            |text: &[u8], pair: Option<&[u8]>, alone: &EncodeOptions, encoder: &mut Encoder, rows: &mut Ragged<u32>| {
                self.encode_row(text, pair, truncation, alone, encoder, rows.values_mut(), None)?;
                rows.end_row();
                Ok(())
            };
        self.encode_rows(texts, pairs, options, row)
    }

    /// Hands the ids of each text to `row`, in order, those of short texts encoded several at a time.
    fn encode_documents<'t>(
        &self,
        texts: impl Iterator<Item = &'t [u8]>,
        options: &EncodeOptions,
        encoder: &mut Encoder,
        mut row: impl FnMut(&[u32]),
    ) -> Result<()> {
        let alone = EncodeOptions { threads: Some(1), ..options.clone() };
        let mut ids = Vec::new();
        encoder.begin_documents();
        for text in texts {
            if encoder.takes_document(&self.model, text) {
                if let Some(words) = &self.words {
                    if let Some(text) = self.as_text(text, options)
                        && encoder.push_words(words, &self.model, text, &mut row)
                    {
                        continue;
                    }
                } else if let Some(text) = self.as_pieces(text, options) {
                    encoder.push_document(&self.pretokenizer, &self.model, &text, &mut row);
                    continue;
                }
            }
            self.finish_documents(encoder, &mut row);
            ids.clear();
            self.walk(text, &alone, encoder, &mut ids)?;
            row(&ids);
        }
        self.finish_documents(encoder, &mut row);
        Ok(())
    }

    fn finish_documents(&self, encoder: &mut Encoder, row: impl FnMut(&[u32])) {
        match &self.words {
            Some(words) => encoder.finish_words(words, &self.model, row),
            None => encoder.finish_documents(&self.pretokenizer, &self.model, row),
        }
    }

    /// A text without added tokens; nothing for others, and for what is no text.
    fn as_text<'t>(&self, text: &'t [u8], options: &EncodeOptions) -> Option<&'t str> {
        if !self.is_whole(Round::Raw, text, options) {
            return None;
        }
        from_utf8(text).ok()
    }

    /// Whether there is no added token in a text.
    fn is_whole(&self, round: Round, text: &[u8], options: &EncodeOptions) -> bool {
        let mut whole = true;
        let look = |segment| {
            whole &= matches!(segment, Segment::Text(range) if range.len() == text.len());
            Ok(())
        };
        self.added_tokens.segments(round, text, &options.allowed_special, look).is_ok() && whole
    }

    /// The text as the pretokenizer sees it, if the pretokenizer sees it whole and as it is after normalising; nothing
    /// for the texts that take another way, and for those that cannot be encoded.
    fn as_pieces<'t>(&self, text: &'t [u8], options: &EncodeOptions) -> Option<Cow<'t, [u8]>> {
        if self.with_blanks.is_some() || self.pretokenizer.rewrites() || self.pretokenizer.adds_prefix_space() {
            return None;
        }
        if self.model.reads_text() || self.model.first_unencodable(text).is_some() {
            return None;
        }
        if !self.is_whole(Round::Raw, text, options) {
            return None;
        }
        let normalized = match self.effective_normalizer() {
            None => Cow::Borrowed(text),
            Some(normalizer) => match normalizer.normalize(from_utf8(text).ok()?) {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            },
        };
        self.is_whole(Round::Normalized, &normalized, options).then_some(normalized)
    }

    /// Does `row` for each text, with its pair, on threads.
    fn encode_rows<T: AsRef<[u8]> + Sync, R: Join>(
        &self,
        texts: &[T],
        pairs: Option<&[T]>,
        options: &EncodeOptions,
        row: impl Fn(&[u8], Option<&[u8]>, &EncodeOptions, &mut Encoder, &mut R) -> Result<()> + Sync,
    ) -> Result<R> {
        if pairs.is_some_and(|pairs| pairs.len() != texts.len()) {
            return Err(Error::option("pairs", "must have one text for each text"));
        }
        let bytes = |index: usize| texts[index].as_ref().len() + pairs.map_or(0, |pairs| pairs[index].as_ref().len());
        let alone = EncodeOptions { threads: Some(1), ..options.clone() };
        self.for_runs(texts.len(), bytes, options.threads, |index: usize, encoder: &mut Encoder, rows: &mut R| {
            row(texts[index].as_ref(), pairs.map(|pairs| pairs[index].as_ref()), &alone, encoder, rows)
        })
    }

    /// How many ids `text` has, without building them.
    pub fn count(&self, text: &[u8], options: &EncodeOptions) -> Result<usize> {
        let mut count = if options.add_special_tokens { self.layouts.added(false) } else { 0 };
        self.pool.with(&self.model, |encoder| self.walk(text, options, encoder, &mut count))?;
        Ok(count)
    }

    /// How many ids each text has.
    pub fn count_batch<T: AsRef<[u8]> + Sync>(&self, texts: &[T], options: &EncodeOptions) -> Result<Vec<i64>> {
        let added = if options.add_special_tokens { self.layouts.added(false) } else { 0 };
        let bytes = |index: usize| texts[index].as_ref().len();
        let room = |_, _: &mut Vec<i64>| ();
        self.for_runs_of(texts.len(), bytes, options.threads, room, |run, encoder, counts| {
            let count = |ids: &[u32]| counts.push((added + ids.len()) as i64);
            self.encode_documents(texts[run].iter().map(AsRef::as_ref), options, encoder, count)
        })
    }

    /// Does `row` for each of `len` items, on threads that take runs of about equal bytes, and joins what is made of them in
    /// their order.
    pub(super) fn for_runs<R: Join>(
        &self,
        len: usize,
        bytes: impl Fn(usize) -> usize + Copy + Sync,
        threads: Option<usize>,
        row: impl Fn(usize, &mut Encoder, &mut R) -> Result<()> + Sync,
    ) -> Result<R> {
        self.for_runs_of(
            len,
            bytes,
            threads,
            |_, _| (),
            |run, encoder, result| run.into_iter().try_for_each(|index| row(index, encoder, result)),
        )
    }

    /// The same, where `work` is given a whole run at a time, after `room` has made room for what is made of so many bytes.
    /// Of several errors the first one is told.
    fn for_runs_of<R: Join>(
        &self,
        len: usize,
        bytes: impl Fn(usize) -> usize + Copy + Sync,
        threads: Option<usize>,
        room: impl Fn(usize, &mut R) + Sync,
        work: impl Fn(Range<usize>, &mut Encoder, &mut R) -> Result<()> + Sync,
    ) -> Result<R> {
        let total = (0..len).map(bytes).sum();
        let threads = parallel::threads_for(total, threads);
        let mut all = R::default();
        room(total, &mut all);
        if threads == 1 {
            return self.pool.with(&self.model, |encoder| work(0..len, encoder, &mut all)).map(|()| all);
        }
        let runs = parallel::balanced((0..len).map(bytes), parallel::parts_for(total, threads));
        self.pool.with(&self.model, |encoder| {
            self.on_threads(&runs, threads, encoder, &mut all, |run, encoder, part| {
                room(run.clone().map(bytes).sum(), part);
                work(run, encoder, part)
            })
        })?;
        Ok(all)
    }

    /// Does `work` for parts of something, on this thread with the encoder at hand and on others, and joins what is made of
    /// them to `all`. Of several errors the first one is told.
    pub(super) fn on_threads<P: Clone + Sync, R: Join>(
        &self,
        parts: &[P],
        threads: usize,
        encoder: &mut Encoder,
        all: &mut R,
        work: impl Fn(P, &mut Encoder, &mut R) -> Result<()> + Sync,
    ) -> Result<()> {
        let mut failed = None;
        parallel::in_order(
            parts,
            threads,
            encoder,
            |run| self.pool.with(&self.model, run),
            |part, encoder, (made, error)| *error = work(part, encoder, made).err(),
            |(made, error), _| {
                all.join(made);
                failed = failed.take().or(error.take());
            },
        );
        failed.map_or(Ok(()), Err)
    }

    /// Appends one row: the ids of a text or a pair, cut to length, with special tokens where asked for; and the type
    /// ids where these are wanted.
    #[allow(clippy::too_many_arguments)]
    fn encode_row(
        &self,
        text: &[u8],
        pair: Option<&[u8]>,
        truncation: Option<Truncation>,
        options: &EncodeOptions,
        encoder: &mut Encoder,
        row: &mut Vec<u32>,
        type_ids: Option<&mut Vec<u32>>,
    ) -> Result<()> {
        if pair.is_none() && truncation.is_none() && !options.add_special_tokens && type_ids.is_none() {
            return self.walk(text, options, encoder, row);
        }
        let mut first = Vec::new();
        self.walk(text, options, encoder, &mut first)?;
        let mut second = Vec::new();
        if let Some(pair) = pair {
            self.walk(pair, options, encoder, &mut second)?;
        }
        let special = options.add_special_tokens;
        if let Some(Truncation { max_length, side }) = truncation {
            let added = if special { self.layouts.added(pair.is_some()) } else { 0 };
            let room = max_length.checked_sub(added).ok_or_else(|| {
                Error::option("max_length", format!("must hold at least the {added} special tokens of a row"))
            })?;
            let (first_len, second_len) = longest_first(first.len(), second.len(), room);
            cut(&mut first, first_len, side);
            cut(&mut second, second_len, side);
        }
        let mut types = type_ids;
        for place in self.layouts.places(pair.is_some()) {
            let (ids, type_id) = match place {
                Place::Text { second: false, type_id } => (&first, type_id),
                Place::Text { second: true, type_id } => (&second, type_id),
                Place::Special { .. } if !special => continue,
                Place::Special { ids, type_id } => (ids, type_id),
            };
            row.extend_from_slice(ids);
            if let Some(types) = &mut types {
                types.extend(std::iter::repeat_n(*type_id, ids.len()));
            }
        }
        Ok(())
    }

    /// Walks a text from added tokens to ids.
    pub(super) fn walk<T: Target>(
        &self,
        text: &[u8],
        options: &EncodeOptions,
        encoder: &mut Encoder,
        target: &mut T,
    ) -> Result<()> {
        if let Some((position, byte)) = self.model.first_unencodable(text) {
            return Err(Error::UnencodableByte { byte, position });
        }
        let known = if self.model.reads_text() { Some(read_text(text, 0)?) } else { None };
        self.added_tokens.segments(Round::Raw, text, &options.allowed_special, |segment| match segment {
            Segment::Token(id, range) => {
                target.enter(range.start, None);
                target.token(id, 0..range.len(), &text[range], false);
                Ok(())
            }
            Segment::Text(range) => {
                let known = known.and_then(|text| text.get(range.clone()));
                self.walk_segment(&text[range.clone()], known, range.start, options, encoder, target)
            }
        })?;
        if encoder.take_missing() {
            return Err(Error::MissingUnknown);
        }
        Ok(())
    }

    /// Walks what stands between two added tokens: normaliser and second round of added tokens. `known` is the same
    /// where it is already known to be UTF-8.
    fn walk_segment<T: Target>(
        &self,
        segment: &[u8],
        known: Option<&str>,
        base: usize,
        options: &EncodeOptions,
        encoder: &mut Encoder,
        target: &mut T,
    ) -> Result<()> {
        if let Some(words) = &self.words
            && !T::ALIGNED
            && !T::BY_PIECE
        {
            let text = known.map_or_else(|| read_text(segment, base), Ok)?;
            if words.takes(text) {
                return self.walk_words(words, text, base, options, encoder, target);
            }
        }
        self.walk_whole(segment, known, base, options, encoder, target)
    }

    /// Walks what stands between two added tokens, normalised whole.
    pub(super) fn walk_whole<T: Target>(
        &self,
        segment: &[u8],
        known: Option<&str>,
        base: usize,
        options: &EncodeOptions,
        encoder: &mut Encoder,
        target: &mut T,
    ) -> Result<()> {
        let head = if base == 0 && !segment.is_empty() { first_char_len(segment) } else { 0 };
        let mut alignment = None;
        let normalized: Cow<'_, [u8]> = match self.with_blanks.as_deref().or_else(|| self.effective_normalizer()) {
            None => Cow::Borrowed(segment),
            Some(normalizer) => {
                let text = known.map_or_else(|| read_text(segment, base), Ok)?;
                let rewritten = if T::ALIGNED || (self.pretokenizer.asks_for_start() && base == 0) {
                    let (rewritten, map) = normalizer.normalize_aligned(text);
                    alignment = Some(map);
                    rewritten
                } else {
                    normalizer.normalize(text)
                };
                match rewritten {
                    Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                    Cow::Owned(text) => Cow::Owned(text.into_bytes()),
                }
            }
        };
        target.enter(base, alignment.clone());
        if !self.added_tokens.may_match(Round::Normalized, &options.allowed_special)
            && !self.pretokenizer.adds_prefix_space()
            && !self.pretokenizer.rewrites()
        {
            self.encode_pieces(&normalized, options, encoder, target);
            return Ok(());
        }
        self.added_tokens.segments(Round::Normalized, &normalized, &options.allowed_special, |part| {
            match part {
                Segment::Token(id, range) => {
                    target.enter(base, alignment.clone());
                    let found = &normalized[range.clone()];
                    target.token(id, range, found, self.with_blanks.is_some());
                }
                Segment::Text(range) => {
                    self.walk_part(&normalized, range, base, head, alignment.as_ref(), options, encoder, target);
                }
            }
            Ok(())
        })
    }

    /// Walks a part of a normalised segment that holds no added token. The first `head` bytes of the segment, as it came,
    /// are the first character of the text.
    #[allow(clippy::too_many_arguments)]
    fn walk_part<T: Target>(
        &self,
        normalized: &[u8],
        range: Range<usize>,
        base: usize,
        head: usize,
        alignment: Option<&Alignment>,
        options: &EncodeOptions,
        encoder: &mut Encoder,
        target: &mut T,
    ) {
        let part = &normalized[range.clone()];
        if self.pretokenizer.rewrites() {
            let map = alignment.map(|alignment| alignment.part(range.clone()));
            let head = match &map {
                Some(map) => (0..part.len()).take_while(|&at| map.original(at..at + 1).start < head).count(),
                None => head.saturating_sub(range.start),
            };
            let rewritten = self.pretokenizer.rewrite(part, head, T::ALIGNED);
            if T::ALIGNED {
                let map = map.unwrap_or_else(|| Alignment::identity(normalized.len()).part(range));
                target.enter(base, rewritten.alignment.map(|rewriting| map.then(&rewriting)));
            }
            match &rewritten.blocks {
                None => self.encode_pieces(&rewritten.text, options, encoder, target),
                Some(blocks) => {
                    for block in blocks {
                        encoder.encode_block(&self.model, &rewritten.text, block, target);
                    }
                }
            }
            return;
        }
        let prefixed = self.pretokenizer.adds_prefix_space() && part[0] != b' ';
        if T::ALIGNED {
            let whole = alignment.cloned().unwrap_or_else(|| Alignment::identity(normalized.len()));
            let map = whole.part(range);
            target.enter(base, Some(if prefixed { map.prefixed(first_char_len(part)) } else { map }));
        }
        if prefixed {
            self.encode_pieces(&[b" ", part].concat(), options, encoder, target);
        } else {
            self.encode_pieces(part, options, encoder, target);
        }
    }

    /// Pretokenizes and encodes a text, on several threads where it is long and they are allowed.
    fn encode_pieces<T: Target>(&self, text: &[u8], options: &EncodeOptions, encoder: &mut Encoder, target: &mut T) {
        let threads = parallel::threads_for(text.len(), Some(options.threads.unwrap_or(1)));
        let shared = threads > 1 && !T::ALIGNED && !self.model.wants_one_encoder();
        if shared && (!self.pretokenizer.cuts_nothing() || self.model.may_cut(text)) {
            self.encode_pieces_on(threads, text, encoder, target);
        } else {
            encoder.encode(&self.pretokenizer, &self.model, text, 0, text.len(), target);
        }
    }
}

/// The text that some bytes are, which stand at byte `base` of the input.
fn read_text(bytes: &[u8], base: usize) -> Result<&str> {
    from_utf8(bytes).map_err(|error| Error::InvalidUtf8 { position: base + error.valid_up_to() })
}

fn first_char_len(text: &[u8]) -> usize {
    1 + text[1..].iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count()
}

/// Rows of ids and of their type ids.
#[derive(Default)]
struct Typed(Ragged<u32>, Ragged<u32>);

impl Join for Typed {
    fn join(&mut self, next: &mut Self) {
        self.0.join(&mut next.0);
        self.1.join(&mut next.1);
    }
}

/// How many ids of two rows to keep so that `room` suffices, taking from the longer first (tokenizers' rule).
fn longest_first(first: usize, second: usize, room: usize) -> (usize, usize) {
    if first + second <= room {
        return (first, second);
    }
    if second == 0 {
        return (room, 0);
    }
    let shorter = first.min(second);
    let mut kept = (shorter, if shorter > room { shorter } else { shorter.max(room - shorter) });
    if kept.0 + kept.1 > room {
        kept = (room / 2, room / 2 + room % 2);
    }
    if first > second { (kept.1, kept.0) } else { kept }
}

fn cut(ids: &mut Vec<u32>, len: usize, side: Side) {
    if ids.len() <= len {
        return;
    }
    match side {
        Side::Right => ids.truncate(len),
        Side::Left => drop(ids.drain(..ids.len() - len)),
    }
}
