//! A stretch of text as its characters, and what is known of each, as one row of bits for each role.
//!
//! Everything here is made for the whole stretch before pieces are looked for, so that the steps from one piece boundary
//! to the next wait for nothing but a few loads and the algebra on them.

use super::block::Block;
use super::classes::{Roles, role};
use super::family::Family;

/// The most bytes of a chunk, which keeps it and what is made of it in the first-level cache.
pub(super) const CHUNK: usize = 1024;
/// What is written at a time, and so may be written or read behind the last character.
pub(super) const WIDTH: usize = 64;

/// The rows of bits: those of the roles, by the number of their bit, and others behind.
const LETTER: usize = role::LETTER.trailing_zeros() as usize;
const NUMBER: usize = role::NUMBER.trailing_zeros() as usize;
const SPACE: usize = role::SPACE.trailing_zeros() as usize;
const NEWLINE: usize = role::NEWLINE.trailing_zeros() as usize;
const UPPER: usize = role::UPPER.trailing_zeros() as usize;
const LOWER: usize = role::LOWER.trailing_zeros() as usize;
const MARK: usize = role::MARK.trailing_zeros() as usize;
const IDEOGRAPH: usize = role::IDEOGRAPH.trailing_zeros() as usize;
pub(super) const BLANK: usize = 8;
pub(super) const APOSTROPHE: usize = 9;
pub(super) const SLASH: usize = 10;
pub(super) const ASCII: usize = 11;
pub(super) const ROWS: usize = 12;

/// Whether a row is made and read for a family.
#[inline(always)]
pub(super) const fn has_row(family: &Family, row: usize) -> bool {
    match row {
        LETTER | NUMBER | SPACE | BLANK => true,
        NEWLINE => family.newlines,
        UPPER => family.has_upper(),
        LOWER => family.cased,
        MARK => family.has_marks(),
        IDEOGRAPH => family.has_ideographs(),
        APOSTROPHE => family.has_contractions(),
        SLASH => family.slashes,
        _ => family.tells_ascii(),
    }
}

/// A row: a bit for each character, with zeros behind.
pub(super) type Row = [u8; (CHUNK + WIDTH) / 8];

/// The characters of a stretch of text that begins where a piece begins.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Where it begins.
    pub(super) base: usize,
    /// Its bytes.
    pub(super) bytes: usize,
    /// Its characters.
    pub(super) count: usize,
    /// Whether all bytes are ASCII; then the three lists that follow mean nothing.
    pub(super) is_ascii: bool,
    /// The first byte of each character.
    pub(super) firsts: [u8; CHUNK + WIDTH],
    /// Where each character begins.
    pub(super) begins: [u16; CHUNK + WIDTH],
    /// The role of each character that is not ASCII.
    pub(super) longer_roles: [u8; CHUNK + WIDTH],
    /// The numbers of the characters that are not ASCII, where they are looked up one by one.
    pub(super) longer: [u16; CHUNK + WIDTH],
    /// The second byte of each character that has one, and its last byte if it has not more than three, where they are
    /// looked up together.
    pub(super) seconds: [u8; CHUNK + WIDTH],
    pub(super) lasts: [u8; CHUNK + WIDTH],
    pub(super) rows: [Row; ROWS],
}

/// Characters of a chunk that are of one text.
pub(super) struct Part {
    /// The first.
    pub(super) first: usize,
    /// Behind the last.
    pub(super) end: usize,
    /// Whether the text ends with them.
    pub(super) is_last: bool,
}

impl Default for Chunk {
    fn default() -> Self {
        Self {
            base: 0,
            bytes: 0,
            count: 0,
            is_ascii: true,
            firsts: [0; CHUNK + WIDTH],
            begins: [0; CHUNK + WIDTH],
            longer_roles: [0; CHUNK + WIDTH],
            longer: [0; CHUNK + WIDTH],
            seconds: [0; CHUNK + WIDTH],
            lasts: [0; CHUNK + WIDTH],
            rows: [[0; (CHUNK + WIDTH) / 8]; ROWS],
        }
    }
}

impl Chunk {
    /// Where a character begins.
    #[inline(always)]
    pub(super) fn position(&self, character: usize) -> usize {
        if self.is_ascii { character } else { self.begins[character] as usize }
    }

    /// The character that begins at a byte, which is not before the one `from`.
    pub(super) fn character_at(&self, from: usize, position: usize) -> usize {
        if self.is_ascii {
            return position;
        }
        let bytes = position - self.begins[from] as usize;
        let begins = &self.begins[from..self.count.min(from + bytes)];
        from + begins.partition_point(|&begin| (begin as usize) < position)
    }

    /// The part from a character on of a text that ends at `stop`.
    #[inline(always)]
    pub(super) fn part(&self, first: usize, stop: usize) -> Part {
        let is_last = stop - self.base <= self.bytes;
        let goes_on = stop - self.base >= self.bytes;
        Part { first, end: if goes_on { self.count } else { self.character_at(first, stop - self.base) }, is_last }
    }

    /// The block of characters of a part from one on.
    #[inline(always)]
    pub(super) fn block(&self, family: &Family, first: usize, part: &Part) -> Block {
        let left = part.end - first;
        let count = left.min(64 - first % 8);
        // There is one character at least.
        let inside = u64::MAX >> (64 - count);
        let row = |row: usize| {
            if !has_row(family, row) {
                return 0;
            }
            let bytes = self.rows[row][first / 8 % (CHUNK / 8)..].first_chunk().expect("a word is behind each row");
            u64::from_le_bytes(*bytes) >> (first % 8) & inside
        };
        Block {
            letter: row(LETTER),
            number: row(NUMBER),
            space: row(SPACE),
            newline: row(NEWLINE),
            upper: row(UPPER),
            lower: row(LOWER),
            mark: row(MARK),
            ideograph: row(IDEOGRAPH),
            blank: row(BLANK),
            apostrophe: row(APOSTROPHE),
            slash: row(SLASH),
            ascii: row(ASCII),
            count: count as u32,
            is_last: part.is_last && count == left,
        }
    }

    /// Looks up the roles of the characters that are not ASCII in a chunk at the begin of `text` of which it is known
    /// where characters begin, if it is UTF-8. Returns whether it is.
    #[inline(always)]
    pub(super) fn look_up_longer(&mut self, roles: &Roles, text: &[u8], longer: usize) -> bool {
        for &character in &self.longer[..longer] {
            let character = character as usize % CHUNK;
            let at = self.begins[character] as usize;
            let rest = &text[at..];
            let bytes = rest.first_chunk().copied().unwrap_or_else(|| {
                let mut bytes = [0; 4];
                bytes[..rest.len()].copy_from_slice(rest);
                bytes
            });
            let mut role = roles.short(bytes);
            if role == role::INVALID {
                let (found, length) = roles.at(text, at);
                if length != 4 {
                    return false;
                }
                role = found;
            }
            self.longer_roles[character] = role;
        }
        true
    }

    /// Reads the chunk character by character, for texts that are not UTF-8 and for machines that have no other way.
    pub(super) fn decode(&mut self, roles: &Roles, text: &[u8]) {
        let length = text.len().min(CHUNK);
        let (mut at, mut count) = (0, 0);
        while at < length {
            let (role, length) = roles.character(text, at);
            self.firsts[count] = text[at];
            self.begins[count] = at as u16;
            self.longer_roles[count] = role;
            count += 1;
            at += length;
        }
        (self.count, self.bytes) = (count, at);
    }
}
