//! The loops over a whole vocabulary: maximum, exponential, gathering, sums.
//!
//! Each is written once, in lanes that a compiler turns into vector instructions, and compiled twice: for any machine,
//! and for AVX2, which is chosen when it is there. Sums are carried in 64 bits. The exponential is a polynomial of degree
//! 6 on `[-ln 2 / 2, ln 2 / 2]`, right to two units in the last place.

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
    if x > LEAST || x.is_nan() { value + (x - x) } else { 0.0 }
}

#[inline(always)]
fn max_any(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = if x > *lane { x } else { *lane };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |max, &x| if x > max { x } else { max })
}

#[inline(always)]
fn exp_sum_any(row: &[f32], max: f32, out: &mut [f32]) -> f64 {
    let mut sums = [0.0f64; LANES];
    let split = row.len() - row.len() % LANES;
    for (chunk, values) in row[..split].chunks_exact(LANES).zip(out[..split].chunks_exact_mut(LANES)) {
        for lane in 0..LANES {
            let value = exp(chunk[lane] - max);
            values[lane] = value;
            sums[lane] += f64::from(value);
        }
    }
    for (&x, value) in row[split..].iter().zip(&mut out[split..]) {
        *value = exp(x - max);
        sums[0] += f64::from(*value);
    }
    sums.iter().sum()
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

#[inline(always)]
fn gather_any(values: &[f32], ids: &[u32], words: &[u64], out: &mut [f32]) {
    for ((ids, out), &word) in ids.chunks(64).zip(out.chunks_mut(64)).zip(words) {
        if word == 0 {
            out.fill(0.0);
        } else {
            for (bit, (&id, out)) in ids.iter().zip(out).enumerate() {
                let value = values[id as usize];
                *out = if word >> bit & 1 == 1 { value } else { 0.0 };
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn max(row: &[f32]) -> f32 {
        super::max_any(row)
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn exp_sum(row: &[f32], max: f32, out: &mut [f32]) -> f64 {
        super::exp_sum_any(row, max, out)
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn sum(values: &[f32]) -> f64 {
        super::sum_any(values)
    }

    pub(super) fn is_available() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }
}

/// The largest of `row`; `-inf` if it is empty. NaN is passed over.
pub(super) fn max(row: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if avx2::is_available() {
        // SAFETY: the features are available.
        return unsafe { avx2::max(row) };
    }
    max_any(row)
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

/// Writes the value of each of `ids` to `out`, 0 where its bit in `words` is not set.
pub(super) fn gather(values: &[f32], ids: &[u32], words: &[u64], out: &mut [f32]) {
    gather_any(values, ids, words, out);
}

#[cfg(test)]
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
            let top = max(&row);
            prop_assert_eq!(top, row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let (mut fast, mut plain) = (vec![0.0; row.len()], vec![0.0; row.len()]);
            let (total, plain_total) = (exp_sum(&row, top, &mut fast), exp_sum_any(&row, top, &mut plain));
            let expected: f64 = row.iter().map(|&x| f64::from(x - top).exp()).sum();
            prop_assert!((total / expected - 1.0).abs() < 1e-6 && (total / plain_total - 1.0).abs() < 1e-6);
            prop_assert!((sum(&fast) / total - 1.0).abs() < 1e-12 && (sum_any(&fast) / total - 1.0).abs() < 1e-12);
        }
    }
}
