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
}

/// Plain code for any machine.
pub(super) struct Portable;

impl Level for Portable {
    fn block(roles: &Roles, window: &[u8; WINDOW], length: usize) -> Block {
        let mut characters = [0; BLOCK];
        let mut bytes = [0; BLOCK];
        let mut count = 0;
        let mut starts = 0;
        if window[..BLOCK].is_ascii() {
            for (role, &byte) in characters.iter_mut().zip(window) {
                *role = roles.ascii[byte as usize];
            }
            bytes.copy_from_slice(&window[..BLOCK]);
            count = length;
            starts = low(length as u32);
        } else {
            let mut at = 0;
            while at < length {
                let (role, length) = roles.at(window, at);
                characters[count] = role;
                bytes[count] = window[at];
                count += 1;
                starts |= 1 << at;
                at += length;
            }
        }
        let valid = low(count as u32);
        let of = |role: u8| valid & mask(&characters, |character| character & role != 0);
        Block {
            letter: of(role::LETTER),
            number: of(role::NUMBER),
            space: of(role::SPACE),
            newline: of(role::NEWLINE),
            upper: of(role::UPPER),
            lower: of(role::LOWER),
            mark: of(role::MARK),
            ideograph: of(role::IDEOGRAPH),
            blank: valid & mask(&bytes, |byte| byte == b' '),
            apostrophe: valid & mask(&bytes, |byte| byte == b'\''),
            slash: valid & mask(&bytes, |byte| byte == b'/'),
            ascii: valid & mask(&bytes, |byte| byte < 0x80),
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

/// One bit a byte, where `is` holds.
#[inline(always)]
fn mask(bytes: &[u8; BLOCK], is: impl Fn(u8) -> bool) -> u64 {
    bytes.iter().enumerate().fold(0, |mask, (at, &byte)| mask | u64::from(is(byte)) << at)
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
        // A character that goes on behind the block is left to the next.
        let goes_on = self.lead >> 63 | self.three >> 62 | self.four >> 61;
        let whole = if goes_on == 0 { u64::MAX } else { low(63 - self.lead.leading_zeros()) };
        // The first byte of that character ends the one before it, too.
        if (expected ^ continuation) & (whole << 1 | 1) != 0 {
            return decode(roles, window, length, classes);
        }
        let mut leads = self.lead & whole;
        while leads != 0 {
            let at = leads.trailing_zeros() as usize;
            leads &= leads - 1;
            let bytes: [u8; 4] = window[at..at + 4].try_into().expect("four bytes");
            let role = if bytes[0] < 0xF0 { roles.short(u32::from_le_bytes(bytes)) } else { roles.at(window, at).0 };
            if role == role::INVALID || bytes[0] >= 0xF0 && roles.at(window, at).1 != 4 {
                return decode(roles, window, length, classes);
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
