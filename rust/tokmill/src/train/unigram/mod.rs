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

mod assemble;
mod best;
mod corpus;
mod expect;
mod finish;
mod forest;
mod mingram;
mod model;
mod options;
mod prune;
mod rules;
mod seeds;
mod strings;
mod sweep;
mod text;
mod trie;

#[cfg(test)]
mod tests;

pub use assemble::Layout;
pub use options::{MAX_PIECE_CHARS, MAX_SEEDS, Method, Normalization, PieceRules, TextRules, UnigramTrainerOptions};
pub use text::splitter;

use crate::error::{Error, Result};
use crate::parallel;
use crate::pieces::{Piece, PieceKind};
use crate::template::PostProcessor;

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
    /// Entries by id: the unknown token, control tokens, user-defined ones, bytes, and then pieces, the most probable
    /// first. The score of a piece is the logarithm of its probability in multiples of 2^-10 (for MinGram, less 32 nats,
    /// in multiples of 2^-8); others have 0.
    pub entries: Vec<Piece>,
    /// Whether bytes are among them.
    pub byte_fallback: bool,
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
    let reserved = options.check()?;
    let checker = Checker::new(options.rules.clone());
    let corpus = Corpus::new(counts, options, &checker)?;
    let room = options.vocab_size.saturating_sub(reserved.len());
    if corpus.chars.len() > room {
        let needed = corpus.chars.len() + reserved.len();
        let why = format!("{} is less than the {needed} that characters and special tokens take", options.vocab_size);
        return Err(Error::option("vocab_size", why));
    }
    check_memory(counts, &corpus, options)?;
    let model = if options.method == Method::MinGram {
        mingram::train(&corpus, &checker, options, room, watch)?
    } else {
        report(watch, Phase::Seed, 0, None)?;
        let model = seeds::seeds(&corpus, &checker, options.rules.max_piece_chars, options.seed_size);
        Run::new(&corpus, model, options, room, watch).finish()?
    };
    if model.len() < room {
        let why = format!("the corpus supports at most {}, not {}", reserved.len() + model.len(), options.vocab_size);
        return Err(Error::option("vocab_size", why));
    }
    let scores = finish::reachable_scores(&model, options.method.steps());
    let mut pieces: Vec<(usize, f64)> = scores.into_iter().enumerate().collect();
    pieces.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut entries = reserved;
    entries.extend(pieces.into_iter().map(|(piece, score)| Piece::normal(model.pieces.get(piece), score)));
    Ok(TrainedUnigram { entries, byte_fallback: options.byte_fallback })
}

impl UnigramTrainerOptions {
    /// Refuses what no corpus would make possible, and returns the entries before the pieces.
    fn check(&self) -> Result<Vec<Piece>> {
        check_ranges(self)?;
        let reserved = reserved_entries(self)?;
        if reserved.len() >= self.vocab_size {
            let why = format!("{} leaves no room for pieces behind {} special ones", self.vocab_size, reserved.len());
            return Err(Error::option("vocab_size", why));
        }
        Ok(reserved)
    }

    /// Refuses what no corpus would make possible, and returns a tokenizer's post-processor, if there is a template; see
    /// [`Template::parse`](crate::template::Template::parse).
    pub fn post_processor(&self, template: Option<(&str, Option<&str>)>) -> Result<Option<PostProcessor>> {
        let reserved = self.check()?;
        let control = reserved.iter().zip(0..).filter(|(entry, _)| entry.kind == PieceKind::Control);
        let tokens: Vec<(String, u32)> = control.map(|(entry, id)| (entry.text.clone(), id)).collect();
        template.map(|(single, pair)| super::template(&tokens, single, pair)).transpose()
    }
}

/// Refuses numbers that make no sense.
fn check_ranges(options: &UnigramTrainerOptions) -> Result<()> {
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
    within("token_cost", options.token_cost, 0.0..=1e6)?;
    within("sub_iterations", options.sub_iterations as f64, 1.0..=100.0)?;
    within("seed_size", options.seed_size as f64, 0.0..=MAX_SEEDS as f64 / 2.0)
}

/// Refuses a limit that the run would exceed.
fn check_memory(counts: &WordCounts, corpus: &Corpus, options: &UnigramTrainerOptions) -> Result<()> {
    let needed = counts.memory() + corpus.memory() + corpus.words.text().len() * BYTES_PER_BYTE + (128 << 20);
    match options.memory_limit {
        Some(limit) if limit < needed => {
            let words = corpus.words.len();
            let why = format!("{limit} bytes are too few for {words} distinct words, which take about {needed}");
            Err(Error::option("memory_limit", why))
        }
        _ => Ok(()),
    }
}

/// Memory for each byte of distinct words: the arcs over it, and before them its place in the suffix array.
const BYTES_PER_BYTE: usize = 16;

/// The entries before the pieces: special tokens, user-defined ones, bytes.
fn reserved_entries(options: &UnigramTrainerOptions) -> Result<Vec<Piece>> {
    let entry = |text: &String, kind| Piece { text: text.clone(), score: 0.0, kind };
    let mut entries = vec![entry(&options.unk_token, PieceKind::Unknown)];
    entries.extend(options.control_tokens.iter().map(|token| entry(token, PieceKind::Control)));
    entries.extend(options.user_defined_tokens.iter().map(|token| entry(token, PieceKind::UserDefined)));
    if options.byte_fallback {
        entries.extend((0..=u8::MAX).map(|byte| entry(&format!("<0x{byte:02X}>"), PieceKind::Byte)));
    }
    let mut names: Vec<&str> = entries.iter().map(|entry| entry.text.as_str()).collect();
    names.sort_unstable();
    if let Some((name, _)) = names.iter().zip(names.iter().skip(1)).find(|(one, other)| one == other) {
        return Err(Error::option("special_tokens", format!("{name:?} is there twice")));
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

    /// The fitted model of the size that was asked for, or fewer pieces where there are no more.
    fn finish(mut self) -> Result<Model> {
        while self.model.len() > self.size {
            self.fit(self.options.sub_iterations, true)?;
            let size = (self.model.len() as f64 * self.options.shrinking_factor) as usize;
            self.prune(size.max(self.size))?;
        }
        self.fit(FINAL_FITS, false)?;
        Ok(self.model)
    }

    fn fit(&mut self, steps: usize, drops: bool) -> Result<()> {
        (0..steps).try_for_each(|_| self.model.fit(&self.sweep, &self.words, self.weights, drops))
    }

    /// Removes the pieces that contribute least, and leaves no more than `size`.
    fn prune(&mut self, size: usize) -> Result<()> {
        let piece_of = |seed: usize| self.piece_of_seed[seed].map(|piece| piece as usize);
        let mut keep = match self.options.method {
            Method::Em => prune::by_likelihood(
                &self.sweep,
                &self.model,
                (&self.words, self.weights),
                (&self.seeds, &piece_of),
                self.options.token_cost,
                size,
            )?,
            Method::ScorePruning | Method::MinGram => prune::by_score(&self.model, size),
        };
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
