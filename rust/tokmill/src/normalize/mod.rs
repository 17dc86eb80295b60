//! Normalisation of text before pretokenization, with or without a record of what came from where.
//!
//! Each normaliser is written once, over a [`Sink`] that takes text alone or text with its alignment, so offsets cost
//! nothing where nobody asks for them. The alignment of a character follows tokenizers: one that replaces others
//! stands for the first of them, one that is inserted for what stands before it.

mod apart;
mod bert;
mod blanks;
mod characters;
mod charsmap;
mod llama_cpp;
mod sentencepiece;
mod unicode;

pub use crate::alignment::Alignment;
pub use crate::regex::{PatternSource, Replacement, SearchPattern};
pub use apart::{Apart, Odd};
pub(crate) use apart::{may_be_odd, untouched_apart};
pub use bert::BertOptions;
pub use charsmap::Charsmap;
pub use llama_cpp::LlamaCppOptions;
pub use sentencepiece::{Rules as SentencePieceRules, SentencePiece};

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use crate::memory;
use crate::vocab::byte_level_char;
use characters::{CharacterMap, Rule};
use unicode::Form;

/// A normaliser of tokenizer.json. Names are those of tokenizers' JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Normalizer {
    /// Unicode normalisation form C, by the tables that tokenizers 0.23 uses, as are the other forms.
    Nfc,
    /// Unicode normalisation form D.
    Nfd,
    /// Unicode normalisation form KC.
    Nfkc,
    /// Unicode normalisation form KD.
    Nfkd,
    /// Lower case, character by character.
    Lowercase,
    /// Drops combining marks (all of M).
    StripAccents,
    /// The clean-up of Google's NMT: drops control characters and writes some others as blanks.
    Nmt,
    /// Each byte as its printable character of GPT-2's alphabet.
    ByteLevel,
    /// What BERT does: clean-up, blanks around ideographs, accents, case.
    Bert(BertOptions),
    /// Drops white space at the ends.
    Strip {
        /// At the beginning.
        left: bool,
        /// At the end.
        right: bool,
    },
    /// Puts a string before a text that is not empty.
    Prepend(String),
    /// Replaces the matches of a pattern.
    Replace(Replacement),
    /// A map of SentencePiece's, read as tokenizers reads it.
    Precompiled(Box<Charsmap>),
    /// What llama.cpp does before vocabularies of BERT's kind.
    LlamaCpp(LlamaCppOptions),
    /// What sentencepiece does before its models.
    SentencePiece(Box<SentencePiece>),
    /// One after the other; none is the identity.
    Sequence(Vec<Normalizer>),
}

/// Where a normaliser writes to.
trait Sink {
    /// `text` is written, each byte of which stands for the one at the same place of the input from `begin` on.
    fn keep(&mut self, begin: usize, text: &str);
    /// As [`Self::keep`], with the letters of ASCII in lower case where `lower`.
    fn keep_lowered(&mut self, begin: usize, text: &str, lower: bool);
    /// `text` stands for the bytes `from` of the input, each of its bytes for all of them.
    fn write_text(&mut self, text: &str, from: Range<usize>);
    /// The text itself, where nobody asks what came from where.
    fn plain(&mut self) -> Option<&mut String> {
        None
    }
    /// The last byte that was written also stands for what was dropped before byte `end` of the input.
    fn extend_last(&mut self, _end: usize) {}
    /// Takes back every `blank` at the end.
    fn trim_end(&mut self, blank: &str);
    /// `text` is written and stands for the empty place behind what was written last, or at byte `end` of the input
    /// where nothing was.
    fn append(&mut self, text: &str, end: usize);
    /// `c` stands for the bytes `from` of the input.
    fn write(&mut self, c: char, from: Range<usize>) {
        self.write_text(c.encode_utf8(&mut [0; 4]), from);
    }
}

impl Sink for String {
    #[inline]
    fn keep(&mut self, _begin: usize, text: &str) {
        self.push_str(text);
    }

    #[inline]
    fn keep_lowered(&mut self, _begin: usize, text: &str, lower: bool) {
        let at = self.len();
        self.push_str(text);
        if lower {
            self[at..].make_ascii_lowercase();
        }
    }

    #[inline]
    fn write_text(&mut self, text: &str, _from: Range<usize>) {
        self.push_str(text);
    }

    #[inline]
    fn plain(&mut self) -> Option<&mut String> {
        Some(self)
    }

    fn trim_end(&mut self, blank: &str) {
        self.truncate(self.trim_end_matches(blank).len());
    }

    fn append(&mut self, text: &str, _end: usize) {
        self.push_str(text);
    }
}

/// Text with its alignment.
#[derive(Default)]
struct Aligned {
    text: String,
    alignment: Alignment,
}

impl Sink for Aligned {
    fn keep(&mut self, begin: usize, text: &str) {
        self.keep_lowered(begin, text, false);
    }

    fn keep_lowered(&mut self, begin: usize, text: &str, lower: bool) {
        self.text.keep_lowered(begin, text, lower);
        self.alignment.push_verbatim(begin, text.len());
    }

    fn write_text(&mut self, text: &str, from: Range<usize>) {
        self.text.push_str(text);
        self.alignment.push_rewritten(from, text.len());
    }

    fn extend_last(&mut self, end: usize) {
        self.alignment.extend_last(end);
    }

    fn trim_end(&mut self, blank: &str) {
        Sink::trim_end(&mut self.text, blank);
        self.alignment.truncate(self.text.len());
    }

    fn append(&mut self, text: &str, end: usize) {
        let len = self.text.len();
        let end = if len == 0 { end } else { self.alignment.original(len..len).end };
        self.write_text(text, end..end);
    }
}

impl Normalizer {
    /// The normalised text; borrowed where nothing changes.
    pub fn normalize<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let room = || memory::room_for_text(text.len() + text.len() / 8);
        match self.plan(text) {
            Plan::Same => Cow::Borrowed(text),
            Plan::Steps(steps) => normalize_by(steps, text),
            Plan::Map(map, from) => {
                let mut sink = room();
                if map.write(text, from, &mut sink) {
                    return Cow::Owned(sink);
                }
                Cow::Owned(self.irregular(text).0)
            }
            Plan::Form(form, change) => {
                let mut sink = room();
                form.write(text, Some(change), &mut sink);
                Cow::Owned(sink)
            }
            Plan::Run => {
                let mut sink = room();
                self.run(text, &mut sink);
                Cow::Owned(sink)
            }
        }
    }

    /// The normalised text and where each part of it came from.
    pub fn normalize_aligned<'t>(&self, text: &'t str) -> (Cow<'t, str>, Alignment) {
        let mut sink = Aligned::default();
        match self.plan(text) {
            Plan::Same => (Cow::Borrowed(text), Alignment::identity(text.len())),
            Plan::Steps(steps) => {
                let mut current = (Cow::Borrowed(text), Alignment::identity(text.len()));
                for step in steps {
                    let (next, alignment) = step.normalize_aligned(&current.0);
                    if let Cow::Owned(next) = next {
                        current = (Cow::Owned(next), current.1.then(&alignment));
                    }
                }
                current
            }
            Plan::Map(map, from) => {
                if map.write(text, from, &mut sink) {
                    return (Cow::Owned(sink.text), sink.alignment);
                }
                let (text, alignment) = self.irregular(text);
                (Cow::Owned(text), alignment)
            }
            Plan::Form(form, change) => {
                form.write(text, Some(change), &mut sink);
                (Cow::Owned(sink.text), sink.alignment)
            }
            Plan::Run => {
                self.run(text, &mut sink);
                (Cow::Owned(sink.text), sink.alignment)
            }
        }
    }

    /// The table of two steps that together look at one character at a time.
    fn map_of_two(steps: &[Self]) -> Option<&'static CharacterMap> {
        static OF_NFD: OnceLock<CharacterMap> = OnceLock::new();
        static OF_NFKD: OnceLock<CharacterMap> = OnceLock::new();
        let (map, form) = match steps {
            [Self::Nfd, Self::StripAccents, ..] => (&OF_NFD, Form::D),
            [Self::Nfkd, Self::StripAccents, ..] => (&OF_NFKD, Form::Kd),
            _ => return None,
        };
        Some(map.get_or_init(|| CharacterMap::new(Rule::Decomposed(form))))
    }

    /// How to normalise a text; decides quickly, and may run where nothing changes.
    fn plan(&self, text: &str) -> Plan<'_> {
        let unless = |same: bool| if same { Plan::Same } else { Plan::Run };
        let form = |form: Form| form.next_change(text, 0).map_or(Plan::Same, |change| Plan::Form(form, change));
        match self {
            Self::Nfc => form(Form::C),
            Self::Nfd => form(Form::D),
            Self::Nfkc => form(Form::Kc),
            Self::Nfkd => form(Form::Kd),
            Self::Lowercase | Self::StripAccents | Self::Nmt | Self::Bert(_) | Self::LlamaCpp(_) => {
                let map = self.map();
                map.first_change(text).map_or(Plan::Same, |from| Plan::Map(map, from))
            }
            Self::ByteLevel => unless(text.bytes().all(|byte| byte.is_ascii_graphic())),
            Self::Strip { left, right } => unless(strip(text, *left, *right).len() == text.len()),
            Self::Prepend(_) | Self::SentencePiece(_) => unless(text.is_empty()),
            Self::Replace(replacement) => unless(!replacement.pattern.is_in(text)),
            Self::Precompiled(map) => unless(map.leaves_alone(text)),
            Self::Sequence(steps) => Plan::Steps(steps),
        }
    }

    /// The table of a normaliser that looks at one character at a time.
    fn map(&self) -> &'static CharacterMap {
        static LOWERCASE: OnceLock<CharacterMap> = OnceLock::new();
        static STRIP_ACCENTS: OnceLock<CharacterMap> = OnceLock::new();
        static NMT: OnceLock<CharacterMap> = OnceLock::new();
        match self {
            Self::Lowercase => LOWERCASE.get_or_init(|| CharacterMap::new(Rule::Lowercase)),
            Self::StripAccents => STRIP_ACCENTS.get_or_init(|| CharacterMap::new(Rule::StripAccents)),
            Self::Nmt => NMT.get_or_init(|| CharacterMap::new(Rule::Nmt)),
            Self::Bert(options) => options.map(),
            Self::LlamaCpp(options) => options.map(),
            _ => unreachable!("other normalisers have no table"),
        }
    }

    /// A text in which what becomes of a character depends on its neighbours: only those of Bert normalisers.
    fn irregular(&self, text: &str) -> (String, Alignment) {
        match self {
            Self::Bert(options) => options.step_by_step(text),
            _ => unreachable!("only a Bert normaliser has irregular characters"),
        }
    }

    fn run(&self, text: &str, sink: &mut impl Sink) {
        match self {
            Self::ByteLevel => {
                for (at, byte) in text.bytes().enumerate() {
                    sink.write(byte_level_char(byte), at..at + 1);
                }
            }
            Self::Strip { left, right } => {
                let kept = strip(text, *left, *right);
                sink.keep(kept.start, &text[kept]);
            }
            Self::Prepend(prefix) => prepend(text, prefix, sink),
            Self::Replace(replacement) => replace(text, replacement, sink),
            Self::Precompiled(map) => map.write(text, sink),
            Self::SentencePiece(rules) => rules.write(text, sink),
            Self::Nfc | Self::Nfd | Self::Nfkc | Self::Nfkd => unreachable!("has a plan of its own"),
            Self::Lowercase
            | Self::StripAccents
            | Self::Nmt
            | Self::Bert(_)
            | Self::LlamaCpp(_)
            | Self::Sequence(_) => {
                unreachable!("has a plan of its own")
            }
        }
    }
}

/// The text in upper case, character by character, and where each part of it came from. No file asks for this.
pub fn uppercase(text: &str) -> (String, Alignment) {
    let mut sink = Aligned::default();
    Rule::Uppercase.write_each(text, &mut sink);
    (sink.text, sink.alignment)
}

/// A text as steps leave it, one after the other.
fn normalize_by<'t>(steps: &[Normalizer], text: &'t str) -> Cow<'t, str> {
    let Some((first, rest)) = steps.split_first() else { return Cow::Borrowed(text) };
    let (changed, rest) = match Normalizer::map_of_two(steps).and_then(|map| rewrite_by(map, text)) {
        Some(changed) => (changed, &steps[2..]),
        None => (first.normalize(text), rest),
    };
    match changed {
        Cow::Borrowed(text) => normalize_by(rest, text),
        Cow::Owned(text) => Cow::Owned(normalize_by(rest, &text).into_owned()),
    }
}

/// A text as a table leaves it; nothing where a character depends on its neighbours.
fn rewrite_by<'t>(map: &CharacterMap, text: &'t str) -> Option<Cow<'t, str>> {
    let Some(from) = map.first_change(text) else { return Some(Cow::Borrowed(text)) };
    let mut written = String::with_capacity(text.len() + text.len() / 8);
    map.write(text, from, &mut written).then_some(Cow::Owned(written))
}

/// How a text is normalised.
enum Plan<'n> {
    /// Nothing changes.
    Same,
    /// One step after the other.
    Steps(&'n [Normalizer]),
    /// By a table; nothing changes before this byte.
    Map(&'static CharacterMap, usize),
    /// By a form of Unicode; this is the first stretch that changes.
    Form(Form, Range<usize>),
    /// By [`Normalizer::run`].
    Run,
}

/// What is left of a text without white space at its ends.
fn strip(text: &str, left: bool, right: bool) -> Range<usize> {
    let end = if right { text.trim_end().len() } else { text.len() };
    let begin = if left { end - text[..end].trim_start().len() } else { 0 };
    begin..end
}

/// The prefix and the first character stand for this character together.
fn prepend(text: &str, prefix: &str, sink: &mut impl Sink) {
    let first = text.chars().next().map_or(0, char::len_utf8);
    let from = if prefix.is_empty() { 0..0 } else { 0..first };
    sink.write_text(prefix, from.clone());
    sink.write_text(&text[..first], from);
    sink.keep(first, &text[first..]);
}

/// The content stands for the last character of what it replaces, or for the one before where that is nothing.
fn replace(text: &str, replacement: &Replacement, sink: &mut impl Sink) {
    let mut done = 0;
    replacement.pattern.for_each_match(text, |begin, end| {
        sink.keep(done, &text[done..begin]);
        let last = text[..end].chars().next_back().map_or(0, char::len_utf8);
        sink.write_text(&replacement.content, end - last..end);
        done = end;
    });
    sink.keep(done, &text[done..]);
}
