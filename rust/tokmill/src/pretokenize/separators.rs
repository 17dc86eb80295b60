//! Words between separators: cut at white space, which is dropped, and around punctuation marks, as for BERT.
//!
//! Sixty-four bytes of ASCII at a time become two bit masks, of blanks and of marks; words are the runs of what is left,
//! found by bit operations. A block with other bytes is read character by character.

use super::chars;
use super::split::Span;
use crate::regex::CharSet;

const BLANK: u8 = 1;
const MARK: u8 = 2;
/// Bytes whose masks are made together.
const BLOCK: usize = 64;
/// Pieces after which a call ends at the next boundary.
const ENOUGH: usize = 2048;
/// Characters from here on are looked for in the sets.
const TABLE_END: usize = 0x1_1000;

/// The classes of characters.
#[derive(Debug)]
pub(super) struct Separators {
    /// By code point: [`BLANK`], [`MARK`] or neither.
    table: Box<[u8]>,
    blanks: CharSet,
    marks: CharSet,
}

impl Separators {
    /// Cuts at blanks and, where `marks`, around punctuation.
    pub(super) fn new(marks: bool) -> Self {
        let blanks = CharSet::known(r"\s");
        let marks = if marks { chars::punctuation() } else { CharSet::of(Vec::new()) };
        let mut table = vec![0; TABLE_END].into_boxed_slice();
        for (set, class) in [(&blanks, BLANK), (&marks, MARK)] {
            for &(first, last) in set.ranges() {
                let end = (last as usize + 1).min(TABLE_END);
                table[(first as usize).min(end)..end].fill(class);
            }
        }
        Self { table, blanks, marks }
    }

    fn class(&self, c: u32) -> u8 {
        match self.table.get(c as usize) {
            Some(class) => *class,
            None if self.blanks.contains(c) => BLANK,
            None if self.marks.contains(c) => MARK,
            None => 0,
        }
    }

    /// Appends pieces of `text` from `from`, a boundary, relative to it, until there are many or no more. Returns the
    /// boundary to go on from.
    pub(super) fn fill(&self, text: &[u8], from: usize, pieces: &mut Vec<Span>) -> usize {
        let rest = &text[from..];
        let mut at = 0;
        // Where the word began that is not at its end yet.
        let mut word = None;
        while at < rest.len() {
            if pieces.len() >= ENOUGH && word.is_none() {
                return from + at;
            }
            match rest[at..].first_chunk::<BLOCK>().filter(|block| block.is_ascii()) {
                Some(block) => {
                    self.cut_block(block, at, &mut word, pieces);
                    at += BLOCK;
                }
                None => at = self.cut_chars(rest, at, &mut word, pieces),
            }
        }
        pieces.extend(word.map(|begin| (begin, rest.len() as u32)));
        text.len()
    }

    /// Cuts a block of ASCII that begins at `at`.
    #[inline]
    fn cut_block(&self, block: &[u8; BLOCK], at: usize, word: &mut Option<u32>, pieces: &mut Vec<Span>) {
        let (mut blanks, mut marks) = (0u64, 0u64);
        for (index, &byte) in block.iter().enumerate() {
            let class = u64::from(self.table[usize::from(byte)]);
            blanks |= (class & 1) << index;
            marks |= (class >> 1) << index;
        }
        let base = at as u32;
        let stops = blanks | marks;
        let open = word.take();
        if let Some(begin) = open {
            if stops == 0 {
                *word = open;
                return;
            }
            // The word ends where the block first has something else, which may be at once.
            pieces.push((begin, base + stops.trailing_zeros()));
        }
        let inside = !stops;
        let mut begins = (inside & !(inside << 1 | u64::from(open.is_some()))) | marks;
        while begins != 0 {
            let begin = begins.trailing_zeros();
            begins &= begins - 1;
            if marks >> begin & 1 == 1 {
                pieces.push((base + begin, base + begin + 1));
                continue;
            }
            match stops >> begin {
                0 => *word = Some(base + begin),
                rest => pieces.push((base + begin, base + begin + rest.trailing_zeros())),
            }
        }
    }

    /// Cuts character by character up to the next begin of a block, and returns where it stopped.
    fn cut_chars(&self, rest: &[u8], from: usize, word: &mut Option<u32>, pieces: &mut Vec<Span>) -> usize {
        let mut at = from;
        while at < rest.len() && at < from + BLOCK {
            let (class, len) = chars::decode(&rest[at..]).map_or((0, 1), |(c, len)| (self.class(c), len));
            if class == 0 {
                word.get_or_insert(at as u32);
            } else {
                pieces.extend(word.take().map(|begin| (begin, at as u32)));
                if class == MARK {
                    pieces.push((at as u32, (at + len) as u32));
                }
            }
            at += len;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::super::{Pretokenizer, Step};

    /// The pretokenizers by classes, and the same step by step.
    static PAIRS: LazyLock<Vec<[Pretokenizer; 2]>> = LazyLock::new(|| {
        let steps = [Step::BertPreTokenizer, Step::WhitespaceSplit].map(|step| vec![step]);
        steps.map(|steps| [Pretokenizer::new(steps.clone()).unwrap(), Pretokenizer::staged(steps).unwrap()]).into()
    });

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]
        #[test]
        fn words_are_those_of_the_steps(
            text in "([a-z]{1,9}|[ .,\t]|\\PC|[\u{2000}-\u{2030}]|\u{10100}|[a-z]{60,70}|[\u{0}-\u{20}]){0,60}",
            damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let mut bytes = text.into_bytes();
            if let Some((index, byte)) = damage.filter(|_| !bytes.is_empty()) {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            for [fast, slow] in &*PAIRS {
                prop_assert_eq!(fast.split(&bytes), slow.split(&bytes));
            }
        }
    }
}
