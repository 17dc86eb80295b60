//! Merging several pieces side by side.
//!
//! A merge waits for the one before it: for the least product of the piece, then for the pair table. Pieces do not wait
//! for each other, so one merge is made in each of them in turn, without a branch on what is found, and the processor
//! works on several at a time. Places are those of [`super::small`], with a bit for each that begins a symbol, from
//! which its neighbours are found.

// What the vector path calls is compiled for its instructions only where it is inlined.
#![allow(clippy::inline_always)]

use super::pairs::Asked;
use super::starts::Starts;
use super::symbols::{NO_SYMBOL, NONE, Symbols};

/// Bits of a packed word that hold the place.
const PLACE_BITS: u32 = 6;
const PLACES: usize = 1 << PLACE_BITS;
/// Packed words from here on stand for no product.
const NO_MERGE: u32 = NONE << PLACE_BITS;

/// A piece while it is merged. Its symbols have the places from 1 on; on both sides is a place with [`NO_SYMBOL`].
#[derive(Debug)]
#[repr(align(64))]
struct Lane {
    /// `product << PLACE_BITS | place` for each place and its right neighbour.
    merges: [u32; PLACES],
    symbols: [u32; PLACES],
    /// A bit for each place that begins a symbol.
    live: u64,
    /// The least of the merges.
    least: u32,
    /// The place of the merge that is being made, and that of its left neighbour.
    place: usize,
    before: usize,
    /// The pairs that come about: with the left neighbour, and with the right one.
    left: Asked,
    right: Asked,
}

/// Pieces that are merged side by side.
#[derive(Debug, Default)]
pub(super) struct Batch {
    lanes: Vec<Lane>,
    /// Lanes that are in use.
    len: usize,
    /// Lanes that still merge, by the number of their places: up to 16, 32, and [`PLACES`].
    active: [Vec<usize>; 3],
}

impl Batch {
    /// The most symbols that a piece may begin with.
    pub(super) const MOST: usize = PLACES - 2;

    /// Forgets the pieces.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Puts in a non-empty piece, whose bytes all have entries; `false` where it begins with too many symbols. It begins
    /// with its bytes, or with what `starts` says.
    #[inline]
    pub(super) fn push(&mut self, starts: Option<&Starts>, piece: &[u8]) -> bool {
        if self.len == self.lanes.len() {
            self.lanes.push(Lane::default());
        }
        let lane = &mut self.lanes[self.len];
        let (mut at, mut count) = (0, 0);
        while at < piece.len() {
            if count == Self::MOST {
                return false;
            }
            let (symbol, len) = starts.map_or((piece[at].into(), 1), |starts| starts.at(piece, at));
            count += 1;
            lane.symbols[count % PLACES] = symbol;
            at += len;
        }
        lane.symbols[count + 1] = NO_SYMBOL;
        lane.live = u64::MAX >> (Self::MOST - count);
        let queue = match count + 2 {
            ..=16 => 0,
            17..=32 => 1,
            _ => 2,
        };
        self.active[queue].push(self.len);
        self.len += 1;
        true
    }

    /// How many pieces there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Merges all pieces.
    pub(super) fn merge(&mut self, symbols: &Symbols) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("bmi1")
            && std::arch::is_x86_feature_detected!("bmi2")
            && std::arch::is_x86_feature_detected!("lzcnt")
        {
            // SAFETY: the processor has what the function is compiled for.
            return unsafe { self.merge_avx2(symbols) };
        }
        self.run(symbols);
    }

    /// The same, compiled for processors that find the minimum of eight words at once.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
    fn merge_avx2(&mut self, symbols: &Symbols) {
        self.run(symbols);
    }

    #[inline(always)]
    fn run(&mut self, symbols: &Symbols) {
        let [short, medium, long] = &mut self.active;
        merge_lanes::<16>(symbols, &mut self.lanes, short);
        merge_lanes::<32>(symbols, &mut self.lanes, medium);
        merge_lanes::<PLACES>(symbols, &mut self.lanes, long);
    }

    /// The symbols that a piece was merged into, by its number.
    pub(super) fn symbols(&self, piece: usize) -> impl Iterator<Item = u32> {
        let lane = &self.lanes[piece];
        // Neither the place before the piece nor the one behind it.
        let mut live = lane.live & lane.live.wrapping_sub(1);
        std::iter::from_fn(move || {
            let place = live.trailing_zeros() as usize;
            live &= live.wrapping_sub(1);
            (live != 0).then(|| lane.symbols[place % PLACES])
        })
    }
}

/// Makes one merge in each of the active lanes in turn, until none has any left. All ask for what they need before the
/// first gets its answer.
#[inline(always)]
fn merge_lanes<const REACH: usize>(symbols: &Symbols, lanes: &mut [Lane], active: &mut Vec<usize>) {
    for &index in &*active {
        lanes[index].ask_for_all(symbols);
    }
    for &index in &*active {
        lanes[index].begin::<REACH>(symbols);
    }
    active.retain(|&index| lanes[index].least < NO_MERGE);
    while !active.is_empty() {
        for &index in &*active {
            lanes[index].merge(symbols);
        }
        let mut kept = 0;
        for at in 0..active.len() {
            let index = active[at];
            let lane = &mut lanes[index];
            lane.find_next::<REACH>(symbols);
            active[kept] = index;
            kept += usize::from(lane.least < NO_MERGE);
        }
        active.truncate(kept);
    }
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            merges: [NONE; PLACES],
            symbols: [NO_SYMBOL; PLACES],
            live: 0,
            least: NONE,
            place: 0,
            before: 0,
            left: Asked::default(),
            right: Asked::default(),
        }
    }
}

impl Lane {
    /// The places of a piece whose symbols are in place, without the last one, with their symbols and the next ones.
    #[inline(always)]
    fn pairs(&self) -> impl Iterator<Item = (usize, u32, u32)> {
        let last = (62 - self.live.leading_zeros()) as usize % PLACES;
        (1..last).map(|place| (place, self.symbols[place], self.symbols[(place + 1) % PLACES]))
    }

    /// Asks the processor for what [`Self::begin`] looks up.
    #[inline(always)]
    fn ask_for_all(&self, symbols: &Symbols) {
        for (_, left, right) in self.pairs().filter(|&(_, left, right)| left.max(right) > u8::MAX.into()) {
            symbols.ask(left, right);
        }
    }

    /// Looks up the products of a piece whose symbols are in place.
    #[inline(always)]
    fn begin<const REACH: usize>(&mut self, symbols: &Symbols) {
        let mut merges = [NONE; PLACES];
        for (place, left, right) in self.pairs() {
            let product = match (u8::try_from(left), u8::try_from(right)) {
                (Ok(left), Ok(right)) => symbols.product_of_bytes(left, right),
                _ => symbols.answer(symbols.ask(left, right)),
            };
            merges[place % PLACES] = pack(product, place);
        }
        self.merges[..REACH].copy_from_slice(&merges[..REACH]);
        self.least = least::<REACH>(&self.merges);
    }

    /// Makes the merge that is due, of which there is one, and asks for what its product merges into.
    #[inline(always)]
    fn merge(&mut self, symbols: &Symbols) {
        let (product, place) = (self.least >> PLACE_BITS, self.least as usize % PLACES);
        let right_of_place = self.live & (u64::MAX << 1 << place);
        let gone = right_of_place.trailing_zeros() as usize % PLACES;
        let after = (right_of_place & right_of_place.wrapping_sub(1)).trailing_zeros() as usize % PLACES;
        let left_of_place = self.live & !(u64::MAX << place);
        let before = left_of_place.checked_ilog2().unwrap_or(0) as usize % PLACES;
        self.live &= !(1 << gone);
        self.symbols[place] = product;
        self.merges[gone] = NONE;
        (self.place, self.before) = (place, before);
        self.right = symbols.ask(product, self.symbols[after]);
        self.left = symbols.ask(self.symbols[before], product);
    }

    /// Gets the answers, and finds the next merge.
    #[inline(always)]
    fn find_next<const REACH: usize>(&mut self, symbols: &Symbols) {
        self.merges[self.place % PLACES] = pack(symbols.answer(self.right), self.place);
        self.merges[self.before % PLACES] = pack(symbols.answer(self.left), self.before);
        self.least = least::<REACH>(&self.merges);
    }
}

/// A product and its place in one word, at least [`NO_MERGE`] for none.
#[inline(always)]
fn pack(product: u32, place: usize) -> u32 {
    product << PLACE_BITS | place as u32
}

/// The least of the first `REACH` words, a multiple of sixteen. Halved step by step, which compiles to vectors.
#[inline(always)]
fn least<const REACH: usize>(words: &[u32; PLACES]) -> u32 {
    let mut lanes = [NONE; 8];
    for group in words[..REACH].as_chunks::<8>().0 {
        lanes = std::array::from_fn(|lane| lanes[lane].min(group[lane]));
    }
    let lanes: [u32; 4] = std::array::from_fn(|lane| lanes[lane].min(lanes[lane + 4]));
    let lanes: [u32; 2] = std::array::from_fn(|lane| lanes[lane].min(lanes[lane + 2]));
    lanes[0].min(lanes[1])
}
