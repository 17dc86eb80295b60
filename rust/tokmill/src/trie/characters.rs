//! A double-array trie over characters: the entries that begin at a place of a text, with one memory access a character.
//!
//! The characters of the entries are numbered, the most frequent ones first. The child of node `n` under the character
//! with number `c` is the place `base[n] ^ c`, if that place names `n` as its parent. Nodes with many children are placed
//! first, while there is room; those with one child, which are most, fill the gaps. What an entry is worth lies in its
//! node, so that a walk reads nothing else. Method: J. Aoe, "An efficient digital search algorithm by using a
//! double-array structure" (1989); S. Kanda, K. Akabe and Y. Oda, "Engineering faster double-array Aho-Corasick automata"
//! (2023), for numbering characters.

use super::{Entry, NONE, sorted};
use crate::chars;

/// The place of the root. Its base is 0, so a character's number is the place of its node.
const ROOT: u32 = 0;

/// Free places that are tried for a node of several children before fresh ones are taken.
const TRIES: usize = 256;

/// The lowest bits of a [`Symbol`] are the number of a character; the bits above them are its length in bytes.
const LENGTH_SHIFT: u32 = 28;
const NUMBER: u32 = (1 << LENGTH_SHIFT) - 1;

/// A character of a text: its number, 0 for one that is in no entry, and its length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Symbol(u32);

impl Symbol {
    /// Bytes of the character.
    #[inline]
    pub(crate) fn len(self) -> usize {
        (self.0 >> LENGTH_SHIFT) as usize
    }

    #[inline]
    fn number(self) -> u32 {
        self.0 & NUMBER
    }
}

/// The numbers of characters, by pages of 64 code points.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Alphabet {
    /// The page of each 64 code points; page 0 is empty.
    pages: Box<[u16]>,
    numbers: Vec<u32>,
}

impl Alphabet {
    /// Numbers the characters of all entries from 1 on.
    fn new(entries: &[Entry<'_>]) -> Self {
        let mut alphabet = Self { pages: vec![0; 0x11_0000 / 64].into_boxed_slice(), numbers: vec![0; 64] };
        // While counting, the numbers are counts.
        let mut all = Vec::new();
        for entry in entries {
            let mut rest = entry.key;
            while !rest.is_empty() {
                let (c, len) = decode(rest);
                let count = alphabet.number_mut(c);
                if *count == 0 {
                    all.push(c);
                }
                *count += 1;
                rest = &rest[len..];
            }
        }
        all.sort_unstable_by_key(|&c| (std::cmp::Reverse(alphabet.number(c)), c));
        for (number, &c) in (1..).zip(&all) {
            *alphabet.number_mut(c) = number;
        }
        alphabet
    }

    #[inline]
    fn number(&self, c: u32) -> u32 {
        let page = self.pages.get(c as usize / 64).copied().unwrap_or(0);
        self.numbers[page as usize * 64 + c as usize % 64]
    }

    fn number_mut(&mut self, c: u32) -> &mut u32 {
        let page = &mut self.pages[c as usize / 64];
        if *page == 0 {
            *page = (self.numbers.len() / 64) as u16;
            self.numbers.resize(self.numbers.len() + 64, 0);
        }
        &mut self.numbers[*page as usize * 64 + c as usize % 64]
    }
}

/// Code point and length of the character that a non-empty text begins with; what is no character is one of a byte that
/// has no number.
#[inline]
fn decode(text: &[u8]) -> (u32, usize) {
    // The text is UTF-8, so what is looked at decides nothing but the length.
    let tail = |byte: u8| u32::from(byte & 0x3F);
    match *text {
        [a, ..] if a < 0x80 => (a.into(), 1),
        [a, b, ..] if a < 0xE0 => (u32::from(a & 0x1F) << 6 | tail(b), 2),
        [a, b, c, ..] if a < 0xF0 => (u32::from(a & 0x0F) << 12 | tail(b) << 6 | tail(c), 3),
        [..] => chars::decode(text).unwrap_or((u32::MAX, 1)),
    }
}

/// A node; aligned so that none lies on two cache lines.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(16))]
struct Node<V> {
    /// The place of the child under number 0, were there one.
    base: u32,
    /// The place of the node that this one is a child of; [`NONE`] in a free place.
    parent: u32,
    /// What the entry that ends here is worth.
    value: V,
}

/// A set of strings of characters, each with an id and a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CharacterTrie<V> {
    alphabet: Alphabet,
    nodes: Box<[Node<V>]>,
    /// For each place the id of the entry that ends there, or [`NONE`].
    ids: Box<[u32]>,
    /// Characters of the longest entry.
    longest: usize,
}

/// The nodes of entries that a text goes on with, the shortest entry first.
pub(crate) struct Walk<'t, V> {
    trie: &'t CharacterTrie<V>,
    symbols: std::slice::Iter<'t, Symbol>,
    place: u32,
    base: u32,
}

impl<V: Copy> Walk<'_, V> {
    /// The place and the value of the node that one more character leads to; `None` where no entry goes on.
    #[inline]
    pub(crate) fn step(&mut self) -> Option<(u32, V)> {
        let number = self.symbols.next()?.number();
        let place = self.base ^ number;
        let node = &self.trie.nodes[place as usize];
        if node.parent != self.place {
            return None;
        }
        (self.place, self.base) = (place, node.base);
        Some((place, node.value))
    }
}

impl<V: Copy> CharacterTrie<V> {
    /// A trie of `entries`, keys of UTF-8 with ids. Empty keys are left out; of equal keys the last one counts. `value`
    /// says what an id is worth, and `nothing` what a place is worth where no entry ends.
    pub(crate) fn new<'k>(
        entries: impl Iterator<Item = (&'k [u8], u32)>,
        value: impl Fn(u32) -> V,
        nothing: V,
    ) -> Self {
        let entries = sorted(entries);
        let alphabet = Alphabet::new(&entries);
        let tree = Tree::new(&entries, &alphabet);
        let (places, bases, len) = Placing::run(&tree);
        let mut nodes = vec![Node { base: 0, parent: NONE, value: nothing }; len].into_boxed_slice();
        let mut ids = vec![NONE; len].into_boxed_slice();
        for (index, (&place, &base)) in places.iter().zip(&bases).enumerate() {
            let id = tree.ids[index];
            // Nobody's child is a child of itself.
            let parent = if index == 0 { NONE } else { places[tree.parents[index] as usize] };
            let value = if id == NONE { nothing } else { value(id) };
            nodes[place as usize] = Node { base, parent, value };
            ids[place as usize] = id;
        }
        Self { alphabet, nodes, ids, longest: tree.depth }
    }

    /// Characters of the longest entry.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// The id of the entry that ends at a place.
    #[inline]
    pub(crate) fn id(&self, place: u32) -> Option<u32> {
        let id = self.ids[place as usize];
        (id != NONE).then_some(id)
    }

    /// Replaces `symbols` by the characters of a text.
    pub(crate) fn read(&self, text: &[u8], symbols: &mut Vec<Symbol>) {
        symbols.clear();
        symbols.reserve(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let (c, len) = decode(rest);
            symbols.push(Symbol((len as u32) << LENGTH_SHIFT | self.alphabet.number(c)));
            rest = &rest[len..];
        }
    }

    /// Begins to walk along the characters of a text.
    #[inline]
    pub(crate) fn walk<'t>(&'t self, symbols: &'t [Symbol]) -> Walk<'t, V> {
        Walk { trie: self, symbols: symbols.iter(), place: ROOT, base: 0 }
    }

    /// Lengths in bytes and ids of the entries that `text` begins with, shortest first.
    pub(crate) fn prefixes<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = (usize, u32)> + 't {
        let (mut at, mut place) = (0, ROOT);
        let walk = std::iter::from_fn(move || {
            let (c, len) = decode(text.get(at..).filter(|rest| !rest.is_empty())?);
            let next = self.nodes[place as usize].base ^ self.alphabet.number(c);
            if self.nodes[next as usize].parent != place {
                return None;
            }
            (at, place) = (at + len, next);
            Some((at, self.id(place)))
        });
        walk.filter_map(|(len, id)| Some((len, id?)))
    }
}

/// The nodes of a trie before they have places, each behind its parent; the first one is the root.
struct Tree {
    parents: Vec<u32>,
    /// The number of the character that leads to each node.
    numbers: Vec<u32>,
    ids: Vec<u32>,
    depth: usize,
}

impl Tree {
    fn new(entries: &[Entry<'_>], alphabet: &Alphabet) -> Self {
        let mut tree = Self { parents: vec![0], numbers: vec![0], ids: vec![NONE], depth: 0 };
        // The nodes of the entry before, with the length of the key up to each.
        let mut path = vec![(0, 0)];
        let mut previous: &[u8] = &[];
        for entry in entries {
            let shared = entry.key.iter().zip(previous).take_while(|(a, b)| a == b).count();
            while path.last().is_some_and(|&(len, _)| len > shared) {
                path.pop();
            }
            let (mut at, mut node) = path.last().copied().unwrap_or_default();
            while at < entry.key.len() {
                let (c, len) = decode(&entry.key[at..]);
                at += len;
                tree.parents.push(node);
                tree.numbers.push(alphabet.number(c));
                tree.ids.push(NONE);
                node = (tree.parents.len() - 1) as u32;
                path.push((at, node));
            }
            tree.ids[node as usize] = entry.id;
            tree.depth = tree.depth.max(path.len() - 1);
            previous = entry.key;
        }
        tree
    }

    /// For each node where its children begin in the list of all children, and that list.
    fn children(&self) -> (Vec<u32>, Vec<u32>) {
        let mut begins = vec![0; self.parents.len() + 1];
        for &parent in &self.parents[1..] {
            begins[parent as usize + 1] += 1;
        }
        for index in 1..begins.len() {
            begins[index] += begins[index - 1];
        }
        let mut next = begins.clone();
        let mut children = vec![0; self.parents.len() - 1];
        for (child, &parent) in (1..).zip(&self.parents[1..]) {
            children[next[parent as usize] as usize] = child;
            next[parent as usize] += 1;
        }
        (begins, children)
    }
}

/// Free places are linked in a circle through place 0, which is the root's and never free.
struct Placing {
    next: Vec<u32>,
    previous: Vec<u32>,
    /// Whether a place is free.
    free: Vec<bool>,
    /// Places that are added together: as many as there are numbers, a power of two.
    block: usize,
    /// Where the search for room for several children begins; what lies before is crowded.
    begin: u32,
}

impl Placing {
    /// The place and the base of each node, and the number of places. Any base with any number is below that.
    fn run(tree: &Tree) -> (Vec<u32>, Vec<u32>, usize) {
        let block = tree.numbers.iter().fold(0, |a, &b| a.max(b)) as usize + 1;
        let mut placing = Self {
            next: Vec::new(),
            previous: Vec::new(),
            free: Vec::new(),
            block: block.next_power_of_two().max(256),
            begin: 0,
        };
        placing.grow();
        placing.take(ROOT);
        let (begins, children) = tree.children();
        let children_of = |node: u32| {
            let node = node as usize;
            &children[begins[node] as usize..begins[node + 1] as usize]
        };
        let mut order: Vec<u32> =
            (1..tree.parents.len() as u32).filter(|&node| !children_of(node).is_empty()).collect();
        // Stable, so that neighbours stay together.
        order.sort_by_key(|&node| std::cmp::Reverse(children_of(node).len()));
        let (mut places, mut bases) = (vec![0; tree.parents.len()], vec![0; tree.parents.len()]);
        let mut numbers = Vec::new();
        for node in std::iter::once(0).chain(order) {
            let children = children_of(node);
            numbers.clear();
            numbers.extend(children.iter().map(|&child| tree.numbers[child as usize]));
            let base = if node == 0 { 0 } else { placing.room_for(&numbers) };
            bases[node as usize] = base;
            for (&child, &number) in children.iter().zip(&numbers) {
                places[child as usize] = base ^ number;
                placing.take(base ^ number);
            }
        }
        (places, bases, placing.free.len())
    }

    /// A base under which the places of all numbers are free.
    fn room_for(&mut self, numbers: &[u32]) -> u32 {
        if let &[number] = numbers {
            if self.next[0] == 0 {
                self.grow();
            }
            return self.next[0] ^ number;
        }
        let mut place = if self.begin == 0 { self.next[0] } else { self.begin };
        let mut tries = 0;
        while place != 0 && tries < TRIES {
            let base = place ^ numbers[0];
            if numbers.iter().all(|&number| self.free[(base ^ number) as usize]) {
                return base;
            }
            place = self.next[place as usize];
            tries += 1;
            if tries == TRIES / 2 {
                self.begin = place;
            }
        }
        let base = self.free.len() as u32;
        self.grow();
        base
    }

    /// Adds a block of free places.
    fn grow(&mut self) {
        let begin = self.free.len();
        let end = begin + self.block;
        self.free.resize(end, true);
        self.next.resize(end, 0);
        self.previous.resize(end, 0);
        for place in begin.max(1) as u32..end as u32 {
            let last = self.previous[0];
            self.next[last as usize] = place;
            self.previous[place as usize] = last;
            self.next[place as usize] = 0;
            self.previous[0] = place;
        }
    }

    fn take(&mut self, place: u32) {
        self.free[place as usize] = false;
        if place == ROOT {
            return;
        }
        let (previous, next) = (self.previous[place as usize], self.next[place as usize]);
        self.next[previous as usize] = next;
        self.previous[next as usize] = previous;
        if self.begin == place {
            self.begin = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trie(keys: &[String]) -> CharacterTrie<u32> {
        CharacterTrie::new((0..).zip(keys).map(|(id, key): (u32, _)| (key.as_bytes(), id)), |id| id, NONE)
    }

    #[test]
    fn an_empty_trie_knows_nothing() {
        let trie = trie(&[]);
        assert_eq!(trie.prefixes("aé".as_bytes()).count(), 0);
        let mut symbols = Vec::new();
        trie.read("aé".as_bytes(), &mut symbols);
        assert_eq!(symbols.iter().map(|symbol| symbol.len()).collect::<Vec<_>>(), [1, 2]);
        assert!(trie.walk(&symbols).step().is_none());
    }

    proptest! {
        #[test]
        fn prefixes_are_those_of_the_list(
            narrow in prop::collection::btree_set("[abé語]{1,6}", 0..200),
            wide in prop::collection::btree_set("(.|[\u{4E00}-\u{9FFF}]){1,3}", 0..200),
            text in "[abé語]{0,12}",
        ) {
            let all: Vec<String> = narrow.union(&wide).cloned().collect();
            let trie = trie(&all);
            prop_assert_eq!(trie.longest(), all.iter().map(|key| key.chars().count()).max().unwrap_or(0));
            for text in all.iter().chain([&text]) {
                let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
                let place = |end: usize| all.iter().position(|key| *key == text[..end]);
                let expected: Vec<(usize, u32)> = ends.filter_map(|end| Some((end, place(end)? as u32))).collect();
                prop_assert_eq!(&trie.prefixes(text.as_bytes()).collect::<Vec<_>>(), &expected);
                // The same by a walk over what was read.
                let mut symbols = Vec::new();
                trie.read(text.as_bytes(), &mut symbols);
                let mut walk = trie.walk(&symbols);
                let (mut walked, mut len) = (Vec::new(), 0);
                for symbol in &symbols {
                    let Some((place, value)) = walk.step() else { break };
                    len += symbol.len();
                    prop_assert_eq!(trie.id(place).unwrap_or(NONE), value);
                    walked.extend(trie.id(place).map(|id| (len, id)));
                }
                prop_assert_eq!(walked, expected);
            }
        }
    }
}
