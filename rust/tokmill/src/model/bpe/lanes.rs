//! Merging in rounds: one merge in each of many pieces.
//!
//! A round has steps that go through all pieces, so that what one writes is long in place when the next one reads it, and
//! the waits for memory overlap. No step branches on what is found.

// What the vector paths call is compiled for their instructions only where it is inlined.
#![allow(clippy::inline_always)]

use super::starts::Starts;
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
    /// Whether all symbols are bytes to begin with.
    pub(super) of_bytes: bool,
}

impl Default for Lane {
    fn default() -> Self {
        Self { merges: [NO_MERGE; PLACES], symbols: [NO_SYMBOL; PLACES], live: 0, of_bytes: false }
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
    count + usize::from(symbols.may_merge(asked.left, asked.right, unless))
}

/// Writes the products that were asked for where they belong.
#[inline(always)]
fn answer(questions: &[Asked], symbols: &Symbols, lanes: &mut [Lane]) {
    for &Asked { lane, place, left, right } in questions {
        let place = place as usize % PLACES;
        lanes[lane as usize].merges[place] = pack(symbols.find(left, right), place);
    }
}

/// Merges the pieces of some lanes, none of which takes more than `REACH` places; `starts` is of the same symbols.
#[inline(always)]
pub(super) fn merge<const REACH: usize>(
    symbols: &Symbols,
    starts: Option<&Starts>,
    lanes: &mut [Lane],
    waiting: &[usize],
    questions: &mut Questions,
) {
    // Not more than stay in the first-level cache.
    for some in waiting.chunks(LANES.min(24 * PLACES / REACH)) {
        let mut asked = 0;
        for &lane in some {
            asked = match starts {
                Some(starts) if lanes[lane].of_bytes => {
                    begin_of_bytes::<REACH>(symbols, starts, &mut lanes[lane], lane, questions, asked)
                }
                _ => begin::<REACH>(symbols, &mut lanes[lane], lane, questions, asked),
            };
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

/// The same for a piece of bytes. Makes the merges that nothing can disturb at once: those that come before all merges
/// across the borders at their sides.
#[inline(always)]
fn begin_of_bytes<const REACH: usize>(
    symbols: &Symbols,
    starts: &Starts,
    lane: &mut Lane,
    number: usize,
    questions: &mut Questions,
    mut asked: usize,
) -> usize {
    lane.merges[..REACH].fill(NO_MERGE);
    let last = (62 - lane.live.leading_zeros()) as usize % PLACES;
    // Of the place before: its merge, and what comes first across the border behind its byte, and across the one before.
    let (mut merge, mut across, mut across_before) = (NO_MERGE, NO_MERGE, NO_MERGE);
    let mut first = 0_u64;
    for place in 1..last {
        let (left, right) = (lane.symbols[place] as u8, lane.symbols[(place + 1) % PLACES] as u8);
        let across_next = starts.across(left, right) << PLACE_BITS;
        first |= u64::from(merge < across_before.min(across_next)) << (place - 1);
        merge = pack(symbols.product_of_bytes(left, right), place);
        lane.merges[place] = merge;
        (across_before, across) = (across, across_next);
    }
    first |= u64::from(merge < across_before) << (last - 1);
    lane.live &= !(first << 1);
    for place in places(first) {
        lane.symbols[place] = lane.merges[place] >> PLACE_BITS;
        lane.merges[(place + 1) % PLACES] = NO_MERGE;
    }
    for place in places(first) {
        let after = (place + 2) % PLACES;
        let asked_by_next = first >> after & 1 != 0;
        asked = lane.ask_beside(symbols, number, place, after, questions, asked, asked_by_next);
    }
    asked
}

/// The places whose bits are set, in order.
#[inline(always)]
fn places(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros() as usize % PLACES;
        let is_set = bits != 0;
        bits &= bits.wrapping_sub(1);
        is_set.then_some(place)
    })
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
        let behind = self.live & u64::MAX << place << 1;
        let gone = behind.trailing_zeros() as usize % PLACES;
        let after = (behind & behind.wrapping_sub(1)).trailing_zeros() as usize % PLACES;
        self.live &= !(1 << gone);
        self.symbols[place] = product;
        self.merges[gone] = NO_MERGE;
        self.ask_beside(symbols, number, place, after, questions, asked, false)
    }

    /// Asks for what the product at a place merges into with the symbol before it, and with the one at place `after`
    /// unless that is asked for by that one. Gives the number of questions.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    fn ask_beside(
        &mut self,
        symbols: &Symbols,
        number: usize,
        place: usize,
        after: usize,
        questions: &mut Questions,
        asked: usize,
        unless: bool,
    ) -> usize {
        let before = 63 - (self.live & !(u64::MAX << place) | 1).leading_zeros() as usize;
        self.merges[place] = NO_MERGE;
        self.merges[before % PLACES] = NO_MERGE;
        let (product, lane) = (self.symbols[place], number as u32);
        let (left, right) = (self.symbols[before % PLACES], self.symbols[after]);
        let with_left = Asked { lane, place: before as u32, left, right: product };
        let with_right = Asked { lane, place: place as u32, left: product, right };
        let asked = ask(questions, asked, symbols, with_left, false);
        ask(questions, asked, symbols, with_right, unless)
    }
}
