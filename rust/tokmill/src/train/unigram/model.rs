//! The pieces of a run and their scores, and the steps of expectation maximisation that fit them.

use crate::error::Result;

use super::expect::expected_counts;
use super::forest::{Forest, Renumbered};
use super::strings::Strings;
use super::sweep::Sweep;

/// Pieces and their scores.
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// The single characters first, which are never removed.
    pub(super) pieces: Strings,
    /// Number of the single characters.
    pub(super) chars: usize,
    /// The logarithm of each piece's probability; minus infinity where it has none left.
    pub(super) scores: Vec<f64>,
}

/// A piece expected less often than this has no probability left.
const MIN_EXPECTED: f64 = 0.5;

impl Model {
    /// Pieces with scores in proportion to `frequencies`.
    pub(super) fn new(pieces: Strings, chars: usize, frequencies: &[f64]) -> Self {
        let total: f64 = frequencies.iter().sum();
        let scores = frequencies.iter().map(|frequency| (frequency.max(MIN_EXPECTED) / total).ln()).collect();
        Self { pieces, chars, scores }
    }

    pub(super) fn len(&self) -> usize {
        self.scores.len()
    }

    /// One step of expectation maximisation over `forest`. Pieces that are hardly expected lose their probability if
    /// `drops` allows it.
    ///
    /// Probabilities are not the relative counts themselves: their logarithm is `digamma(count) - digamma(total)`,
    /// which takes from the rare and is what a sparse Dirichlet prior does under variational inference (Liang and Klein,
    /// "Structured Bayesian nonparametric models with variational inference", 2007).
    pub(super) fn fit(&mut self, sweep: &Sweep<'_>, forest: &Forest, weights: &[u64], drops: bool) -> Result<()> {
        let probabilities: Vec<f64> = self.scores.iter().map(|score| score.exp()).collect();
        let mut expected = expected_counts(sweep, forest, weights, &probabilities)?;
        let lasting = if drops { self.chars } else { self.len() };
        for count in &mut expected[..lasting] {
            *count = count.max(MIN_EXPECTED);
        }
        let total: f64 = expected.iter().filter(|&&count| count >= MIN_EXPECTED).sum();
        let log_total = digamma(total);
        let score = |count: f64| if count >= MIN_EXPECTED { digamma(count) - log_total } else { f64::NEG_INFINITY };
        self.scores = expected.into_iter().map(score).collect();
        Ok(())
    }

    /// Without the pieces that are not kept.
    pub(super) fn renumber(&mut self, renumbered: &Renumbered) {
        let (mut pieces, mut scores) = (Strings::default(), Vec::new());
        for piece in (0..self.len()).filter(|&piece| renumbered.get(piece).is_some()) {
            pieces.push(self.pieces.get(piece));
            scores.push(self.scores[piece]);
        }
        (self.pieces, self.scores) = (pieces, scores);
    }
}

/// The derivative of the logarithm of the gamma function, for `x` above 0, to about 1e-12.
fn digamma(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < 8.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    // The asymptotic series in 1/x^2, with Bernoulli numbers.
    let inverse = 1.0 / (x * x);
    let series = inverse
        * (1.0 / 12.0 - inverse * (1.0 / 120.0 - inverse * (1.0 / 252.0 - inverse * (1.0 / 240.0 - inverse / 132.0))));
    sum + x.ln() - 0.5 / x - series
}

#[cfg(test)]
mod tests {
    use super::digamma;

    #[test]
    fn digamma_has_its_known_values() {
        const EULER: f64 = 0.577_215_664_901_532_9;
        assert!((digamma(1.0) + EULER).abs() < 1e-11);
        assert!((digamma(0.5) + EULER + 2.0 * 2f64.ln()).abs() < 1e-11);
        for x in [0.5, 1.7, 7.9, 8.0, 300.25, 1e9] {
            assert!((digamma(x + 1.0) - digamma(x) - 1.0 / x).abs() < 1e-11, "{x}");
        }
    }
}
