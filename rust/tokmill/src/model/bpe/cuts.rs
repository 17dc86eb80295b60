//! Safe cuts: places where no merge can ever cross, whatever the merges are.
//!
//! If two bytes stand side by side in no entry of the vocabulary, no token can hold both, so a piece may be cut
//! between them and the parts encoded apart. Where there are no or few pretokens (`SuperBPE`, binary BPE) this turns
//! pieces of thousands of bytes into pieces of some twenty, which can be cached.

use crate::vocab::Vocab;

/// The set of byte pairs that stand side by side inside some entry.
#[derive(Clone, Debug)]
pub struct SafeCuts {
    /// Bit `right` of row `left`.
    adjacent: Box<[[u64; 4]; 256]>,
}

impl SafeCuts {
    /// Reads all entries, also those that merging cannot reach. Where merging begins with characters, no cut is inside
    /// of one.
    pub fn new(vocab: &Vocab, of_chars: bool) -> Self {
        let mut adjacent = Box::new([[0; 4]; 256]);
        for (_, key) in vocab.iter() {
            for pair in key.windows(2) {
                adjacent[pair[0] as usize][pair[1] as usize / 64] |= 1 << (pair[1] % 64);
            }
        }
        if of_chars {
            adjacent.iter_mut().for_each(|row| row[2] = u64::MAX);
        }
        Self { adjacent }
    }

    /// Whether a cut between these two bytes is safe.
    #[inline]
    pub fn between(&self, left: u8, right: u8) -> bool {
        self.adjacent[left as usize][right as usize / 64] >> (right % 64) & 1 == 0
    }

    /// The end of the first part of `piece`, which is not empty: the first safe cut, or the end of the piece.
    #[inline]
    pub fn first_part(&self, piece: &[u8]) -> usize {
        piece.windows(2).position(|pair| self.between(pair[0], pair[1])).map_or(piece.len(), |at| at + 1)
    }
}
