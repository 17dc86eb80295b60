//! Deterministic automata that keep the preferences of a backtracking matcher.
//!
//! A state is the ordered list of threads that a backtracking matcher would try, cut behind the first one that has
//! matched (the subset construction of `regex-automata`'s leftmost-first DFAs). Conditions on the neighbouring
//! character cost nothing: threads wait before them, and a transition on the class of the next character first settles
//! the conditions, then reads. So a match is known when the character behind it is seen. Look-arounds of more than one
//! character are answered by automata of their own: a transition that depends on some of them is a small table over
//! their outcomes.
//!
//! Automata are built whole, when the pattern is compiled; the number of states is limited, so that no pattern can take
//! more than a bounded amount of time and memory. A run costs two table look-ups a character.

use std::collections::HashMap;

use super::alphabet::{Alphabet, ClassId, ClassSet};
use super::node::{Refusal, Side};
use super::program::{Instruction, Pc, Program};

/// Cells of the transition table of one automaton at the most.
const LARGEST_TABLE: usize = 1 << 20;
/// Look-arounds that one transition may depend on.
const MOST_LOOKS: usize = 6;

/// What a transition leads to: a state times the width of a row, shifted, with [`Cell::MATCH`] and [`Cell::ASK`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell(u32);

impl Cell {
    /// A match ends before the character read.
    const MATCH: u32 = 1;
    /// The rest is an index into the questions.
    const ASK: u32 = 2;
    /// No thread is left.
    pub(super) const DEAD: Self = Self(0);

    fn new(row: usize, matched: bool) -> Self {
        Self((row as u32) << 2 | u32::from(matched))
    }

    #[inline]
    pub(super) fn is_match(self) -> bool {
        self.0 & Self::MATCH != 0
    }

    #[inline]
    pub(super) fn asks(self) -> bool {
        self.0 & Self::ASK != 0
    }

    /// Where the row of the state begins.
    #[inline]
    pub(super) fn row(self) -> usize {
        (self.0 >> 2) as usize
    }
}

/// A transition that depends on look-arounds.
#[derive(Debug)]
pub(super) struct Question {
    /// The look-arounds to ask.
    pub(super) looks: Vec<u32>,
    /// Where to go, by the outcomes as bits, the first look-around lowest.
    pub(super) answers: Vec<Cell>,
}

/// A deterministic automaton.
#[derive(Debug)]
pub(super) struct Machine {
    table: Vec<Cell>,
    questions: Vec<Question>,
    /// The first state, by the class of the character before the begin of reading.
    starts: Vec<u32>,
    /// Whether `starts` differ.
    pub(super) looks_back: bool,
    /// The direction of reading.
    pub(super) side: Side,
}

impl Machine {
    /// Builds the automaton of `program`. `ordered`: preferences decide where the match ends; otherwise any match
    /// will do, and the automaton stops at the first. `settled` gives the outcomes of look-arounds that are certain
    /// when the class of the next character is known.
    pub(super) fn new(
        program: &Program,
        ordered: bool,
        alphabet: &Alphabet,
        settled: &dyn Fn(u32, ClassId) -> Option<bool>,
    ) -> Result<Self, Refusal> {
        let mut builder = Builder::new(program, ordered, alphabet, settled);
        let edge = alphabet.edge();
        let mut starts = Vec::new();
        for class in 0..=edge {
            let previous = builder.previous_signature(class);
            let row = builder.state(State { threads: vec![program.start], previous })?;
            starts.push(row as u32);
        }
        let mut at = 1;
        while at < builder.states.len() {
            builder.fill_row(at)?;
            at += 1;
        }
        let looks_back = starts.iter().any(|&row| row != starts[0]);
        Ok(Self { table: builder.table, questions: builder.questions, starts, looks_back, side: program.side })
    }

    /// The row of the first state, `previous` being the class of the character before.
    #[inline]
    pub(super) fn start(&self, previous: ClassId) -> usize {
        self.starts[previous as usize] as usize
    }

    /// The transition from the state of a row. Rows end with the edge, for which there is always a cell.
    #[inline]
    pub(super) fn cell(&self, row: usize, class: ClassId) -> Cell {
        self.table[row + class as usize]
    }

    pub(super) fn question(&self, cell: Cell) -> &Question {
        &self.questions[cell.row()]
    }

    /// What is certain about a match that begins before a character of this class: `None` if it depends on more.
    pub(super) fn verdict(&self, class: ClassId) -> Option<bool> {
        let cell = self.cell(self.start(0), class);
        match () {
            () if self.looks_back || cell.asks() => None,
            () if cell.is_match() => Some(true),
            () if cell == Cell::DEAD => Some(false),
            () => None,
        }
    }
}

/// What tells states apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    /// Threads in order of preference, where they stand after reading.
    threads: Vec<Pc>,
    /// Which of the program's conditions on the previous character hold, as bits.
    previous: Vec<bool>,
}

struct Builder<'a> {
    program: &'a Program,
    ordered: bool,
    edge: ClassId,
    settled: &'a dyn Fn(u32, ClassId) -> Option<bool>,
    /// The sets that the program asks about the previous character.
    previous_sets: Vec<ClassSet>,
    rows: HashMap<State, usize>,
    states: Vec<State>,
    table: Vec<Cell>,
    questions: Vec<Question>,
}

/// What a state becomes when it reads a character.
struct Outcome {
    matched: bool,
    threads: Vec<Pc>,
}

impl<'a> Builder<'a> {
    fn new(
        program: &'a Program,
        ordered: bool,
        alphabet: &Alphabet,
        settled: &'a dyn Fn(u32, ClassId) -> Option<bool>,
    ) -> Self {
        let mut previous_sets = Vec::new();
        for instruction in &program.instructions {
            if let Instruction::Previous(set, _) = instruction
                && !previous_sets.contains(set)
            {
                previous_sets.push(*set);
            }
        }
        let edge = alphabet.edge();
        let dead = State { threads: Vec::new(), previous: vec![false; previous_sets.len()] };
        let width = edge as usize + 1;
        Self {
            program,
            ordered,
            edge,
            settled,
            previous_sets,
            rows: HashMap::from([(dead.clone(), 0)]),
            states: vec![dead],
            table: vec![Cell::DEAD; width],
            questions: Vec::new(),
        }
    }

    fn previous_signature(&self, class: ClassId) -> Vec<bool> {
        self.previous_sets.iter().map(|set| set.contains(class)).collect()
    }

    /// The row of a state, which is new or known.
    fn state(&mut self, state: State) -> Result<usize, Refusal> {
        if state.threads.is_empty() {
            return Ok(0);
        }
        if let Some(&row) = self.rows.get(&state) {
            return Ok(row);
        }
        let row = self.table.len();
        if row > LARGEST_TABLE {
            return Err("the pattern needs too many states".to_owned());
        }
        self.table.resize(row + self.edge as usize + 1, Cell::DEAD);
        self.rows.insert(state.clone(), row);
        self.states.push(state);
        Ok(row)
    }

    fn fill_row(&mut self, index: usize) -> Result<(), Refusal> {
        let state = self.states[index].clone();
        let row = self.rows[&state];
        for class in 0..=self.edge {
            let mut looks = Vec::new();
            self.step(&state, class, &mut |look| {
                looks.push(look);
                None
            });
            looks.sort_unstable();
            looks.dedup();
            let settled: Vec<_> = looks.iter().map(|&look| (look, (self.settled)(look, class))).collect();
            let open: Vec<u32> = settled.iter().filter(|(_, known)| known.is_none()).map(|&(look, _)| look).collect();
            if open.len() > MOST_LOOKS {
                return Err(format!("more than {MOST_LOOKS} look-arounds at one place are not supported"));
            }
            let mut answers = Vec::with_capacity(1 << open.len());
            for outcomes in 0..1u32 << open.len() {
                let outcome = self.step(&state, class, &mut |look| {
                    let known = settled.iter().find(|&&(settled, _)| settled == look)?.1;
                    known.or_else(|| Some(outcomes >> open.iter().position(|&open| open == look)? & 1 == 1))
                });
                answers.push(self.cell_of(outcome, class)?);
            }
            self.table[row + class as usize] = if answers.iter().all(|&answer| answer == answers[0]) {
                answers[0]
            } else {
                self.questions.push(Question { looks: open, answers });
                Cell(((self.questions.len() - 1) as u32) << 2 | Cell::ASK)
            };
        }
        Ok(())
    }

    fn cell_of(&mut self, outcome: Outcome, class: ClassId) -> Result<Cell, Refusal> {
        // After the edge, and where any match will do after a match, there is nothing to read.
        let stops = class == self.edge || (outcome.matched && !self.ordered);
        let mut threads = if stops { Vec::new() } else { outcome.threads };
        if !self.ordered {
            threads.sort_unstable();
        }
        let previous = self.previous_signature(class);
        Ok(Cell::new(self.state(State { threads, previous })?, outcome.matched))
    }

    /// Follows the threads of a state to where they read `class`. `look` gives the outcome of a look-around; `None`
    /// explores both.
    fn step(&self, state: &State, class: ClassId, look: &mut dyn FnMut(u32) -> Option<bool>) -> Outcome {
        let instructions = &self.program.instructions;
        let mut seen = vec![false; instructions.len()];
        let mut outcome = Outcome { matched: false, threads: Vec::new() };
        let mut exploring = false;
        let mut stack: Vec<Pc> = state.threads.iter().rev().copied().collect();
        while let Some(pc) = stack.pop() {
            if std::mem::replace(&mut seen[pc as usize], true) {
                continue;
            }
            match &instructions[pc as usize] {
                Instruction::Char(set, next) if set.contains(class) => {
                    if !outcome.threads.contains(next) {
                        outcome.threads.push(*next);
                    }
                }
                Instruction::Split(first, second) => stack.extend([*second, *first]),
                Instruction::Next(set, next) if set.contains(class) => stack.push(*next),
                Instruction::Char(..) | Instruction::Next(..) => {}
                Instruction::Previous(set, next) => {
                    let index = self.previous_sets.iter().position(|known| known == set);
                    if index.is_some_and(|index| state.previous[index]) {
                        stack.push(*next);
                    }
                }
                Instruction::Look(number, wanted, next) => match look(*number) {
                    Some(outcome) if outcome == *wanted => stack.push(*next),
                    Some(_) => {}
                    None => {
                        exploring = true;
                        stack.push(*next);
                    }
                },
                Instruction::Match => {
                    outcome.matched = true;
                    // A match that is certain ends the search among less preferred threads.
                    if !exploring {
                        break;
                    }
                }
            }
        }
        outcome
    }
}
