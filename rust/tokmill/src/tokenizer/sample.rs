//! Other segmentations than the best: the next best ones in order, and random ones.
//!
//! Pieces are segmented independently, so the best segmentations of a text are combined from those of its pieces: piece
//! after piece, the best sums of a segmentation of what stands before and one of the piece are kept. A random
//! segmentation is one of each piece.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::encode::Target;
use super::join::Join;
use super::{EncodeOptions, Tokenizer};
use crate::alignment::Alignment;
use crate::encoder::Sink;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::unigram::{Segmentation, Unigram};
use crate::random::Random;

/// How to draw a random segmentation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// For Unigram models: how much more likely better segmentations are; at 0 all are equally likely.
    pub alpha: f64,
    /// For Unigram models: draw from so many of the best segmentations only.
    pub nbest: Option<usize>,
    /// For BPE models: how often a merge is passed over.
    pub dropout: Option<f32>,
    /// Equal seeds give equal samples.
    pub seed: u64,
}

/// What a text is cut into.
#[derive(Debug)]
enum Item {
    Token(u32),
    Piece(Box<[u8]>),
}

#[derive(Debug, Default)]
struct Items(Vec<Item>);

impl Sink for Items {
    const BY_PIECE: bool = true;
    const ENCODED: bool = false;

    fn ids(&mut self, ids: &[u32]) {
        self.0.extend(ids.iter().map(|&id| Item::Token(id)));
    }

    fn piece(&mut self, _model: &Model, piece: &[u8], _begin: usize, _ids: &[u32]) {
        self.0.push(Item::Piece(piece.into()));
    }
}

impl Target for Items {
    const ALIGNED: bool = false;

    fn enter(&mut self, _base: usize, _alignment: Option<Alignment>) {}

    fn token(&mut self, id: u32, _range: Range<usize>, _found: &[u8], _marks: bool) {
        self.0.push(Item::Token(id));
    }
}

impl Join for Items {
    fn join(&mut self, next: &mut Self) {
        self.0.append(&mut next.0);
    }
}

impl Tokenizer {
    /// A random segmentation of a text. Special tokens as for [`Self::encode`], but that none are put around it.
    pub fn sample(&self, text: &[u8], sampling: Sampling, options: &EncodeOptions) -> Result<Vec<u32>> {
        if !(sampling.alpha.is_finite() && sampling.alpha >= 0.0) {
            return Err(Error::option("alpha", "must be a finite number from 0 up"));
        }
        if sampling.dropout.is_some() && !matches!(self.model, Model::Bpe(_)) {
            return Err(Error::unsupported("dropout", "a model that is not BPE"));
        }
        let mut random = Random::new(sampling.seed);
        if let (Model::Unigram(_), Some(count)) = (&self.model, sampling.nbest) {
            let mut found = self.nbest(text, count, options)?;
            let best = found[0].score;
            let weights = found.iter().map(|other| (sampling.alpha * (other.score - best)).exp());
            let chosen = random.choose(weights);
            return Ok(found.swap_remove(chosen).ids);
        }
        let items = self.items(text, options)?;
        let mut ids = Vec::new();
        match &self.model {
            Model::Unigram(unigram) => {
                for item in &items {
                    match item {
                        Item::Token(id) => ids.push(*id),
                        Item::Piece(piece) => ids.extend(unigram.sample(piece, sampling.alpha, &mut random)),
                    }
                }
            }
            Model::Bpe(bpe) => {
                let Some(dropout) = sampling.dropout.or(bpe.options().dropout) else {
                    return Err(Error::option("dropout", "must be given, since the tokenizer's file has none"));
                };
                if !(0.0..=1.0).contains(&dropout) {
                    return Err(Error::option("dropout", "must be from 0 to 1"));
                }
                let mut sampler = bpe.sampler(dropout, sampling.seed);
                for item in &items {
                    match item {
                        Item::Token(id) => ids.push(*id),
                        Item::Piece(piece) => sampler.encode(piece, &mut ids),
                    }
                }
            }
            Model::WordPiece(_) | Model::WordLevel(_) => {
                return Err(Error::unsupported("sample", "a model that segments text in one way only"));
            }
        }
        Ok(ids)
    }

    /// The `count` best segmentations of a text by a Unigram model, best first, or all where there are fewer.
    pub fn nbest(&self, text: &[u8], count: usize, options: &EncodeOptions) -> Result<Vec<Segmentation>> {
        let Model::Unigram(unigram) = &self.model else {
            return Err(Error::unsupported("nbest", "a model that is not Unigram"));
        };
        if count == 0 {
            return Err(Error::option("n", "must be at least 1"));
        }
        let items = self.items(text, options)?;
        Ok(Combined::of(unigram, &items, count).segmentations(&items))
    }

    /// The score of a segmentation by a Unigram model: the sum of the scores of its pieces, where each unknown character
    /// is one of its own.
    ///
    /// With the text, ids that are no segmentation of it are an error. Without it, an id for unknown characters counts
    /// as one of them. Tokens that are found before the model count nothing.
    pub fn score(&self, ids: &[u32], text: Option<&[u8]>, options: &EncodeOptions) -> Result<f64> {
        let Model::Unigram(unigram) = &self.model else {
            return Err(Error::unsupported("score", "a model that is not Unigram"));
        };
        let vocab_size = self.vocab_size();
        if let Some(&id) = ids.iter().find(|&&id| id as usize >= vocab_size) {
            return Err(Error::UnknownId { id: id.into(), vocab_size });
        }
        let Some(text) = text else { return Ok(unigram.score_of_ids(ids)) };
        // How many ids have been used, and the score so far.
        let mut ways = vec![(0, 0.0)];
        for item in self.items(text, options)? {
            ways = match item {
                Item::Token(id) => {
                    let is_next = |&(used, _): &(usize, f64)| ids.get(used) == Some(&id);
                    ways.into_iter().filter(is_next).map(|(used, score)| (used + 1, score)).collect()
                }
                Item::Piece(piece) => {
                    let longer = |(used, before): (usize, f64)| {
                        let ends = unigram.prefixes_that_segment(&piece, &ids[used..]);
                        ends.into_iter().map(move |(len, score)| (used + len, before + score))
                    };
                    let mut longer: Vec<(usize, f64)> = ways.into_iter().flat_map(longer).collect();
                    longer.sort_by(|one, other| one.0.cmp(&other.0).then(other.1.total_cmp(&one.1)));
                    longer.dedup_by_key(|(used, _)| *used);
                    longer
                }
            };
        }
        let whole = ways.into_iter().find(|&(used, _)| used == ids.len());
        whole.map(|(_, score)| score).ok_or_else(|| Error::option("ids", "must be a segmentation of the text"))
    }

    fn items(&self, text: &[u8], options: &EncodeOptions) -> Result<Vec<Item>> {
        let mut items = Items::default();
        let alone = EncodeOptions { threads: Some(1), ..options.clone() };
        self.pool.with(&self.model, |encoder| self.walk(text, &alone, encoder, &mut items))?;
        if let Model::Unigram(unigram) = &self.model
            && items.0.iter().any(|item| matches!(item, Item::Piece(piece) if unigram.lacks_id_for(piece)))
        {
            return Err(Error::MissingUnknown);
        }
        Ok(items.0)
    }
}

/// The best segmentations of the first pieces: how each goes on from one of those before.
struct Combined {
    /// For each piece, its own segmentations.
    own: Vec<Vec<Segmentation>>,
    /// For each piece, the place of what stands before and the place of its own segmentation.
    steps: Vec<Vec<(usize, usize)>>,
    scores: Vec<f64>,
}

impl Combined {
    fn of(unigram: &Unigram, items: &[Item], count: usize) -> Self {
        let mut combined = Self { own: Vec::new(), steps: Vec::new(), scores: vec![0.0] };
        for item in items {
            if let Item::Piece(piece) = item {
                combined.add(unigram.nbest(piece, count), count);
            }
        }
        combined
    }

    /// Goes on with a piece: the best sums of two sorted lists.
    fn add(&mut self, own: Vec<Segmentation>, count: usize) {
        let mut open = BinaryHeap::new();
        let sum = |before: usize, at: usize| Sum { score: self.scores[before] + own[at].score, before, own: at };
        open.push(sum(0, 0));
        let (mut steps, mut scores) = (Vec::new(), Vec::new());
        while scores.len() < count
            && let Some(top) = open.pop()
        {
            // Each pair is reached from one other: along its row, or down the first column.
            if top.own + 1 < own.len() {
                open.push(sum(top.before, top.own + 1));
            }
            if top.own == 0 && top.before + 1 < self.scores.len() {
                open.push(sum(top.before + 1, 0));
            }
            steps.push((top.before, top.own));
            scores.push(top.score);
        }
        self.scores = scores;
        self.own.push(own);
        self.steps.push(steps);
    }

    fn segmentations(&self, items: &[Item]) -> Vec<Segmentation> {
        let segmentation = |(place, &score): (usize, &f64)| {
            let mut at = place;
            let mut chosen: Vec<&Segmentation> = Vec::with_capacity(self.own.len());
            for (own, steps) in self.own.iter().zip(&self.steps).rev() {
                let (before, place) = steps[at];
                chosen.push(&own[place]);
                at = before;
            }
            let mut chosen = chosen.into_iter().rev();
            let mut ids = Vec::new();
            for item in items {
                match item {
                    Item::Token(id) => ids.push(*id),
                    Item::Piece(_) => ids.extend(chosen.next().into_iter().flat_map(|own| &own.ids)),
                }
            }
            Segmentation { ids, score }
        };
        self.scores.iter().enumerate().map(segmentation).collect()
    }
}

/// A segmentation of what stands before with one of a piece; of equal ones the earlier are better.
struct Sum {
    score: f64,
    before: usize,
    own: usize,
}

impl Ord for Sum {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then((other.before, other.own).cmp(&(self.before, self.own)))
    }
}

impl PartialOrd for Sum {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Sum {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Sum {}
