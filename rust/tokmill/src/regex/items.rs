//! A text cut at the matches of a pattern, as Oniguruma's iterator finds them: an empty match right behind a match is
//! not taken.

use super::{Memo, Regex};

/// The matches of a pattern and the text between them, in order.
pub(crate) struct Items<'a> {
    regex: &'a Regex,
    text: &'a [u8],
    /// Where the next item begins.
    at: usize,
    /// Where the last match ended: an empty match there is not taken.
    last_match: Option<usize>,
    /// Where the next search begins.
    search_from: usize,
    /// A match behind text that was given out first.
    found: Option<(usize, usize)>,
}

impl<'a> Items<'a> {
    /// The items of `text` from byte `from` on.
    pub(crate) fn new(regex: &'a Regex, text: &'a [u8], from: usize) -> Self {
        Self { regex, text, at: from, last_match: None, search_from: from, found: None }
    }

    /// Begin and end of the next item, and whether it is a match.
    #[inline]
    pub(crate) fn next(&mut self, memo: &mut Memo) -> Option<(usize, usize, bool)> {
        if let Some((begin, end)) = self.found.take() {
            return Some(self.take_match(begin, end));
        }
        loop {
            let found = if self.search_from <= self.text.len() {
                self.regex.find(self.text, self.search_from, memo)
            } else {
                None
            };
            match found {
                Some((begin, end)) if begin == end && self.last_match == Some(end) => {
                    let step = if end < self.text.len() { crate::chars::length_at(self.text, end) } else { 1 };
                    self.search_from = end + step;
                }
                Some((begin, end)) if begin > self.at => {
                    self.found = Some((begin, end));
                    return Some((self.at, begin, false));
                }
                Some((begin, end)) => return Some(self.take_match(begin, end)),
                None if self.at < self.text.len() => {
                    let begin = std::mem::replace(&mut self.at, self.text.len());
                    self.search_from = self.text.len() + 1;
                    return Some((begin, self.text.len(), false));
                }
                None => return None,
            }
        }
    }

    fn take_match(&mut self, begin: usize, end: usize) -> (usize, usize, bool) {
        self.at = end;
        self.search_from = end;
        self.last_match = Some(end);
        (begin, end, true)
    }
}
