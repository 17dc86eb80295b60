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

use std::collections::{BTreeSet, HashMap};

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
    ways: Vec<Way>,
    way_numbers: HashMap<Way, u32>,
    /// Whether some text confirms a way, as far as known.
    possible: Vec<Option<bool>>,
    /// The ways of each state, sorted.
    states: Vec<Vec<u32>>,
    state_numbers: HashMap<Vec<u32>, OpenState>,
    /// The next state, by state and byte.
    next: Vec<Box<[OpenState; 256]>>,
    /// The state behind the end of a piece, by state.
    behind: Vec<OpenState>,
}

impl OpenPretokenizer {
    /// Compiles a pretokenizer for texts of the given bytes. Refuses steps whose pieces do not cover the text, and
    /// patterns that look back.
    pub(crate) fn new(pretokenizer: &Pretokenizer, bytes: &[bool; 256]) -> Result<Self> {
        let known = matches!(pretokenizer.plan, Plan::Scan(_));
        let mut steps = Vec::new();
        for (index, step) in pretokenizer.steps.iter().enumerate() {
            let refuse = |what: &str| Err(Error::unsupported(format!("pre_tokenizer[{index}]"), what));
            let regex = match step {
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
        let classes = Classes::new(&steps, bytes);
        let mut open = Self {
            steps,
            classes,
            ways: Vec::new(),
            way_numbers: HashMap::new(),
            possible: Vec::new(),
            states: Vec::new(),
            state_numbers: HashMap::new(),
            next: Vec::new(),
            behind: Vec::new(),
        };
        open.state(Vec::new());
        Ok(open)
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

    /// The state of a text that may be in either of two.
    pub(crate) fn either(&mut self, left: OpenState, right: OpenState) -> OpenState {
        let ways: BTreeSet<u32> =
            self.states[left as usize].iter().chain(&self.states[right as usize]).copied().collect();
        self.state(ways.into_iter().collect())
    }

    fn compute_step(&mut self, state: OpenState, byte: u8) -> OpenState {
        let mut ways = Vec::new();
        for number in self.states[state as usize].clone() {
            self.read_byte(&self.ways[number as usize], byte, &mut ways);
        }
        let next = self.state_of(ways);
        self.next[state as usize][byte as usize] = next;
        next
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
        self.next.push(Box::new([fill; 256]));
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
            reached.iter().for_each(|&number| self.possible[number as usize] = Some(false));
        }
        self.possible[way as usize] = Some(found);
        found
    }
}

/// The bytes of a character and one more; `None` where there are four already.
fn extended(bytes: &mut [u8; 3], len: u8, byte: u8) -> Option<([u8; 4], u8)> {
    let mut longer = [bytes[0], bytes[1], bytes[2], 0];
    *longer.get_mut(len as usize)? = byte;
    Some((longer, len + 1))
}

/// What bytes can be the beginning of.
enum Prefix {
    /// They are a character of this class.
    Character(u16),
    /// They begin characters of these classes, as bits.
    Begins(u128),
    /// They begin no character.
    Invalid,
}

/// The classes of characters that the patterns of all steps tell apart.
#[derive(Debug)]
struct Classes {
    /// The class for each step's pattern.
    members: Vec<Vec<u8>>,
    /// First code point and class of each run.
    runs: Vec<(u32, u16)>,
    invalid: u16,
    /// Classes with a character that the vocabulary can spell, as bits.
    spelled: u128,
    /// Classes of the characters that begin with some bytes and can be spelled, by the bits of the code point that the
    /// bytes give: the last byte missing, the last two, the last three.
    missing: [Vec<u128>; 3],
}

const END: u32 = 0x11_0000;

impl Classes {
    fn new(steps: &[Regex], bytes: &[bool; 256]) -> Self {
        let mut begins: Vec<u32> =
            steps.iter().flat_map(|step| step.class_runs()).map(|&(begin, _)| begin).filter(|&c| c < END).collect();
        begins.extend([0, END]);
        begins.sort_unstable();
        begins.dedup();
        let class_at = |step: &Regex, c: u32| {
            let runs = step.class_runs();
            runs[runs.partition_point(|&(begin, _)| begin <= c) - 1].1
        };
        let mut members: Vec<Vec<u8>> = Vec::new();
        let mut number = |signature: Vec<u8>| {
            let known = members.iter().position(|known| *known == signature);
            known.unwrap_or_else(|| {
                members.push(signature);
                members.len() - 1
            }) as u16
        };
        let runs: Vec<(u32, u16)> = begins[..begins.len() - 1]
            .iter()
            .map(|&begin| (begin, number(steps.iter().map(|step| class_at(step, begin)).collect())))
            .collect();
        let invalid = number(steps.iter().map(Regex::invalid_class).collect());
        let mut classes = Self {
            members,
            runs,
            invalid,
            spelled: 0,
            missing: [vec![0; END as usize >> 6], vec![0; END as usize >> 12], vec![0; (END as usize >> 18) + 1]],
        };
        classes.fill(bytes);
        classes
    }

    /// Notes which classes are behind which bytes.
    fn fill(&mut self, bytes: &[bool; 256]) {
        let complete = bytes[0x80..].iter().all(|&has| has);
        if (0x80..=0xFF).any(|byte: usize| bytes[byte]) {
            self.spelled |= 1 << self.invalid;
        }
        for index in 0..self.runs.len() {
            let (begin, class) = self.runs[index];
            let end = self.runs.get(index + 1).map_or(END, |&(next, _)| next);
            for c in (begin..end.min(0x80)).filter(|&c| bytes[c as usize]) {
                let _ = c;
                self.spelled |= 1 << class;
            }
            let begin = begin.max(0x80);
            if begin >= end {
                continue;
            }
            for block in begin >> 6..=(end - 1) >> 6 {
                let members = begin.max(block << 6)..end.min((block + 1) << 6);
                let spelled = |c: u32| {
                    let mut buffer = [0; 4];
                    char::from_u32(c).is_some_and(|c| {
                        complete || c.encode_utf8(&mut buffer).bytes().all(|byte| bytes[byte as usize])
                    })
                };
                if members.into_iter().any(spelled) {
                    self.spelled |= 1 << class;
                    for (level, table) in self.missing.iter_mut().enumerate() {
                        table[(block >> (6 * level)) as usize] |= 1 << class;
                    }
                }
            }
        }
    }

    fn occurs(&self, class: u16) -> bool {
        self.spelled >> class & 1 == 1
    }

    fn class_of(&self, c: u32) -> u16 {
        self.runs[self.runs.partition_point(|&(begin, _)| begin <= c) - 1].1
    }

    fn of_prefix(&self, bytes: &[u8]) -> Prefix {
        if let Some((c, length)) = chars::decode(bytes) {
            return if length == bytes.len() { Prefix::Character(self.class_of(c)) } else { Prefix::Invalid };
        }
        let Some(&first) = bytes.first() else { return Prefix::Invalid };
        let (length, head) = match first {
            0xC2..=0xDF => (2, first & 0x1F),
            0xE0..=0xEF => (3, first & 0x0F),
            0xF0..=0xF4 => (4, first & 0x07),
            _ => return Prefix::Invalid,
        };
        if bytes.len() >= length || bytes[1..].iter().any(|byte| byte & 0xC0 != 0x80) {
            return Prefix::Invalid;
        }
        let second = match (first, bytes.get(1)) {
            (0xE0, Some(second)) => *second >= 0xA0,
            (0xED, Some(second)) => *second < 0xA0,
            (0xF0, Some(second)) => *second >= 0x90,
            (0xF4, Some(second)) => *second < 0x90,
            _ => true,
        };
        if !second {
            return Prefix::Invalid;
        }
        let code = bytes[1..].iter().fold(u32::from(head), |code, byte| code << 6 | u32::from(byte & 0x3F));
        let level = length - bytes.len() - 1;
        Prefix::Begins(self.begun_by(code, level, length))
    }

    /// Classes of the characters of `length` bytes whose code points begin with these bits, `level + 1` bytes missing.
    fn begun_by(&self, code: u32, level: usize, length: usize) -> u128 {
        // The tables also hold shorter characters, whose code points begin alike.
        let (first, last) = match length {
            2 => (0x80, 0x7FF),
            3 => (0x800, 0xFFFF),
            _ => (0x1_0000, END - 1),
        };
        let width = 6 * (level as u32 + 1);
        let (begin, end) = ((code << width).max(first), ((code + 1) << width).min(last + 1));
        if begin >= end {
            return 0;
        }
        if begin == code << width && end == (code + 1) << width {
            return self.missing[level].get(code as usize).copied().unwrap_or(0);
        }
        (begin >> 6..=(end - 1) >> 6).fold(0, |classes, block| classes | self.missing[0][block as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pretokenize::patterns::{byte_level_steps, patterns};
    use proptest::prelude::*;

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

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
        #[test]
        fn one_way_of_cutting_a_text_is_confirmed_by_its_end(
            text in prop::collection::vec(
                prop_oneof![
                    5 => prop::sample::select(b"aAsSlL'1  \n\r\t/.".as_slice()).prop_map(|byte| vec![byte]),
                    1 => prop::sample::select(vec!["é", "中", "か", "\u{301}", "\u{0378}", "٣", "²", "\u{a0}", "🙂", "ſ", "。"])
                        .prop_map(|text| text.as_bytes().to_vec()),
                    1 => any::<u8>().prop_map(|byte| vec![byte]),
                ],
                0..14,
            ).prop_map(|parts| parts.concat()),
        ) {
            for name in patterns().iter().map(|pattern| Some(pattern.name)).chain([None, Some(r"a+|\s+(?!\S)|1")]) {
                let pretokenizer = Pretokenizer::new(byte_level_steps(name)).unwrap();
                let Ok(mut open) = OpenPretokenizer::new(&pretokenizer, &[true; 256]) else { continue };
                let mut expected: Vec<usize> = pretokenizer.split(&text).iter().map(|piece| piece.end).collect();
                expected.pop();
                prop_assert_eq!(ends(&mut open, &text), [expected], "{:?} {:?}", name, &text);
            }
        }
    }

    #[test]
    fn named_patterns_that_can_be_read() {
        let refused: Vec<&str> = patterns()
            .iter()
            .filter(|pattern| {
                let pretokenizer = Pretokenizer::new(pattern.steps()).unwrap();
                OpenPretokenizer::new(&pretokenizer, &[true; 256]).is_err()
            })
            .map(|pattern| pattern.name)
            .collect();
        assert_eq!(refused, ["superbpe"]);
    }
}
