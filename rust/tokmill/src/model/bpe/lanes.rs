//! Merging in rounds: one merge in each of many pieces.
//!
//! A round has steps that go through all pieces, so that what one writes is long in place when the next one reads it, and
//! the waits for memory overlap. No step branches on what is found.

// What the vector paths call is compiled for their instructions only where it is inlined.
#![allow(clippy::inline_always)]

use super::symbols::{NO_SYMBOL, NONE, Symbols};

/// Bits of a packed word that hold the place.
const PLACE_BITS: u32 = 6;
/// Places of a piece, of which the first and the last stand on its sides.
pub(super) const PLACES: usize = 1 << PLACE_BITS;
/// Packed words from here on stand for no product.
const NO_MERGE: u32 = NONE << PLACE_BITS;

/// Pieces that take part in a round.
const LANES: usize = 64;

/// A piece while it is merged. Its symbols have the places from 1 on; on both sides is a place with [`NO_SYMBOL`].
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Lane {
    /// `product << PLACE_BITS | place` for each place and its right neighbour, at least [`NO_MERGE`] for none.
    merges: [u32; PLACES],
    pub(super) symbols: [u32; PLACES],
    /// A bit for each place that begins a symbol.
    pub(super) live: u64,
}

impl Default for Lane {
    fn default() -> Self {
        Self { merges: [NO_MERGE; PLACES], symbols: [NO_SYMBOL; PLACES], live: 0 }
    }
}

/// A product and its place in one word, at least [`NO_MERGE`] for none.
#[inline(always)]
fn pack(product: u32, place: usize) -> u32 {
    product << PLACE_BITS | place as u32
}

/// A pair whose product is looked up, and what for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    lane: u32,
    place: u32,
    left: u32,
    right: u32,
}

/// Pairs that are looked up in a step; a few places more than one step may fill.
pub(super) type Questions = [Asked; 2 * LANES + PLACES];

/// Room for questions.
pub(super) fn no_questions() -> Questions {
    [Asked::default(); 2 * LANES + PLACES]
}

/// Asks for the product of two neighbours, not both bytes, unless it is certain that there is none; `count` questions
/// have been asked so far. Gives their number.
#[inline(always)]
fn ask(questions: &mut Questions, count: usize, symbols: &Symbols, asked: Asked, unless: bool) -> usize {
    questions[count] = asked;
    count + (usize::from(symbols.may_merge(asked.left, asked.right)) & usize::from(!unless))
}

/// Writes the products that were asked for where they belong.
#[inline(always)]
fn answer(questions: &[Asked], symbols: &Symbols, lanes: &mut [Lane]) {
    for &Asked { left, right, .. } in questions {
        symbols.prefetch(left, right);
    }
    for &Asked { lane, place, left, right } in questions {
        let place = place as usize % PLACES;
        lanes[lane as usize].merges[place] = pack(symbols.find(left, right), place);
    }
}

/// Merges the pieces of some lanes, none of which takes more than `REACH` places.
#[inline(always)]
pub(super) fn merge<const REACH: usize>(
    symbols: &Symbols,
    lanes: &mut [Lane],
    waiting: &[usize],
    questions: &mut Questions,
) {
    // Not more than stay in the first-level cache.
    for some in waiting.chunks(LANES.min(24 * PLACES / REACH)) {
        let mut asked = 0;
        for &lane in some {
            asked = begin::<REACH>(symbols, &mut lanes[lane], lane, questions, asked);
            if asked > 2 * LANES {
                answer(&questions[..asked], symbols, lanes);
                asked = 0;
            }
        }
        answer(&questions[..asked], symbols, lanes);
        let mut active = [0; LANES];
        active[..some.len()].copy_from_slice(some);
        let (mut count, mut least) = (some.len(), [0; LANES]);
        loop {
            let mut kept = 0;
            for at in 0..count {
                let lane = active[at];
                let merge = lanes[lane].least::<REACH>();
                (active[kept], least[kept]) = (lane, merge);
                kept += usize::from(merge < NO_MERGE);
            }
            count = kept;
            if count == 0 {
                break;
            }
            let mut asked = 0;
            for (&lane, &merge) in active[..count].iter().zip(&least) {
                asked = lanes[lane].merge(symbols, lane, merge, questions, asked);
            }
            answer(&questions[..asked], symbols, lanes);
        }
    }
}

/// Finds the products of a piece whose symbols are in place, those of bytes at once, and asks for the others. Gives the
/// number of questions, of which `asked` were there before.
#[inline(always)]
fn begin<const REACH: usize>(
    symbols: &Symbols,
    lane: &mut Lane,
    number: usize,
    questions: &mut Questions,
    mut asked: usize,
) -> usize {
    lane.merges[..REACH].fill(NO_MERGE);
    let last = (62 - lane.live.leading_zeros()) as usize % PLACES;
    for place in 1..last {
        let (left, right) = (lane.symbols[place], lane.symbols[(place + 1) % PLACES]);
        let both_bytes = left.max(right) <= u8::MAX.into();
        // Where they are not both bytes, this product means nothing; the one of NULs is at hand.
        let bytes = if both_bytes { (left as u8, right as u8) } else { (0, 0) };
        let product = symbols.product_of_bytes(bytes.0, bytes.1);
        lane.merges[place] = if both_bytes { pack(product, place) } else { NO_MERGE };
        let pair = Asked { lane: number as u32, place: place as u32, left, right };
        asked = ask(questions, asked, symbols, pair, both_bytes);
    }
    asked
}

impl Lane {
    /// The least of the merges.
    #[inline(always)]
    fn least<const REACH: usize>(&self) -> u32 {
        let mut lanes = [NONE; 16];
        for group in self.merges[..REACH].as_chunks::<16>().0 {
            for lane in 0..16 {
                lanes[lane] = lanes[lane].min(group[lane]);
            }
        }
        let lanes: [u32; 8] = std::array::from_fn(|lane| lanes[lane].min(lanes[lane + 8]));
        let lanes: [u32; 4] = std::array::from_fn(|lane| lanes[lane].min(lanes[lane + 4]));
        let lanes: [u32; 2] = std::array::from_fn(|lane| lanes[lane].min(lanes[lane + 2]));
        lanes[0].min(lanes[1])
    }

    /// Makes a merge, and asks for what its product merges into. Gives the number of questions.
    #[inline(always)]
    fn merge(
        &mut self,
        symbols: &Symbols,
        number: usize,
        merge: u32,
        questions: &mut Questions,
        asked: usize,
    ) -> usize {
        let (product, place) = (merge >> PLACE_BITS, merge as usize % PLACES);
        let from_place = u64::MAX << place;
        let behind = self.live & from_place << 1;
        let gone = behind.trailing_zeros() as usize % PLACES;
        let after = (behind & behind.wrapping_sub(1)).trailing_zeros() as usize % PLACES;
        let before = 63 - (self.live & !from_place | 1).leading_zeros() as usize;
        self.live &= !(1 << gone);
        self.symbols[place] = product;
        self.merges[gone] = NO_MERGE;
        self.merges[place] = NO_MERGE;
        self.merges[before % PLACES] = NO_MERGE;
        let (left, right) = (self.symbols[before % PLACES], self.symbols[after]);
        let lane = number as u32;
        let with_left = Asked { lane, place: before as u32, left, right: product };
        let with_right = Asked { lane, place: place as u32, left: product, right };
        let asked = ask(questions, asked, symbols, with_left, false);
        ask(questions, asked, symbols, with_right, false)
    }
}
