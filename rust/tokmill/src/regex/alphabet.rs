//! Characters told apart no further than a pattern can tell them apart.
//!
//! The characters that the same sets of a pattern contain are one class. Automata run on classes: their tables
//! have a dozen columns in place of 1,114,112, and a text is decoded and classified in one step.

use std::collections::HashMap;

use super::charset::{CharSet, EDGE, INVALID};
use super::node::Refusal;
use crate::chars;

/// A class of characters; the last one is the edge of the text.
pub(super) type ClassId = u8;

/// A set of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ClassSet([u64; 4]);

impl ClassSet {
    pub(super) fn insert(&mut self, class: ClassId) {
        self.0[class as usize / 64] |= 1 << (class % 64);
    }

    pub(super) fn contains(&self, class: ClassId) -> bool {
        self.0[class as usize / 64] >> (class % 64) & 1 == 1
    }
}

/// Classes at the most, the edge included.
const MOST_CLASSES: usize = ClassId::MAX as usize;

/// Code points of one page of the table.
const PAGE: usize = 256;

/// The map from characters to classes.
#[derive(Debug)]
pub(super) struct Alphabet {
    ascii: [ClassId; 128],
    /// Which of `pages` holds the code points that begin with these bits.
    page_of: Box<[u16]>,
    pages: Vec<[ClassId; PAGE]>,
    invalid: ClassId,
    /// The class of [`EDGE`], and the largest.
    edge: ClassId,
    /// First code point and class of each run of code points of one class.
    runs: Vec<(u32, ClassId)>,
}

impl Alphabet {
    /// The coarsest classes that tell the members of each set from its other characters.
    pub(super) fn new(sets: &[&CharSet]) -> Result<Self, Refusal> {
        let mut begins: Vec<u32> = vec![0, EDGE];
        for set in sets {
            begins.extend(set.ranges().iter().flat_map(|&(first, last)| [first, last + 1]));
        }
        begins.retain(|&begin| begin <= EDGE);
        begins.sort_unstable();
        begins.dedup();

        let mut classes: HashMap<Vec<u64>, ClassId> = HashMap::new();
        let mut runs: Vec<(u32, ClassId)> = Vec::with_capacity(begins.len());
        let mut count = 0;
        for begin in begins {
            let mut signature = vec![0u64; sets.len() / 64 + 1];
            for (index, set) in sets.iter().enumerate() {
                signature[index / 64] |= u64::from(set.contains(begin)) << (index % 64);
            }
            let class = match classes.get(&signature) {
                Some(&class) if begin != EDGE => class,
                // The edge, which comes last, is a class of its own.
                _ => {
                    count += 1;
                    classes.insert(signature, (count - 1) as ClassId);
                    (count - 1) as ClassId
                }
            };
            if count > MOST_CLASSES {
                return Err(format!(
                    "a pattern that tells more than {MOST_CLASSES} classes of characters apart is not supported"
                ));
            }
            if runs.last().is_none_or(|&(_, last)| last != class) {
                runs.push((begin, class));
            }
        }
        Ok(Self::from_runs(runs))
    }

    fn from_runs(runs: Vec<(u32, ClassId)>) -> Self {
        let mut flat = vec![0; INVALID as usize];
        for (index, &(begin, class)) in runs.iter().enumerate() {
            let end = runs.get(index + 1).map_or(EDGE, |&(next, _)| next).min(INVALID);
            if begin < end {
                flat[begin as usize..end as usize].fill(class);
            }
        }
        let class_of = |c: u32| runs[runs.partition_point(|&(begin, _)| begin <= c) - 1].1;
        let (invalid, edge) = (class_of(INVALID), class_of(EDGE));

        let mut known: HashMap<[ClassId; PAGE], u16> = HashMap::new();
        let mut pages = Vec::new();
        let page_of = flat
            .chunks_exact(PAGE)
            .map(|chunk| {
                let page: [ClassId; PAGE] = chunk.try_into().expect("a chunk is a page long");
                *known.entry(page).or_insert_with(|| {
                    pages.push(page);
                    (pages.len() - 1) as u16
                })
            })
            .collect();
        let ascii = std::array::from_fn(|c| flat[c]);
        Self { ascii, page_of, pages, invalid, edge, runs }
    }

    /// The class that stands for the edge of the text; there are this many others.
    pub(super) fn edge(&self) -> ClassId {
        self.edge
    }

    /// The class of a byte that is not UTF-8.
    pub(super) fn invalid(&self) -> ClassId {
        self.invalid
    }

    /// First code point and class of each run of code points of one class.
    pub(super) fn runs(&self) -> &[(u32, ClassId)] {
        &self.runs
    }

    /// The classes that make up a set given to [`Alphabet::new`].
    pub(super) fn classes(&self, set: &CharSet) -> ClassSet {
        let mut classes = ClassSet::default();
        for &(begin, class) in self.runs.iter().filter(|&&(begin, _)| set.contains(begin)) {
            debug_assert!(begin != EDGE || class == self.edge);
            classes.insert(class);
        }
        classes
    }

    /// Class and length of the character at `at`; the edge, with length 0, at the end.
    #[inline]
    pub(super) fn class_after(&self, text: &[u8], at: usize) -> (ClassId, usize) {
        match text.get(at) {
            Some(&byte) if byte < 0x80 => (self.ascii[byte as usize], 1),
            Some(_) => self.class_of_wide(text, at),
            None => (self.edge, 0),
        }
    }

    #[inline]
    fn class_of_wide(&self, text: &[u8], at: usize) -> (ClassId, usize) {
        match chars::decode(&text[at..]) {
            Some((c, length)) => (self.class_of(c), length),
            None => (self.invalid, 1),
        }
    }

    /// Class and length of the character before `at`; the edge, with length 0, at the begin.
    pub(super) fn class_before(&self, text: &[u8], at: usize) -> (ClassId, usize) {
        if at == 0 {
            return (self.edge, 0);
        }
        match chars::decode_last(&text[..at]) {
            Some((c, length)) => (self.class_of(c), length),
            None => (self.invalid, 1),
        }
    }

    fn class_of(&self, c: u32) -> ClassId {
        let page = self.page_of[(c as usize) / PAGE] as usize;
        self.pages[page][c as usize % PAGE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_partition_all_characters() {
        let sets = [r"\p{L}", r"\p{N}", r"[^\s]", r"[\r\n]", "x"].map(CharSet::known);
        let alphabet = Alphabet::new(&sets.iter().collect::<Vec<_>>()).expect("few classes");
        for set in &sets {
            let classes = alphabet.classes(set);
            for c in '\0'..=char::MAX {
                let mut buffer = [0; 4];
                let text = c.encode_utf8(&mut buffer).as_bytes();
                let (class, length) = alphabet.class_after(text, 0);
                assert_eq!(length, text.len());
                assert_eq!(alphabet.class_before(text, length), (class, length));
                assert_eq!(classes.contains(class), set.contains(c as u32), "{c:?}");
                assert_ne!(class, alphabet.edge());
            }
            assert!(!classes.contains(alphabet.invalid));
        }
        assert_eq!(alphabet.class_after(b"", 0), (alphabet.edge(), 0));
    }
}
