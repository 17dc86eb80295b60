//! What stands beside the occurrences of a pair while it is merged, summed by symbol in dense arrays, so that the
//! table of pairs is asked once for each neighbour and not once for each occurrence.

use std::ops::Range;

/// The neighbours on one side.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    /// Sums by symbol; all zero between merges.
    sums: Vec<Sum>,
    /// The symbols with a sum, in order of first occurrence.
    seen: Vec<u32>,
    /// Symbol and position of each new pair, in order of position.
    records: Vec<(u32, u32)>,
}

/// What is known of one neighbour.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    weight: u64,
    occurrences: u32,
    /// Where its next position goes, counted from the first position of this merge.
    cursor: u32,
}

/// Stands for "its positions are not wanted".
const UNLISTED: u32 = u32::MAX;

impl Neighbours {
    /// Makes room for symbols below `symbols`.
    pub(super) fn reserve(&mut self, symbols: usize) {
        if self.sums.len() < symbols {
            self.sums.resize(symbols.next_power_of_two(), Sum::default());
        }
    }

    /// Notes a neighbour in a piece that occurs `weight` times; the new pair begins at `position`.
    #[inline]
    pub(super) fn add(&mut self, symbol: u32, position: usize, weight: u64) {
        let sum = &mut self.sums[symbol as usize];
        if sum.occurrences == 0 {
            self.seen.push(symbol);
        }
        sum.occurrences += 1;
        sum.weight += weight;
        self.records.push((symbol, position as u32));
    }

    /// Empties the notes. `settle` is called with each neighbour, its weight and its number of occurrences, and says
    /// whether the positions are wanted; those that are go to `positions`, neighbour by neighbour, in order.
    pub(super) fn drain(&mut self, positions: &mut Vec<u32>, mut settle: impl FnMut(u32, u64, Range<usize>) -> bool) {
        let base = positions.len();
        for &symbol in &self.seen {
            let sum = &mut self.sums[symbol as usize];
            let begin = positions.len();
            let end = begin + sum.occurrences as usize;
            if settle(symbol, sum.weight, begin..end) {
                positions.resize(end, 0);
                sum.cursor = (begin - base) as u32;
            } else {
                sum.cursor = UNLISTED;
            }
        }
        for &(symbol, position) in &self.records {
            let cursor = &mut self.sums[symbol as usize].cursor;
            if *cursor != UNLISTED {
                positions[base + *cursor as usize] = position;
                *cursor += 1;
            }
        }
        for symbol in self.seen.drain(..) {
            self.sums[symbol as usize] = Sum::default();
        }
        self.records.clear();
    }
}
