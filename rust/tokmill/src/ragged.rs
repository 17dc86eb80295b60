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
        let sound = offsets.first() == Some(&0)
            && offsets.last() == Some(&(values.len() as i64))
            && offsets.windows(2).all(|pair| pair[0] <= pair[1]);
        if !sound {
            return Err(Error::option("offsets", "must begin at 0, never fall, and end at the number of values"));
        }
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

    /// Row `index`, if there is one.
    pub fn row(&self, index: usize) -> Option<&[T]> {
        let ends = self.offsets.get(index..index + 2)?;
        Some(&self.values[ends[0] as usize..ends[1] as usize])
    }

    /// The rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[T]> + Clone {
        self.offsets.windows(2).map(|ends| &self.values[ends[0] as usize..ends[1] as usize])
    }

    /// The vector that the row under construction is appended to; [`Self::end_row`] closes the row.
    pub fn values_mut(&mut self) -> &mut Vec<T> {
        &mut self.values
    }

    /// Closes the row that was appended to [`Self::values_mut`].
    pub fn end_row(&mut self) {
        self.offsets.push(self.values.len() as i64);
    }

    /// Appends the rows of `other`.
    pub fn append(&mut self, other: Self) {
        let base = self.values.len() as i64;
        if base == 0 {
            self.values = other.values;
        } else {
            self.values.extend(other.values);
        }
        self.offsets.extend(other.offsets[1..].iter().map(|end| base + end));
    }

    /// The two vectors, values first.
    pub fn into_parts(self) -> (Vec<T>, Vec<i64>) {
        (self.values, self.offsets)
    }
}

impl<T: Copy> Ragged<T> {
    /// A rectangle of `len()` rows by `length` (or the longest row), row-major, and a mask that is `true` on values
    /// and `false` on padding. Longer rows are cut at the side that is padded.
    pub fn to_padded(&self, pad: T, length: Option<usize>, side: Side) -> (Vec<T>, Vec<bool>, usize) {
        let width = length.unwrap_or_else(|| self.rows().map(<[T]>::len).max().unwrap_or(0));
        let mut values = Vec::with_capacity(self.len() * width);
        let mut mask = Vec::with_capacity(self.len() * width);
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
        (values, mask, width)
    }
}
