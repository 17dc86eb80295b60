//! Where clusters of characters are, by which tokenizers reads maps, as far as a map makes it matter.
//!
//! Only a cluster in which an entry begins can change. It is looked for around the place where one does, from the last
//! place before that surely is between two clusters.

use std::ops::Range;
use std::sync::OnceLock;

use unicode_segmentation::UnicodeSegmentation;

/// Characters from here on are left to the tables of the library.
const TABLE_END: u32 = 0x3_0000;

const PAGES: usize = TABLE_END as usize / 256;

/// The cluster that holds the character at byte `at` of a text; one begins at byte `from` or the text does.
pub(super) fn around(text: &str, from: usize, at: usize) -> Range<usize> {
    let first = |at: usize| text[at..].chars().next();
    let mut begin = at;
    let mut here = first(at).is_some_and(parts);
    while begin > from {
        let Some(before) = text[from..begin].chars().next_back() else { break };
        let part = parts(before);
        if part && here {
            break;
        }
        begin -= before.len_utf8();
        here = part;
    }
    let end = at + first(at).map_or(0, char::len_utf8);
    if begin == at && first(end).is_none_or(|next| parts(next) && first(at).is_some_and(parts)) {
        return at..end;
    }
    for cluster in text[begin..].graphemes(true) {
        if begin + cluster.len() > at {
            return begin..begin + cluster.len();
        }
        begin += cluster.len();
    }
    begin..text.len()
}

/// Whether a character makes one cluster with a letter behind it.
pub(super) fn joins_next(c: char) -> bool {
    let pair: String = [c, 'a'].iter().collect();
    pair.graphemes(true).count() == 1
}

/// Whether a character is in another cluster than any neighbour of which the same is said.
#[inline]
fn parts(c: char) -> bool {
    static TABLE: [OnceLock<[u64; 4]>; PAGES] = [const { OnceLock::new() }; PAGES];
    let c = u32::from(c);
    let Some(page) = TABLE.get(c as usize / 256) else { return false };
    let page = page.get_or_init(|| {
        let mut bits = [0; 4];
        for place in 0..256 {
            if char::from_u32(c / 256 * 256 + place).is_some_and(parts_by_library) {
                bits[place as usize / 64] |= 1 << (place % 64);
            }
        }
        bits
    });
    page[c as usize % 256 / 64] >> (c % 64) & 1 == 1
}

/// The neighbours stand for all classes of characters that part from each other: a letter, a syllable of Hangul, and
/// the character itself. CR never does, so that CR LF is no matter.
#[cold]
fn parts_by_library(c: char) -> bool {
    let parts = |pair: [char; 2]| pair.iter().collect::<String>().graphemes(true).count() == 2;
    c != '\r' && [['a', c], [c, 'a'], ['가', c], [c, '가'], [c, c]].into_iter().all(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn clusters_are_those_of_the_library(
            text in "([a-c\r\n ]|[กขาำิ่]|[क-घ]\u{94D}?\u{93C}?|[가각\u{1100}\u{1161}\u{11A8}]|[\u{600}\u{200D}🇩🇪👍🏽️]|\\PC){0,30}",
            skip in 0usize..4,
        ) {
            let clusters: Vec<_> = text.grapheme_indices(true).map(|(at, cluster)| at..at + cluster.len()).collect();
            let from = clusters.get(skip).map_or(0, |cluster| cluster.start);
            for (at, _) in text.char_indices().filter(|&(at, _)| at >= from) {
                prop_assert_eq!(Some(&around(&text, from, at)), clusters.iter().find(|cluster| cluster.contains(&at)));
            }
        }
    }
}
