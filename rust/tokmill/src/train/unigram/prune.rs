//! Which pieces to do without.

use crate::error::Result;

use super::best::{Split, best_counts, judge_splits};
use super::forest::Forest;
use super::model::Model;
use super::sweep::Sweep;

/// What is known of a piece when it comes to pruning.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Keep,
    Remove,
    /// By how much the mean log-likelihood of a token falls without it.
    Loss(f64),
}

/// Which pieces remain when the likelihood of the corpus shall suffer least: all that nothing can replace, and of the
/// others those with the greatest loss, `size` pieces together.
///
/// The loss of a piece is estimated as sentencepiece 0.2.3 does: its occurrences in the best segmentations of the words
/// are replaced by its own best segmentation into others, and the best segmentations stay as they are otherwise. On
/// top comes `token_cost` for each token that this makes more of a word. `pieces` is the forest of the pieces themselves.
pub(super) fn by_likelihood(
    sweep: &Sweep<'_>,
    model: &Model,
    words: (&Forest, &[u64]),
    pieces: (&Forest, &(dyn Fn(usize) -> Option<usize> + Sync)),
    token_cost: f64,
    size: usize,
) -> Result<Vec<bool>> {
    let counts = best_counts(sweep, words.0, words.1, &model.scores)?;
    let total: f64 = counts.iter().map(|&count| count as f64).sum();
    let count = |piece: usize| counts[piece] as f64;
    let judged = judge_splits(sweep, pieces.0, &model.scores, pieces.1, &|piece, split| {
        let verdict = match split {
            _ if piece < model.chars => Verdict::Keep,
            _ if counts[piece] == 0 => Verdict::Remove,
            Split::Impossible => Verdict::Keep,
            Split::Better => Verdict::Remove,
            Split::Worse(parts) => {
                let log_total = (total + count(piece) * (parts.len() - 1) as f64).ln();
                let replaced: f64 = parts.iter().map(|&part| (count(part) + count(piece)).ln() - log_total).sum();
                let longer = (parts.len() - 1) as f64 * token_cost;
                Verdict::Loss(count(piece) / total * (count(piece).ln() - total.ln() - replaced + longer))
            }
        };
        (piece, verdict)
    })?;
    let mut keep = vec![false; model.len()];
    let mut candidates = Vec::new();
    for (piece, verdict) in judged {
        match verdict {
            Verdict::Keep => keep[piece] = true,
            Verdict::Remove => (),
            Verdict::Loss(loss) => candidates.push((piece, loss)),
        }
    }
    keep_best(&mut keep, candidates, size);
    Ok(keep)
}

/// Which pieces remain when those with the highest scores do: the characters and the best others, `size` together.
///
/// This is Final-Style Pruning (Land and Pinter, arXiv 2512.12641).
pub(super) fn by_score(model: &Model, size: usize) -> Vec<bool> {
    let mut keep = vec![false; model.len()];
    keep[..model.chars].fill(true);
    let likely = (model.chars..model.len()).filter(|&piece| model.scores[piece].is_finite());
    keep_best(&mut keep, likely.map(|piece| (piece, model.scores[piece])).collect(), size);
    keep
}

/// Keeps the best of the pieces that are not kept, until `size` are.
pub(super) fn fill(keep: &mut [bool], model: &Model, size: usize) {
    let others = (0..model.len()).filter(|&piece| !keep[piece]);
    let others = others.map(|piece| (piece, model.scores[piece])).collect();
    keep_best(keep, others, size);
}

/// Keeps the candidates with the greatest values until `size` are kept; of equal ones those that come first.
fn keep_best(keep: &mut [bool], mut candidates: Vec<(usize, f64)>, size: usize) {
    let kept = keep.iter().filter(|&&kept| kept).count();
    candidates.sort_unstable_by(|(a, x), (b, y)| y.total_cmp(x).then(a.cmp(b)));
    for &(piece, _) in candidates.iter().take(size.saturating_sub(kept)) {
        keep[piece] = true;
    }
}
