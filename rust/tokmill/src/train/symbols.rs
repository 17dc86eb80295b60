//! Laying out pieces as rows of symbols, in cells that are as wide as they have to be.

use std::ops::Range;

use crate::error::{Error, Result};

use super::rows::{Cell, Rows};

/// All pieces of a corpus as symbols.
#[derive(Debug)]
pub(super) enum Symbols {
    Narrow(Rows<u16>),
    Wide(Rows<u32>),
}

/// Corpora of fewer cells are not worth narrow ones, which have to be widened later.
const NARROW_FROM: usize = 1 << 24;

impl Symbols {
    /// Lays out pieces. `for_each` calls its argument with the symbols of each piece and the piece's count, and does
    /// the same when it is called again. Pieces of fewer than two symbols are left out: nothing in them can merge.
    pub(super) fn new(for_each: impl Fn(&mut dyn FnMut(&[u32], u64)) -> Result<()>) -> Result<Self> {
        Self::with_narrow_cells(NARROW_FROM, for_each)
    }

    /// Lays out pieces, in narrow cells where there are at least `narrow_from` of them and they fit.
    pub(super) fn with_narrow_cells(
        narrow_from: usize,
        for_each: impl Fn(&mut dyn FnMut(&[u32], u64)) -> Result<()>,
    ) -> Result<Self> {
        let mut runs = Runs::default();
        for_each(&mut |symbols, count| {
            if symbols.len() > 1 {
                runs.add(count, symbols);
            }
        })?;
        if runs.cells >= narrow_from && runs.largest < u16::SEPARATOR {
            lay_out(runs, for_each).map(Self::Narrow)
        } else {
            lay_out(runs, for_each).map(Self::Wide)
        }
    }

    /// Number of cells.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Narrow(rows) => rows.len(),
            Self::Wide(rows) => rows.len(),
        }
    }

    /// Whether a symbol may have this id.
    pub(super) fn holds(&self, id: u32) -> bool {
        id < if matches!(self, Self::Narrow(_)) { u16::SEPARATOR } else { u32::SEPARATOR }
    }

    /// Makes every symbol one cell again, in wide cells if `wide`. Positions change.
    pub(super) fn squeeze(&mut self, wide: bool) {
        match self {
            Self::Narrow(rows) => rows.squeeze(),
            Self::Wide(rows) => rows.squeeze(),
        }
        if let (Self::Narrow(rows), true) = (&mut *self, wide) {
            let narrow = std::mem::replace(rows, Rows::new(Vec::new(), Vec::new(), Vec::new()));
            *self = Self::Wide(narrow.widen());
        }
    }

    /// All cells in at most `parts` parts that cut no piece.
    pub(super) fn shares(&self, parts: usize) -> Vec<Range<usize>> {
        match self {
            Self::Narrow(rows) => rows.shares(parts),
            Self::Wide(rows) => rows.shares(parts),
        }
    }

    /// Calls `visit` with each pair of neighbours in `share`, its position, and the count of its piece.
    #[inline]
    pub(super) fn for_each_pair(&self, share: Range<usize>, visit: impl FnMut(u32, u32, usize, u64)) {
        match self {
            Self::Narrow(rows) => rows.for_each_pair(share, visit),
            Self::Wide(rows) => rows.for_each_pair(share, visit),
        }
    }
}

fn lay_out<C: Cell>(runs: Runs, for_each: impl Fn(&mut dyn FnMut(&[u32], u64)) -> Result<()>) -> Result<Rows<C>> {
    let (counts, mut cursors) = runs.into_layout();
    let total = cursors.last().copied().unwrap_or(1);
    if u32::try_from(total).is_err() {
        let why =
            format!("has {total} symbols in distinct pieces, more than 2^32: use a pretokenizer that cuts shorter");
        return Err(Error::option("source", why));
    }
    let mut cells = vec![C::new(C::SEPARATOR); total];
    let lookup = CountIndex::new(&counts);
    for_each(&mut |symbols, count| {
        if symbols.len() > 1 {
            let cursor = &mut cursors[lookup.index(count)];
            for (cell, &symbol) in cells[*cursor..].iter_mut().zip(symbols) {
                *cell = C::new(symbol);
            }
            *cursor += symbols.len() + 1;
        }
    })?;
    // Each cursor has moved from the beginning of its run to the end; the last one stands for the end of all.
    cursors.pop();
    Ok(Rows::new(cells, cursors, counts))
}

/// The distinct counts of the pieces and the cells that each needs.
#[derive(Default)]
struct Runs {
    /// Cells of the pieces that occur `index` times.
    small: Vec<usize>,
    /// Count and cells of the others.
    large: Vec<(u64, usize)>,
    /// Cells of all.
    cells: usize,
    /// The largest id or length.
    largest: u32,
}

/// Counts below this are looked up in a table.
const SMALL_COUNTS: u64 = 1 << 12;

impl Runs {
    fn add(&mut self, count: u64, symbols: &[u32]) {
        let cells = symbols.len() + 1;
        if count < SMALL_COUNTS {
            self.small.resize(SMALL_COUNTS as usize, 0);
            self.small[count as usize] += cells;
        } else {
            self.large.push((count, cells));
        }
        self.cells += cells;
        let length = u32::try_from(symbols.len()).unwrap_or(u32::MAX);
        self.largest = symbols.iter().fold(self.largest.max(length), |largest, &symbol| largest.max(symbol));
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

    const PIECES: [(&[u32], u64); 4] = [(&[1, 2, 3], 7), (&[9], 9000), (&[6, 6], 9000), (&[7, 8], 7)];

    fn lay_out(pieces: &[(&[u32], u64)], narrow_from: usize) -> Symbols {
        Symbols::with_narrow_cells(narrow_from, |visit| {
            for &(piece, count) in pieces {
                visit(piece, count);
            }
            Ok(())
        })
        .unwrap()
    }

    fn pairs(symbols: &Symbols) -> Vec<(u32, u32, usize, u64)> {
        let mut pairs = Vec::new();
        symbols.for_each_pair(1..symbols.len(), |left, right, position, weight| {
            pairs.push((left, right, position, weight));
        });
        pairs
    }

    #[test]
    fn pieces_lie_in_order_of_count_in_either_width() {
        for narrow_from in [0, NARROW_FROM] {
            let mut symbols = lay_out(&PIECES, narrow_from);
            assert_eq!(matches!(symbols, Symbols::Narrow(_)), narrow_from == 0);
            let expected = [(6, 6, 1, 9000), (1, 2, 4, 7), (2, 3, 5, 7), (7, 8, 8, 7)];
            assert_eq!(pairs(&symbols), expected);
            symbols.squeeze(true);
            assert!(matches!(symbols, Symbols::Wide(_)));
            assert_eq!(pairs(&symbols), expected);
        }
        assert!(matches!(lay_out(&[(&[0x7FFF, 1], 1)], 0), Symbols::Wide(_)));
    }

    #[test]
    fn no_pieces_are_no_pairs() {
        assert_eq!(pairs(&lay_out(&[], 0)), []);
    }
}
