//! Segmenting a text that grows: what has to be kept of it is where a piece may still begin that reaches beyond its end.
//!
//! The best way to a place depends on nothing behind it, so the best segmentation of a text is the beginning of another
//! text's wherever that one has a piece boundary there. Whether a piece is the last of the best segmentation of a text
//! and the piece can be told from the scores of the places that the text's last pieces could begin at; all others are
//! of no consequence. Scores are added up as in `viterbi`, in the same order and width, so ties and rounding fall alike.

use super::viterbi::{Score, Weights, char_width};
use super::{AnyWeights, Unigram};
use crate::trie::{ROOT, Trie};

/// The places at which a piece may begin that reaches to the end of a text or beyond it, the end itself as the last.
#[derive(Clone, Debug)]
pub struct Window {
    starts: Vec<Start>,
    /// Scores from which the owner began to count anew, in order.
    resets: Vec<f64>,
}

/// A place where a piece may begin.
#[derive(Clone, Copy, Debug)]
struct Start {
    /// The score of the best way to it; 32 bits wide where the owner's are.
    score: f64,
    /// How many of the resets came before it.
    resets: usize,
    /// What pieces begin with from there to the end of the text; [`DEAD`] where none does.
    node: u32,
}

const DEAD: u32 = u32::MAX;

/// How a text goes on when some bytes are appended to it.
#[derive(Clone, Debug)]
pub struct Extension {
    /// The window at the new end.
    pub window: Window,
    /// How the best way leads from the old end to the new one, if it does in one step.
    pub step: Option<WayStep>,
    /// Whether a character on the way is best taken for unknown.
    pub meets_unknown: bool,
}

/// A step of a segmentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayStep {
    /// A piece.
    Piece(u32),
    /// A character that is no piece.
    Unknown,
}

/// What some pieces begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrieNode(u32);

impl Window {
    /// That of a text without anything.
    pub fn empty() -> Self {
        Self { starts: vec![Start { score: 0.0, resets: 0, node: ROOT }], resets: Vec::new() }
    }

    /// The places before the end: what pieces begin with from there, and how much more than the text they score.
    pub fn before(&self) -> impl Iterator<Item = (TrieNode, f64)> {
        let end = self.starts.last().map_or(0.0, |start| start.score);
        let score = |start: &Start| self.resets[start.resets..].iter().fold(start.score, |score, reset| score - reset);
        self.starts[..self.starts.len() - 1].iter().map(move |start| (TrieNode(start.node), score(start) - end))
    }
}

impl Unigram {
    /// How a text with this window goes on with `text`, at a boundary of characters.
    pub fn extend(&self, window: &Window, text: &[u8]) -> Extension {
        match &self.weights {
            AnyWeights::Double(weights) => extend(self.byte_trie(), weights, window, text, |score| score),
            AnyWeights::Single(weights) => extend(self.byte_trie(), weights, window, text, |score| score as f32),
        }
    }

    /// What all pieces begin with: nothing.
    pub fn root(&self) -> TrieNode {
        TrieNode(ROOT)
    }

    /// The beginning that is one byte longer.
    pub fn child(&self, node: TrieNode, byte: u8) -> Option<TrieNode> {
        self.byte_trie().child(node.0, byte).map(TrieNode)
    }

    /// The piece that is this beginning, as it is found in text.
    pub fn piece_at(&self, node: TrieNode) -> Option<u32> {
        self.byte_trie().id(node.0)
    }

    /// What a piece adds to a score.
    pub fn weight(&self, id: u32) -> f64 {
        match &self.weights {
            AnyWeights::Double(weights) => weights.by_id[id as usize],
            AnyWeights::Single(weights) => weights.by_id[id as usize].into(),
        }
    }

    /// What an unknown character adds to a score.
    pub fn unknown_weight(&self) -> f64 {
        match &self.weights {
            AnyWeights::Double(weights) => weights.unknown,
            AnyWeights::Single(weights) => weights.unknown.into(),
        }
    }

    /// By how much the scores of ways from a window over at most so many pieces can be off from exact sums.
    pub fn rounding(&self, window: &Window, pieces: usize) -> f64 {
        let unit = match &self.weights {
            AnyWeights::Double(_) => f64::EPSILON / 2.0,
            AnyWeights::Single(_) => f64::from(f32::EPSILON) / 2.0,
        };
        let before = window.starts.iter().map(|start| start.score.abs()).fold(0.0, f64::max);
        pieces as f64 * unit * (before + pieces as f64 * self.largest_weight)
    }

    /// The ids of the 256 bytes to which unknown characters fall back, if they do.
    pub fn byte_ids(&self) -> Option<&[u32; 256]> {
        self.options.byte_fallback.then_some(&*self.bytes)
    }
}

/// [`Unigram::extend`] in the owner's width.
fn extend<S: Score>(
    trie: &Trie,
    weights: &Weights<S>,
    window: &Window,
    text: &[u8],
    narrow: impl Fn(f64) -> S,
) -> Extension {
    let Window { mut starts, mut resets } = window.clone();
    let here = starts.len() - 1;
    let (mut meets_unknown, mut step) = (false, None);
    let mut at = 0;
    while at < text.len() {
        let width = char_width(text[at]).min(text.len() - at);
        let newest = starts.len() - 1;
        let begin = narrow(starts[newest].score);
        if S::RESET_BEYOND.is_some_and(|limit| begin.magnitude() > limit) {
            resets.push(begin.to_f64());
            starts[newest] = Start { score: begin.minus(begin).to_f64(), resets: resets.len(), ..starts[newest] };
        }
        // The best way to the end of the character: its score, where its last piece begins, and that piece.
        let mut best: Option<(S, usize, WayStep)> = None;
        let mut counted = 0;
        let mut known = false;
        for (index, start) in starts.iter_mut().enumerate().filter(|(_, start)| start.node != DEAD) {
            let bytes = &text[at..at + width];
            start.node = bytes.iter().try_fold(start.node, |node, &byte| trie.child(node, byte)).unwrap_or(DEAD);
            let piece = if start.node == DEAD { None } else { trie.id(start.node) };
            let (way, weight) = match piece {
                Some(id) => (WayStep::Piece(id), weights.by_id[id as usize]),
                None if index == newest => (WayStep::Unknown, weights.unknown),
                None => continue,
            };
            known |= index == newest;
            if let Some((score, ..)) = &mut best {
                for &reset in &resets[counted..start.resets] {
                    *score = score.minus(narrow(reset));
                }
            }
            counted = start.resets;
            let score = narrow(start.score).plus(weight);
            if best.is_none_or(|(best, ..)| score > best) {
                best = Some((score, index, way));
            }
        }
        debug_assert!(known, "the newest start has a piece or an unknown character");
        let Some((score, start, way)) = best else { break };
        meets_unknown |= way == WayStep::Unknown;
        at += width;
        step = (at == text.len() && start == here).then_some(way);
        starts.push(Start { score: score.to_f64(), resets: resets.len(), node: ROOT });
    }
    starts.retain(|start| start.node != DEAD);
    if starts.iter().all(|start| start.resets == resets.len()) {
        resets.clear();
        for start in &mut starts {
            start.resets = 0;
        }
    }
    Extension { window: Window { starts, resets }, step, meets_unknown }
}

#[cfg(test)]
mod tests {
    use super::super::{Rule, UnigramOptions, UnigramScratch};
    use super::*;
    use crate::pieces::{Piece, PieceKind};
    use proptest::prelude::*;

    fn model(scores: &[f64], rule: Rule) -> Unigram {
        let texts = ["<unk>", "a", "b", "é", "ab", "ba", "aa", "aba", "éb", "bé", "abé", "cb", "\u{2581}", "\u{2581}a"];
        let pieces: Vec<Piece> = texts
            .iter()
            .zip(scores)
            .enumerate()
            .map(|(id, (text, &score))| Piece {
                text: (*text).to_owned(),
                score,
                kind: if id == 0 { PieceKind::Unknown } else { PieceKind::Normal },
            })
            .collect();
        Unigram::new(&pieces, UnigramOptions { unk_id: Some(0), rule, blanks: true, ..UnigramOptions::default() })
            .unwrap()
    }

    proptest! {
        /// The last step into each place is the last id of what the model makes of the text up to there.
        #[test]
        fn steps_are_those_of_the_best_segmentation(
            scores in prop::collection::vec(prop_oneof![(-9i32..0).prop_map(f64::from), -9.0..-0.1], 14),
            large in any::<bool>(),
            sentencepiece in any::<bool>(),
            text in "[abéc ]{1,12}",
        ) {
            let rule = if sentencepiece { Rule::SentencePiece } else { Rule::Tokenizers };
            // Scores of this size make sentencepiece count anew.
            let scores: Vec<f64> = scores.iter().map(|score| if large { score * 7e3 } else { *score }).collect();
            let model = model(&scores, rule);
            let ids = |text: &str| {
                let mut ids = Vec::new();
                let mut scratch = UnigramScratch::default();
                scratch.begin();
                // Words one after the other, as the encoder gives them.
                let mut begin = 0;
                for end in 1..=text.len() {
                    let bytes = text.as_bytes();
                    let cut = model.cuts_words() && bytes.get(end) == Some(&b' ') && bytes[end - 1] != b' ';
                    if cut || end == text.len() {
                        model.encode(&bytes[begin..end], &mut scratch, &mut ids);
                        begin = end;
                    }
                }
                ids
            };
            let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let mut windows = vec![Window::empty()];
            for pair in ends.windows(2) {
                let last = windows.last().unwrap();
                windows.push(model.extend(last, &text.as_bytes()[pair[0]..pair[1]]).window);
            }
            for (from, &begin) in ends.iter().enumerate() {
                for &end in &ends[from + 1..] {
                    let found = model.extend(&windows[from], &text.as_bytes()[begin..end]).step;
                    let (before, all) = (ids(&text[..begin]), ids(&text[..end]));
                    // Neighbouring unknown characters become one id, so only steps over pieces show in the ids.
                    let spells = |id: u32| model.vocab().key(id) == Some(&text.as_bytes()[begin..end]);
                    let expected = all.split_last().filter(|(last, rest)| spells(**last) && *rest == before);
                    let piece = if let Some(WayStep::Piece(id)) = found { Some(id) } else { None };
                    let shown = expected.map(|(last, _)| *last);
                    prop_assert_eq!(piece, shown, "{:?} {:?}", &text[..begin], &text[begin..end]);
                }
            }
        }
    }
}
