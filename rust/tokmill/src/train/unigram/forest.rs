//! All segmentations of all words at once.
//!
//! A word is a path of characters, an arc over some of them is a piece. Words are sorted, so neighbours share the
//! beginnings of their paths, and what holds of a beginning (the sum over its segmentations, the best of them) is
//! computed once for all words that begin so. A pass over a block of words is a walk of the tree of their beginnings:
//! down along the characters of a word, back up to where the next one departs.
//!
//! Arcs are found once, with a trie of the pieces, and then only thinned out as pieces are removed: a pass reads four
//! bytes an arc, one after the other. English words share about two thirds of their characters and have four arcs a
//! character left at the beginning, when all seeds are there.
//!
//! Blocks are fixed by the words alone and each is walked by itself, so sums over one do not depend on threads.

use std::ops::Range;

use crate::parallel;

use super::options::MAX_PIECE_CHARS;
use super::strings::Strings;
use super::trie::Trie;

/// The piece that ends somewhere on a path, and how many characters back it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arc(u32);

/// Marks the last arc into a place.
const LAST: u32 = 1 << 31;
const PIECE_BITS: u32 = 26;
const PIECE_MASK: u32 = (1 << PIECE_BITS) - 1;

const _: () = assert!(MAX_PIECE_CHARS <= 1 << (31 - PIECE_BITS));

impl Arc {
    fn new(length: usize, piece: u32) -> Self {
        Self((length as u32 - 1) << PIECE_BITS | piece)
    }

    /// The piece.
    #[inline]
    pub(super) fn piece(self) -> usize {
        (self.0 & PIECE_MASK) as usize
    }

    /// Its number of characters.
    #[inline]
    pub(super) fn length(self) -> usize {
        ((self.0 & !LAST) >> PIECE_BITS) as usize + 1
    }

    #[inline]
    fn is_last(self) -> bool {
        self.0 & LAST != 0
    }
}

/// A word as the end of a path.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    /// Characters shared with the word before in the block.
    shared: u32,
    /// Characters of the word.
    length: u32,
}

/// Neighbouring words.
#[derive(Debug)]
struct Block {
    words: Range<usize>,
    /// The arcs into each place of the tree, in the order of the walk; longest first where they end in one place.
    arcs: Vec<Arc>,
}

/// Words with the arcs of their segmentations.
#[derive(Debug)]
pub(super) struct Forest {
    leaves: Vec<Leaf>,
    blocks: Vec<Block>,
}

/// What a walk does on its way.
pub(super) trait Visit {
    /// The walk steps down to a place `depth` characters from the beginning, from 1 on; `arcs` end there.
    fn enter(&mut self, depth: usize, arcs: &[Arc]);
    /// `word` ends at `depth`, where the walk is; `arcs` end there.
    fn word(&mut self, word: usize, depth: usize, arcs: &[Arc]);
    /// The walk steps back up from `depth`.
    fn leave(&mut self, depth: usize, arcs: &[Arc]);
}

/// Characters of the words of a block: enough that little is lost where a block begins.
const BLOCK_CHARS: usize = 1 << 16;

impl Forest {
    /// The segmentations of `words`, which are in byte order, into `pieces`, which hold every character of the words.
    pub(super) fn new(words: &Strings, pieces: &Strings, threads: usize) -> Self {
        let trie = Trie::new(pieces, &pieces.sorted());
        let mut ranges = Vec::new();
        let (mut begin, mut chars) = (0, 0);
        for (word, text) in words.iter().enumerate() {
            chars += text.len();
            if chars >= BLOCK_CHARS {
                ranges.push(begin..word + 1);
                (begin, chars) = (word + 1, 0);
            }
        }
        if begin < words.len() {
            ranges.push(begin..words.len());
        }
        let grown = parallel::map(ranges, threads, |range| {
            let mut builder = Builder::new(&trie);
            let leaves: Vec<Leaf> = range.clone().map(|word| builder.add(words.get(word))).collect();
            builder.arcs.shrink_to_fit();
            (leaves, Block { words: range, arcs: builder.arcs })
        });
        let mut forest = Self { leaves: Vec::with_capacity(words.len()), blocks: Vec::with_capacity(grown.len()) };
        for (leaves, block) in grown {
            forest.leaves.extend(leaves);
            forest.blocks.push(block);
        }
        forest
    }

    /// The number of arcs in each block.
    pub(super) fn arcs(&self) -> impl ExactSizeIterator<Item = usize> + Clone {
        self.blocks.iter().map(|block| block.arcs.len())
    }

    /// The number of characters of each word.
    pub(super) fn lengths(&self) -> impl Iterator<Item = u32> {
        self.leaves.iter().map(|leaf| leaf.length)
    }

    /// Walks a block.
    pub(super) fn walk(&self, block: usize, visit: &mut impl Visit) {
        let Block { words, arcs } = &self.blocks[block];
        // Where the arcs into each place on the path lie.
        let mut path: Vec<Range<usize>> = Vec::new();
        let mut next = 0;
        for word in words.clone() {
            let Leaf { shared, length } = self.leaves[word];
            while path.len() > shared as usize {
                let depth = path.len();
                let into = path.pop().expect("the path is longer than what is shared");
                visit.leave(depth, &arcs[into]);
            }
            while path.len() < length as usize {
                let begin = next;
                while !arcs[next].is_last() {
                    next += 1;
                }
                next += 1;
                path.push(begin..next);
                visit.enter(path.len(), &arcs[begin..next]);
            }
            visit.word(word, path.len(), path.last().map_or(&[], |into| &arcs[into.clone()]));
        }
        while let Some(into) = path.pop() {
            visit.leave(path.len() + 1, &arcs[into]);
        }
    }

    /// Removes pieces and gives the others new numbers. Some piece must remain into every place.
    pub(super) fn renumber(&mut self, renumbered: &Renumbered, threads: usize) {
        let blocks = self.blocks.iter_mut().collect();
        parallel::map(blocks, threads, |block: &mut Block| {
            let arcs = &mut block.arcs;
            let (mut kept, mut begin) = (0, 0);
            for at in 0..arcs.len() {
                let arc = arcs[at];
                if let Some(piece) = renumbered.get(arc.piece()) {
                    arcs[kept] = Arc::new(arc.length(), piece);
                    kept += 1;
                }
                if arc.is_last() {
                    assert!(kept > begin, "a character is never removed");
                    arcs[kept - 1].0 |= LAST;
                    begin = kept;
                }
            }
            arcs.truncate(kept);
        });
    }
}

/// New numbers of pieces.
#[derive(Debug)]
pub(super) struct Renumbered(Vec<u32>);

impl Renumbered {
    /// Those of the pieces that are kept, in order.
    pub(super) fn keeping(keep: &[bool]) -> Self {
        let mut next = 0;
        Self(
            keep.iter()
                .map(|&kept| {
                    if kept {
                        next += 1;
                        next - 1
                    } else {
                        u32::MAX
                    }
                })
                .collect(),
        )
    }

    pub(super) fn get(&self, piece: usize) -> Option<u32> {
        let number = self.0[piece];
        (number != u32::MAX).then_some(number)
    }
}

/// Finds the arcs of words that come in byte order.
struct Builder<'t> {
    trie: &'t Trie,
    arcs: Vec<Arc>,
    word: String,
    /// Where the beginnings of pieces stand that reach a place: the depth they begin at, and their node.
    reaching: Vec<(u32, u32)>,
    /// Where those of each depth end.
    ends: Vec<usize>,
}

impl<'t> Builder<'t> {
    fn new(trie: &'t Trie) -> Self {
        Self { trie, arcs: Vec::new(), word: String::new(), reaching: Vec::new(), ends: vec![0] }
    }

    fn add(&mut self, word: &str) -> Leaf {
        let common = self.word.chars().zip(word.chars()).take_while(|(a, b)| a == b);
        let (shared, bytes) = common.fold((0, 0), |(chars, bytes), (c, _)| (chars + 1, bytes + c.len_utf8()));
        self.ends.truncate(shared + 1);
        self.reaching.truncate(self.ends[shared]);
        for c in word[bytes..].chars() {
            self.step(c);
        }
        self.word.truncate(bytes);
        self.word.push_str(&word[bytes..]);
        Leaf { shared: shared as u32, length: self.ends.len() as u32 - 1 }
    }

    fn step(&mut self, c: char) {
        let depth = self.ends.len() - 1;
        let before = if depth == 0 { 0 } else { self.ends[depth - 1] };
        let end = self.ends[depth];
        for at in before..=end {
            let (begin, node) = if at < end { self.reaching[at] } else { (depth as u32, Trie::ROOT) };
            if let Some(child) = self.trie.child(node, c) {
                self.reaching.push((begin, child));
                if let Some(piece) = self.trie.piece(child) {
                    self.arcs.push(Arc::new(depth + 1 - begin as usize, piece));
                }
            }
        }
        self.ends.push(self.reaching.len());
        self.arcs.last_mut().expect("every character is a piece").0 |= LAST;
    }
}
