//! Characters that become one symbol before anything else happens to their bytes.
//!
//! Most characters beyond ASCII are entries of two to four bytes that are made early, and so are the two bytes that many
//! of the others begin with. Merging begins with such a character, or such two bytes, instead of with single bytes, where
//! that can make no difference: every merge that would reach from a byte of it to a neighbour comes later than the ones
//! that make it. What comes about while it is made is then the same, and so is what follows, as the merges that it takes
//! part in itself reach to neighbours too.
//!
//! Which merges reach across a border is told by the two bytes at its sides alone, a coarse but safe test.

// What the vector path calls is compiled for its instructions only where it is inlined.
#![allow(clippy::inline_always)]

use super::alphabet::CharTable;
use super::symbols::{NONE, Symbols};
use crate::vocab::Vocab;

/// The characters that merging may begin with, and the test for each place.
#[derive(Clone, Debug)]
pub(super) struct Starts {
    /// Symbols of characters of several bytes that merging makes of their bytes.
    chars: CharTable,
    /// Symbols of the first two bytes of longer characters.
    halves: Box<[u32]>,
    /// For each two bytes, the first of all products that are made of a symbol that ends with the one and a symbol that
    /// begins with the other; [`NONE`] where there is none.
    across: Box<[u32]>,
}

impl Starts {
    /// Looks at all products of a byte-level vocabulary.
    pub(super) fn new(vocab: &Vocab, symbols: &Symbols) -> Self {
        let mut starts = Self {
            chars: CharTable::default(),
            halves: vec![NONE; HALVES].into_boxed_slice(),
            across: vec![NONE; 1 << 16].into_boxed_slice(),
        };
        for (symbol, left) in symbols.products() {
            let (Some(key), left_len) = (vocab.key(symbols.id(symbol)), symbols.len(left)) else { continue };
            let across = &mut starts.across[border(key[left_len - 1], key[left_len])];
            *across = symbol.min(*across);
            if let &[first @ 0xE0..0xF5, second @ 0x80..0xC0] = key {
                starts.halves[half(first, second)] = symbol;
            } else if key[0] >= 0xC2
                && let Some((code, len)) = character(key, 0)
                && len == key.len()
                && last_made(symbols, symbol) == symbol
            {
                starts.chars.insert(code, symbol);
            }
        }
        starts
    }

    /// The symbol that the bytes of `piece` from `at` on begin with, its length in bytes, and what [`Self::before`] says of
    /// its end: a character that nothing disturbs, else its first two bytes, else a single byte. `before` is what that
    /// says of `at`.
    #[inline(always)]
    pub(super) fn at(&self, piece: &[u8], at: usize, before: u32) -> (u32, usize, u32) {
        let first = piece[at];
        if first >= 0xC2
            && let Some((code, len)) = character(piece, at)
        {
            let behind = self.before(piece, at + len);
            let symbol = self.chars.get(code);
            // Never where there is no symbol.
            if symbol < before.min(behind) {
                return (symbol, len, behind);
            }
            if len > 2 {
                let inside = self.across(piece[at + 1], piece[at + 2]);
                let symbol = self.halves[half(first, piece[at + 1])];
                if symbol < before.min(inside) {
                    return (symbol, 2, inside);
                }
            }
        }
        (first.into(), 1, self.before(piece, at + 1))
    }

    /// The first product that is made across the border before byte `at`; [`NONE`] at the ends of a piece.
    #[inline(always)]
    pub(super) fn before(&self, piece: &[u8], at: usize) -> u32 {
        if at == 0 || at >= piece.len() { NONE } else { self.across(piece[at - 1], piece[at]) }
    }

    /// The first product that is made across a border of two bytes.
    #[inline(always)]
    pub(super) fn across(&self, left: u8, right: u8) -> u32 {
        self.across[border(left, right)]
    }
}

/// Pairs of the first two bytes of characters of three or four bytes.
const HALVES: usize = (0xF5 - 0xE0) << 6;

/// The number of such a pair.
#[inline(always)]
fn half(first: u8, second: u8) -> usize {
    usize::from(first - 0xE0) << 6 | usize::from(second & 0x3F)
}

fn border(left: u8, right: u8) -> usize {
    usize::from(left) << 8 | usize::from(right)
}

/// The character of several bytes at `at`, whose first byte is at least 0xC2, and its length; `None` where there is none, as
/// where bytes spell a character at greater length than UTF-8 does.
#[inline(always)]
fn character(text: &[u8], at: usize) -> Option<(u32, usize)> {
    let tail = |index: usize| text.get(at + index).map(|&byte| u32::from(byte)).filter(|byte| byte & 0xC0 == 0x80);
    let first = u32::from(text[at]);
    let bits = |tail: u32| tail & 0x3F;
    match first {
        ..0xE0 => Some(((first & 0x1F) << 6 | bits(tail(1)?), 2)),
        0xE0..0xF0 => {
            let code = (first & 0x0F) << 12 | bits(tail(1)?) << 6 | bits(tail(2)?);
            (code >= 0x800).then_some((code, 3))
        }
        0xF0..0xF5 => {
            let code = (first & 0x07) << 18 | bits(tail(1)?) << 12 | bits(tail(2)?) << 6 | bits(tail(3)?);
            (code >= 0x1_0000).then_some((code, 4))
        }
        _ => None,
    }
}

/// The last of the merges that make a symbol: its own, but in lists that no trainer could have made.
fn last_made(symbols: &Symbols, symbol: u32) -> u32 {
    match symbols.parts(symbol) {
        None => 0,
        Some((left, right)) => symbol.max(last_made(symbols, left)).max(last_made(symbols, right)),
    }
}
