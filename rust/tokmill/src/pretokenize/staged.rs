//! Pretokenization step by step: each step cuts the pieces of the one before. Serves every pipeline that only cuts.
//!
//! The first step works on the text itself and stops when a block is full; the others work on whole pieces, whose
//! neighbourhood they do not see, as in tokenizers. A piece of the first step is never divided between blocks.

use super::chars;
use super::patterns::GPT2;
use super::scripts::Scripts;
use super::split::{Limit, Span, Split};
use super::step::{SplitBehavior, SplitPattern, Step};
use crate::error::{Error, Result};
use crate::regex::{CharSet, Dialect, Memo, Regex};

/// Pieces and bytes of a block, as the first step sees them.
const BLOCK: Limit = Limit { pieces: 2048, bytes: 1 << 17 };

/// A compiled sequence of steps.
#[derive(Debug)]
pub(super) struct Staged {
    stages: Vec<Stage>,
}

/// One compiled step.
#[derive(Debug)]
enum Stage {
    Split(Box<Split>),
    Scripts(Box<Scripts>),
    /// Pieces of so many characters.
    FixedLength(usize),
}

impl Stage {
    fn cut(
        &self,
        text: &[u8],
        from: usize,
        base: usize,
        limit: Limit,
        memo: &mut Memo,
        pieces: &mut Vec<Span>,
    ) -> usize {
        match self {
            Self::Split(split) => split.cut(text, from, base, limit, memo, pieces),
            Self::Scripts(scripts) => scripts.cut(text, from, base, limit, pieces),
            Self::FixedLength(length) => {
                let mut at = from;
                while at < text.len() && pieces.len() < limit.pieces {
                    let begin = at;
                    for _ in 0..*length {
                        if at < text.len() {
                            at += chars::length_at(text, at);
                        }
                    }
                    pieces.push(((begin - base) as u32, (at - base) as u32));
                }
                at
            }
        }
    }
}

impl Staged {
    /// Compiles the steps.
    pub(super) fn new(steps: &[Step]) -> Result<Self> {
        let mut stages = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            compile(step, index, steps.len(), &mut stages)?;
        }
        Ok(Self { stages })
    }

    /// Whether there is nothing to do.
    pub(super) fn is_trivial(&self) -> bool {
        self.stages.is_empty()
    }

    /// Appends a block of the pieces of `text` from `from`, relative to it, and returns where the next block begins.
    pub(super) fn fill(&self, text: &[u8], from: usize, pieces: &mut Vec<Span>) -> usize {
        let Some((first, others)) = self.stages.split_first() else { return text.len() };
        let mut memo = Memo::default();
        let next = first.cut(text, from, from, BLOCK, &mut memo, pieces);
        let mut coarse = Vec::new();
        for stage in others {
            std::mem::swap(&mut coarse, pieces);
            pieces.clear();
            for &(begin, end) in &coarse {
                memo.clear();
                let piece = &text[from + begin as usize..from + end as usize];
                let before = pieces.len();
                stage.cut(piece, 0, 0, Limit::NONE, &mut memo, pieces);
                for (piece_begin, piece_end) in &mut pieces[before..] {
                    *piece_begin += begin;
                    *piece_end += begin;
                }
            }
        }
        next
    }
}

/// Appends the stages of step `index` of `count`.
fn compile(step: &Step, index: usize, count: usize, stages: &mut Vec<Stage>) -> Result<()> {
    let mut split = |regex: Regex, behavior: SplitBehavior, invert: bool| {
        stages.push(Stage::Split(Box::new(Split { regex, behavior, invert })));
    };
    let refuse = |what: &str| Err(Error::unsupported(format!("pre_tokenizer[{index}]"), what));
    match step {
        Step::ByteLevel { add_prefix_space, use_regex, .. } => {
            if *add_prefix_space && index > 0 {
                return refuse("ByteLevel with add_prefix_space behind another pretokenizer");
            }
            if index + 1 < count {
                return refuse("ByteLevel before another pretokenizer, which would see mapped bytes in place of text");
            }
            if *use_regex {
                split(Regex::new(GPT2, Dialect::Oniguruma)?, SplitBehavior::Isolated, false);
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
        Step::UnicodeScripts => stages.push(Stage::Scripts(Box::new(Scripts::new()))),
        Step::FixedLength { length: 0 } => return refuse("FixedLength of length 0"),
        Step::FixedLength { length } => stages.push(Stage::FixedLength(*length)),
    }
    Ok(())
}
