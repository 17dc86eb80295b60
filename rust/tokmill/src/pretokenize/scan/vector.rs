//! The vector instructions of x86-64: all the unsafe code of the scanner.
//!
//! Both levels do what [`Portable`](super::level::Portable) does, and are compared with it by the tests.

use std::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm256_adds_epu8, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256,
    _mm256_max_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_storeu_si256, _mm256_xor_si256, _mm512_add_epi32,
    _mm512_alignr_epi32, _mm512_castsi512_si128, _mm512_cmpeq_epi8_mask, _mm512_cmpge_epu8_mask, _mm512_cvtepu8_epi32,
    _mm512_loadu_si512, _mm512_maskz_compress_epi8, _mm512_movepi8_mask, _mm512_permutex2var_epi8,
    _mm512_permutex2var_epi32, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_storeu_si512, _mm512_test_epi8_mask,
    _pdep_u64, _pext_u64,
};
use std::mem::offset_of;

use super::block::{Block, low};
use super::classes::{Roles, role};
use super::level::{BLOCK, Level, WINDOW};
use super::shape::Shape;
use super::{Pieces, Scanner};

/// AVX2 and BMI2.
pub(super) struct Avx2;
/// AVX-512 with the byte permutations of VBMI.
pub(super) struct Avx512;

impl Avx2 {
    pub(super) fn is_available() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
    }
}

impl Avx512 {
    pub(super) fn is_available() -> bool {
        Avx2::is_available()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512vbmi2")
    }
}

/// [`Scanner::fill_with`] compiled for AVX2.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) fn fill_avx2(scanner: &Scanner, text: &[u8], from: usize, pieces: &mut Pieces) -> usize {
    scanner.fill_with::<Avx2>(text, from, pieces)
}

/// [`Scanner::fill_with`] compiled for AVX-512.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
pub(super) fn fill_avx512(scanner: &Scanner, text: &[u8], from: usize, pieces: &mut Pieces) -> usize {
    scanner.fill_with::<Avx512>(text, from, pieces)
}

/// Masks over the bytes of a block, from which those over its characters are picked.
struct Masks {
    roles: [u64; 8],
    blank: u64,
    apostrophe: u64,
    slash: u64,
    high: u64,
    starts: u64,
}

impl Masks {
    /// SAFETY: needs BMI2.
    #[inline(always)]
    unsafe fn block(&self) -> Block {
        let starts = self.starts;
        // SAFETY: the caller has BMI2.
        let pick = |bytes| if self.high == 0 { bytes & starts } else { unsafe { _pext_u64(bytes, starts) } };
        Block {
            letter: pick(self.roles[role::LETTER.trailing_zeros() as usize]),
            number: pick(self.roles[role::NUMBER.trailing_zeros() as usize]),
            space: pick(self.roles[role::SPACE.trailing_zeros() as usize]),
            newline: pick(self.roles[role::NEWLINE.trailing_zeros() as usize]),
            upper: pick(self.roles[role::UPPER.trailing_zeros() as usize]),
            lower: pick(self.roles[role::LOWER.trailing_zeros() as usize]),
            mark: pick(self.roles[role::MARK.trailing_zeros() as usize]),
            ideograph: pick(self.roles[role::IDEOGRAPH.trailing_zeros() as usize]),
            blank: pick(self.blank),
            apostrophe: pick(self.apostrophe),
            slash: pick(self.slash),
            ascii: pick(!self.high),
            count: starts.count_ones(),
            is_last: false,
            starts,
        }
    }
}

impl Level for Avx512 {
    #[inline(always)]
    fn block(roles: &Roles, window: &[u8; WINDOW], length: usize) -> Block {
        // SAFETY: only `fill_avx512` uses this level, which is called where the features are available; the loads
        // and stores are within arrays of at least 64 bytes.
        unsafe {
            let bytes = _mm512_loadu_si512(window.as_ptr().cast());
            let lower = _mm512_loadu_si512(roles.ascii.as_ptr().cast());
            let upper = _mm512_loadu_si512(roles.ascii.as_ptr().add(64).cast());
            let mut classes = _mm512_permutex2var_epi8(lower, bytes, upper);
            let high = _mm512_movepi8_mask(bytes);
            let mut starts = low(length as u32);
            if high != 0 {
                let from = |least: u8| _mm512_cmpge_epu8_mask(bytes, _mm512_set1_epi8(least as i8));
                let shape = Shape { high, lead: from(0xC0), three: from(0xE0), four: from(0xF0) };
                let mut array = [0; BLOCK];
                _mm512_storeu_si512(array.as_mut_ptr().cast(), classes);
                starts = shape.look_up(roles, window, length, &mut array);
                classes = _mm512_loadu_si512(array.as_ptr().cast());
            }
            let is = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
            Masks {
                roles: std::array::from_fn(|bit| _mm512_test_epi8_mask(classes, _mm512_set1_epi8(1_i8 << bit))),
                blank: is(b' '),
                apostrophe: is(b'\''),
                slash: is(b'/'),
                high,
                starts,
            }
            .block()
        }
    }

    #[inline(always)]
    fn to_bytes(block: &Block, characters: u64) -> u64 {
        // SAFETY: as above.
        unsafe { _pdep_u64(characters, block.starts) }
    }

    #[inline(always)]
    fn push(pieces: &mut Vec<(u32, u32)>, offset: u32, ends: u64) -> u32 {
        const { assert!(size_of::<(u32, u32)>() == 8 && offset_of!((u32, u32), 0) == 0) };
        let count = ends.count_ones() as usize;
        pieces.reserve(BLOCK);
        // SAFETY: as above. Pairs are laid out as their two numbers in order, and those of the stores are within the
        // reserved capacity: 16 at a time, up to the multiple of 16 from `count`, which is at most 64.
        unsafe {
            let base = _mm512_set1_epi32(offset as i32);
            let mut positions = _mm512_maskz_compress_epi8(ends, _mm512_loadu_si512(POSITIONS.as_ptr().cast()));
            let mut before = base;
            let mut out = pieces.as_mut_ptr().add(pieces.len());
            let mut left = count as isize;
            while left > 0 {
                let end = _mm512_add_epi32(base, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(positions)));
                let begin = _mm512_alignr_epi32::<15>(end, before);
                let (low, high) = (_mm512_loadu_si512(LOW.as_ptr().cast()), _mm512_loadu_si512(HIGH.as_ptr().cast()));
                _mm512_storeu_si512(out.cast(), _mm512_permutex2var_epi32(begin, low, end));
                _mm512_storeu_si512(out.add(8).cast(), _mm512_permutex2var_epi32(begin, high, end));
                before = end;
                positions = _mm512_alignr_epi32::<4>(positions, positions);
                out = out.add(16);
                left -= 16;
            }
            pieces.set_len(pieces.len() + count);
        }
        offset + (ends | 1).ilog2()
    }
}

/// The positions of the bytes of a block.
pub(in crate::pretokenize) static POSITIONS: [u8; BLOCK] = {
    let mut positions = [0; BLOCK];
    let mut at = 0;
    while at < BLOCK {
        positions[at] = at as u8;
        at += 1;
    }
    positions
};

/// Which of 16 begins and 16 ends make the first and the last eight pairs.
static LOW: [u32; 16] = [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23];
static HIGH: [u32; 16] = [8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31];

impl Level for Avx2 {
    #[inline(always)]
    fn block(roles: &Roles, window: &[u8; WINDOW], length: usize) -> Block {
        // SAFETY: only `fill_avx2` uses this level, which is called where the features are available; the loads and
        // stores are within arrays of at least 64 bytes.
        unsafe {
            let first = _mm256_loadu_si256(window.as_ptr().cast());
            let second = _mm256_loadu_si256(window.as_ptr().add(32).cast());
            let mut classes = [ascii_classes(roles, first), ascii_classes(roles, second)];
            let both = |first: __m256i, second: __m256i| {
                u64::from(_mm256_movemask_epi8(first) as u32) | u64::from(_mm256_movemask_epi8(second) as u32) << 32
            };
            let high = both(first, second);
            let mut starts = low(length as u32);
            if high != 0 {
                let from = |least: u8| {
                    let least = _mm256_set1_epi8(least as i8);
                    both(
                        _mm256_cmpeq_epi8(_mm256_max_epu8(first, least), first),
                        _mm256_cmpeq_epi8(_mm256_max_epu8(second, least), second),
                    )
                };
                let shape = Shape { high, lead: from(0xC0), three: from(0xE0), four: from(0xF0) };
                let mut array = [0; BLOCK];
                _mm256_storeu_si256(array.as_mut_ptr().cast(), classes[0]);
                _mm256_storeu_si256(array.as_mut_ptr().add(32).cast(), classes[1]);
                starts = shape.look_up(roles, window, length, &mut array);
                classes =
                    [_mm256_loadu_si256(array.as_ptr().cast()), _mm256_loadu_si256(array.as_ptr().add(32).cast())];
            }
            let is = |byte: u8| {
                let byte = _mm256_set1_epi8(byte as i8);
                both(_mm256_cmpeq_epi8(first, byte), _mm256_cmpeq_epi8(second, byte))
            };
            // A role's bit is shifted to the top of its byte, where `movemask` takes it from.
            let [first, second] = classes;
            let roles = [
                both(_mm256_slli_epi16::<7>(first), _mm256_slli_epi16::<7>(second)),
                both(_mm256_slli_epi16::<6>(first), _mm256_slli_epi16::<6>(second)),
                both(_mm256_slli_epi16::<5>(first), _mm256_slli_epi16::<5>(second)),
                both(_mm256_slli_epi16::<4>(first), _mm256_slli_epi16::<4>(second)),
                both(_mm256_slli_epi16::<3>(first), _mm256_slli_epi16::<3>(second)),
                both(_mm256_slli_epi16::<2>(first), _mm256_slli_epi16::<2>(second)),
                both(_mm256_slli_epi16::<1>(first), _mm256_slli_epi16::<1>(second)),
                both(first, second),
            ];
            Masks { roles, blank: is(b' '), apostrophe: is(b'\''), slash: is(b'/'), high, starts }.block()
        }
    }

    #[inline(always)]
    fn to_bytes(block: &Block, characters: u64) -> u64 {
        // SAFETY: as above.
        unsafe { _pdep_u64(characters, block.starts) }
    }
}

/// The roles of 32 ASCII bytes; those of other bytes are zero.
///
/// A shuffle looks up 16 bytes by their low half and gives zero where the top bit is set. For each value of the high
/// half the other bytes get that bit: they differ from it in their high half, and so overflow a saturating addition.
///
/// SAFETY: needs AVX2.
#[inline(always)]
unsafe fn ascii_classes(roles: &Roles, bytes: __m256i) -> __m256i {
    // SAFETY: the caller has AVX2; the loads are within the table's 128 bytes.
    unsafe {
        let mut classes = _mm256_setzero_si256();
        for high in 0..8 {
            let table = _mm256_broadcastsi128_si256(_mm_loadu_si128(roles.ascii.as_ptr().add(16 * high).cast()));
            let index = _mm256_xor_si256(bytes, _mm256_set1_epi8((high << 4) as i8));
            let index = _mm256_adds_epu8(index, _mm256_set1_epi8(0x70));
            classes = _mm256_or_si256(classes, _mm256_shuffle_epi8(table, index));
        }
        classes
    }
}
