//! One piece at a time, character by character: the plain reading of every family.
//!
//! The block scanner leaves to it the pieces that do not end within a block and the rarest constructs, and the tests
//! compare the two. A piece costs time in proportion to itself and the white space, or the capital letters, after it.

use super::Scanner;
use super::classes::role;
use super::family::{Contractions, Ideographs, Prefix};
use crate::pretokenize::chars::decode_last;

impl Scanner {
    /// The end of the piece of `text` that begins at `at`, which is in the text.
    pub(super) fn piece_end(&self, text: &[u8], at: usize) -> usize {
        let family = self.family;
        if family.digits_only {
            return self.digits_only_end(text, at);
        }
        let (first, length) = self.roles.at(text, at);
        let next = at + length;

        if matches!(family.contractions, Contractions::Exact | Contractions::Folded)
            && let Some(length) = contraction(&text[at..], family.contractions == Contractions::Folded)
        {
            return at + length;
        }
        if first & role::IDEOGRAPH != 0 {
            return match family.ideographs {
                Ideographs::KanjiAndKana => self.ideographs_end(text, at, first),
                _ => self.run_end(text, at, |role| role & role::IDEOGRAPH != 0),
            };
        }
        if is_word(first) {
            return self.word_end(text, at);
        }
        if first & role::NUMBER != 0 {
            return self.number_end(text, at);
        }
        let second = if next < text.len() { self.roles.at(text, next).0 } else { role::SPACE };
        let prefixes = match family.prefix {
            Prefix::Blank => text[at] == b' ',
            Prefix::NotNewline => first & role::NEWLINE == 0,
            Prefix::NotSymbol => first & (role::SPACE | role::UNMATCHED) != 0 && first & role::NEWLINE == 0,
        };
        if prefixes && is_word(second) {
            return self.word_end(text, next);
        }
        if family.prefix == Prefix::NotSymbol && self.is_other(first) {
            let letters = text[next..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
            if text[at].is_ascii() && letters > 0 {
                return next + letters;
            }
        }
        if text[at] == b' ' && family.number_blank && second & role::NUMBER != 0 {
            return self.number_end(text, next);
        }
        if self.is_other(first) {
            return self.others_end(text, at);
        }
        if text[at] == b' ' && self.is_other(second) {
            return self.others_end(text, next);
        }
        if first & role::SPACE != 0 {
            return self.space_end(text, at);
        }
        self.unmatched_end(text, at)
    }

    /// Whether a character is of the class of punctuation and all that has no class.
    fn is_other(&self, role: u8) -> bool {
        let apart = if self.family.isolated { role::UNMATCHED | role::IDEOGRAPH } else { 0 };
        role & (role::LETTER | role::NUMBER | role::SPACE | apart) == 0
    }

    /// The end of the run of characters from `at` whose roles `belongs` accepts.
    fn run_end(&self, text: &[u8], at: usize, mut belongs: impl FnMut(u8) -> bool) -> usize {
        self.run_end_with(text, at, |role, _| belongs(role))
    }

    /// The same, where `belongs` also looks at the position of the character.
    fn run_end_with(&self, text: &[u8], mut at: usize, mut belongs: impl FnMut(u8, usize) -> bool) -> usize {
        while at < text.len() {
            let (role, length) = self.roles.at(text, at);
            if !belongs(role, at) {
                break;
            }
            at += length;
        }
        at
    }

    /// The end of the word whose first letter is at `at`.
    fn word_end(&self, text: &[u8], at: usize) -> usize {
        if !self.family.cased {
            return self.run_end(text, at, is_word);
        }
        // Capitals and caseless letters, then small and caseless ones, at least one of them.
        let mut end = at;
        let mut after_caseless = None;
        let mut small = false;
        while end < text.len() {
            let (role, length) = self.roles.at(text, end);
            if !is_word(role) || small && role & role::UPPER != 0 {
                break;
            }
            end += length;
            small |= role & role::LOWER != 0;
            if role & (role::UPPER | role::LOWER) == 0 {
                after_caseless = Some(end);
            }
        }
        if !small {
            end = after_caseless.unwrap_or(end);
        }
        if self.family.contractions == Contractions::Suffix {
            end += contraction(&text[end..], true).unwrap_or(0);
        }
        end
    }

    /// The end of the group of numbers from `at`.
    fn number_end(&self, text: &[u8], at: usize) -> usize {
        let mut left = if self.family.number_group == 0 { usize::MAX } else { self.family.number_group as usize };
        self.run_end(text, at, |role| {
            let belongs = role & role::NUMBER != 0 && left > 0;
            left -= usize::from(belongs);
            belongs
        })
    }

    /// The end of the run of others from `at` and the newlines that go with it.
    fn others_end(&self, text: &[u8], at: usize) -> usize {
        let end = self.run_end(text, at, |role| self.is_other(role));
        if !self.family.newlines {
            return end;
        }
        let belongs = |byte: &&u8| matches!(byte, b'\r' | b'\n') || **byte == b'/' && self.family.slashes;
        end + text[end..].iter().take_while(belongs).count()
    }

    /// The end of the piece of white space from `at`, nothing behind which it goes with.
    fn space_end(&self, text: &[u8], at: usize) -> usize {
        let mut end = at;
        let mut last = at;
        let mut after_newline = None;
        let mut follower = role::SPACE;
        while end < text.len() {
            let (role, length) = self.roles.at(text, end);
            if role & role::SPACE == 0 {
                follower = role;
                break;
            }
            last = end;
            end += length;
            if role & role::NEWLINE != 0 {
                after_newline = Some(end);
            }
        }
        if self.family.newlines
            && let Some(after_newline) = after_newline
            && !(self.family.trailing_whole && end == text.len())
        {
            return after_newline;
        }
        let text_ends = end == text.len() || self.family.isolated && follower & (role::NUMBER | role::IDEOGRAPH) != 0;
        if text_ends || last == at { end } else { last }
    }

    /// The end of the run of characters that nothing matches; the last of them may begin a word.
    fn unmatched_end(&self, text: &[u8], at: usize) -> usize {
        let mut last = at;
        let end = self.run_end_with(text, at, |role, position| {
            let unmatched = role & (role::UNMATCHED | role::IDEOGRAPH) == role::UNMATCHED;
            if unmatched {
                last = position;
            }
            unmatched
        });
        let begins_word = last > at && end < text.len() && is_word(self.roles.at(text, end).0);
        if begins_word { last } else { end }
    }

    /// The end of the piece at `at` within a run of ideographs and kana, which are a text of their own: letters and
    /// marks, perhaps after an unassigned character, or symbols, or unassigned characters.
    fn ideographs_end(&self, text: &[u8], at: usize, first: u8) -> usize {
        let kind = role::IDEOGRAPH | role::LETTER | role::UNMATCHED;
        let letters = role::IDEOGRAPH | role::LETTER;
        let mut last = at;
        let end = self.run_end_with(text, at, |role, position| {
            last = if role & kind == first & kind { position } else { last };
            role & kind == first & kind
        });
        let letters_follow = end < text.len() && self.roles.at(text, end).0 & kind == letters;
        if first & role::UNMATCHED == 0 || !letters_follow {
            end
        } else if last > at {
            last
        } else {
            self.run_end(text, end, |role| role & kind == letters)
        }
    }

    /// The end of a run without numbers, or of the part of a run of numbers before the next place with a multiple of
    /// three decimal digits ahead in a row.
    fn digits_only_end(&self, text: &[u8], at: usize) -> usize {
        let is_number = |role: u8| role & role::NUMBER != 0;
        let is_decimal = |role: u8| role & role::DECIMAL != 0;
        let (first, _) = self.roles.at(text, at);
        if !is_number(first) {
            // Pieces are long here, and mostly ASCII.
            let plain = |byte: &&u8| byte.is_ascii() && !byte.is_ascii_digit();
            let mut end = at;
            while end < text.len() && !is_number(self.roles.at(text, end).0) {
                end = self.skip_characters(text, end, 1);
                end += text[end..].iter().take_while(plain).count();
            }
            return end;
        }
        let mut end = at;
        if is_decimal(first) && self.follows_decimal(text, at) {
            // Inside a row of digits pieces begin only where a multiple of three is left.
            end = self.skip_characters(text, at, 3);
            if end < text.len() && is_decimal(self.roles.at(text, end).0) {
                return end;
            }
        }
        loop {
            let row = self.run_end(text, end, |role| is_number(role) && !is_decimal(role));
            let mut digits = 0;
            end = self.run_end(text, row, |role| {
                digits += usize::from(is_decimal(role));
                is_decimal(role)
            });
            let before = match digits % 3 {
                0 if row == at => 3,
                before => before,
            };
            if digits > before {
                return self.skip_characters(text, row, before);
            }
            if end == text.len() || !is_number(self.roles.at(text, end).0) {
                return end;
            }
        }
    }

    /// Whether the character before `at` is a decimal digit.
    fn follows_decimal(&self, text: &[u8], at: usize) -> bool {
        decode_last(&text[..at]).is_some_and(|(_, length)| self.roles.at(text, at - length).0 & role::DECIMAL != 0)
    }

    fn skip_characters(&self, text: &[u8], at: usize, count: usize) -> usize {
        (0..count).fold(at, |at, _| at + self.roles.at(text, at).1)
    }
}

/// Whether a character can be part of a word.
pub(super) fn is_word(role: u8) -> bool {
    role & (role::LETTER | role::MARK) != 0 && role & role::IDEOGRAPH == 0
}

/// The length of the contraction that `text` begins with, an apostrophe included.
pub(super) fn contraction(text: &[u8], folded: bool) -> Option<usize> {
    let &[b'\'', first, ..] = text else { return None };
    let fold = |byte: u8| if folded { byte.to_ascii_lowercase() } else { byte };
    match (fold(first), text.get(2).copied().map(fold)) {
        (b's' | b't' | b'm' | b'd', _) => Some(2),
        (b'r' | b'v', Some(b'e')) | (b'l', Some(b'l')) => Some(3),
        // The long s, U+017F, is an s in lower case.
        (0xC5, Some(0xBF)) if folded => Some(3),
        _ => None,
    }
}
