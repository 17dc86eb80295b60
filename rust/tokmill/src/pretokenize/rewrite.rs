//! Pretokenization that rewrites text between its cuts: `Metaspace` anywhere, `ByteLevel` where something follows it or
//! where its blank is put before pieces and not before the text.
//!
//! The text is rewritten whole, one step after the other, each into a new buffer, and with it the record of what came
//! from where if somebody asks for it. That is the general way; what occurs every day has plans of its own.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::Pieces;
use super::compile::Work;
use super::split::Limit;
use super::step::PrependScheme;
use crate::alignment::Alignment;
use crate::regex::Memo;
use crate::vocab::{BLANK, byte_level_byte, byte_level_char};

/// A text as a pretokenizer leaves it.
#[derive(Debug, Default)]
pub struct Rewritten {
    /// The rewritten text.
    pub text: Vec<u8>,
    /// Its pieces, in blocks, where they are not those of [`super::Pretokenizer::fill`].
    pub blocks: Option<Vec<Pieces>>,
    /// What leads back from it to the text that came in, where it was asked for.
    pub alignment: Option<Alignment>,
}

/// How a model spells what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As the steps leave it.
    Text,
    /// As bytes: the last `ByteLevel` is undone.
    Bytes,
    /// With blanks for [`BLANK`].
    Blanks,
}

/// Steps of which some rewrite the text.
#[derive(Debug)]
pub(super) struct Rewriting {
    works: Vec<Work>,
    form: Form,
}

/// A text in the making.
struct State {
    text: Vec<u8>,
    pieces: Vec<Range<usize>>,
    alignment: Option<Alignment>,
    /// How many bytes at the begin come from the first character of the original text.
    head: usize,
}

impl Rewriting {
    /// A sequence of steps; `form` is what the model reads.
    pub(super) fn new(mut works: Vec<Work>, mut form: Form) -> Self {
        if form == Form::Bytes && matches!(works.last(), Some(Work::MapBytes)) {
            works.pop();
            form = Form::Text;
        }
        Self { works, form }
    }

    /// Runs all steps over a text that is not empty. Its first `head` bytes come from
    /// the first character of the original text.
    pub(super) fn run(&self, text: &[u8], head: usize, aligned: bool) -> Rewritten {
        let alignment = aligned.then(|| Alignment::identity(text.len()));
        let pieces = std::iter::once(0..text.len()).collect();
        let mut state = State { text: text.to_vec(), pieces, alignment, head };
        for work in &self.works {
            match work {
                Work::Cut(stage) => {
                    let mut memo = Memo::default();
                    let mut spans = Vec::new();
                    let mut pieces = Vec::new();
                    for piece in &state.pieces {
                        cut_whole(&state.text[piece.clone()], |text, from| {
                            memo.clear();
                            spans.clear();
                            let next = stage.cut(text, from, from, Limit::NONE, &mut memo, &mut spans);
                            let base = piece.start + from;
                            let ends = |&(begin, end): &(u32, u32)| base + begin as usize..base + end as usize;
                            pieces.extend(spans.iter().map(ends));
                            next
                        });
                    }
                    state.pieces = pieces;
                }
                Work::PrefixBlank => state.rewrite(prefix_blank),
                Work::MapBytes => state.rewrite(map_bytes),
                Work::Metaspace { replacement, prepend_scheme } => {
                    state
                        .rewrite(|piece, at_start, out| metaspace(*replacement, *prepend_scheme, piece, at_start, out));
                }
            }
        }
        match self.form {
            Form::Text => {}
            Form::Bytes => state.rewrite(unmap_bytes),
            Form::Blanks => state.rewrite(|piece, _, out| fold_blanks(piece, out)),
        }
        Rewritten { text: state.text, blocks: Some(blocks(&state.pieces)), alignment: state.alignment }
    }
}

/// Calls `cut` until a text is used up; it takes where to begin and gives where to go on.
fn cut_whole(text: &[u8], mut cut: impl FnMut(&[u8], usize) -> usize) {
    let mut from = 0;
    while from < text.len() {
        from = cut(&text[..super::reach(text, from)], from);
    }
}

impl State {
    /// Rewrites each piece; `rewrite` takes it and whether it begins where the original text does.
    fn rewrite(&mut self, rewrite: impl Fn(&[u8], bool, &mut Output)) {
        let mut out = Output {
            text: Vec::with_capacity(self.text.len() * 5 / 4),
            base: 0,
            alignment: self.alignment.is_some().then(Alignment::default),
            head_before: self.head,
            head: 0,
        };
        for piece in &mut self.pieces {
            let begin = out.text.len();
            out.base = piece.start;
            rewrite(&self.text[piece.clone()], piece.start < self.head, &mut out);
            *piece = begin..out.text.len();
        }
        self.head = out.head;
        self.text = out.text;
        if let (Some(before), Some(rewritten)) = (&self.alignment, &out.alignment) {
            self.alignment = Some(before.then(rewritten));
        }
    }
}

/// Where a piece is rewritten to. Positions are those in the piece.
pub(super) struct Output {
    pub(super) text: Vec<u8>,
    /// Where the piece begins in its text.
    pub(super) base: usize,
    pub(super) alignment: Option<Alignment>,
    /// How many bytes of the text that is rewritten come from the first character of the original text.
    head_before: usize,
    /// The same of what is written.
    head: usize,
}

impl Output {
    /// Copies a range of the piece.
    fn keep(&mut self, piece: &[u8], range: Range<usize>) {
        if self.base + range.start < self.head_before {
            self.head = self.text.len() + range.len().min(self.head_before - self.base - range.start);
        }
        self.text.extend_from_slice(&piece[range.clone()]);
        if let Some(alignment) = &mut self.alignment {
            alignment.push_verbatim(self.base + range.start, range.len());
        }
    }

    /// Writes `bytes` for a range of the piece.
    fn write(&mut self, bytes: &[u8], range: Range<usize>) {
        self.text.extend_from_slice(bytes);
        if self.base + range.start < self.head_before {
            self.head = self.text.len();
        }
        if let Some(alignment) = &mut self.alignment {
            alignment.push_rewritten(self.base + range.start..self.base + range.end, bytes.len());
        }
    }

    /// Writes `prefix` and the first character of the piece, both of which stand for that character, and returns
    /// where the next one begins.
    fn prefix(&mut self, prefix: &[u8], piece: &[u8]) -> usize {
        let first = crate::chars::length_at(piece, 0);
        self.write(&[prefix, &piece[..first]].concat(), 0..first);
        first
    }
}

fn prefix_blank(piece: &[u8], _at_start: bool, out: &mut Output) {
    let done = if piece.first() == Some(&b' ') { 0 } else { out.prefix(b" ", piece) };
    out.keep(piece, done..piece.len());
}

fn map_bytes(piece: &[u8], _at_start: bool, out: &mut Output) {
    for (at, &byte) in piece.iter().enumerate() {
        out.write(byte_level_char(byte).encode_utf8(&mut [0; 4]).as_bytes(), at..at + 1);
    }
}

fn unmap_bytes(piece: &[u8], _at_start: bool, out: &mut Output) {
    let mut begin = 0;
    for c in String::from_utf8_lossy(piece).chars() {
        let end = begin + c.len_utf8();
        if let Some(byte) = byte_level_byte(c) {
            out.write(&[byte], begin..end);
        }
        begin = end;
    }
}

fn metaspace(replacement: char, scheme: PrependScheme, piece: &[u8], at_start: bool, out: &mut Output) {
    let mut buffer = [0; 4];
    let replacement = replacement.encode_utf8(&mut buffer).as_bytes();
    let asked = match scheme {
        PrependScheme::Always => true,
        PrependScheme::First => at_start,
        PrependScheme::Never => false,
    };
    let begun = piece.starts_with(b" ") || piece.starts_with(replacement);
    let mut done = if asked && !begun { out.prefix(replacement, piece) } else { 0 };
    for at in memchr::memchr_iter(b' ', piece) {
        if at >= done {
            out.keep(piece, done..at);
            out.write(replacement, at..at + 1);
            done = at + 1;
        }
    }
    out.keep(piece, done..piece.len());
}

/// Writes a blank for each [`BLANK`].
pub(super) fn fold_blanks(piece: &[u8], out: &mut Output) {
    let mut done = 0;
    for at in BLANKS.find_iter(piece) {
        out.keep(piece, done..at);
        out.write(b" ", at..at + BLANK.len());
        done = at + BLANK.len();
    }
    out.keep(piece, done..piece.len());
}

/// Pieces in blocks whose positions fit 32 bits.
fn blocks(pieces: &[Range<usize>]) -> Vec<Pieces> {
    let mut blocks: Vec<Pieces> = Vec::new();
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        match blocks.last_mut() {
            Some(block) if piece.end - block.base <= super::LONGEST_BLOCK => {
                block.ends.push(((piece.start - block.base) as u32, (piece.end - block.base) as u32));
            }
            _ => blocks.push(Pieces::new(piece.start, vec![(0, piece.len() as u32)])),
        }
    }
    blocks
}

/// `Metaspace` for a model that reads blanks.
pub(super) fn blanks(scheme: PrependScheme, text: &[u8], at_start: bool, aligned: bool) -> Rewritten {
    let mut out = Output {
        text: Vec::with_capacity(text.len() + 1),
        base: 0,
        alignment: aligned.then(Alignment::default),
        head_before: 0,
        head: 0,
    };
    let asked = match scheme {
        PrependScheme::Always => true,
        PrependScheme::First => at_start,
        PrependScheme::Never => false,
    };
    let begun = text.starts_with(b" ") || text.starts_with(BLANK);
    out.base = if asked && !begun { out.prefix(b" ", text) } else { 0 };
    fold_blanks(&text[out.base..], &mut out);
    Rewritten { text: out.text, blocks: None, alignment: out.alignment }
}

/// `WhitespaceSplit` and `Metaspace` for a model that reads blanks: words without the white space between them, each
/// behind one blank, unless it begins with [`BLANK`].
pub(super) fn spaced_words(text: &[u8], aligned: bool) -> Rewritten {
    let mut out = Output {
        text: Vec::with_capacity(text.len() + text.len() / 16 + 16),
        base: 0,
        alignment: aligned.then(Alignment::default),
        head_before: 0,
        head: 0,
    };
    if !aligned && BLANKS.find(text).is_none() {
        write_spaced(text, &mut out.text);
        return Rewritten { text: out.text, blocks: None, alignment: None };
    }
    for_words(text, |word| {
        out.base = word.start;
        let begun = text[word.clone()].starts_with(BLANK);
        let done = if begun { 0 } else { out.prefix(b" ", &text[word.clone()]) };
        out.base += done;
        fold_blanks(&text[word.start + done..word.end], &mut out);
    });
    Rewritten { text: out.text, blocks: None, alignment: out.alignment }
}

static BLANKS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(BLANK));

/// Writes the words of a text each behind one blank. Where words stand one blank apart, they are copied as they are.
fn write_spaced(text: &[u8], out: &mut Vec<u8>) {
    let mut at = skip_space(text, 0);
    while at < text.len() {
        out.push(b' ');
        let end = at + even_run(&text[at..]);
        out.extend_from_slice(text[at..end].strip_suffix(b" ").unwrap_or(&text[at..end]));
        at = skip_space(text, end);
    }
}

/// The first place from `at` on that is not white space.
fn skip_space(text: &[u8], mut at: usize) -> usize {
    while at < text.len() {
        match space_len(&text[at..]) {
            0 => break,
            len => at += len,
        }
    }
    at
}

/// How far a text, which does not begin with white space, has no white space but single blanks; the last one may
/// stand before other white space.
#[expect(clippy::needless_bitwise_bool, reason = "a branch for each byte keeps the loop from becoming vectors")]
fn even_run(text: &[u8]) -> usize {
    const CHUNK: usize = 32;
    let mut at = 0;
    while let Some(chunk) = text[at..].first_chunk::<{ CHUNK + 1 }>() {
        // Written so that it compiles to vectors: whether there is anything to look at, by pairs of bytes.
        let mut suspect = false;
        for index in 0..CHUNK {
            let (a, b) = (chunk[index], chunk[index + 1]);
            suspect |= ((a == b' ') & (b == b' '))
                | (a.wrapping_sub(9) < 5)
                | ((a == 0xC2) & ((b == 0x85) | (b == 0xA0)))
                | ((a == 0xE1) & (b == 0x9A))
                | ((a == 0xE2) & (b & 0xFE == 0x80))
                | ((a == 0xE3) & (b == 0x80));
        }
        if suspect && let Some(found) = first_uneven(text, at..at + CHUNK) {
            return found;
        }
        at += CHUNK;
    }
    first_uneven(text, at..text.len()).unwrap_or(text.len())
}

/// The first place in a range where there is white space that is not a single blank before something else.
fn first_uneven(text: &[u8], range: Range<usize>) -> Option<usize> {
    range.into_iter().find(|&at| match text[at] {
        b' ' => space_len(&text[at + 1..]) > 0,
        9..=13 | 0xC2 | 0xE1..=0xE3 => space_len(&text[at..]) > 0,
        _ => false,
    })
}

/// Bytes of the white space character that a text begins with, 0 where it begins with none.
#[inline]
fn space_len(text: &[u8]) -> usize {
    match *text {
        [9..=13 | b' ', ..] => 1,
        [0xC2, 0x85 | 0xA0, ..] => 2,
        [0xE1, 0x9A, 0x80, ..]
        | [0xE2, 0x80, 0x80..=0x8A | 0xA8 | 0xA9 | 0xAF, ..]
        | [0xE2, 0x81, 0x9F, ..]
        | [0xE3, 0x80, 0x80, ..] => 3,
        _ => 0,
    }
}

/// Whether a text has neither white space nor [`BLANK`] in it.
pub(super) fn is_word(text: &[u8]) -> bool {
    let suspects = (0..text.len()).filter(|&at| matches!(text[at], 9..=13 | b' ' | 0xC2 | 0xE1..=0xE3));
    suspects.into_iter().all(|at| space_len(&text[at..]) == 0 && !text[at..].starts_with(BLANK))
}

/// Gives the words between white space to `take`.
fn for_words(text: &[u8], mut take: impl FnMut(Range<usize>)) {
    let mut begin = 0;
    let mut at = 0;
    while at < text.len() {
        // No white space has another first byte.
        let Some(found) = text[at..].iter().position(|byte| matches!(byte, 9..=13 | b' ' | 0xC2 | 0xE1..=0xE3)) else {
            break;
        };
        at += found;
        let (c, len) = crate::chars::decode(&text[at..]).unwrap_or((0, 1));
        if char::from_u32(c).is_some_and(char::is_whitespace) {
            if begin < at {
                take(begin..at);
            }
            begin = at + len;
        }
        at += len;
    }
    if begin < text.len() {
        take(begin..text.len());
    }
}
