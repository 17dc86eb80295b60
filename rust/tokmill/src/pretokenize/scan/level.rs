//! Blocks from text: 64 bytes become masks, with what the machine offers.
//!
//! ASCII goes through a table of 128 roles, the other characters of a block through one of their leading bytes.

use super::block::{Block, low};
use super::classes::{Roles, role};

/// Bytes in a block.
pub(super) const BLOCK: usize = 64;
/// A block with the rest of its last character.
pub(super) const WINDOW: usize = BLOCK + 4;

/// A way of making blocks.
pub(super) trait Level {
    /// The block at the beginning of `window`, of whose bytes `length`, up to 64, belong to the text. The bytes of the
    /// text after these follow, then zeros.
    fn block(roles: &Roles, window: &[u8; WINDOW], length: usize) -> Block;

    /// The bytes of a block at which the given characters begin.
    fn to_bytes(block: &Block, characters: u64) -> u64;

    /// Adds the pieces that end at the bytes `ends` of a block, the first of which begins with the block. The block
    /// is at `offset`. Returns the end of the last.
    #[inline(always)]
    fn push(pieces: &mut Vec<(u32, u32)>, offset: u32, mut ends: u64) -> u32 {
        // Eight at a time, without a branch for each; those past the last bit are taken off again.
        let length = pieces.len() + ends.count_ones() as usize;
        let last = offset + (ends | 1).ilog2();
        let mut begin = offset;
        while ends != 0 {
            pieces.extend([(); 8].map(|()| {
                let piece = (begin, offset + ends.trailing_zeros());
                begin = piece.1;
                ends &= ends.wrapping_sub(1);
                piece
            }));
        }
        pieces.truncate(length);
        last
    }
}

/// Plain code for any machine.
pub(super) struct Portable;

impl Level for Portable {
    fn block(roles: &Roles, window: &[u8; WINDOW], length: usize) -> Block {
        let mut classes = [0; BLOCK];
        let mut signs = [0; BLOCK];
        let mut count = length;
        let mut starts = low(length as u32);
        if window[..BLOCK].is_ascii() {
            for ((class, sign), &byte) in classes.iter_mut().zip(&mut signs).zip(window) {
                *class = roles.ascii[byte as usize];
                *sign = SIGNS[byte as usize];
            }
        } else {
            count = 0;
            starts = 0;
            let mut at = 0;
            while at < length {
                let (role, length) = character(roles, window, at);
                classes[count] = role;
                signs[count] = SIGNS[window[at] as usize];
                count += 1;
                starts |= 1 << at;
                at += length;
            }
        }
        let valid = low(count as u32);
        let of = |role: u8| valid & mask(&classes, role.trailing_zeros());
        let sign = |bit: u32| valid & mask(&signs, bit);
        Block {
            letter: of(role::LETTER),
            number: of(role::NUMBER),
            space: of(role::SPACE),
            newline: of(role::NEWLINE),
            upper: of(role::UPPER),
            lower: of(role::LOWER),
            mark: of(role::MARK),
            ideograph: of(role::IDEOGRAPH),
            ascii: sign(0),
            blank: sign(1),
            apostrophe: sign(2),
            slash: sign(3),
            count: count as u32,
            is_last: false,
            starts,
        }
    }

    fn to_bytes(block: &Block, characters: u64) -> u64 {
        let mut starts = block.starts;
        if starts & starts.wrapping_add(1) == 0 {
            return characters;
        }
        let mut characters = characters;
        let mut bytes = 0;
        while characters != 0 {
            let lowest = starts & starts.wrapping_neg();
            bytes |= lowest & 0_u64.wrapping_sub(characters & 1);
            starts ^= lowest;
            characters >>= 1;
        }
        bytes
    }
}

/// Which of the characters that have masks of their own begins with a byte.
static SIGNS: [u8; 256] = {
    let mut signs = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        signs[byte] = 1;
        byte += 1;
    }
    signs[b' ' as usize] |= 1 << 1;
    signs[b'\'' as usize] |= 1 << 2;
    signs[b'/' as usize] |= 1 << 3;
    signs
};

/// One bit a byte: the given bit of each.
#[inline(always)]
fn mask(bytes: &[u8; BLOCK], bit: u32) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // Moves the lowest bits of eight bytes into the highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    bytes.as_chunks::<8>().0.iter().rev().fold(0, |mask, &word| {
        let bits = (u64::from_le_bytes(word) >> bit & ONES).wrapping_mul(GATHER) >> 56;
        mask << 8 | bits
    })
}

/// The role and length of the character at `at`.
fn character(roles: &Roles, window: &[u8; WINDOW], at: usize) -> (u8, usize) {
    let bytes: [u8; 4] = window[at..at + 4].try_into().expect("four bytes");
    let goes_on = |byte: u8| byte & 0xC0 == 0x80;
    let length = match bytes[0] {
        0xC0..0xE0 if goes_on(bytes[1]) => 2,
        0xE0..0xF0 if goes_on(bytes[1]) && goes_on(bytes[2]) => 3,
        _ => return roles.at(window, at),
    };
    match roles.short(bytes) {
        role::INVALID => roles.at(window, at),
        role => (role, length),
    }
}
