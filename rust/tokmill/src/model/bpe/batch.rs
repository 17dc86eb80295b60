//! Merging several pieces side by side.
//!
//! A merge waits for the one before it: for the least product of the piece, then for the pair table. Pieces do not wait
//! for each other, so [`super::lanes`] makes one merge in each of several at a time. Here is what goes before: what the
//! pieces begin with, and the first products.

// What the vector paths call is compiled for their instructions only where it is inlined.
#![allow(clippy::inline_always)]

use std::ops::{Range, RangeInclusive};

use super::lanes::{Lane, PLACES, Questions, merge, no_questions};
use super::starts::Starts;
use super::symbols::{NO_SYMBOL, NONE, Symbols};

/// The fewest and the most bytes of a part of a long piece.
const PART: RangeInclusive<usize> = 24..=56;

/// Pieces that are merged side by side.
#[derive(Debug)]
pub(super) struct Batch {
    lanes: Vec<Lane>,
    /// Lanes that are in use.
    len: usize,
    /// The lanes of each piece: one, or those of its parts.
    pieces: Vec<Range<usize>>,
    /// The pieces that were put in part by part, end to end.
    text: Vec<u8>,
    /// Those that are not merged yet, by the number of their places: up to 16, 32, and [`PLACES`].
    waiting: [Vec<usize>; 3],
    questions: Box<Questions>,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            lanes: Vec::new(),
            len: 0,
            pieces: Vec::new(),
            text: Vec::new(),
            waiting: Default::default(),
            questions: Box::new(no_questions()),
        }
    }
}

impl Batch {
    /// The most symbols that a piece may begin with, and the most bytes where it is put in part by part.
    const MOST: usize = PLACES - 2;
    const LONGEST: usize = 2048;

    /// Forgets the pieces.
    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.pieces.clear();
        self.text.clear();
    }

    /// Puts in a non-empty piece, whose bytes all have entries; `false` where it begins with too many symbols. It begins
    /// with its bytes, or with what `starts` says.
    #[inline]
    pub(super) fn push(&mut self, starts: Option<&Starts>, piece: &[u8]) -> bool {
        let pushed = self.push_lane(starts, piece);
        if pushed {
            self.pieces.push(self.len - 1..self.len);
        }
        pushed
    }

    /// Puts in a piece that is too long for [`Self::push`], part by part; `false` where it is too long for that as well.
    /// The parts are joined by [`Scratch::join`](super::merge::Scratch::join).
    pub(super) fn push_parts(&mut self, starts: &Starts, piece: &[u8]) -> bool {
        if piece.len() > Self::LONGEST {
            return false;
        }
        let begin = self.len;
        let mut rest = piece;
        while rest.len() > *PART.end() {
            // Where the first merge across comes late, it is unlikely that there is one at all.
            let cut = PART.max_by_key(|&at| starts.before(rest, at)).unwrap_or(*PART.end());
            let (part, after) = rest.split_at(cut);
            self.push_lane(Some(starts), part);
            rest = after;
        }
        self.push_lane(Some(starts), rest);
        self.pieces.push(begin..self.len);
        self.text.extend_from_slice(piece);
        true
    }

    #[inline]
    fn push_lane(&mut self, starts: Option<&Starts>, piece: &[u8]) -> bool {
        if self.len == self.lanes.len() {
            self.lanes.push(Lane::default());
        }
        let Lane { symbols, of_bytes, .. } = &mut self.lanes[self.len];
        *of_bytes = starts.is_none() || piece.is_ascii();
        let count = match starts {
            Some(starts) if !*of_bytes => match begin_with(symbols, starts, piece) {
                Some(count) => count,
                None => return false,
            },
            _ if piece.len() > Self::MOST => return false,
            _ => {
                for (symbol, &byte) in symbols[1..].iter_mut().zip(piece) {
                    *symbol = byte.into();
                }
                piece.len()
            }
        };
        symbols[count + 1] = NO_SYMBOL;
        self.lanes[self.len].live = u64::MAX >> (Self::MOST - count);
        let queue = match count + 2 {
            ..=16 => 0,
            17..=32 => 1,
            _ => 2,
        };
        self.waiting[queue].push(self.len);
        self.len += 1;
        true
    }

    /// How many pieces there are.
    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// How many parts a piece has.
    pub(super) fn parts(&self, piece: usize) -> usize {
        self.pieces[piece].len()
    }

    /// The pieces that were put in part by part, end to end.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Merges all pieces; `starts` is of the same symbols, if there is one.
    pub(super) fn merge(&mut self, symbols: &Symbols, starts: Option<&Starts>) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            let has_avx2 = has!("avx2") && has!("bmi1") && has!("bmi2") && has!("lzcnt");
            if has_avx2
                && has!("avx512f")
                && has!("avx512dq")
                && has!("avx512cd")
                && has!("avx512bw")
                && has!("avx512vl")
            {
                // SAFETY: the processor has what the function is compiled for.
                return unsafe { self.merge_avx512(symbols, starts) };
            }
            if has_avx2 {
                // SAFETY: the processor has what the function is compiled for.
                return unsafe { self.merge_avx2(symbols, starts) };
            }
        }
        self.run(symbols, starts);
    }

    /// The same, compiled for processors that work on sixteen words at once.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,avx512f,avx512dq,avx512cd,avx512bw,avx512vl")]
    fn merge_avx512(&mut self, symbols: &Symbols, starts: Option<&Starts>) {
        self.run(symbols, starts);
    }

    /// The same, compiled for processors that work on eight words at once.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
    fn merge_avx2(&mut self, symbols: &Symbols, starts: Option<&Starts>) {
        self.run(symbols, starts);
    }

    #[inline(always)]
    fn run(&mut self, symbols: &Symbols, starts: Option<&Starts>) {
        let Self { lanes, waiting: [short, medium, long], questions, .. } = self;
        merge::<16>(symbols, starts, lanes, short, questions);
        merge::<32>(symbols, starts, lanes, medium, questions);
        merge::<PLACES>(symbols, starts, lanes, long, questions);
        self.waiting.iter_mut().for_each(Vec::clear);
    }

    /// The symbols that a part of a piece was merged into.
    pub(super) fn symbols(&self, piece: usize, part: usize) -> impl Iterator<Item = u32> {
        let lane = &self.lanes[self.pieces[piece].start + part];
        // Neither the place before the piece nor the one behind it.
        let mut live = lane.live & lane.live.wrapping_sub(1);
        (1..live.count_ones()).map(move |_| {
            let place = live.trailing_zeros() as usize;
            live &= live.wrapping_sub(1);
            lane.symbols[place % PLACES]
        })
    }
}

/// Writes the symbols that a piece begins with, from place 1 on, and gives their number, unless that is too much.
#[inline]
fn begin_with(symbols: &mut [u32; PLACES], starts: &Starts, piece: &[u8]) -> Option<usize> {
    let (mut at, mut count, mut before) = (0, 0, NONE);
    while at < piece.len() {
        if count == Batch::MOST {
            return None;
        }
        let (symbol, len, behind) = starts.at(piece, at, before);
        count += 1;
        symbols[count % PLACES] = symbol;
        at += len;
        before = behind;
    }
    Some(count)
}
