//! Rows of unequal length in two flat vectors, the shape in which batches leave the crate.
//!
//! Row `i` is `values[offsets[i]..offsets[i + 1]]`; `offsets` begins with 0 and has one entry more than there are
//! rows. This is the layout of an Arrow list array with 64-bit offsets, and either vector moves into numpy uncopied.

use crate::error::{Error, Result};

/// A list of rows of `T`, stored end to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ragged<T> {
    values: Vec<T>,
    offsets: Vec<i64>,
}

/// The rows of a [`Ragged`], or of two slices laid out like one, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct RaggedView<'a, T> {
    values: &'a [T],
    offsets: &'a [i64],
}

/// On which side of a row something is added or cut away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// At the beginning of the row.
    Left,
    /// At the end of the row.
    #[default]
    Right,
}

impl<T> Default for Ragged<T> {
    fn default() -> Self {
        Self { values: Vec::new(), offsets: vec![0] }
    }
}

impl<T> Ragged<T> {
    /// Takes values and the rows' ends; checks that the offsets begin at 0, never fall and end at `values.len()`.
    pub fn from_parts(values: Vec<T>, offsets: Vec<i64>) -> Result<Self> {
        RaggedView::new(&values, &offsets)?;
        Ok(Self { values, offsets })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All rows end to end.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Where each row begins, and where the last one ends.
    pub fn offsets(&self) -> &[i64] {
        &self.offsets
    }

    /// All of it, borrowed.
    pub fn view(&self) -> RaggedView<'_, T> {
        RaggedView { values: &self.values, offsets: &self.offsets }
    }

    /// Row `index`, if there is one.
    pub fn row(&self, index: usize) -> Option<&[T]> {
        self.view().row(index)
    }

    /// The rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[T]> + Clone {
        self.view().rows()
    }

    /// The vector that the row under construction is appended to; [`Self::end_row`] closes the row.
    pub fn values_mut(&mut self) -> &mut Vec<T> {
        &mut self.values
    }

    /// Closes the row that was appended to [`Self::values_mut`].
    pub fn end_row(&mut self) {
        self.offsets.push(self.values.len() as i64);
    }

    /// Appends the rows of `other`, and leaves it without rows.
    pub fn append(&mut self, other: &mut Self) {
        let base = self.values.len() as i64;
        self.values.append(&mut other.values);
        self.offsets.extend(other.offsets.drain(1..).map(|end| base + end));
    }

    /// The two vectors, values first.
    pub fn into_parts(self) -> (Vec<T>, Vec<i64>) {
        (self.values, self.offsets)
    }
}

impl<'a, T> RaggedView<'a, T> {
    /// Takes values and the rows' ends, with the checks of [`Ragged::from_parts`].
    pub fn new(values: &'a [T], offsets: &'a [i64]) -> Result<Self> {
        let sound = offsets.first() == Some(&0)
            && offsets.last() == Some(&(values.len() as i64))
            && offsets.windows(2).all(|pair| pair[0] <= pair[1]);
        if !sound {
            return Err(Error::option("offsets", "must begin at 0, never fall, and end at the number of values"));
        }
        Ok(Self { values, offsets })
    }

    /// All rows end to end.
    pub fn values(self) -> &'a [T] {
        self.values
    }

    /// Number of rows.
    pub fn len(self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there are no rows.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Row `index`, if there is one.
    pub fn row(self, index: usize) -> Option<&'a [T]> {
        let ends = self.offsets.get(index..index + 2)?;
        Some(&self.values[ends[0] as usize..ends[1] as usize])
    }

    /// The rows in order.
    pub fn rows(self) -> impl ExactSizeIterator<Item = &'a [T]> + Clone {
        self.offsets.windows(2).map(move |ends| &self.values[ends[0] as usize..ends[1] as usize])
    }
}

impl<T: Copy> RaggedView<'_, T> {
    /// A rectangle of [`Self::len`] rows by `length` (or the longest row), row-major, a mask that is `true` on values
    /// and `false` on padding, and the width. Longer rows are cut at the side that is padded. Fails if the rectangle
    /// does not fit into memory.
    pub fn to_padded(self, pad: T, length: Option<usize>, side: Side) -> Result<(Vec<T>, Vec<bool>, usize)> {
        let width = length.unwrap_or_else(|| self.rows().map(<[T]>::len).max().unwrap_or(0));
        let too_large = || Error::option("length", format!("{} rows of {width} do not fit into memory", self.len()));
        let size = self.len().checked_mul(width).ok_or_else(too_large)?;
        let (mut values, mut mask) = (Vec::new(), Vec::new());
        values.try_reserve_exact(size).map_err(|_| too_large())?;
        mask.try_reserve_exact(size).map_err(|_| too_large())?;
        for row in self.rows() {
            let kept = match side {
                Side::Right => &row[..row.len().min(width)],
                Side::Left => &row[row.len() - row.len().min(width)..],
            };
            let missing = width - kept.len();
            if side == Side::Left {
                values.extend(std::iter::repeat_n(pad, missing));
                mask.extend(std::iter::repeat_n(false, missing));
            }
            values.extend_from_slice(kept);
            mask.extend(std::iter::repeat_n(true, kept.len()));
            if side == Side::Right {
                values.extend(std::iter::repeat_n(pad, missing));
                mask.extend(std::iter::repeat_n(false, missing));
            }
        }
        Ok((values, mask, width))
    }
}

impl<T: Copy> Ragged<T> {
    /// [`RaggedView::to_padded`] of all rows.
    pub fn to_padded(&self, pad: T, length: Option<usize>, side: Side) -> Result<(Vec<T>, Vec<bool>, usize)> {
        self.view().to_padded(pad, length, side)
    }
}
