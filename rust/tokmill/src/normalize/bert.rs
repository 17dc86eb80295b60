//! The normaliser of BERT: four steps in one walk.
//!
//! Clean-up, blanks around ideographs, decomposition without its marks, and lower case each look at one character, so
//! a table of what becomes of each character does the work of all four. Marks that decomposition moves and that are
//! not dropped after it are the exception; texts that hold one go step by step.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::characters::{CharacterMap, Rule};
use super::unicode::Form;
use super::{Aligned, Alignment};

/// The options of tokenizers' `BertNormalizer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BertOptions {
    /// Drop control characters and write white space as blanks.
    pub clean_text: bool,
    /// Put blanks around ideographs.
    pub handle_chinese_chars: bool,
    /// Drop accents; `None` is where `lowercase` is set.
    pub strip_accents: Option<bool>,
    /// Put letters into lower case.
    pub lowercase: bool,
}

impl Default for BertOptions {
    fn default() -> Self {
        Self { clean_text: true, handle_chinese_chars: true, strip_accents: None, lowercase: true }
    }
}

impl BertOptions {
    /// Whether accents are dropped.
    pub fn strips_accents(self) -> bool {
        self.strip_accents.unwrap_or(self.lowercase)
    }

    /// The table for these options.
    pub(super) fn map(self) -> &'static CharacterMap {
        static MAPS: [OnceLock<CharacterMap>; 16] = [const { OnceLock::new() }; 16];
        let flags = [self.clean_text, self.handle_chinese_chars, self.strips_accents(), self.lowercase];
        let index = flags.iter().fold(0, |index, &flag| index << 1 | usize::from(flag));
        MAPS[index].get_or_init(|| CharacterMap::new(Rule::Bert(self)))
    }

    /// The normalised text, by one step after the other, which serves every text.
    pub(super) fn step_by_step(self, text: &str) -> (String, Alignment) {
        let mut current = (Cow::Borrowed(text), Alignment::identity(text.len()));
        let mut step = |write: &dyn Fn(&str, &mut Aligned)| {
            let mut next = Aligned::default();
            write(&current.0, &mut next);
            let alignment = current.1.then(&next.alignment);
            current = (Cow::Owned(next.text), alignment);
        };
        step(&|text, next| Rule::BertBefore(self).write_each(text, next));
        if self.strips_accents() {
            step(&|text, next| Form::D.write(text, Form::D.next_change(text, 0), next));
        }
        step(&|text, next| Rule::BertAfter(self).write_each(text, next));
        (current.0.into_owned(), current.1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Normalizer;
    use super::*;

    proptest! {
        #[test]
        fn the_table_does_what_the_steps_do(
            text in "([A-Za-z]|[\t\n\r \u{0}\u{7f}]|[\u{300}-\u{345}]|[\u{c0}-\u{ff}]|[\u{302a}-\u{302f}]|[\u{f900}-\u{fa10}]|[\u{ac00}-\u{ac20}]|İ|\\PC|[\u{1b40}-\u{1b45}]){0,16}",
            flags in any::<[bool; 3]>(),
            strip_accents in any::<Option<bool>>(),
        ) {
            let [clean_text, handle_chinese_chars, lowercase] = flags;
            let options = BertOptions { clean_text, handle_chinese_chars, strip_accents, lowercase };
            let (expected, expected_alignment) = options.step_by_step(&text);
            let (found, alignment) = Normalizer::Bert(options).normalize_aligned(&text);
            prop_assert_eq!(&expected, &*found);
            prop_assert_eq!(&*Normalizer::Bert(options).normalize(&text), &*found);
            for at in 0..found.len() {
                // The table takes a character as a whole where a step keeps its bytes apart.
                let whole = |range: std::ops::Range<usize>| {
                    (text.floor_char_boundary(range.start), text.ceil_char_boundary(range.end))
                };
                prop_assert_eq!(whole(expected_alignment.original(at..at + 1)), whole(alignment.original(at..at + 1)));
            }
        }
    }
}
