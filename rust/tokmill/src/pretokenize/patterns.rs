//! The pretokenization patterns that have a name.
//!
//! Spellings are chosen so that Oniguruma (tokenizer.json) and tiktoken's engine read them alike; where the owner's
//! text is read differently by the other engine, the possessive interval of `cl100k_base`, the plain one means the same
//! there.

use super::step::{SplitBehavior, SplitPattern, Step};
use crate::regex::Regex;

/// A pattern that users call by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedPattern {
    /// The name.
    pub name: &'static str,
    /// Other names for the same.
    pub aliases: &'static [&'static str],
    /// Runs of numbers are cut out first (`Digits` with `individual_digits` off).
    pub digits_first: bool,
    /// The regular expressions, each applied to the pieces of the one before.
    pub regexes: &'static [&'static str],
}

impl NamedPattern {
    /// The pattern as pretokenizer steps, which keep all of the text.
    pub fn steps(&self) -> Vec<Step> {
        let digits = self.digits_first.then_some(Step::Digits { individual_digits: false });
        let splits = self.regexes.iter().map(|regex| Step::Split {
            pattern: SplitPattern::Regex((*regex).to_owned()),
            behavior: SplitBehavior::Isolated,
            invert: false,
        });
        digits.into_iter().chain(splits).collect()
    }
}

/// All named patterns.
pub fn patterns() -> &'static [NamedPattern] {
    &PATTERNS
}

/// The pattern of this name or alias.
pub fn pattern(name: &str) -> Option<&'static NamedPattern> {
    PATTERNS.iter().find(|pattern| pattern.name == name || pattern.aliases.contains(&name))
}

/// The steps of a byte-level tokenizer that cuts by a pattern's name or by a regular expression of tokenizer.json,
/// which keep all of the text; `None` cuts nothing.
pub fn byte_level_steps(pattern_or_name: Option<&str>) -> Vec<Step> {
    let isolated = |regex: &str| Step::Split {
        pattern: SplitPattern::Regex(regex.to_owned()),
        behavior: SplitBehavior::Isolated,
        invert: false,
    };
    let mut steps = match pattern_or_name {
        None => Vec::new(),
        Some(name) => pattern(name).map_or_else(|| vec![isolated(name)], NamedPattern::steps),
    };
    steps.push(Step::ByteLevel { add_prefix_space: false, trim_offsets: true, use_regex: false });
    steps
}

/// The steps for a `pat_str` of tiktoken, or for a name.
///
/// tiktoken drops text that no match covers. The texts that it ships cover everything; they become the named pattern.
pub fn tiktoken_steps(pattern_or_name: &str) -> Vec<Step> {
    let known = TIKTOKEN_SPELLINGS.iter().find(|(text, _)| *text == pattern_or_name).map(|&(_, name)| name);
    let same_text = |pattern: &&NamedPattern| !pattern.digits_first && pattern.regexes == [pattern_or_name];
    match pattern(known.unwrap_or(pattern_or_name)).or_else(|| PATTERNS.iter().find(same_text)) {
        Some(named) => named.steps(),
        None => vec![Step::Split {
            pattern: if Regex::reads_alike(pattern_or_name) {
                SplitPattern::Regex(pattern_or_name.to_owned())
            } else {
                SplitPattern::FancyRegex(pattern_or_name.to_owned())
            },
            behavior: SplitBehavior::Removed,
            invert: true,
        }],
    }
}

pub(crate) const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// tiktoken's own texts for patterns that are spelled differently here.
const TIKTOKEN_SPELLINGS: [(&str, &str); 2] = [
    (r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s", "gpt2"),
    (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
        "cl100k_base",
    ),
];

/// Numbers cut in threes from the right, of whatever digits stand together.
const TRIADS: &str = r"(?=(\d{3})+(?!\d))";

static PATTERNS: [NamedPattern; 12] = [
    NamedPattern {
        name: "gpt2",
        aliases: &["r50k_base", "p50k_base", "p50k_edit"],
        digits_first: false,
        regexes: &[GPT2],
    },
    NamedPattern {
        name: "cl100k_base",
        aliases: &[],
        digits_first: false,
        // White space at the end of the text is one piece, which the older text (that of llama3) cuts after newlines.
        regexes: &[
            r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
        ],
    },
    NamedPattern {
        name: "o200k_base",
        aliases: &["o200k_harmony"],
        digits_first: false,
        regexes: &[
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ],
    },
    NamedPattern {
        name: "llama3",
        aliases: &[],
        digits_first: false,
        regexes: &[
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ],
    },
    NamedPattern {
        name: "qwen2",
        aliases: &[],
        digits_first: false,
        regexes: &[
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ],
    },
    NamedPattern {
        name: "deepseek_v3",
        aliases: &[],
        digits_first: false,
        regexes: &[
            r"\p{N}{1,3}",
            "[\u{4E00}-\u{9FA5}\u{3040}-\u{309F}\u{30A0}-\u{30FF}]+",
            concat!(
                r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^"##,
                "\r\n",
                r"\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[",
                "\r\n",
                r"]*|\s*[",
                "\r\n",
                r"]+|\s+(?!\S)|\s+",
            ),
        ],
    },
    NamedPattern {
        name: "tekken",
        aliases: &[],
        digits_first: false,
        regexes: &[
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ],
    },
    NamedPattern {
        name: "kimi_k2",
        aliases: &[],
        digits_first: false,
        regexes: &[
            r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ],
    },
    NamedPattern {
        name: "superbpe",
        aliases: &[],
        digits_first: true,
        regexes: &[r"(?=(\d{3})+(?!\d))| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"],
    },
    NamedPattern { name: "superbpe_2", aliases: &[], digits_first: true, regexes: &[TRIADS] },
    NamedPattern {
        name: "superbpe_128k",
        aliases: &[],
        digits_first: false,
        regexes: &[
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ],
    },
    NamedPattern {
        name: "superbpe_128k_2",
        aliases: &[],
        digits_first: false,
        regexes: &[r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]{2,}[\r\n/]*| +(?!\S)"],
    },
];
