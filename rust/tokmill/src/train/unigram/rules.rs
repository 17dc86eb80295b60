//! Which strings may be pieces: sentencepiece's rules about blanks, scripts, digits and length.

use crate::pretokenize::Scripts;

use super::options::PieceRules;

/// The sign that stands for a blank.
pub(super) const BLANK: char = '\u{2581}';
/// The sign that sentencepiece keeps for itself; it is in no piece.
pub(super) const RESERVED: char = '\u{2585}';

/// The rules with a table of the characters.
#[derive(Debug)]
pub(super) struct Checker {
    rules: PieceRules,
    /// The class of each character, by code point.
    classes: Vec<u8>,
    /// The class of punctuation and the like.
    common: u8,
}

/// Classes besides the numbers of scripts.
const ANY_SCRIPT: u8 = u8::MAX;
const INHERITED: u8 = u8::MAX - 1;
const DIGIT: u8 = u8::MAX - 2;
const BLANK_CLASS: u8 = u8::MAX - 3;
const FORBIDDEN: u8 = u8::MAX - 4;

impl Checker {
    pub(super) fn new(rules: PieceRules) -> Self {
        let common = Scripts::number("Common").unwrap_or(ANY_SCRIPT);
        let mut classes = vec![common; char::MAX as usize + 1];
        for &(first, last, script) in Scripts::new().runs() {
            let class = if Scripts::number("Inherited") == Some(script) { INHERITED } else { script };
            classes[first as usize..=last as usize].fill(class);
        }
        for digits in ['0'..='9', '\u{FF10}'..='\u{FF19}'] {
            digits.for_each(|digit| classes[digit as usize] = DIGIT);
        }
        // A line feed ends a sentence, and sentencepiece never sees one.
        for forbidden in ['\0', ' ', '\n', RESERVED] {
            classes[forbidden as usize] = FORBIDDEN;
        }
        classes[BLANK as usize] = BLANK_CLASS;
        Self { rules, classes, common }
    }

    /// Whether a piece may hold this character at all.
    pub(super) fn allows_char(&self, c: char) -> bool {
        self.classes[c as usize] != FORBIDDEN
    }

    /// Whether `piece`, of `length` characters, may be a piece.
    pub(super) fn allows(&self, piece: &str, length: usize) -> bool {
        if length == 0 || length > self.rules.max_piece_chars {
            return false;
        }
        let mut previous = ANY_SCRIPT;
        for (at, c) in piece.chars().enumerate() {
            let script = match self.classes[c as usize] {
                BLANK_CLASS if self.allows_blank(at, length) => continue,
                FORBIDDEN | BLANK_CLASS => return false,
                DIGIT if self.rules.split_digits && length > 1 => return false,
                DIGIT if self.rules.split_by_number => self.common,
                DIGIT => ANY_SCRIPT,
                INHERITED => previous,
                script => script,
            };
            let differs = previous != ANY_SCRIPT && script != ANY_SCRIPT && previous != script;
            if self.rules.split_by_unicode_script && differs {
                return false;
            }
            previous = script;
        }
        true
    }

    fn allows_blank(&self, at: usize, length: usize) -> bool {
        at == 0 || !self.rules.split_by_whitespace && at + 1 < length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(checker: &Checker, piece: &str) -> bool {
        checker.allows(piece, piece.chars().count())
    }

    #[test]
    fn pieces_keep_to_one_script_and_begin_with_the_blank() {
        let checker = Checker::new(PieceRules::default());
        for piece in [
            "\u{2581}the",
            "the",
            "\u{2581}",
            "12",
            "1.",
            "カナとひらがな漢字ー",
            "e\u{301}te",
            "привет",
            "\u{2581}...",
        ] {
            assert!(allows(&checker, piece), "{piece}");
        }
        for piece in ["", "the\u{2581}", "a\u{2581}b", "a1", "1a", "ab.", "aб", "漢a", "a\nb", "\u{2585}", "a b"] {
            assert!(!allows(&checker, piece), "{piece}");
        }
        assert!(allows(&checker, &"x".repeat(16)) && !allows(&checker, &"x".repeat(17)));
    }

    #[test]
    fn each_rule_can_be_lifted() {
        let lifted = |change: fn(&mut PieceRules)| {
            let mut rules = PieceRules::default();
            change(&mut rules);
            Checker::new(rules)
        };
        let scripts = lifted(|rules| rules.split_by_unicode_script = false);
        assert!(allows(&scripts, "aб漢") && allows(&scripts, "ab."));
        let numbers = lifted(|rules| rules.split_by_number = false);
        // A digit may stand with any script, and the next letter too, as sentencepiece has it.
        assert!(allows(&numbers, "a1b") && allows(&numbers, "a1б") && !allows(&numbers, "aб1"));
        let digits = lifted(|rules| rules.split_digits = true);
        assert!(allows(&digits, "1") && !allows(&digits, "12") && !allows(&digits, "\u{2581}1"));
        let blanks = lifted(|rules| rules.split_by_whitespace = false);
        assert!(allows(&blanks, "of\u{2581}the") && !allows(&blanks, "of\u{2581}"));
    }
}
