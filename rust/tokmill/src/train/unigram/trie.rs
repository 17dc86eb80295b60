//! A trie over pieces that finds all pieces ending at a place, for building lattices once.

use super::strings::Strings;

/// No piece ends here.
const NONE: u32 = u32::MAX;

/// Nodes in order of depth; the children of a node stand together, in order of character.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// The character on the way to it.
    label: char,
    /// Where its children begin; they end where those of the next node begin.
    children: u32,
    /// The piece that ends here.
    piece: u32,
}

impl Trie {
    pub(super) const ROOT: u32 = 0;

    /// A trie of `pieces`, whose indices in byte order are `order`. Pieces are distinct.
    pub(super) fn new(pieces: &Strings, order: &[u32]) -> Self {
        // A node still to be made: its pieces in order, and the bytes they share with it.
        let mut open: Vec<(u32, u32, u32)> = vec![(0, order.len() as u32, 0)];
        let mut nodes = vec![Node { label: '\0', children: 0, piece: NONE }];
        let mut next = 0;
        while next < nodes.len() {
            let (first, last, depth) = open[next];
            let (mut first, last, depth) = (first as usize, last as usize, depth as usize);
            if first < last && pieces.get(order[first] as usize).len() == depth {
                nodes[next].piece = order[first];
                first += 1;
            }
            nodes[next].children = nodes.len() as u32;
            while first < last {
                let label_of = |at: usize| pieces.get(order[at] as usize)[depth..].chars().next();
                let label = label_of(first).expect("only the first piece of a node can end there");
                let same = order[first..last]
                    .partition_point(|&index| pieces.get(index as usize)[depth..].chars().next() <= Some(label));
                nodes.push(Node { label, children: 0, piece: NONE });
                open.push((first as u32, (first + same) as u32, (depth + label.len_utf8()) as u32));
                first += same;
            }
            next += 1;
        }
        nodes.push(Node { label: '\0', children: nodes.len() as u32, piece: NONE });
        Self { nodes }
    }

    /// The node one character on.
    #[inline]
    pub(super) fn child(&self, node: u32, c: char) -> Option<u32> {
        let begin = self.nodes[node as usize].children as usize;
        let children = &self.nodes[begin..self.nodes[node as usize + 1].children as usize];
        let at = if children.len() <= 8 {
            children.iter().position(|child| child.label == c)?
        } else {
            children.binary_search_by_key(&c, |child| child.label).ok()?
        };
        Some((begin + at) as u32)
    }

    /// The piece that ends at a node.
    #[inline]
    pub(super) fn piece(&self, node: u32) -> Option<u32> {
        let piece = self.nodes[node as usize].piece;
        (piece != NONE).then_some(piece)
    }
}
