//! Where in a row of logits the tokens with a common first byte stand, arranged for adding them up in any row.
//!
//! A row is worked on in blocks of ids. Those of a block with a common first byte are listed in fours, the last of them
//! filled up with a place that holds 0, so that the loop over them has nothing to decide. The first byte of most tokens
//! (the blank, in nearly every vocabulary) is a set of ids instead: adding up under a mask, in the order of the row,
//! costs less than looking up half of it.

use super::bits::Bits;
use super::index::Index;

/// Ids of a block.
pub(super) const BLOCK: usize = 4096;

/// Places that a block's numbers are read from, a power of two: from [`BLOCK`] on they hold 0.
pub(super) const PLACES: usize = 2 * BLOCK;

/// Bits of a place.
const WIDTH: u32 = PLACES.trailing_zeros();

/// Places in a block that are added up together.
const PER_FOUR: usize = 4;

/// How many fours lie between those that follow one another in order of their byte, so that a sum is not waited for.
const APART: usize = 4;

/// Tokens by their first byte, block by block.
#[derive(Debug)]
pub(super) struct Fours {
    /// Four places, from the lowest bits on, and above them the byte.
    blocks: Vec<Vec<u64>>,
    widest: u8,
    marked: Bits,
}

impl Fours {
    /// Arranges the tokens of an index.
    pub(super) fn new(index: &Index) -> Self {
        let mut first: Vec<Option<u8>> = vec![None; index.vocab_size()];
        let mut counts = [0u32; 256];
        for rank in 0..index.len() as u32 {
            let byte = index.bytes(rank)[0];
            first[index.id(rank) as usize] = Some(byte);
            counts[usize::from(byte)] += 1;
        }
        let widest = (0..=u8::MAX).max_by_key(|&byte| counts[usize::from(byte)]).unwrap_or(0);
        let mut marked = Bits::new(index.vocab_size());
        for id in (0..).zip(&first).filter(|(_, byte)| **byte == Some(widest)).map(|(id, _)| id) {
            marked.insert(id);
        }
        Self { blocks: first.chunks(BLOCK).map(|block| fours(block, widest)).collect(), widest, marked }
    }

    /// The first byte of most tokens.
    pub(super) fn widest(&self) -> u8 {
        self.widest
    }

    /// The ids of the tokens that begin with it.
    pub(super) fn marked(&self) -> &Bits {
        &self.marked
    }

    /// Adds the numbers of a block to the sums of their first bytes, but those of [`Self::marked`].
    pub(super) fn add(&self, block: usize, numbers: &[f32; PLACES], sums: &mut [f64; 256]) {
        for &four in &self.blocks[block] {
            let number = |at: u32| numbers[(four >> (at * WIDTH)) as usize % PLACES];
            // Four numbers are added in 32 bits, which costs less than one unit in the last place.
            let sum = (number(0) + number(1)) + (number(2) + number(3));
            sums[(four >> (PER_FOUR as u32 * WIDTH)) as usize % 256] += f64::from(sum);
        }
    }
}

/// The fours of a block, given the first byte of each id.
fn fours(first: &[Option<u8>], widest: u8) -> Vec<u64> {
    let mut ids: Vec<(u8, usize)> = first
        .iter()
        .enumerate()
        .filter_map(|(at, byte)| Some(((*byte)?, at)))
        .filter(|&(byte, _)| byte != widest)
        .collect();
    ids.sort_unstable();
    let four = |ids: &[(u8, usize)]| {
        let place = |at: usize| ids.get(at).map_or(BLOCK, |&(_, place)| place) as u64;
        let places = (0..PER_FOUR).map(|at| place(at) << (at as u32 * WIDTH));
        places.fold(u64::from(ids[0].0) << (PER_FOUR as u32 * WIDTH), |four, place| four | place)
    };
    let sorted: Vec<u64> =
        ids.chunk_by(|left, right| left.0 == right.0).flat_map(|run| run.chunks(PER_FOUR)).map(four).collect();
    let stretch = sorted.len().div_ceil(APART);
    (0..stretch).flat_map(|at| sorted.iter().skip(at).step_by(stretch)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_token_is_added_to_its_first_byte(keys in prop::collection::vec("[a-e]{1,2}", 1..300), seed: u64) {
            // Ids in two blocks, with gaps between them.
            let ids = (0..keys.len()).map(|at| (BLOCK - 100 + at * 2) as u32);
            let tokens: Vec<(u32, &[u8])> = ids.zip(keys.iter().map(String::as_bytes)).collect();
            let index = Index::new(tokens.clone(), BLOCK + 1000);
            let fours = Fours::new(&index);
            let number = |id: u32| ((seed.wrapping_mul(u64::from(id) + 1) >> 40) as f32).fract() + (id % 7) as f32;
            let mut sums = [0.0; 256];
            for block in 0..2 {
                let mut numbers = vec![0.0; PLACES];
                for (at, value) in numbers.iter_mut().take(BLOCK).enumerate() {
                    *value = number((block * BLOCK + at) as u32);
                }
                fours.add(block, numbers[..].try_into().unwrap(), &mut sums);
            }
            for byte in 0..=u8::MAX {
                let begin = tokens.iter().filter(|(_, key)| key[0] == byte);
                let sum: f64 = begin.clone().map(|&(id, _)| f64::from(number(id))).sum();
                let looked_up = if byte == fours.widest() { 0.0 } else { sum };
                prop_assert!((sums[usize::from(byte)] - looked_up).abs() <= 1e-6 * sum);
                for &(id, _) in begin {
                    prop_assert_eq!(fours.marked().contains(id), byte == fours.widest());
                }
            }
        }
    }
}
