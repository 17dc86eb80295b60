//! Symbols that stand apart: the user-defined pieces of sentencepiece, which are found before anything merges.
//!
//! At each place of a text the longest symbol is taken, and no merge crosses it. What stands between symbols is encoded
//! as ever, so all that makes that fast holds.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use hashbrown::HashMap;

use super::{Bpe, Compiled, Engine, Stretch};
use crate::error::{Error, Result};
use crate::vocab::Vocab;

/// The symbols of a model.
#[derive(Clone, Debug)]
pub(super) struct Apart {
    finder: AhoCorasick,
    ids: Vec<u32>,
}

impl Apart {
    /// The symbols with these ids, or nothing where there are none.
    pub(super) fn new(vocab: &Vocab, mut ids: Vec<u32>) -> Result<Option<Self>> {
        let key = |&id: &u32| {
            let spelled = vocab.spelled(id).unwrap_or_default();
            vocab.spelling().to_bytes(&spelled).unwrap_or_else(|| spelled.into_bytes())
        };
        // Of symbols that are spelled alike the last counts.
        let by_key: HashMap<Vec<u8>, u32> = ids.iter().map(|id| (key(id), *id)).collect();
        ids.retain(|id| by_key.get(&key(id)) == Some(id));
        if ids.is_empty() {
            return Ok(None);
        }
        let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(ids.iter().map(key));
        let finder = built.map_err(|error| Error::format("pieces", error.to_string()))?;
        Ok(Some(Self { finder, ids }))
    }

    /// Whether a symbol is in `text`.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        self.finder.is_match(text)
    }

    /// The stretches of `text`, in order: those between symbols, and the symbols with their ids.
    pub(super) fn segments(&self, text: &[u8]) -> Vec<(Range<usize>, Option<u32>)> {
        let mut segments = Vec::new();
        let mut at = 0;
        for found in self.finder.find_iter(text) {
            if found.start() > at {
                segments.push((at..found.start(), None));
            }
            segments.push((found.range(), Some(self.ids[found.pattern().as_usize()])));
            at = found.end();
        }
        if at < text.len() {
            segments.push((at..text.len(), None));
        }
        segments
    }
}

impl Bpe {
    /// The same model with entries that are found in text before anything merges, and that no merge crosses.
    pub fn with_symbols(self, ids: Vec<u32>) -> Result<Self> {
        let apart = Apart::new(&self.vocab, ids)?.map(Box::new);
        if apart.is_some() && !matches!(self.engine, Engine::Symbols(_)) {
            return Err(Error::unsupported("pieces", "user-defined symbols in a BPE model that merges by ids"));
        }
        Ok(Self { apart, ..self })
    }

    /// The symbols that stand apart, if some do in `piece`.
    pub(super) fn apart_in(&self, piece: &[u8]) -> Option<&Apart> {
        self.apart.as_deref().filter(|apart| apart.is_in(piece))
    }

    /// The stretches of a piece with symbols, each symbol as one that nothing merges with.
    pub(super) fn stretches_apart(&self, apart: &Apart, piece: &[u8]) -> Vec<Stretch> {
        let stretches = apart.segments(piece).into_iter().flat_map(|(range, symbol)| match (symbol, &self.engine) {
            (Some(id), _) => vec![Stretch::Unknown(id)],
            (None, Engine::Symbols(compiled)) => compiled.stretches(&piece[range]),
            (None, _) => vec![Stretch::Known(piece[range].to_vec())],
        });
        stretches.collect()
    }

    /// As [`Bpe::spans`], for a piece with symbols.
    pub(super) fn spans_apart(
        &self,
        apart: &Apart,
        compiled: &Compiled,
        piece: &[u8],
        ids: &[u32],
        spans: &mut Vec<Range<usize>>,
    ) {
        let mut ids = ids.iter();
        for (range, symbol) in apart.segments(piece) {
            if symbol.is_some() {
                spans.extend(ids.next().map(|_| range));
                continue;
            }
            let mut at = range.start;
            while at < range.end {
                let Some(&id) = ids.next() else { return };
                let len = compiled.length(&self.vocab, &piece[at..range.end], id).max(1);
                spans.push(at..range.end.min(at + len));
                at += len;
            }
        }
    }
}
