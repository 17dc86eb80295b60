//! The corpus while merges are made: every distinct piece as a row of cells, merged in place.
//!
//! A symbol starts out as one cell that holds its id. Merged, it covers the cells of both its parts: the first cell
//! holds the id, the others are marked interior, and the second and the last of them hold the symbol's length. So the
//! neighbours of a symbol are found from the cells beside it in constant time, nothing moves, positions stay valid
//! until the rows are squeezed, and pieces of three bytes and of three megabytes are served alike.
//!
//! Pieces lie in order of falling count, so a position's count is a step function, kept as one entry a step.
//!
//! A cell has 32 bits, or 16 while ids and pieces are short: a gigabyte of bytes is two gigabytes then and not four.

use std::ops::Range;

use super::prefetch::prefetch;

/// One cell: an id, a separator, or the inside of a symbol.
pub(super) trait Cell: Copy + Send + Sync + PartialEq {
    /// Stands before, between and after pieces. Not the id of any symbol.
    const SEPARATOR: u32;
    /// Marks a cell inside a symbol; the bits below may hold the symbol's length in cells.
    const INTERIOR: u32;

    fn new(value: u32) -> Self;
    fn get(self) -> u32;
}

impl Cell for u16 {
    const SEPARATOR: u32 = 0x7FFF;
    const INTERIOR: u32 = 0x8000;

    #[inline]
    fn new(value: u32) -> Self {
        value as Self
    }

    #[inline]
    fn get(self) -> u32 {
        u32::from(self)
    }
}

impl Cell for u32 {
    const SEPARATOR: u32 = 0x7FFF_FFFF;
    const INTERIOR: u32 = 1 << 31;

    #[inline]
    fn new(value: u32) -> Self {
        value
    }

    #[inline]
    fn get(self) -> u32 {
        self
    }
}

/// All pieces that still have something to merge.
#[derive(Debug)]
pub(super) struct Rows<C> {
    cells: Vec<C>,
    weights: Weights,
}

/// Cells for each entry of [`Weights::first`], as a binary logarithm.
const BLOCK_LOG2: u32 = 5;

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
        self.counts[self.run(position)]
    }

    #[inline]
    fn run(&self, position: usize) -> usize {
        let mut run = self.first[position >> BLOCK_LOG2] as usize;
        while position >= self.ends[run] {
            run += 1;
        }
        run
    }
}

impl<C: Cell> Rows<C> {
    /// Rows whose cells are laid out already: a separator first and one behind each piece. The pieces up to `ends[n]`
    /// occur `counts[n]` times each.
    pub(super) fn new(cells: Vec<C>, ends: Vec<usize>, counts: Vec<u64>) -> Self {
        Self { cells, weights: Weights::new(ends, counts) }
    }

    /// Number of cells.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Asks for the cells around `position` to be fetched into the cache.
    #[inline]
    pub(super) fn prefetch(&self, position: usize) {
        prefetch(&self.cells, position);
    }

    /// The symbol that begins at `position`; something that is no symbol's id where none begins there.
    #[inline]
    pub(super) fn at(&self, position: usize) -> u32 {
        self.cells[position].get()
    }

    /// Where the symbol that begins at `position` ends and the next one, or the separator, begins.
    #[inline]
    pub(super) fn end(&self, position: usize) -> usize {
        let next = self.at(position + 1);
        position + if next & C::INTERIOR == 0 { 1 } else { (next ^ C::INTERIOR) as usize }
    }

    /// Where the symbol, or the separator, before the one at `position` begins.
    #[inline]
    pub(super) fn before(&self, position: usize) -> usize {
        let last = self.at(position - 1);
        position - if last & C::INTERIOR == 0 { 1 } else { (last ^ C::INTERIOR) as usize }
    }

    /// How often the piece around `position` occurs.
    #[inline]
    pub(super) fn weight(&self, position: usize) -> u64 {
        self.weights.at(position)
    }

    /// Makes one symbol `result` of those that begin at `left` and `right`, of which the second ends at `end`.
    #[inline]
    pub(super) fn join(&mut self, left: usize, right: usize, end: usize, result: u32) {
        let length = C::new(C::INTERIOR | (end - left) as u32);
        self.cells[left] = C::new(result);
        self.cells[right] = C::new(C::INTERIOR);
        self.cells[left + 1] = length;
        self.cells[end - 1] = length;
    }

    /// Whether symbols `left` and `right` stand side by side at `position`.
    #[inline]
    pub(super) fn has_pair(&self, position: usize, left: u32, right: u32) -> bool {
        self.at(position) == left && self.at(self.end(position)) == right
    }

    /// All cells in at most `parts` parts of about equal length that cut no piece.
    pub(super) fn shares(&self, parts: usize) -> Vec<Range<usize>> {
        let mut begin = 1;
        let mut shares = Vec::with_capacity(parts);
        for part in 1..=parts {
            let wanted = (self.len() / parts * part).max(begin);
            let separator = self.cells[wanted.min(self.len())..].iter().position(|cell| cell.get() == C::SEPARATOR);
            let end = if part < parts { separator.map_or(self.len(), |at| wanted + at + 1) } else { self.len() };
            if begin < end {
                shares.push(begin..end);
            }
            begin = end;
        }
        shares
    }

    /// Calls `visit` with each pair of neighbours in `share`, which begins and ends between pieces, its position, and
    /// the count of its piece, in order of position.
    #[inline]
    pub(super) fn for_each_pair(&self, share: Range<usize>, mut visit: impl FnMut(u32, u32, usize, u64)) {
        if share.is_empty() {
            return;
        }
        let mut run = self.weights.run(share.start);
        let mut position = share.start;
        while position < share.end {
            let (end, count) = (self.weights.ends[run].min(share.end), self.weights.counts[run]);
            let mut left = C::SEPARATOR;
            let mut left_at = position;
            while position < end {
                let symbol = self.at(position);
                if left != C::SEPARATOR && symbol != C::SEPARATOR {
                    visit(left, symbol, left_at, count);
                }
                (left, left_at) = (symbol, position);
                position = if symbol == C::SEPARATOR { position + 1 } else { self.end(position) };
            }
            run += 1;
        }
    }

    /// Makes every symbol one cell again and drops the pieces that are one symbol. Positions change.
    pub(super) fn squeeze(&mut self) {
        let (mut from, mut to) = (1, 1);
        for run in 0..self.weights.ends.len() {
            let end = self.weights.ends[run];
            let mut begin = to;
            while from < end {
                let symbol = self.at(from);
                self.cells[to] = self.cells[from];
                to += 1;
                if symbol == C::SEPARATOR {
                    from += 1;
                    to = if to - begin > 2 { to } else { begin };
                    begin = to;
                } else {
                    from = self.end(from);
                }
            }
            self.weights.ends[run] = to;
        }
        self.cells.truncate(to);
        self.cells.shrink_to_fit();
        let Weights { ends, counts, .. } = std::mem::take(&mut self.weights);
        self.weights = Weights::new(ends, counts);
    }
}

impl Rows<u16> {
    /// The same with wide cells.
    pub(super) fn widen(self) -> Rows<u32> {
        let wide = |cell: u16| match u32::from(cell) {
            u16::SEPARATOR => u32::SEPARATOR,
            inside if inside & u16::INTERIOR != 0 => u32::INTERIOR | (inside ^ u16::INTERIOR),
            id => id,
        };
        Rows { cells: self.cells.into_iter().map(wide).collect(), weights: self.weights }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pair = (u32, u32, usize, u64);

    fn pairs<C: Cell>(rows: &Rows<C>) -> Vec<Pair> {
        let mut pairs = Vec::new();
        rows.for_each_pair(1..rows.len(), |left, right, position, weight| {
            assert_eq!(rows.weight(position), weight);
            pairs.push((left, right, position, weight));
        });
        for parts in 1..5 {
            let mut parted = Vec::new();
            for share in rows.shares(parts) {
                rows.for_each_pair(share, |left, right, position, weight| parted.push((left, right, position, weight)));
            }
            assert_eq!(parted, pairs);
        }
        pairs
    }

    /// Cells: | 6 6 | 1 2 3 4 5 | 7 8 |
    fn rows<C: Cell>() -> Rows<C> {
        let separator = C::SEPARATOR;
        let cells = [separator, 6, 6, separator, 1, 2, 3, 4, 5, separator, 7, 8, separator];
        Rows::new(cells.into_iter().map(C::new).collect(), vec![4, 13], vec![9000, 7])
    }

    fn joined_symbols_are_walked_both_ways<C: Cell>() -> Rows<C> {
        let mut rows = rows::<C>();
        assert_eq!(
            pairs(&rows),
            [(6, 6, 1, 9000), (1, 2, 4, 7), (2, 3, 5, 7), (3, 4, 6, 7), (4, 5, 7, 7), (7, 8, 10, 7)]
        );
        rows.join(5, 6, 7, 23);
        rows.join(7, 8, 9, 45);
        assert_eq!(pairs(&rows)[1..4], [(1, 23, 4, 7), (23, 45, 5, 7), (7, 8, 10, 7)]);
        assert_eq!((rows.end(5), rows.before(7), rows.before(5)), (7, 5, 4));
        rows.join(5, 7, 9, 2345);
        assert_eq!(pairs(&rows)[1..], [(1, 2345, 4, 7), (7, 8, 10, 7)]);
        assert_eq!((rows.end(5), rows.before(9)), (9, 5));
        assert_eq!(rows.at(rows.before(4)), C::SEPARATOR);
        rows
    }

    #[test]
    fn narrow_and_wide_cells_do_the_same() {
        let wide = joined_symbols_are_walked_both_ways::<u32>();
        let narrow = joined_symbols_are_walked_both_ways::<u16>().widen();
        assert_eq!(narrow.cells, wide.cells);
    }

    #[test]
    fn squeezed_rows_hold_the_same_pairs() {
        let mut rows = joined_symbols_are_walked_both_ways::<u16>();
        rows.join(10, 11, 12, 78);
        rows.squeeze();
        assert_eq!(pairs(&rows), [(6, 6, 1, 9000), (1, 2345, 4, 7)]);
        rows.join(1, 2, 3, 66);
        rows.join(4, 5, 6, 9);
        rows.squeeze();
        assert_eq!((pairs(&rows), rows.len()), (vec![], 1));
    }
}
