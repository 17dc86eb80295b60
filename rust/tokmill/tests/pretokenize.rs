//! Pretokenizers against Oniguruma and the behaviours of tokenizers, written as plainly as possible.

use std::ops::Range;

use proptest::prelude::*;
use tokmill::pretokenize::patterns::patterns;
use tokmill::pretokenize::{Pieces, Pretokenizer, SplitBehavior, SplitPattern, Step};

/// Text and matches in turn: what tokenizers' `Pattern::find_matches` returns for an onig regex.
fn items(regex: &onig::Regex, text: &str) -> Vec<(Range<usize>, bool)> {
    let mut items = Vec::new();
    let mut at = 0;
    for (begin, end) in regex.find_iter(text) {
        if at < begin {
            items.push((at..begin, false));
        }
        items.push((begin..end, true));
        at = end;
    }
    if at < text.len() {
        items.push((at..text.len(), false));
    }
    items
}

/// What tokenizers' `Split` makes of them.
fn behave(items: Vec<(Range<usize>, bool)>, behavior: SplitBehavior, invert: bool) -> Vec<Range<usize>> {
    let items: Vec<_> = items.into_iter().map(|(range, is_match)| (range, is_match != invert)).collect();
    let mut pieces: Vec<Range<usize>> = Vec::new();
    for (index, (range, is_match)) in items.iter().enumerate() {
        let previous = index.checked_sub(1).map(|previous| items[previous].1);
        let joins = match behavior {
            SplitBehavior::Removed | SplitBehavior::Isolated => false,
            SplitBehavior::MergedWithPrevious => *is_match && previous == Some(false),
            SplitBehavior::MergedWithNext => !*is_match && previous == Some(true),
            SplitBehavior::Contiguous => previous == Some(*is_match),
        };
        if joins {
            pieces.last_mut().expect("there is a previous item").end = range.end;
        } else if !(behavior == SplitBehavior::Removed && *is_match) {
            pieces.push(range.clone());
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Isolates the matches of each regex in the pieces of the one before.
fn onig_pieces(regexes: &[onig::Regex], text: &str) -> Vec<Range<usize>> {
    let mut pieces = vec![0..text.len()];
    for regex in regexes {
        pieces = pieces
            .into_iter()
            .flat_map(|piece| {
                let inner = behave(items(regex, &text[piece.clone()]), SplitBehavior::Isolated, false);
                inner.into_iter().map(move |inner| piece.start + inner.start..piece.start + inner.end)
            })
            .collect();
    }
    pieces
}

fn compiled(regexes: &[&str], digits_first: bool) -> Vec<onig::Regex> {
    let digits = digits_first.then_some(r"\p{N}+");
    digits.iter().chain(regexes).map(|regex| onig::Regex::new(regex).expect("valid")).collect()
}

/// Characters that patterns tell apart, and any other.
fn texts() -> impl Strategy<Value = String> {
    let telling = prop::sample::select(
        " \t\r\n\u{a0}\u{3000}\u{85}aZéßſKʰǅ한中〇のー0９²½Ⅷ'’stredlmSTRE.,!/_-$+\u{301}\u{93e}\u{200d}🙂\u{10ffff}"
            .chars()
            .collect::<Vec<_>>(),
    );
    let weighted = prop_oneof![4 => telling, 1 => any::<char>(), 2 => Just(' '), 2 => prop::char::range('0', '9')];
    prop::collection::vec(weighted, 0..60).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
    #[test]
    fn named_patterns_cut_as_oniguruma_does(text in texts()) {
        for named in patterns() {
            let regexes = compiled(named.regexes, named.digits_first);
            let pretokenizer = Pretokenizer::staged(named.steps()).expect("compiles");
            prop_assert_eq!(
                pretokenizer.split(text.as_bytes()), onig_pieces(&regexes, &text), "{} on {:?}", named.name, &text
            );
        }
    }
}
