//! Normalisation of text before pretokenization, with or without a record of what came from where.
//!
//! Each normaliser is written once, over a [`Sink`] that takes text alone or text with its alignment, so offsets cost
//! nothing where nobody asks for them. The alignment of a character follows tokenizers: one that replaces others
//! stands for the first of them, one that is inserted for what stands before it.

mod unicode;

pub use crate::alignment::Alignment;

use std::borrow::Cow;
use std::ops::Range;

/// A normaliser of tokenizer.json. Names are those of tokenizers' JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Normalizer {
    /// Unicode normalisation form C, by the tables that tokenizers 0.23 uses.
    Nfc,
    /// One after the other; none is the identity.
    Sequence(Vec<Normalizer>),
}

/// Where a normaliser writes to.
trait Sink {
    /// `text` is copied from byte `begin` of the input.
    fn keep(&mut self, begin: usize, text: &str);
    /// `c` stands for the bytes `from` of the input.
    fn write(&mut self, c: char, from: Range<usize>);
}

impl Sink for String {
    fn keep(&mut self, _begin: usize, text: &str) {
        self.push_str(text);
    }

    fn write(&mut self, c: char, _from: Range<usize>) {
        self.push(c);
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
        self.text.push_str(text);
        self.alignment.push_verbatim(begin, text.len());
    }

    fn write(&mut self, c: char, from: Range<usize>) {
        self.text.push(c);
        self.alignment.push_rewritten(from, c.len_utf8());
    }
}

impl Normalizer {
    /// The normalised text; borrowed where nothing changes.
    pub fn normalize<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self {
            Self::Sequence(steps) => steps.iter().fold(Cow::Borrowed(text), |text, step| match text {
                Cow::Borrowed(text) => step.normalize(text),
                Cow::Owned(text) => Cow::Owned(step.normalize(&text).into_owned()),
            }),
            _ if self.leaves_alone(text) => Cow::Borrowed(text),
            _ => {
                let mut sink = String::with_capacity(text.len());
                self.run(text, &mut sink);
                Cow::Owned(sink)
            }
        }
    }

    /// The normalised text and where each part of it came from.
    pub fn normalize_aligned<'t>(&self, text: &'t str) -> (Cow<'t, str>, Alignment) {
        match self {
            Self::Sequence(steps) => {
                let mut current = (Cow::Borrowed(text), Alignment::identity(text.len()));
                for step in steps {
                    let (next, alignment) = step.normalize_aligned(&current.0);
                    if let Cow::Owned(next) = next {
                        current = (Cow::Owned(next), current.1.then(&alignment));
                    }
                }
                current
            }
            _ if self.leaves_alone(text) => (Cow::Borrowed(text), Alignment::identity(text.len())),
            _ => {
                let mut sink = Aligned::default();
                self.run(text, &mut sink);
                (Cow::Owned(sink.text), sink.alignment)
            }
        }
    }

    /// A quick test that may say no where the answer is yes.
    fn leaves_alone(&self, text: &str) -> bool {
        match self {
            Self::Nfc => unicode::is_nfc_quick(text),
            Self::Sequence(steps) => steps.is_empty(),
        }
    }

    fn run(&self, text: &str, sink: &mut impl Sink) {
        match self {
            Self::Nfc => unicode::nfc(text, sink),
            Self::Sequence(_) => unreachable!("sequences are run step by step"),
        }
    }
}
