//! Sampling: BPE dropout (Provilkov et al., 2020), in which each merge that is due is passed over at random.

use super::literal::Literal;
use super::merge::Scratch;
use super::{Bpe, Engine};

/// A model that samples. Making one takes time that grows with the merges.
#[derive(Debug)]
pub struct Sampler<'b> {
    bpe: &'b Bpe,
    literal: Literal,
    scratch: Scratch,
    /// The 24 upper bits of the next random number must not be below this.
    threshold: u64,
    random: u64,
}

impl Bpe {
    /// A sampler that passes over each merge with probability `dropout`; at 0 it encodes as ever, but that entries
    /// are not taken whole (`ignore_merges`) unless `dropout` is 0, as in tokenizers. Equal seeds give equal samples.
    pub fn sampler(&self, dropout: f32, seed: u64) -> Sampler<'_> {
        let literal = match &self.engine {
            Engine::Literal(literal) => literal.clone(),
            Engine::Symbols(_) | Engine::Scored(_) => Literal::new(&self.vocab, &self.merges, &self.options),
        };
        let threshold = (f64::from(dropout) * f64::from(1 << 24)).round() as u64;
        Sampler { bpe: self, literal, scratch: Scratch::default(), threshold, random: seed }
    }
}

impl Sampler<'_> {
    /// Appends ids of a non-empty piece.
    pub fn encode(&mut self, piece: &[u8], ids: &mut Vec<u32>) {
        let Self { bpe, literal, scratch, threshold, random } = self;
        if *threshold == 0
            && bpe.options.ignore_merges
            && let Some(id) = bpe.vocab.id(piece)
        {
            return ids.push(id);
        }
        let mut skips = || *threshold > 0 && next(random) >> 40 < *threshold;
        let mut tokens = Vec::new();
        if let Engine::Scored(scored) = &bpe.engine {
            scored.encode(piece, skips, &mut tokens);
            return ids.extend(tokens.iter().map(|&(id, _)| id));
        }
        let segments = match bpe.apart_in(piece) {
            Some(apart) => apart.segments(piece),
            None => vec![(0..piece.len(), None)],
        };
        for (range, symbol) in segments {
            if let Some(id) = symbol {
                ids.push(id);
                continue;
            }
            literal.encode(&bpe.vocab, &bpe.options, &piece[range], &mut scratch.heap, &mut skips, &mut tokens);
            ids.extend(tokens.iter().map(|&(id, _)| id));
        }
    }
}

/// The next number of a sequence (`SplitMix64`).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}
