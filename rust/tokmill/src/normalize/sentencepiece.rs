//! What sentencepiece does to a text before its models: rules of normalisation, white space, a blank at the begin.
//!
//! At each place a symbol of the user's passes as it is, else the longest rule applies, else a character is copied.
//! Blanks are then collapsed and trimmed where the model asks for it, and written as `▁`, or as blanks for a model that
//! reads these. What came from where follows the owner: a character stands for what it was made of and for whatever
//! was dropped behind it. What stands between the places that need a look is copied whole. Reference: `normalizer.cc` of
//! sentencepiece 0.2.3.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::{Charsmap, Sink};
use crate::trie::Trie;

/// Rules of a `NormalizerSpec`, with the names of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The map of rules.
    pub charsmap: Option<Charsmap>,
    /// Put a blank before the text, or behind it (`treat_whitespace_as_suffix`).
    pub add_dummy_prefix: bool,
    /// Drop blanks at the ends and all but one of neighbouring ones.
    pub remove_extra_whitespaces: bool,
    /// Write `▁` for the blank.
    pub escape_whitespaces: bool,
    /// The blank of `add_dummy_prefix` goes behind the text.
    pub treat_whitespace_as_suffix: bool,
    /// Symbols that pass as they are.
    pub user_symbols: Vec<String>,
}

/// The normaliser of a SentencePiece model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentencePiece {
    rules: Rules,
    symbols: Trie,
    /// What is written for a blank, and for `▁`.
    blank: &'static str,
    mark: &'static str,
    /// First bytes of symbols that copying each character would not let pass, where there are any.
    begins: Option<Box<[bool; 256]>>,
}

const MARK: &str = "\u{2581}";

impl SentencePiece {
    /// A normaliser for a model that reads `▁`, or blanks in its place where `blanks`.
    pub fn new(rules: Rules, blanks: bool) -> Self {
        let symbols = Trie::new((0..).zip(&rules.user_symbols).map(|(id, symbol): (u32, _)| (symbol.as_bytes(), id)));
        let blank = if rules.escape_whitespaces && !blanks { MARK } else { " " };
        let is_wide = |symbol: &&String| symbol.chars().nth(1).is_some() || [" ", MARK].contains(&symbol.as_str());
        let mut begins: Option<Box<[bool; 256]>> = None;
        for first in rules.user_symbols.iter().filter(is_wide).filter_map(|symbol| symbol.as_bytes().first()) {
            begins.get_or_insert_with(|| Box::new([false; 256]))[*first as usize] = true;
        }
        Self { symbols, blank, mark: if blanks { " " } else { MARK }, begins, rules }
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether blanks are written as they are.
    pub(super) fn writes_blanks(&self) -> bool {
        self.blank == " " && self.mark == " "
    }

    /// Whether a character of ASCII is taken for a blank.
    pub(super) fn is_blank(&self, byte: u8) -> bool {
        std::str::from_utf8(&[byte]).is_ok_and(|text| self.unit(text).1 == " ")
    }

    /// Whether a word, in which there is no blank, is written as it is.
    pub(crate) fn keeps(&self, word: &str) -> bool {
        self.run_end(word, 0, false, &mut Stops::default()) == word.len()
    }

    /// Writes a text.
    pub(super) fn write(&self, text: &str, sink: &mut impl Sink) {
        let Rules { add_dummy_prefix, remove_extra_whitespaces: trims, treat_whitespace_as_suffix: suffix, .. } =
            self.rules;
        let mut at = 0;
        while trims && at < text.len() {
            let (len, new) = self.unit(&text[at..]);
            if new != " " {
                break;
            }
            at += len;
        }
        if at == text.len() {
            return;
        }
        if add_dummy_prefix && !suffix {
            sink.write_text(self.blank, at..at);
        }
        let mut after_blank = trims;
        let mut stops = Stops::default();
        while at < text.len() {
            let end = self.run_end(text, at, after_blank, &mut stops);
            if at < end {
                sink.keep(at, &text[at..end]);
                at = end;
                after_blank = trims && text.as_bytes()[at - 1] == b' ';
                continue;
            }
            let (len, new) = self.unit(&text[at..]);
            let new = if after_blank { new.trim_start_matches(' ') } else { new };
            if new.is_empty() {
                sink.extend_last(at + len);
            } else {
                self.write_unit(new, at, at + len, sink);
                after_blank = trims && new.ends_with(' ');
            }
            at += len;
        }
        if trims {
            sink.trim_end(self.blank);
        }
        if add_dummy_prefix && suffix {
            sink.append(self.blank, at);
        }
    }

    /// How far a text can be copied from a place on.
    fn run_end(&self, text: &str, at: usize, after_blank: bool, stops: &mut Stops) -> usize {
        let bytes = text.as_bytes();
        if after_blank && bytes[at] == b' ' {
            return at;
        }
        let length = |found: Option<usize>| found.unwrap_or(bytes.len() - at);
        let mut end = text.len();
        if let Some(map) = &self.rules.charsmap {
            end = end.min(stops.rule.at_or_after(at, || map.untouched(&text[at..])));
        }
        if let Some(begins) = &self.begins {
            let find = || length(bytes[at..].iter().position(|&byte| begins[byte as usize]));
            end = end.min(stops.symbol.at_or_after(at, find));
        }
        if self.mark != MARK {
            end = end.min(stops.mark.at_or_after(at, || length(MARKS.find(&bytes[at..]))));
        }
        if self.blank != " " {
            end = end.min(stops.blank.at_or_after(at, || length(memchr::memchr(b' ', &bytes[at..]))));
        } else if self.rules.remove_extra_whitespaces {
            // The second one of two is dropped.
            let find = || length(PAIRS.find(&bytes[at..]).map(|pair| pair + 1));
            end = end.min(stops.blank.at_or_after(at, find));
        }
        end
    }

    /// Length of what is normalised together at the begin of a text, and what becomes of it.
    fn unit<'t>(&'t self, text: &'t str) -> (usize, &'t str) {
        if let Some((len, _)) = self.symbols.prefixes(text.as_bytes()).last() {
            return (len, &text[..len]);
        }
        if let Some(unit) = self.rules.charsmap.as_ref().and_then(|map| map.longest(text.as_bytes())) {
            return unit;
        }
        let len = text.chars().next().map_or(0, char::len_utf8);
        (len, &text[..len])
    }

    /// Writes what became of the bytes from `begin` to `end`; the last character stands for them.
    fn write_unit(&self, new: &str, begin: usize, end: usize, sink: &mut impl Sink) {
        let mut chars = new.chars().peekable();
        while let Some(c) = chars.next() {
            let from = if chars.peek().is_none() { begin..end } else { begin..begin };
            match c {
                ' ' => sink.write_text(self.blank, from),
                '\u{2581}' => sink.write_text(self.mark, from),
                c => sink.write(c, from),
            }
        }
    }
}

static MARKS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MARK));
static PAIRS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("  "));

/// The next places of a text that need a look, each kept until it is passed.
#[derive(Default)]
struct Stops {
    rule: Stop,
    symbol: Stop,
    mark: Stop,
    blank: Stop,
}

#[derive(Default)]
struct Stop(Option<usize>);

impl Stop {
    /// The place, looked for from `at` on where that is not known; `find` says how far ahead it is.
    #[inline]
    fn at_or_after(&mut self, at: usize, find: impl FnOnce() -> usize) -> usize {
        match self.0 {
            Some(place) if place >= at => place,
            _ => *self.0.insert(at + find()),
        }
    }
}
