//! Merging a stretch of some hundred bytes, in which one product often occurs many times, where tokens are made in order
//! of their symbols.

use super::merge::Atom;
use super::symbols::{NONE, Symbols};

/// From this many occurrences on, the merges of one product are made in one pass over the window.
const PASS: usize = 4;

/// A short run of symbols with the product of each and its right neighbour.
#[derive(Debug, Default)]
pub(super) struct Window {
    parts: Vec<u32>,
    /// `products[i]` is what `parts[i]` and `parts[i + 1]` merge into; one shorter than `parts`.
    products: Vec<u32>,
}

impl Window {
    /// Appends the symbols that `atoms`, of which there are some, merge into to `out`.
    pub(super) fn encode<A: Atom>(&mut self, symbols: &Symbols, atoms: &[A], out: &mut Vec<u32>) {
        self.parts.clear();
        self.parts.extend(atoms.iter().map(|atom| atom.symbol()));
        self.products.clear();
        self.products.extend(self.parts.windows(2).map(|pair| symbols.product(pair[0], pair[1])));
        loop {
            let first = self.products.iter().fold(NONE, |least, &product| least.min(product));
            if first == NONE {
                return out.extend_from_slice(&self.parts);
            }
            let occurrences = self.products.iter().filter(|&&product| product == first).count();
            if occurrences >= PASS {
                self.merge_everywhere(symbols, first);
            } else if let Some(at) = self.products.iter().position(|&product| product == first) {
                self.merge_at(symbols, at, first);
            }
        }
    }

    /// Makes one merge.
    #[inline]
    fn merge_at(&mut self, symbols: &Symbols, at: usize, product: u32) {
        self.parts[at] = product;
        self.parts.remove(at + 1);
        self.products.remove(at);
        if at > 0 {
            self.products[at - 1] = symbols.product(self.parts[at - 1], product);
        }
        if at + 1 < self.parts.len() {
            self.products[at] = symbols.product(product, self.parts[at + 1]);
        }
    }

    /// Makes all merges of one product, from the left. What a product merges into is made later than the product
    /// itself, so nothing that arises on the way comes first.
    fn merge_everywhere(&mut self, symbols: &Symbols, product: u32) {
        let (mut read, mut write) = (0, 0);
        while read < self.parts.len() {
            let merged = self.products.get(read) == Some(&product);
            self.parts[write] = if merged { product } else { self.parts[read] };
            read += if merged { 2 } else { 1 };
            write += 1;
        }
        self.parts.truncate(write);
        self.products.clear();
        self.products.extend(self.parts.windows(2).map(|pair| symbols.product(pair[0], pair[1])));
    }
}
