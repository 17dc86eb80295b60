//! What llama.cpp does to a text before it looks words up in a vocabulary of BERT's kind.
//!
//! It is close to BERT's normaliser and not the same: of what a character decomposes into only the first remains, a
//! syllable of Korean being its first letter; white space, control characters, marks and punctuation are those of
//! Unicode 15.1; and punctuation is told here, where it gets blanks around it, not by the pretokenizer. ASCII's is left
//! to that one. Each character is looked at alone, so a table does the work. Reference: `llm_tokenizer_wpm_session` in
//! llama.cpp's `llama-vocab.cpp`.

use std::sync::OnceLock;

use unicode_normalization::char::decompose_canonical;

use super::characters::{CharacterMap, Rule, is_chinese};
use crate::regex::CharSet;

/// The switches of llama.cpp's normaliser for vocabularies of BERT's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LlamaCppOptions {
    /// Keep the first character of what one decomposes into, and drop marks.
    pub strip_accents: bool,
    /// Put letters into lower case, each into one other.
    pub lowercase: bool,
}

impl LlamaCppOptions {
    /// The table for these options.
    pub(super) fn map(self) -> &'static CharacterMap {
        static MAPS: [OnceLock<CharacterMap>; 4] = [const { OnceLock::new() }; 4];
        let index = usize::from(self.strip_accents) << 1 | usize::from(self.lowercase);
        MAPS[index].get_or_init(|| CharacterMap::new(Rule::LlamaCpp(self)))
    }

    /// Appends what `c` becomes.
    pub(super) fn apply(self, c: char, out: &mut String) {
        let classes = Classes::get();
        let known = classes.assigned.contains(c.into());
        let mut c = c;
        if self.strip_accents && known {
            let mut first = None;
            decompose_canonical(c, |part| first = first.or(Some(part)));
            c = first.unwrap_or(c);
        }
        if c.is_whitespace() {
            out.push(' ');
        } else if matches!(c, '\0' | '\u{FFFD}')
            || classes.control.contains(c.into())
            || self.strip_accents && classes.marks.contains(c.into())
        {
        } else {
            let lower = if self.lowercase && known { c.to_lowercase().next().unwrap_or(c) } else { c };
            if !c.is_ascii() && (classes.punctuation.contains(c.into()) || is_chinese(c)) {
                out.extend([' ', lower, ' ']);
            } else {
                out.push(lower);
            }
        }
    }
}

/// The categories of Unicode 15.1.
struct Classes {
    assigned: CharSet,
    control: CharSet,
    marks: CharSet,
    punctuation: CharSet,
}

impl Classes {
    fn get() -> &'static Self {
        static CLASSES: OnceLock<Classes> = OnceLock::new();
        CLASSES.get_or_init(|| Self {
            assigned: CharSet::known(r"\p{Age:15.1}"),
            control: CharSet::known(r"[[\p{Cc}\p{Cf}\p{Co}]&&\p{Age:15.1}]"),
            marks: CharSet::known(r"[\p{M}&&\p{Age:15.1}]"),
            punctuation: CharSet::known(r"[\p{P}&&\p{Age:15.1}]"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Normalizer;
    use super::*;

    fn normalized(text: &str, strip_accents: bool, lowercase: bool) -> String {
        Normalizer::LlamaCpp(LlamaCppOptions { strip_accents, lowercase }).normalize(text).into_owned()
    }

    #[test]
    fn characters_become_what_llama_cpp_makes_of_them() {
        for (text, expected) in [
            ("\u{d55c}é", "\u{1112}e"),
            ("A\u{301}\u{0}\u{fffd}\u{ad}b", "ab"),
            ("a\u{85}b\u{1c}c\td", "a bc d"),
            ("x\u{2014}\u{6f22}y$+", "x \u{2014}  \u{6f22} y$+"),
            // Marks and punctuation of Unicode 16 are none here.
            ("a\u{897}b\u{1b4e}", "a\u{897}b\u{1b4e}"),
            ("\u{130}\u{a7cb}", "i\u{a7cb}"),
        ] {
            assert_eq!(normalized(text, true, true), expected);
        }
        assert_eq!(normalized("\u{d55c}É\u{301}", false, true), "\u{d55c}é\u{301}");
        assert_eq!(normalized("É\u{6f22}", false, false), "É \u{6f22} ");
    }
}
