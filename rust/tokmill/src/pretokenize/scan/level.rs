//! Chunks from text, with what the machine offers.
//!
//! ASCII goes through a table of 128 roles, the other characters through one of their leading bytes.

use super::chunk::{APOSTROPHE, ASCII, BLANK, Chunk, Row, SLASH, WIDTH, has_row};
use super::classes::Roles;
use super::family::Family;

/// A way of making chunks and pieces.
pub(super) trait Level {
    /// Finds where the characters of the chunk at the begin of `text` begin and, if it is UTF-8, their roles, for a chunk
    /// that is not ASCII. Returns whether it is UTF-8; if not, the chunk means nothing.
    fn split(roles: &Roles, text: &[u8], chunk: &mut Chunk) -> bool;

    /// Makes the rows of a chunk, whose text is ASCII or split.
    fn fill_rows(family: &Family, roles: &Roles, text: &[u8], chunk: &mut Chunk);

    /// Adds the pieces that end before the characters `ends` of a block, the first of which begins with the block. The
    /// block begins with the character `first` of the chunk, and the chunk is at `offset`.
    #[inline(always)]
    fn push(pieces: &mut Vec<(u32, u32)>, chunk: &Chunk, offset: u32, first: usize, ends: u64) {
        // Eight at a time, without a branch for each; those past the last bit are taken off again.
        let length = pieces.len() + ends.count_ones() as usize;
        let begin = offset + chunk.position(first) as u32;
        if chunk.is_ascii {
            push_eights(pieces, begin, ends, |character| offset + (first + character) as u32);
        } else if let Some(begins) = chunk.begins[first..].first_chunk::<WIDTH>() {
            push_eights(pieces, begin, ends, |character| offset + u32::from(begins[character % WIDTH]));
        }
        pieces.truncate(length);
    }
}

/// Pushes a piece for each bit and, up to a multiple of eight, some more, given where the first begins and where
/// characters begin.
#[inline(always)]
fn push_eights(pieces: &mut Vec<(u32, u32)>, mut begin: u32, mut ends: u64, position: impl Fn(usize) -> u32) {
    while ends != 0 {
        let mut eight = [(0, 0); 8];
        for piece in &mut eight {
            let end = position(ends.trailing_zeros() as usize);
            *piece = (begin, end);
            begin = end;
            ends &= ends.wrapping_sub(1);
        }
        pieces.extend_from_slice(&eight);
    }
}

/// Plain code for any machine.
pub(super) struct Portable;

impl Level for Portable {
    fn split(roles: &Roles, text: &[u8], chunk: &mut Chunk) -> bool {
        chunk.decode(roles, text);
        true
    }

    fn fill_rows(family: &Family, roles: &Roles, text: &[u8], chunk: &mut Chunk) {
        let firsts = if chunk.is_ascii { &text[..chunk.count] } else { &chunk.firsts[..chunk.count] };
        let words = firsts.len().div_ceil(WIDTH);
        for (word, firsts) in firsts.chunks(WIDTH).enumerate() {
            let mut classes = [0; WIDTH];
            let mut signs = [0; WIDTH];
            let longer = &chunk.longer_roles[word * WIDTH..];
            for (((class, sign), &byte), &longer) in classes.iter_mut().zip(&mut signs).zip(firsts).zip(longer) {
                *class = if byte < 0x80 { roles.ascii[byte as usize] } else { longer };
                *sign = SIGNS[byte as usize];
            }
            for role in (0..8).filter(|&role| has_row(family, role)) {
                set_word(&mut chunk.rows[role], word, mask(&classes, role as u32));
            }
            for (bit, row) in [ASCII, BLANK, APOSTROPHE, SLASH].into_iter().enumerate() {
                set_word(&mut chunk.rows[row], word, mask(&signs, bit as u32));
            }
        }
        for row in &mut chunk.rows {
            set_word(row, words, 0);
        }
    }
}

/// Sets 64 bits of a row.
#[inline(always)]
pub(super) fn set_word(row: &mut Row, word: usize, bits: u64) {
    row[word * 8..word * 8 + 8].copy_from_slice(&bits.to_le_bytes());
}

/// Whether a text is ASCII, compiled for what the caller has.
#[inline(always)]
pub(super) fn is_ascii(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<64>();
    let all = words.iter().fold([0; 64], |mut all, word| {
        for (all, byte) in all.iter_mut().zip(word) {
            *all |= byte;
        }
        all
    });
    all.iter().chain(rest).fold(0, |all, byte| all | byte) < 0x80
}

/// Which of the characters that have rows of their own begins with a byte.
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
fn mask(bytes: &[u8; WIDTH], bit: u32) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // Moves the lowest bits of eight bytes into the highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    bytes.as_chunks::<8>().0.iter().rev().fold(0, |mask, &word| {
        let bits = (u64::from_le_bytes(word) >> bit & ONES).wrapping_mul(GATHER) >> 56;
        mask << 8 | bits
    })
}
