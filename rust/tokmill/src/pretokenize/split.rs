//! Cutting at the matches of a pattern: the behaviours of tokenizers' `Split`.

use super::step::SplitBehavior;
use crate::regex::{Items, Memo, Regex};

/// Begin and end of a piece, relative to the begin of a block.
pub(super) type Span = (u32, u32);

/// A pattern and what becomes of its matches.
#[derive(Debug)]
pub(super) struct Split {
    pub(super) regex: Regex,
    pub(super) behavior: SplitBehavior,
    pub(super) invert: bool,
}

/// When a block is full.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// Pieces.
    pub(super) pieces: usize,
    /// Bytes of text.
    pub(super) bytes: usize,
}

impl Limit {
    /// No limit.
    pub(super) const NONE: Self = Self { pieces: usize::MAX, bytes: usize::MAX };

    /// Whether a block may end before byte `at`, having begun at `from`.
    ///
    /// What the search has learnt ends with the block, so a block does not end before it has used up what it learnt:
    /// the time for a text stays linear in its length, whatever the blocks.
    fn is_reached(self, pieces: usize, from: usize, at: usize, memo: &Memo) -> bool {
        let bytes = at - from;
        (pieces >= self.pieces || bytes >= self.bytes) && memo.work / 16 <= bytes.max(4096)
    }
}

impl Split {
    /// Appends the pieces of `text` from `from`, a boundary between pieces, until the limit is reached, relative to
    /// `base`. Returns where to go on: a boundary again, from which the same pieces follow as without a stop.
    pub(super) fn cut(
        &self,
        text: &[u8],
        from: usize,
        base: usize,
        limit: Limit,
        memo: &mut Memo,
        pieces: &mut Vec<Span>,
    ) -> usize {
        // Where a match may be empty, whether one is possible at `from` would depend on what came before. That changes
        // nothing where each item stands for itself.
        let stands_alone = matches!(self.behavior, SplitBehavior::Isolated | SplitBehavior::Removed);
        let limit = if stands_alone || !self.regex.may_be_empty() { limit } else { Limit::NONE };
        let mut joiner = Joiner { behavior: self.behavior, base, held: None, previous_match: false, pieces };
        let mut items = Items::new(&self.regex, text, from);
        while let Some((begin, end, is_match)) = items.next(memo) {
            if joiner.add(begin, end, is_match != self.invert)
                && begin > from
                && limit.is_reached(joiner.pieces.len(), from, begin, memo)
            {
                // The item held now begins a piece, so the next block begins with it.
                return begin;
            }
        }
        joiner.flush();
        text.len()
    }
}

/// Joins items to pieces as a behaviour says.
struct Joiner<'a> {
    behavior: SplitBehavior,
    base: usize,
    /// A piece that the next item may still extend.
    held: Option<(usize, usize)>,
    /// Whether the last item was a match.
    previous_match: bool,
    pieces: &'a mut Vec<Span>,
}

impl Joiner<'_> {
    /// Takes the next item. True if it begins a piece.
    #[inline]
    fn add(&mut self, begin: usize, end: usize, is_match: bool) -> bool {
        let previous_match = std::mem::replace(&mut self.previous_match, is_match);
        let joins = match self.behavior {
            SplitBehavior::Removed if is_match => {
                self.flush();
                return true;
            }
            SplitBehavior::Isolated | SplitBehavior::Removed => false,
            SplitBehavior::MergedWithPrevious => is_match && !previous_match,
            SplitBehavior::MergedWithNext => !is_match && previous_match,
            SplitBehavior::Contiguous => is_match == previous_match,
        };
        match &mut self.held {
            Some((_, held_end)) if joins => {
                *held_end = end;
                false
            }
            _ => {
                self.flush();
                self.held = Some((begin, end));
                true
            }
        }
    }

    /// Completes the piece that is held.
    #[inline]
    fn flush(&mut self) {
        if let Some((begin, end)) = self.held.take()
            && begin < end
        {
            self.pieces.push(((begin - self.base) as u32, (end - self.base) as u32));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regex::Dialect;
    use proptest::prelude::*;

    fn blocks(split: &Split, text: &[u8], limit: Limit) -> Vec<Span> {
        let mut all = Vec::new();
        let mut from = 0;
        while from < text.len() {
            let mut block = Vec::new();
            let next = split.cut(text, from, 0, limit, &mut Memo::default(), &mut block);
            assert!(from < next && next <= text.len());
            assert!(block.iter().all(|&(begin, end)| from <= begin as usize && end as usize <= next));
            all.append(&mut block);
            from = next;
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
        #[test]
        fn blocks_do_not_change_the_pieces(
            pattern in prop::sample::select(vec![
                r"\s+(?!\S)|\s+|\p{L}+|\d", r"(?=(\d{3})+(?!\d))", r"\b", r"(?<=a)\d|\d(?=a)", "a", "", r"\d+|(?=a)", r"(?<!\d)\d",
                r"^.|$", r"\s*\n|\s|a*1",
            ]),
            behavior in prop::sample::select(vec![
                SplitBehavior::Removed, SplitBehavior::Isolated, SplitBehavior::MergedWithPrevious,
                SplitBehavior::MergedWithNext, SplitBehavior::Contiguous,
            ]),
            invert in any::<bool>(),
            pieces in 0usize..4,
            bytes in 1usize..9,
            text in "[a1 \n.é]{0,40}",
        ) {
            let regex = Regex::new(pattern, Dialect::Oniguruma).expect(pattern);
            let split = Split { regex, behavior, invert };
            prop_assert_eq!(
                blocks(&split, text.as_bytes(), Limit { pieces, bytes }), blocks(&split, text.as_bytes(), Limit::NONE)
            );
        }
    }
}
