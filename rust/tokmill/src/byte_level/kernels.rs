//! The loops over a whole vocabulary: the largest logit, exponentials, and their sums by first byte.
//!
//! The first two are written once, in lanes that a compiler turns into vector instructions, and compiled for any machine,
//! for AVX2 and for AVX-512, of which the best that is there is chosen; exponentials are written again for AVX-512. Sums
//! are carried in 64 bits, of numbers of 32 bits that were added up four at a time. The exponential is a polynomial on
//! half a power of two to either side, right to two units in the last place.
//!
//! Logits stand in the order of ids, sums are over tokens that begin alike, and those are all over the row. So the row is
//! worked on in blocks that stay in the nearest cache: the exponentials of one are taken, and then looked up in fours
//! with a common first byte ([`Fours`]).

// What is compiled for AVX2 or AVX-512 gets its instructions only where it is inlined.
#![allow(clippy::inline_always)]

use super::bits::Bits;
use super::fours::{BLOCK, Fours, PLACES};

const LANES: usize = 16;

/// Below this the exponential of a 32-bit number is 0.
const LEAST: f32 = -87.0;

const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// ln 2 in two parts, the first short enough that its products are exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// The polynomial, from the highest power.
const COEFFICIENTS: [f32; 7] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];

#[inline(always)]
fn exp(x: f32) -> f32 {
    // Adding and subtracting it rounds to an integer.
    const ROUND: f32 = 12_582_912.0;
    let clamped = if x > LEAST { x } else { LEAST };
    let shifted = clamped * LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = clamped - n * LN2_HIGH - n * LN2_LOW;
    let mut p = COEFFICIENTS[0];
    for coefficient in &COEFFICIENTS[1..] {
        p = p * r + coefficient;
    }
    let exponent = (shifted.to_bits() << 23).wrapping_add(127 << 23);
    let value = p * f32::from_bits(exponent);
    if x.is_nan() {
        x
    } else if x > LEAST {
        value
    } else {
        0.0
    }
}

#[inline(always)]
fn bounds_any(row: &[f32]) -> (f32, f32) {
    let (mut largest, mut least) = ([f32::NEG_INFINITY; LANES * 2], [f32::INFINITY; LANES * 2]);
    let chunks = row.chunks_exact(LANES * 2);
    let rest = chunks.remainder();
    for chunk in chunks {
        for ((largest, least), &x) in largest.iter_mut().zip(&mut least).zip(chunk) {
            *largest = if x > *largest { x } else { *largest };
            *least = if x < *least { x } else { *least };
        }
    }
    let largest = largest.iter().chain(rest).fold(f32::NEG_INFINITY, |max, &x| if x > max { x } else { max });
    let least = least.iter().chain(rest).fold(f32::INFINITY, |min, &x| if x < min { x } else { min });
    (largest, least)
}

/// Numbers that are taken together, as many as a word of a set has bits.
const GROUP: usize = 64;

/// What exponentials add up to.
#[derive(Clone, Copy, Debug)]
struct Sums {
    all: f64,
    /// Of those that are allowed and marked.
    marked: f64,
}

/// Logits without gaps: the words of two sets of their ids, and two places where the exponentials go.
struct Stretch<'a> {
    row: &'a [f32],
    allowed: &'a [u64],
    marked: &'a [u64],
    out: &'a mut [f32],
    local: &'a mut [f32],
}

#[inline(always)]
fn exponentials_any(stretch: Stretch<'_>, max: f32) -> Sums {
    let Stretch { row, allowed, marked, out, local } = stretch;
    let mut sums = ([0.0f64; LANES], [0.0f64; LANES]);
    let parts = row.chunks(GROUP).zip(out.chunks_mut(GROUP)).zip(local.chunks_mut(GROUP));
    for (((row, out), local), (&allowed, &marked)) in parts.zip(allowed.iter().zip(marked)) {
        let mut group = [f32::NEG_INFINITY; GROUP];
        group[..row.len()].copy_from_slice(row);
        // Four numbers are added in 32 bits, which costs less than one unit in the last place.
        let (mut all, mut some) = ([0.0f32; LANES], [0.0f32; LANES]);
        for (at, part) in group.chunks_exact_mut(LANES).enumerate() {
            for (lane, x) in part.iter_mut().enumerate() {
                let value = exp(*x - max);
                all[lane] += value;
                *x = kept(value, allowed, at * LANES + lane);
                some[lane] += kept(*x, marked, at * LANES + lane);
            }
        }
        for ((sum, sum_marked), (all, some)) in sums.0.iter_mut().zip(&mut sums.1).zip(all.iter().zip(some)) {
            *sum += f64::from(*all);
            *sum_marked += f64::from(some);
        }
        out.copy_from_slice(&group[..row.len()]);
        local[..row.len()].copy_from_slice(&group[..row.len()]);
    }
    Sums { all: sums.0.iter().sum(), marked: sums.1.iter().sum() }
}

/// A number, or 0 where the bit of a word is not set.
#[inline(always)]
fn kept(value: f32, word: u64, bit: usize) -> f32 {
    f32::from_bits(value.to_bits() & 0u32.wrapping_sub((word >> bit) as u32 & 1))
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn bounds(row: &[f32]) -> (f32, f32) {
        super::bounds_any(row)
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn exponentials(stretch: super::Stretch<'_>, max: f32) -> super::Sums {
        super::exponentials_any(stretch, max)
    }

    pub(super) fn is_available() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512, __m512d, _mm512_add_pd, _mm512_add_ps, _mm512_castps512_ps256, _mm512_cvtps_pd, _mm512_extractf32x8_ps,
        _mm512_fmadd_ps, _mm512_fmsub_ps, _mm512_loadu_ps, _mm512_mask_add_ps, _mm512_maskz_mov_ps, _mm512_max_ps,
        _mm512_reduce_add_pd, _mm512_scalef_ps, _mm512_set1_ps, _mm512_setzero_pd, _mm512_setzero_ps, _mm512_storeu_ps,
        _mm512_sub_ps,
    };

    use super::{GROUP, LANES, Stretch, Sums};

    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
    pub(super) fn bounds(row: &[f32]) -> (f32, f32) {
        super::bounds_any(row)
    }

    /// Adding it leaves integers in the last bits, and subtracting it again has rounded.
    const ROUND: f32 = 12_582_912.0;
    /// What [`super::LOG2_E`] lacks.
    const LOG2_E_REST: f32 = 1.925_963e-8;
    /// The power of two on `[-1/2, 1/2]`, from the highest power: the least relative error with 1 at 0.
    const COEFFICIENTS: [f32; 6] =
        [1.330_060_4e-3, 9.669_691e-3, 5.550_558_4e-2, 2.402_228_2e-1, std::f32::consts::LN_2, 1.0];
    /// The exponential is 0 from here on, also that of `-inf`.
    const LEAST: f32 = -110.0;

    /// The exponential in sixteen lanes: the power of two of a product, whose fraction is exact.
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
    #[inline]
    fn exp(x: __m512) -> __m512 {
        let (scale, round) = (_mm512_set1_ps(super::LOG2_E), _mm512_set1_ps(ROUND));
        // NaN in the second operand is passed on.
        let x = _mm512_max_ps(_mm512_set1_ps(LEAST), x);
        let n = _mm512_sub_ps(_mm512_fmadd_ps(x, scale, round), round);
        let r = _mm512_fmadd_ps(x, _mm512_set1_ps(LOG2_E_REST), _mm512_fmsub_ps(x, scale, n));
        let mut p = _mm512_set1_ps(COEFFICIENTS[0]);
        for coefficient in &COEFFICIENTS[1..] {
            p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(*coefficient));
        }
        _mm512_scalef_ps(p, n)
    }

    /// A sum in two halves of 64-bit numbers.
    #[derive(Clone, Copy)]
    struct Total(__m512d, __m512d);

    impl Total {
        #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
        #[inline]
        fn add(&mut self, sum: __m512) {
            self.0 = _mm512_add_pd(self.0, _mm512_cvtps_pd(_mm512_castps512_ps256(sum)));
            self.1 = _mm512_add_pd(self.1, _mm512_cvtps_pd(_mm512_extractf32x8_ps::<1>(sum)));
        }

        #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
        #[inline]
        fn sum(self) -> f64 {
            _mm512_reduce_add_pd(_mm512_add_pd(self.0, self.1))
        }
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
    pub(super) fn exponentials(stretch: Stretch<'_>, max: f32) -> Sums {
        let Stretch { row, allowed, marked, out, local } = stretch;
        let (groups, rest) = row.as_chunks::<GROUP>();
        let (outs, out) = out.as_chunks_mut::<GROUP>();
        let (local, rest_local) = local.split_at_mut(groups.len() * GROUP);
        let locals = local.as_chunks_mut::<GROUP>().0;
        let maxes = _mm512_set1_ps(max);
        let mut all = Total(_mm512_setzero_pd(), _mm512_setzero_pd());
        let mut some = all;
        let words = allowed.iter().zip(marked);
        for (((row, out), local), (&allowed, &marked)) in groups.iter().zip(outs).zip(locals).zip(words) {
            let (mut sum, mut sum_marked) = (_mm512_setzero_ps(), _mm512_setzero_ps());
            let places = out.as_chunks_mut::<LANES>().0.iter_mut().zip(local.as_chunks_mut::<LANES>().0);
            for (at, (row, (out, local))) in row.as_chunks::<LANES>().0.iter().zip(places).enumerate() {
                // SAFETY: the array has as many numbers as the register, here and below.
                let value = exp(_mm512_sub_ps(unsafe { _mm512_loadu_ps(row.as_ptr()) }, maxes));
                sum = _mm512_add_ps(sum, value);
                let value = _mm512_maskz_mov_ps((allowed >> (at * LANES)) as u16, value);
                sum_marked = _mm512_mask_add_ps(sum_marked, (marked >> (at * LANES)) as u16, sum_marked, value);
                // SAFETY: as above.
                unsafe { _mm512_storeu_ps(out.as_mut_ptr(), value) };
                // SAFETY: as above.
                unsafe { _mm512_storeu_ps(local.as_mut_ptr(), value) };
            }
            all.add(sum);
            some.add(sum_marked);
        }
        let (allowed, marked) = (&allowed[groups.len()..], &marked[groups.len()..]);
        let rest = super::exponentials_any(Stretch { row: rest, allowed, marked, out, local: rest_local }, max);
        Sums { all: all.sum() + rest.all, marked: some.sum() + rest.marked }
    }

    pub(super) fn is_available() -> bool {
        super::avx2::is_available()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
    }
}
/// The largest and the smallest of `row`, which are `-inf` and `inf` if it is empty. NaN is passed over.
pub(super) fn bounds(row: &[f32]) -> (f32, f32) {
    #[cfg(target_arch = "x86_64")]
    if avx512::is_available() {
        // SAFETY: the features are available.
        return unsafe { avx512::bounds(row) };
    } else if avx2::is_available() {
        // SAFETY: the features are available.
        return unsafe { avx2::bounds(row) };
    }
    bounds_any(row)
}

fn exponentials_of(stretch: Stretch<'_>, max: f32) -> Sums {
    #[cfg(target_arch = "x86_64")]
    if avx512::is_available() {
        // SAFETY: the features are available.
        return unsafe { avx512::exponentials(stretch, max) };
    } else if avx2::is_available() {
        // SAFETY: the features are available.
        return unsafe { avx2::exponentials(stretch, max) };
    }
    exponentials_any(stretch, max)
}

/// Writes the exponentials of the logits of a row, without `max`, to `out`, which is as long, 0 for ids that are not
/// allowed. Adds them to the sums of the tokens' first bytes, and returns the sum of them all, allowed or not, which is
/// NaN if one of the logits is.
pub(super) fn exponentials(
    row: &[f32],
    max: f32,
    allowed: &Bits,
    fours: &Fours,
    out: &mut [f32],
    first: &mut [f64; 256],
) -> f64 {
    #[expect(clippy::large_stack_arrays, reason = "32 KiB: a block is to stay in the nearest cache")]
    let mut local = [0.0; PLACES];
    let mut all = 0.0;
    let [allowed, marked] = [allowed, fours.marked()].map(|bits| bits.words().chunks(BLOCK / GROUP));
    let parts = row.chunks(BLOCK).zip(out.chunks_mut(BLOCK)).zip(allowed.zip(marked));
    for (block, ((row, out), (allowed, marked))) in parts.enumerate() {
        let sums = exponentials_of(Stretch { row, allowed, marked, out, local: &mut local[..BLOCK] }, max);
        all += sums.all;
        first[usize::from(fours.widest())] += sums.marked;
        fours.add(block, &local, first);
    }
    all
}

/// The sum of the values at some ids.
pub(super) fn sum_at(values: &[f32], ids: &[u32]) -> f64 {
    let (fours, rest) = ids.as_chunks::<4>();
    let value = |id: u32| f64::from(values[id as usize]);
    let mut sums = [0.0; 4];
    for four in fours {
        for (sum, &id) in sums.iter_mut().zip(four) {
            *sum += value(id);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&id| value(id)).sum::<f64>()
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;
    use crate::byte_level::index::{Index, NONE};
    use proptest::prelude::*;

    #[test]
    fn exponentials_are_right_to_the_last_places() {
        for step in 0..200_000 {
            let x = -100.0 * (step as f32) / 200_000.0;
            let (found, expected) = (f64::from(exp(x)), f64::from(x).exp());
            if x > LEAST {
                assert!((found / expected - 1.0).abs() < 2.5e-7, "{x}: {found} {expected}");
            } else {
                assert_eq!(found, 0.0);
            }
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan());
    }

    /// A vocabulary of tokens with two first bytes, and one id without text.
    fn index(vocab_size: usize) -> Index {
        let key = |id: u32| if id.is_multiple_of(3) { &b"a"[..] } else { b"b" };
        Index::new((1..vocab_size as u32).map(|id| (id, key(id))).collect(), vocab_size)
    }

    #[test]
    fn one_logit_that_is_no_number_makes_the_sum_none() {
        let (fours, mut allowed) = (Fours::new(&index(150)), Bits::new(150));
        (0..150).for_each(|id| allowed.insert(id));
        for at in [0, 70, 149] {
            let mut row = vec![-1.0; 150];
            row[at] = f32::NAN;
            assert_eq!(bounds(&row), (-1.0, -1.0));
            assert!(exponentials(&row, -1.0, &allowed, &fours, &mut [0.0; 150], &mut [0.0; 256]).is_nan());
        }
    }

    proptest! {
        #[test]
        fn exponentials_are_those_of_plain_loops(
            logits in prop::collection::vec(prop_oneof![9 => -30.0f32..5.0, 1 => Just(f32::NEG_INFINITY)], 1..300),
            shift in 0..BLOCK,
            members in prop::collection::btree_set(0u32..2 * BLOCK as u32, 0..400),
        ) {
            // The logits lie across the border of two blocks; what is before them counts little.
            let row = [&vec![-12.5; shift], &logits[..]].concat();
            let (max, least) = bounds(&row);
            prop_assert_eq!(max, row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            prop_assert_eq!(least, row.iter().copied().fold(f32::INFINITY, f32::min));
            prop_assume!(max > f32::NEG_INFINITY);
            let mut allowed = Bits::new(row.len());
            members.iter().filter(|&&id| (id as usize) < row.len()).for_each(|&id| allowed.insert(id));
            let index = index(row.len());
            let (mut out, mut first) = (vec![7.0; row.len()], [0.0; 256]);
            let all = exponentials(&row, max, &allowed, &Fours::new(&index), &mut out, &mut first);

            let exact = |id: usize| f64::from(row[id] - max).exp();
            let (mut sum, mut sums) = (0.0, [0.0; 256]);
            for (id, &value) in out.iter().enumerate() {
                sum += exact(id);
                if allowed.contains(id as u32) {
                    prop_assert!((f64::from(value) - exact(id)).abs() <= 3e-7 * exact(id));
                    if index.rank(id as u32) != NONE {
                        sums[usize::from(index.bytes(index.rank(id as u32))[0])] += f64::from(value);
                    }
                } else {
                    prop_assert_eq!(value, 0.0);
                }
            }
            prop_assert!((all - sum).abs() <= 3e-7 * sum);
            for (first, sum) in first.iter().zip(sums) {
                prop_assert!((first - sum).abs() <= 1.2e-7 * sum);
            }

            let (mut any, mut local) = (vec![7.0; row.len()], vec![0.0; row.len()]);
            let words = allowed.words();
            let plain = Stretch { row: &row, allowed: words, marked: words, out: &mut any, local: &mut local };
            let plain = exponentials_any(plain, max);
            prop_assert!((all - plain.all).abs() <= 3e-7 * all);
            prop_assert_eq!(&any, &local);
            for (fast, any) in out.iter().zip(&any) {
                prop_assert!((fast - any).abs() <= 4e-7 * any);
            }
            let ids: Vec<u32> = members.into_iter().filter(|&id| (id as usize) < row.len()).collect();
            let found: f64 = ids.iter().map(|&id| f64::from(out[id as usize])).sum();
            prop_assert!((sum_at(&out, &ids) - found).abs() <= 1e-12 * found);
        }
    }
}
