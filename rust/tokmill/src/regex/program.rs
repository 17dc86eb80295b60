//! Patterns as programs of a machine with many threads (Thompson's construction), the input of [`super::machine`].
//!
//! A program is read in one direction. For look-behind that is right to left, so concatenations are compiled in
//! reverse; the conditions on neighbours stay where they are in the text.

use super::alphabet::{Alphabet, ClassSet};
use super::charset::CharSet;
use super::node::{Node, Refusal, Side};

/// Instructions of a program at the most.
const LONGEST_PROGRAM: usize = 20_000;

/// A position in a program.
pub(super) type Pc = u32;

/// One instruction. All but `Char` and `Match` pass on without reading.
#[derive(Clone, Debug)]
pub(super) enum Instruction {
    /// Reads one character of these classes.
    Char(ClassSet, Pc),
    /// Goes both ways, the first preferred.
    Split(Pc, Pc),
    /// The character that comes next in the direction of reading is of these classes.
    Next(ClassSet, Pc),
    /// The character just read, or before the begin of reading, is of these classes.
    Previous(ClassSet, Pc),
    /// The look-around of this number has this outcome here.
    Look(u32, bool, Pc),
    Match,
}

/// Instructions, the first to run, and the direction of reading.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) instructions: Vec<Instruction>,
    pub(super) start: Pc,
    pub(super) side: Side,
}

/// A look-around that a pattern asks for: where it looks and for what.
pub(super) type Look = (Side, Node);

/// The sets of characters that a pattern mentions, those of its look-arounds included.
pub(super) fn sets<'a>(node: &'a Node, sets: &mut Vec<&'a CharSet>) {
    match node {
        Node::Empty => {}
        Node::Set(set) | Node::Near(_, set) => {
            if !sets.contains(&set.as_ref()) {
                sets.push(set);
            }
        }
        Node::Concat(nodes) | Node::Alternate(nodes) => nodes.iter().for_each(|node| self::sets(node, sets)),
        Node::Repeat { node, .. } | Node::Atomic(node) | Node::Look { node, .. } => self::sets(node, sets),
    }
}

/// Compiles a pattern without atomic groups. Look-arounds found on the way are added to `looks`.
pub(super) fn compile(node: &Node, side: Side, alphabet: &Alphabet, looks: &mut Vec<Look>) -> Result<Program, Refusal> {
    let mut compiler = Compiler { instructions: Vec::new(), side, alphabet, looks };
    let end = compiler.push(Instruction::Match)?;
    let start = compiler.compile(node, end)?;
    Ok(Program { instructions: compiler.instructions, start, side })
}

struct Compiler<'a> {
    instructions: Vec<Instruction>,
    side: Side,
    alphabet: &'a Alphabet,
    looks: &'a mut Vec<Look>,
}

impl Compiler<'_> {
    fn push(&mut self, instruction: Instruction) -> Result<Pc, Refusal> {
        if self.instructions.len() == LONGEST_PROGRAM {
            return Err("the pattern is too large".to_owned());
        }
        self.instructions.push(instruction);
        Ok((self.instructions.len() - 1) as Pc)
    }

    /// Compiles `node` so that it goes on at `next`, and returns where it begins.
    fn compile(&mut self, node: &Node, next: Pc) -> Result<Pc, Refusal> {
        match node {
            Node::Empty => Ok(next),
            Node::Set(set) => self.push(Instruction::Char(self.alphabet.classes(set), next)),
            Node::Near(side, set) => {
                let classes = self.alphabet.classes(set);
                let next_to_read = *side == self.side;
                self.push(if next_to_read {
                    Instruction::Next(classes, next)
                } else {
                    Instruction::Previous(classes, next)
                })
            }
            Node::Look { side, negated, node } => {
                let look = self.look(*side, node);
                self.push(Instruction::Look(look, !negated, next))
            }
            Node::Concat(nodes) => match self.side {
                Side::Ahead => nodes.iter().rev().try_fold(next, |next, node| self.compile(node, next)),
                Side::Behind => nodes.iter().try_fold(next, |next, node| self.compile(node, next)),
            },
            Node::Alternate(nodes) => {
                let (last, others) = nodes.split_last().ok_or("an empty alternation")?;
                let last = self.compile(last, next)?;
                others.iter().rev().try_fold(last, |rest, node| {
                    let first = self.compile(node, next)?;
                    self.push(Instruction::Split(first, rest))
                })
            }
            Node::Repeat { node, min, max, greedy } => self.repeat(node, *min, *max, *greedy, next),
            Node::Atomic(_) => Err("an atomic group is left".to_owned()),
        }
    }

    /// The number of a look-around; equal ones share one.
    fn look(&mut self, side: Side, node: &Node) -> u32 {
        let known = self.looks.iter().position(|(known_side, known)| *known_side == side && known == node);
        known.unwrap_or_else(|| {
            self.looks.push((side, node.clone()));
            self.looks.len() - 1
        }) as u32
    }

    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, greedy: bool, next: Pc) -> Result<Pc, Refusal> {
        let entry = if let Some(max) = max {
            (min..max).try_fold(next, |entry, _| {
                let body = self.compile(node, entry)?;
                self.push(split(greedy, body, next))
            })?
        } else {
            let entry = self.push(split(greedy, next, next))?;
            // A turn of the loop that read nothing leaves it.
            let body = self.compile_tracked(node, entry, next)?;
            self.instructions[entry as usize] = split(greedy, body, next);
            entry
        };
        (0..min).try_fold(entry, |next, _| self.compile(node, next))
    }

    /// Compiles `node` so that it goes on at `read` if it has read something, at `empty` otherwise.
    fn compile_tracked(&mut self, node: &Node, read: Pc, empty: Pc) -> Result<Pc, Refusal> {
        if !node.may_be_empty() {
            return self.compile(node, read);
        }
        match node {
            Node::Concat(nodes) => {
                let (first, rest) = match self.side {
                    Side::Ahead => nodes.split_first(),
                    Side::Behind => nodes.split_last(),
                }
                .ok_or("an empty concatenation")?;
                let rest = Node::concat(rest.to_vec());
                let empty = self.compile_tracked(&rest, read, empty)?;
                let read = if matches!(first, Node::Near(..) | Node::Look { .. }) {
                    empty
                } else {
                    self.compile(&rest, read)?
                };
                self.compile_tracked(first, read, empty)
            }
            Node::Alternate(nodes) => {
                let (last, others) = nodes.split_last().ok_or("an empty alternation")?;
                let last = self.compile_tracked(last, read, empty)?;
                others.iter().rev().try_fold(last, |rest, node| {
                    let first = self.compile_tracked(node, read, empty)?;
                    self.push(Instruction::Split(first, rest))
                })
            }
            Node::Repeat { max: Some(0), .. } => Ok(empty),
            Node::Repeat { node, min: 0, max, greedy } => {
                let more = self.repeat(node, 0, max.map(|max| max - 1), *greedy, read)?;
                let body = self.compile_tracked(node, more, empty)?;
                self.push(split(*greedy, body, empty))
            }
            Node::Repeat { node, min, max, greedy } => {
                let fewer = Node::repeat(node.as_ref().clone(), min - 1, max.map(|max| max - 1), *greedy);
                let more = self.compile(&fewer, read)?;
                let none = self.compile_tracked(&fewer, read, empty)?;
                self.compile_tracked(node, more, none)
            }
            Node::Empty | Node::Set(_) | Node::Near(..) | Node::Look { .. } | Node::Atomic(_) => {
                self.compile(node, empty)
            }
        }
    }
}

/// Into the body of a repeat or out of it, whichever is preferred first.
fn split(greedy: bool, body: Pc, out: Pc) -> Instruction {
    if greedy { Instruction::Split(body, out) } else { Instruction::Split(out, body) }
}
