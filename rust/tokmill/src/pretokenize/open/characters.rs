//! Characters that arrive byte by byte: which classes they can still be of.

use crate::pretokenize::chars;
use crate::regex::{CharSet, Regex};

/// The bytes of a character and one more; `None` where there are four already.
pub(super) fn extended(bytes: &mut [u8; 3], len: u8, byte: u8) -> Option<([u8; 4], u8)> {
    let mut longer = [bytes[0], bytes[1], bytes[2], 0];
    *longer.get_mut(len as usize)? = byte;
    Some((longer, len + 1))
}

/// What bytes can be the beginning of.
pub(super) enum Prefix {
    /// They are a character of this class.
    Character(u16),
    /// They begin characters of these classes, as bits.
    Begins(u128),
    /// They begin no character.
    Invalid,
}

/// What texts are made of.
#[derive(Clone, Debug)]
pub(crate) enum Written {
    /// Bytes, of which a vocabulary may lack some.
    Bytes(Box<[bool; 256]>),
    /// Characters: a text is UTF-8.
    Characters {
        /// Those that stand in tokens as they are.
        whole: CharSet,
        /// Those that are written as tokens of a byte each.
        apart: CharSet,
    },
}

/// How a character is written, in the signature of its class.
const ABSENT: u8 = 0;
const WHOLE: u8 = 1;
const APART: u8 = 2;

impl Written {
    /// First code point and kind of each run of characters that are written alike.
    fn runs(&self) -> Vec<(u32, u8)> {
        let Self::Characters { whole, apart } = self else { return vec![(0, WHOLE)] };
        let mut runs = vec![(0, ABSENT)];
        for (set, kind) in [(whole, WHOLE), (apart, APART)] {
            for &(first, last) in set.ranges() {
                runs.push((first, kind));
                runs.push((last + 1, ABSENT));
            }
        }
        // Where one run ends and another begins, the one that begins counts.
        runs.sort_unstable();
        runs.dedup_by(|next, previous| {
            let same_place = next.0 == previous.0;
            if same_place {
                previous.1 = previous.1.max(next.1);
            }
            same_place
        });
        runs
    }
}

/// The classes of characters that the patterns of all steps tell apart, and that are written apart.
#[derive(Debug)]
pub(super) struct Classes {
    /// The class for each step's pattern; behind them, how the characters are written.
    pub(super) members: Vec<Vec<u8>>,
    /// First code point and class of each run.
    runs: Vec<(u32, u16)>,
    /// Of a byte that is not part of a character.
    pub(super) invalid: u16,
    /// Classes with a character that the vocabulary can spell, as bits.
    spelled: u128,
    /// Classes of the characters that begin with some bytes and can be spelled, by the bits of the code point that the
    /// bytes give: the last byte missing, the last two, the last three.
    missing: [Vec<u128>; 3],
}

/// Classes at the most, so that a set of them is one number.
const MOST_CLASSES: usize = 128;

/// Code points are below this.
const END: u32 = 0x11_0000;

impl Classes {
    /// The classes for all of `steps`; `None` if there are more than [`MOST_CLASSES`].
    pub(super) fn new(steps: &[Regex], written: &Written) -> Option<Self> {
        let kinds = written.runs();
        let mut begins: Vec<u32> = steps.iter().flat_map(Regex::class_runs).map(|&(begin, _)| begin).collect();
        begins.extend(kinds.iter().map(|&(begin, _)| begin));
        begins.retain(|&c| c < END);
        begins.extend([0, END]);
        begins.sort_unstable();
        begins.dedup();
        let kind_at = |c: u32| kinds[kinds.partition_point(|&(begin, _)| begin <= c) - 1].1;
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
            .map(|&begin| {
                let classes = steps.iter().map(|step| class_at(step, begin));
                (begin, number(classes.chain([kind_at(begin)]).collect()))
            })
            .collect();
        let invalid_kind = if matches!(written, Written::Bytes(_)) { WHOLE } else { ABSENT };
        let invalid = number(steps.iter().map(Regex::invalid_class).chain([invalid_kind]).collect());
        if members.len() > MOST_CLASSES {
            return None;
        }
        let mut classes = Self {
            members,
            runs,
            invalid,
            spelled: 0,
            missing: [vec![0; END as usize >> 6], vec![0; END as usize >> 12], vec![0; (END as usize >> 18) + 1]],
        };
        match written {
            Written::Bytes(bytes) => classes.fill(bytes),
            Written::Characters { .. } => {
                classes.fill(&[true; 256]);
                classes.spelled &= !(1 << classes.invalid);
            }
        }
        Some(classes)
    }

    /// Notes which classes are behind which bytes.
    fn fill(&mut self, bytes: &[bool; 256]) {
        let complete = bytes[0x80..].iter().all(|&has| has);
        if (0x80..=0xFF).any(|byte: usize| bytes[byte]) {
            self.spelled |= 1 << self.invalid;
        }
        for index in 0..self.runs.len() {
            let (begin, class) = self.runs[index];
            if self.members[class as usize].last() == Some(&ABSENT) {
                continue;
            }
            let end = self.runs.get(index + 1).map_or(END, |&(next, _)| next);
            if (begin..end.min(0x80)).any(|c| bytes[c as usize]) {
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

    /// Whether the vocabulary can spell a character of this class.
    pub(super) fn occurs(&self, class: u16) -> bool {
        self.spelled >> class & 1 == 1
    }

    /// Whether characters of this class are written as tokens of a byte each.
    pub(super) fn is_apart(&self, class: u16) -> bool {
        self.members[class as usize].last() == Some(&APART)
    }

    fn class_of(&self, c: u32) -> u16 {
        self.runs[self.runs.partition_point(|&(begin, _)| begin <= c) - 1].1
    }

    /// What `bytes` are or begin.
    pub(super) fn of_prefix(&self, bytes: &[u8]) -> Prefix {
        if let Some((c, length)) = chars::decode(bytes) {
            let class = self.class_of(c);
            // A character that cannot be written never comes.
            let comes = length == bytes.len() && self.members[class as usize].last() != Some(&ABSENT);
            return if comes { Prefix::Character(class) } else { Prefix::Invalid };
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
