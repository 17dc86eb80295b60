//! Normalisers that may be given the words of a text one by one.
//!
//! Where nothing that a normaliser does reaches over a separator, and separators stay white space, each word becomes the
//! same wherever it stands, so what becomes of it can be remembered. The one thing that does reach over is a cluster of
//! characters, by which tokenizers reads maps of rules: a mark at the begin of a word belongs to the blank before it.
//! Texts with such words are told apart.

use std::sync::OnceLock;

use unicode_segmentation::UnicodeSegmentation;

use super::{Normalizer, PatternSource, Replacement, SentencePiece};

/// Bytes that may be separators.
const SEPARATORS: &[u8] = b" \n\r\t";

/// How texts fall into words that a normaliser may be given one by one.
#[derive(Debug)]
pub struct Apart {
    /// What stands between words.
    pub separators: Vec<u8>,
    /// The words that may not be taken out of their text, where there are any.
    pub odd: Option<Odd>,
    /// Texts with a `▁` are not to be taken apart.
    pub refuses_marks: bool,
}

/// First characters of words for which it matters what stands before them.
#[derive(Debug)]
pub struct Odd {
    /// What is done before clusters of characters are looked at.
    before: Vec<Normalizer>,
    /// For each 256 characters a bit each.
    table: Box<[OnceLock<[u64; 4]>]>,
}

impl Odd {
    fn new(before: Vec<Normalizer>) -> Self {
        Self { before, table: std::iter::repeat_with(OnceLock::new).take(0x11_0000 / 256).collect() }
    }

    /// Whether a word that begins with `c` may not be taken out of its text.
    #[inline]
    pub fn is_odd(&self, c: char) -> bool {
        let c = u32::from(c);
        let page = self.table[c as usize / 256].get_or_init(|| {
            let mut bits = [0; 4];
            for place in 0..256 {
                if char::from_u32(c / 256 * 256 + place).is_some_and(|c| self.look(c)) {
                    bits[place as usize / 64] |= 1 << (place % 64);
                }
            }
            bits
        });
        page[c as usize % 256 / 64] >> (c % 64) & 1 == 1
    }

    #[cold]
    fn look(&self, c: char) -> bool {
        let mut text = c.to_string();
        for step in &self.before {
            text = step.normalize(&text).into_owned();
        }
        text.chars().next().is_none_or(joins_blank)
    }
}

/// Whether a character that is odd or marks a letter may begin with this byte.
pub(crate) fn may_be_odd(lead: u8) -> bool {
    !matches!(lead, 0..=0xCB | 0xCE..=0xD1 | 0xD3..=0xD5 | 0xE4..=0xE9 | 0xEB..=0xEC | 0xEE)
}

/// Whether a character makes one cluster with a blank before it.
fn joins_blank(c: char) -> bool {
    let pair: String = [' ', c].iter().collect();
    pair.graphemes(true).count() == 1
}

/// What becomes of words of a text that no normaliser touches.
pub(crate) fn untouched_apart() -> Apart {
    Apart { separators: SEPARATORS.to_vec(), odd: None, refuses_marks: false }
}

impl Normalizer {
    /// How texts fall into words that may be normalised one by one, where words end at any white space of the
    /// normalised text; nothing for a normaliser that looks further.
    pub(crate) fn apart(&self) -> Option<Apart> {
        let mut steps = Vec::new();
        self.flatten(&mut steps);
        let stays_between = |separator: char| {
            let normal = self.normalize(&format!("a{separator}b")).into_owned();
            let between = normal.strip_prefix('a').and_then(|rest| rest.strip_suffix('b'));
            between.is_some_and(|between| !between.is_empty() && between.chars().all(char::is_whitespace))
        };
        let separators: Vec<u8> = SEPARATORS.iter().copied().filter(|&byte| stays_between(byte.into())).collect();
        if separators.first() != Some(&b' ') {
            return None;
        }
        let mut odd = None;
        for (number, step) in steps.iter().enumerate() {
            let apart = match step {
                Self::Nfc
                | Self::Nfd
                | Self::Nfkc
                | Self::Nfkd
                | Self::Lowercase
                | Self::StripAccents
                | Self::Nmt
                | Self::Strip { .. } => true,
                Self::Replace(replacement) => replaces_in_words(replacement),
                Self::Precompiled(map) => {
                    let before = &steps[..number];
                    odd = Some(Odd::new(before.to_vec()));
                    map.keeps_apart(&separators) && map.never_joins_next() && before.iter().all(keeps_begins)
                }
                Self::ByteLevel
                | Self::Bert(_)
                | Self::LlamaCpp(_)
                | Self::Prepend(_)
                | Self::SentencePiece(_)
                | Self::Sequence(_) => false,
            };
            if !apart {
                return None;
            }
        }
        Some(Apart { separators, odd, refuses_marks: false })
    }
}

/// Whether a replacement is the same for a text and for its words.
fn replaces_in_words(replacement: &Replacement) -> bool {
    match replacement.pattern.source() {
        PatternSource::Literal(literal) => !literal.is_empty() && !literal.contains(char::is_whitespace),
        // Of blanks something white stays in any case.
        PatternSource::Regex(regex) => regex == " {2,}" && replacement.content == " ",
    }
}

/// Whether the first character of what a word becomes can be told from the word's first character, as far as it matters
/// for [`Odd`].
fn keeps_begins(step: &Normalizer) -> bool {
    match step {
        Normalizer::Nfc
        | Normalizer::Nfd
        | Normalizer::Nfkc
        | Normalizer::Nfkd
        | Normalizer::Lowercase
        | Normalizer::StripAccents => true,
        Normalizer::Replace(replacement) => replacement.content.chars().next().is_some_and(|c| !joins_blank(c)),
        _ => false,
    }
}

impl SentencePiece {
    /// How texts fall into words that may be normalised one by one, where words end at blanks; nothing for rules that
    /// look further. Each word comes with a blank before it.
    pub(crate) fn apart(&self) -> Option<Apart> {
        let rules = self.rules();
        let spaced = rules.remove_extra_whitespaces && rules.add_dummy_prefix && !rules.treat_whitespace_as_suffix;
        if !spaced || !self.writes_blanks() {
            return None;
        }
        let separators: Vec<u8> = SEPARATORS.iter().copied().filter(|&byte| self.is_blank(byte)).collect();
        let is_apart = |symbol: &String| !symbol.contains([' ', '\n', '\r', '\t', MARK]);
        if separators.first() != Some(&b' ') || !rules.user_symbols.iter().all(is_apart) {
            return None;
        }
        let mut refuses_marks = true;
        if let Some(map) = &rules.charsmap {
            if !map.keeps_apart(&separators) || map.writes(MARK) {
                return None;
            }
            refuses_marks = map.longest("\u{2581}".as_bytes()) != Some(("\u{2581}".len(), " "));
        }
        Some(Apart { separators, odd: None, refuses_marks })
    }
}

const MARK: char = '\u{2581}';

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Charsmap, SearchPattern};
    use super::*;

    #[test]
    fn no_other_byte_begins_an_odd_character() {
        let odd = Odd::new(vec![Normalizer::Nfkd, Normalizer::StripAccents]);
        for c in ('\0'..=char::MAX).filter(|c| odd.look(*c) || joins_blank(*c)) {
            assert!(may_be_odd(c.encode_utf8(&mut [0; 4]).as_bytes()[0]), "{c:?}");
        }
    }

    fn pipelines() -> Vec<Normalizer> {
        let replace = |from: PatternSource, to: &str| {
            Normalizer::Replace(Replacement { pattern: SearchPattern::new(from).unwrap(), content: to.to_owned() })
        };
        let quotes = replace(PatternSource::Literal("``".to_owned()), "\"");
        let squeeze = replace(PatternSource::Regex(" {2,}".to_owned()), " ");
        let map = || Normalizer::Precompiled(Box::new(Charsmap::nmt_nfkc()));
        vec![
            map(),
            Normalizer::Nfkc,
            Normalizer::Sequence(vec![
                quotes.clone(),
                Normalizer::Nfkd,
                Normalizer::StripAccents,
                map(),
                squeeze.clone(),
            ]),
            Normalizer::Sequence(vec![quotes, map(), squeeze]),
            Normalizer::Sequence(vec![Normalizer::Lowercase, Normalizer::Nmt]),
        ]
    }

    proptest! {
        #[test]
        fn words_become_the_same_on_their_own(
            text in "([a-c`]{1,4}|[ \n\t\r]|[\u{301}\u{308}\u{344}\u{200C}\u{200D}\u{FF9E}\u{200B}\u{3000}\u{A0}¨\u{B}\u{C}]|か\u{3099}|[ก-ฮ]ำ|[\u{600}ｶﬁ]|\\PC){0,24}",
        ) {
            for normalizer in pipelines() {
                let apart = normalizer.apart().expect("it can be taken apart");
                let words: Vec<&str> =
                    text.split(|c: char| apart.separators.contains(&(c as u32).min(255).try_into().unwrap())).collect();
                let is_odd = |word: &&str| {
                    apart.odd.as_ref().zip(word.chars().next()).is_some_and(|(odd, first)| odd.is_odd(first))
                };
                if words.iter().any(is_odd) {
                    continue;
                }
                let whole = normalizer.normalize(&text);
                let parts: Vec<_> = words.iter().map(|word| normalizer.normalize(word).into_owned()).collect();
                let found: Vec<&str> = parts.iter().flat_map(|part| part.split_whitespace()).collect();
                prop_assert_eq!(found, whole.split_whitespace().collect::<Vec<_>>());
            }
        }
    }
}
