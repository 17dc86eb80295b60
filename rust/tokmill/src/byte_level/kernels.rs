//! The loops over a whole vocabulary: extremes, exponential, gathering, sums.
//!
//! Each is written once, in lanes that a compiler turns into vector instructions, and compiled twice: for any machine,
//! and for AVX2, which is chosen when it is there. Sums are carried in 64 bits. The exponential is a polynomial of
//! degree 6 on `[-ln 2 / 2, ln 2 / 2]`, right to two units in the last place.

// What is compiled for AVX2 gets its instructions only where it is inlined.
#![allow(clippy::inline_always)]

const LANES: usize = 16;

/// Below this the exponential of a 32-bit number is 0.
const LEAST: f32 = -87.0;

#[inline(always)]
fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // ln 2 in two parts, the first short enough that its products are exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Adding and subtracting it rounds to an integer.
    const ROUND: f32 = 12_582_912.0;
    let clamped = if x > LEAST { x } else { LEAST };
    let shifted = clamped * LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = clamped - n * LN2_HIGH - n * LN2_LOW;
    let mut p = 1.0 / 720.0;
    for coefficient in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
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

/// The largest of `row`, and the smallest but `-inf`.
#[inline(always)]
fn extremes_any(row: &[f32]) -> (f32, f32) {
    let mut largest = [f32::NEG_INFINITY; LANES];
    let mut smallest = [f32::INFINITY; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for lane in 0..LANES {
            let x = chunk[lane];
            largest[lane] = if x > largest[lane] { x } else { largest[lane] };
            let bounded = if x == f32::NEG_INFINITY { f32::INFINITY } else { x };
            smallest[lane] = if bounded < smallest[lane] { bounded } else { smallest[lane] };
        }
    }
    let largest = largest.iter().chain(rest).fold(f32::NEG_INFINITY, |max, &x| if x > max { x } else { max });
    let rest = rest.iter().filter(|x| **x > f32::NEG_INFINITY);
    let smallest = smallest.iter().chain(rest).fold(f32::INFINITY, |min, &x| if x < min { x } else { min });
    (largest, smallest)
}

/// Numbers whose exponentials are still in the first-level cache when they are added up.
const STRETCH: usize = 1024;

#[inline(always)]
fn exp_sum_any(row: &[f32], max: f32, out: &mut [f32]) -> f64 {
    let mut sum = 0.0;
    for (row, out) in row.chunks(STRETCH).zip(out.chunks_mut(STRETCH)) {
        for (value, &x) in out.iter_mut().zip(row) {
            *value = exp(x - max);
        }
        sum += sum_any(out);
    }
    sum
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

#[cfg(any(test, not(target_arch = "x86_64")))]
fn gather_plain(values: &[f32], ids: &[u32], words: &[u64], out: &mut [f32]) {
    for (rank, (&id, out)) in ids.iter().zip(out).enumerate() {
        *out = if words[rank / 64] >> (rank % 64) & 1 == 1 { values[id as usize] } else { 0.0 };
    }
}

/// # Safety
///
/// Each of `ids` is below the length of `values`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn gather_unchecked(values: &[f32], ids: &[u32], words: &[u64], out: &mut [f32]) {
    for ((ids, out), &word) in ids.chunks(64).zip(out.chunks_mut(64)).zip(words) {
        if word == 0 {
            out.fill(0.0);
        } else if word == u64::MAX {
            for (&id, out) in ids.iter().zip(out) {
                // SAFETY: the caller's part.
                *out = unsafe { *values.get_unchecked(id as usize) };
            }
        } else {
            for (bit, (&id, out)) in ids.iter().zip(out).enumerate() {
                // SAFETY: the caller's part.
                let value = unsafe { values.get_unchecked(id as usize) };
                let mask = 0u32.wrapping_sub((word >> bit) as u32 & 1);
                *out = f32::from_bits(value.to_bits() & mask);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn extremes(row: &[f32]) -> (f32, f32) {
        super::extremes_any(row)
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn exp_sum(row: &[f32], max: f32, out: &mut [f32]) -> f64 {
        super::exp_sum_any(row, max, out)
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn sum(values: &[f32]) -> f64 {
        super::sum_any(values)
    }

    /// # Safety
    ///
    /// Each of `ids` is below the length of `values`.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn gather(values: &[f32], ids: &[u32], words: &[u64], out: &mut [f32]) {
        // SAFETY: the caller's part.
        unsafe { super::gather_unchecked(values, ids, words, out) };
    }

    pub(super) fn is_available() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }
}

/// The largest of `row` (`-inf` if it is empty), and the smallest that is not `-inf`. NaN is passed over.
pub(super) fn extremes(row: &[f32]) -> (f32, f32) {
    #[cfg(target_arch = "x86_64")]
    if avx2::is_available() {
        // SAFETY: the features are available.
        return unsafe { avx2::extremes(row) };
    }
    extremes_any(row)
}

/// Writes `exp(x - max)` for each `x` of `row` to `out`, which is as long, and returns the sum. NaN if `row` has one.
pub(super) fn exp_sum(row: &[f32], max: f32, out: &mut [f32]) -> f64 {
    #[cfg(target_arch = "x86_64")]
    if avx2::is_available() {
        // SAFETY: the features are available.
        return unsafe { avx2::exp_sum(row, max, out) };
    }
    exp_sum_any(row, max, out)
}

/// The sum of `values`.
pub(super) fn sum(values: &[f32]) -> f64 {
    #[cfg(target_arch = "x86_64")]
    if avx2::is_available() {
        // SAFETY: the features are available.
        return unsafe { avx2::sum(values) };
    }
    sum_any(values)
}

/// Writes the value of each of `ids` to `out`, which is as long, 0 where its bit in `words` is not set.
///
/// # Safety
///
/// Each of `ids` is below the length of `values`.
pub(super) unsafe fn gather(values: &[f32], ids: &[u32], words: &[u64], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if avx2::is_available() {
        // SAFETY: the features are available, and the ids are the caller's part.
        return unsafe { avx2::gather(values, ids, words, out) };
    }
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller's part.
    return unsafe { gather_unchecked(values, ids, words, out) };
    #[cfg(not(target_arch = "x86_64"))]
    gather_plain(values, ids, words, out);
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

    proptest! {
        #[test]
        fn sums_are_those_of_plain_loops(row in prop::collection::vec(-30.0f32..5.0, 1..200)) {
            let (top, bottom) = extremes(&row);
            prop_assert_eq!(top, row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            prop_assert_eq!(bottom, row.iter().copied().fold(f32::INFINITY, f32::min));
            prop_assert_eq!(extremes(&[&row[..], &[f32::NEG_INFINITY; 20]].concat()), (top, bottom));
            let (mut fast, mut plain) = (vec![0.0; row.len()], vec![0.0; row.len()]);
            let (total, plain_total) = (exp_sum(&row, top, &mut fast), exp_sum_any(&row, top, &mut plain));
            let expected: f64 = row.iter().map(|&x| f64::from(x - top).exp()).sum();
            prop_assert!((total / expected - 1.0).abs() < 1e-6 && (total / plain_total - 1.0).abs() < 1e-6);
            prop_assert!((sum(&fast) / total - 1.0).abs() < 1e-12 && (sum_any(&fast) / total - 1.0).abs() < 1e-12);
        }

        #[test]
        fn gathering_with_and_without_checks(
            values in prop::collection::vec(0.0f32..1.0, 1..50),
            picks in prop::collection::vec(any::<u32>(), 0..300),
            words in prop::collection::vec(prop_oneof![Just(0), Just(u64::MAX), any::<u64>()], 5),
        ) {
            let ids: Vec<u32> = picks.iter().map(|id| id % values.len() as u32).collect();
            let (mut fast, mut plain) = (vec![7.0; ids.len()], vec![7.0; ids.len()]);
            // SAFETY: the ids are below the length.
            unsafe { gather(&values, &ids, &words, &mut fast) };
            gather_plain(&values, &ids, &words, &mut plain);
            prop_assert_eq!(fast, plain);
        }
    }
}
