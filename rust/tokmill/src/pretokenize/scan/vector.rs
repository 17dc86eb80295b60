//! The vector instructions of x86-64: all the unsafe code of the scanner.
//!
//! Both levels do what [`Portable`](super::level::Portable) does, and are compared with it by the tests.

use std::arch::x86_64::{
    __m256i, __m512i, _mm_add_epi16, _mm_cvtepu8_epi16, _mm_cvtsi64_si128, _mm_loadu_si128, _mm_set1_epi16,
    _mm_storeu_si128, _mm256_adds_epu8, _mm256_blendv_epi8, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8,
    _mm256_loadu_si256, _mm256_max_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_xor_si256, _mm512_add_epi16, _mm512_add_epi32, _mm512_alignr_epi32,
    _mm512_castsi256_si512, _mm512_castsi512_si128, _mm512_castsi512_si256, _mm512_cmpge_epu8_mask,
    _mm512_cmplt_epu8_mask, _mm512_cvtepi16_epi8, _mm512_cvtepu8_epi16, _mm512_cvtepu8_epi32,
    _mm512_extracti64x4_epi64, _mm512_inserti64x4, _mm512_loadu_si512, _mm512_mask_cmpeq_epi8_mask,
    _mm512_mask_loadu_epi8, _mm512_mask_mov_epi8, _mm512_mask_permutexvar_epi8, _mm512_mask_test_epi8_mask,
    _mm512_maskz_compress_epi8, _mm512_maskz_loadu_epi8, _mm512_movepi8_mask, _mm512_permutex2var_epi8,
    _mm512_permutex2var_epi32, _mm512_permutexvar_epi8, _mm512_set1_epi8, _mm512_set1_epi16, _mm512_set1_epi32,
    _mm512_setzero_si512, _mm512_slli_epi16, _mm512_storeu_si512, _mm512_sub_epi16, _mm512_ternarylogic_epi32,
    _mm512_test_epi8_mask, _pdep_u64, _pext_u64,
};
use std::mem::offset_of;

use super::block::low;
use super::chunk::{APOSTROPHE, ASCII, BLANK, CHUNK, Chunk, SLASH, WIDTH, has_row};
use super::classes::{Roles, role};
use super::family::Family;
use super::level::{Level, set_word};
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

/// [`Scanner::append_with`] compiled for AVX2.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) fn append_avx2<const F: usize>(
    scanner: &Scanner,
    text: &[u8],
    from: usize,
    stops: &[usize],
    all: bool,
    pieces: &mut Pieces,
) -> usize {
    scanner.append_with::<Avx2, F>(text, from, stops, all, pieces)
}

/// [`Scanner::append_with`] compiled for AVX-512.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
pub(super) fn append_avx512<const F: usize>(
    scanner: &Scanner,
    text: &[u8],
    from: usize,
    stops: &[usize],
    all: bool,
    pieces: &mut Pieces,
) -> usize {
    scanner.append_with::<Avx512, F>(text, from, stops, all, pieces)
}

/// Which bytes of a text are what, 64 at a time, and whether it is UTF-8 as far as lengths of characters go.
#[derive(Default)]
struct Shape {
    /// Bytes at the begin of the next 64 that belong to a character of these.
    expected: u64,
    /// Bytes that are not what was expected.
    wrong: u64,
}

impl Shape {
    /// The bytes that begin a character, given those that are not ASCII, and those from 0xC0, 0xE0 and 0xF0.
    #[inline(always)]
    fn starts(&mut self, high: u64, two: u64, three: u64, four: u64) -> u64 {
        let continuation = high & !two;
        self.wrong |= continuation ^ (self.expected | two << 1 | three << 2 | four << 3);
        self.expected = two >> 63 | three >> 62 | four >> 61;
        !continuation
    }

    /// Ends a chunk at the begin of `text` that has so many characters, given where they begin. Returns whether it is
    /// UTF-8 as far as lengths of characters go. A last character that is not whole is left to the next chunk.
    #[inline(always)]
    fn end(&self, text: &[u8], chunk: &mut Chunk, count: usize) -> bool {
        let is_whole = self.expected == 0;
        chunk.count = count - usize::from(!is_whole);
        chunk.bytes = if is_whole { text.len().min(CHUNK) } else { chunk.begins[chunk.count] as usize };
        self.wrong == 0 && (is_whole || text.len() > CHUNK)
    }
}

impl Level for Avx512 {
    #[inline(always)]
    fn split(roles: &Roles, text: &[u8], chunk: &mut Chunk) -> bool {
        let mut shape = Shape::default();
        let mut count = 0;
        let length = text.len().min(CHUNK);
        for at in (0..length).step_by(WIDTH) {
            let left = text.len() - at;
            // SAFETY: only `append_avx512` uses this level, which is called where the features are available. Only bytes of
            // the text are read. Lists have room for a vector behind as many items as the chunk has bytes.
            unsafe {
                let place = text.as_ptr().add(at);
                let [bytes, seconds, thirds] = [0, 1, 2].map(|skipped| {
                    let inside = low(left.saturating_sub(skipped).min(WIDTH) as u32);
                    _mm512_maskz_loadu_epi8(inside, place.wrapping_add(skipped).cast())
                });
                let from = |least: u8| _mm512_cmpge_epu8_mask(bytes, _mm512_set1_epi8(least as i8));
                let three = from(0xE0);
                let starts = shape.starts(_mm512_movepi8_mask(bytes), from(0xC0), three, from(0xF0));
                let starts = starts & low(left.min(WIDTH) as u32);
                let lasts = _mm512_mask_mov_epi8(seconds, three, thirds);
                for (list, bytes) in
                    [(&mut chunk.firsts, bytes), (&mut chunk.seconds, seconds), (&mut chunk.lasts, lasts)]
                {
                    let picked = _mm512_maskz_compress_epi8(starts, bytes);
                    _mm512_storeu_si512(list.as_mut_ptr().add(count).cast(), picked);
                }
                let positions = _mm512_loadu_si512(POSITIONS.as_ptr().cast());
                let begins = _mm512_maskz_compress_epi8(starts, positions);
                store_wide(chunk.begins.as_mut_ptr().add(count), begins, at);
                count += starts.count_ones() as usize;
            }
        }
        // SAFETY: as above.
        shape.end(text, chunk, count) && unsafe { look_up_together(roles, text, chunk) }
    }

    #[inline(always)]
    fn fill_rows(family: &Family, roles: &Roles, text: &[u8], chunk: &mut Chunk) {
        let firsts = if chunk.is_ascii { &text[..chunk.count] } else { &chunk.firsts[..chunk.count] };
        let words = firsts.len().div_ceil(WIDTH);
        let rows = &mut chunk.rows;
        // SAFETY: as above.
        unsafe {
            let lower = _mm512_loadu_si512(roles.ascii.as_ptr().cast());
            let upper = _mm512_loadu_si512(roles.ascii.as_ptr().add(64).cast());
            for (word, firsts) in firsts.chunks(WIDTH).enumerate() {
                let inside = low(firsts.len() as u32);
                let bytes = _mm512_maskz_loadu_epi8(inside, firsts.as_ptr().cast());
                let high = _mm512_movepi8_mask(bytes);
                let classes = _mm512_permutex2var_epi8(lower, bytes, upper);
                let longer = chunk.longer_roles[word * WIDTH..].as_ptr();
                let classes = _mm512_mask_loadu_epi8(classes, high, longer.cast());
                for (role, row) in rows[..8].iter_mut().enumerate() {
                    if has_row(family, role) {
                        let bit = _mm512_set1_epi8(1_i8 << role);
                        set_word(row, word, _mm512_mask_test_epi8_mask(inside, classes, bit));
                    }
                }
                for (row, byte) in [(BLANK, b' '), (APOSTROPHE, b'\''), (SLASH, b'/')] {
                    if has_row(family, row) {
                        let is = _mm512_mask_cmpeq_epi8_mask(inside, bytes, _mm512_set1_epi8(byte as i8));
                        set_word(&mut rows[row], word, is);
                    }
                }
                if has_row(family, ASCII) {
                    set_word(&mut rows[ASCII], word, inside & !high);
                }
            }
        }
        for row in rows {
            set_word(row, words, 0);
        }
    }

    #[inline(always)]
    fn push(pieces: &mut Vec<(u32, u32)>, chunk: &Chunk, offset: u32, first: usize, ends: u64) {
        const { assert!(size_of::<(u32, u32)>() == 8 && offset_of!((u32, u32), 0) == 0) };
        let count = ends.count_ones() as usize;
        pieces.reserve(WIDTH);
        // SAFETY: as above. Pairs are laid out as their two numbers in order, and those of the stores are within the
        // reserved capacity: 16 at a time, up to the multiple of 16 from `count`, which is at most 64.
        unsafe {
            let positions = if chunk.is_ascii {
                _mm512_loadu_si512(POSITIONS.as_ptr().cast())
            } else {
                // The characters of a block begin within 255 bytes.
                let begins = chunk.begins[first..first + WIDTH].as_ptr();
                let base = _mm512_set1_epi16(*begins as i16);
                let [low, high] = [0, WIDTH / 2].map(|at| begins.add(at));
                let low = _mm512_sub_epi16(_mm512_loadu_si512(low.cast()), base);
                let high = _mm512_sub_epi16(_mm512_loadu_si512(high.cast()), base);
                let low = _mm512_castsi256_si512(_mm512_cvtepi16_epi8(low));
                _mm512_inserti64x4::<1>(low, _mm512_cvtepi16_epi8(high))
            };
            let base = _mm512_set1_epi32((offset + chunk.position(first) as u32) as i32);
            let mut positions = _mm512_maskz_compress_epi8(ends, positions);
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
    }
}

/// Looks up the roles of the characters that are not ASCII, 64 at a time, by one permutation for each of their leaves.
/// Returns whether the chunk is UTF-8.
#[target_feature(enable = "bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
fn look_up_together(roles: &Roles, text: &[u8], chunk: &mut Chunk) -> bool {
    let leads = load(&roles.short_leads);
    let mut leaves = [0_u8; WIDTH];
    for first in (0..chunk.count).step_by(WIDTH) {
        let (firsts, lasts) = (load(&chunk.firsts[first..]), load(&chunk.lasts[first..]));
        let high = _mm512_movepi8_mask(firsts) & low((chunk.count - first) as u32);
        if high == 0 {
            continue;
        }
        let mut numbers = _mm512_permutexvar_epi8(firsts, leads);
        let three = _mm512_cmpge_epu8_mask(firsts, _mm512_set1_epi8(0xE0_u8 as i8))
            & _mm512_cmplt_epu8_mask(firsts, _mm512_set1_epi8(0xF0_u8 as i8));
        if three != 0 {
            numbers =
                _mm512_mask_mov_epi8(numbers, three, leaves_of_three(roles, firsts, load(&chunk.seconds[first..])));
        }
        store(&mut leaves, numbers);
        let mut classes = _mm512_setzero_si512();
        let mut left = high;
        while left != 0 {
            let leaf = leaves[left.trailing_zeros() as usize % WIDTH];
            let same = _mm512_mask_cmpeq_epi8_mask(left, numbers, _mm512_set1_epi8(leaf as i8));
            classes = _mm512_mask_permutexvar_epi8(classes, same, lasts, load(&roles.leaves[leaf as usize].0));
            left &= !same;
        }
        let mut others = _mm512_mask_cmpeq_epi8_mask(high, classes, _mm512_set1_epi8(role::INVALID as i8));
        store(&mut chunk.longer_roles[first..], classes);
        while others != 0 {
            let character = first + others.trailing_zeros() as usize;
            others &= others - 1;
            let (found, length) = roles.at(text, chunk.begins[character] as usize);
            if length != 4 {
                return false;
            }
            chunk.longer_roles[character] = found;
        }
    }
    true
}

/// The numbers of the leaves of 64 characters of three bytes, given their first bytes and their second.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
#[inline]
fn leaves_of_three(roles: &Roles, firsts: __m512i, seconds: __m512i) -> __m512i {
    // Seven bits choose in two tables of 64: the last of the lead, and six of the second byte.
    let index = _mm512_ternarylogic_epi32::<0xCA>(_mm512_set1_epi8(0x40), _mm512_slli_epi16::<6>(firsts), seconds);
    // The other bits of the lead choose among the pairs of tables.
    let bit1 = _mm512_test_epi8_mask(firsts, _mm512_set1_epi8(2));
    let bit2 = _mm512_test_epi8_mask(firsts, _mm512_set1_epi8(4));
    let bit3 = _mm512_test_epi8_mask(firsts, _mm512_set1_epi8(8));
    let mut halves = [_mm512_setzero_si512(); 2];
    for (half, chosen) in halves.iter_mut().enumerate() {
        let mut quarters = [_mm512_setzero_si512(); 4];
        for (pair, chosen) in quarters.iter_mut().enumerate() {
            let tables = &roles.short[0x800 + 0x200 * half + 0x80 * pair..];
            *chosen = _mm512_permutex2var_epi8(load(tables), index, load(&tables[0x40..]));
        }
        let low = _mm512_mask_mov_epi8(quarters[0], bit1, quarters[1]);
        let high = _mm512_mask_mov_epi8(quarters[2], bit1, quarters[3]);
        *chosen = _mm512_mask_mov_epi8(low, bit2, high);
    }
    _mm512_mask_mov_epi8(halves[0], bit3, halves[1])
}

/// The first 64 bytes of a slice.
#[target_feature(enable = "avx512f")]
#[inline]
fn load(bytes: &[u8]) -> __m512i {
    // SAFETY: the slice has so many bytes.
    unsafe { _mm512_loadu_si512(bytes[..WIDTH].as_ptr().cast()) }
}

/// Replaces the first 64 bytes of a slice.
#[target_feature(enable = "avx512f")]
#[inline]
fn store(bytes: &mut [u8], vector: __m512i) {
    // SAFETY: the slice has so many bytes.
    unsafe { _mm512_storeu_si512(bytes[..WIDTH].as_mut_ptr().cast(), vector) };
}

/// Stores 64 bytes, each plus `base`, as 16 bits.
///
/// SAFETY: needs AVX-512, and room for them.
#[inline(always)]
unsafe fn store_wide(out: *mut u16, bytes: __m512i, base: usize) {
    // SAFETY: the caller has both.
    unsafe {
        let base = _mm512_set1_epi16(base as i16);
        let low = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(bytes));
        let high = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64::<1>(bytes));
        _mm512_storeu_si512(out.cast(), _mm512_add_epi16(low, base));
        _mm512_storeu_si512(out.add(WIDTH / 2).cast(), _mm512_add_epi16(high, base));
    }
}

/// The positions of the bytes of a vector.
pub(in crate::pretokenize) static POSITIONS: [u8; WIDTH] = {
    let mut positions = [0; WIDTH];
    let mut at = 0;
    while at < WIDTH {
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
    fn split(roles: &Roles, text: &[u8], chunk: &mut Chunk) -> bool {
        let mut shape = Shape::default();
        let (mut count, mut longer) = (0, 0);
        for (number, block) in text[..text.len().min(CHUNK)].chunks(WIDTH).enumerate() {
            let at = number * WIDTH;
            let padded;
            let bytes = if let Some(bytes) = block.first_chunk() {
                bytes
            } else {
                padded = pad(block);
                &padded
            };
            // SAFETY: only `append_avx2` uses this level, which is called where the features are available.
            let [high, two, three, four] = unsafe {
                let [first, second] = halves(bytes);
                let from = |least: u8| {
                    let least = _mm256_set1_epi8(least as i8);
                    both(
                        _mm256_cmpeq_epi8(_mm256_max_epu8(first, least), first),
                        _mm256_cmpeq_epi8(_mm256_max_epu8(second, least), second),
                    )
                };
                [both(first, second), from(0xC0), from(0xE0), from(0xF0)]
            };
            let starts = shape.starts(high, two, three, four) & low(block.len() as u32);
            // SAFETY: as above.
            let longer_bits = unsafe { _pext_u64(two, starts) };
            let mut place = count;
            for (number, word) in bytes.as_chunks::<8>().0.iter().enumerate() {
                let starts = starts >> (8 * number) & 0xFF;
                let firsts = chunk.firsts[place..].first_chunk_mut::<8>().expect("a vector is behind the characters");
                let begins = chunk.begins[place..].first_chunk_mut::<8>().expect("a vector is behind the characters");
                // SAFETY: as above; eight numbers of two bytes are a vector.
                unsafe {
                    let whole_bytes = _pdep_u64(starts, u64::from_le_bytes([1; 8])) * 0xFF;
                    *firsts = _pext_u64(u64::from_le_bytes(*word), whole_bytes).to_le_bytes();
                    let positions = _pext_u64(u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7]), whole_bytes);
                    let positions = _mm_cvtepu8_epi16(_mm_cvtsi64_si128(positions as i64));
                    let base = _mm_set1_epi16((at + 8 * number) as i16);
                    _mm_storeu_si128(begins.as_mut_ptr().cast(), _mm_add_epi16(positions, base));
                }
                place += starts.count_ones() as usize;
            }
            for (number, characters) in bits_by_eight(longer_bits).enumerate() {
                let list = chunk.longer[longer + 8 * number..].first_chunk_mut::<8>();
                let list = list.expect("a vector is behind the characters");
                for (longer, character) in list.iter_mut().zip(characters) {
                    *longer = (count + character) as u16;
                }
            }
            count += starts.count_ones() as usize;
            longer += longer_bits.count_ones() as usize;
        }
        shape.end(text, chunk, count) && chunk.look_up_longer(roles, text, longer - (count - chunk.count))
    }

    #[inline(always)]
    fn fill_rows(family: &Family, roles: &Roles, text: &[u8], chunk: &mut Chunk) {
        let firsts = if chunk.is_ascii { &text[..chunk.count] } else { &chunk.firsts[..chunk.count] };
        let words = firsts.len().div_ceil(WIDTH);
        let rows = &mut chunk.rows;
        for (word, firsts) in firsts.chunks(WIDTH).enumerate() {
            let inside = low(firsts.len() as u32);
            let padded;
            let bytes = if let Some(bytes) = firsts.first_chunk() {
                bytes
            } else {
                padded = pad(firsts);
                &padded
            };
            let longer = chunk.longer_roles[word * WIDTH..].first_chunk().expect("a block is behind the roles");
            // SAFETY: as above.
            unsafe {
                let [first, second] = halves(bytes);
                let [longer_first, longer_second] = halves(longer);
                let classes = [
                    _mm256_blendv_epi8(ascii_classes(roles, first), longer_first, first),
                    _mm256_blendv_epi8(ascii_classes(roles, second), longer_second, second),
                ];
                let is = |byte: u8| {
                    let byte = _mm256_set1_epi8(byte as i8);
                    both(_mm256_cmpeq_epi8(first, byte), _mm256_cmpeq_epi8(second, byte))
                };
                let signs =
                    [(BLANK, is(b' ')), (APOSTROPHE, is(b'\'')), (SLASH, is(b'/')), (ASCII, !both(first, second))];
                for (row, bits) in signs {
                    if has_row(family, row) {
                        set_word(&mut rows[row], word, bits & inside);
                    }
                }
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
                for (row, bits) in roles.into_iter().enumerate() {
                    if has_row(family, row) {
                        set_word(&mut rows[row], word, bits & inside);
                    }
                }
            }
        }
        for row in rows {
            set_word(row, words, 0);
        }
    }
}

/// The numbers of the bits of a mask, eight at a time and some more up to a multiple of eight, so that there is no branch
/// for each.
#[inline(always)]
fn bits_by_eight(mut mask: u64) -> impl Iterator<Item = [usize; 8]> {
    std::iter::from_fn(move || {
        let any = mask != 0;
        let mut numbers = [0; 8];
        for number in &mut numbers {
            *number = mask.trailing_zeros() as usize;
            mask &= mask.wrapping_sub(1);
        }
        any.then_some(numbers)
    })
}

/// Bytes with zeros behind.
fn pad(bytes: &[u8]) -> [u8; WIDTH] {
    let mut padded = [0; WIDTH];
    padded[..bytes.len()].copy_from_slice(bytes);
    padded
}

/// 64 bytes as vectors.
///
/// SAFETY: needs AVX2.
#[inline(always)]
unsafe fn halves(bytes: &[u8; WIDTH]) -> [__m256i; 2] {
    // SAFETY: the caller has AVX2; the loads are within the array.
    unsafe { [_mm256_loadu_si256(bytes.as_ptr().cast()), _mm256_loadu_si256(bytes.as_ptr().add(32).cast())] }
}

/// The top bits of 64 bytes.
///
/// SAFETY: needs AVX2.
#[inline(always)]
unsafe fn both(first: __m256i, second: __m256i) -> u64 {
    // SAFETY: the caller has AVX2.
    let [first, second] = unsafe { [_mm256_movemask_epi8(first), _mm256_movemask_epi8(second)] };
    u64::from(first as u32) | u64::from(second as u32) << 32
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
