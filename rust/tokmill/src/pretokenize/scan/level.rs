//! Blocks from text: 64 bytes become masks, with what the machine offers.
//!
//! ASCII goes through a table of 128 roles held in registers. The other characters of a block are looked up one by
//! one, which is cheap because their positions come from a mask and do not wait for each other. A block that is not
//! valid UTF-8 is decoded character by character.

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
                let (role, length) = roles.at(window, at);
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

/// What is known of the bytes of a block before its longer characters are looked up, as masks.
pub(super) struct Shape {
    /// Bytes that are not ASCII.
    pub(super) high: u64,
    /// Bytes from 0xC0, which begin characters of two bytes or more.
    pub(super) lead: u64,
    /// Bytes from 0xE0, which begin characters of three bytes or more.
    pub(super) three: u64,
    /// Bytes from 0xF0, which begin characters of four bytes.
    pub(super) four: u64,
}

impl Shape {
    /// Puts the roles of the characters that are not ASCII into `classes` at their first bytes and returns where the
    /// characters of the block begin.
    #[inline(always)]
    pub(super) fn look_up(
        &self,
        roles: &Roles,
        window: &[u8; WINDOW],
        length: usize,
        classes: &mut [u8; BLOCK],
    ) -> u64 {
        let continuation = self.high & !self.lead;
        let expected = self.lead << 1 | self.three << 2 | self.four << 3;
        // A character that goes on behind the block is left to the next; at the end of the text it is invalid.
        let goes_on = self.lead >> 63 | self.three >> 62 | self.four >> 61;
        let whole = if goes_on == 0 || length < BLOCK { u64::MAX } else { low(self.lead.ilog2()) };
        // The first byte of that character ends the one before it, too.
        if (expected ^ continuation) & (whole << 1 | 1) != 0 {
            return decode(roles, window, length, classes);
        }
        let text_length = length;
        let mut leads = self.lead & whole;
        while leads != 0 {
            let at = leads.trailing_zeros() as usize;
            leads &= leads - 1;
            let bytes: [u8; 4] = window[at..at + 4].try_into().expect("four bytes");
            let mut role = roles.short(bytes);
            if role == role::INVALID {
                let (found, length) = roles.at(window, at);
                if length != 4 {
                    return decode(roles, window, text_length, classes);
                }
                role = found;
            }
            classes[at] = role;
        }
        low(length as u32) & !continuation & whole
    }
}

/// The same, byte by byte, for blocks that are not valid UTF-8.
#[cold]
fn decode(roles: &Roles, window: &[u8; WINDOW], length: usize, classes: &mut [u8; BLOCK]) -> u64 {
    let mut starts = 0;
    let mut at = 0;
    while at < length {
        let (role, length) = roles.at(window, at);
        classes[at] = role;
        starts |= 1 << at;
        at += length;
    }
    starts
}
