//! What a model says behind one context: logits in, probability masses of ranges of tokens out.
//!
//! Exponentials are taken once and kept by id, with 0 for tokens that the tokenizer would not put there; with them come
//! the masses of the tokens with each first byte. The mass of the tokens with a longer common beginning, a range in the
//! order of the tokens' bytes, is added up when it is asked for: nearly all of these ranges are small, and few are
//! asked. Sums are direct (never differences of larger ones) and in 64 bits. A range whose mass is too small for the
//! kept exponentials is summed from the logits again, so probabilities far below the smallest 32-bit number are right
//! as well.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::bits::Bits;
use super::fours::Fours;
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
        if self.sum == 0.0 {
            (self.max, self.sum) = (log, f64::from(u8::from(log > f64::NEG_INFINITY)));
        } else if log <= self.max {
            if log > f64::NEG_INFINITY {
                self.sum += (log - self.max).exp();
            }
        } else {
            self.sum = self.sum * (self.max - log).exp() + 1.0;
            self.max = log;
        }
    }

    pub(super) fn log(&self) -> f64 {
        match self.sum {
            0.0 => f64::NEG_INFINITY,
            1.0 => self.max,
            sum => self.max + sum.ln(),
        }
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

/// The distribution of the next token.
#[derive(Debug)]
pub(super) struct Weights {
    /// Logits by id, where exponentials lose some of them or are not kept.
    row: Option<Numbers>,
    max: f64,
    /// Log of the sum of the exponentials of all logits without `max`.
    log_sum: f64,
    /// These exponentials by id; 0 for tokens that are not allowed.
    by_id: Numbers,
    /// Sums of `by_id` for the tokens with each first byte.
    first: Box<[f64; 256]>,
    /// Logits of the ids that stand for no text, without `max`.
    others: Vec<f64>,
    buffers: Arc<Buffers>,
}

/// Gives the memory back.
impl Drop for Weights {
    fn drop(&mut self) {
        if let Numbers::Single(values) = &mut self.by_id {
            self.buffers.give(std::mem::take(values));
        }
    }
}

/// Logits within this distance of the largest have exponentials of full precision.
const WIDEST: f32 = 85.0;

impl Weights {
    /// Takes as many logits as there are ids, and arranges those of the allowed tokens. Where no set of these is given,
    /// only [`Self::log_prob`] may be asked. `double` asks for 64 bits whatever comes.
    pub(super) fn read(
        logits: Logits<'_>,
        (index, fours): (&Index, &Fours),
        allowed: Option<&Bits>,
        double: bool,
        buffers: &Arc<Buffers>,
    ) -> Result<Self> {
        let vocab_size = index.vocab_size();
        let mut converted = Vec::new();
        let mut convert = |row: &[u16], number: fn(u16) -> f32| {
            converted = buffers.take(vocab_size);
            converted.iter_mut().zip(row).for_each(|(value, &bits)| *value = number(bits));
        };
        let single = match logits {
            Logits::F64(row) => return Self::read_double(row[..vocab_size].to_vec(), index, allowed, buffers),
            Logits::F32(row) => &row[..vocab_size],
            Logits::F16(row) => {
                convert(row, from_f16);
                &converted
            }
            Logits::Bf16(row) => {
                convert(row, |bits| f32::from_bits(u32::from(bits) << 16));
                &converted
            }
        };
        let weights = if double {
            Self::read_double(single.iter().copied().map(f64::from).collect(), index, allowed, buffers)
        } else {
            Self::read_single(single, (index, fours), allowed, buffers)
        };
        buffers.give(converted);
        weights
    }

    fn read_single(
        single: &[f32],
        (index, fours): (&Index, &Fours),
        allowed: Option<&Bits>,
        buffers: &Arc<Buffers>,
    ) -> Result<Self> {
        let (max, least) = kernels::bounds(single);
        let infinite = least == f32::NEG_INFINITY;
        let finite = single.iter().copied().filter(|&logit| infinite && logit > f32::NEG_INFINITY);
        let least = finite.fold(if infinite { f32::INFINITY } else { least }, f32::min);
        let nothing = Bits::new(index.vocab_size());
        let (mut by_id, mut first) = (buffers.take(index.vocab_size()), Box::new([0.0; 256]));
        let sum = kernels::exponentials(single, max, allowed.unwrap_or(&nothing), fours, &mut by_id, &mut first);
        let row = (allowed.is_none() || max - least > WIDEST).then(|| Numbers::Single(single.to_vec()));
        let others = index.others().iter().map(|&id| f64::from(single[id as usize]) - f64::from(max)).collect();
        let by_id = Numbers::Single(by_id);
        Self { row, max: max.into(), log_sum: sum.ln(), by_id, first, others, buffers: buffers.clone() }.checked(sum)
    }

    fn read_double(row: Vec<f64>, index: &Index, allowed: Option<&Bits>, buffers: &Arc<Buffers>) -> Result<Self> {
        let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let exponentials = row.iter().map(|logit| (logit - max).exp());
        let sum: f64 = exponentials.clone().sum();
        let is_allowed = |id: u32| allowed.is_some_and(|allowed| allowed.contains(id));
        let by_id = (0..).zip(exponentials).map(|(id, value)| if is_allowed(id) { value } else { 0.0 }).collect();
        let by_id = Numbers::Double(by_id);
        let mut first = Box::new([0.0; 256]);
        for (byte, child) in index.children(ROOT) {
            first[usize::from(byte)] = by_id.sum(index.ids_in(index.range(child)));
        }
        let others = index.others().iter().map(|&id| row[id as usize] - max).collect();
        let row = Some(Numbers::Double(row));
        Self { row, max, log_sum: sum.ln(), by_id, first, others, buffers: buffers.clone() }.checked(sum)
    }

    fn checked(self, sum: f64) -> Result<Self> {
        if !self.max.is_finite() || !sum.is_finite() {
            return Err(Error::option("logits", "must be numbers, not all of them -inf, none NaN or +inf"));
        }
        Ok(self)
    }

    /// Log-probability of an id that is allowed or stands for no text.
    pub(super) fn log_prob(&self, id: u32, index: &Index) -> f64 {
        match (&self.row, index.rank(id)) {
            (Some(row), _) => row.get(id) - self.max - self.log_sum,
            (None, NONE) => {
                let other = index.others().binary_search(&id);
                other.map_or(f64::NEG_INFINITY, |at| self.others[at] - self.log_sum)
            }
            (None, _) => self.by_id.get(id).ln() - self.log_sum,
        }
    }

    /// What logs of masses are without: the log of a mass is this and the log of its [`Self::sum`].
    pub(super) fn log_unit(&self) -> f64 {
        -self.log_sum
    }

    /// Sum of the exponentials of the allowed tokens of a range of ranks; `None` where these do not tell, and
    /// [`Self::log_of_few`] does.
    pub(super) fn sum(&self, range: Range<u32>, index: &Index) -> Option<f64> {
        self.telling(self.by_id.sum(index.ids_in(range)))
    }

    /// The same of the tokens with a first byte.
    pub(super) fn first_sum(&self, byte: u8) -> Option<f64> {
        self.telling(self.first[usize::from(byte)])
    }

    /// A sum that nothing is missing in. Where no logit is lost, 0 means that there is none.
    fn telling(&self, sum: f64) -> Option<f64> {
        Some(sum).filter(|sum| *sum > SMALL || *sum == 0.0 && self.row.is_none())
    }

    /// Log of the mass of the allowed tokens of a range of ranks, from the logits.
    pub(super) fn log_of_few(&self, range: Range<u32>, index: &Index, allowed: &Bits) -> f64 {
        let ids = index.ids_in(range).iter().filter(|&&id| allowed.contains(id));
        LogSum::of(ids.map(|&id| self.log_prob(id, index)))
    }
}

impl Numbers {
    fn get(&self, at: u32) -> f64 {
        match self {
            Self::Single(values) => values[at as usize].into(),
            Self::Double(values) => values[at as usize],
        }
    }

    fn sum(&self, ids: &[u32]) -> f64 {
        match self {
            Self::Single(values) => kernels::sum_at(values, ids),
            Self::Double(values) => ids.iter().map(|&id| values[id as usize]).sum(),
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
