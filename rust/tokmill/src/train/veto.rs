//! Entries that no merge may make, declared as data so that nothing is called back for each merge.

use aho_corasick::AhoCorasick;
use regex_automata::meta::Regex;

use crate::error::{Error, Result};

/// A compiled veto over the bytes of a would-be entry.
#[derive(Clone, Debug)]
pub struct Veto {
    rules: VetoRules,
    substrings: Option<AhoCorasick>,
    regex: Option<Regex>,
}

/// What a [`Veto`] forbids; the default forbids nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VetoRules {
    /// Byte strings that no new entry may contain.
    pub substrings: Vec<Vec<u8>>,
    /// A regular expression that no new entry may match anywhere. Syntax and Unicode tables of the `regex` crate;
    /// entries that are not valid UTF-8 are matched as bytes.
    pub regex: Option<String>,
    /// The most words that an entry may hold: non-empty stretches between blanks (U+0020).
    pub max_words: Option<usize>,
    /// The lengths in bytes that an entry may have.
    pub lengths: Option<Vec<usize>>,
}

impl Veto {
    /// Compiles the rules.
    pub fn new(rules: VetoRules) -> Result<Self> {
        let substrings = if rules.substrings.is_empty() {
            None
        } else if rules.substrings.iter().any(Vec::is_empty) {
            return Err(Error::option("veto", "an empty substring is in every entry"));
        } else {
            let automaton = AhoCorasick::new(&rules.substrings);
            Some(automaton.map_err(|error| Error::option("veto", error.to_string()))?)
        };
        let regex = rules.regex.as_deref().map(compile).transpose()?;
        Ok(Self { rules, substrings, regex })
    }

    /// The rules as given.
    pub fn rules(&self) -> &VetoRules {
        &self.rules
    }

    /// A veto that forbids what either forbids.
    pub fn and(&self, other: &Self) -> Result<Self> {
        let (mut rules, other) = (self.rules.clone(), other.rules.clone());
        rules.substrings.extend(other.substrings);
        rules.max_words = [rules.max_words, other.max_words].into_iter().flatten().min();
        rules.lengths = match (rules.lengths, other.lengths) {
            (Some(some), Some(others)) => Some(some.into_iter().filter(|length| others.contains(length)).collect()),
            (some, others) => some.or(others),
        };
        rules.regex = match (rules.regex, other.regex) {
            (Some(some), Some(other)) => Some(format!("(?:{some})|(?:{other})")),
            (some, other) => some.or(other),
        };
        Self::new(rules)
    }

    /// Whether a merge may make `entry`.
    pub fn allows(&self, entry: &[u8]) -> bool {
        let words = || entry.split(|&byte| byte == b' ').filter(|word| !word.is_empty()).count();
        !(self.rules.lengths.as_ref().is_some_and(|lengths| !lengths.contains(&entry.len()))
            || self.rules.max_words.is_some_and(|most| words() > most)
            || self.substrings.as_ref().is_some_and(|automaton| automaton.is_match(entry))
            || self.regex.as_ref().is_some_and(|regex| regex.is_match(entry)))
    }
}

fn compile(pattern: &str) -> Result<Regex> {
    Regex::builder()
        .configure(Regex::config().utf8_empty(false))
        .syntax(regex_automata::util::syntax::Config::new().utf8(false))
        .build(pattern)
        .map_err(|error| Error::Pattern { pattern: pattern.to_owned(), why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_refuses_what_it_names() {
        let veto = Veto::new(VetoRules {
            substrings: vec![b": ".to_vec(), b"\xff".to_vec()],
            regex: Some(r"^\p{Lu}{2,}$".to_owned()),
            max_words: Some(2),
            ..VetoRules::default()
        })
        .unwrap();
        for refused in [&b"a: b"[..], b"x\xff", b"AB", b" a b c"] {
            assert!(!veto.allows(refused), "{refused:?}");
        }
        for allowed in [&b" a b"[..], b":", b"Ab", b"\xc3", b"  a  b  "] {
            assert!(veto.allows(allowed), "{allowed:?}");
        }
    }

    #[test]
    fn both_of_two_vetoes_refuse() {
        let veto = |rules| Veto::new(rules).unwrap();
        let some = veto(VetoRules { max_words: Some(3), lengths: Some(vec![2, 3, 4]), ..VetoRules::default() });
        let regex = Some("b|c".to_owned());
        let other = veto(VetoRules { regex, lengths: Some(vec![1, 3]), ..VetoRules::default() });
        let both = some.and(&other).unwrap().and(&veto(VetoRules::default())).unwrap();
        assert!(both.allows(b"aaa"));
        for refused in [&b"aa"[..], b"a", b"aba", b"aca"] {
            assert!(!both.allows(refused), "{refused:?}");
        }
        assert_eq!(both.rules().max_words, Some(3));
    }

    #[test]
    fn senseless_rules_are_errors() {
        assert!(Veto::new(VetoRules { substrings: vec![Vec::new()], ..VetoRules::default() }).is_err());
        assert!(Veto::new(VetoRules { regex: Some("(".to_owned()), ..VetoRules::default() }).is_err());
    }
}
