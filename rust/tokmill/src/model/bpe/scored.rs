//! Merging as sentencepiece does it: whatever neighbours spell a piece merge, that of the highest score first.
//!
//! For models that are no list of merges: pieces of equal score, which merge from left to right whatever they are;
//! unused pieces, which merge and are then split again as they were last put together anywhere in the text; pieces of
//! characters that are no pieces themselves. `O(n log n)`. Reference: `bpe_model.cc` of sentencepiece 0.2.3.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashMap;

use super::apart::Apart;
use super::literal::{Counted, byte_tokens};
use super::symbols::NONE;
use super::{Bpe, BpeOptions, Engine};
use crate::error::Result;
use crate::pieces::{Piece, PieceKind};
use crate::vocab::Vocab;

/// Pieces with their scores.
#[derive(Clone, Debug)]
pub(super) struct Scored {
    pieces: HashMap<Box<[u8]>, Entry>,
    apart: Option<Apart>,
    unknown: Option<u32>,
    fallback: Option<Box<[u32; 256]>>,
    /// The score of each id.
    scores: Vec<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: u32,
    unused: bool,
}

/// A symbol of a text: where it ends, its neighbours, and whether nothing merges with it.
#[derive(Clone, Copy)]
struct Symbol {
    end: usize,
    previous: usize,
    next: usize,
    frozen: bool,
}

/// Neighbours that may merge, the best last: the score, the index of the left one, and where the right one ends.
type Candidate = (Score, Reverse<usize>, usize);

/// A score in an order of its own.
#[derive(Clone, Copy, PartialEq)]
struct Score(f64);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Bpe {
    /// A model that merges whatever neighbours spell one of `pieces`, which are the entries of `vocab` in order of id.
    pub fn by_scores(vocab: Vocab, pieces: &[Piece], options: BpeOptions) -> Result<Self> {
        let engine = Engine::Scored(Box::new(Scored::new(&vocab, pieces, &options)?));
        Self::assemble(vocab, Vec::new(), options, engine)
    }

    /// The score of each entry, for a model that merges by scores and has no list of merges.
    pub fn scores(&self) -> Option<&[f64]> {
        match &self.engine {
            Engine::Scored(scored) => Some(&scored.scores),
            _ => None,
        }
    }
}

impl Scored {
    fn new(vocab: &Vocab, pieces: &[Piece], options: &BpeOptions) -> Result<Self> {
        let mut entries = HashMap::with_capacity(pieces.len());
        let mut symbols = Vec::new();
        for (id, piece) in (0..).zip(pieces) {
            if matches!(piece.kind, PieceKind::Normal | PieceKind::UserDefined | PieceKind::Unused) {
                let key = vocab.spelling().to_bytes(&piece.text);
                let key = key.unwrap_or_else(|| piece.text.clone().into_bytes());
                entries.insert(key.into_boxed_slice(), Entry { id, unused: piece.kind == PieceKind::Unused });
            }
            if piece.kind == PieceKind::UserDefined {
                symbols.push(id);
            }
        }
        Ok(Self {
            pieces: entries,
            apart: Apart::new(vocab, symbols)?,
            unknown: options.unk_token.as_ref().and_then(|token| vocab.id_spelled(token)),
            fallback: options.byte_fallback.then(|| Box::new(byte_tokens(vocab))),
            scores: pieces.iter().map(|piece| piece.score).collect(),
        })
    }

    /// Replaces `tokens` by those of a piece; `skips` decides for each merge that is due whether it is passed over.
    pub(super) fn encode(&self, piece: &[u8], mut skips: impl FnMut() -> bool, tokens: &mut Vec<Counted>) {
        tokens.clear();
        let mut text = Text::new(self, piece);
        while let Some((_, Reverse(left), end)) = text.candidates.pop() {
            if text.is_due(left, end) && !skips() {
                text.merge(left);
            }
        }
        text.write(tokens);
    }

    /// What merging begins with: symbols that stand apart, and characters.
    fn symbols(&self, piece: &[u8]) -> Vec<Symbol> {
        let segments = match &self.apart {
            Some(apart) => apart.segments(piece),
            None => vec![(0..piece.len(), None)],
        };
        let mut ends = Vec::with_capacity(piece.len());
        for (range, symbol) in segments {
            if symbol.is_some() {
                ends.push((range.end, true));
                continue;
            }
            let mut at = range.start;
            while at < range.end {
                at = range.end.min(at + crate::chars::length_at(piece, at));
                ends.push((at, false));
            }
        }
        let last = ends.len().wrapping_sub(1);
        let symbol = |(at, (end, frozen))| Symbol {
            end,
            frozen,
            previous: if at == 0 { NONE_AT } else { at - 1 },
            next: if at == last { NONE_AT } else { at + 1 },
        };
        ends.into_iter().enumerate().map(symbol).collect()
    }
}

/// Unused pieces are split this often, one inside the other.
const MAX_DEPTH: u32 = 100;

/// No neighbour.
const NONE_AT: usize = usize::MAX;

/// A text whose symbols merge.
struct Text<'t> {
    scored: &'t Scored,
    piece: &'t [u8],
    symbols: Vec<Symbol>,
    /// Which symbols have become part of the one before.
    gone: Vec<bool>,
    candidates: BinaryHeap<Candidate>,
    /// How long the left part of an unused piece was when it last was proposed.
    parts: HashMap<&'t [u8], usize>,
}

impl<'t> Text<'t> {
    fn new(scored: &'t Scored, piece: &'t [u8]) -> Self {
        let symbols = scored.symbols(piece);
        let gone = vec![false; symbols.len()];
        let mut text = Self { scored, piece, symbols, gone, candidates: BinaryHeap::new(), parts: HashMap::new() };
        for right in 1..text.symbols.len() {
            text.propose(right - 1, right);
        }
        text
    }

    fn begin(&self, symbol: usize) -> usize {
        match self.symbols[symbol].previous {
            NONE_AT => 0,
            previous => self.symbols[previous].end,
        }
    }

    fn propose(&mut self, left: usize, right: usize) {
        if self.symbols[left].frozen || self.symbols[right].frozen {
            return;
        }
        let begin = self.begin(left);
        let text = &self.piece[begin..self.symbols[right].end];
        let Some(&Entry { id, unused }) = self.scored.pieces.get(text) else { return };
        self.candidates.push((Score(self.scored.scores[id as usize]), Reverse(left), self.symbols[right].end));
        if unused {
            self.parts.insert(text, self.symbols[left].end - begin);
        }
    }

    /// Whether a symbol and its neighbour are still what a candidate was proposed for.
    fn is_due(&self, left: usize, end: usize) -> bool {
        let next = self.symbols[left].next;
        !self.gone[left] && next != NONE_AT && self.symbols[next].end == end
    }

    fn merge(&mut self, left: usize) {
        let Symbol { next: right, previous, .. } = self.symbols[left];
        let Symbol { end, next: after, .. } = self.symbols[right];
        self.gone[right] = true;
        self.symbols[left].end = end;
        self.symbols[left].next = after;
        if previous != NONE_AT {
            self.propose(previous, left);
        }
        if after != NONE_AT {
            self.symbols[after].previous = left;
            self.propose(left, after);
        }
    }

    /// Appends the tokens of what is left. Unused pieces are split as they were last put together.
    fn write(&self, tokens: &mut Vec<Counted>) {
        let mut pending = Vec::new();
        let mut in_unknown = false;
        for symbol in (0..self.symbols.len()).filter(|&symbol| !self.gone[symbol]) {
            pending.push((&self.piece[self.begin(symbol)..self.symbols[symbol].end], 0));
            while let Some((text, depth)) = pending.pop() {
                match (self.scored.pieces.get(text), self.parts.get(text)) {
                    (Some(Entry { unused: true, .. }), Some(&cut)) if depth <= MAX_DEPTH => {
                        let (left, right) = text.split_at(cut);
                        pending.extend([(right, depth + 1), (left, depth + 1)]);
                    }
                    (Some(entry), _) if !entry.unused || depth > MAX_DEPTH => {
                        in_unknown = false;
                        tokens.push((entry.id, text.len()));
                    }
                    _ => self.write_unknown(text, &mut in_unknown, tokens),
                }
            }
        }
    }

    /// Appends the bytes of what is no piece, or one unknown token for a run of it.
    fn write_unknown(&self, text: &[u8], in_unknown: &mut bool, tokens: &mut Vec<Counted>) {
        if let Some(fallback) = &self.scored.fallback {
            let ids = text.iter().map(|&byte| fallback[usize::from(byte)]).filter(|&id| id != NONE);
            return tokens.extend(ids.map(|id| (id, 1)));
        }
        match (tokens.last_mut(), self.scored.unknown) {
            (Some((_, len)), _) if *in_unknown => *len += text.len(),
            (_, Some(unknown)) => tokens.push((unknown, text.len())),
            _ => {}
        }
        *in_unknown = true;
    }
}
