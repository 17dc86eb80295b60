//! The boundaries of pieces in a block of up to 64 characters, by bit algebra.
//!
//! A block begins where a piece begins and holds one mask a role, bit `i` for character `i`. As no pattern looks back
//! behind the beginning of a piece, the masks alone say where pieces begin in the block, and nothing is carried from
//! block to block: the next block begins at the last beginning that is certain, a few characters before the end of
//! this one. Runs are followed upwards by the carries of an addition (see [`flood`]).
//!
//! Each part of a pattern says which characters *join* the one before them; the others begin a piece.

use super::family::{Contractions, Family, Ideographs, Prefix};

/// Up to 64 characters, as masks.
#[derive(Clone, Copy, Default)]
pub(super) struct Block {
    pub(super) letter: u64,
    pub(super) number: u64,
    pub(super) space: u64,
    pub(super) newline: u64,
    /// Upper case; also unmatched characters.
    pub(super) upper: u64,
    pub(super) lower: u64,
    pub(super) mark: u64,
    pub(super) ideograph: u64,
    pub(super) blank: u64,
    pub(super) apostrophe: u64,
    pub(super) slash: u64,
    pub(super) ascii: u64,
    /// Characters in the block, at least one.
    pub(super) count: u32,
    /// Whether the text ends with the block.
    pub(super) is_last: bool,
    /// The bytes of the block that begin a character.
    pub(super) starts: u64,
}

/// What the algebra finds, as masks over the characters of a block.
pub(super) struct Cuts {
    /// Characters that begin a piece, as far as that is certain.
    pub(super) begins: u64,
    /// The characters for which it is certain.
    pub(super) usable: u64,
    /// Apostrophes that may begin a contraction.
    pub(super) apostrophes: u64,
}

/// The lowest `count` bits, of which there may be 64 or more.
#[inline(always)]
pub(super) fn low(count: u32) -> u64 {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}

/// The bits of `run` that are in `starts` or follow one of them without a gap.
#[inline(always)]
fn flood(starts: u64, run: u64) -> u64 {
    run & ((run.wrapping_add(starts) ^ run) | starts)
}

impl Block {
    /// Where pieces begin.
    #[inline(always)]
    pub(super) fn cuts(&self, family: &Family) -> Cuts {
        let valid = low(self.count);
        let mut usable = valid;
        let trailing = (self.space << (64 - self.count)).leading_ones();
        if !self.is_last {
            // Which white space before the end of the block goes with what follows is not known yet.
            usable &= low(self.count - trailing.min(self.count) + 1);
        }

        let apart = family.isolated;
        let unmatched = if apart { self.upper & !self.ideograph } else { 0 };
        let mut letter = self.letter & !self.ideograph;
        let inner_letter = self.letter & self.ideograph;
        let classed = self.letter | self.number | self.space | self.mark | self.ideograph | unmatched;
        let mut other = valid & !classed;

        let mut joins = 0;
        if family.ideographs != Ideographs::None {
            let inner_other = self.ideograph & !self.letter;
            let rare = if apart { self.ideograph & self.upper } else { inner_other };
            joins |= inner_letter & (inner_letter << 1) | inner_other & (inner_other << 1);
            usable &= low(rare.trailing_zeros());
        }

        // Newlines, and slashes behind them, that go with the others before them.
        let mut tail = 0;
        let mut newline = 0;
        if family.newlines {
            let follows = if family.slashes { self.newline | self.slash } else { self.newline };
            tail = flood((other << 1) & self.newline, follows);
            other &= !tail;
            if self.mark != 0 {
                // Marks are others behind two others in a row, or behind a blank and another; else they are letters.
                let second = other & ((other | self.blank) << 1);
                let run = flood(second, other | self.mark);
                let mark = self.mark & run;
                letter |= self.mark & !run;
                other |= mark;
                let ends_in_mark = (mark << 1) & self.newline;
                tail |= flood(ends_in_mark, self.newline);
                if family.slashes && ends_in_mark != 0 {
                    usable &= low(self.mark.trailing_zeros());
                }
            }
            newline = self.newline & !tail;
            joins |= tail;
        }

        // White space joins white space, but for the last before something else and what follows the last newline.
        let white = self.space & !newline & !tail;
        let stops = if apart { self.space | self.number | self.ideograph } else { self.space };
        let last = (valid & !stops) >> 1;
        joins |= white & (white << 1) & !last;
        if newline != 0 {
            joins |= newline & ((newline | white) << 1);
            let begins = white & (newline << 1);
            let mut before_newline = begins.wrapping_add(white) & !white & newline;
            while before_newline != 0 {
                let begin = begins & low(before_newline.trailing_zeros());
                joins |= 1 << (63 - begin.leading_zeros());
                before_newline &= before_newline - 1;
            }
            if family.trailing_whole && self.is_last {
                let rest = valid & !low(self.count - trailing) & !tail;
                joins |= rest & (rest << 1);
            }
        }

        joins |= other & ((other | self.blank) << 1);
        let single = other & !((other | self.blank) << 1);

        joins |= letter
            & match family.prefix {
                Prefix::Blank => (letter | self.blank) << 1,
                Prefix::NotNewline => (letter | white | single) << 1,
                Prefix::NotSymbol => (letter | white | unmatched) << 1,
            };
        if family.prefix == Prefix::NotSymbol {
            joins |= unmatched & (unmatched << 1) & !(letter >> 1);
            if !self.is_last {
                usable &= !(unmatched & (1 << (self.count - 1)));
            }
            let ascii = letter & self.ascii;
            let begins = ((single & self.ascii) << 1) & ascii;
            joins |= begins;
            joins &= !(begins.wrapping_add(ascii) & !ascii);
        }
        if family.cased {
            let (cut, known) = self.case_cuts(letter);
            joins &= !cut;
            usable &= known;
        }

        joins |= match family.number_group {
            0 => self.number & (self.number << 1),
            1 => 0,
            size => self.number & (self.number << 1) & !group_begins(self.number, u32::from(size)),
        };
        if family.number_blank {
            joins |= self.number & (self.blank << 1);
        }

        // What follows the block may be letters.
        let beyond = if self.is_last { 0 } else { 1_u64 << 63 >> (64 - self.count) };
        let before_letter = (letter >> 1) | beyond;
        let apostrophes = self.apostrophe
            & single
            & before_letter
            & match family.contractions {
                Contractions::None => 0,
                Contractions::Exact => u64::MAX,
                Contractions::Folded => (letter >> 2) | beyond | (beyond >> 1),
                Contractions::Suffix => letter << 1,
            };

        Cuts { begins: (valid & !joins | 1) & usable, usable, apostrophes }
    }

    /// Where words end because of case, and below which bits that is certain.
    ///
    /// A word is capitals and caseless letters, then small and caseless ones. Without small ones it ends at the last
    /// caseless letter, if there is one.
    #[inline(always)]
    fn case_cuts(&self, letter: u64) -> (u64, u64) {
        let small = letter & !self.upper;
        let caseless = small & !self.lower;
        let in_small = flood(self.lower, small);
        let mut cuts = self.upper & (in_small << 1);
        let mut open = self.upper & (caseless << 1) & !cuts;
        while open != 0 {
            let begin = open.trailing_zeros();
            let end = begin + (self.upper >> begin).trailing_ones();
            if end >= self.count && !self.is_last {
                return (cuts, low(begin));
            }
            if end >= self.count || letter & (1 << end) == 0 {
                cuts |= 1 << begin;
            }
            open &= open - 1;
        }
        (cuts, u64::MAX)
    }
}

/// The numbers that begin a group of `size` but not a run.
#[inline(always)]
fn group_begins(number: u64, size: u32) -> u64 {
    let mut inside = number;
    for distance in 1..=size {
        inside &= number << distance;
    }
    let mut begins = (number & !(number << 1)) << size & inside;
    let mut all = begins;
    while begins != 0 {
        begins = (begins << size) & inside;
        all |= begins;
    }
    all
}
