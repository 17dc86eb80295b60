//! Regular expressions as tokenizer.json uses them: Oniguruma's syntax, exact preferences, linear time.
//!
//! A pattern is parsed ([`parse`]), freed of atomic groups ([`node`]), and compiled to one ordered automaton plus one
//! for each look-around ([`machine`]). All of them read classes of characters ([`alphabet`]). A search runs the
//! automaton from each position where a match may begin and takes the first that matches, as Oniguruma does.
//!
//! Time is linear in the text, whatever the pattern. A run may read far beyond the match that it settles on, and so may
//! the next one; hence a run that has read more than a little in vain leaves marks of what it learnt, and a later one
//! that comes to a mark in the same state stops there ([`Memo`]; the idea is that of Reps, "Maximal-munch tokenization
//! in linear time", 1998). Marks stand 64 bytes apart, which makes their memory small and their price nothing.

mod alphabet;
mod charset;
mod class;
mod items;
mod machine;
mod node;
mod parse;
mod program;
mod reading;
mod search;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use alphabet::{Alphabet, ClassId};
use machine::{Cell, Machine};
use node::{Node, Side};
pub(crate) use parse::Dialect;

use crate::error::{Error, Result};
pub(crate) use charset::CharSet;
pub(crate) use items::Items;
pub(crate) use reading::Reading;
pub use search::{PatternSource, Replacement, SearchPattern};

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Regex {
    alphabet: Alphabet,
    machine: Machine,
    /// One automaton a look-around, by number.
    looks: Vec<Machine>,
    /// Classes that no match begins with; all false where that depends on more.
    hopeless: Vec<bool>,
    may_be_empty: bool,
}

/// What the searches in one text have learnt.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    /// Whether a match follows, by automaton, state and position.
    known: HashMap<(u32, u32, usize), bool>,
    /// Marks to set when the outcome of a run is known.
    passed: Vec<(u32, u32, usize)>,
    /// Bytes read.
    pub(crate) work: usize,
}

impl Memo {
    /// Forgets everything, for another text.
    pub(crate) fn clear(&mut self) {
        self.known.clear();
        self.passed.clear();
    }
}

/// Bytes that a run reads in vain before it looks for marks and leaves its own.
const PATIENCE: usize = 64;
/// Marks are set at the first character of each stretch of this many bytes.
const MARK_STRIDE: usize = 64;

/// The number of the main automaton in marks; look-arounds have theirs.
const MAIN: u32 = u32::MAX;

impl Regex {
    /// Compiles a pattern.
    pub(crate) fn new(pattern: &str, dialect: Dialect) -> Result<Self> {
        parse::parse(pattern, dialect)
            .and_then(|node| node.without_atomic_groups(true))
            .and_then(|node| Self::from_node(&node))
            .map_err(|why| Error::Pattern { pattern: pattern.to_owned(), why })
    }

    /// Whether both dialects read a pattern alike.
    pub(crate) fn reads_alike(pattern: &str) -> bool {
        let read = |dialect| parse::parse(pattern, dialect).ok();
        read(Dialect::Oniguruma).is_some_and(|node| Some(node) == read(Dialect::FancyRegex))
    }

    /// Matches a string, which may be empty.
    pub(crate) fn literal(literal: &str) -> Result<Self> {
        let chars = literal.chars().map(|c| Node::set(CharSet::one(c))).collect();
        Self::from_node(&Node::concat(chars)).map_err(|why| Error::Pattern { pattern: literal.to_owned(), why })
    }

    /// Matches one character of a set.
    pub(crate) fn one_of(set: CharSet) -> Result<Self> {
        Self::from_node(&Node::set(set))
            .map_err(|why| Error::Pattern { pattern: "a set of characters".to_owned(), why })
    }

    /// Matches as many characters of a set as stand together.
    pub(crate) fn run_of(set: CharSet) -> Result<Self> {
        Self::from_node(&Node::repeat(Node::set(set), 1, None, true))
            .map_err(|why| Error::Pattern { pattern: "a set of characters".to_owned(), why })
    }

    fn from_node(node: &Node) -> Result<Self, node::Refusal> {
        let mut sets = Vec::new();
        program::sets(node, &mut sets);
        let alphabet = Alphabet::new(&sets)?;
        let mut looks = Vec::new();
        let main = program::compile(node, Side::Ahead, &alphabet, &mut looks)?;
        let mut programs = Vec::new();
        while let Some((side, node)) = looks.get(programs.len()).cloned() {
            // Look-arounds inside of this one are added behind it.
            programs.push(program::compile(&node, side, &alphabet, &mut looks)?);
        }
        // From the inside out, so that certain outcomes are known to those outside.
        let mut machines: Vec<Option<Machine>> = programs.iter().map(|_| None).collect();
        for number in (0..programs.len()).rev() {
            let machine = Machine::new(&programs[number], false, &alphabet, &|look, class| {
                settled(&machines, programs[number].side, look, class)
            })?;
            machines[number] = Some(machine);
        }
        let machine =
            Machine::new(&main, true, &alphabet, &|look, class| settled(&machines, Side::Ahead, look, class))?;
        let hopeless = (0..=alphabet.edge()).map(|class| machine.verdict(class) == Some(false)).collect();
        let looks = machines.into_iter().flatten().collect();
        Ok(Self { alphabet, machine, looks, hopeless, may_be_empty: node.may_be_empty() })
    }

    /// Whether the pattern may match without consuming.
    pub(crate) fn may_be_empty(&self) -> bool {
        self.may_be_empty
    }

    /// The first match at or after `from`, a character's begin.
    #[inline]
    pub(crate) fn find(&self, text: &[u8], from: usize, memo: &mut Memo) -> Option<(usize, usize)> {
        let mut at = from;
        loop {
            let (class, length) = self.alphabet.class_after(text, at);
            if !self.hopeless[class as usize]
                && let Some(end) = self.match_at(text, at, memo)
            {
                return Some((at, end));
            }
            if length == 0 {
                return None;
            }
            at += length;
        }
    }

    /// Where the match that begins at `begin` ends.
    #[inline]
    fn match_at(&self, text: &[u8], begin: usize, memo: &mut Memo) -> Option<usize> {
        let machine = &self.machine;
        let previous = if machine.looks_back { self.alphabet.class_before(text, begin).0 } else { 0 };
        let mut row = machine.start(previous);
        let mut at = begin;
        let mut end = None;
        let mut patience = begin + PATIENCE;
        loop {
            let (class, length) = self.alphabet.class_after(text, at);
            let mut cell = machine.cell(row, class);
            if cell.asks() {
                cell = self.answer(machine, cell, text, at, memo);
            }
            if cell.is_match() {
                end = Some(at);
                patience = at + PATIENCE;
            }
            row = cell.row();
            at += length;
            if row == 0 {
                memo.work += at - begin;
                return end;
            }
            if at > patience {
                memo.work += at - begin;
                return self.run_marked(MAIN, row, text, at, memo).or(end);
            }
        }
    }

    /// Goes on with a run that has read much in vain, leaving marks. Returns the end of the last match, if any comes.
    #[cold]
    fn run_marked(&self, number: u32, mut row: usize, text: &[u8], mut at: usize, memo: &mut Memo) -> Option<usize> {
        let machine = if number == MAIN { &self.machine } else { &self.looks[number as usize] };
        let begin = at;
        let mut end = None;
        let mut follows = false;
        let base = memo.passed.len();
        while row != 0 {
            let (class, length) = self.class_beside(machine.side, text, at);
            let mut cell = machine.cell(row, class);
            if cell.asks() {
                cell = self.answer(machine, cell, text, at, memo);
            }
            if cell.is_match() {
                end = Some(at);
                if number == MAIN {
                    memo.passed.truncate(base);
                }
            }
            row = cell.row();
            let before = at;
            at = step(machine.side, at, length);
            if row != 0 && before / MARK_STRIDE != at / MARK_STRIDE {
                let mark = (number, row as u32, at);
                match memo.known.get(&mark) {
                    Some(&known) => {
                        follows = known;
                        break;
                    }
                    None => memo.passed.push(mark),
                }
            }
        }
        memo.work += at.abs_diff(begin);
        // What the main automaton passed after its last match led nowhere; a look-around has one outcome for all.
        let outcome = number != MAIN && (end.is_some() || follows);
        memo.known.extend(memo.passed.drain(base..).map(|mark| (mark, outcome)));
        if outcome { end.or(Some(at)) } else { end }
    }

    /// Asks the look-arounds that a transition depends on.
    fn answer(&self, machine: &Machine, cell: Cell, text: &[u8], at: usize, memo: &mut Memo) -> Cell {
        let question = machine.question(cell);
        let outcomes = question.looks.iter().enumerate();
        let bits = outcomes.fold(0, |bits, (bit, &look)| bits | usize::from(self.look(look, text, at, memo)) << bit);
        question.answers[bits]
    }

    /// The outcome of a look-around.
    fn look(&self, number: u32, text: &[u8], begin: usize, memo: &mut Memo) -> bool {
        let machine = &self.looks[number as usize];
        let previous = if machine.looks_back { self.class_beside(opposite(machine.side), text, begin).0 } else { 0 };
        let mut row = machine.start(previous);
        let mut at = begin;
        while row != 0 {
            let (class, length) = self.class_beside(machine.side, text, at);
            let mut cell = machine.cell(row, class);
            if cell.asks() {
                cell = self.answer(machine, cell, text, at, memo);
            }
            if cell.is_match() {
                memo.work += at.abs_diff(begin);
                return true;
            }
            row = cell.row();
            at = step(machine.side, at, length);
            if at.abs_diff(begin) > PATIENCE {
                memo.work += at.abs_diff(begin);
                return self.run_marked(number, row, text, at, memo).is_some();
            }
        }
        memo.work += at.abs_diff(begin);
        false
    }

    #[inline]
    fn class_beside(&self, side: Side, text: &[u8], at: usize) -> (ClassId, usize) {
        match side {
            Side::Ahead => self.alphabet.class_after(text, at),
            Side::Behind => self.alphabet.class_before(text, at),
        }
    }
}

fn opposite(side: Side) -> Side {
    match side {
        Side::Ahead => Side::Behind,
        Side::Behind => Side::Ahead,
    }
}

fn step(side: Side, at: usize, length: usize) -> usize {
    match side {
        Side::Ahead => at + length,
        Side::Behind => at - length,
    }
}

/// The outcome of a look-around that is certain from the next character in the direction of reading alone.
fn settled(machines: &[Option<Machine>], side: Side, look: u32, class: ClassId) -> Option<bool> {
    machines[look as usize].as_ref().filter(|machine| machine.side == side)?.verdict(class)
}
