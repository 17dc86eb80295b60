//! The pattern families: what each known pattern says, as a small table.
//!
//! The patterns in use are variations of one theme: contractions, words with an optional character before them,
//! groups of digits, runs of other characters with an optional blank before and newlines behind, and white space
//! whose last character goes with what follows. A family says which variation of each part it has.

use super::classes::{Roles, category, role};
use crate::pretokenize::{SplitBehavior, SplitPattern, Step};

/// How `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` and `'d` are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contractions {
    /// Not at all.
    None,
    /// A piece of their own, lower case only.
    Exact,
    /// A piece of their own, in any case.
    Folded,
    /// The end of the word before them, in any case.
    Suffix,
}

/// What may stand before the letters of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    /// A blank.
    Blank,
    /// Anything but newlines, letters and numbers.
    NotNewline,
    /// Anything but newlines, letters, punctuation and symbols; before ASCII letters also ASCII punctuation.
    NotSymbol,
}

/// A script whose runs are cut out before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ideographs {
    None,
    Han,
    IdeographsAndKana,
}

/// What a pattern family says, part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) contractions: Contractions,
    pub(super) prefix: Prefix,
    /// Words are cut where upper case follows lower case, and marks belong to them.
    pub(super) cased: bool,
    /// The most numbers in a piece; 0 for any.
    pub(super) number_group: u8,
    /// A blank goes with the numbers behind it.
    pub(super) number_blank: bool,
    /// Numbers and ideographs are cut out first, so that white space before them is at the end of its text.
    pub(super) isolated: bool,
    /// Newlines go with the others before them, and end the white space before them.
    pub(super) newlines: bool,
    /// Slashes go with the newlines behind others.
    pub(super) slashes: bool,
    /// White space at the end of the text is one piece even where it holds a newline.
    pub(super) trailing_whole: bool,
    pub(super) ideographs: Ideographs,
    /// Only runs of numbers are cut out, into groups of three decimal digits from the right.
    pub(super) digits_only: bool,
}

pub(super) const GPT2: Family = Family {
    contractions: Contractions::Exact,
    prefix: Prefix::Blank,
    cased: false,
    number_group: 0,
    number_blank: true,
    isolated: false,
    newlines: false,
    slashes: false,
    trailing_whole: false,
    ideographs: Ideographs::None,
    digits_only: false,
};
/// Digits one by one, then GPT-2's pattern.
pub(super) const GPT2_SINGLE_DIGITS: Family = Family { number_group: 1, number_blank: false, isolated: true, ..GPT2 };
/// Runs of digits, then GPT-2's pattern.
pub(super) const GPT2_DIGIT_RUNS: Family = Family { number_blank: false, isolated: true, ..GPT2 };
pub(super) const LLAMA3: Family = Family {
    contractions: Contractions::Folded,
    prefix: Prefix::NotNewline,
    number_group: 3,
    number_blank: false,
    newlines: true,
    ..GPT2
};
pub(super) const CL100K: Family = Family { trailing_whole: true, ..LLAMA3 };
pub(super) const QWEN2: Family = Family { number_group: 1, ..LLAMA3 };
pub(super) const O200K: Family = Family { contractions: Contractions::Suffix, cased: true, slashes: true, ..LLAMA3 };
pub(super) const TEKKEN: Family = Family { contractions: Contractions::None, number_group: 1, ..O200K };
pub(super) const KIMI_K2: Family = Family { slashes: false, ideographs: Ideographs::Han, ..O200K };
pub(super) const DEEPSEEK_V3: Family = Family {
    contractions: Contractions::None,
    prefix: Prefix::NotSymbol,
    isolated: true,
    ideographs: Ideographs::IdeographsAndKana,
    ..LLAMA3
};
pub(super) const SUPERBPE: Family = Family { digits_only: true, ..GPT2 };

/// GPT-2's pattern in the spellings of its release, of tokenizers and of tiktoken.
const GPT2_REGEXES: [&str; 4] = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
];

/// The other patterns that are one regular expression.
const REGEXES: [(&str, &Family); 7] = [
    (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
        &CL100K,
    ),
    (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
        &LLAMA3,
    ),
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        &LLAMA3,
    ),
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        &QWEN2,
    ),
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        &O200K,
    ),
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        &TEKKEN,
    ),
    (
        r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        &KIMI_K2,
    ),
];

/// DeepSeek V3's three patterns, each cutting what the one before left.
const DEEPSEEK_V3_REGEXES: [&str; 3] = [
    r"\p{N}{1,3}",
    "[一-龥\u{3040}-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
];

/// Groups of three digits from the right, as zero-width matches.
const DIGIT_GROUPS_REGEX: &str = r"(?=(\d{3})+(?!\d))";

impl Family {
    /// The family that `steps` spell, if it is a known one.
    pub(super) fn of(steps: &[Step]) -> Option<&'static Self> {
        match steps {
            [Step::ByteLevel { use_regex: true, .. }] => Some(&GPT2),
            [Step::Digits { individual_digits }, byte_level] if cuts_like_gpt2(byte_level) => {
                Some(if *individual_digits { &GPT2_SINGLE_DIGITS } else { &GPT2_DIGIT_RUNS })
            }
            [Step::Digits { individual_digits: false }, split, rest @ ..]
                if regex_of(split) == Some(DIGIT_GROUPS_REGEX) && cuts_nothing(rest) =>
            {
                Some(&SUPERBPE)
            }
            [first, second, third, rest @ ..]
                if [first, second, third].map(regex_of) == DEEPSEEK_V3_REGEXES.map(Some) && cuts_nothing(rest) =>
            {
                Some(&DEEPSEEK_V3)
            }
            [split, rest @ ..] if cuts_nothing(rest) => {
                let regex = regex_of(split).or_else(|| kept_regex_of(split))?;
                if GPT2_REGEXES.contains(&regex) {
                    return Some(&GPT2);
                }
                REGEXES.iter().find(|(known, _)| *known == regex).map(|(_, family)| *family)
            }
            _ => None,
        }
    }

    /// The role of a character of the given category.
    fn role_of(&self, of: u8) -> u8 {
        if self.digits_only {
            return match of & category::GENERAL {
                category::DIGIT => role::NUMBER | role::DECIMAL,
                category::NUMBER => role::NUMBER,
                _ => 0,
            };
        }
        let role = match of & category::GENERAL {
            category::UPPER if self.cased => role::LETTER | role::UPPER,
            category::LOWER if self.cased => role::LETTER | role::LOWER,
            category::UPPER | category::LOWER | category::CASELESS => role::LETTER,
            category::MARK if self.cased => role::MARK,
            category::MARK if self.prefix == Prefix::NotSymbol => role::LETTER,
            category::DIGIT | category::NUMBER => role::NUMBER,
            category::NEWLINE => role::SPACE | role::NEWLINE,
            category::SPACE => role::SPACE,
            category::OTHER if self.prefix == Prefix::NotSymbol => role::UNMATCHED,
            _ => 0,
        };
        match self.ideographs {
            // What is Han but no letter or number stays "other" where it follows others.
            Ideographs::Han if of & category::HAN != 0 => (role & (role::LETTER | role::NUMBER)) | role::IDEOGRAPH,
            Ideographs::IdeographsAndKana if of & category::IDEOGRAPH_OR_KANA != 0 => role | role::IDEOGRAPH,
            _ => role,
        }
    }

    /// The roles of all characters.
    pub(super) fn roles(&self) -> Roles {
        Roles::new(|category| self.role_of(category))
    }
}

/// The regular expression of a split that keeps both the matches and what is between them.
fn regex_of(step: &Step) -> Option<&str> {
    match step {
        Step::Split { pattern: SplitPattern::Regex(regex), behavior: SplitBehavior::Isolated, .. } => Some(regex),
        _ => None,
    }
}

/// The regular expression of a split that keeps the matches alone, which is the same where they cover the text.
fn kept_regex_of(step: &Step) -> Option<&str> {
    match step {
        Step::Split { pattern: SplitPattern::Regex(regex), behavior: SplitBehavior::Removed, invert: true } => {
            Some(regex)
        }
        _ => None,
    }
}

/// Whether the steps after the patterns leave the pieces as they are.
fn cuts_nothing(rest: &[Step]) -> bool {
    rest.iter().all(|step| matches!(step, Step::ByteLevel { add_prefix_space: false, use_regex: false, .. }))
}

fn cuts_like_gpt2(step: &Step) -> bool {
    matches!(step, Step::ByteLevel { add_prefix_space: false, use_regex: true, .. })
}
