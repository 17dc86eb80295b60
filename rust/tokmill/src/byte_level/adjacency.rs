//! Which tokens cannot follow a token inside one piece of a BPE model.
//!
//! Two tokens stand side by side in an encoding unless some merge crosses between them. A token has a history: the
//! tokens that its right edge was part of, from the byte to the whole (its right spine), and the same on its left edge.
//! The merge `l + r -> p` crosses if `l` is on the right spine of the left token and `r` on the left spine of the right
//! one, and `p` is due before either of them was merged further. So the tokens that cannot follow are, for each merge
//! of a token on the right spine, those that were built on `r` from the left by a merge not before `p`. Numbered along
//! the tree of left parts, with the children of a token in order of their merges, these are ranges: what cannot follow
//! is listed without testing a pair.

use super::bits::Bits;
use super::index::{Index, NONE};
use crate::merges::Merge;
use crate::model::Bpe;

/// The merges of a model, arranged for listing what cannot follow a token.
#[derive(Debug)]
pub(super) struct Adjacency {
    /// Number of each id in the order in which merges make tokens, bytes or characters before all; [`NONE`] for others.
    number: Vec<u32>,
    /// The two parts of each token; none of what merging begins with.
    parts: Vec<Option<(u32, u32)>>,
    /// The merges `(right, product)` of each left token, end to end, and where they begin.
    merges: Vec<(u32, u32)>,
    merges_begin: Vec<u32>,
    /// Tokens by their left part, in order of number, end to end, and where they begin.
    children: Vec<u32>,
    children_begin: Vec<u32>,
    /// Place of each token along the tree of left parts, and where the places of what is built on it end.
    place: Vec<u32>,
    place_end: Vec<u32>,
    /// Ids, by place; [`NONE`] for those that stand for no text.
    id_at: Vec<u32>,
}

impl Adjacency {
    /// Arranges merges that are given in the order in which they fire.
    pub(super) fn new(bpe: &Bpe, merges: &[Merge], index: &Index) -> Self {
        let vocab = bpe.vocab();
        let mut number = vec![NONE; vocab.size()];
        let mut ids: Vec<u32> = bpe.atoms().collect();
        for (at, &id) in ids.iter().enumerate() {
            number[id as usize] = at as u32;
        }
        for merge in merges {
            number[merge.result as usize] = ids.len() as u32;
            ids.push(merge.result);
        }
        let count = ids.len();
        let of = |id: u32| number[id as usize];
        let mut parts = vec![None; count];
        for merge in merges {
            parts[of(merge.result) as usize] = Some((of(merge.left), of(merge.right)));
        }
        let by_left = |parts: &[Option<(u32, u32)>]| {
            let pairs = parts.iter().enumerate().filter_map(|(token, part)| Some((token as u32, (*part)?)));
            grouped(count, pairs.map(|(token, (left, right))| (left, (right, token))))
        };
        let (merges, merges_begin) = by_left(&parts);
        let children: Vec<u32> = merges.iter().map(|&(_, product)| product).collect();
        let children_begin = merges_begin.clone();

        // Places: shorter tokens first, so that a token's place is known before those of what is built on it.
        let mut by_length: Vec<u32> = (0..count as u32).collect();
        by_length.sort_by_key(|&token| vocab.key(ids[token as usize]).map_or(0, <[u8]>::len));
        let mut size = vec![1u32; count];
        for &token in by_length.iter().rev() {
            if let Some((left, _)) = parts[token as usize] {
                size[left as usize] += size[token as usize];
            }
        }
        let mut place = vec![0u32; count];
        let mut next_root = 0;
        for &token in &by_length {
            if parts[token as usize].is_none() {
                place[token as usize] = next_root;
                next_root += size[token as usize];
            }
            let mut next = place[token as usize] + 1;
            for &child in
                &children[children_begin[token as usize] as usize..children_begin[token as usize + 1] as usize]
            {
                place[child as usize] = next;
                next += size[child as usize];
            }
        }
        let place_end = place.iter().zip(&size).map(|(place, size)| place + size).collect();
        let mut id_at = vec![NONE; count];
        for (&id, &place) in ids.iter().zip(&place).filter(|&(&id, _)| index.rank(id) != NONE) {
            id_at[place as usize] = id;
        }
        Self { number, parts, merges, merges_begin, children, children_begin, place, place_end, id_at }
    }

    /// The tokens that cannot follow the token `id` in a piece.
    pub(super) fn cannot_follow(&self, id: u32, vocab_size: usize) -> Bits {
        let mut found = Bits::new(vocab_size);
        let mut mark = |begin: u32, end: u32| {
            for &id in &self.id_at[begin as usize..end as usize] {
                if id != NONE {
                    found.insert(id);
                }
            }
        };
        let mut left = self.number[id as usize];
        let mut limit = NONE;
        while left != NONE {
            let merges = self.merges_begin[left as usize] as usize..self.merges_begin[left as usize + 1] as usize;
            for &(right, product) in self.merges[merges].iter().filter(|&&(_, product)| product < limit) {
                let place = self.place[right as usize];
                mark(place, place + 1);
                let children =
                    self.children_begin[right as usize] as usize..self.children_begin[right as usize + 1] as usize;
                let children = &self.children[children];
                let later = children.partition_point(|&child| child < product);
                if let Some(&first) = children.get(later) {
                    mark(self.place[first as usize], self.place_end[right as usize]);
                }
            }
            limit = left;
            left = self.parts[left as usize].map_or(NONE, |(_, right)| right);
        }
        found
    }
}

/// Values grouped by their key below `keys`, in the order in which they come, and where each group begins.
fn grouped<T: Copy + Default>(keys: usize, pairs: impl Iterator<Item = (u32, T)>) -> (Vec<T>, Vec<u32>) {
    let pairs: Vec<(u32, T)> = pairs.collect();
    let mut begin = vec![0u32; keys + 1];
    for &(key, _) in &pairs {
        begin[key as usize + 1] += 1;
    }
    for key in 0..keys {
        begin[key + 1] += begin[key];
    }
    let mut next = begin.clone();
    let mut values = vec![T::default(); pairs.len()];
    for (key, value) in pairs {
        values[next[key as usize] as usize] = value;
        next[key as usize] += 1;
    }
    (values, begin)
}
