//! The characters of a block that are not ASCII, for the vector paths.
//!
//! They are looked up one by one, which is cheap because their positions come from a mask and do not wait for each
//! other. A block that is not valid UTF-8 is decoded character by character.

use super::block::low;
use super::classes::{Roles, role};
use super::level::{BLOCK, WINDOW};

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
