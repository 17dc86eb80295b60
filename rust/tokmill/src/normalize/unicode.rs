//! Unicode normalisation forms, by the tables of Unicode 9 that tokenizers 0.23 ships with.
//!
//! Nearly every character is *inert* in a form: it stays what it is and joins nothing before it. Only the stretches
//! that hold other characters, each with the inert character before it, which may be joined to them, are rewritten.

use std::ops::Range;
use std::sync::OnceLock;

use unicode_normalization_alignments::{IsNormalized, UnicodeNormalization, char as ucd};
use unicode_normalization_alignments::{is_nfc_quick, is_nfd_quick, is_nfkc_quick, is_nfkd_quick};

use super::Sink;

/// A normalisation form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    C,
    D,
    Kc,
    Kd,
}

/// Code points from here on are checked one by one; below it a bit tells.
const TABLE_END: u32 = 0x3_0000;

impl Form {
    /// Whether `text` surely is in this form.
    pub(super) fn is_quick(self, text: &str) -> bool {
        text.is_ascii() || text.chars().all(|c| self.is_inert(c)) || self.check(text.chars()) == IsNormalized::Yes
    }

    fn check(self, chars: impl Iterator<Item = char>) -> IsNormalized {
        match self {
            Self::C => is_nfc_quick(chars),
            Self::D => is_nfd_quick(chars),
            Self::Kc => is_nfkc_quick(chars),
            Self::Kd => is_nfkd_quick(chars),
        }
    }

    /// Whether a character neither changes in this form nor takes part in a composition with what stands before it.
    fn is_inert(self, c: char) -> bool {
        static TABLES: [OnceLock<Box<[u64]>>; 4] = [const { OnceLock::new() }; 4];
        if c.is_ascii() {
            return true;
        }
        let table = TABLES[self as usize].get_or_init(|| {
            let mut table = vec![0; TABLE_END as usize / 64].into_boxed_slice();
            for c in (0..TABLE_END).filter_map(char::from_u32) {
                if self.inert_by_tables(c) {
                    table[c as usize / 64] |= 1 << (c as usize % 64);
                }
            }
            table
        });
        match table.get(c as usize / 64) {
            Some(word) => word >> (c as usize % 64) & 1 == 1,
            None => self.inert_by_tables(c),
        }
    }

    /// Gives the characters that one becomes to `take`.
    pub(super) fn of_char(self, c: char, take: impl FnMut(char)) {
        let c = std::iter::once(c);
        let of = |(c, _)| c;
        match self {
            Self::C => c.nfc().map(of).for_each(take),
            Self::D => c.nfd().map(of).for_each(take),
            Self::Kc => c.nfkc().map(of).for_each(take),
            Self::Kd => c.nfkd().map(of).for_each(take),
        }
    }

    fn inert_by_tables(self, c: char) -> bool {
        ucd::canonical_combining_class(c) == 0 && self.check(std::iter::once(c)) == IsNormalized::Yes
    }

    /// Writes `text` in this form.
    pub(super) fn write(self, text: &str, sink: &mut impl Sink) {
        let mut done = 0;
        while let Some(stretch) = self.next_stretch(text, done) {
            sink.keep(done, &text[done..stretch.start]);
            let part = &text[stretch.clone()];
            match self {
                Self::C => rewrite(part, part.nfc(), stretch.start, sink),
                Self::D => rewrite(part, part.nfd(), stretch.start, sink),
                Self::Kc => rewrite(part, part.nfkc(), stretch.start, sink),
                Self::Kd => rewrite(part, part.nfkd(), stretch.start, sink),
            }
            done = stretch.end;
        }
        sink.keep(done, &text[done..]);
    }

    /// The next run of characters that are not inert, with the one before it.
    fn next_stretch(self, text: &str, from: usize) -> Option<Range<usize>> {
        let mut begin = from;
        let mut chars = text[from..].char_indices();
        for (at, c) in chars.by_ref() {
            if !self.is_inert(c) {
                let end = chars.find(|&(_, c)| self.is_inert(c)).map_or(text.len(), |(at, _)| from + at);
                return Some(begin..end);
            }
            begin = from + at;
        }
        None
    }
}

/// Writes the characters of `changed`, each with how it relates to the characters of `text`, which begins at byte
/// `base` of the input: 0 replaces the next one, a positive change is inserted, and -n replaces the next one and
/// removes the n after it.
pub(super) fn rewrite(text: &str, changed: impl Iterator<Item = (char, isize)>, base: usize, sink: &mut impl Sink) {
    let mut source = text.char_indices().map(|(begin, c)| (base + begin..base + begin + c.len_utf8(), c));
    let mut previous = 0..0;
    for (c, change) in changed {
        if change > 0 {
            sink.write(c, previous.clone());
            continue;
        }
        let Some((range, original)) = source.next() else {
            sink.write(c, previous.clone());
            continue;
        };
        if original == c {
            sink.keep(range.start, &text[range.start - base..range.end - base]);
        } else {
            sink.write(c, range.clone());
        }
        // What is inserted next shares the alignment of the last byte consumed.
        previous = range;
        for _ in 0..change.unsigned_abs() {
            if let Some((removed, _)) = source.next() {
                previous = removed;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Aligned, Alignment, Normalizer};
    use super::*;

    #[test]
    fn composition_stands_for_its_base_character() {
        let (text, alignment) = Normalizer::Nfc.normalize_aligned("ae\u{301}b");
        assert_eq!(text, "a\u{e9}b");
        assert_eq!(alignment.original(1..3), 1..2);
        assert_eq!(alignment.original(3..4), 4..5);
    }

    #[test]
    fn composed_text_is_borrowed() {
        let text = "Zürich, Привет, 日本語";
        assert!(matches!(Normalizer::Nfc.normalize(text), std::borrow::Cow::Borrowed(_)));
        assert_eq!(Normalizer::Nfc.normalize_aligned(text).1, Alignment::identity(text.len()));
    }

    proptest! {
        #[test]
        fn stretches_are_written_as_the_whole_text_is(
            text in "([a-e]|[\u{300}-\u{345}]|[\u{ac00}-\u{ac20}]|[\u{1100}-\u{1102}]|[\u{1161}-\u{1163}]|[\u{11a8}-\u{11aa}]|[\u{c0}-\u{ff}]|[\u{fb00}-\u{fb06}]|[\u{f71}-\u{f81}]|[\u{f900}-\u{fa10}]|\\PC){0,12}"
        ) {
            for form in [Form::C, Form::D, Form::Kc, Form::Kd] {
                let (mut whole, mut parts) = (Aligned::default(), Aligned::default());
                match form {
                    Form::C => rewrite(&text, text.nfc(), 0, &mut whole),
                    Form::D => rewrite(&text, text.nfd(), 0, &mut whole),
                    Form::Kc => rewrite(&text, text.nfkc(), 0, &mut whole),
                    Form::Kd => rewrite(&text, text.nfkd(), 0, &mut whole),
                }
                form.write(&text, &mut parts);
                prop_assert_eq!(&whole.text, &parts.text);
                for at in 0..whole.text.len() {
                    prop_assert_eq!(whole.alignment.original(at..at + 1), parts.alignment.original(at..at + 1));
                }
                if form.is_quick(&text) {
                    prop_assert_eq!(&whole.text, &text);
                }
            }
        }
    }
}
