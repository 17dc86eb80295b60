//! Looking pieces up in the table of common ones with AVX-512, sixteen at a time: the unsafe code of the encoder.
//!
//! It does what [`probe`](super::group::probe) does, and is compared with it by the tests. Four pieces are the four
//! quarters of a vector: their bytes are loaded, cut to length and hashed together, and so are the slots compared.

use std::arch::x86_64::{
    __m128i, __m512i, _mm_and_si128, _mm_cmpeq_epi32, _mm_cvtsi128_si64, _mm_load_si128, _mm_loadu_si128, _mm_or_si128,
    _mm_set_epi64x, _mm_shuffle_epi32, _mm_storeu_si128, _mm_unpackhi_epi64, _mm512_and_si512, _mm512_broadcast_i64x2,
    _mm512_castsi128_si512, _mm512_castsi512_si128, _mm512_cmplt_epu8_mask, _mm512_cmplt_epu32_mask,
    _mm512_inserti64x2, _mm512_loadu_si512, _mm512_mask_mov_epi8, _mm512_maskz_mov_epi8, _mm512_maskz_mov_epi64,
    _mm512_min_epu32, _mm512_mullo_epi64, _mm512_permutex2var_epi32, _mm512_permutex2var_epi64,
    _mm512_permutexvar_epi8, _mm512_permutexvar_epi32, _mm512_set1_epi32, _mm512_set1_epi64, _mm512_setzero_si512,
    _mm512_shuffle_epi32, _mm512_srli_epi64, _mm512_storeu_si512, _mm512_sub_epi32, _mm512_test_epi64_mask,
    _mm512_xor_si512, _pext_u32,
};
use std::mem::offset_of;

use super::cache::PieceCache;
use super::common::{CommonTable, ID};
use super::front::FrontTable;
use super::group::{Found, GROUP, Group, Probed};
use super::key::{FIRST, SECOND, SHORT, THIRD};

/// Whether this machine has what the functions here need.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

/// [`Probed::join_front`] compiled for AVX-512.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vbmi,bmi1,bmi2,lzcnt,popcnt")]
pub(super) fn join_front(probed: &mut Probed, common: &mut CommonTable, front: &FrontTable, pieces: usize) {
    probed.join_front(common, front, pieces);
}

/// [`Probed::find_unknown`] compiled for AVX-512.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vbmi,bmi1,bmi2,lzcnt,popcnt")]
pub(super) fn find_unknown(probed: &mut Probed, cache: &PieceCache) {
    probed.find_unknown(cache);
}

/// The halves of the word that stands behind a key in two pairs of key and word, or zeros where it is in neither.
#[target_feature(enable = "sse2")]
#[inline]
pub(super) fn choose(pairs: &[u128; 4], key: u128) -> [u64; 2] {
    let [first, first_word, second, second_word] =
        [to_vector(pairs[0]), to_vector(pairs[1]), to_vector(pairs[2]), to_vector(pairs[3])];
    let key = to_vector(key);
    let first_word = _mm_and_si128(equal(first, key), first_word);
    let word = _mm_or_si128(first_word, _mm_and_si128(equal(second, key), second_word));
    [_mm_cvtsi128_si64(word) as u64, _mm_cvtsi128_si64(_mm_unpackhi_epi64(word, word)) as u64]
}

#[target_feature(enable = "sse2")]
#[inline]
fn to_vector(word: u128) -> __m128i {
    _mm_set_epi64x((word >> 64) as i64, word as i64)
}

/// All bits where two words are equal, else none.
#[target_feature(enable = "sse2")]
#[inline]
fn equal(a: __m128i, b: __m128i) -> __m128i {
    let quarters = _mm_cmpeq_epi32(a, b);
    let halves = _mm_and_si128(quarters, _mm_shuffle_epi32::<0b01_00_11_10>(quarters));
    _mm_and_si128(halves, _mm_shuffle_epi32::<0b10_11_00_01>(halves))
}

/// Pieces of a step.
const STEP: usize = 16;
/// Vectors of four pieces in a step.
const QUADS: usize = 4;
/// Bytes that are read from the begin of a piece on.
const WINDOW: usize = 16;
/// The most bytes of a group at the end of a text, which is copied so that there are as many behind it.
const TAIL: usize = 512;

/// Room for a group that is not whole, or at the end of a text; kept from group to group, as clearing it takes time.
#[derive(Debug)]
pub(super) struct Padding {
    text: [u8; TAIL + WINDOW],
    pieces: [(u32, u32); GROUP],
}

impl Padding {
    pub(super) fn new() -> Self {
        Self { text: [0; TAIL + WINDOW], pieces: [(0, 0); GROUP] }
    }
}

/// What [`probe`](super::group::probe) does, by the vector path; nothing for a long group at the end of the text.
#[inline]
pub(super) fn probe(found: &mut Found, padding: &mut Padding, common: &CommonTable, group: Group<'_>) -> Option<u64> {
    let pieces = group.pieces;
    let last = pieces.last().map_or(0, |last| last.0 as usize);
    if last + WINDOW <= group.text.len() {
        let whole = pieces.first_chunk().unwrap_or_else(|| {
            padding.pieces[..pieces.len()].copy_from_slice(pieces);
            padding.pieces[pieces.len()..].fill(pieces[0]);
            &padding.pieces
        });
        // SAFETY: the path is only taken where its features are available. The last piece begins far enough from the end
        // of the text, and the others before it.
        return Some(unsafe { probe_whole(found, common, group.text, whole, pieces.len()) });
    }
    let bytes = group.bytes();
    if bytes.len() > TAIL {
        return None;
    }
    padding.text[..bytes.len()].copy_from_slice(&group.text[bytes.clone()]);
    padding.pieces = [(0, 0); GROUP];
    for (padded, &(begin, end)) in padding.pieces.iter_mut().zip(pieces) {
        *padded = (begin - bytes.start as u32, end - bytes.start as u32);
    }
    // SAFETY: as above; all pieces begin in the part of the copy that the window is behind.
    Some(unsafe { probe_whole(found, common, &padding.text, &padding.pieces, pieces.len()) })
}

/// The same for `count` of `pieces`.
///
/// SAFETY: each of `pieces` begins at least [`WINDOW`] bytes before the end of `text`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vbmi,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn probe_whole(
    out: &mut Found,
    common: &CommonTable,
    text: &[u8],
    pieces: &[(u32, u32); GROUP],
    count: usize,
) -> u64 {
    const { assert!(size_of::<(u32, u32)>() == 8 && offset_of!((u32, u32), 0) == 0) };
    let text = text.as_ptr();
    let slots = common.slots().as_ptr();
    let mask = _mm512_set1_epi64(common.mask() as i64);
    let factors = _mm512_broadcast_i64x2(_mm_set_epi64x(SECOND as i64, FIRST as i64));
    let third = _mm512_set1_epi64(THIRD as i64);
    let not_id = _mm512_broadcast_i64x2(_mm_set_epi64x(NOT_ID_HIGH, -1));
    let longest = _mm512_set1_epi32(SHORT as i32 + 1);
    let (even, odd, even_words) = (load(&EVEN), load(&ODD), load(&EVEN_WORDS));
    let (id_words, positions) = (load(&ID_WORDS), load(&POSITIONS));
    let mut missed = 0;
    for first in (0..count).step_by(STEP) {
        let step: &[(u32, u32); STEP] = pieces[first..].first_chunk().expect("a group is whole steps");
        // SAFETY: pairs are laid out as their two numbers in order, so sixteen are two vectors.
        let (low, high) = unsafe {
            (_mm512_loadu_si512(step.as_ptr().cast()), _mm512_loadu_si512(step.as_ptr().add(STEP / 2).cast()))
        };
        let begins = _mm512_permutex2var_epi32(low, even, high);
        let lengths = _mm512_sub_epi32(_mm512_permutex2var_epi32(low, odd, high), begins);
        let short = _mm512_cmplt_epu32_mask(lengths, longest);
        let lengths = _mm512_min_epu32(lengths, longest);
        let mut keys = [_mm512_setzero_si512(); QUADS];
        let mut hashes = [_mm512_setzero_si512(); QUADS];
        for quad in 0..QUADS {
            // SAFETY: every piece has sixteen bytes of the text from its begin on, says the caller.
            let bytes = unsafe {
                four(
                    _mm_loadu_si128(text.add(step[4 * quad].0 as usize).cast()),
                    _mm_loadu_si128(text.add(step[4 * quad + 1].0 as usize).cast()),
                    _mm_loadu_si128(text.add(step[4 * quad + 2].0 as usize).cast()),
                    _mm_loadu_si128(text.add(step[4 * quad + 3].0 as usize).cast()),
                )
            };
            // In each quarter, the length of its piece in every byte.
            let length = _mm512_permutexvar_epi8(load(&LANES[quad]), lengths);
            let bytes = _mm512_maskz_mov_epi8(_mm512_cmplt_epu8_mask(positions, length), bytes);
            let key = _mm512_mask_mov_epi8(bytes, LAST_BYTES, length);
            let products = _mm512_mullo_epi64(key, factors);
            let both = _mm512_xor_si512(products, _mm512_shuffle_epi32::<0b01_00_11_10>(products));
            let mixed = _mm512_mullo_epi64(_mm512_xor_si512(both, _mm512_srli_epi64::<32>(both)), third);
            hashes[quad] = _mm512_xor_si512(mixed, _mm512_srli_epi64::<32>(mixed));
            keys[quad] = key;
        }
        let mut places = [0_u64; STEP];
        for half in 0..2 {
            let hashes = _mm512_permutex2var_epi64(hashes[2 * half], even_words, hashes[2 * half + 1]);
            let hashes = _mm512_maskz_mov_epi64((short >> (8 * half)) as u8, hashes);
            let at = half * STEP / 2;
            store(out.hashes[first + at..].first_chunk_mut::<8>().expect("a group is whole steps"), hashes);
            store(places[at..].first_chunk_mut::<8>().expect("half a step"), _mm512_and_si512(hashes, mask));
        }
        let mut differs = 0_u32;
        for quad in 0..QUADS {
            store(out.keys[first + 4 * quad..].first_chunk_mut::<4>().expect("a group is whole steps"), keys[quad]);
            // SAFETY: the mask keeps places within the table, and its words are aligned.
            let found = unsafe {
                four(
                    _mm_load_si128(slots.add(places[4 * quad] as usize).cast()),
                    _mm_load_si128(slots.add(places[4 * quad + 1] as usize).cast()),
                    _mm_load_si128(slots.add(places[4 * quad + 2] as usize).cast()),
                    _mm_load_si128(slots.add(places[4 * quad + 3] as usize).cast()),
                )
            };
            let difference = _mm512_xor_si512(found, keys[quad]);
            differs |= u32::from(_mm512_test_epi64_mask(difference, not_id)) << (8 * quad);
            let ids = _mm512_castsi512_si128(_mm512_permutexvar_epi32(id_words, difference));
            let out: &mut [u32; 4] = out.ids[first + 4 * quad..].first_chunk_mut().expect("a group is whole steps");
            // SAFETY: four ids are stored to as many.
            unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), ids) };
        }
        missed |= u64::from(_pext_u32(differs | differs >> 1, 0x5555_5555)) << first;
    }
    missed
}

/// A table as a vector.
#[target_feature(enable = "avx512f")]
#[inline]
fn load<T: Copy, const N: usize>(table: &[T; N]) -> __m512i {
    const { assert!(size_of::<[T; N]>() == size_of::<__m512i>()) };
    // SAFETY: it is as long as a vector.
    unsafe { _mm512_loadu_si512(table.as_ptr().cast()) }
}

/// Stores a vector of integers.
#[target_feature(enable = "avx512f")]
#[inline]
fn store<T: Copy + From<u8>, const N: usize>(out: &mut [T; N], vector: __m512i) {
    const { assert!(size_of::<[T; N]>() == size_of::<__m512i>()) };
    // SAFETY: it is as long as a vector, and of integers, which may have any bits.
    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), vector) };
}

/// Four words in a vector.
#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
fn four(a: __m128i, b: __m128i, c: __m128i, d: __m128i) -> __m512i {
    let vector = _mm512_inserti64x2::<1>(_mm512_castsi128_si512(a), b);
    _mm512_inserti64x2::<3>(_mm512_inserti64x2::<2>(vector, c), d)
}

/// The high half of what is compared of a slot.
const NOT_ID_HIGH: i64 = (!ID >> 64) as i64;
/// The last byte of each quarter of a vector.
const LAST_BYTES: u64 = 0x8000_8000_8000_8000;

/// Which of sixteen pairs' numbers are begins and ends.
static EVEN: [u32; 16] = [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30];
static ODD: [u32; 16] = [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31];
/// The first of the two words of each quarter of two vectors.
static EVEN_WORDS: [u64; 8] = [0, 2, 4, 6, 8, 10, 12, 14];
/// Where the ids are in four slots.
static ID_WORDS: [u32; 16] = [3, 7, 11, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The positions of the bytes of each quarter of a vector.
static POSITIONS: [u8; 64] = {
    let mut positions = [0; 64];
    let mut at = 0;
    while at < 64 {
        positions[at] = at as u8 % 16;
        at += 1;
    }
    positions
};

/// For each four of sixteen lengths, where they are in a vector of numbers, each for all bytes of its quarter.
static LANES: [[u8; 64]; 4] = {
    let mut lanes = [[0; 64]; 4];
    let mut quad = 0;
    while quad < 4 {
        let mut at = 0;
        while at < 64 {
            lanes[quad][at] = 4 * (4 * quad + at / 16) as u8;
            at += 1;
        }
        quad += 1;
    }
    lanes
};
