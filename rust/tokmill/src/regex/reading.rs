//! Reading a pattern along a text whose continuation is not known: where its items may begin and end.
//!
//! Items are the matches of the pattern and the stretches between them. A backtracking matcher settles where an item
//! ends only after it has seen what follows, perhaps far behind. A *reading* guesses instead: at each position it says
//! whether an item ends there, and keeps as *promises* what the rest of the text must and must not do for the guess to
//! be right. The states of the pattern's automaton carry them: a match that ends here means that the automaton reports
//! a match here and none later. Every text fulfils the promises of one sequence of guesses, the one that the matcher
//! makes; so readings whose promises cannot be kept are all that has to be told apart.

use super::alphabet::ClassId;
use super::machine::Machine;
use super::{MAIN, Regex};

/// What an automaton, being in some state, will do with the rest of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Outlook {
    /// It reports a match here, and none behind.
    EndsHere,
    /// It reports no match here.
    NotHere,
    /// It never reports a match.
    Never,
    /// It reports a match at some time.
    Ever,
}

/// What must become of an automaton for a reading to be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Promise {
    /// [`MAIN`], or the number of a look-around.
    machine: u32,
    row: u32,
    outlook: Outlook,
}

/// What a position is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Item {
    /// Nothing yet: an item begins here, a match or a stretch between matches.
    Open,
    /// A match, with the row of the automaton; it ends later.
    Match(u32),
    /// A stretch between matches.
    Between,
}

/// A sequence of guesses, as far as what follows can tell it from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reading {
    item: Item,
    /// Sorted, each once.
    promises: Vec<Promise>,
}

/// Promises that remain, in each way in which something can go on.
type Ways = Vec<Vec<Promise>>;

impl Regex {
    /// Why readings of this pattern cannot be had, if so.
    pub(crate) fn unreadable(&self) -> Option<&'static str> {
        if self.machine.looks_back || self.looks.iter().any(|look| look.side == super::Side::Behind || look.looks_back)
        {
            return Some("a pattern that looks back");
        }
        (self.may_be_empty && !self.marks_only()).then_some("a pattern some of whose matches are empty")
    }

    /// Whether all matches are empty: the pattern marks places.
    fn marks_only(&self) -> bool {
        self.may_be_empty
            && (0..=self.alphabet.edge()).all(|class| {
                let cell = self.machine.cell(self.machine.start(0), class);
                let cells = if cell.asks() { &self.machine.question(cell).answers } else { &vec![cell] };
                cells.iter().all(|cell| cell.row() == 0)
            })
    }

    /// First code point and class of each run of code points of one class.
    pub(crate) fn class_runs(&self) -> &[(u32, ClassId)] {
        self.alphabet.runs()
    }

    /// The class of a byte that is not part of a character.
    pub(crate) fn invalid_class(&self) -> ClassId {
        self.alphabet.invalid()
    }

    /// The reading at the begin of a text.
    pub(crate) fn begin_reading() -> Reading {
        Reading { item: Item::Open, promises: Vec::new() }
    }

    /// What becomes of a reading when no item ends here and a character of `class` follows.
    pub(crate) fn read(&self, reading: &Reading, class: ClassId) -> Vec<Reading> {
        let kept = self.keep(&reading.promises, class);
        let mut readings = Vec::new();
        let mut add = |item: Item, new: &Ways| {
            for promises in product(&kept, new) {
                let reading = Reading { item, promises };
                if !readings.contains(&reading) {
                    readings.push(reading);
                }
            }
        };
        let start = self.machine.start(0) as u32;
        if self.may_be_empty {
            let unmarked = Promise { machine: MAIN, row: start, outlook: Outlook::NotHere };
            let ways = if reading.item == Item::Open { vec![Vec::new()] } else { self.advance(unmarked, class) };
            add(Item::Between, &ways);
            return readings;
        }
        if let Item::Open | Item::Match(_) = reading.item {
            let row = if let Item::Match(row) = reading.item { row } else { start };
            for (_, next, ways) in self.cells(MAIN, row, class) {
                if next != 0 {
                    add(Item::Match(next), &ways);
                }
            }
        }
        if reading.item != Item::Open && reading.item != Item::Between {
            return readings;
        }
        let no_match = Promise { machine: MAIN, row: start, outlook: Outlook::Never };
        add(Item::Between, &self.advance(no_match, class));
        readings
    }

    /// What becomes of a reading when an item ends here and another one begins.
    pub(crate) fn end_item(&self, reading: &Reading) -> Option<Reading> {
        let mut promises = reading.promises.clone();
        let mut ends_here = |row: u32| {
            promises.push(Promise { machine: MAIN, row, outlook: Outlook::EndsHere });
            promises.sort_unstable();
            promises.dedup();
        };
        let start = self.machine.start(0) as u32;
        let item = match reading.item {
            Item::Open => return None,
            Item::Match(row) => {
                ends_here(row);
                Item::Open
            }
            Item::Between if self.may_be_empty => {
                ends_here(start);
                Item::Open
            }
            // A match begins here.
            Item::Between => Item::Match(start),
        };
        Some(Reading { item, promises })
    }

    /// Whether the text may end here.
    pub(crate) fn may_end(&self, reading: &Reading) -> bool {
        let edge = self.alphabet.edge();
        let mut promises = reading.promises.clone();
        if let Item::Match(row) = reading.item {
            promises.push(Promise { machine: MAIN, row, outlook: Outlook::EndsHere });
        }
        !self.keep(&promises, edge).is_empty()
    }

    /// What remains of promises behind a character of `class`, in each way in which all can be kept.
    fn keep(&self, promises: &[Promise], class: ClassId) -> Ways {
        let mut ways = vec![Vec::new()];
        for &promise in promises {
            ways = product(&ways, &self.advance(promise, class));
            if ways.is_empty() {
                break;
            }
        }
        ways
    }

    fn advance(&self, promise: Promise, class: ClassId) -> Ways {
        let Promise { machine, row, outlook } = promise;
        let mut ways = Ways::new();
        for (matched, next, others) in self.cells(machine, row, class) {
            let kept = match outlook {
                Outlook::EndsHere => matched,
                Outlook::Never | Outlook::NotHere => !matched,
                Outlook::Ever => matched || next != 0,
            };
            if !kept {
                continue;
            }
            let left = match outlook {
                Outlook::Ever if matched => None,
                Outlook::Ever => Some(Outlook::Ever),
                Outlook::NotHere => None,
                Outlook::EndsHere | Outlook::Never => (next != 0).then_some(Outlook::Never),
            };
            let own = left.map(|outlook| Promise { machine, row: next, outlook }).into_iter().collect();
            ways.extend(product(&vec![own], &others));
        }
        ways
    }

    /// Where an automaton goes from `row` on `class`: whether it reports a match before the character, the next row,
    /// and what look-arounds must do for that.
    fn cells(&self, machine: u32, row: u32, class: ClassId) -> Vec<(bool, u32, Ways)> {
        let automaton: &Machine = if machine == MAIN { &self.machine } else { &self.looks[machine as usize] };
        let cell = automaton.cell(row as usize, class);
        if !cell.asks() {
            return vec![(cell.is_match(), cell.row() as u32, vec![Vec::new()])];
        }
        let question = automaton.question(cell);
        let mut cells = Vec::new();
        for (bits, answer) in question.answers.iter().enumerate() {
            let mut ways: Ways = vec![Vec::new()];
            for (bit, &look) in question.looks.iter().enumerate() {
                let outlook = if bits >> bit & 1 == 1 { Outlook::Ever } else { Outlook::Never };
                let row = self.looks[look as usize].start(0) as u32;
                ways = product(&ways, &self.advance(Promise { machine: look, row, outlook }, class));
            }
            if !ways.is_empty() {
                cells.push((answer.is_match(), answer.row() as u32, ways));
            }
        }
        cells
    }
}

/// Each way of the one with each of the other.
fn product(left: &Ways, right: &Ways) -> Ways {
    let mut ways = Ways::new();
    for first in left {
        for second in right {
            let mut both: Vec<Promise> = first.iter().chain(second).copied().collect();
            both.sort_unstable();
            both.dedup();
            if !ways.contains(&both) {
                ways.push(both);
            }
        }
    }
    ways
}
