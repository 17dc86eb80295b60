//! Where the contents of added tokens stand in a text.
//!
//! A place where one may begin is told by its two first bytes: where contents begin with few different bytes, these are
//! searched for; else all places are looked at, without a branch, many at a time. A trie then tells whether a content
//! begins there. So the time is that of reading the text, and at worst, where contents are nearly there all the time, its
//! length times that of the longest one.

use std::ops::Range;

use memchr::{memchr_iter, memchr2_iter, memchr3_iter};

use crate::error::Result;
use crate::trie::Trie;

/// Contents to look for, each with its index.
#[derive(Debug)]
pub(super) struct Search {
    contents: Trie,
    /// Bit `second` of row `first`: whether some content begins with these two bytes, or is the first one alone.
    begins: Box<[[u64; 4]; 256]>,
    /// The bytes that contents begin with, the last one again and again, if they are few enough to be searched for.
    rare: Option<[u8; 3]>,
}

/// Bytes that are looked through at once.
const SCAN: usize = 256;

impl Search {
    /// Looks for these contents.
    pub(super) fn new(contents: &[(usize, String)]) -> Self {
        let mut begins = Box::new([[0; 4]; 256]);
        for (_, content) in contents {
            match *content.as_bytes() {
                [] => {}
                [byte] => begins[byte as usize] = [u64::MAX; 4],
                [first, second, ..] => begins[first as usize][second as usize / 64] |= 1 << (second % 64),
            }
        }
        let firsts: Vec<u8> = (0..=u8::MAX).filter(|&first| begins[first as usize] != [0; 4]).collect();
        let rare = match *firsts {
            [a] => Some([a; 3]),
            [a, b] => Some([a, b, b]),
            [a, b, c] => Some([a, b, c]),
            _ => None,
        };
        // Of equal contents the first one counts, of which the trie takes the last.
        let entries = contents.iter().rev().map(|(index, content)| (content.as_bytes(), *index as u32));
        Self { contents: Trie::new(entries), begins, rare }
    }

    /// Gives the index and the range of each match to `take`, in order, until it fails.
    pub(super) fn for_matches(
        &self,
        text: &[u8],
        mut take: impl FnMut(usize, Range<usize>) -> Result<()>,
    ) -> Result<()> {
        // Matches do not overlap: what begins before this place is passed over.
        let mut done = 0;
        self.try_candidates(text, |at| {
            if at >= done
                && let Some((len, index)) = self.beginning(&text[at..]).last()
            {
                done = at + len;
                take(index as usize, at..done)?;
            }
            Ok(())
        })
    }

    /// Gives each place where a token may begin to `look`.
    pub(super) fn for_candidates(&self, text: &[u8], mut look: impl FnMut(usize)) {
        let looked = self.try_candidates(text, |at| {
            look(at);
            Ok(())
        });
        debug_assert!(looked.is_ok(), "looking does not fail");
    }

    /// Length and index of each content that a text begins with, the shortest first.
    pub(super) fn beginning<'s>(&'s self, text: &'s [u8]) -> impl Iterator<Item = (usize, u32)> + 's {
        self.contents.prefixes(text)
    }

    /// Gives each place where a token may begin to `check`, in order, until it fails.
    #[inline]
    fn try_candidates(&self, text: &[u8], mut check: impl FnMut(usize) -> Result<()>) -> Result<()> {
        match self.rare {
            Some([a, _, c]) if a == c => return self.check_at(memchr_iter(a, text), text, check),
            Some([a, b, c]) if b == c => return self.check_at(memchr2_iter(a, b, text), text, check),
            Some([a, b, c]) => return self.check_at(memchr3_iter(a, b, c, text), text, check),
            None => {}
        }
        let mut from = 0;
        while from + 1 < text.len() {
            let end = text.len().min(from + SCAN + 1);
            let mut found = [0; SCAN];
            let mut count = 0;
            for (at, pair) in (0u16..).zip(text[from..end].windows(2)) {
                found[count] = at;
                count += (self.begins[pair[0] as usize][pair[1] as usize / 64] >> (pair[1] % 64) & 1) as usize;
            }
            for &at in &found[..count] {
                check(from + usize::from(at))?;
            }
            from = end - 1;
        }
        if from < text.len() { check(from) } else { Ok(()) }
    }

    /// Gives those of `places` to `check` where a content may begin.
    fn check_at(
        &self,
        mut places: impl Iterator<Item = usize>,
        text: &[u8],
        mut check: impl FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        places.try_for_each(|at| match text[at..] {
            [first, second, ..] if self.begins[first as usize][second as usize / 64] >> (second % 64) & 1 == 0 => {
                Ok(())
            }
            _ => check(at),
        })
    }
}
