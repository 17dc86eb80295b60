//! Sets of ranks, one bit each.

use std::ops::Range;

/// A set of numbers below a fixed limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// The empty set of numbers below `limit`.
    pub(super) fn new(limit: usize) -> Self {
        Self(vec![0; limit.div_ceil(64)])
    }

    /// The set of all numbers below `limit`.
    pub(super) fn all(limit: usize) -> Self {
        let mut bits = Self(vec![u64::MAX; limit.div_ceil(64)]);
        if let Some(last) = bits.0.last_mut()
            && !limit.is_multiple_of(64)
        {
            *last = (1 << (limit % 64)) - 1;
        }
        bits
    }

    #[inline]
    pub(super) fn insert(&mut self, number: u32) {
        self.0[number as usize / 64] |= 1 << (number % 64);
    }

    #[inline]
    pub(super) fn remove(&mut self, number: u32) {
        self.0[number as usize / 64] &= !(1 << (number % 64));
    }

    #[inline]
    pub(super) fn contains(&self, number: u32) -> bool {
        self.0[number as usize / 64] >> (number % 64) & 1 == 1
    }

    /// Adds the members of `other`.
    pub(super) fn unite(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }

    /// Removes the members of `other`.
    pub(super) fn subtract(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= !other);
    }

    /// Removes the members of `other` that are not in a range.
    pub(super) fn subtract_but(&mut self, other: &Self, kept: Range<u32>) {
        for (at, (word, other)) in (0..).zip(self.0.iter_mut().zip(&other.0)) {
            let below = |limit: u32| match limit.saturating_sub(at * 64) {
                0 => 0,
                count @ 1..64 => (1 << count) - 1,
                _ => u64::MAX,
            };
            *word &= !(other & !(below(kept.end) & !below(kept.start)));
        }
    }

    /// Whether some number of a range is a member.
    pub(super) fn any_in(&self, range: Range<u32>) -> bool {
        if range.is_empty() {
            return false;
        }
        let (first, last) = (range.start as usize / 64, (range.end - 1) as usize / 64);
        let head = u64::MAX << (range.start % 64);
        let tail = u64::MAX >> (63 - (range.end - 1) % 64);
        if first == last {
            return self.0[first] & head & tail != 0;
        }
        self.0[first] & head != 0 || self.0[first + 1..last].iter().any(|&word| word != 0) || self.0[last] & tail != 0
    }

    /// The members in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().enumerate().flat_map(|(index, &word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(index as u32 * 64 + bit)
            })
        })
    }

    /// The words, 64 numbers each, the smallest in the lowest bit of the first.
    pub(super) fn words(&self) -> &[u64] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_set_is_a_set(members in prop::collection::btree_set(0u32..300, 0..40), begin in 0u32..300, len in 0u32..300) {
            let mut bits = Bits::new(300);
            for &member in &members {
                bits.insert(member);
            }
            prop_assert_eq!(bits.iter().collect::<Vec<_>>(), members.iter().copied().collect::<Vec<_>>());
            let range = begin..(begin + len).min(300);
            prop_assert_eq!(bits.any_in(range.clone()), members.range(range.clone()).next().is_some());
            let mut some = Bits::all(300);
            some.subtract_but(&bits, range.clone());
            let left = |number: &u32| !members.contains(number) || range.contains(number);
            prop_assert_eq!(some.iter().collect::<Vec<_>>(), (0..300).filter(left).collect::<Vec<_>>());
            let mut rest = Bits::all(300);
            rest.subtract(&bits);
            prop_assert_eq!(rest.iter().count(), 300 - members.len());
            rest.unite(&bits);
            prop_assert_eq!(rest, Bits::all(300));
        }
    }
}
