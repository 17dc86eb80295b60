//! The loops over a whole vocabulary: the largest logit, exponentials in the order of ranks, sums.
//!
//! Each is written once, in lanes that a compiler turns into vector instructions, and compiled for any machine, for AVX2
//! and for AVX-512, of which the best that is there is chosen; exponentials in the order of ranks are written again for
//! AVX-512. Sums are carried in 64 bits. The exponential is a polynomial of degree 6 on `[-ln 2 / 2, ln 2 / 2]`, right to
//! two units in the last place.

// What is compiled for AVX2 or AVX-512 gets its instructions only where it is inlined.
#![allow(clippy::inline_always)]

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
fn max_any(row: &[f32]) -> f32 {
    let mut largest = [f32::NEG_INFINITY; LANES * 4];
    let chunks = row.chunks_exact(LANES * 4);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (largest, &x) in largest.iter_mut().zip(chunk) {
            *largest = if x > *largest { x } else { *largest };
        }
    }
    largest.iter().chain(rest).fold(f32::NEG_INFINITY, |max, &x| if x > max { x } else { max })
}

/// Numbers that are taken together, as many as a word of a set has bits.
const GROUP: usize = 64;

/// What the exponentials of one group add up to.
#[derive(Clone, Copy)]
struct Totals {
    sums: [f64; LANES],
    least: [f32; LANES],
}

impl Totals {
    const NOTHING: Self = Self { sums: [0.0; LANES], least: [f32::INFINITY; LANES] };

    /// Replaces the logits of a group by their exponentials, and counts these.
    #[inline(always)]
    fn take(&mut self, group: &mut [f32; GROUP], max: f32) {
        // Four numbers are added in 32 bits, which costs less than one unit in the last place.
        let mut sums = [0.0f32; LANES];
        for part in group.chunks_exact_mut(LANES) {
            for ((x, sum), least) in part.iter_mut().zip(&mut sums).zip(&mut self.least) {
                let bounded = if *x == f32::NEG_INFINITY { f32::INFINITY } else { *x };
                *least = if bounded < *least { bounded } else { *least };
                *x = exp(*x - max);
                *sum += *x;
            }
        }
        for (total, sum) in self.sums.iter_mut().zip(sums) {
            *total += f64::from(sum);
        }
    }

    fn total(&self) -> (f64, f32) {
        (self.sums.iter().sum(), self.least.iter().fold(f32::INFINITY, |least, &x| if x < least { x } else { least }))
    }
}

/// # Safety
///
/// Each of `ids` is below the length of `row`.
#[inline(always)]
unsafe fn exp_by_rank_any(row: &[f32], max: f32, ids: &[u32], words: &[u64], out: &mut [f32]) -> (f64, f32) {
    let mut totals = Totals::NOTHING;
    for ((ids, out), &word) in ids.chunks(GROUP).zip(out.chunks_mut(GROUP)).zip(words) {
        let mut group = [f32::NEG_INFINITY; GROUP];
        for (x, &id) in group.iter_mut().zip(ids) {
            // SAFETY: the caller's part.
            *x = *unsafe { row.get_unchecked(id as usize) };
        }
        totals.take(&mut group, max);
        if word == u64::MAX && out.len() == GROUP {
            out.copy_from_slice(&group);
        } else {
            for (bit, (value, out)) in group.iter().zip(out).enumerate() {
                let mask = 0u32.wrapping_sub((word >> bit) as u32 & 1);
                *out = f32::from_bits(value.to_bits() & mask);
            }
        }
    }
    totals.total()
}

#[cfg(test)]
fn exp_by_rank_plain(row: &[f32], max: f32, ids: &[u32], words: &[u64], out: &mut [f32]) -> (f64, f32) {
    let (mut sum, mut least) = (0.0, f32::INFINITY);
    for (rank, (&id, out)) in ids.iter().zip(out).enumerate() {
        let x = row[id as usize];
        let value = exp(x - max);
        sum += f64::from(value);
        least = if x > f32::NEG_INFINITY { least.min(x) } else { least };
        *out = if words[rank / GROUP] >> (rank % GROUP) & 1 == 1 { value } else { 0.0 };
    }
    (sum, least)
}

#[inline(always)]
fn sum_any(values: &[f32]) -> f64 {
    let mut sums = [0.0f64; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (sum, &value) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(value);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&value| f64::from(value)).sum::<f64>()
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn max(row: &[f32]) -> f32 {
        super::max_any(row)
    }

    /// # Safety
    ///
    /// Each of `ids` is below the length of `row`.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn exp_by_rank(row: &[f32], max: f32, ids: &[u32], words: &[u64], out: &mut [f32]) -> (f64, f32) {
        // SAFETY: the caller's part.
        unsafe { super::exp_by_rank_any(row, max, ids, words, out) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn sum(values: &[f32]) -> f64 {
        super::sum_any(values)
    }

    pub(super) fn is_available() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512, _CMP_NEQ_UQ, _CMP_NLE_UQ, _mm512_add_pd, _mm512_add_ps, _mm512_castps512_ps256, _mm512_cmp_ps_mask,
        _mm512_cvtps_pd, _mm512_extractf32x8_ps, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_i32gather_ps,
        _mm512_loadu_si512, _mm512_mask_min_ps, _mm512_maskz_mov_ps, _mm512_maskz_scalef_ps, _mm512_max_ps,
        _mm512_mul_ps, _mm512_reduce_add_pd, _mm512_reduce_min_ps, _mm512_roundscale_ps, _mm512_set1_ps,
        _mm512_setzero_pd, _mm512_setzero_ps, _mm512_storeu_ps, _mm512_sub_ps,
    };

    use super::{GROUP, LANES};

    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
    pub(super) fn max(row: &[f32]) -> f32 {
        super::max_any(row)
    }

    /// The exponential of [`super::exp`], in sixteen lanes and with fused operations.
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
    #[inline]
    fn exp(x: __m512) -> __m512 {
        let least = _mm512_set1_ps(super::LEAST);
        // NaN in the second operand is passed on.
        let clamped = _mm512_max_ps(least, x);
        let n = _mm512_roundscale_ps::<0>(_mm512_mul_ps(clamped, _mm512_set1_ps(super::LOG2_E)));
        let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(super::LN2_HIGH), clamped);
        let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(super::LN2_LOW), r);
        let mut p = _mm512_set1_ps(super::COEFFICIENTS[0]);
        for coefficient in &super::COEFFICIENTS[1..] {
            p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(*coefficient));
        }
        _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask::<_CMP_NLE_UQ>(x, least), p, n)
    }

    /// The logits of sixteen ids.
    ///
    /// # Safety
    ///
    /// Each of `ids` is below the length of `row`, which is below 2^31.
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
    #[inline]
    unsafe fn gather(row: &[f32], ids: &[u32; LANES]) -> __m512 {
        // SAFETY: sixteen ids are read, which is what the array has; each is a place of the row, the caller's part.
        unsafe { _mm512_i32gather_ps::<4>(_mm512_loadu_si512(ids.as_ptr().cast()), row.as_ptr()) }
    }

    /// Logits are gathered one group ahead of their exponentials, so that the arithmetic of one group fills the time in
    /// which the next comes from memory.
    ///
    /// # Safety
    ///
    /// Each of `ids` is below the length of `row`, which is below 2^31.
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
    pub(super) unsafe fn exp_by_rank(row: &[f32], max: f32, ids: &[u32], words: &[u64], out: &mut [f32]) -> (f64, f32) {
        let whole = ids.len() / GROUP * GROUP;
        let (ids, rest) = ids.split_at(whole);
        let (out, rest_out) = out.split_at_mut(whole);
        let (words, rest_words) = words.split_at(whole / GROUP);
        // SAFETY: the caller's part.
        let (rest_sum, rest_least) = unsafe { super::exp_by_rank_any(row, max, rest, rest_words, rest_out) };

        let (parts, maxes, no_logit) = (ids.as_chunks().0, _mm512_set1_ps(max), _mm512_set1_ps(f32::NEG_INFINITY));
        let (mut low, mut high, mut least) = (_mm512_setzero_pd(), _mm512_setzero_pd(), _mm512_set1_ps(f32::INFINITY));
        let mut ahead = [no_logit; GROUP / LANES];
        for (logits, ids) in ahead.iter_mut().zip(parts) {
            // SAFETY: the caller's part.
            *logits = unsafe { gather(row, ids) };
        }
        for ((at, out), &word) in out.chunks_exact_mut(GROUP).enumerate().zip(words) {
            // The last group is gathered twice.
            let next = (at + 1).min(words.len() - 1) * (GROUP / LANES);
            let mut sum = _mm512_setzero_ps();
            for (part, (logits, out)) in ahead.iter_mut().zip(out.as_chunks_mut::<LANES>().0).enumerate() {
                let x = *logits;
                // SAFETY: the caller's part.
                *logits = unsafe { gather(row, &parts[next + part]) };
                let is_logit = _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(x, no_logit);
                least = _mm512_mask_min_ps(least, is_logit, x, least);
                let value = exp(_mm512_sub_ps(x, maxes));
                sum = _mm512_add_ps(sum, value);
                let allowed = _mm512_maskz_mov_ps((word >> (part * LANES)) as u16, value);
                // SAFETY: the array has as many numbers as the register.
                unsafe { _mm512_storeu_ps(out.as_mut_ptr(), allowed) };
            }
            low = _mm512_add_pd(low, _mm512_cvtps_pd(_mm512_castps512_ps256(sum)));
            high = _mm512_add_pd(high, _mm512_cvtps_pd(_mm512_extractf32x8_ps::<1>(sum)));
        }
        let least = _mm512_reduce_min_ps(least);
        let sum = _mm512_reduce_add_pd(_mm512_add_pd(low, high)) + rest_sum;
        (sum, if rest_least < least { rest_least } else { least })
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
    pub(super) fn sum(values: &[f32]) -> f64 {
        super::sum_any(values)
    }

    pub(super) fn is_available() -> bool {
        super::avx2::is_available()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
    }
}

/// The largest of `row`, `-inf` if it is empty. NaN is passed over.
pub(super) fn max(row: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if avx512::is_available() {
        // SAFETY: the features are available.
        return unsafe { avx512::max(row) };
    } else if avx2::is_available() {
        // SAFETY: the features are available.
        return unsafe { avx2::max(row) };
    }
    max_any(row)
}

/// Writes the exponential of the logit without `max` of each of `ids` to `out`, which is as long, 0 where its bit in
/// `words` is not set. Returns the sum of them all, set or not, which is NaN if one of the logits is, and the smallest
/// of these logits that is not `-inf`.
///
/// # Safety
///
/// Each of `ids` is below the length of `row`.
pub(super) unsafe fn exp_by_rank(row: &[f32], max: f32, ids: &[u32], words: &[u64], out: &mut [f32]) -> (f64, f32) {
    #[cfg(target_arch = "x86_64")]
    if avx512::is_available() && i32::try_from(row.len()).is_ok() {
        // SAFETY: the features are available, and the ids are the caller's part.
        return unsafe { avx512::exp_by_rank(row, max, ids, words, out) };
    } else if avx2::is_available() {
        // SAFETY: the features are available, and the ids are the caller's part.
        return unsafe { avx2::exp_by_rank(row, max, ids, words, out) };
    }
    // SAFETY: the caller's part.
    unsafe { exp_by_rank_any(row, max, ids, words, out) }
}

/// The sum of `values`.
pub(super) fn sum(values: &[f32]) -> f64 {
    #[cfg(target_arch = "x86_64")]
    if avx512::is_available() {
        // SAFETY: the features are available.
        return unsafe { avx512::sum(values) };
    } else if avx2::is_available() {
        // SAFETY: the features are available.
        return unsafe { avx2::sum(values) };
    }
    sum_any(values)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;
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

    #[test]
    fn one_logit_that_is_no_number_makes_the_sum_none() {
        let ids: Vec<u32> = (0..150).rev().collect();
        for at in [0, 70, 149] {
            let mut row = vec![-1.0; 150];
            row[at] = f32::NAN;
            let mut out = vec![0.0; 150];
            // SAFETY: the ids are below the length.
            let (sum, least) = unsafe { exp_by_rank(&row, -1.0, &ids, &[u64::MAX; 3], &mut out) };
            assert!(sum.is_nan());
            assert_eq!(least, -1.0);
        }
    }

    proptest! {
        #[test]
        fn exponentials_by_rank_are_those_of_plain_loops(
            row in prop::collection::vec(prop_oneof![9 => -30.0f32..5.0, 1 => Just(f32::NEG_INFINITY)], 1..200),
            picks in prop::collection::vec(any::<u32>(), 0..300),
            words in prop::collection::vec(prop_oneof![Just(0), Just(u64::MAX), any::<u64>()], 5),
        ) {
            let top = max(&row);
            prop_assert_eq!(top, row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            prop_assume!(top > f32::NEG_INFINITY);
            let ids: Vec<u32> = picks.iter().map(|id| id % row.len() as u32).collect();
            let (mut fast, mut any, mut plain) = (vec![7.0; ids.len()], vec![7.0; ids.len()], vec![7.0; ids.len()]);
            // SAFETY: the ids are below the length.
            let (total, least) = unsafe { exp_by_rank(&row, top, &ids, &words, &mut fast) };
            // SAFETY: as above.
            let (any_total, any_least) = unsafe { exp_by_rank_any(&row, top, &ids, &words, &mut any) };
            let (plain_total, plain_least) = exp_by_rank_plain(&row, top, &ids, &words, &mut plain);
            for (fast, plain) in fast.iter().chain(&any).zip(plain.iter().chain(&plain)) {
                // Fused operations round once less.
                prop_assert!((fast - plain).abs() <= 3e-7 * plain);
            }
            prop_assert_eq!((least, any_least), (plain_least, plain_least));
            for total in [total, any_total] {
                prop_assert!((total - plain_total).abs() <= 1e-6 * plain_total);
            }
            let found: f64 = plain.iter().map(|&value| f64::from(value)).sum();
            prop_assert!((sum(&plain) - found).abs() <= 1e-12 * found);
            prop_assert!((sum_any(&plain) - found).abs() <= 1e-12 * found);
        }
    }
}
