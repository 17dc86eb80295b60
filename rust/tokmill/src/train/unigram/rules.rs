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
        for forbidden in ['\0', ' ', '\t', RESERVED] {
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
        let only_blanks = || piece.chars().all(|c| c == BLANK);
        let mut previous = ANY_SCRIPT;
        for (at, c) in piece.chars().enumerate() {
            let script = match self.classes[c as usize] {
                FORBIDDEN => return false,
                BLANK_CLASS => {
                    if !self.allows_blank(at, length) && !(self.rules.allow_whitespace_only_pieces && only_blanks()) {
                        return false;
                    }
                    continue;
                }
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
        match (self.rules.treat_whitespace_as_suffix, self.rules.split_by_whitespace) {
            (false, true) => at == 0,
            (false, false) => at == 0 || at + 1 < length,
            (true, true) => at + 1 == length,
            (true, false) => at > 0 || length == 1,
        }
    }
}
