//! What sentencepiece does to a text before its models: rules of normalisation, white space, a blank at the begin.
//!
//! At each place a symbol of the user's passes as it is, else the longest rule applies, else a character is copied.
//! Blanks are then collapsed and trimmed where the model asks for it, and written as `▁`, or as blanks for a model that
//! reads these. What came from where follows the owner: a character stands for what it was made of and for whatever
//! was dropped behind it. Runs of ASCII that no rule is about are copied whole. Reference: `normalizer.cc` of
//! sentencepiece 0.2.3.

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
    /// Characters of ASCII that are copied where another one of ASCII follows.
    plain: [bool; 128],
}

const MARK: &str = "\u{2581}";

impl SentencePiece {
    /// A normaliser for a model that reads `▁`, or blanks in its place where `blanks`.
    pub fn new(rules: Rules, blanks: bool) -> Self {
        let symbols = Trie::new((0..).zip(&rules.user_symbols).map(|(id, symbol): (u32, _)| (symbol.as_bytes(), id)));
        let begins_symbol = |byte| rules.user_symbols.iter().any(|symbol| symbol.as_bytes().first() == Some(&byte));
        let has_rule = |byte| rules.charsmap.as_ref().is_some_and(|map| map.has_ascii_entry(byte));
        let blank = if rules.escape_whitespaces && !blanks { MARK } else { " " };
        let plain = std::array::from_fn(|byte| {
            let byte = byte as u8;
            (byte != b' ' || blank == " ") && !begins_symbol(byte) && !has_rule(byte)
        });
        Self { symbols, blank, mark: if blanks { " " } else { MARK }, plain, rules }
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
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
        while at < text.len() {
            let run = self.plain_run(&text.as_bytes()[at..], trims, after_blank);
            if run > 0 {
                sink.keep(at, &text[at..at + run]);
                at += run;
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

    /// How many bytes can be copied: plain ones of which the last is not followed by a character outside ASCII.
    #[inline]
    fn plain_run(&self, text: &[u8], trims: bool, after_blank: bool) -> usize {
        let mut previous_blank = after_blank;
        let mut run = 0;
        for &byte in text {
            let blank = byte == b' ';
            if byte >= 128 {
                return run.max(1) - 1;
            }
            if !self.plain[byte as usize] || trims && blank && previous_blank {
                return run;
            }
            previous_blank = blank;
            run += 1;
        }
        run
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
