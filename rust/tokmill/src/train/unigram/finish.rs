//! The last step: scores with which every piece is reachable, and which add up without error.
//!
//! Scores are multiples of a power of two. Sums of them are exact in single precision as in double, so a text has the same best
//! segmentation in implementations that use either. A piece that would lose against its own parts can never come out
//! of the model; its score is raised to theirs, where it wins as the longer one.

use super::model::Model;
use super::strings::Strings;
use super::trie::Trie;

/// The scores of `model`, rounded to one in `steps`, and raised where its own parts would beat a piece.
pub(super) fn reachable_scores(model: &Model, steps: f64) -> Vec<f64> {
    let mut scores: Vec<f64> = model.scores.iter().map(|score| (score * steps).round() / steps).collect();
    let trie = Trie::new(&model.pieces, &model.pieces.sorted());
    // Parts are shorter than the whole, so theirs are final when it is looked at.
    for piece in by_length(&model.pieces) {
        let split = best_split(model.pieces.get(piece), &trie, &scores);
        scores[piece] = scores[piece].max(split);
    }
    scores
}

fn by_length(pieces: &Strings) -> Vec<usize> {
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    order.sort_by_key(|&piece| pieces.get(piece).len());
    order
}

/// The score of the best segmentation of `string` into two pieces or more; minus infinity if there is none.
fn best_split(string: &str, trie: &Trie, scores: &[f64]) -> f64 {
    let mut best = vec![f64::NEG_INFINITY; string.len() + 1];
    best[0] = 0.0;
    for (begin, _) in string.char_indices() {
        if best[begin] == f64::NEG_INFINITY {
            continue;
        }
        let mut node = Trie::ROOT;
        for (at, c) in string[begin..].char_indices() {
            let Some(child) = trie.child(node, c) else { break };
            node = child;
            let end = begin + at + c.len_utf8();
            if let Some(piece) = trie.piece(node)
                && (begin, end) != (0, string.len())
            {
                best[end] = best[end].max(best[begin] + scores[piece as usize]);
            }
        }
    }
    best[string.len()]
}
