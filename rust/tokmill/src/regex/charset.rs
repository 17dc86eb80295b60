//! Sets of characters, as sorted ranges of code points.
//!
//! Two numbers above Unicode stand for what a text may hold besides characters: [`INVALID`] is a byte that is not
//! UTF-8, which belongs to every negated class and to no other, and [`EDGE`] is the end of the text where a neighbour
//! is asked for, which only look-around can see.

use std::sync::OnceLock;

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// A byte that is not part of valid UTF-8.
pub(super) const INVALID: u32 = 0x11_0000;
/// No character at all: before the begin or after the end of the text.
pub(super) const EDGE: u32 = 0x11_0001;

/// A set of code points, of [`INVALID`] and of [`EDGE`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CharSet {
    /// First and last member of each run: sorted, neither overlapping nor touching.
    ranges: Vec<(u32, u32)>,
}

impl CharSet {
    pub(crate) fn one(c: char) -> Self {
        Self { ranges: vec![(c as u32, c as u32)] }
    }

    pub(crate) fn of(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self { ranges: merged }
    }

    /// The only member of a set of one character.
    pub(crate) fn edge() -> Self {
        Self { ranges: vec![(EDGE, EDGE)] }
    }

    /// The characters that a class of the `regex` crate matches; `None` where that crate does not know it.
    pub(crate) fn parse(class: &str) -> Option<Self> {
        let hir = regex_syntax::Parser::new().parse(class).ok()?;
        match hir.kind() {
            HirKind::Class(Class::Unicode(class)) => Some(Self::from(class)),
            HirKind::Literal(literal) => {
                let mut chars = std::str::from_utf8(&literal.0).ok()?.chars();
                chars.next().filter(|_| chars.next().is_none()).map(Self::one)
            }
            _ => None,
        }
    }

    /// A class that is known to parse.
    pub(crate) fn known(class: &str) -> Self {
        Self::parse(class).expect("the class is written in this crate and tested")
    }

    pub(crate) fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    pub(crate) fn contains(&self, c: u32) -> bool {
        let after = self.ranges.partition_point(|&(first, _)| first <= c);
        after > 0 && c <= self.ranges[after - 1].1
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        Self::of(self.ranges.iter().chain(&other.ranges).copied().collect())
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        self.complement_to(EDGE).union(&other.complement_to(EDGE)).complement_to(EDGE)
    }

    /// Whether it is what `.` matches, with or without newlines.
    pub(crate) fn is_any(&self) -> bool {
        *self == Self::default().negated() || *self == Self::one('\n').negated()
    }

    /// What a negated class matches: every other character, and invalid bytes.
    pub(crate) fn negated(&self) -> Self {
        self.complement_to(INVALID)
    }

    /// What a negative look-around of one character accepts: every other neighbour, or none.
    pub(crate) fn negated_neighbour(&self) -> Self {
        self.complement_to(EDGE)
    }

    fn complement_to(&self, last_of_all: u32) -> Self {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        let mut next = 0;
        for &(first, last) in &self.ranges {
            if next < first {
                ranges.push((next, first - 1));
            }
            next = last + 1;
        }
        if next <= last_of_all {
            ranges.push((next, last_of_all));
        }
        Self { ranges }
    }

    /// The set with the other cases of its characters (Unicode's simple case folding).
    pub(crate) fn with_other_cases(&self) -> Self {
        let scalars = self.ranges.iter().filter_map(|&(first, last)| {
            let (first, last) = (scalar_from(first)?, scalar_until(last)?);
            (first <= last).then(|| ClassUnicodeRange::new(first, last))
        });
        let mut class = ClassUnicode::new(scalars);
        match class.try_case_fold_simple() {
            Ok(()) => self.union(&Self::from(&class)),
            Err(_) => self.clone(),
        }
    }
}

impl From<&ClassUnicode> for CharSet {
    fn from(class: &ClassUnicode) -> Self {
        Self { ranges: class.ranges().iter().map(|range| (range.start() as u32, range.end() as u32)).collect() }
    }
}

/// The first scalar at or after `c`.
fn scalar_from(c: u32) -> Option<char> {
    char::from_u32(c).or(if c <= 0xDFFF { Some('\u{E000}') } else { None })
}

/// The last scalar at or before `c`.
fn scalar_until(c: u32) -> Option<char> {
    char::from_u32(c).or(if c <= 0xDFFF { Some('\u{D7FF}') } else { Some(char::MAX) })
}

/// Characters that are the same as a sequence of others when case does not count (`ß` and `ss`), with that sequence.
pub(super) fn folded_sequences() -> &'static [(char, Vec<char>)] {
    static SEQUENCES: OnceLock<Vec<(char, Vec<char>)>> = OnceLock::new();
    SEQUENCES.get_or_init(|| {
        let folded = |c: char| c.to_uppercase().flat_map(char::to_lowercase).collect::<Vec<_>>();
        ('\u{80}'..=char::MAX).map(|c| (c, folded(c))).filter(|(_, sequence)| sequence.len() > 1).collect()
    })
}
