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
        let ways = |body, out| if greedy { Instruction::Split(body, out) } else { Instruction::Split(out, body) };
        let (copies, entry) = match max {
            Some(max) => {
                let mut entry = next;
                for _ in min..max {
                    let body = self.compile(node, entry)?;
                    entry = self.push(ways(body, next))?;
                }
                (min, entry)
            }
            None => {
                // The split behind the body decides whether to go on, so that a body that matched nothing goes out.
                let split = self.push(ways(next, next))?;
                let body = self.compile(node, split)?;
                self.instructions[split as usize] = ways(body, next);
                match min {
                    0 if node.may_be_empty() => (0, self.push(ways(body, next))?),
                    0 => (0, split),
                    _ => (min - 1, body),
                }
            }
        };
        (0..copies).try_fold(entry, |next, _| self.compile(node, next))
    }
}
