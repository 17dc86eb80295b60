//! Writing a map of rules: the double array that both owners read.
//!
//! A unit of the array holds the byte that leads to it and where its children are, as an exclusive or with its own
//! place. No unit names its parent, so nodes with the same children share these: the rules are first made a graph in
//! which equal sets of children exist once, and each set is then given a place of its own. That makes the array of a
//! map such as `nmt_nfkc` fifteen times smaller than that of the tree. Reference: the reader of the darts-clone library;
//! the graph is built as by Daciuk et al., "Incremental construction of minimal acyclic finite-state automata" (2000).

use hashbrown::HashMap;

/// Units are handed out in blocks of this many; the readers want whole ones.
const BLOCK: usize = 256;

/// Blocks that are searched for room before another one is added.
const OPEN_BLOCKS: usize = 16;

/// A unit that no byte leads to.
const UNUSED: u32 = 1 << 31;

/// Offsets have 21 bits; what would need more is not written.
const MAX_UNITS: usize = 1 << 21;

/// The children of a node: each byte with the number of the set behind it, and byte 0 with the value of a rule.
type Children = Vec<(u8, u32)>;

/// The graph: distinct sets of children, those below before those above.
#[derive(Default)]
struct Graph {
    sets: Vec<Children>,
    numbers: HashMap<Children, u32>,
}

impl Graph {
    /// The graph of `rules`, keys in order with their values, and the number of the set at its root.
    fn new<'k>(rules: impl Iterator<Item = (&'k [u8], u32)>) -> (Self, u32) {
        let mut graph = Self::default();
        // The nodes along the last key, the root first; the last byte of each is yet without a set behind it.
        let mut open: Vec<Children> = vec![Vec::new()];
        let mut last: &[u8] = &[];
        for (key, value) in rules {
            let common = last.iter().zip(key).take_while(|(a, b)| a == b).count();
            graph.close(&mut open, common + 1);
            for &byte in &key[common..] {
                open.last_mut().expect("the root is open").push((byte, 0));
                open.push(Vec::new());
            }
            open.last_mut().expect("the root is open").push((0, value));
            last = key;
        }
        graph.close(&mut open, 1);
        let root = graph.number(open.pop().expect("the root is open"));
        (graph, root)
    }

    /// Closes nodes until `left` are open.
    fn close(&mut self, open: &mut Vec<Children>, left: usize) {
        while open.len() > left {
            let number = self.number(open.pop().expect("more than one is open"));
            open.last_mut().and_then(|children| children.last_mut()).expect("a byte leads to each node").1 = number;
        }
    }

    fn number(&mut self, children: Children) -> u32 {
        let Self { sets, numbers } = self;
        *numbers.entry(children).or_insert_with_key(|children| {
            sets.push(children.clone());
            sets.len() as u32 - 1
        })
    }
}

/// Which units and which places of sets are taken.
struct Places {
    unit_taken: Vec<bool>,
    base_taken: Vec<bool>,
}

impl Places {
    /// A place under which the units of all children are free.
    fn take(&mut self, children: &Children) -> usize {
        let first = (self.unit_taken.len() / BLOCK).saturating_sub(OPEN_BLOCKS) * BLOCK;
        let fits = |base: &usize| {
            !self.base_taken[*base] && children.iter().all(|&(byte, _)| !self.unit_taken[base ^ usize::from(byte)])
        };
        let base = (first..self.unit_taken.len()).find(fits).unwrap_or_else(|| {
            let fresh = self.unit_taken.len();
            self.unit_taken.resize(fresh + BLOCK, false);
            self.base_taken.resize(fresh + BLOCK, false);
            fresh
        });
        self.base_taken[base] = true;
        for &(byte, _) in children {
            self.unit_taken[base ^ usize::from(byte)] = true;
        }
        base
    }
}

/// The units of an array that leads from the keys of `rules`, which are distinct, in order and without zero bytes, to
/// their values, which have 31 bits. `None` where it would be too large.
pub(super) fn units<'k>(rules: impl Iterator<Item = (&'k [u8], u32)>) -> Option<Vec<u32>> {
    let (Graph { sets, .. }, root) = Graph::new(rules);
    // The root's unit is the first of all.
    let mut places = Places { unit_taken: vec![false; BLOCK], base_taken: vec![false; BLOCK] };
    places.unit_taken[0] = true;
    // sentencepiece refuses a root whose children are in its own place.
    places.base_taken[0] = true;
    let mut order: Vec<usize> = (0..sets.len()).collect();
    // Large sets first: the small ones fill the gaps.
    order.sort_by_key(|&set| std::cmp::Reverse(sets[set].len()));
    let mut bases = vec![0; sets.len()];
    for set in order {
        bases[set] = places.take(&sets[set]);
        if places.unit_taken.len() > MAX_UNITS {
            return None;
        }
    }
    let mut units = vec![UNUSED; places.unit_taken.len()];
    let inner = |place: usize, set: u32, byte: u8| {
        let ends = u32::from(sets[set as usize].first().is_some_and(|&(byte, _)| byte == 0));
        ((place ^ bases[set as usize]) as u32) << 10 | ends << 8 | u32::from(byte)
    };
    units[0] = inner(0, root, 0);
    for (children, &base) in sets.iter().zip(&bases) {
        for &(byte, target) in children {
            let place = base ^ usize::from(byte);
            units[place] = if byte == 0 { UNUSED | target } else { inner(place, target, byte) };
        }
    }
    Some(units)
}
