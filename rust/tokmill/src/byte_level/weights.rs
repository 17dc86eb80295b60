//! What a model says behind one context: logits in, probability masses of ranges of tokens out.
//!
//! Exponentials are taken once and kept in the order of the tokens' bytes, with 0 for tokens that the tokenizer would not put
//! there, so that the mass of all tokens with a common beginning is the sum of a range. Sums are direct (never
//! differences of larger ones) and in 64 bits. A range whose mass is too small for the kept exponentials is summed from the logits
//! again, so probabilities far below the smallest 32-bit number are right as well.

use std::ops::Range;

use super::bits::Bits;
use super::index::{Index, ROOT};
use super::kernels;
use crate::error::{Error, Result};

/// Logits of one context, one a token, as they come.
#[derive(Clone, Copy, Debug)]
pub enum Logits<'a> {
    /// 64-bit numbers.
    F64(&'a [f64]),
    /// 32-bit numbers.
    F32(&'a [f32]),
    /// Bits of IEEE 754 16-bit numbers.
    F16(&'a [u16]),
    /// The upper 16 bits of 32-bit numbers.
    Bf16(&'a [u16]),
}

impl Logits<'_> {
    /// Number of logits.
    pub fn len(&self) -> usize {
        match self {
            Self::F64(row) => row.len(),
            Self::F32(row) => row.len(),
            Self::F16(row) | Self::Bf16(row) => row.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Sums below this are taken from the logits again: what may be missing in them is smaller by as much as matters.
const SMALL: f64 = 1e-25;

/// The log of a sum, given the logs of what is summed.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogSum {
    max: f64,
    /// The sum divided by the exponential of `max`.
    sum: f64,
}

impl LogSum {
    pub(super) const EMPTY: Self = Self { max: f64::NEG_INFINITY, sum: 0.0 };

    pub(super) fn add(&mut self, log: f64) {
        if log <= self.max {
            if log > f64::NEG_INFINITY {
                self.sum += (log - self.max).exp();
            }
        } else {
            self.sum = self.sum * (self.max - log).exp() + 1.0;
            self.max = log;
        }
    }

    pub(super) fn log(&self) -> f64 {
        if self.sum > 0.0 { self.max + self.sum.ln() } else { f64::NEG_INFINITY }
    }

    pub(super) fn of(logs: impl IntoIterator<Item = f64>) -> f64 {
        let mut all = Self::EMPTY;
        logs.into_iter().for_each(|log| all.add(log));
        all.log()
    }
}

/// Numbers as wide as they came, or as wide as was asked for.
#[derive(Debug)]
enum Numbers {
    Single(Vec<f32>),
    Double(Vec<f64>),
}

/// The distribution of the next token, arranged by rank.
#[derive(Debug)]
pub(super) struct Weights {
    /// Logits by id.
    row: Numbers,
    max: f64,
    /// Log of the sum of the exponentials of all logits.
    log_total: f64,
    /// Exponentials of the logits without `max`, by rank; 0 for tokens that are not allowed.
    by_rank: Numbers,
    /// Sums of `by_rank` for the prefixes of one byte.
    first: Vec<f64>,
}

impl Weights {
    /// Takes as many logits as there are ids. `double` asks for 64 bits whatever comes. Gives the exponentials by id for
    /// [`Self::arrange`].
    pub(super) fn read(logits: Logits<'_>, vocab_size: usize, double: bool) -> Result<(Self, Exponentials)> {
        let row = Numbers::read(logits, vocab_size, double);
        let (max, total, exponentials) = match &row {
            Numbers::Single(row) => {
                let max = kernels::max(row);
                let mut exponentials = vec![0.0; row.len()];
                let total = kernels::exp_sum(row, max, &mut exponentials);
                (f64::from(max), total, Numbers::Single(exponentials))
            }
            Numbers::Double(row) => {
                let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let exponentials: Vec<f64> = row.iter().map(|logit| (logit - max).exp()).collect();
                (max, exponentials.iter().sum(), Numbers::Double(exponentials))
            }
        };
        if !max.is_finite() || !total.is_finite() {
            return Err(Error::option("logits", "must be numbers, not all of them -inf, none NaN or +inf"));
        }
        let log_total = max + total.ln();
        let weights =
            Self { row, max, log_total, by_rank: Numbers::Double(Vec::new()), first: Vec::new() };
        Ok((weights, Exponentials(exponentials)))
    }

    /// Puts the exponentials of the allowed tokens in the order of their ranks.
    pub(super) fn arrange(&mut self, exponentials: &Exponentials, index: &Index, allowed: &Bits) {
        self.by_rank = match &exponentials.0 {
            Numbers::Single(values) => {
                let mut by_rank = vec![0.0; index.len()];
                kernels::gather(values, index.ids(), allowed.words(), &mut by_rank);
                Numbers::Single(by_rank)
            }
            Numbers::Double(values) => {
                let value = |rank: u32| if allowed.contains(rank) { values[index.id(rank) as usize] } else { 0.0 };
                Numbers::Double((0..index.len() as u32).map(value).collect())
            }
        };
        self.first = index.children(ROOT).map(|(_, child)| self.by_rank.sum(index.range(child))).collect();
    }

    /// Log-probability of one token by its id, allowed or not.
    pub(super) fn log_prob(&self, id: u32) -> f64 {
        self.row.get(id) - self.log_total
    }

    /// Log of the mass of the allowed tokens of a range of ranks.
    pub(super) fn log_mass(&self, range: Range<u32>, index: &Index, allowed: &Bits) -> f64 {
        self.log_of_sum(self.by_rank.sum(range.clone()), range, index, allowed)
    }

    /// Log of the mass of the allowed tokens with each first byte, in order of these bytes.
    pub(super) fn first_log_masses(&self, index: &Index, allowed: &Bits) -> impl Iterator<Item = (u8, f64)> {
        let children = index.children(ROOT).zip(&self.first);
        children.map(move |((byte, child), &sum)| (byte, self.log_of_sum(sum, index.range(child), index, allowed)))
    }

    fn log_of_sum(&self, sum: f64, range: Range<u32>, index: &Index, allowed: &Bits) -> f64 {
        if sum > SMALL {
            return self.max - self.log_total + sum.ln();
        }
        if !allowed.any_in(range.clone()) {
            return f64::NEG_INFINITY;
        }
        LogSum::of(range.filter(|&rank| allowed.contains(rank)).map(|rank| self.log_prob(index.id(rank))))
    }
}

/// Exponentials by id, on their way to [`Weights::arrange`].
pub(super) struct Exponentials(Numbers);

impl Numbers {
    fn read(logits: Logits<'_>, count: usize, double: bool) -> Self {
        let single = match logits {
            Logits::F64(row) => return Self::Double(row[..count].to_vec()),
            Logits::F32(row) => row[..count].to_vec(),
            Logits::F16(row) => row[..count].iter().map(|&bits| from_f16(bits)).collect(),
            Logits::Bf16(row) => row[..count].iter().map(|&bits| f32::from_bits(u32::from(bits) << 16)).collect(),
        };
        if double { Self::Double(single.into_iter().map(f64::from).collect()) } else { Self::Single(single) }
    }

    fn get(&self, at: u32) -> f64 {
        match self {
            Self::Single(values) => values[at as usize].into(),
            Self::Double(values) => values[at as usize],
        }
    }

    fn sum(&self, range: Range<u32>) -> f64 {
        let range = range.start as usize..range.end as usize;
        match self {
            Self::Single(values) => kernels::sum(&values[range]),
            Self::Double(values) => values[range].iter().sum(),
        }
    }
}

/// A 16-bit number of IEEE 754.
fn from_f16(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10 & 0x1F);
    let fraction = u32::from(bits & 0x3FF);
    match exponent {
        // Subnormal numbers are multiples of 2^-24.
        0 => f32::from_bits(sign | (fraction as f32 * 2.0_f32.powi(-24)).to_bits()),
        0x1F => f32::from_bits(sign | 0xFF << 23 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_are_read() {
        for (bits, value) in [(0x0000, 0.0), (0x3C00, 1.0), (0xC000, -2.0), (0x7BFF, 65504.0), (0x0001, 5.960_464_5e-8), (0x03FF, 6.097_555e-5)] {
            assert_eq!(from_f16(bits), value);
        }
        assert_eq!(from_f16(0xFC00), f32::NEG_INFINITY);
        assert!(from_f16(0x7E00).is_nan());
    }

    #[test]
    fn log_sums_neither_overflow_nor_underflow() {
        assert!((LogSum::of([-1e4, -1e4]) - (-1e4 + 2f64.ln())).abs() < 1e-12);
        assert!((LogSum::of([3.0, 1e4, -1e4]) - 1e4).abs() < 1e-12);
        assert_eq!(LogSum::of([f64::NEG_INFINITY]), f64::NEG_INFINITY);
    }
}
