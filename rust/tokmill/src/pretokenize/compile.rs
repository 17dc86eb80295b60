//! From the steps of a file to what is done to a text, in order.

use super::chars;
use super::patterns::GPT2;
use super::scripts::Scripts;
use super::split::Split;
use super::staged::Stage;
use super::step::{PrependScheme, SplitBehavior, SplitPattern, Step};
use crate::error::{Error, Result};
use crate::regex::{CharSet, Dialect, Regex};

/// One thing that is done to each piece.
#[derive(Debug)]
pub(super) enum Work {
    /// Cut it.
    Cut(Stage),
    /// Put a blank before it where it does not begin with one.
    PrefixBlank,
    /// Write each byte as its printable character.
    MapBytes,
    /// Write a character for each blank, and one before the piece.
    Metaspace {
        /// The character.
        replacement: char,
        /// Where one is put before.
        prepend_scheme: PrependScheme,
    },
}

/// What the steps come to.
pub(super) fn compile(steps: &[Step]) -> Result<Vec<Work>> {
    let mut works = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        append(step, index, &mut works)?;
    }
    Ok(works)
}

/// Appends what step `index` comes to.
fn append(step: &Step, index: usize, works: &mut Vec<Work>) -> Result<()> {
    let mut split = |regex: Regex, behavior: SplitBehavior, invert: bool| {
        works.push(Work::Cut(Stage::Split(Box::new(Split { regex, behavior, invert }))));
    };
    match step {
        Step::ByteLevel { add_prefix_space, use_regex, .. } => {
            if *add_prefix_space {
                works.push(Work::PrefixBlank);
            }
            if *use_regex {
                let regex = Regex::new(GPT2, Dialect::Oniguruma)?;
                works.push(Work::Cut(Stage::Split(Box::new(Split {
                    regex,
                    behavior: SplitBehavior::Isolated,
                    invert: false,
                }))));
            }
            works.push(Work::MapBytes);
        }
        Step::Metaspace { replacement, prepend_scheme, split } => {
            works.push(Work::Metaspace { replacement: *replacement, prepend_scheme: *prepend_scheme });
            if *split {
                let regex = Regex::literal(replacement.encode_utf8(&mut [0; 4]))?;
                let behavior = SplitBehavior::MergedWithNext;
                works.push(Work::Cut(Stage::Split(Box::new(Split { regex, behavior, invert: false }))));
            }
        }
        Step::Split { pattern, behavior, invert } => {
            let regex = match pattern {
                SplitPattern::Literal(literal) => Regex::literal(literal)?,
                SplitPattern::Regex(pattern) => Regex::new(pattern, Dialect::Oniguruma)?,
                SplitPattern::FancyRegex(pattern) => Regex::new(pattern, Dialect::FancyRegex)?,
            };
            split(regex, *behavior, *invert);
        }
        Step::Digits { individual_digits } => {
            let behavior = if *individual_digits { SplitBehavior::Isolated } else { SplitBehavior::Contiguous };
            split(Regex::one_of(chars::numeric())?, behavior, false);
        }
        Step::Whitespace => {
            split(Regex::new(r"\w+|[^\w\s]+", Dialect::FancyRegex)?, SplitBehavior::Removed, true);
        }
        Step::WhitespaceSplit => split(Regex::one_of(CharSet::known(r"\s"))?, SplitBehavior::Removed, false),
        Step::Punctuation { behavior } => split(Regex::one_of(chars::punctuation())?, *behavior, false),
        Step::CharDelimiterSplit { delimiter } => {
            split(Regex::one_of(CharSet::one(*delimiter))?, SplitBehavior::Removed, false);
        }
        Step::BertPreTokenizer => {
            split(Regex::one_of(CharSet::known(r"\s"))?, SplitBehavior::Removed, false);
            split(Regex::one_of(chars::punctuation())?, SplitBehavior::Isolated, false);
        }
        Step::UnicodeScripts => works.push(Work::Cut(Stage::Scripts(Box::new(Scripts::new())))),
        Step::FixedLength { length: 0 } => {
            return Err(Error::unsupported(format!("pre_tokenizer[{index}]"), "FixedLength of length 0"));
        }
        Step::FixedLength { length } => works.push(Work::Cut(Stage::FixedLength(*length))),
    }
    Ok(())
}
