//! What a model says behind one context: logits in, probability masses of ranges of tokens out.
//!
//! Exponentials are taken once and kept in the order of the tokens' bytes, with 0 for tokens that the tokenizer would
//! not put there, so that the mass of all tokens with a common beginning is the sum of a range. Sums are direct (never
//! differences of larger ones) and in 64 bits. A range whose mass is too small for the kept exponentials is summed from
//! the logits again, so probabilities far below the smallest 32-bit number are right as well.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::bits::Bits;
use super::index::{Index, NONE, ROOT};
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

/// Vectors of a vocabulary's length, used again: fresh memory of that size costs as much as the arithmetic.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<f32>>>);

impl Buffers {
    /// Vectors that are kept.
    const MOST: usize = 8;

    /// A vector of this length with any values.
    fn take(&self, length: usize) -> Vec<f32> {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        buffer.resize(length, 0.0);
        buffer
    }

    fn give(&self, buffer: Vec<f32>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < Self::MOST && buffer.capacity() > 0 {
            kept.push(buffer);
        }
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
    /// Logits by id, where exponentials lose some of them or are not kept.
    row: Option<Numbers>,
    max: f64,
    /// Log of the sum of the exponentials of all logits without `max`.
    log_sum: f64,
    /// These exponentials by rank; 0 for tokens that are not allowed.
    by_rank: Numbers,
    /// Sums of `by_rank` for the prefixes of one byte.
    first: Vec<f64>,
    /// Logits of the ids that stand for no text, without `max`.
    others: Vec<f64>,
    buffers: Arc<Buffers>,
}

/// Gives the memory back.
impl Drop for Weights {
    fn drop(&mut self) {
        if let Numbers::Single(values) = &mut self.by_rank {
            self.buffers.give(std::mem::take(values));
        }
    }
}

/// Logits within this distance of the largest have exponentials of full precision.
const WIDEST: f32 = 60.0;

impl Weights {
    /// Takes as many logits as there are ids, and arranges those of the allowed tokens. Where no set of these is given,
    /// only [`Self::log_prob`] may be asked. `double` asks for 64 bits whatever comes.
    pub(super) fn read(
        logits: Logits<'_>,
        index: &Index,
        allowed: Option<&Bits>,
        double: bool,
        buffers: &Arc<Buffers>,
    ) -> Result<Self> {
        let vocab_size = index.vocab_size();
        let converted: Vec<f32>;
        let single = match logits {
            Logits::F64(row) => return Self::read_double(row[..vocab_size].to_vec(), index, allowed, buffers),
            Logits::F32(row) => &row[..vocab_size],
            Logits::F16(row) => {
                converted = row[..vocab_size].iter().map(|&bits| from_f16(bits)).collect();
                &converted
            }
            Logits::Bf16(row) => {
                converted = row[..vocab_size].iter().map(|&bits| f32::from_bits(u32::from(bits) << 16)).collect();
                &converted
            }
        };
        if double {
            return Self::read_double(single.iter().copied().map(f64::from).collect(), index, allowed, buffers);
        }
        let max = kernels::max(single);
        let nothing = Bits::new(index.len());
        let mut by_rank = buffers.take(index.len());
        let words = allowed.unwrap_or(&nothing).words();
        // SAFETY: the ids of an index are below its vocabulary's size.
        let (mut sum, min) = unsafe { kernels::exp_by_rank(single, max, index.ids(), words, &mut by_rank) };
        let others: Vec<f64> =
            index.others().iter().map(|&id| f64::from(single[id as usize]) - f64::from(max)).collect();
        sum += others.iter().map(|logit| logit.exp()).sum::<f64>();
        let row = (allowed.is_none() || max - min > WIDEST).then(|| Numbers::Single(single.to_vec()));
        Self::checked(row, max.into(), sum, Numbers::Single(by_rank), others, index, buffers)
    }

    fn read_double(row: Vec<f64>, index: &Index, allowed: Option<&Bits>, buffers: &Arc<Buffers>) -> Result<Self> {
        let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum = row.iter().map(|logit| (logit - max).exp()).sum();
        let is_allowed = |rank: u32| allowed.is_some_and(|allowed| allowed.contains(rank));
        let value = |rank: u32| if is_allowed(rank) { (row[index.id(rank) as usize] - max).exp() } else { 0.0 };
        let by_rank = Numbers::Double((0..index.len() as u32).map(value).collect());
        let others = index.others().iter().map(|&id| row[id as usize] - max).collect();
        Self::checked(Some(Numbers::Double(row)), max, sum, by_rank, others, index, buffers)
    }

    fn checked(
        row: Option<Numbers>,
        max: f64,
        sum: f64,
        by_rank: Numbers,
        others: Vec<f64>,
        index: &Index,
        buffers: &Arc<Buffers>,
    ) -> Result<Self> {
        if !max.is_finite() || !sum.is_finite() {
            return Err(Error::option("logits", "must be numbers, not all of them -inf, none NaN or +inf"));
        }
        let first = index.children(ROOT).map(|(_, child)| by_rank.sum(index.range(child))).collect();
        Ok(Self { row, max, log_sum: sum.ln(), by_rank, first, others, buffers: buffers.clone() })
    }

    /// Log-probability of an id that is allowed or stands for no text.
    pub(super) fn log_prob(&self, id: u32, index: &Index) -> f64 {
        match (&self.row, index.rank(id)) {
            (Some(row), _) => row.get(id) - self.max - self.log_sum,
            (None, NONE) => {
                let other = index.others().binary_search(&id);
                other.map_or(f64::NEG_INFINITY, |at| self.others[at] - self.log_sum)
            }
            (None, rank) => self.by_rank.get(rank).ln() - self.log_sum,
        }
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
            return sum.ln() - self.log_sum;
        }
        if !allowed.any_in(range.clone()) {
            return f64::NEG_INFINITY;
        }
        LogSum::of(range.filter(|&rank| allowed.contains(rank)).map(|rank| self.log_prob(index.id(rank), index)))
    }
}

impl Numbers {
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
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_are_read() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3C00, 1.0),
            (0xC000, -2.0),
            (0x7BFF, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x03FF, 6.097_555e-5),
        ] {
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
