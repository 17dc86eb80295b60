//! The pieces of a text that is not finished: every way in which they may turn out.
//!
//! Where a piece ends can depend on text far behind it (`\s+(?!\S)`, numbers cut in threes from the right, a lower case
//! letter behind many capitals). An [`OpenPretokenizer`] reads bytes one at a time and knows, at each of them, whether
//! a piece may end there and whether it may go on. Its states are sets of readings, one for each guess about the rest
//! of the text ([`crate::regex::Reading`]); a guess that no text can confirm is dropped at once. Steps that follow each
//! other read side by side: the later ones see the end of the text wherever an earlier one ends a piece.
//!
//! Bytes of an unfinished character are guesses as well: about the class of the character, or that it will never be
//! one, and each byte stands for itself.
//!
//! States are numbered as they are met, and transitions remembered, so a step is a table look-up after its first time.

mod characters;

use std::collections::{BTreeSet, HashMap};

pub(crate) use characters::Written;
use characters::{Classes, Prefix, extended};

use super::chars;
use super::patterns::GPT2;
use super::step::{SplitBehavior, SplitPattern, Step};
use super::{Plan, Pretokenizer};
use crate::error::{Error, Result};
use crate::regex::{Dialect, Reading, Regex};

/// A number for a state of an [`OpenPretokenizer`].
pub(crate) type OpenState = u32;

/// The state of a text that cannot be.
pub(crate) const IMPOSSIBLE: OpenState = 0;

/// "Not computed yet" in the transition table.
const UNKNOWN: OpenState = OpenState::MAX;

/// One way in which a text may go on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Way {
    /// One reading a step.
    readings: Vec<Reading>,
    character: Character,
}

/// What the last bytes are part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Character {
    /// A character that is complete.
    Whole,
    /// The first bytes of a character of this class.
    Begun { class: u16, bytes: [u8; 3], len: u8 },
    /// The same bytes, but the character will not be completed.
    Broken { bytes: [u8; 3], len: u8 },
}

/// Reads texts of which only the beginning is known.
#[derive(Debug)]
pub(crate) struct OpenPretokenizer {
    steps: Vec<Regex>,
    classes: Classes,
    /// Whether texts are UTF-8, some of whose characters are written as tokens of a byte each.
    of_chars: bool,
    ways: Vec<Way>,
    way_numbers: HashMap<Way, u32>,
    /// Whether some text confirms a way, as far as known.
    possible: Vec<Option<bool>>,
    /// The ways of each state, sorted.
    states: Vec<Vec<u32>>,
    state_numbers: HashMap<Vec<u32>, OpenState>,
    /// The next state, by state and byte.
    next: Vec<[OpenState; 256]>,
    /// The same for a byte that is a token of its own because its character is written so.
    next_apart: HashMap<(OpenState, u8), OpenState>,
    /// The state behind the end of a piece, by state.
    behind: Vec<OpenState>,
}

impl OpenPretokenizer {
    /// Compiles a pretokenizer for texts that are written so. Refuses steps whose pieces do not cover the text, and
    /// patterns that look back. Blanks that are put before a text are the caller's to read.
    pub(crate) fn new(pretokenizer: &Pretokenizer, written: &Written) -> Result<Self> {
        let steps = match pretokenizer.cuts_at_blanks() {
            Some(false) => Vec::new(),
            Some(true) => vec![Regex::new(" [^ ]*|[^ ]+", Dialect::Oniguruma)?],
            None => Self::steps(pretokenizer, matches!(written, Written::Characters { .. }))?,
        };
        let Some(classes) = Classes::new(&steps, written) else {
            let what = "byte-level probabilities behind patterns that tell so many classes of characters apart";
            return Err(Error::unsupported("pre_tokenizer", what));
        };
        let mut open = Self {
            steps,
            classes,
            of_chars: matches!(written, Written::Characters { .. }),
            ways: Vec::new(),
            way_numbers: HashMap::new(),
            possible: Vec::new(),
            states: Vec::new(),
            state_numbers: HashMap::new(),
            next: Vec::new(),
            next_apart: HashMap::new(),
            behind: Vec::new(),
        };
        open.state(Vec::new());
        Ok(open)
    }

    /// The patterns of a pretokenizer that only cuts.
    fn steps(pretokenizer: &Pretokenizer, of_chars: bool) -> Result<Vec<Regex>> {
        let known = matches!(pretokenizer.plan, Plan::Scan(_));
        let mut steps = Vec::new();
        for (index, step) in pretokenizer.steps.iter().enumerate() {
            let refuse = |what: &str| Err(Error::unsupported(format!("pre_tokenizer[{index}]"), what));
            let regex = match step {
                Step::ByteLevel { .. } if of_chars => {
                    return refuse("byte-level probabilities of a model of characters that is given bytes");
                }
                Step::ByteLevel { add_prefix_space: true, .. } => {
                    return refuse("a blank put before the text (add_prefix_space), which its bytes do not tell");
                }
                Step::ByteLevel { use_regex: false, .. } => continue,
                Step::ByteLevel { .. } => Regex::new(GPT2, Dialect::Oniguruma)?,
                Step::Split { behavior, invert, pattern } => {
                    match behavior {
                        SplitBehavior::Isolated => {}
                        // The matches of a known pattern are all of the text.
                        SplitBehavior::Removed if *invert && known => {}
                        _ => return refuse("byte-level probabilities where a Split drops or joins its matches"),
                    }
                    match pattern {
                        SplitPattern::Literal(literal) => Regex::literal(literal)?,
                        SplitPattern::Regex(pattern) => Regex::new(pattern, Dialect::Oniguruma)?,
                        SplitPattern::FancyRegex(pattern) => Regex::new(pattern, Dialect::FancyRegex)?,
                    }
                }
                Step::Digits { individual_digits: true } => Regex::one_of(chars::numeric())?,
                Step::Digits { individual_digits: false } => Regex::run_of(chars::numeric())?,
                Step::Punctuation { behavior: SplitBehavior::Isolated } => Regex::one_of(chars::punctuation())?,
                _ => return refuse(&format!("byte-level probabilities behind {step:?}")),
            };
            if let Some(what) = regex.unreadable() {
                return refuse(&format!("byte-level probabilities behind {what}"));
            }
            steps.push(regex);
        }
        Ok(steps)
    }

    /// The state at the begin of a text.
    pub(crate) fn start(&mut self) -> OpenState {
        let readings = self.steps.iter().map(|_| Regex::begin_reading()).collect();
        self.state_of(vec![Way { readings, character: Character::Whole }])
    }

    /// The state behind `byte`, no piece ending before it.
    #[inline]
    pub(crate) fn step(&mut self, state: OpenState, byte: u8) -> OpenState {
        match self.next[state as usize][byte as usize] {
            UNKNOWN => self.compute_step(state, byte),
            next => next,
        }
    }

    /// As [`Self::step`] for a byte that is a token of its own, part of a character that is written so.
    pub(crate) fn step_apart(&mut self, state: OpenState, byte: u8) -> OpenState {
        if let Some(&next) = self.next_apart.get(&(state, byte)) {
            return next;
        }
        let next = self.next_state(state, byte, true);
        self.next_apart.insert((state, byte), next);
        next
    }

    /// The state when a piece ends here and another begins, or the text ends; `state` is not at the begin of a piece.
    pub(crate) fn end_piece(&mut self, state: OpenState) -> OpenState {
        if self.behind[state as usize] != UNKNOWN {
            return self.behind[state as usize];
        }
        let mut ways = Vec::new();
        for number in self.states[state as usize].clone() {
            ways.extend(self.ends(&self.ways[number as usize]));
        }
        let behind = self.state_of(ways);
        self.behind[state as usize] = behind;
        behind
    }

    /// Whether the text may end here.
    pub(crate) fn may_end(&self, state: OpenState) -> bool {
        self.states[state as usize].iter().any(|&way| self.way_may_end(&self.ways[way as usize]))
    }

    /// Whether the text ends inside of a character that is written as tokens of a byte each. It can be finished.
    pub(crate) fn is_inside(&self, state: OpenState) -> bool {
        let is_begun = |way: &u32| matches!(self.ways[*way as usize].character, Character::Begun { .. });
        self.of_chars && state != IMPOSSIBLE && self.states[state as usize].iter().all(is_begun)
    }

    /// The state of a text that may be in either of two.
    pub(crate) fn either(&mut self, left: OpenState, right: OpenState) -> OpenState {
        let ways: BTreeSet<u32> =
            self.states[left as usize].iter().chain(&self.states[right as usize]).copied().collect();
        self.state(ways.into_iter().collect())
    }

    fn compute_step(&mut self, state: OpenState, byte: u8) -> OpenState {
        let next = self.next_state(state, byte, false);
        self.next[state as usize][byte as usize] = next;
        next
    }

    fn next_state(&mut self, state: OpenState, byte: u8, apart: bool) -> OpenState {
        let mut ways = Vec::new();
        for number in self.states[state as usize].clone() {
            let way = &self.ways[number as usize];
            if self.of_chars {
                self.read_byte_of_char(way, byte, apart, &mut ways);
            } else {
                self.read_byte(way, byte, &mut ways);
            }
        }
        self.state_of(ways)
    }

    /// As [`Self::read_byte`] where texts are UTF-8: `byte` is part of a character that is written `apart` or not.
    fn read_byte_of_char(&self, way: &Way, byte: u8, apart: bool, ways: &mut Vec<Way>) {
        let (begun, mut bytes, len) = match way.character {
            Character::Begun { class, bytes, len } => (Some(class), bytes, len),
            Character::Whole | Character::Broken { .. } => (None, [0; 3], 0),
        };
        let Some((longer, len)) = extended(&mut bytes, len, byte) else { return };
        let bytes = [longer[0], longer[1], longer[2]];
        let (classes, whole) = match self.classes.of_prefix(&longer[..len as usize]) {
            Prefix::Character(class) => (1 << class, true),
            Prefix::Begins(classes) => (classes, false),
            Prefix::Invalid => return,
        };
        let fits = |class: &u16| {
            classes >> class & 1 == 1 && self.classes.is_apart(*class) == apart && begun.is_none_or(|it| it == *class)
        };
        for class in (0..self.classes.members.len() as u16).filter(fits) {
            let character = if whole { Character::Whole } else { Character::Begun { class, bytes, len } };
            if begun.is_some() {
                ways.push(Way { character, ..way.clone() });
            } else {
                let read = self.read(&way.readings, class);
                ways.extend(read.into_iter().map(|readings| Way { readings, character }));
            }
        }
    }

    /// What becomes of a way when `byte` follows and no piece ends before it.
    fn read_byte(&self, way: &Way, byte: u8, ways: &mut Vec<Way>) {
        let mut read = |readings: &[Reading], class: u16, character: Character| {
            ways.extend(self.read(readings, class).into_iter().map(|readings| Way { readings, character }));
        };
        match way.character {
            Character::Begun { class, mut bytes, len } => {
                let Some((bytes, len)) = extended(&mut bytes, len, byte) else { return };
                match self.classes.of_prefix(&bytes[..len as usize]) {
                    Prefix::Character(found) if found == class => {
                        ways.push(Way { character: Character::Whole, ..way.clone() });
                    }
                    Prefix::Begins(classes) if classes >> class & 1 == 1 => {
                        let bytes = [bytes[0], bytes[1], bytes[2]];
                        ways.push(Way { character: Character::Begun { class, bytes, len }, ..way.clone() });
                    }
                    _ => {}
                }
                return;
            }
            Character::Broken { mut bytes, len } => {
                if let Some((bytes, len)) = extended(&mut bytes, len, byte) {
                    match self.classes.of_prefix(&bytes[..len as usize]) {
                        // It would have become a character after all.
                        Prefix::Character(_) => return,
                        Prefix::Begins(_) => {
                            let bytes = [bytes[0], bytes[1], bytes[2]];
                            return read(&way.readings, self.classes.invalid, Character::Broken { bytes, len });
                        }
                        Prefix::Invalid => {}
                    }
                }
            }
            Character::Whole => {}
        }
        match self.classes.of_prefix(&[byte]) {
            Prefix::Character(class) => read(&way.readings, class, Character::Whole),
            Prefix::Invalid => read(&way.readings, self.classes.invalid, Character::Whole),
            Prefix::Begins(classes) => {
                let bytes = [byte, 0, 0];
                for class in (0..self.classes.members.len() as u16).filter(|class| classes >> class & 1 == 1) {
                    read(&way.readings, class, Character::Begun { class, bytes, len: 1 });
                }
                read(&way.readings, self.classes.invalid, Character::Broken { bytes, len: 1 });
            }
        }
    }

    /// What becomes of the readings when a character follows and no piece ends before it.
    fn read(&self, readings: &[Reading], class: u16) -> Vec<Vec<Reading>> {
        let mut all: Vec<Vec<Reading>> = vec![Vec::new()];
        for (index, (step, reading)) in self.steps.iter().zip(readings).enumerate() {
            let next = step.read(reading, self.classes.members[class as usize][index]);
            let mut longer = Vec::with_capacity(all.len() * next.len());
            for before in &all {
                longer.extend(next.iter().map(|reading| {
                    let mut readings = before.clone();
                    readings.push(reading.clone());
                    readings
                }));
            }
            all = longer;
        }
        all
    }

    /// The ways when a piece ends here: one step ends an item, those before it do not, those behind it see the end of
    /// their text.
    fn ends(&self, way: &Way) -> Vec<Way> {
        if let Character::Begun { .. } = way.character {
            return Vec::new();
        }
        let mut ends = Vec::new();
        if self.steps.is_empty() {
            // The text is one piece, which ends with it.
            return ends;
        }
        for (index, step) in self.steps.iter().enumerate() {
            let later = index + 1..self.steps.len();
            if !later.clone().all(|later| self.steps[later].may_end(&way.readings[later])) {
                continue;
            }
            if let Some(reading) = step.end_item(&way.readings[index]) {
                let mut readings = way.readings[..index].to_vec();
                readings.push(reading);
                readings.extend(later.map(|_| Regex::begin_reading()));
                ends.push(Way { readings, character: way.character });
            }
        }
        ends
    }

    fn way_may_end(&self, way: &Way) -> bool {
        let whole = !matches!(way.character, Character::Begun { .. });
        whole && self.steps.iter().zip(&way.readings).all(|(step, reading)| step.may_end(reading))
    }

    /// The number of the state with those of the ways that some text confirms.
    fn state_of(&mut self, ways: Vec<Way>) -> OpenState {
        let mut numbers: Vec<u32> = ways.into_iter().map(|way| self.way(way)).collect();
        numbers.retain(|&way| self.is_possible(way));
        numbers.sort_unstable();
        numbers.dedup();
        self.state(numbers)
    }

    fn state(&mut self, ways: Vec<u32>) -> OpenState {
        if let Some(&number) = self.state_numbers.get(&ways) {
            return number;
        }
        let number = self.states.len() as OpenState;
        let fill = if ways.is_empty() { IMPOSSIBLE } else { UNKNOWN };
        self.state_numbers.insert(ways.clone(), number);
        self.states.push(ways);
        self.next.push([fill; 256]);
        self.behind.push(fill);
        number
    }

    fn way(&mut self, way: Way) -> u32 {
        if let Some(&number) = self.way_numbers.get(&way) {
            return number;
        }
        let number = self.ways.len() as u32;
        self.way_numbers.insert(way.clone(), number);
        self.ways.push(way);
        self.possible.push(None);
        number
    }

    /// Whether some text confirms a way: a search through what may follow, character by character.
    ///
    /// An unfinished character can be finished as its way says, and what follows a broken one can be chosen so that it
    /// stays broken; so the readings alone decide.
    fn is_possible(&mut self, way: u32) -> bool {
        if let Some(known) = self.possible[way as usize] {
            return known;
        }
        let readings = self.ways[way as usize].readings.clone();
        let first = self.way(Way { readings, character: Character::Whole });
        let mut reached = vec![first];
        let mut seen: BTreeSet<u32> = BTreeSet::from([first]);
        let mut at = 0;
        let found = loop {
            let Some(&number) = reached.get(at) else { break false };
            at += 1;
            let way = self.ways[number as usize].clone();
            if self.possible[number as usize] == Some(true) || self.way_may_end(&way) {
                break true;
            }
            let mut next: Vec<Way> = Vec::new();
            let fresh = self.ends(&way);
            for readings in fresh.iter().map(|way| &way.readings).chain([&way.readings]) {
                for class in (0..self.classes.members.len() as u16).filter(|&class| self.classes.occurs(class)) {
                    next.extend(
                        self.read(readings, class)
                            .into_iter()
                            .map(|readings| Way { readings, character: Character::Whole }),
                    );
                }
            }
            if fresh.iter().any(|way| self.way_may_end(way)) {
                break true;
            }
            for way in next {
                let number = self.way(way);
                if self.possible[number as usize] != Some(false) && seen.insert(number) {
                    reached.push(number);
                }
            }
        };
        if found {
            self.possible[first as usize] = Some(true);
        } else {
            for number in reached {
                self.possible[number as usize] = Some(false);
            }
        }
        self.possible[way as usize] = Some(found);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pretokenize::patterns::{byte_level_steps, patterns};
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;
    use std::cell::RefCell;

    /// The piece ends that the states allow for a finished text, by trying all of them: exactly one list remains.
    fn ends(open: &mut OpenPretokenizer, text: &[u8]) -> Vec<Vec<usize>> {
        let start = open.start();
        let mut found = Vec::new();
        let mut stack = vec![(0, start, Vec::new())];
        while let Some((at, state, ends)) = stack.pop() {
            if state == IMPOSSIBLE {
                continue;
            }
            if at == text.len() {
                if open.may_end(state) {
                    found.push(ends);
                }
                continue;
            }
            let next = open.step(state, text[at]);
            if at + 1 < text.len() {
                let behind = open.end_piece(next);
                let mut longer: Vec<usize> = ends.clone();
                longer.push(at + 1);
                stack.push((at + 1, behind, longer));
            }
            stack.push((at + 1, next, ends));
        }
        found
    }

    /// Characters that patterns treat apart, and bytes that are none.
    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let ascii = prop::sample::select(b"aAsSlL'1  \n\r\t/.".as_slice()).prop_map(|byte| vec![byte]);
        let others = ["é", "中", "か", "\u{301}", "\u{0378}", "٣", "²", "\u{a0}", "🙂", "ſ", "。"];
        let others = prop::sample::select(others.to_vec()).prop_map(|text| text.as_bytes().to_vec());
        let parts = prop_oneof![5 => ascii, 1 => others, 1 => any::<u8>().prop_map(|byte| vec![byte])];
        prop::collection::vec(parts, 0..14).prop_map(|parts| parts.concat())
    }

    #[test]
    fn one_way_of_cutting_a_text_is_confirmed_by_its_end() {
        for name in patterns().iter().map(|pattern| Some(pattern.name)).chain([None, Some(r"a+|\s+(?!\S)|1")]) {
            let pretokenizer = Pretokenizer::new(byte_level_steps(name)).unwrap();
            let Ok(open) = OpenPretokenizer::new(&pretokenizer, &Written::Bytes(Box::new([true; 256]))) else {
                continue;
            };
            let open = RefCell::new(open);
            let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
            let property = |text: Vec<u8>| {
                let mut expected: Vec<usize> = pretokenizer.split(&text).iter().map(|piece| piece.end).collect();
                expected.pop();
                prop_assert_eq!(ends(&mut open.borrow_mut(), &text), [expected]);
                Ok(())
            };
            if let Err(error) = TestRunner::new(config).run(&texts(), property) {
                panic!("{name:?}: {error}");
            }
        }
    }

    #[test]
    fn named_patterns_that_can_be_read() {
        let refused: Vec<&str> = patterns()
            .iter()
            .filter(|pattern| {
                let pretokenizer = Pretokenizer::new(pattern.steps()).unwrap();
                OpenPretokenizer::new(&pretokenizer, &Written::Bytes(Box::new([true; 256]))).is_err()
            })
            .map(|pattern| pattern.name)
            .collect();
        assert_eq!(refused, ["superbpe"]);
    }
}
