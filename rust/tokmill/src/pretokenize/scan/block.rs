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

/// The algebra of a block in progress.
struct Algebra<'a> {
    block: &'a Block,
    family: &'a Family,
    /// All characters of the block.
    valid: u64,
    /// The characters of which it is certain whether they begin a piece, as far as looked at.
    usable: u64,
    /// The characters that do not begin a piece.
    joins: u64,
    /// Letters, and marks that count as letters, apart from ideographs.
    letter: u64,
    /// What is neither letter, number nor white space, nor of a class of its own.
    other: u64,
    /// What no alternative begins with.
    unmatched: u64,
}

impl Block {
    /// Where pieces begin.
    #[inline(always)]
    pub(super) fn cuts(&self, family: &Family) -> Cuts {
        let valid = low(self.count);
        let unmatched = if family.isolated { self.upper & !self.ideograph } else { 0 };
        let classed = self.letter | self.number | self.space | self.mark | self.ideograph | unmatched;
        let mut algebra = Algebra {
            block: self,
            family,
            valid,
            usable: valid,
            joins: 0,
            letter: self.letter & !self.ideograph,
            other: valid & !classed,
            unmatched,
        };
        algebra.ideographs();
        let tail = algebra.tail();
        let white = algebra.white_space(tail);
        let single = algebra.others();
        algebra.words(white, single);
        algebra.numbers();
        let apostrophes = algebra.apostrophes(single);
        let Algebra { usable, joins, .. } = algebra;
        Cuts { begins: (valid & !joins | 1) & usable, usable, apostrophes }
    }
}

impl Algebra<'_> {
    /// Ideographs join each other; what is rare among them is left to the plain code.
    #[inline(always)]
    fn ideographs(&mut self) {
        let Block { letter, number, ideograph, blank, mark, upper, .. } = *self.block;
        let rare = match self.family.ideographs {
            Ideographs::None => return,
            Ideographs::Han => {
                self.joins |= ideograph & (ideograph << 1);
                // Han numbers may end a group of numbers, other signs a run of others.
                let signs = ideograph & !letter & !number;
                number & ideograph & ((number & !ideograph) << 1) | signs & ((self.other | blank | mark) << 1)
            }
            Ideographs::KanjiAndKana => {
                let (letters, others) = (ideograph & letter, ideograph & !letter);
                self.joins |= letters & (letters << 1) | others & (others << 1);
                ideograph & upper
            }
        };
        self.usable &= low(rare.trailing_zeros());
    }

    /// Newlines, and slashes behind them, that go with the others before them; tells marks that are letters from those
    /// that are others on the way.
    #[inline(always)]
    fn tail(&mut self) -> u64 {
        if !self.family.newlines {
            return 0;
        }
        let Block { newline, slash, blank, mark, .. } = *self.block;
        let follows = if self.family.slashes { newline | slash } else { newline };
        let mut tail = flood((self.other << 1) & newline, follows);
        self.other &= !tail;
        if mark != 0 {
            // Marks are others behind two others in a row, or behind a blank and another; else they are letters.
            let second = self.other & ((self.other | blank) << 1);
            let run = flood(second, self.other | mark);
            self.letter |= mark & !run;
            self.other |= mark & run;
            let behind_mark = ((mark & run) << 1) & newline;
            tail |= flood(behind_mark, newline);
            if self.family.slashes && behind_mark != 0 {
                self.usable &= low(mark.trailing_zeros());
            }
        }
        self.joins |= tail;
        tail
    }

    /// White space joins white space, but for the last before something else and what follows the last newline.
    /// Returns the white space other than newlines.
    #[inline(always)]
    fn white_space(&mut self, tail: u64) -> u64 {
        let Block { space, count, is_last, .. } = *self.block;
        let newline = if self.family.newlines { self.block.newline & !tail } else { 0 };
        let white = space & !newline & !tail;
        let trailing = (space << (64 - count)).leading_ones();
        if !is_last {
            // What the white space before the end of the block goes with is not known yet.
            self.usable &= low(count - trailing + 1);
        }
        let text_ends = if self.family.isolated { self.block.number | self.block.ideograph } else { 0 };
        let before_others = (self.valid & !space & !text_ends) >> 1;
        self.joins |= white & (white << 1) & !before_others;
        if newline == 0 {
            return white;
        }
        self.joins |= newline & ((newline | white) << 1);
        // Of the white space behind newlines, that before other newlines joins.
        let begins = white & (newline << 1);
        let mut ends = begins.wrapping_add(white) & !white & newline;
        while ends != 0 {
            self.joins |= 1 << (begins & low(ends.trailing_zeros())).ilog2();
            ends &= ends - 1;
        }
        if self.family.trailing_whole && is_last {
            let rest = self.valid & !low(count - trailing) & !tail;
            self.joins |= rest & (rest << 1);
        }
        white
    }

    /// Others join others and a blank. Returns those that begin a piece.
    #[inline(always)]
    fn others(&mut self) -> u64 {
        let follows = (self.other | self.block.blank) << 1;
        self.joins |= self.other & follows;
        self.other & !follows
    }

    /// Letters join letters and the characters that may stand before a word.
    #[inline(always)]
    fn words(&mut self, white: u64, single: u64) {
        let letter = self.letter;
        self.joins |= letter
            & match self.family.prefix {
                Prefix::Blank => (letter | self.block.blank) << 1,
                Prefix::NotNewline => (letter | white | single) << 1,
                Prefix::NotSymbol => (letter | white | self.unmatched) << 1,
            };
        if self.family.prefix == Prefix::NotSymbol {
            self.words_behind_symbols(single);
        }
        if self.family.cased {
            self.words_of_one_case();
        }
    }

    /// ASCII punctuation joins ASCII letters alone, and unmatched characters join each other unless a word follows.
    #[inline(always)]
    fn words_behind_symbols(&mut self, single: u64) {
        let Block { ascii, count, is_last, .. } = *self.block;
        let letters = self.letter & ascii;
        let begins = ((single & ascii) << 1) & letters;
        self.joins |= begins;
        self.joins &= !(begins.wrapping_add(letters) & !letters);

        let unmatched = self.unmatched;
        self.joins |= unmatched & (unmatched << 1) & !(self.letter >> 1);
        if !is_last {
            self.usable &= !(unmatched & (1 << (count - 1)));
        }
    }

    /// Words end before upper case behind lower case.
    ///
    /// A word is capitals and caseless letters, then small and caseless ones. Without small ones it ends at the last
    /// caseless letter, if there is one.
    #[inline(always)]
    fn words_of_one_case(&mut self) {
        let Block { upper, lower, count, is_last, .. } = *self.block;
        let small = self.letter & !upper;
        let caseless = small & !lower;
        let cuts = upper & (flood(lower, small) << 1);
        self.joins &= !cuts;
        let mut open = upper & (caseless << 1) & !cuts;
        while open != 0 {
            let begin = open.trailing_zeros();
            let end = begin + (upper >> begin).trailing_ones();
            if end >= count && !is_last {
                self.usable &= low(begin);
                return;
            }
            if end >= count || self.letter & (1 << end) == 0 {
                self.joins &= !(1 << begin);
            }
            open &= open - 1;
        }
    }

    /// Numbers join numbers up to the size of a group, and perhaps a blank.
    #[inline(always)]
    fn numbers(&mut self) {
        let number = self.block.number & !self.block.ideograph;
        self.joins |= match self.family.number_group {
            0 => number & (number << 1),
            1 => 0,
            size => number & (number << 1) & !group_begins(number, u32::from(size)),
        };
        if self.family.number_blank {
            self.joins |= number & (self.block.blank << 1);
        }
    }

    /// Apostrophes that may begin a contraction: one or two letters follow, as far as the block shows.
    #[inline(always)]
    fn apostrophes(&self, single: u64) -> u64 {
        let Block { apostrophe, count, is_last, .. } = *self.block;
        let beyond = if is_last { 0 } else { 1 << (count - 1) };
        let before_letter = (self.letter >> 1) | beyond;
        apostrophe
            & single
            & before_letter
            & match self.family.contractions {
                Contractions::None => 0,
                Contractions::Exact => u64::MAX,
                // Nothing changes where no word follows the contraction.
                Contractions::Folded => (self.letter >> 2) | beyond | (beyond >> 1),
                Contractions::Suffix => self.letter << 1,
            }
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
