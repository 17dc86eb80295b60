//! The score of a given segmentation.
//!
//! Ids do not say how many unknown characters one of them stands for, so the score of a segmentation is that of the ways
//! through the lattice of its text that have these ids; there is nearly always one, and of several the best counts. Ways
//! are followed id by id, which costs the length of the text times the arcs at a place. Reference: T. Kudo, "Subword
//! Regularization" (2018).

use std::collections::BTreeMap;

use super::viterbi::Part;
use super::{AnyWeights, NO_ID, Rule, Unigram};

/// Where a way stands after some of the ids.
#[derive(Clone, Copy)]
struct State {
    at: usize,
    /// Neighbouring unknown characters are one run, so that another one cannot follow.
    after_run: bool,
    score: f64,
}

impl Unigram {
    /// How many of `ids` can be the segmentation of a text, each with its score.
    pub fn prefixes_that_segment(&self, text: &[u8], ids: &[u32]) -> Vec<(usize, f64)> {
        let unknown = self.options.unk_id.unwrap_or(NO_ID);
        let by_character = self.options.rule == Rule::SentencePiece && self.options.byte_fallback;
        let mut states: Vec<Vec<State>> = vec![Vec::new(); ids.len() + 1];
        states[0].push(State { at: 0, after_run: false, score: 0.0 });
        let mut found = Vec::new();
        for done in 0..=ids.len() {
            for state in std::mem::take(&mut states[done]) {
                if state.at == text.len() {
                    found.push((done, state.score));
                    continue;
                }
                let mut run = BTreeMap::new();
                self.for_arcs(text, state.at, |part, weight| {
                    let score = state.score + weight;
                    if part.id == unknown && !by_character {
                        reach(&mut run, part.end as usize, score);
                    } else if let Some(len) = self.ids_begin_with(text, part, &ids[done..]) {
                        add(&mut states[done + len], State { at: part.end as usize, after_run: false, score });
                    }
                });
                if !state.after_run {
                    self.follow_run(text, state.at, run, |end, score| {
                        let part = Part { begin: state.at as u32, end: end as u32, id: unknown };
                        if let Some(len) = self.ids_begin_with(text, part, &ids[done..]) {
                            add(&mut states[done + len], State { at: end, after_run: true, score });
                        }
                    });
                }
            }
        }
        found.sort_by(|one, other| one.0.cmp(&other.0).then(other.1.total_cmp(&one.1)));
        found.dedup_by_key(|(len, _)| *len);
        found
    }

    /// Gives the places where a run of unknown characters from `begin` on may end, with the score up to there; `open`
    /// holds those of its first characters.
    fn follow_run(&self, text: &[u8], begin: usize, open: BTreeMap<usize, f64>, mut take: impl FnMut(usize, f64)) {
        let unknown = self.options.unk_id.unwrap_or(NO_ID);
        let mut open = open;
        while let Some((end, score)) = open.pop_first() {
            debug_assert!(end > begin, "characters have a length");
            let mut may_end = end == text.len();
            if !may_end {
                self.for_arcs(text, end, |part, weight| {
                    if part.id == unknown {
                        reach(&mut open, part.end as usize, score + weight);
                    } else {
                        may_end = true;
                    }
                });
            }
            if may_end {
                take(end, score);
            }
        }
    }

    /// How many ids a part becomes, where `ids` begins with them. The part may be a run of unknown characters.
    fn ids_begin_with(&self, text: &[u8], part: Part, ids: &[u32]) -> Option<usize> {
        let mut expected = Vec::new();
        self.tokens(text, std::iter::once(part), |part| expected.push(part.id));
        ids.starts_with(&expected).then_some(expected.len()).filter(|len| *len > 0)
    }

    /// The sum of the scores of ids alone: what stands for unknown characters counts as one, bytes by the character that
    /// they spell, and ids that are no pieces count nothing.
    pub fn score_of_ids(&self, ids: &[u32]) -> f64 {
        let unknown = match &self.weights {
            AnyWeights::Double(weights) => weights.unknown,
            AnyWeights::Single(weights) => weights.unknown.into(),
        };
        let byte = |id: u32| self.bytes.iter().position(|&byte| byte == id).filter(|_| self.options.byte_fallback);
        let score = |&id: &u32| match byte(id) {
            _ if Some(id) == self.options.unk_id => unknown,
            Some(byte) if byte & 0xC0 == 0x80 => 0.0,
            Some(_) => unknown,
            None if (id as usize) < self.kinds.len() => self.arc_weight(id),
            None => 0.0,
        };
        ids.iter().map(score).sum()
    }
}

fn reach(open: &mut BTreeMap<usize, f64>, end: usize, score: f64) {
    let best = open.entry(end).or_insert(score);
    *best = best.max(score);
}

fn add(states: &mut Vec<State>, state: State) {
    match states.iter_mut().find(|other| (other.at, other.after_run) == (state.at, state.after_run)) {
        Some(other) => other.score = other.score.max(state.score),
        None => states.push(state),
    }
}
