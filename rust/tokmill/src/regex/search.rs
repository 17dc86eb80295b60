//! What `Replace` looks for: a string, through a vectorised search, or a regular expression.

use std::sync::Arc;

use memchr::memmem;

use super::{Dialect, Items, Memo, Regex};
use crate::error::Result;

/// A string or a regular expression to look for in texts.
#[derive(Clone, Debug)]
pub struct SearchPattern {
    source: PatternSource,
    search: Arc<Search>,
}

/// How a [`SearchPattern`] is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PatternSource {
    /// A string.
    Literal(String),
    /// A regular expression in the syntax of tokenizer.json (Oniguruma's, as far as it is supported).
    Regex(String),
}

#[derive(Debug)]
enum Search {
    Byte(u8),
    Literal(memmem::Finder<'static>),
    Regex(Regex),
}

impl SearchPattern {
    /// Compiles a pattern. Fails where a regular expression is not supported.
    pub fn new(source: PatternSource) -> Result<Self> {
        let search = match &source {
            PatternSource::Literal(literal) if literal.is_empty() => Search::Regex(Regex::literal("")?),
            PatternSource::Literal(literal) => match literal.as_bytes() {
                [byte] => Search::Byte(*byte),
                bytes => Search::Literal(memmem::Finder::new(bytes).into_owned()),
            },
            PatternSource::Regex(regex) => Search::Regex(Regex::new(regex, Dialect::Oniguruma)?),
        };
        Ok(Self { source, search: Arc::new(search) })
    }

    /// How the pattern is written.
    pub fn source(&self) -> &PatternSource {
        &self.source
    }

    /// Calls `visit` with begin and end of each match in `text`, in order. An empty text has no matches.
    pub fn for_each_match(&self, text: &str, mut visit: impl FnMut(usize, usize)) {
        if text.is_empty() {
            return;
        }
        let bytes = text.as_bytes();
        match &*self.search {
            Search::Byte(byte) => memchr::memchr_iter(*byte, bytes).for_each(|at| visit(at, at + 1)),
            Search::Literal(finder) => {
                let len = finder.needle().len();
                finder.find_iter(bytes).for_each(|at| visit(at, at + len));
            }
            Search::Regex(regex) => {
                let mut memo = Memo::default();
                let mut items = Items::new(regex, bytes, 0);
                while let Some((begin, end, is_match)) = items.next(&mut memo) {
                    if is_match {
                        visit(begin, end);
                    }
                }
            }
        }
    }

    /// Whether `text` has a match.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        match &*self.search {
            Search::Byte(byte) => memchr::memchr(*byte, text.as_bytes()).is_some(),
            Search::Literal(finder) => finder.find(text.as_bytes()).is_some(),
            Search::Regex(regex) => !text.is_empty() && regex.find(text.as_bytes(), 0, &mut Memo::default()).is_some(),
        }
    }
}

impl PartialEq for SearchPattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for SearchPattern {}

/// A pattern and what is put in the place of each match; the content is taken literally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// What to look for.
    pub pattern: SearchPattern,
    /// What to put there.
    pub content: String,
}

impl Replacement {
    /// `text` with each match replaced.
    pub(crate) fn apply(&self, text: &str) -> String {
        let mut replaced = String::with_capacity(text.len());
        let mut done = 0;
        self.pattern.for_each_match(text, |begin, end| {
            replaced.push_str(&text[done..begin]);
            replaced.push_str(&self.content);
            done = end;
        });
        replaced.push_str(&text[done..]);
        replaced
    }
}
