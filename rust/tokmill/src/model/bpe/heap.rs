//! Merging with a heap of candidates over a linked list: `O(n log n)` for any merge list.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::symbols::{NONE, Symbols};

/// What two neighbours merge into, and how early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Product {
    pub(super) rank: u32,
    pub(super) token: u32,
}

/// Two neighbours that may merge: how early, where, and what into. Of equal ranks the leftmost is first.
type Candidate = (u32, usize, u32);

/// Reusable memory for merging.
#[derive(Debug, Default)]
pub(super) struct Heap {
    /// Token at each place that begins one; [`NONE`] elsewhere.
    tokens: Vec<u32>,
    /// The places of each token's neighbours; beyond the ends for none.
    links: Vec<(usize, usize)>,
    candidates: BinaryHeap<Reverse<Candidate>>,
    /// Candidates that were skipped since the last that was not.
    skipped: Vec<Reverse<Candidate>>,
}

impl Heap {
    /// The symbols that the symbols of a piece merge into.
    pub(super) fn encode(&mut self, symbols: &Symbols, piece: impl Iterator<Item = u32>) -> impl Iterator<Item = u32> {
        let product = |left, right| {
            let symbol = symbols.product(left, right);
            (symbol != NONE).then_some(Product { rank: symbol, token: symbol })
        };
        self.merge(piece, product, || false);
        self.tokens.iter().copied().filter(|&symbol| symbol != NONE)
    }

    /// What the tokens that were merged have become: a token at each place that begins one, else [`NONE`].
    pub(super) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Merges `tokens`, lowest rank first and leftmost first, until no neighbours have a product. Gives the last merge:
    /// its rank, the two tokens and what they became.
    ///
    /// Each merge that comes up may be skipped, as `skips` says; it comes up again after the next one that is not.
    pub(super) fn merge(
        &mut self,
        tokens: impl Iterator<Item = u32>,
        product: impl Fn(u32, u32) -> Option<Product>,
        mut skips: impl FnMut() -> bool,
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
        while let Some(candidate) = self.candidates.pop() {
            if skips() {
                self.skipped.push(candidate);
                continue;
            }
            self.candidates.extend(self.skipped.drain(..));
            let Reverse((rank, at, token)) = candidate;
            let merged = Product { rank, token };
            let (before, next) = self.links[at];
            if self.tokens[at] == NONE || next >= len {
                continue;
            }
            let pair = (self.tokens[at], self.tokens[next]);
            // What has changed since the candidate was found may, with affixes, still become the same token.
            if product(pair.0, pair.1).is_none_or(|product| product.token != merged.token) {
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
        self.skipped.clear();
        last
    }

    /// Whether everything became one token.
    pub(super) fn is_one(&self) -> bool {
        self.links.first().is_some_and(|&(_, next)| next >= self.tokens.len())
    }

    fn propose(&mut self, at: usize, next: usize, product: &impl Fn(u32, u32) -> Option<Product>) {
        let pair = (self.tokens[at], self.tokens[next]);
        self.candidates.extend(product(pair.0, pair.1).map(|product| Reverse((product.rank, at, product.token))));
    }
}
