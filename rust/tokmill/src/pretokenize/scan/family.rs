//! The pattern families: what each known pattern says, as a small table.
//!
//! The patterns in use are variations of one theme: contractions, words with an optional character before them,
//! groups of digits, runs of other characters with an optional blank before and newlines behind, and white space
//! whose last character goes with what follows. A family says which variation of each part it has.

use super::classes::{Roles, category, role};
use crate::pretokenize::patterns::patterns;
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
    KanjiAndKana,
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
    /// Numbers are those of the `Digits` step.
    pub(super) digits_step: bool,
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
    digits_step: false,
    digits_only: false,
};
/// Digits one by one, then GPT-2's pattern.
pub(super) const GPT2_SINGLE_DIGITS: Family =
    Family { number_group: 1, number_blank: false, isolated: true, digits_step: true, ..GPT2 };
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
    ideographs: Ideographs::KanjiAndKana,
    ..LLAMA3
};
/// The second stage of `SuperBPE`.
pub(super) const SUPERBPE_2: Family = Family { digits_step: true, digits_only: true, ..GPT2 };
pub(super) const SUPERBPE_128K: Family = Family { number_group: 3, ..TEKKEN };

/// All families. The scanner is compiled for each, so that what a family does not have costs nothing.
pub(super) const FAMILIES: [Family; 11] =
    [GPT2, GPT2_SINGLE_DIGITS, LLAMA3, CL100K, QWEN2, O200K, TEKKEN, KIMI_K2, DEEPSEEK_V3, SUPERBPE_2, SUPERBPE_128K];

/// The families of named patterns.
const NAMES: [(&str, &Family); 10] = [
    ("gpt2", &GPT2),
    ("cl100k_base", &CL100K),
    ("llama3", &LLAMA3),
    ("qwen2", &QWEN2),
    ("o200k_base", &O200K),
    ("tekken", &TEKKEN),
    ("kimi_k2", &KIMI_K2),
    ("deepseek_v3", &DEEPSEEK_V3),
    ("superbpe_2", &SUPERBPE_2),
    ("superbpe_128k", &SUPERBPE_128K),
];

/// Other spellings of GPT-2's pattern.
const GPT2_SPELLINGS: [&str; 3] = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
];

impl Family {
    /// Its place in [`FAMILIES`].
    pub(super) fn number(&self) -> usize {
        FAMILIES.iter().position(|family| family == self).expect("all families are listed")
    }

    /// Whether a character may be a mark that is neither letter nor other by itself.
    pub(super) const fn has_marks(&self) -> bool {
        self.cased
    }

    /// Whether characters may be [`role::UPPER`] or [`role::UNMATCHED`].
    pub(super) const fn has_upper(&self) -> bool {
        self.cased || matches!(self.prefix, Prefix::NotSymbol)
    }

    /// Whether a script is cut out first.
    pub(super) const fn has_ideographs(&self) -> bool {
        !matches!(self.ideographs, Ideographs::None)
    }

    /// Whether contractions are looked for.
    pub(super) const fn has_contractions(&self) -> bool {
        !matches!(self.contractions, Contractions::None)
    }

    /// Whether it matters which characters are ASCII.
    pub(super) const fn tells_ascii(&self) -> bool {
        matches!(self.prefix, Prefix::NotSymbol)
    }

    /// The family that `steps` spell, if it is a known one.
    pub(super) fn of(steps: &[Step]) -> Option<&'static Self> {
        match steps {
            [Step::ByteLevel { use_regex: true, .. }] => Some(&GPT2),
            [
                Step::Digits { individual_digits: true },
                Step::ByteLevel { add_prefix_space: false, use_regex: true, .. },
            ] => Some(&GPT2_SINGLE_DIGITS),
            [Step::Digits { individual_digits: false }, splits @ ..] => Self::of_splits(splits, true),
            splits => Self::of_splits(splits, false),
        }
    }

    /// The family of the named pattern that `steps` spell as splits.
    fn of_splits(steps: &[Step], digits_first: bool) -> Option<&'static Self> {
        let splits = steps.iter().take_while(|step| matches!(step, Step::Split { .. })).count();
        let (splits, rest) = steps.split_at(splits);
        let cuts_nothing = |step| matches!(step, &Step::ByteLevel { add_prefix_space: false, use_regex: false, .. });
        if !rest.iter().all(cuts_nothing) {
            return None;
        }
        let regexes: Vec<&str> = splits.iter().map(|split| regex_of(split, splits.len())).collect::<Option<_>>()?;
        if !digits_first && regexes.len() == 1 && GPT2_SPELLINGS.contains(&regexes[0]) {
            return Some(&GPT2);
        }
        let named = patterns().iter().find(|named| named.digits_first == digits_first && named.regexes == regexes)?;
        NAMES.iter().find(|(name, _)| *name == named.name).map(|&(_, family)| family)
    }

    /// The role of a character of the given category.
    fn role_of(&self, of: u8) -> u8 {
        if self.digits_only {
            return match of & category::GENERAL {
                category::DIGIT => role::NUMBER | role::DECIMAL,
                category::NUMBER | category::NEW_NUMBER => role::NUMBER,
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
            category::NEW_NUMBER if self.digits_step => role::NUMBER,
            category::NEWLINE => role::SPACE | role::NEWLINE,
            category::SPACE => role::SPACE,
            category::OTHER | category::NEW_NUMBER if self.prefix == Prefix::NotSymbol => role::UNMATCHED,
            _ => 0,
        };
        match self.ideographs {
            // What is Han but no letter or number stays "other" where it follows others.
            Ideographs::Han if of & category::HAN != 0 => (role & (role::LETTER | role::NUMBER)) | role::IDEOGRAPH,
            Ideographs::KanjiAndKana if of & category::KANJI_OR_KANA != 0 => role | role::IDEOGRAPH,
            _ => role,
        }
    }

    /// The roles of all characters.
    pub(super) fn roles(&self) -> Roles {
        Roles::new(|category| self.role_of(category))
    }
}

/// The regular expression of a split that keeps all of the text, being one of `splits` in a row.
fn regex_of(step: &Step, splits: usize) -> Option<&str> {
    let Step::Split { pattern: SplitPattern::Regex(regex) | SplitPattern::FancyRegex(regex), behavior, invert } = step
    else {
        return None;
    };
    let keeps_all = match behavior {
        SplitBehavior::Isolated => true,
        // The matches alone, which is the same where they cover the text, as those of all single patterns do.
        SplitBehavior::Removed => *invert && splits == 1,
        _ => false,
    };
    keeps_all.then_some(regex.as_str())
}
