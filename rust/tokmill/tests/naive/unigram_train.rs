//! Unigram training in the fewest words: every segmentation of every word, written out.

use std::collections::BTreeMap;

pub(crate) type Scores = BTreeMap<String, f64>;

/// All segmentations of a word into pieces that have a score.
pub(crate) fn segmentations(word: &str, scores: &Scores) -> Vec<Vec<String>> {
    if word.is_empty() {
        return vec![Vec::new()];
    }
    let ends = word.char_indices().map(|(at, c)| at + c.len_utf8());
    ends.filter(|&end| scores.contains_key(&word[..end]))
        .flat_map(|end| {
            let rest = segmentations(&word[end..], scores);
            rest.into_iter().map(move |rest| [vec![word[..end].to_owned()], rest].concat())
        })
        .collect()
}

pub(crate) fn score(segmentation: &[String], scores: &Scores) -> f64 {
    segmentation.iter().map(|piece| scores[piece]).sum()
}

/// How often each piece is expected, its probabilities being the exponentials of the scores.
pub(crate) fn expected(words: &BTreeMap<String, u64>, scores: &Scores) -> Scores {
    let mut counts: Scores = scores.keys().map(|piece| (piece.clone(), 0.0)).collect();
    for (word, &weight) in words {
        let all = segmentations(word, scores);
        let total: f64 = all.iter().map(|segmentation| score(segmentation, scores).exp()).sum();
        for segmentation in &all {
            let share = weight as f64 * score(segmentation, scores).exp() / total;
            for piece in segmentation {
                *counts.get_mut(piece).unwrap() += share;
            }
        }
    }
    counts
}

/// The best segmentation; of equally good ones that whose last pieces are longest.
pub(crate) fn best(word: &str, scores: &Scores) -> Vec<String> {
    let all = segmentations(word, scores);
    let last_first = |segmentation: &Vec<String>| -> Vec<usize> {
        segmentation.iter().rev().map(|piece| piece.chars().count()).collect()
    };
    all.into_iter()
        .max_by(|a, b| {
            let by_score = score(a, scores).total_cmp(&score(b, scores));
            if (score(a, scores) - score(b, scores)).abs() < 1e-9 {
                last_first(a).cmp(&last_first(b))
            } else {
                by_score
            }
        })
        .unwrap()
}
