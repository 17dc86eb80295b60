//! The vocabulary in the order of its bytes, so that the tokens that begin alike are a range, and the tree of their
//! common beginnings.

use std::ops::Range;

use super::bits::Bits;

/// "No rank".
pub(super) const NONE: u32 = u32::MAX;

/// A beginning that some tokens share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prefix {
    /// Ranks of the tokens that begin so.
    begin: u32,
    end: u32,
    /// The first of the prefixes that are one byte longer, which stand together in order of that byte.
    children: u32,
    child_count: u16,
    /// The last byte.
    byte: u8,
}

/// The prefix that all tokens share, the empty one.
pub(super) const ROOT: u32 = 0;

/// Tokens by the order of their bytes. A token's place in that order is its rank.
#[derive(Debug)]
pub(super) struct Index {
    /// Ids by rank.
    ids: Vec<u32>,
    /// Ranks by id; [`NONE`] for ids that stand for no text.
    ranks: Vec<u32>,
    /// All tokens end to end, by rank.
    bytes: Vec<u8>,
    ends: Vec<u32>,
    prefixes: Vec<Prefix>,
    /// Ids that stand for no text, in order.
    others: Vec<u32>,
}

impl Index {
    /// Sorts tokens, given as ids and non-empty byte strings; several ids may have the same bytes. Ids are below
    /// `vocab_size`.
    pub(super) fn new(mut tokens: Vec<(u32, &[u8])>, vocab_size: usize) -> Self {
        tokens.sort_unstable_by(|left, right| left.1.cmp(right.1).then(left.0.cmp(&right.0)));
        let mut ranks = vec![NONE; vocab_size];
        let mut bytes = Vec::with_capacity(tokens.iter().map(|(_, key)| key.len()).sum());
        let mut ends = Vec::with_capacity(tokens.len());
        for (rank, (id, key)) in tokens.iter().enumerate() {
            ranks[*id as usize] = rank as u32;
            bytes.extend_from_slice(key);
            ends.push(bytes.len() as u32);
        }
        let prefixes = prefixes(&tokens);
        let others = (0..).zip(&ranks).filter(|(_, rank)| **rank == NONE).map(|(id, _)| id).collect();
        Self { ids: tokens.into_iter().map(|(id, _)| id).collect(), ranks, bytes, ends, prefixes, others }
    }

    /// Number of tokens.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The number that all ids are below.
    pub(super) fn vocab_size(&self) -> usize {
        self.ranks.len()
    }

    /// The ids of a range of ranks.
    pub(super) fn ids_in(&self, ranks: Range<u32>) -> &[u32] {
        &self.ids[ranks.start as usize..ranks.end as usize]
    }

    /// Ids that stand for no text, in order.
    pub(super) fn others(&self) -> &[u32] {
        &self.others
    }

    /// Whether some token of a range of ranks is in a set of ids.
    pub(super) fn any_in(&self, ranks: Range<u32>, ids: &Bits) -> bool {
        self.ids_in(ranks).iter().any(|&id| ids.contains(id))
    }

    pub(super) fn id(&self, rank: u32) -> u32 {
        self.ids[rank as usize]
    }

    /// Where the bytes of a token begin among those of all, end to end by rank.
    pub(super) fn begin(&self, rank: u32) -> usize {
        rank.checked_sub(1).map_or(0, |before| self.ends[before as usize] as usize)
    }

    /// The rank of an id; [`NONE`] if it stands for no text.
    pub(super) fn rank(&self, id: u32) -> u32 {
        self.ranks[id as usize]
    }

    /// The bytes of a token by its rank.
    pub(super) fn bytes(&self, rank: u32) -> &[u8] {
        let begin = if rank == 0 { 0 } else { self.ends[rank as usize - 1] };
        &self.bytes[begin as usize..self.ends[rank as usize] as usize]
    }

    /// The ranks of the tokens that begin with a prefix.
    pub(super) fn range(&self, prefix: u32) -> Range<u32> {
        let Prefix { begin, end, .. } = self.prefixes[prefix as usize];
        begin..end
    }

    /// The ranks of the tokens that are the prefix.
    pub(super) fn exact(&self, prefix: u32) -> Range<u32> {
        let Prefix { begin, end, children, child_count, .. } = self.prefixes[prefix as usize];
        begin..if child_count == 0 { end } else { self.prefixes[children as usize].begin }
    }

    /// The prefixes that are one byte longer, with that byte, in its order.
    pub(super) fn children(&self, prefix: u32) -> impl ExactSizeIterator<Item = (u8, u32)> {
        let Prefix { children, child_count, .. } = self.prefixes[prefix as usize];
        (children..children + u32::from(child_count)).map(|child| (self.prefixes[child as usize].byte, child))
    }

    /// The prefix with one more byte, if some token begins so.
    pub(super) fn child(&self, prefix: u32, byte: u8) -> Option<u32> {
        let Prefix { children, child_count, .. } = self.prefixes[prefix as usize];
        let all = &self.prefixes[children as usize..children as usize + child_count as usize];
        all.binary_search_by_key(&byte, |child| child.byte).ok().map(|at| children + at as u32)
    }

    /// The prefix that is these bytes, if some token begins with them.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<u32> {
        bytes.iter().try_fold(ROOT, |prefix, &byte| self.child(prefix, byte))
    }
}

/// The tree of prefixes of sorted tokens, level by level.
fn prefixes(tokens: &[(u32, &[u8])]) -> Vec<Prefix> {
    let root = Prefix { begin: 0, end: tokens.len() as u32, children: 0, child_count: 0, byte: 0 };
    let mut prefixes = vec![root];
    let mut level = 0..1;
    let mut depth = 0;
    while !level.is_empty() {
        let next = prefixes.len();
        for parent in level {
            let Prefix { mut begin, end, .. } = prefixes[parent];
            let first = prefixes.len();
            // Tokens that end here come first.
            while begin < end && tokens[begin as usize].1.len() == depth {
                begin += 1;
            }
            while begin < end {
                let byte = tokens[begin as usize].1[depth];
                let same = |(_, key): &(u32, &[u8])| key[depth] == byte;
                // Nearly all prefixes have few tokens; those of the first byte are long runs.
                let group = &tokens[begin as usize..end as usize];
                let count = if group.len() > 64 {
                    group.partition_point(same)
                } else {
                    group.iter().take_while(|token| same(token)).count()
                };
                prefixes.push(Prefix { begin, end: begin + count as u32, children: 0, child_count: 0, byte });
                begin += count as u32;
            }
            prefixes[parent].children = first as u32;
            prefixes[parent].child_count = (prefixes.len() - first) as u16;
        }
        level = next..prefixes.len();
        depth += 1;
    }
    prefixes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn prefixes_are_those_of_the_tokens(keys in prop::collection::vec("[abc]{1,5}", 0..80), probe in "[abc]{0,6}") {
            let tokens: Vec<(u32, &[u8])> = keys.iter().enumerate().map(|(id, key)| (id as u32, key.as_bytes())).collect();
            let index = Index::new(tokens, keys.len());
            let begin: Vec<usize> = (0..keys.len()).filter(|&id| keys[id].starts_with(&probe)).collect();
            match index.find(probe.as_bytes()) {
                None => prop_assert!(begin.is_empty()),
                Some(prefix) => {
                    let mut found: Vec<usize> = index.range(prefix).map(|rank| index.id(rank) as usize).collect();
                    found.sort_unstable();
                    prop_assert_eq!(found, begin);
                    for rank in index.exact(prefix) {
                        prop_assert_eq!(index.bytes(rank), probe.as_bytes());
                        prop_assert_eq!(index.rank(index.id(rank)), rank);
                    }
                    let below: usize = index.children(prefix).map(|(_, child)| index.range(child).len()).sum();
                    prop_assert_eq!(below + index.exact(prefix).len(), index.range(prefix).len());
                }
            }
        }
    }
}
