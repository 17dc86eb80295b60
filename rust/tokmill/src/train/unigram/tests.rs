//! The steps of training against every segmentation written out.

#[path = "../../../tests/naive/unigram_train.rs"]
mod naive;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::best::{Split, best_counts, judge_splits};
use super::expect::expected_counts;
use super::forest::{Forest, Renumbered};
use super::strings::Strings;
use super::sweep::Sweep;
use naive::Scores;

fn sweep(threads: usize) -> Sweep<'static> {
    Sweep { threads, watch: &(), removed: 0, surplus: 0 }
}

fn strings<'s>(all: impl IntoIterator<Item = &'s String>) -> Strings {
    let mut strings = Strings::default();
    all.into_iter().for_each(|string| strings.push(string));
    strings
}

/// Words over a few letters, and scores for all letters and some strings of them.
fn case() -> impl Strategy<Value = (BTreeMap<String, u64>, Scores)> {
    let words = prop::collection::btree_map("[abé]{1,7}", 1u64..50, 1..12);
    let letters = prop::collection::vec(1u32..40, 3);
    let longer = prop::collection::btree_map("[abé]{2,4}", 1u32..40, 0..14);
    (words, letters, longer).prop_map(|(words, letters, longer)| {
        // Eighths add up without error, so equally good segmentations are exactly so.
        let score = |eighths: u32| -f64::from(eighths) / 8.0;
        let letters = ["a", "b", "é"].into_iter().map(str::to_owned).zip(letters);
        (words, letters.chain(longer).map(|(piece, eighths)| (piece, score(eighths))).collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn expected_counts_are_those_of_all_segmentations((words, scores) in case()) {
        let (texts, pieces) = (strings(words.keys()), strings(scores.keys()));
        let weights: Vec<u64> = words.values().copied().collect();
        let probabilities: Vec<f64> = scores.values().map(|score| score.exp()).collect();
        let forest = Forest::new(&texts, &pieces, 1);
        let counts = expected_counts(&sweep(1), &forest, &weights, &probabilities).unwrap();
        for (count, (piece, expected)) in counts.into_iter().zip(naive::expected(&words, &scores)) {
            prop_assert!((count - expected).abs() < 1e-9 * (1.0 + expected), "{piece}: {count} {expected}");
        }
    }

    #[test]
    fn best_counts_are_those_of_the_best_segmentations((words, scores) in case()) {
        let (texts, pieces) = (strings(words.keys()), strings(scores.keys()));
        let weights: Vec<u64> = words.values().copied().collect();
        let values: Vec<f64> = scores.values().copied().collect();
        let counts = best_counts(&sweep(1), &Forest::new(&texts, &pieces, 1), &weights, &values).unwrap();
        let mut expected: BTreeMap<&str, u64> = scores.keys().map(|piece| (piece.as_str(), 0)).collect();
        for (word, &weight) in &words {
            for piece in naive::best(word, &scores) {
                *expected.get_mut(piece.as_str()).unwrap() += weight;
            }
        }
        prop_assert_eq!(counts, expected.into_values().collect::<Vec<_>>());
    }

    #[test]
    fn pieces_are_split_as_if_they_were_none((_, scores) in case()) {
        let pieces = strings(scores.keys());
        let values: Vec<f64> = scores.values().copied().collect();
        let forest = Forest::new(&pieces, &pieces, 1);
        let judged = judge_splits(&sweep(1), &forest, &values, &Some, &|piece, split| {
            let parts = match split {
                Split::Impossible => None,
                Split::Better => Some(f64::INFINITY),
                Split::Worse(parts) => Some(parts.iter().map(|&part| values[part]).sum()),
            };
            (piece, parts)
        }).unwrap();
        prop_assert_eq!(judged.len(), scores.len());
        for (index, parts) in judged {
            let (piece, &own) = scores.iter().nth(index).unwrap();
            let others = naive::segmentations(piece, &scores).into_iter().filter(|parts| parts.len() > 1);
            let best = others.map(|parts| naive::score(&parts, &scores)).max_by(f64::total_cmp);
            prop_assert_eq!(parts, best.map(|best| if best > own { f64::INFINITY } else { best }), "{}", piece);
        }
    }

    #[test]
    fn a_thinned_forest_is_that_of_the_pieces_left((words, scores) in case(), kept in prop::collection::vec(any::<bool>(), 20)) {
        let keep: Vec<bool> = scores.keys().zip(&kept).map(|(piece, &kept)| kept || piece.chars().count() == 1).collect();
        let left: Scores = scores.iter().zip(&keep).filter(|(_, kept)| **kept).map(|((p, &s), _)| (p.clone(), s)).collect();
        let texts = strings(words.keys());
        let weights: Vec<u64> = words.values().copied().collect();
        let probabilities: Vec<f64> = left.values().map(|score| score.exp()).collect();
        let mut thinned = Forest::new(&texts, &strings(scores.keys()), 1);
        thinned.renumber(&Renumbered::keeping(&keep), 1);
        let fresh = Forest::new(&texts, &strings(left.keys()), 1);
        let counts = |forest: &Forest| expected_counts(&sweep(1), forest, &weights, &probabilities).unwrap();
        prop_assert_eq!(counts(&thinned), counts(&fresh));
    }
}

#[test]
fn long_words_of_unlikely_pieces_do_not_underflow() {
    // Each word shares a long beginning with the one before, and the forward sums go far below the smallest double.
    let words: Vec<String> = [300, 900, 901, 2000].iter().map(|&n| "ab".repeat(n)).chain(["abb".repeat(700)]).collect();
    let mut sorted = words.clone();
    sorted.sort();
    let pieces: Vec<String> = ["a", "b", "ab", "ba", "bab"].map(str::to_owned).to_vec();
    let weights = vec![3; sorted.len()];
    let forest = Forest::new(&strings(&sorted), &strings(&pieces), 1);
    let counts = |probabilities: &[f64]| expected_counts(&sweep(1), &forest, &weights, probabilities).unwrap();
    // Probabilities that differ by a factor for each character give the same posterior.
    let mild = [0.3, 0.3, 0.2, 0.2, 0.1];
    let harsh: Vec<f64> = mild.iter().zip(&pieces).map(|(p, piece)| p * 1e-9f64.powi(piece.len() as i32)).collect();
    for (a, b) in counts(&mild).into_iter().zip(counts(&harsh)) {
        assert!((a - b).abs() < 1e-6 * a, "{a} {b}");
    }
    let chars: f64 = counts(&harsh).iter().zip(&pieces).map(|(count, piece)| count * piece.len() as f64).sum();
    let expected: usize = sorted.iter().map(|word| 3 * word.len()).sum();
    assert!((chars - expected as f64).abs() < 1e-3, "{chars} {expected}");
}
