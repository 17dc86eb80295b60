//! Sets of token ids, one bit each.

/// A set of numbers below a fixed limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// The empty set of numbers below `limit`.
    pub(super) fn new(limit: usize) -> Self {
        Self(vec![0; limit.div_ceil(64)])
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

    /// Removes the members of `other` that are not in `kept`.
    pub(super) fn subtract_but(&mut self, other: &Self, kept: &Self) {
        self.0.iter_mut().zip(other.0.iter().zip(&kept.0)).for_each(|(word, (other, kept))| *word &= !other | kept);
    }

    /// The words, 64 numbers each, the smallest in the lowest bit of the first.
    pub(super) fn words(&self) -> &[u64] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_set_is_a_set(
            members in prop::collection::btree_set(0u32..300, 0..40),
            kept in prop::collection::btree_set(0u32..300, 0..200),
        ) {
            let of = |members: &BTreeSet<u32>| {
                let mut bits = Bits::new(300);
                for &member in members {
                    bits.insert(member);
                }
                bits
            };
            let (bits, kept_bits, all) = (of(&members), of(&kept), of(&(0..300).collect()));
            for number in 0..300 {
                prop_assert_eq!(bits.contains(number), members.contains(&number));
                prop_assert_eq!(bits.words()[number as usize / 64] >> (number % 64) & 1 == 1, members.contains(&number));
            }
            let mut some = all.clone();
            some.subtract_but(&bits, &kept_bits);
            let left = |number: &u32| !members.contains(number) || kept.contains(number);
            prop_assert_eq!(&some, &of(&(0..300).filter(left).collect()));
            let mut rest = all.clone();
            rest.subtract(&bits);
            prop_assert_eq!(&rest, &of(&(0..300).filter(|number| !members.contains(number)).collect()));
            rest.unite(&bits);
            prop_assert_eq!(&rest, &all);
            for &member in &members {
                rest.remove(member);
            }
            prop_assert_eq!(&rest, &of(&(0..300).filter(|number| !members.contains(number)).collect()));
        }
    }
}
