//! Normalisers that write U+2581 for every blank, as SentencePiece's do.

use super::{Normalizer, PatternSource, Replacement, SearchPattern};
use crate::error::Result;

const BLANK: &str = "\u{2581}";

impl Normalizer {
    /// For a normaliser that ends in writing U+2581 for each blank: one whose result has blanks where this one's has
    /// U+2581. The texts say the same, since this one leaves no blanks; the second is mostly a text as it came.
    pub fn with_blanks(&self) -> Result<Option<Self>> {
        let mut steps = Vec::new();
        self.flatten(&mut steps);
        let Some((Self::Replace(last), before)) = steps.split_last() else { return Ok(None) };
        if *last.pattern.source() != PatternSource::Literal(" ".to_owned()) || last.content != BLANK {
            return Ok(None);
        }
        let pattern = SearchPattern::new(PatternSource::Literal(BLANK.to_owned()))?;
        let unmark = Self::Replace(Replacement { pattern, content: " ".to_owned() });
        // What is put before the text is written as it will stand, so that the text itself may be left alone.
        let mut folded = before.to_vec();
        let prefix = match folded.pop() {
            Some(Self::Prepend(prefix)) => Some(Self::Prepend(prefix.replace(BLANK, " "))),
            Some(other) => {
                folded.push(other);
                None
            }
            None => None,
        };
        folded.push(unmark);
        folded.extend(prefix);
        Ok(Some(Self::Sequence(folded)))
    }

    pub(super) fn flatten(&self, steps: &mut Vec<Self>) {
        match self {
            Self::Sequence(inner) => inner.iter().for_each(|step| step.flatten(steps)),
            other => steps.push(other.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_stand_where_marks_stand() {
        let replace = |from: &str, to: &str| {
            let pattern = SearchPattern::new(PatternSource::Literal(from.to_owned())).unwrap();
            Normalizer::Replace(Replacement { pattern, content: to.to_owned() })
        };
        let llama = Normalizer::Sequence(vec![Normalizer::Prepend(BLANK.to_owned()), replace(" ", BLANK)]);
        let nested = Normalizer::Sequence(vec![Normalizer::Nfc, Normalizer::Sequence(vec![replace(" ", BLANK)])]);
        for normalizer in [llama, nested, replace(" ", BLANK)] {
            let folded = normalizer.with_blanks().unwrap().unwrap();
            for text in ["", " ", "a b", "  a\u{2581} e\u{301}", "\u{2581}"] {
                let (marked, alignment) = normalizer.normalize_aligned(text);
                let (blank, folded_alignment) = folded.normalize_aligned(text);
                assert_eq!(marked.replace(BLANK, " "), blank);
                let places = |text: &str| text.char_indices().map(|(at, c)| at..at + c.len_utf8()).collect::<Vec<_>>();
                let origins = places(&marked).into_iter().map(|range| alignment.original(range));
                let folded_origins = places(&blank).into_iter().map(|range| folded_alignment.original(range));
                assert!(origins.eq(folded_origins), "{text:?}");
            }
        }
        assert!(replace("  ", BLANK).with_blanks().unwrap().is_none());
    }
}
