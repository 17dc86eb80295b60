//! Unicode normalisation forms, by the tables of Unicode 9 that tokenizers 0.23 ships with.

use std::sync::OnceLock;

use unicode_normalization_alignments::{IsNormalized, UnicodeNormalization, char as ucd, is_nfc_quick as quick_check};

use super::Sink;

/// Code points from here on are checked one by one; below it a bit tells.
const TABLE_END: u32 = 0x3_0000;

/// Whether `text` is surely in normalisation form C.
pub(super) fn is_nfc_quick(text: &str) -> bool {
    text.is_ascii() || text.chars().all(is_inert) || quick_check(text.chars()) == IsNormalized::Yes
}

/// Whether a character neither changes under form C nor takes part in a composition with what stands before it.
fn is_inert(c: char) -> bool {
    static TABLE: OnceLock<Box<[u64]>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let mut table = vec![0; TABLE_END as usize / 64].into_boxed_slice();
        for c in (0..TABLE_END).filter_map(char::from_u32) {
            if inert_by_tables(c) {
                table[c as usize / 64] |= 1 << (c as usize % 64);
            }
        }
        table
    });
    match table.get(c as usize / 64) {
        Some(word) => word >> (c as usize % 64) & 1 == 1,
        None => inert_by_tables(c),
    }
}

fn inert_by_tables(c: char) -> bool {
    ucd::canonical_combining_class(c) == 0 && quick_check(std::iter::once(c)) == IsNormalized::Yes
}

/// Normalisation form C.
pub(super) fn nfc(text: &str, sink: &mut impl Sink) {
    rewrite(text, text.nfc(), sink);
}

/// Writes the characters of `changed`, each with how it relates to the characters of `text`: 0 replaces the next one,
/// a positive change is inserted, and -n replaces the next one and removes the n after it.
fn rewrite(text: &str, changed: impl Iterator<Item = (char, isize)>, sink: &mut impl Sink) {
    let mut source = text.char_indices().map(|(begin, c)| (begin..begin + c.len_utf8(), c));
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
            sink.keep(range.start, &text[range.clone()]);
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
    use super::super::{Alignment, Normalizer};

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
}
