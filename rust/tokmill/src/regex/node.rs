//! Regular expressions as trees, and the removal of what an automaton cannot have.
//!
//! The automata of [`super::machine`] know ordered alternatives, repeats and conditions on a position. Conditions are
//! a test of the neighbouring character ([`Node::Near`], free of charge) or a look-around of any length
//! ([`Node::Look`], answered by an automaton of its own). Atomic groups and possessive repeats are neither; they are
//! rewritten into the above by "if an earlier choice can match here, later choices cannot":
//!
//! - at the end of a branch nothing is left that could ask for another choice: `(?>A)` is `A`;
//! - `(?>A|B)` is `(?>A)|(?!A)(?>B)`;
//! - `A*+` is `(?>A)*(?!A)`, which for a class is a test of one character;
//! - a group is taken apart from the left as long as each part matches in one way only, or what follows cannot fail.
//!
//! What these rules do not reach is refused.

use std::rc::Rc;

use super::charset::{CharSet, EDGE};

/// The direction in which a look-around looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Ahead,
    Behind,
}

/// A regular expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Matches nothing, everywhere.
    Empty,
    /// One character of a set; the empty set never matches.
    Set(Rc<CharSet>),
    Concat(Vec<Node>),
    /// The first that leads to a match is taken.
    Alternate(Vec<Node>),
    Repeat {
        node: Box<Node>,
        min: u32,
        /// `None` is without limit.
        max: Option<u32>,
        greedy: bool,
    },
    /// What matched is not reconsidered.
    Atomic(Box<Node>),
    /// The neighbour on one side is in the set, which may hold [`EDGE`].
    Near(Side, Rc<CharSet>),
    Look {
        side: Side,
        negated: bool,
        node: Box<Node>,
    },
}

/// Why a pattern is refused.
pub(super) type Refusal = String;

/// Nodes that rewriting an atomic group may yield, roughly.
const LARGEST_REWRITTEN: usize = 20_000;
impl Node {
    pub(super) fn set(set: CharSet) -> Self {
        Self::Set(Rc::new(set))
    }

    pub(super) fn near(side: Side, set: CharSet) -> Self {
        Self::Near(side, Rc::new(set))
    }

    pub(super) fn concat(mut nodes: Vec<Self>) -> Self {
        nodes.retain(|node| *node != Self::Empty);
        match nodes.len() {
            0 => Self::Empty,
            1 => nodes.remove(0),
            _ => Self::Concat(nodes),
        }
    }

    pub(super) fn alternate(mut nodes: Vec<Self>) -> Self {
        if nodes.len() == 1 { nodes.remove(0) } else { Self::Alternate(nodes) }
    }

    pub(super) fn repeat(node: Self, min: u32, max: Option<u32>, greedy: bool) -> Self {
        Self::Repeat { node: Box::new(node), min, max, greedy }
    }

    fn not_followed_by(node: Self) -> Self {
        Self::look(Side::Ahead, true, node)
    }

    /// A look-around; one that looks at a single character becomes [`Node::Near`].
    pub(super) fn look(side: Side, negated: bool, node: Self) -> Self {
        match neighbours(side, &node) {
            Some(set) if negated => Self::near(side, set.negated_neighbour()),
            Some(set) => Self::near(side, set),
            None => Self::Look { side, negated, node: Box::new(node) },
        }
    }

    /// Whether it may match without consuming, as far as one can tell from its shape.
    pub(super) fn may_be_empty(&self) -> bool {
        match self {
            Self::Empty | Self::Near(..) | Self::Look { .. } => true,
            Self::Set(_) => false,
            Self::Concat(nodes) => nodes.iter().all(Self::may_be_empty),
            Self::Alternate(nodes) => nodes.iter().any(Self::may_be_empty),
            Self::Repeat { node, min, .. } => *min == 0 || node.may_be_empty(),
            Self::Atomic(node) => node.may_be_empty(),
        }
    }

    /// Whether it matches at every position.
    pub(super) fn never_fails(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Set(_) | Self::Near(..) | Self::Look { .. } => false,
            Self::Concat(nodes) => nodes.iter().all(Self::never_fails),
            Self::Alternate(nodes) => nodes.iter().any(Self::never_fails),
            Self::Repeat { node, min, .. } => *min == 0 || node.never_fails(),
            Self::Atomic(node) => node.never_fails(),
        }
    }

    /// Whether at a given position it matches in one way at the most.
    fn is_single_valued(&self) -> bool {
        match self {
            Self::Empty | Self::Set(_) | Self::Near(..) | Self::Look { .. } => true,
            Self::Concat(nodes) => nodes.iter().all(Self::is_single_valued),
            Self::Alternate(nodes) => nodes.len() == 1 && nodes[0].is_single_valued(),
            Self::Repeat { node, min, max, .. } => *max == Some(*min) && node.is_single_valued(),
            Self::Atomic(_) => false,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Empty | Self::Set(_) | Self::Near(..) => 1,
            Self::Concat(nodes) | Self::Alternate(nodes) => 1 + nodes.iter().map(Self::size).sum::<usize>(),
            Self::Repeat { node, .. } | Self::Atomic(node) | Self::Look { node, .. } => 1 + node.size(),
        }
    }

    /// The same language and the same preferences without atomic groups. `tail`: nothing follows in the pattern.
    pub(super) fn without_atomic_groups(self, tail: bool) -> Result<Self, Refusal> {
        Ok(match self {
            Self::Empty | Self::Set(_) | Self::Near(..) => self,
            Self::Concat(nodes) => {
                let last = nodes.len().saturating_sub(1);
                let parts = nodes.into_iter().enumerate();
                Self::concat(
                    parts
                        .map(|(index, node)| node.without_atomic_groups(tail && index == last))
                        .collect::<Result<_, _>>()?,
                )
            }
            Self::Alternate(nodes) => Self::alternate(
                nodes.into_iter().map(|node| node.without_atomic_groups(tail)).collect::<Result<_, _>>()?,
            ),
            Self::Repeat { node, min, max, greedy } => {
                Self::repeat(node.without_atomic_groups(false)?, min, max, greedy)
            }
            Self::Look { side, negated, node } => Self::look(side, negated, node.without_atomic_groups(true)?),
            Self::Atomic(node) if tail => node.without_atomic_groups(true)?,
            Self::Atomic(node) => node.without_atomic_groups(true)?.committed()?,
        })
    }

    /// Rewrites a node that has no atomic groups so that only its preferred match is left.
    fn committed(self) -> Result<Self, Refusal> {
        if self.is_single_valued() {
            return Ok(self);
        }
        match self {
            Self::Alternate(nodes) => committed_alternatives(nodes),
            Self::Repeat { node, min, max, greedy } => committed_repeat(*node, min, max, greedy, Self::Empty),
            Self::Concat(mut nodes) => {
                let first = nodes.remove(0);
                let rest = Self::concat(nodes);
                if first.is_single_valued() {
                    return Ok(Self::concat(vec![first, rest.committed()?]));
                }
                if rest.never_fails() {
                    return Ok(Self::concat(vec![first.committed()?, rest.committed()?]));
                }
                match first {
                    Self::Concat(mut nodes) => {
                        nodes.push(rest);
                        Self::concat(nodes).committed()
                    }
                    Self::Alternate(nodes) => committed_alternatives(
                        nodes.into_iter().map(|node| Self::concat(vec![node, rest.clone()])).collect(),
                    ),
                    Self::Repeat { node, min, max, greedy } => committed_repeat(*node, min, max, greedy, rest),
                    _ => Err(refused()),
                }
            }
            _ => Err(refused()),
        }
    }
}

fn refused() -> Refusal {
    "an atomic group or possessive repeat of this shape is not supported".to_owned()
}

/// `(?>A|B|C)` is `(?>A)|(?!A)(?>B)|(?!A)(?!B)(?>C)`.
fn committed_alternatives(nodes: Vec<Node>) -> Result<Node, Refusal> {
    if nodes.iter().map(Node::size).sum::<usize>() * nodes.len() > LARGEST_REWRITTEN {
        return Err("an atomic group of this size is not supported".to_owned());
    }
    let mut earlier = Vec::new();
    let mut committed = Vec::with_capacity(nodes.len());
    for node in nodes {
        let mut parts = earlier.clone();
        earlier.push(Node::not_followed_by(node.clone()));
        parts.push(node.committed()?);
        committed.push(Node::concat(parts));
    }
    Ok(Node::alternate(committed))
}

/// The preferred match of `node{min,max} rest`.
fn committed_repeat(node: Node, min: u32, max: Option<u32>, greedy: bool, rest: Node) -> Result<Node, Refusal> {
    let copies = max.unwrap_or(1).max(min).max(1) as usize;
    if (node.size() + rest.size()) * copies * copies > LARGEST_REWRITTEN {
        return Err("a possessive repeat of this size is not supported".to_owned());
    }
    let one = node.is_single_valued() && !node.may_be_empty();
    let simple_rest = rest == Node::Empty;
    if min > 0 {
        // The required copies come first. One copy leaves nothing to reconsider where what follows cannot fail.
        let first = if one {
            Node::repeat(node.clone(), min, Some(min), true)
        } else if min == 1 && simple_rest {
            node.clone().committed()?
        } else {
            return Err(refused());
        };
        let rest = committed_repeat(node, 0, max.map(|max| max - min), greedy, rest)?;
        return Ok(Node::concat(vec![first, rest]));
    }
    if !greedy && simple_rest {
        return Ok(Node::Empty);
    }
    if !greedy || node.may_be_empty() || !(one || simple_rest) {
        return Err(refused());
    }
    let Some(max) = max else {
        let again = if simple_rest {
            node.clone()
        } else {
            Node::concat(vec![node.clone(), Node::repeat(node.clone(), 0, None, true), rest.clone()])
        };
        let step = if simple_rest {
            node.committed()?
        } else {
            Node::concat(vec![Node::look(Side::Ahead, false, again.clone()), node])
        };
        return Ok(Node::concat(vec![
            Node::repeat(step, 0, None, true),
            Node::not_followed_by(again),
            rest.committed()?,
        ]));
    };
    // From the inside out: `node (...)` or, where that cannot match, what follows.
    let mut pattern = rest.clone();
    let mut committed = rest.clone().committed()?;
    let last = committed.clone();
    for _ in 0..max {
        let taken = Node::concat(vec![node.clone(), pattern.clone()]);
        let step = Node::concat(vec![node.clone().committed()?, committed]);
        committed = Node::alternate(vec![step, Node::concat(vec![Node::not_followed_by(taken.clone()), last.clone()])]);
        pattern = if simple_rest { Node::Empty } else { Node::alternate(vec![taken, rest.clone()]) };
    }
    Ok(committed)
}

/// The neighbours that a look-around accepts, if it looks at one character only.
fn neighbours(side: Side, node: &Node) -> Option<CharSet> {
    match node {
        Node::Set(set) => Some(set.as_ref().clone()),
        Node::Near(near, set) if *near == side => Some(set.as_ref().clone()),
        Node::Empty => Some(CharSet::of(vec![(0, EDGE)])),
        Node::Alternate(nodes) => {
            nodes.iter().try_fold(CharSet::default(), |all, node| Some(all.union(&neighbours(side, node)?)))
        }
        _ => None,
    }
}
