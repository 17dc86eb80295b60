//! Merging with a heap of candidates over a linked list: `O(n log n)` for any merge list.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::symbols::{NONE, Symbols};

/// What two neighbours merge into, and how early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Product {
    pub(super) rank: u32,
    pub(super) token: u32,
}

/// Two neighbours that may merge: what into, where, and what they were when they were found.
type Candidate = (Product, usize, (u32, u32));

/// Reusable memory for merging.
#[derive(Debug, Default)]
pub(super) struct Heap {
    /// Token at each place that begins one; [`NONE`] elsewhere.
    tokens: Vec<u32>,
    /// The places of each token's neighbours; beyond the ends for none.
    links: Vec<(usize, usize)>,
    candidates: BinaryHeap<Reverse<Candidate>>,
}

impl Heap {
    /// The symbols of a piece.
    pub(super) fn encode(&mut self, symbols: &Symbols, piece: &[u8]) -> impl Iterator<Item = u32> {
        self.merge(piece.iter().map(|&byte| u32::from(byte)), |left, right| {
            let symbol = symbols.product(left, right);
            (symbol != NONE).then_some(Product { rank: symbol, token: symbol })
        });
        self.tokens.iter().copied().filter(|&symbol| symbol != NONE)
    }

    /// Merges `tokens`, lowest rank first and leftmost first, until no neighbours have a product. Gives the last merge:
    /// its rank, the two tokens and what they became.
    pub(super) fn merge(
        &mut self,
        tokens: impl Iterator<Item = u32>,
        product: impl Fn(u32, u32) -> Option<Product>,
    ) -> Option<(Product, (u32, u32))> {
        self.tokens.clear();
        self.tokens.extend(tokens);
        let len = self.tokens.len();
        self.links.clear();
        self.links.extend((0..len).map(|at| (at.wrapping_sub(1), at + 1)));
        self.candidates.clear();
        for at in 1..len {
            self.propose(at - 1, at, &product);
        }
        let mut last = None;
        while let Some(Reverse((merged, at, pair))) = self.candidates.pop() {
            let (before, next) = self.links[at];
            if next >= len || (self.tokens[at], self.tokens[next]) != pair {
                continue;
            }
            let after = self.links[next].1;
            self.tokens[at] = merged.token;
            self.tokens[next] = NONE;
            self.links[at].1 = after;
            if after < len {
                self.links[after].0 = at;
                self.propose(at, after, &product);
            }
            if before < len {
                self.propose(before, at, &product);
            }
            last = Some((merged, pair));
        }
        last
    }

    /// Whether everything became one token.
    pub(super) fn is_one(&self) -> bool {
        self.links.first().is_some_and(|&(_, next)| next >= self.tokens.len())
    }

    fn propose(&mut self, at: usize, next: usize, product: &impl Fn(u32, u32) -> Option<Product>) {
        let pair = (self.tokens[at], self.tokens[next]);
        self.candidates.extend(product(pair.0, pair.1).map(|product| Reverse((product, at, pair))));
    }
}
