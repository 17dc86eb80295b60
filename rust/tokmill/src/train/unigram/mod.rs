//! Training a Unigram model from counted words.
//!
//! A Unigram model gives each piece a probability and segments text into the most probable pieces (Kudo, "Subword
//! regularization", 2018). Training begins with too many pieces (`seeds`), fits their probabilities to the corpus by
//! expectation maximisation (`model`, `expect`), removes those that contribute least (`prune`), and so on until as many
//! are left as were asked for (`finish`). The method is that of sentencepiece 0.2.3.
//!
//! The corpus is its distinct words with their counts. Their segmentations are laid out once, sharing what words have
//! in common (`forest`), and every step is a linear pass over that layout on all threads. All sums over threads are of
//! integers, so the result is the same for any number of them.

mod best;
mod corpus;
mod expect;
mod finish;
mod forest;
mod model;
mod options;
mod prune;
mod rules;
mod seeds;
mod strings;
mod sweep;
mod trie;

pub use options::{MAX_PIECE_CHARS, MAX_SEEDS, Method, PieceRules, UnigramTrainerOptions};

use crate::error::{Error, Result};
use crate::parallel;

use super::counts::WordCounts;
use super::watch::{Phase, Watch, report};
use corpus::Corpus;
use forest::{Forest, Renumbered};
use model::Model;
use rules::Checker;
use strings::Strings;
use sweep::Sweep;

/// What a training run made.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainedUnigram {
    /// Entries by id.
    pub entries: Vec<UnigramEntry>,
}

/// An entry of a Unigram vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub struct UnigramEntry {
    /// Its text; `<0x0A>` for a byte.
    pub piece: String,
    /// The logarithm of its probability, a multiple of 2^-10; 0 for all but normal pieces.
    pub score: f64,
    /// What it stands for.
    pub kind: EntryKind,
}

/// What an entry of a Unigram vocabulary stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// What cannot be encoded.
    Unknown,
    /// A token that no text yields.
    Control,
    /// A token that is cut out of any text.
    UserDefined,
    /// A byte of a character that is no piece.
    Byte,
    /// A piece of text.
    Normal,
}

/// Trains a Unigram model.
///
/// The counted words are text in UTF-8, normalised, with U+2581 for blanks; bytes that are not UTF-8 count as U+FFFD. The
/// result depends on the counts and the options alone.
pub fn train_unigram(
    counts: &WordCounts,
    options: &UnigramTrainerOptions,
    watch: &dyn Watch,
) -> Result<TrainedUnigram> {
    check(options)?;
    let reserved = reserved_entries(options)?;
    let checker = Checker::new(options.rules.clone());
    let corpus = Corpus::new(counts, options, &checker)?;
    let room = options.vocab_size.saturating_sub(reserved.len());
    if corpus.chars.len() > room {
        let needed = corpus.chars.len() + reserved.len();
        let why = format!("{} is less than the {needed} that characters and special tokens take", options.vocab_size);
        return Err(Error::option("vocab_size", why));
    }
    report(watch, Phase::Seed, 0, None)?;
    let model = seeds::seeds(&corpus, &checker, options.rules.max_piece_chars, options.seed_size);
    let model = Run::new(&corpus, model, options, room, watch).finish()?;
    let mut entries = reserved;
    let scores = finish::reachable_scores(&model);
    let mut pieces: Vec<(usize, f64)> = scores.into_iter().enumerate().collect();
    pieces.sort_by(|a, b| b.1.total_cmp(&a.1));
    entries.extend(pieces.into_iter().map(|(piece, score)| UnigramEntry {
        piece: model.pieces.get(piece).to_owned(),
        score,
        kind: EntryKind::Normal,
    }));
    Ok(TrainedUnigram { entries })
}

/// Refuses options that make no sense.
fn check(options: &UnigramTrainerOptions) -> Result<()> {
    let within = |name, value: f64, range: std::ops::RangeInclusive<f64>| {
        if range.contains(&value) {
            return Ok(());
        }
        let (least, most) = range.into_inner();
        Err(Error::option(name, format!("{value} is not between {least} and {most}")))
    };
    within("character_coverage", options.character_coverage, 0.0..=1.0)?;
    within("shrinking_factor", options.shrinking_factor, 0.05..=0.95)?;
    within("max_piece_chars", options.rules.max_piece_chars as f64, 1.0..=MAX_PIECE_CHARS as f64)?;
    within("sub_iterations", options.sub_iterations as f64, 1.0..=100.0)?;
    within("seed_size", options.seed_size as f64, 0.0..=MAX_SEEDS as f64 / 2.0)
}

/// The entries before the pieces: special tokens, user-defined ones, bytes.
fn reserved_entries(options: &UnigramTrainerOptions) -> Result<Vec<UnigramEntry>> {
    let entry = |piece: &String, kind| UnigramEntry { piece: piece.clone(), score: 0.0, kind };
    let mut entries = vec![entry(&options.unk_token, EntryKind::Unknown)];
    entries.extend(options.control_tokens.iter().map(|token| entry(token, EntryKind::Control)));
    entries.extend(options.user_defined_tokens.iter().map(|token| entry(token, EntryKind::UserDefined)));
    if options.byte_fallback {
        entries.extend((0..=u8::MAX).map(|byte| entry(&format!("<0x{byte:02X}>"), EntryKind::Byte)));
    }
    let mut names: Vec<&str> = entries.iter().map(|entry| entry.piece.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::option("special_tokens", format!("{:?} is there twice", pair[0])));
    }
    if names.first().is_some_and(|name| name.is_empty()) {
        return Err(Error::option("special_tokens", "one of them is empty"));
    }
    Ok(entries)
}

/// A run under way.
struct Run<'r> {
    options: &'r UnigramTrainerOptions,
    /// Pieces to end with.
    size: usize,
    sweep: Sweep<'r>,
    weights: &'r [u64],
    words: Forest,
    /// The seeds in byte order.
    seeds: Forest,
    /// What became of each.
    piece_of_seed: Vec<Option<u32>>,
    model: Model,
}

/// Pruning goes on until there are this many times as many pieces as were asked for; the best of them are taken then.
const MARGIN: f64 = 1.1;

/// Steps of expectation maximisation after the last piece is removed.
const FINAL_FITS: usize = 2;

impl<'r> Run<'r> {
    fn new(
        corpus: &'r Corpus,
        model: Model,
        options: &'r UnigramTrainerOptions,
        size: usize,
        watch: &'r dyn Watch,
    ) -> Self {
        let threads = parallel::threads_for(usize::MAX, options.threads);
        let order = model.pieces.sorted();
        let mut sorted = Strings::default();
        for &piece in &order {
            sorted.push(model.pieces.get(piece as usize));
        }
        let words = Forest::new(&corpus.words, &model.pieces, threads);
        let seeds = Forest::new(&sorted, &model.pieces, threads);
        let surplus = model.len().saturating_sub(size) as u64;
        let sweep = Sweep { threads, watch, removed: 0, surplus };
        let piece_of_seed = order.into_iter().map(Some).collect();
        Self { options, size, sweep, weights: &corpus.weights, words, seeds, piece_of_seed, model }
    }

    /// The fitted model of exactly the size that was asked for.
    fn finish(mut self) -> Result<Model> {
        let enough = (self.size as f64 * MARGIN) as usize;
        loop {
            self.fit(self.options.sub_iterations)?;
            if self.model.len() <= enough {
                break;
            }
            let before = self.model.len();
            let size = enough.max((before as f64 * self.options.shrinking_factor) as usize);
            self.prune(size, enough)?;
            if self.model.len() == before {
                break;
            }
        }
        self.cut()?;
        self.fit(FINAL_FITS)?;
        Ok(self.model)
    }

    fn fit(&mut self, steps: usize) -> Result<()> {
        (0..steps).try_for_each(|_| self.model.fit(&self.sweep, &self.words, self.weights))
    }

    /// Removes the pieces that contribute least, down to `size` of them.
    fn prune(&mut self, size: usize, least: usize) -> Result<()> {
        let piece_of = |seed: usize| self.piece_of_seed[seed].map(|piece| piece as usize);
        let mut keep = match self.options.method {
            Method::Em => prune::by_likelihood(
                &self.sweep,
                &self.model,
                (&self.words, self.weights),
                (&self.seeds, &piece_of),
                size,
            )?,
            Method::ScorePruning => prune::by_score(&self.model, size),
        };
        prune::fill(&mut keep, &self.model, least);
        self.keep(&keep);
        Ok(())
    }

    /// Takes the best pieces, those first that are better than their own parts.
    fn cut(&mut self) -> Result<()> {
        let alive = self.model.alive();
        if alive < self.size {
            let most = self.options.vocab_size - (self.size - alive);
            let why = format!("the corpus supports at most {most}, not {}", self.options.vocab_size);
            return Err(Error::option("vocab_size", why));
        }
        let reachable = finish::reachable(&self.model);
        let mut keep = prune::by_score_among(&self.model, self.size, |piece| reachable[piece]);
        prune::fill(&mut keep, &self.model, self.size);
        self.keep(&keep);
        Ok(())
    }

    fn keep(&mut self, keep: &[bool]) {
        let renumbered = Renumbered::keeping(keep);
        self.sweep.removed += keep.iter().filter(|&&kept| !kept).count() as u64;
        self.words.renumber(&renumbered, self.sweep.threads);
        self.seeds.renumber(&renumbered, self.sweep.threads);
        for piece in &mut self.piece_of_seed {
            *piece = piece.and_then(|piece| renumbered.get(piece as usize));
        }
        self.model.renumber(&renumbered);
    }
}
