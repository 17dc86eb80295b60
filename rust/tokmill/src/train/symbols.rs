//! The corpus while merges are made: every distinct piece as a row of cells, merged in place.
//!
//! A symbol starts out as one cell that holds its id. Merged, it covers the cells of both its parts: the first cell
//! holds the id, the others are marked interior, and the second and the last of them hold the symbol's length. So the
//! neighbours of a symbol are found from the cells beside it in constant time, nothing moves, positions stay valid
//! for good, and pieces of three bytes and of three megabytes are served alike.
//!
//! Pieces lie in order of falling count, so a position's count is a step function, kept as one entry a step.

use crate::error::{Error, Result};

use super::prefetch::prefetch;

/// Stands before, between and after pieces. Not the id of any symbol.
pub(super) const SEPARATOR: u32 = 0x7FFF_FFFF;

/// Marks a cell inside a symbol; the other bits may hold the symbol's length in cells.
const INTERIOR: u32 = 1 << 31;

/// Cells for each entry of [`Weights::first`], as a binary logarithm.
const BLOCK_LOG2: u32 = 4;

/// All pieces of a corpus as symbols.
#[derive(Debug)]
pub(super) struct Symbols {
    cells: Vec<u32>,
    weights: Weights,
}

/// How often the piece at a position occurs.
#[derive(Debug, Default)]
struct Weights {
    /// Where each run of pieces with equal counts ends.
    ends: Vec<usize>,
    /// The count of each run.
    counts: Vec<u64>,
    /// For each block of cells, the run of its first cell.
    first: Vec<u32>,
}

impl Weights {
    fn new(ends: Vec<usize>, counts: Vec<u64>) -> Self {
        let cells = ends.last().copied().unwrap_or(0);
        let mut run = 0;
        let first = (0..cells >> BLOCK_LOG2)
            .chain((cells > 0).then_some(cells >> BLOCK_LOG2))
            .map(|block| {
                while block << BLOCK_LOG2 >= ends[run] && run + 1 < ends.len() {
                    run += 1;
                }
                run as u32
            })
            .collect();
        Self { ends, counts, first }
    }

    #[inline]
    fn at(&self, position: usize) -> u64 {
        let mut run = self.first[position >> BLOCK_LOG2] as usize;
        while position >= self.ends[run] {
            run += 1;
        }
        self.counts[run]
    }
}

impl Symbols {
    /// Lays out pieces. `for_each` calls its argument with the symbols of each piece and the piece's count, and does
    /// the same when it is called again. Pieces of fewer than two symbols are left out: nothing in them can merge.
    pub(super) fn new(for_each: impl Fn(&mut dyn FnMut(&[u32], u64)) -> Result<()>) -> Result<Self> {
        let mut runs = Runs::default();
        for_each(&mut |symbols, count| {
            if symbols.len() > 1 {
                runs.add(count, symbols.len() + 1);
            }
        })?;
        let (counts, mut cursors) = runs.into_layout();
        let total = cursors.last().copied().unwrap_or(1);
        if u32::try_from(total).is_err() {
            let why =
                format!("has {total} bytes of distinct pieces, more than 2^32: use a pretokenizer that cuts shorter");
            return Err(Error::option("source", why));
        }
        let mut cells = vec![SEPARATOR; total];
        let lookup = CountIndex::new(&counts);
        for_each(&mut |symbols, count| {
            if symbols.len() > 1 {
                let cursor = &mut cursors[lookup.index(count)];
                cells[*cursor..*cursor + symbols.len()].copy_from_slice(symbols);
                *cursor += symbols.len() + 1;
            }
        })?;
        // Each cursor has moved from the beginning of its run to the end; the last one stands for the end of all.
        cursors.pop();
        Ok(Self { cells, weights: Weights::new(cursors, counts) })
    }

    /// Asks for the cells around `position` to be fetched into the cache.
    #[inline]
    pub(super) fn prefetch(&self, position: usize) {
        prefetch(&self.cells, position);
    }

    /// The symbol that begins at `position`; something that is no symbol's id where none begins there.
    #[inline]
    pub(super) fn at(&self, position: usize) -> u32 {
        self.cells[position]
    }

    /// Where the symbol that begins at `position` ends and the next one, or the separator, begins.
    #[inline]
    pub(super) fn end(&self, position: usize) -> usize {
        let next = self.cells[position + 1];
        position + if next & INTERIOR == 0 { 1 } else { (next ^ INTERIOR) as usize }
    }

    /// Where the symbol, or the separator, before the one at `position` begins.
    #[inline]
    pub(super) fn before(&self, position: usize) -> usize {
        let last = self.cells[position - 1];
        position - if last & INTERIOR == 0 { 1 } else { (last ^ INTERIOR) as usize }
    }

    /// How often the piece around `position` occurs.
    #[inline]
    pub(super) fn weight(&self, position: usize) -> u64 {
        self.weights.at(position)
    }

    /// Makes one symbol `result` of those that begin at `left` and `right`, of which the second ends at `end`.
    #[inline]
    pub(super) fn join(&mut self, left: usize, right: usize, end: usize, result: u32) {
        let length = INTERIOR | (end - left) as u32;
        self.cells[left] = result;
        self.cells[right] = INTERIOR;
        self.cells[left + 1] = length;
        self.cells[end - 1] = length;
    }

    /// Calls `visit` with each pair of neighbours, its position, and the count of its piece, in order of position.
    pub(super) fn for_each_pair(&self, mut visit: impl FnMut(u32, u32, usize, u64)) {
        let mut position = 1;
        for (&end, &count) in self.weights.ends.iter().zip(&self.weights.counts) {
            let mut left = SEPARATOR;
            let mut left_at = position;
            while position < end {
                let symbol = self.cells[position];
                if left != SEPARATOR && symbol != SEPARATOR {
                    visit(left, symbol, left_at, count);
                }
                (left, left_at) = (symbol, position);
                position = if symbol == SEPARATOR { position + 1 } else { self.end(position) };
            }
        }
    }
}

/// The distinct counts of the pieces and the cells that each needs.
#[derive(Default)]
struct Runs {
    /// Cells of the pieces that occur `index` times.
    small: Vec<usize>,
    /// Count and cells of the others.
    large: Vec<(u64, usize)>,
}

/// Counts below this are looked up in a table.
const SMALL_COUNTS: u64 = 1 << 12;

impl Runs {
    fn add(&mut self, count: u64, cells: usize) {
        if count < SMALL_COUNTS {
            self.small.resize(SMALL_COUNTS as usize, 0);
            self.small[count as usize] += cells;
        } else {
            self.large.push((count, cells));
        }
    }

    /// The distinct counts, falling, and where the run of each begins; then where the last one ends.
    fn into_layout(mut self) -> (Vec<u64>, Vec<usize>) {
        self.large.sort_unstable_by(|a, b| b.cmp(a));
        let small = self.small.iter().enumerate().rev().map(|(count, &cells)| (count as u64, cells));
        let (mut counts, mut begins, mut next) = (Vec::new(), Vec::new(), 1);
        for (count, cells) in self.large.iter().copied().chain(small.filter(|&(_, cells)| cells > 0)) {
            if counts.last() != Some(&count) {
                counts.push(count);
                begins.push(next);
            }
            next += cells;
        }
        begins.push(next);
        (counts, begins)
    }
}

/// From a count to its place in a falling list of counts.
struct CountIndex<'c> {
    counts: &'c [u64],
    small: Vec<u32>,
}

impl<'c> CountIndex<'c> {
    fn new(counts: &'c [u64]) -> Self {
        let mut small = vec![0; SMALL_COUNTS as usize];
        for (index, &count) in counts.iter().enumerate().filter(|&(_, &count)| count < SMALL_COUNTS) {
            small[count as usize] = index as u32;
        }
        Self { counts, small }
    }

    fn index(&self, count: u64) -> usize {
        match self.small.get(count as usize) {
            Some(&index) => index as usize,
            None => self.counts.partition_point(|&other| other > count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(symbols: &Symbols) -> Vec<(u32, u32, usize, u64)> {
        let mut pairs = Vec::new();
        symbols.for_each_pair(|left, right, position, weight| {
            assert_eq!(symbols.weight(position), weight);
            pairs.push((left, right, position, weight));
        });
        pairs
    }

    #[test]
    fn joined_symbols_are_walked_both_ways() {
        let pieces: [(&[u32], u64); 4] = [(&[1, 2, 3, 4, 5], 7), (&[9], 9000), (&[6, 6], 9000), (&[7, 8], 7)];
        let mut symbols = Symbols::new(|visit| {
            for (piece, count) in pieces {
                visit(piece, count);
            }
            Ok(())
        })
        .unwrap();
        // Cells: | 6 6 | 1 2 3 4 5 | 7 8 |
        assert_eq!(
            pairs(&symbols),
            [(6, 6, 1, 9000), (1, 2, 4, 7), (2, 3, 5, 7), (3, 4, 6, 7), (4, 5, 7, 7), (7, 8, 10, 7)]
        );
        symbols.join(5, 6, 7, 23);
        symbols.join(7, 8, 9, 45);
        assert_eq!(pairs(&symbols)[1..4], [(1, 23, 4, 7), (23, 45, 5, 7), (7, 8, 10, 7)]);
        assert_eq!((symbols.end(5), symbols.before(7), symbols.before(5)), (7, 5, 4));
        symbols.join(5, 7, 9, 2345);
        assert_eq!(pairs(&symbols)[1..], [(1, 2345, 4, 7), (7, 8, 10, 7)]);
        assert_eq!((symbols.end(5), symbols.before(9)), (9, 5));
        assert_eq!(symbols.at(symbols.before(4)), SEPARATOR);
    }

    #[test]
    fn no_pieces_are_no_pairs() {
        assert_eq!(pairs(&Symbols::new(|_| Ok(())).unwrap()), []);
    }
}
