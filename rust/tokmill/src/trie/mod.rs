//! A double-array trie: the entries that begin at a place of a text, with one memory access a byte.
//!
//! A node is a place in one array. The child of node `n` under byte `b` is the place `base[n] ^ b`, if that place names
//! `n` as its parent. Building places the children of one node after the other wherever all of them fit; the search for
//! free places gives up soon and takes fresh ones, so it is linear in practice and wastes a few places in a hundred.
//! Method: J. Aoe, "An efficient digital search algorithm by using a double-array structure" (1989).

mod characters;

pub(crate) use characters::{CharacterTrie, Symbol};

/// The place where every walk begins.
pub(crate) const ROOT: u32 = 0;

/// No id, no node, no place.
const NONE: u32 = u32::MAX;

/// The parent of the root.
const NO_PARENT: u32 = u32::MAX - 1;

/// Places whose neighbourhood is searched for room before fresh ones are taken.
const TRIES: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    /// The place of the child under byte 0, were there one.
    base: u32,
    /// The node that this one is a child of; [`NONE`] in a free place.
    parent: u32,
    /// The id of the entry that ends here, or [`NONE`].
    id: u32,
}

const FREE: Node = Node { base: 0, parent: NONE, id: NONE };

/// A set of byte strings with an id each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trie {
    nodes: Box<[Node]>,
}

impl Trie {
    /// A trie of `entries`, keys with ids. Empty keys are left out; of equal keys the last one counts.
    pub(crate) fn new<'k>(entries: impl Iterator<Item = (&'k [u8], u32)>) -> Self {
        Builder::default().build(&sorted(entries))
    }

    /// The child of `node` under `byte`.
    #[inline]
    pub(crate) fn child(&self, node: u32, byte: u8) -> Option<u32> {
        let at = self.nodes[node as usize].base ^ u32::from(byte);
        (self.nodes[at as usize].parent == node).then_some(at)
    }

    /// The id of the entry that ends at `node`.
    #[inline]
    pub(crate) fn id(&self, node: u32) -> Option<u32> {
        let id = self.nodes[node as usize].id;
        (id != NONE).then_some(id)
    }

    /// Lengths and ids of the entries that `text` begins with, shortest first.
    pub(crate) fn prefixes<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = (usize, u32)> + 't {
        let mut node = ROOT;
        let walk = text.iter().enumerate().map_while(move |(at, &byte)| {
            node = self.child(node, byte)?;
            Some((at + 1, self.id(node)))
        });
        walk.filter_map(|(len, id)| Some((len, id?)))
    }
}

/// Entries in the order of their keys, without empty ones; of equal keys the last one.
fn sorted<'k>(entries: impl Iterator<Item = (&'k [u8], u32)>) -> Vec<Entry<'k>> {
    let mut sorted: Vec<Entry<'k>> =
        entries.filter(|(key, _)| !key.is_empty()).map(|(key, id)| Entry { head: head(key), key, id }).collect();
    // Stable, so that of equal keys the last one stays last.
    sorted.sort_by(|a, b| a.head.cmp(&b.head).then_with(|| a.key.cmp(b.key)));
    sorted.dedup_by(|later, kept| {
        let same = later.key == kept.key;
        if same {
            kept.id = later.id;
        }
        same
    });
    sorted
}

/// A key with its first eight bytes as a number of the same order, which spares most comparisons of keys.
struct Entry<'k> {
    head: u64,
    key: &'k [u8],
    id: u32,
}

fn head(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let len = key.len().min(8);
    bytes[..len].copy_from_slice(&key[..len]);
    u64::from_be_bytes(bytes)
}

/// Free places are linked in a circle through place 0, which is the root's and never free.
#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    next_free: Vec<u32>,
    previous_free: Vec<u32>,
}

impl Builder {
    fn build(mut self, sorted: &[Entry<'_>]) -> Trie {
        self.grow();
        self.take(ROOT, NO_PARENT);
        // Nodes whose children are not placed yet: the node, the entries below it, and the length of its key.
        let mut pending = vec![(ROOT, 0..sorted.len(), 0)];
        let mut labels = Vec::new();
        while let Some((node, mut range, depth)) = pending.pop() {
            if range.start < range.end && sorted[range.start].key.len() == depth {
                self.nodes[node as usize].id = sorted[range.start].id;
                range.start += 1;
            }
            if range.is_empty() {
                continue;
            }
            labels.clear();
            let first_pending = pending.len();
            let mut begin = range.start;
            while begin < range.end {
                let label = sorted[begin].key[depth];
                let len = sorted[begin..range.end].partition_point(|entry| entry.key[depth] == label);
                labels.push(label);
                pending.push((u32::from(label), begin..begin + len, depth + 1));
                begin += len;
            }
            let base = self.room_for(&labels);
            self.nodes[node as usize].base = base;
            for (place, ..) in &mut pending[first_pending..] {
                *place ^= base;
                self.take(*place, node);
            }
        }
        Trie { nodes: self.nodes.into_boxed_slice() }
    }

    /// A base under which the places of all labels are free.
    fn room_for(&mut self, labels: &[u8]) -> u32 {
        let mut place = self.next_free[0];
        let mut tries = 0;
        while place != 0 && tries < TRIES {
            let base = place ^ u32::from(labels[0]);
            if labels.iter().all(|&label| self.nodes[(base ^ u32::from(label)) as usize].parent == NONE) {
                return base;
            }
            place = self.next_free[place as usize];
            tries += 1;
        }
        let base = self.nodes.len() as u32;
        self.grow();
        if tries == TRIES {
            self.forget_oldest();
        }
        base
    }

    /// Gives up the first free places, which many searches have found too crowded.
    fn forget_oldest(&mut self) {
        for _ in 0..TRIES / 2 {
            let first = self.next_free[0];
            self.unlink(first);
        }
    }

    /// Adds 256 free places.
    fn grow(&mut self) {
        let begin = self.nodes.len() as u32;
        self.nodes.resize(self.nodes.len() + 256, FREE);
        self.next_free.resize(self.nodes.len(), 0);
        self.previous_free.resize(self.nodes.len(), 0);
        for place in begin.max(1)..begin + 256 {
            let last = self.previous_free[0];
            self.next_free[last as usize] = place;
            self.previous_free[place as usize] = last;
            self.next_free[place as usize] = 0;
            self.previous_free[0] = place;
        }
    }

    fn take(&mut self, place: u32, parent: u32) {
        self.nodes[place as usize].parent = parent;
        self.unlink(place);
    }

    fn unlink(&mut self, place: u32) {
        if place == 0 {
            return;
        }
        let (previous, next) = (self.previous_free[place as usize], self.next_free[place as usize]);
        // A place that was given up is in no circle any more and points to itself.
        if previous == place && next == place {
            return;
        }
        self.next_free[previous as usize] = next;
        self.previous_free[next as usize] = previous;
        self.next_free[place as usize] = place;
        self.previous_free[place as usize] = place;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_trie_knows_nothing() {
        let trie = Trie::new(std::iter::empty());
        assert_eq!(trie.prefixes(b"abc").count(), 0);
        assert_eq!(trie.child(ROOT, 0), None);
    }

    #[test]
    fn of_equal_keys_the_last_counts() {
        let trie = Trie::new([(&b"ab"[..], 1), (b"a", 2), (b"ab", 3), (b"", 4)].into_iter());
        assert_eq!(trie.prefixes(b"abc").collect::<Vec<_>>(), [(1, 2), (2, 3)]);
    }

    proptest! {
        #[test]
        fn prefixes_are_those_of_the_list(
            keys in prop::collection::btree_set(prop::collection::vec(0u8..4, 1..6), 0..200),
            wide in prop::collection::btree_set(prop::collection::vec(any::<u8>(), 1..4), 0..200),
            text in prop::collection::vec(0u8..4, 0..12),
        ) {
            let all: Vec<Vec<u8>> = keys.union(&wide).cloned().collect();
            let trie = Trie::new(all.iter().enumerate().map(|(id, key)| (key.as_slice(), id as u32)));
            let expected: Vec<(usize, u32)> = (1..=text.len())
                .filter_map(|len| Some((len, all.iter().position(|key| *key == text[..len])? as u32)))
                .collect();
            prop_assert_eq!(trie.prefixes(&text).collect::<Vec<_>>(), expected);
            for (id, key) in all.iter().enumerate() {
                prop_assert_eq!(trie.prefixes(key).last(), Some((key.len(), id as u32)));
            }
        }
    }
}
