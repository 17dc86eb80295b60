//! Unicode normalisation forms, by the tables of Unicode 9 that tokenizers 0.23 ships with.
//!
//! Nearly every character is *inert* in a form: it stays what it is and joins nothing before it. Only the stretches
//! that hold other characters, each with the inert character before it, which may be joined to them, are looked at, and
//! rewritten where they change.

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

/// What a form does to code points, a bit for each, 64 to a word: the last byte of a character of several bytes is the
/// place of its bit, and those before it are the number of its word.
struct Table {
    /// Characters that neither change nor take part in a composition with what stands before them.
    inert: Box<[u64]>,
    /// Characters that, alone behind an inert one, leave both as they are.
    quick: Box<[u64]>,
}

impl Form {
    fn check(self, chars: impl Iterator<Item = char>) -> IsNormalized {
        match self {
            Self::C => is_nfc_quick(chars),
            Self::D => is_nfd_quick(chars),
            Self::Kc => is_nfkc_quick(chars),
            Self::Kd => is_nfkd_quick(chars),
        }
    }

    fn table(self) -> &'static Table {
        static TABLES: [OnceLock<Table>; 4] = [const { OnceLock::new() }; 4];
        TABLES[self as usize].get_or_init(|| {
            let words = || vec![0; TABLE_END as usize / 64].into_boxed_slice();
            let mut table = Table { inert: words(), quick: words() };
            for c in (0..TABLE_END).filter_map(char::from_u32) {
                let quick = self.check(std::iter::once(c)) == IsNormalized::Yes;
                let inert = quick && ucd::canonical_combining_class(c) == 0;
                table.quick[c as usize / 64] |= u64::from(quick) << (c as usize % 64);
                table.inert[c as usize / 64] |= u64::from(inert) << (c as usize % 64);
            }
            table
        })
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

    /// Writes `text` in this form, given the first stretch that changes.
    pub(super) fn write(self, text: &str, mut change: Option<Range<usize>>, sink: &mut impl Sink) {
        let mut done = 0;
        while let Some(stretch) = change {
            sink.keep(done, &text[done..stretch.start]);
            let part = &text[stretch.clone()];
            match self {
                Self::C => rewrite(part, part.nfc(), stretch.start, sink),
                Self::D => rewrite(part, part.nfd(), stretch.start, sink),
                Self::Kc => rewrite(part, part.nfkc(), stretch.start, sink),
                Self::Kd => rewrite(part, part.nfkd(), stretch.start, sink),
            }
            done = stretch.end;
            change = self.next_change(text, done);
        }
        sink.keep(done, &text[done..]);
    }

    /// The next run of characters that are not inert, with the one before it, that does not stay as it is.
    pub(super) fn next_change(self, text: &str, mut from: usize) -> Option<Range<usize>> {
        let table = self.table();
        while let Some(active) = self.find_inert(text, from, false) {
            let end = self.find_inert(text, active, true).unwrap_or(text.len());
            let before = text[from..active].chars().next_back().map_or(0, char::len_utf8);
            let stretch = active - before..end;
            if !self.leaves_alone(table, &text[stretch.clone()], before) {
                return Some(stretch);
            }
            from = end;
        }
        None
    }

    /// Where the first character from byte `from` on begins that is inert, or that is not.
    fn find_inert(self, text: &str, from: usize, inert: bool) -> Option<usize> {
        const BLOCK: usize = 32;
        let table = self.table();
        let bytes = text.as_bytes();
        let mut at = from;
        while at < bytes.len() {
            if !inert && bytes[at..].first_chunk::<BLOCK>().is_some_and(|block| block.is_ascii()) {
                at += BLOCK;
                continue;
            }
            let end = (at + BLOCK).min(bytes.len());
            while at < end {
                let low = |place: usize| usize::from(bytes[at + place] & 0x3f);
                let lead = usize::from(bytes[at]);
                let (len, word) = match lead {
                    0..0x80 if inert => return Some(at),
                    0..0x80 => {
                        at += 1;
                        continue;
                    }
                    0x80..0xe0 => (2, lead & 0x1f),
                    0xe0..0xf0 => (3, (lead & 0xf) << 6 | low(1)),
                    _ => (4, (lead & 7) << 12 | low(1) << 6 | low(2)),
                };
                let is_inert = match table.inert.get(word) {
                    Some(word) => word >> low(len - 1) & 1 == 1,
                    None => text[at..].chars().next().is_some_and(|c| self.inert_by_tables(c)),
                };
                if is_inert == inert {
                    return Some(at);
                }
                at += len;
            }
        }
        None
    }

    /// Whether an inert character, of `before` bytes, and others that are not stay as they are.
    fn leaves_alone(self, table: &Table, stretch: &str, before: usize) -> bool {
        let mut others = stretch[before..].chars();
        if let (Some(c), None) = (others.next(), others.next())
            && let Some(word) = table.quick.get(c as usize / 64)
            && word >> (c as usize % 64) & 1 == 1
        {
            return true;
        }
        let unchanged = stretch.chars().map(|c| (c, 0));
        self.check(stretch.chars()) == IsNormalized::Yes
            || match self {
                Self::C => stretch.nfc().eq(unchanged),
                Self::D => stretch.nfd().eq(unchanged),
                Self::Kc => stretch.nfkc().eq(unchanged),
                Self::Kd => stretch.nfkd().eq(unchanged),
            }
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
                form.write(&text, form.next_change(&text, 0), &mut parts);
                prop_assert_eq!(&whole.text, &parts.text);
                for at in 0..whole.text.len() {
                    prop_assert_eq!(whole.alignment.original(at..at + 1), parts.alignment.original(at..at + 1));
                }
                prop_assert_eq!(form.next_change(&text, 0).is_none(), whole.text == text);
            }
        }
    }
}
