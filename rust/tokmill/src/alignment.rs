//! Which bytes of the original text each byte of a rewritten text stands for.

use std::ops::Range;

/// A run of normalised bytes that came from one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// Where the run begins in the normalised text; it ends where the next one begins.
    begin: usize,
    /// The original bytes it stands for.
    original: (usize, usize),
    /// Whether the bytes are the original ones, so that each stands for itself.
    verbatim: bool,
}

/// A run-length map from byte ranges of a normalised text to byte ranges of the original.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alignment {
    runs: Vec<Run>,
    len: usize,
}

impl Alignment {
    /// The alignment of an unchanged text of `len` bytes.
    pub fn identity(len: usize) -> Self {
        let mut alignment = Self::default();
        alignment.push_verbatim(0, len);
        alignment
    }

    /// Appends `len` bytes copied from the original at `begin`.
    pub(crate) fn push_verbatim(&mut self, begin: usize, len: usize) {
        if len == 0 {
            return;
        }
        if let Some(last) = self.runs.last_mut()
            && last.verbatim
            && last.original.1 == begin
        {
            last.original.1 += len;
        } else {
            self.runs.push(Run { begin: self.len, original: (begin, begin + len), verbatim: true });
        }
        self.len += len;
    }

    /// Appends `len` bytes that stand for the original bytes `original`.
    pub(crate) fn push_rewritten(&mut self, original: Range<usize>, len: usize) {
        if len > 0 {
            self.runs.push(Run { begin: self.len, original: (original.start, original.end), verbatim: false });
            self.len += len;
        }
    }

    /// Lets the last byte stand for what follows it in the original too, up to byte `end`.
    pub(crate) fn extend_last(&mut self, end: usize) {
        let Some(last) = self.runs.last_mut() else { return };
        if !last.verbatim {
            last.original.1 = end;
            return;
        }
        let begin = last.original.1 - 1;
        self.truncate(self.len - 1);
        self.push_rewritten(begin..end, 1);
    }

    /// Takes back all but the first `len` bytes.
    pub(crate) fn truncate(&mut self, len: usize) {
        while let Some(last) = self.runs.last_mut()
            && len < self.len
        {
            if last.begin < len {
                if last.verbatim {
                    last.original.1 = last.original.0 + (len - last.begin);
                }
                self.len = len;
            } else {
                self.len = last.begin;
                self.runs.pop();
            }
        }
    }

    /// The original bytes that a range of normalised bytes stands for: from the first one's begin to the last one's
    /// end. An empty range stands for the empty range at its place.
    pub fn original(&self, range: Range<usize>) -> Range<usize> {
        if range.is_empty() {
            let at = if range.start < self.len { self.byte(range.start).start } else { self.end() };
            return at..at;
        }
        self.byte(range.start).start..self.byte(range.end - 1).end
    }

    /// The alignment of a part of the normalised text.
    pub fn part(&self, range: Range<usize>) -> Self {
        let mut part = Self::default();
        self.copy_range(range, &mut part);
        part
    }

    /// The alignment of this text with one byte put before it, which stands for what its first `first` bytes stand
    /// for, as does each of these.
    pub fn prefixed(&self, first: usize) -> Self {
        let mut prefixed = Self::default();
        prefixed.push_rewritten(self.original(0..first), 1 + first);
        self.copy_range(first..self.len, &mut prefixed);
        prefixed
    }

    fn byte(&self, index: usize) -> Range<usize> {
        let run = self.runs[self.runs.partition_point(|run| run.begin <= index) - 1];
        if run.verbatim {
            let at = run.original.0 + (index - run.begin);
            at..at + 1
        } else {
            run.original.0..run.original.1
        }
    }

    fn end(&self) -> usize {
        self.runs.last().map_or(0, |run| run.original.1)
    }

    /// The alignment of a text that was normalised twice: `self` first, then `next`.
    pub(crate) fn then(&self, next: &Self) -> Self {
        let mut composed = Self::default();
        for (index, run) in next.runs.iter().enumerate() {
            let len = next.runs.get(index + 1).map_or(next.len, |following| following.begin) - run.begin;
            let (begin, end) = run.original;
            if run.verbatim {
                self.copy_range(begin..end, &mut composed);
            } else if end == 0 {
                // What stands for nothing before the text stands for nothing before the original.
                composed.push_rewritten(0..0, len);
            } else {
                composed.push_rewritten(self.original(begin..end), len);
            }
        }
        composed
    }

    /// Appends the part of this alignment that covers `range` of its normalised bytes.
    fn copy_range(&self, range: Range<usize>, target: &mut Self) {
        let first = self.runs.partition_point(|run| run.begin <= range.start).saturating_sub(1);
        for (index, run) in self.runs.iter().enumerate().skip(first) {
            if run.begin >= range.end {
                break;
            }
            let run_end = self.runs.get(index + 1).map_or(self.len, |following| following.begin);
            let (begin, end) = (run.begin.max(range.start), run_end.min(range.end));
            if run.verbatim {
                target.push_verbatim(run.original.0 + (begin - run.begin), end - begin);
            } else {
                target.push_rewritten(run.original.0..run.original.1, end - begin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_lead_back_through_two_rewritings() {
        // "abXYc" -> "abZc" -> "aQZc"
        let mut first = Alignment::default();
        first.push_verbatim(0, 2);
        first.push_rewritten(2..4, 1);
        first.push_verbatim(4, 1);
        let mut second = Alignment::default();
        second.push_verbatim(0, 1);
        second.push_rewritten(1..2, 1);
        second.push_verbatim(2, 2);
        let both = first.then(&second);
        assert_eq!(both.original(0..1), 0..1);
        assert_eq!(both.original(1..2), 1..2);
        assert_eq!(both.original(2..3), 2..4);
        assert_eq!(both.original(1..4), 1..5);
        assert_eq!(both.original(4..4), 5..5);
        assert_eq!(Alignment::identity(7).original(2..6), 2..6);
    }
}
