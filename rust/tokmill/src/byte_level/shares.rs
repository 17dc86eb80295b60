//! Sums of what several contexts say of the next byte.
//!
//! Contexts may differ by many orders of magnitude, so their sums are brought to the scale of the most probable; what is
//! too small for that is added in logarithms.

use super::weights::LogSum;

/// Contexts that are less probable by this factor than the most probable are added in logarithms.
const LEAST: f64 = 1e-200;

/// The place of what reaches beyond the text, behind those of the bytes.
const REACHING: usize = 256;

/// Masses of the 256 bytes, and of all of them of the contexts that end before the text does.
#[derive(Debug)]
pub(super) struct Shares {
    /// Log of what `sums` are multiples of.
    scale: f64,
    sums: [f64; REACHING + 1],
    logs: [LogSum; REACHING + 1],
}

/// The part of one context.
pub(super) struct Share<'a> {
    shares: &'a mut Shares,
    log_unit: f64,
    factor: f64,
    reaches: bool,
}

impl Shares {
    /// Nothing yet, on the scale of the largest of the logs of the contexts' units.
    pub(super) fn new(log_units: impl Iterator<Item = f64>) -> Self {
        let scale = log_units.fold(f64::NEG_INFINITY, f64::max);
        Self { scale, sums: [0.0; REACHING + 1], logs: [LogSum::EMPTY; REACHING + 1] }
    }

    /// Begins to add what a context says, in multiples of a unit with this log.
    pub(super) fn of(&mut self, log_unit: f64, reaches: bool) -> Share<'_> {
        let factor = if log_unit > f64::NEG_INFINITY { (log_unit - self.scale).exp() } else { 0.0 };
        Share { shares: self, log_unit, factor, reaches }
    }

    fn log(&self, at: usize) -> f64 {
        let mut all = self.logs[at];
        if self.sums[at] > 0.0 {
            all.add(self.scale + self.sums[at].ln());
        }
        all.log()
    }

    /// Logs of the masses of the bytes.
    pub(super) fn bytes(&self) -> impl Iterator<Item = f64> {
        (0..REACHING).map(|byte| self.log(byte))
    }

    /// Log of the mass of the contexts that end before the text does.
    pub(super) fn reaching(&self) -> f64 {
        self.log(REACHING)
    }
}

impl Share<'_> {
    /// Adds a mass, in units.
    pub(super) fn add(&mut self, byte: u8, sum: f64) {
        if self.factor < LEAST {
            self.add_log(byte, self.log_unit + sum.ln());
            return;
        }
        self.shares.sums[usize::from(byte)] += self.factor * sum;
        if self.reaches {
            self.shares.sums[REACHING] += self.factor * sum;
        }
    }

    /// Adds the log of a mass.
    pub(super) fn add_log(&mut self, byte: u8, log: f64) {
        self.shares.logs[usize::from(byte)].add(log);
        if self.reaches {
            self.shares.logs[REACHING].add(log);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masses_of_any_size_add_up() {
        let units = [0.0, -3.0, -1e4, f64::NEG_INFINITY];
        let mut shares = Shares::new(units.into_iter());
        for unit in units {
            shares.of(unit, true).add(7, 2.0);
        }
        shares.of(-1e4, false).add(8, 2.0);
        shares.of(-1e4, false).add_log(8, -1e4);
        let bytes: Vec<f64> = shares.bytes().collect();
        assert!((bytes[7] - (2.0 + 2.0 * (-3f64).exp()).ln()).abs() < 1e-15);
        assert!((bytes[8] - (-1e4 + 3f64.ln())).abs() < 1e-11);
        assert!((shares.reaching() - bytes[7]).abs() < 1e-15);
        assert!(bytes[9].is_infinite());
    }
}
