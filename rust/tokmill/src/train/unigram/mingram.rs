//! MinGram: as few tokens as possible, and among such segmentations the most probable one (Land, arXiv 2606.27019).
//!
//! Seeds are what byte-pair merging makes of the words, somewhat more than are asked for. Pieces are counted in the
//! shortest segmentations of the words, of which the most probable by the counts of the step before wins; after a few
//! such steps those that occur most are kept, all at once, and counted again. There is no suffix array, no sum over
//! segmentations and no loop of pruning.
//!
//! Encoders of Unigram models look for the best sum of scores. [`TOKEN_COST`] is taken off every score, so that one
//! token less is worth more than any choice among likely pieces, and their best sum is a shortest segmentation.

use hashbrown::HashMap;

use crate::error::Result;
use crate::parallel;
use crate::train::bpe::POSITIONS;
use crate::train::merge_loop::{Limits, MergeLoop};
use crate::train::symbols::Symbols;
use crate::train::watch::{Phase, Watch, report};

use super::best::best_counts;
use super::corpus::Corpus;
use super::forest::{Forest, Renumbered};
use super::model::Model;
use super::options::UnigramTrainerOptions;
use super::prune;
use super::rules::Checker;
use super::strings::Strings;
use super::sweep::Sweep;

/// Seeds are this many times as many as the pieces that are asked for. Too few leave no choice, too many leave pieces
/// that share their uses with longer ones, and lose them: of 1.05 to 4, 1.3 gave the fewest tokens on five languages.
const SEEDS_PER_PIECE: f64 = 1.3;

/// Steps of counting before and after pieces are removed.
const FITS: usize = 3;

/// Nats of each token in the scores of the result. The best segmentation is a shortest one unless that has pieces so
/// much rarer: 32 nats are a factor of 10^14.
pub(super) const TOKEN_COST: f64 = 32.0;

/// While training no difference of probability outweighs a token: 2^20 nats leave 32 bits for the sum of the others.
const PROHIBITIVE: f64 = (1u64 << 20) as f64;

/// A piece that occurs in no shortest segmentation counts as much.
const LEAST: f64 = 0.5;

/// The pieces, at most `size` of them, with scores from which [`TOKEN_COST`] is taken off.
pub(super) fn train(
    corpus: &Corpus,
    checker: &Checker,
    options: &UnigramTrainerOptions,
    size: usize,
    watch: &dyn Watch,
) -> Result<Model> {
    let threads = parallel::threads_for(usize::MAX, options.threads);
    let mut model = seeds(corpus, checker, options, size, watch)?;
    let surplus = model.len().saturating_sub(size) as u64;
    let mut sweep = Sweep { threads, watch, removed: 0, surplus };
    let mut words = Forest::new(&corpus.words, &model.pieces, threads);
    for _ in 0..FITS {
        fit(&mut model, &sweep, &words, &corpus.weights)?;
    }
    let renumbered = Renumbered::keeping(&prune::by_score(&model, size));
    words.renumber(&renumbered, threads);
    model.renumber(&renumbered);
    sweep.removed = surplus;
    for _ in 0..FITS {
        fit(&mut model, &sweep, &words, &corpus.weights)?;
    }
    model.scores.iter_mut().for_each(|score| *score -= TOKEN_COST);
    Ok(model)
}

/// Takes as scores how often pieces occur in the shortest segmentations.
fn fit(model: &mut Model, sweep: &Sweep<'_>, words: &Forest, weights: &[u64]) -> Result<()> {
    let costly: Vec<f64> = model.scores.iter().map(|score| score - PROHIBITIVE).collect();
    let counts = best_counts(sweep, words, weights, &costly)?;
    let counts: Vec<f64> = counts.into_iter().map(|count| (count as f64).max(LEAST)).collect();
    let log_total = counts.iter().sum::<f64>().ln();
    model.scores = counts.into_iter().map(|count| count.ln() - log_total).collect();
    Ok(())
}

/// The characters of the corpus and what merging the most frequent pairs of the words makes, of what may be a piece.
fn seeds(
    corpus: &Corpus,
    checker: &Checker,
    options: &UnigramTrainerOptions,
    size: usize,
    watch: &dyn Watch,
) -> Result<Model> {
    let mut merging = Merging::new(corpus);
    let wanted = ((SEEDS_PER_PIECE * size as f64) as usize).min(options.seed_size).max(size);
    let threads = parallel::threads_for(corpus.words.text().len(), options.threads);
    let max_chars = options.rules.max_piece_chars;
    let symbols = Symbols::new(|visit| {
        let mut symbols = Vec::new();
        for (word, &weight) in corpus.words.iter().zip(&corpus.weights) {
            symbols.clear();
            symbols.extend(word.chars().map(|c| merging.ids[c.encode_utf8(&mut [0; 4]) as &str]));
            visit(&symbols, weight);
        }
        Ok(())
    })?;
    let limits = Limits { positions: POSITIONS, threads };
    let mut merge_loop = MergeLoop::new(symbols, merging.pieces.len(), 2, 2, limits);
    let mut candidates = 0u64;
    while merging.pieces.len() < wanted {
        let left = wanted - merging.pieces.len();
        let lengths = &merging.lengths;
        let fits = |left: u32, right: u32| lengths[left as usize] + lengths[right as usize] <= max_chars;
        let Some(candidate) = merge_loop.next(left, fits) else { break };
        candidates += 1;
        if candidates.is_multiple_of(256) {
            report(watch, Phase::Merge, merging.pieces.len() as u64, Some(wanted as u64))?;
        }
        let (string, length) = merging.both(candidate.left, candidate.right);
        if !checker.allows(&string, length) {
            merge_loop.drop_pair(candidate);
            continue;
        }
        let (result, known) = merging.add(string, length, candidate.count);
        let lengths = &merging.lengths;
        let fits = |left: u32, right: u32| lengths[left as usize] + lengths[right as usize] <= max_chars;
        merge_loop.merge(candidate, result, known, fits, |_| ());
    }
    Ok(Model::new(merging.pieces, corpus.chars.len(), &merging.frequencies))
}

/// The strings that merging has made so far.
struct Merging {
    pieces: Strings,
    /// Characters of each.
    lengths: Vec<usize>,
    /// How often each was made.
    frequencies: Vec<f64>,
    ids: HashMap<String, u32>,
}

impl Merging {
    /// The characters.
    fn new(corpus: &Corpus) -> Self {
        let mut merging =
            Self { pieces: Strings::default(), lengths: Vec::new(), frequencies: Vec::new(), ids: HashMap::new() };
        for &(c, count) in &corpus.chars {
            merging.add(c.to_string(), 1, count);
        }
        merging
    }

    /// The string of two pieces together, and its length.
    fn both(&self, left: u32, right: u32) -> (String, usize) {
        let (left, right) = (left as usize, right as usize);
        (format!("{}{}", self.pieces.get(left), self.pieces.get(right)), self.lengths[left] + self.lengths[right])
    }

    /// The id of a string, and whether it was there before.
    fn add(&mut self, string: String, length: usize, count: u64) -> (u32, bool) {
        if let Some(&id) = self.ids.get(&string) {
            return (id, true);
        }
        let id = self.pieces.len() as u32;
        self.pieces.push(&string);
        self.lengths.push(length);
        self.frequencies.push(count as f64);
        self.ids.insert(string, id);
        (id, false)
    }
}
