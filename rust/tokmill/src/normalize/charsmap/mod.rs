//! The maps of SentencePiece's normalisation rules ("precompiled charsmaps"), and how their two owners read them.
//!
//! A map is a double array of the darts library, which leads from strings of bytes to places in a list of replacements,
//! each ended by a zero byte. sentencepiece takes the longest entry at each place of a text. tokenizers goes by clusters
//! of characters: of a cluster shorter than six bytes it takes the first, shortest entry and drops the rest of the
//! cluster, and else goes by single characters. Both are exact here; nearly all of a text needs neither, since a table
//! tells where no entry can begin ([`heads`]).

mod array;
mod clusters;
mod heads;
mod rules;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use heads::Heads;

use super::Sink;
use super::unicode::rewrite;
use crate::error::{Error, Result};

/// A map of normalisation rules.
#[derive(Clone)]
pub struct Charsmap {
    /// The bytes as they stand in a file.
    bytes: Vec<u8>,
    units: Vec<u32>,
    /// Replacements, each ended by a zero byte.
    replacements: String,
    heads: Heads,
}

/// sentencepiece looks at fewer entries than this that a text begins with.
const MOST_PREFIXES: usize = 32;

impl std::fmt::Debug for Charsmap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Charsmap").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl PartialEq for Charsmap {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Charsmap {}

impl Charsmap {
    /// Reads a map: the size of the array in bytes, the array, the replacements.
    pub fn new(bytes: Vec<u8>) -> Result<Self> {
        let wrong = |why: &str| Error::format("precompiled_charsmap", why);
        let (size, rest) = bytes.split_first_chunk().ok_or_else(|| wrong("is shorter than four bytes"))?;
        let size = u32::from_le_bytes(*size) as usize;
        let array = rest.get(..size).ok_or_else(|| wrong("its array is longer than the map"))?;
        let (units, odd) = array.as_chunks::<4>();
        if units.is_empty() || !odd.is_empty() {
            return Err(wrong("its array is not one of numbers of four bytes"));
        }
        let replacements = std::str::from_utf8(&rest[size..]).map_err(|_| wrong("its replacements are not UTF-8"))?;
        let units: Vec<u32> = units.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
        Ok(Self { heads: Heads::new(&units), units, replacements: replacements.to_owned(), bytes })
    }

    /// The map of `rules`, from strings to what each becomes, which both owners read.
    ///
    /// The strings to be replaced are not empty, no string has a zero character, and fewer than 32 strings to be
    /// replaced begin with each other.
    pub fn compile(rules: &BTreeMap<String, String>) -> Result<Self> {
        let wrong = |from: &str, why: &str| Err(Error::option("rules", format!("{from:?} {why}")));
        let mut begun: Vec<&str> = Vec::new();
        let mut replacements = String::new();
        let mut places = BTreeMap::new();
        let mut entries = Vec::with_capacity(rules.len());
        for (from, to) in rules {
            if from.is_empty() || from.contains('\0') || to.contains('\0') {
                return wrong(from, "is empty, or has a zero character, or becomes one");
            }
            begun.retain(|begin| from.starts_with(begin));
            begun.push(from);
            if begun.len() >= MOST_PREFIXES {
                return wrong(from, "begins with too many other rules");
            }
            let place = *places.entry(to.as_str()).or_insert_with(|| {
                let place = replacements.len();
                replacements.push_str(to);
                replacements.push('\0');
                place as u32
            });
            entries.push((from.as_bytes(), place));
        }
        let units = array::units(entries.into_iter()).filter(|_| replacements.len() < 1 << 31);
        let Some(units) = units.filter(|_| !rules.is_empty()) else {
            return Err(Error::option("rules", "are none, or too many for a map"));
        };
        let array = units.iter().flat_map(|unit| unit.to_le_bytes());
        let size = (4 * units.len()) as u32;
        Self::new(size.to_le_bytes().into_iter().chain(array).chain(replacements.into_bytes()).collect())
    }

    /// The map of sentencepiece's rules `nfkc`: form KC of Unicode 17, as far as a list of replacements can say it.
    pub fn nfkc() -> Self {
        static MAP: OnceLock<Charsmap> = OnceLock::new();
        MAP.get_or_init(|| Self::compile(&rules::nfkc()).expect("the rules are well formed")).clone()
    }

    /// The map of sentencepiece's rules `nmt_nfkc`: as [`Self::nfkc`], with control characters dropped and other white
    /// space made blanks.
    pub fn nmt_nfkc() -> Self {
        static MAP: OnceLock<Charsmap> = OnceLock::new();
        MAP.get_or_init(|| Self::compile(&rules::nmt_nfkc()).expect("the rules are well formed")).clone()
    }

    /// The map of Unicode's form C, as far as a list of replacements can say it. sentencepiece has no rules of this name.
    pub fn nfc() -> Self {
        static MAP: OnceLock<Charsmap> = OnceLock::new();
        MAP.get_or_init(|| Self::compile(&rules::nfc()).expect("the rules are well formed")).clone()
    }

    /// The map as it stands in a file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Lengths and replacements of the entries that `text` begins with, shortest first.
    fn prefixes<'m, 't>(&'m self, text: &'t [u8]) -> impl Iterator<Item = (usize, &'m str)> + use<'m, 't> {
        let mut at = offset(self.units[0]);
        let mut walk = text.iter().enumerate();
        std::iter::from_fn(move || {
            loop {
                let (index, &byte) = walk.next()?;
                at ^= u32::from(byte);
                let unit = *self.units.get(at as usize)?;
                if byte == 0 || unit & 0x8000_00FF != u32::from(byte) {
                    return None;
                }
                at ^= offset(unit);
                if unit >> 8 & 1 == 1 {
                    let value = self.units.get(at as usize)? & 0x7FFF_FFFF;
                    return Some((index + 1, self.replacement(value as usize)?));
                }
            }
        })
    }

    fn replacement(&self, begin: usize) -> Option<&str> {
        let rest = self.replacements.get(begin..)?;
        rest.find('\0').map_or(Some(rest), |end| Some(&rest[..end]))
    }

    /// Length and replacement of the longest entry that `text` begins with: sentencepiece's rule.
    pub(crate) fn longest(&self, text: &[u8]) -> Option<(usize, &str)> {
        self.prefixes(text).last()
    }

    /// The replacement of the shortest entry that `part` begins with: tokenizers' rule.
    fn shortest(&self, part: &str) -> Option<&str> {
        self.prefixes(part.as_bytes()).next().map(|(_, replacement)| replacement)
    }

    /// Whether no entry but single characters has one of these bytes of ASCII in it.
    pub(super) fn keeps_apart(&self, bytes: &[u8]) -> bool {
        let root = offset(self.units[0]);
        let is_inner = |unit: u32| unit & 0x8000_00FF != 0 && unit & 0x8000_0000 == 0;
        // The places that children of a node lie around, but for those of the root. Byte 0 leads nowhere.
        let mut bases = vec![false; self.units.len()];
        for (place, &unit) in (0..).zip(&self.units).skip(1).filter(|&(_, &unit)| is_inner(unit)) {
            if let Some(base) = bases.get_mut((place ^ offset(unit)) as usize) {
                *base = true;
            }
        }
        bytes.iter().all(|&byte| {
            let goes_on = || {
                let at = root ^ u32::from(byte);
                let unit = self.units.get(at as usize).copied().filter(|unit| unit & 0x8000_00FF == u32::from(byte));
                unit.is_some_and(|unit| {
                    let at = at ^ offset(unit);
                    (1..=255)
                        .any(|next| self.units.get((at ^ next) as usize).is_some_and(|unit| unit & 0x8000_00FF == next))
                })
            };
            let leads = |place: u32, unit: u32| {
                unit & 0x8000_00FF == u32::from(byte)
                    && place ^ u32::from(byte) != root
                    && bases.get((place ^ u32::from(byte)) as usize).copied().unwrap_or(false)
            };
            !goes_on() && !(0..).zip(&self.units).any(|(place, &unit)| leads(place, unit))
        })
    }

    /// Whether no entry begins with a character that makes one cluster with whatever follows it.
    pub(super) fn never_joins_next(&self) -> bool {
        self.heads.begins().all(|c| !clusters::joins_next(c))
    }

    /// Whether some replacement has a character in it.
    pub(super) fn writes(&self, c: char) -> bool {
        self.replacements.contains(c)
    }

    /// Whether `text` stays as it is.
    pub(super) fn leaves_alone(&self, text: &str) -> bool {
        self.untouched(text) == text.len()
    }

    /// How far no entry begins at any place of a text, so that it stays as it is for both owners.
    pub(super) fn untouched(&self, text: &str) -> usize {
        self.heads.untouched(&self.units, text, |text| self.prefixes(text.as_bytes()).next().is_some())
    }

    /// Writes `text` as tokenizers does.
    pub(super) fn write(&self, text: &str, sink: &mut impl Sink) {
        if let Some(plain) = sink.plain() {
            return self.for_changes(text, |_, new| plain.push_str(new));
        }
        let mut changes = Vec::with_capacity(text.len());
        self.for_changes(text, |old, new| {
            if old == new {
                changes.extend(new.chars().map(|c| (c, 0)));
            } else {
                replace(old, new, &mut changes);
            }
        });
        rewrite(text, changes.into_iter(), 0, sink);
    }

    /// Gives stretches of the text and what they become to `take`, in order.
    fn for_changes<'t>(&'t self, text: &'t str, mut take: impl FnMut(&'t str, &'t str)) {
        let mut at = 0;
        while at < text.len() {
            let touched = at + self.untouched(&text[at..]);
            if touched == text.len() {
                return take(&text[at..], &text[at..]);
            }
            let cluster = clusters::around(text, at, touched);
            take(&text[at..cluster.start], &text[at..cluster.start]);
            self.change_cluster(&text[cluster.clone()], &mut take);
            at = cluster.end;
        }
    }

    fn change_cluster<'t>(&'t self, cluster: &'t str, take: &mut impl FnMut(&'t str, &'t str)) {
        if cluster.len() < 6
            && let Some(replacement) = self.shortest(cluster)
        {
            return take(cluster, replacement);
        }
        for (begin, c) in cluster.char_indices() {
            let part = &cluster[begin..begin + c.len_utf8()];
            take(part, self.shortest(part).unwrap_or(part));
        }
    }
}

/// Appends what replaces what as tokenizers counts it: the last characters are inserted where there are more than
/// before, and the last one written so far takes the place of those that are too many.
fn replace(old: &str, new: &str, changes: &mut Vec<(char, isize)>) {
    let (before, after) = (old.chars().count(), new.chars().count());
    let inserted = |place: usize| isize::from(place >= before);
    changes.extend(new.chars().enumerate().map(|(place, c)| (c, inserted(place))));
    if after < before
        && let Some((_, change)) = changes.last_mut()
    {
        *change -= (before - after) as isize;
    }
}

fn offset(unit: u32) -> u32 {
    (unit >> 10) << ((unit & 1 << 9) >> 6)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;
    use unicode_segmentation::UnicodeSegmentation;

    use super::*;

    /// All entries of a map.
    fn entries(map: &Charsmap) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut pending = vec![(offset(map.units[0]), Vec::new())];
        while let Some((base, key)) = pending.pop() {
            for byte in 1..=255u8 {
                let place = base ^ u32::from(byte);
                let Some(&unit) = map.units.get(place as usize) else { continue };
                if unit & 0x8000_00FF != u32::from(byte) {
                    continue;
                }
                let key = [&key[..], &[byte]].concat();
                let below = place ^ offset(unit);
                if unit >> 8 & 1 == 1 {
                    let value = map.units[below as usize] & 0x7FFF_FFFF;
                    let to = map.replacement(value as usize).unwrap().to_owned();
                    found.insert(String::from_utf8(key.clone()).unwrap(), to);
                }
                pending.push((below, key));
            }
        }
        found
    }

    #[test]
    fn rules_that_cannot_be_written_are_refused() {
        let rules = |pairs: &[(&str, &str)]| pairs.iter().map(|&(a, b)| (a.to_owned(), b.to_owned())).collect();
        for wrong in [&[][..], &[("", "a")], &[("a\0", "b")], &[("a", "\0")]] {
            assert!(Charsmap::compile(&rules(wrong)).is_err());
        }
        let nested = |count: usize| (1..=count).map(|len| ("a".repeat(len), "b".to_owned())).collect();
        assert!(Charsmap::compile(&nested(MOST_PREFIXES - 1)).is_ok());
        assert!(Charsmap::compile(&nested(MOST_PREFIXES)).is_err());
    }

    #[test]
    fn characters_become_their_form_kc() {
        let (nfkc, nmt) = (Charsmap::nfkc(), Charsmap::nmt_nfkc());
        let rewrite = |map: &Charsmap, text: &str| {
            let (mut at, mut written) = (0, String::new());
            while let Some(c) = text[at..].chars().next() {
                let (len, new) =
                    map.longest(&text.as_bytes()[at..]).unwrap_or((c.len_utf8(), &text[at..at + c.len_utf8()]));
                written.push_str(new);
                at += len;
            }
            written
        };
        for c in ('\u{1}'..=char::MAX).filter(|&c| !rules::is_newer(c)) {
            assert_eq!(rewrite(&nfkc, &c.to_string()), c.to_string().nfkc().collect::<String>());
            let decomposed: String = c.to_string().nfd().collect();
            assert_eq!(rewrite(&nfkc, &decomposed), decomposed.nfkc().collect::<String>());
        }
        for (from, to) in [("\u{8}", ""), ("\t", " "), ("\u{200B}", " "), ("\u{FF5E}", "\u{FF5E}"), ("ﬁ", "fi")] {
            assert_eq!(rewrite(&nmt, from), to);
        }
        // As many as the maps of sentencepiece 0.2.3 have.
        assert_eq!((entries(&nfkc).len(), entries(&nmt).len()), (225_232, 225_276));
    }

    proptest! {
        #[test]
        fn what_was_compiled_is_read(
            short in prop::collection::btree_map("[a-c]{1,5}", "[a-cé]{0,3}", 1..60),
            wide in prop::collection::btree_map("\\PC{1,3}", "\\PC{0,2}", 0..300),
        ) {
            let rules: BTreeMap<String, String> = short.into_iter().chain(wide).collect();
            let map = Charsmap::compile(&rules).unwrap();
            prop_assert_eq!(map.units.len() % 256, 0);
            prop_assert_eq!(&entries(&map), &rules);
            for from in rules.keys() {
                let text = format!("{from}b");
                let begun = rules.iter().filter(|(from, _)| text.starts_with(from.as_str()));
                let longest = begun.max_by_key(|(from, _)| from.len());
                prop_assert_eq!(map.longest(text.as_bytes()), longest.map(|(from, to)| (from.len(), to.as_str())));
            }
        }

        /// Against every place of the text, and every cluster of it.
        #[test]
        fn only_places_that_an_entry_begins_at_are_looked_at(
            rules in prop::collection::btree_map("[a-c\u{301}\nกำ語]{1,3}", "[a-cé]{0,3}", 1..40),
            text in "([a-c]{1,12}|[\u{301}\u{323}é\r\n ]|[กขาำิ่]|[क-घ]\u{94D}?\u{93C}?|[가각\u{1100}\u{1161}\u{11A8}]|[，！語ｶﾞ]|[\u{600}\u{200D}🇩🇪👍🏽]|\\PC){0,40}",
        ) {
            for map in [Charsmap::compile(&rules).unwrap(), Charsmap::nmt_nfkc()] {
                let mut places = text.char_indices().map(|(at, _)| at);
                let first = places.find(|&at| map.longest(&text.as_bytes()[at..]).is_some());
                prop_assert_eq!(map.untouched(&text), first.unwrap_or(text.len()));
                let (mut written, mut expected) = (String::new(), String::new());
                map.write(&text, &mut written);
                for cluster in text.graphemes(true) {
                    map.change_cluster(cluster, &mut |_, new| expected.push_str(new));
                }
                prop_assert_eq!(written, expected);
            }
        }
    }
}
