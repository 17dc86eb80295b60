//! The sets of characters that pretokenizers tell apart.

use unicode_categories::UnicodeCategories;

pub(super) use crate::chars::{decode, decode_last, length_at};
use crate::regex::CharSet;

/// What tokenizers 0.23 counts as numeric: `char::is_numeric` of its compiler, which has the numbers of Unicode 17.
pub(super) fn numeric() -> CharSet {
    CharSet::known(r"[\p{N}\x{11DE0}-\x{11DE9}\x{16FF4}-\x{16FF6}]")
}

/// What tokenizers counts as punctuation: that of ASCII and the Unicode 8 categories that its table crate holds.
pub(super) fn punctuation() -> CharSet {
    let is_punctuation = |c: &char| c.is_ascii_punctuation() || c.is_punctuation();
    CharSet::of(('\0'..=char::MAX).filter(is_punctuation).map(|c| (c as u32, c as u32)).collect())
}
