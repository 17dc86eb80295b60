//! Offsets: where each id came from in the original text.

use std::ops::Range;

use super::encode::Target;
use super::join::Join;
use super::{EncodeOptions, Tokenizer};
use crate::alignment::Alignment;
use crate::decode::Decoder;
use crate::encoder::{Encoder, Sink};
use crate::error::Result;
use crate::model::Model;
use crate::pieces::PieceKind;
use crate::ragged::Ragged;
use crate::template::Place;
use crate::vocab::{Spelling, Vocab, byte_level_char};

/// What offsets count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OffsetUnit {
    /// Unicode scalars; a token that holds part of a character spans all of it (as in tokenizers).
    #[default]
    Char,
    /// Bytes of UTF-8, exact: the spans of a byte-level model partition the text.
    Byte,
}

/// Begin and end of each id in the original text; `[0, 0]` for ids that stand for no text.
pub type Offsets = Vec<[i64; 2]>;

/// Collects pieces and what leads from them back to the text; spans are made afterwards.
#[derive(Debug, Default)]
pub(super) struct Spans {
    pub(super) ids: Vec<u32>,
    /// Which bytes of its piece each id stands for.
    ranges: Vec<Range<usize>>,
    /// Pieces and added tokens: range in the text entered last, where its ids end, and which entry it belongs to.
    marks: Vec<Mark>,
    entries: Vec<(usize, Option<Alignment>)>,
    words: Words,
}

#[derive(Debug)]
struct Mark {
    range: Range<usize>,
    ids_end: usize,
    entry: usize,
    /// Of an added token, the white space at its ends as it was found.
    added: Option<(i64, i64)>,
    /// The number of the piece in the whole text, added tokens counted too.
    word: u32,
}

/// Numbers pieces, whether they come whole or in parts.
#[derive(Debug, Default)]
struct Words {
    /// Those before the block.
    done: u32,
    /// Where the pieces of the block end.
    ends: Vec<usize>,
    /// How many of them are behind.
    passed: usize,
}

impl Words {
    fn block(&mut self, ends: impl Iterator<Item = usize>) {
        self.done += self.ends.len() as u32;
        self.ends.clear();
        self.ends.extend(ends);
        self.passed = 0;
    }

    /// The number of the piece that has a part at `begin`.
    fn at(&mut self, begin: usize) -> u32 {
        while self.ends.get(self.passed).is_some_and(|&end| end <= begin) {
            self.passed += 1;
        }
        self.done + self.passed as u32
    }

    /// The number of an added token.
    fn token(&mut self) -> u32 {
        self.block(std::iter::empty());
        self.done += 1;
        self.done - 1
    }
}

impl Sink for Spans {
    const BY_PIECE: bool = true;

    fn pieces(&mut self, base: usize, ends: &[(u32, u32)], one: bool) {
        match one {
            true if self.words.ends.is_empty() => self.words.block(std::iter::once(usize::MAX)),
            true => {}
            false => self.words.block(ends.iter().map(|&(_, end)| base + end as usize)),
        }
    }

    fn ids(&mut self, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
    }

    fn piece(&mut self, model: &Model, piece: &[u8], begin: usize, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
        model.spans(piece, ids, &mut self.ranges);
        let word = self.words.at(begin);
        self.mark(begin..begin + piece.len(), None, word);
    }
}

impl Spans {
    fn mark(&mut self, range: Range<usize>, added: Option<(i64, i64)>, word: u32) {
        let entry = self.entries.len() - 1;
        self.marks.push(Mark { range, ids_end: self.ids.len(), entry, added, word });
    }

    /// Which bytes of the last piece each of its ids stands for, `count` of them.
    pub(super) fn last_ranges(&self, count: usize) -> &[Range<usize>] {
        &self.ranges[self.ranges.len() - count..]
    }

    /// The number of each id's piece in the text, added tokens counted too.
    pub(super) fn words(&self) -> impl Iterator<Item = u32> {
        let begins = std::iter::once(0).chain(self.marks.iter().map(|mark| mark.ids_end));
        begins.zip(&self.marks).flat_map(|(begin, mark)| std::iter::repeat_n(mark.word, mark.ids_end - begin))
    }
}

impl Target for Spans {
    const ALIGNED: bool = true;

    fn enter(&mut self, base: usize, alignment: Option<Alignment>) {
        self.entries.push((base, alignment));
        self.words.block(std::iter::empty());
    }

    fn token(&mut self, id: u32, range: Range<usize>, found: &[u8], marks: bool) {
        self.ids.push(id);
        self.ranges.push(0..range.len());
        let word = self.words.token();
        self.mark(range, Some(white_space_around(found, marks)), word);
    }
}

impl Join for Spans {
    fn join(&mut self, next: &mut Self) {
        let (ids, entries) = (self.ids.len(), self.entries.len());
        self.words.block(std::iter::empty());
        next.words.block(std::iter::empty());
        let words = self.words.done;
        self.words.done += std::mem::take(&mut next.words.done);
        self.ids.append(&mut next.ids);
        self.ranges.append(&mut next.ranges);
        self.entries.append(&mut next.entries);
        self.marks.extend(next.marks.drain(..).map(|mark| Mark {
            ids_end: mark.ids_end + ids,
            entry: mark.entry + entries,
            word: mark.word + words,
            ..mark
        }));
    }
}

/// An id's place in the text, in bytes, and how much white space its spelling begins and ends with.
struct Placed {
    bytes: Range<usize>,
    leading: i64,
    trailing: i64,
}

impl Tokenizer {
    /// The ids of `text` and where each came from.
    pub fn encode_with_offsets(
        &self,
        text: &[u8],
        unit: OffsetUnit,
        options: &EncodeOptions,
    ) -> Result<(Vec<u32>, Offsets)> {
        let mut rows = Rows::default();
        self.pool.with(&self.model, |encoder| self.row_with_offsets(text, unit, options, encoder, &mut rows))?;
        Ok((rows.ids.into_parts().0, rows.offsets))
    }

    /// Ids and offsets, one row a text; `offsets[i]` belongs to `ids.values()[i]`.
    pub fn encode_batch_with_offsets<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
        unit: OffsetUnit,
        options: &EncodeOptions,
    ) -> Result<(Ragged<u32>, Offsets)> {
        let row = |index: usize, encoder: &mut Encoder, rows: &mut Rows| {
            self.row_with_offsets(texts[index].as_ref(), unit, options, encoder, rows)
        };
        let all = self.for_runs(texts.len(), |index| texts[index].as_ref().len(), options.threads, row)?;
        Ok((all.ids, all.offsets))
    }

    fn row_with_offsets(
        &self,
        text: &[u8],
        unit: OffsetUnit,
        options: &EncodeOptions,
        encoder: &mut Encoder,
        rows: &mut Rows,
    ) -> Result<()> {
        let mut spans = Spans::default();
        self.walk(text, options, encoder, &mut spans)?;
        let placed = self.place(&spans);
        let mut position = Position::new(text, unit);
        let mut offsets: Offsets = placed.iter().map(|place| position.span(&place.bytes)).collect();
        for trim in self.layouts.trims() {
            for (index, (span, place)) in offsets.iter_mut().zip(&placed).enumerate() {
                *span = trim.apply(*span, place.leading, place.trailing, index == 0);
            }
        }
        if options.add_special_tokens {
            for place in self.layouts.places(false) {
                match place {
                    Place::Text { .. } => {
                        rows.ids.values_mut().extend_from_slice(&spans.ids);
                        rows.offsets.extend_from_slice(&offsets);
                    }
                    Place::Special { ids, .. } => {
                        rows.ids.values_mut().extend_from_slice(ids);
                        rows.offsets.extend(ids.iter().map(|_| [0, 0]));
                    }
                }
            }
        } else {
            rows.ids.values_mut().extend(spans.ids);
            rows.offsets.extend(offsets);
        }
        rows.ids.end_row();
        Ok(())
    }

    /// The bytes of each id, and the white space that its spelling begins and ends with.
    fn place(&self, spans: &Spans) -> Vec<Placed> {
        let vocab = self.model.vocab();
        let trims = !self.layouts.trims().is_empty();
        let mut placed = Vec::with_capacity(spans.ids.len());
        self.each_place(spans, |index, bytes, added| {
            let (leading, trailing) = match added {
                _ if !trims => (0, 0),
                Some(around) => around,
                None => vocab_space(vocab, spans.ids[index]),
            };
            placed.push(Placed { bytes, leading, trailing });
        });
        placed
    }

    /// Calls `visit` with the number of each id, its bytes, and the white space at the ends of an added token: inside a
    /// piece, ids follow one another.
    pub(super) fn each_place(&self, spans: &Spans, mut visit: impl FnMut(usize, Range<usize>, Option<(i64, i64)>)) {
        let fallback_bytes = match (&self.decoder, &self.model) {
            (Decoder::SentencePiece(decoder), Model::Bpe(_)) => Some(decoder.kinds.as_slice()),
            _ => None,
        };
        let mut done = 0;
        for mark in &spans.marks {
            let (base, alignment) = &spans.entries[mark.entry];
            let original = |range: Range<usize>| match alignment {
                None => base + range.start..base + range.end,
                Some(alignment) => {
                    let range = alignment.original(range);
                    base + range.start..base + range.end
                }
            };
            if mark.added.is_some() {
                visit(done, original(mark.range.clone()), mark.added);
                done += 1;
                continue;
            }
            for index in done..mark.ids_end {
                let Range { start, end } = match fallback_bytes {
                    Some(kinds) => self.of_character(kinds, spans, index),
                    None => spans.ranges[index].clone(),
                };
                visit(index, original(mark.range.start + start..mark.range.start + end), None);
            }
            done = mark.ids_end;
        }
    }
}

impl Tokenizer {
    /// The bytes that an id stands for where bytes leave their character to the last of them, as in sentencepiece.
    fn of_character(&self, kinds: &[PieceKind], spans: &Spans, index: usize) -> Range<usize> {
        let range = spans.ranges[index].clone();
        let byte = |index: usize| {
            let id = spans.ids.get(index).copied().filter(|&id| kinds.get(id as usize) == Some(&PieceKind::Byte))?;
            self.token_bytes(id)?.first().copied()
        };
        let is_inner = |byte: u8| byte & 0xC0 == 0x80;
        let Some(own) = byte(index) else { return range };
        let before = (0..4).find(|&back| index < back || byte(index - back).is_none_or(|byte| !is_inner(byte)));
        let begin = range.start - before.unwrap_or_default();
        let is_last = match before {
            Some(0) => own < 0x80,
            Some(back) => byte(index - back).is_some_and(|lead| lead.leading_ones() as usize == back + 1),
            None => false,
        };
        if is_last { begin..range.end } else { begin..begin }
    }
}

#[derive(Debug, Default)]
struct Rows {
    ids: Ragged<u32>,
    offsets: Offsets,
}

impl Join for Rows {
    fn join(&mut self, next: &mut Self) {
        self.ids.join(&mut next.ids);
        self.offsets.join(&mut next.offsets);
    }
}

/// Number of white-space characters that an entry is spelled with at the beginning and the end.
fn vocab_space(vocab: &Vocab, id: u32) -> (i64, i64) {
    let key = vocab.key(id).unwrap_or_default();
    match vocab.spelling() {
        Spelling::ByteLevel => {
            let blank = |byte: &&u8| **byte == b' ';
            (key.iter().take_while(blank).count() as i64, key.iter().rev().take_while(blank).count() as i64)
        }
        // A blank is written U+2581 there, which is no white space.
        Spelling::Metaspace if key.first() != Some(&b' ') && key.last() != Some(&b' ') => {
            white_space_around(key, false)
        }
        Spelling::Metaspace => white_space_around(vocab.spelled(id).unwrap_or_default().as_bytes(), false),
        Spelling::Plain | Spelling::Latin1 => white_space_around(key, false),
    }
}

/// Number of white-space characters at the beginning and the end; tokenizers counts the blank of byte-level spellings
/// among them, and a blank that stands for U+2581 not.
fn white_space_around(bytes: &[u8], blanks_are_marks: bool) -> (i64, i64) {
    let text = String::from_utf8_lossy(bytes);
    let space = |c: &char| match *c {
        ' ' => !blanks_are_marks,
        c => c.is_whitespace() || c == byte_level_char(b' '),
    };
    (text.chars().take_while(space).count() as i64, text.chars().rev().take_while(space).count() as i64)
}

/// Turns byte ranges into offsets of the unit asked for.
pub(super) enum Position<'t> {
    /// Bytes, or a text in which they are characters.
    Same,
    /// Valid UTF-8: a place whose number of characters before it is known, moved to where it is needed.
    Moving { text: &'t [u8], byte: usize, chars: usize },
    /// Anything else: the number of the character that each byte belongs to.
    Table(Vec<usize>),
}

impl<'t> Position<'t> {
    pub(super) fn new(text: &'t [u8], unit: OffsetUnit) -> Self {
        if unit == OffsetUnit::Byte || text.is_ascii() {
            return Self::Same;
        }
        if std::str::from_utf8(text).is_ok() {
            return Self::Moving { text, byte: 0, chars: 0 };
        }
        let mut table = Vec::with_capacity(text.len());
        let mut number = 0;
        for chunk in text.utf8_chunks() {
            for c in chunk.valid().chars() {
                table.extend(std::iter::repeat_n(number, c.len_utf8()));
                number += 1;
            }
            for _ in chunk.invalid() {
                table.push(number);
                number += 1;
            }
        }
        Self::Table(table)
    }

    pub(super) fn span(&mut self, bytes: &Range<usize>) -> [i64; 2] {
        let (begin, end) = match self {
            Self::Same => (bytes.start, bytes.end),
            _ if bytes.is_empty() => {
                let at = self.char_at(bytes.start);
                (at, at)
            }
            _ => (self.char_at(bytes.start), self.char_at(bytes.end - 1) + 1),
        };
        [begin as i64, end as i64]
    }

    /// The number of the character that a byte belongs to.
    fn char_at(&mut self, at: usize) -> usize {
        match self {
            Self::Same => at,
            Self::Table(table) => table.get(at).copied().unwrap_or_else(|| table.last().map_or(0, |last| last + 1)),
            Self::Moving { text, byte, chars } => {
                let begins = |byte: &&u8| **byte & 0xC0 != 0x80;
                // Back to the begin of the character, so that it is not counted as standing before `at`.
                let mut at = at;
                while at > 0 && at < text.len() && text[at] & 0xC0 == 0x80 {
                    at -= 1;
                }
                if at >= *byte {
                    *chars += text[*byte..at].iter().filter(begins).count();
                } else {
                    *chars -= text[at..*byte].iter().filter(begins).count();
                }
                *byte = at;
                *chars
            }
        }
    }
}
