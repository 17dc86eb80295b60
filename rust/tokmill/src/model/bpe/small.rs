//! Merging a short piece: the work of nearly every piece that no table knows.
//!
//! Symbols stay where their first atom was and are linked to their neighbours, so a merge moves nothing. Each place
//! holds its product and its own number packed in one word, so one minimum over the words finds the next merge, the
//! leftmost of its product.

// What the vector path calls is compiled for its instructions only where it is inlined.
#![allow(clippy::inline_always)]

use super::merge::Atom;
use super::symbols::{NONE, Symbols};

/// Bits of a packed word that hold the place.
const PLACE_BITS: u32 = 6;
const PLACES: usize = 1 << PLACE_BITS;
/// Places are looked through in groups of this many.
const LANES: usize = 16;

/// A piece of up to [`Small::MAX`] atoms while it is merged.
#[derive(Debug)]
pub(super) struct Small {
    symbols: [u32; PLACES],
    next: [u8; PLACES],
    previous: [u8; PLACES],
    /// `product << PLACE_BITS | place`, or [`NONE`] where a place is dead or does not merge with the next.
    merges: [u32; PLACES],
}

impl Default for Small {
    fn default() -> Self {
        Self { symbols: [0; PLACES], next: [0; PLACES], previous: [0; PLACES], merges: [NONE; PLACES] }
    }
}

fn pack(product: u32, place: usize) -> u32 {
    if product == NONE { NONE } else { product << PLACE_BITS | place as u32 }
}

impl Small {
    /// The longest piece in atoms.
    pub(super) const MAX: usize = PLACES;

    /// Appends the symbols that `atoms` merge into to `out`.
    #[inline]
    pub(super) fn encode<A: Atom>(&mut self, symbols: &Symbols, atoms: &[A], out: &mut Vec<u32>) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { self.encode_avx2(symbols, atoms, out) };
        }
        self.run(symbols, atoms, out);
    }

    /// The same, compiled for processors that find the minimum of eight words at once.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn encode_avx2<A: Atom>(&mut self, symbols: &Symbols, atoms: &[A], out: &mut Vec<u32>) {
        self.run(symbols, atoms, out);
    }

    #[inline(always)]
    fn run<A: Atom>(&mut self, symbols: &Symbols, atoms: &[A], out: &mut Vec<u32>) {
        let len = atoms.len().min(PLACES);
        let reach = len.next_multiple_of(LANES);
        self.merges[..reach].fill(NONE);
        for (place, atom) in atoms[..len].iter().enumerate() {
            self.symbols[place] = atom.symbol();
            self.next[place] = place as u8 + 1;
            self.previous[place] = (place as u8).wrapping_sub(1);
            if let Some(right) = atoms.get(place + 1) {
                self.merges[place] = pack(symbols.product(atom.symbol(), right.symbol()), place);
            }
        }
        loop {
            let merge = least(&self.merges[..reach]);
            if merge == NONE {
                break;
            }
            let (product, place) = (merge >> PLACE_BITS, merge as usize % PLACES);
            let gone = self.next[place] as usize % PLACES;
            let after = self.next[gone] as usize;
            let before = self.previous[place] as usize;
            self.symbols[place] = product;
            self.merges[gone] = NONE;
            self.next[place] = after as u8;
            self.merges[place] = NONE;
            if after < len {
                self.previous[after % PLACES] = place as u8;
                self.merges[place] = pack(symbols.product(product, self.symbols[after % PLACES]), place);
            }
            if before < len {
                self.merges[before % PLACES] =
                    pack(symbols.product(self.symbols[before % PLACES], product), before % PLACES);
            }
        }
        let mut place = 0;
        while place < len {
            out.push(self.symbols[place]);
            place = self.next[place] as usize;
        }
    }
}

/// The least of some words, a multiple of [`LANES`] in number.
#[inline(always)]
fn least(words: &[u32]) -> u32 {
    let mut lanes = [NONE; LANES];
    for group in words.as_chunks::<LANES>().0 {
        for (lane, &word) in lanes.iter_mut().zip(group) {
            *lane = (*lane).min(word);
        }
    }
    lanes.into_iter().fold(NONE, u32::min)
}
