//! Which role each character plays for a pattern family, looked up from its UTF-8 bytes.
//!
//! The general categories come from regex-syntax's tables once per process, as a two-level table: leaves of 64 code
//! points, equal leaves stored once, reached by `code point >> 6`. For two- and three-byte characters those six bits
//! are the last byte, so lead bytes select a leaf without decoding. A scanner maps the leaves' categories to its
//! family's roles (32 KiB) and shares the index.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

use crate::pretokenize::chars::decode;

/// The role bits of a character. A character without any is "other": punctuation, symbols, controls, invalid bytes.
pub(super) mod role {
    /// A letter (`\p{L}`); in families that treat them alike also a mark.
    pub(in crate::pretokenize::scan) const LETTER: u8 = 1;
    /// `\p{N}`.
    pub(in crate::pretokenize::scan) const NUMBER: u8 = 1 << 1;
    /// `\s`, newlines included.
    pub(in crate::pretokenize::scan) const SPACE: u8 = 1 << 2;
    /// `[\r\n]`.
    pub(in crate::pretokenize::scan) const NEWLINE: u8 = 1 << 3;
    /// A letter that is `\p{Lu}` or `\p{Lt}`; only where the family cuts at case.
    pub(in crate::pretokenize::scan) const UPPER: u8 = 1 << 4;
    /// A letter that is `\p{Ll}`; only where the family cuts at case.
    pub(in crate::pretokenize::scan) const LOWER: u8 = 1 << 5;
    /// `\p{M}` that is part of a word or of a run of others, depending on what surrounds it.
    pub(in crate::pretokenize::scan) const MARK: u8 = 1 << 6;
    /// A character of the script that the family cuts out first, whatever else it is.
    pub(in crate::pretokenize::scan) const IDEOGRAPH: u8 = 1 << 7;
    /// A character that no alternative of the pattern begins with. No family needs this and `UPPER`.
    pub(in crate::pretokenize::scan) const UNMATCHED: u8 = UPPER;
    /// A decimal digit. Only the family that knows nothing but numbers needs it.
    pub(in crate::pretokenize::scan) const DECIMAL: u8 = LETTER;
    /// Marks byte sequences that are not UTF-8 in the leaves; never the role of a character.
    pub(in crate::pretokenize::scan) const INVALID: u8 = 0xFF;
}

/// General categories as far as any family tells them apart, in the low bits of a leaf's bytes.
pub(super) mod category {
    pub(in crate::pretokenize::scan) const OTHER: u8 = 0;
    pub(in crate::pretokenize::scan) const UPPER: u8 = 1;
    pub(in crate::pretokenize::scan) const LOWER: u8 = 2;
    pub(in crate::pretokenize::scan) const CASELESS: u8 = 3;
    pub(in crate::pretokenize::scan) const MARK: u8 = 4;
    pub(in crate::pretokenize::scan) const NUMBER: u8 = 5;
    pub(in crate::pretokenize::scan) const SYMBOL: u8 = 6;
    pub(in crate::pretokenize::scan) const NEWLINE: u8 = 7;
    pub(in crate::pretokenize::scan) const SPACE: u8 = 8;
    pub(in crate::pretokenize::scan) const DIGIT: u8 = 9;
    /// A number that only the `Digits` step knows for one; else it is unassigned.
    pub(in crate::pretokenize::scan) const NEW_NUMBER: u8 = 10;
    /// `\p{Han}`.
    pub(in crate::pretokenize::scan) const HAN: u8 = 0x10;
    /// `[一-龥぀-ゟ゠-ヿ]`.
    pub(in crate::pretokenize::scan) const KANJI_OR_KANA: u8 = 0x20;
    /// The low bits, without the two scripts.
    pub(in crate::pretokenize::scan) const GENERAL: u8 = 0x0F;
    pub(in crate::pretokenize::scan) const INVALID: u8 = 0xFF;
}

const CODE_POINTS: usize = 0x11_0000;
const LEAF: usize = 64;
/// As many leaves as a family may have, so that a number has eight bits. With Unicode 16 they have 190 at most.
const LEAVES: usize = 256;

struct Categories {
    /// `code point >> 6` to leaf.
    index: Vec<u16>,
    /// The first is the invalid one.
    leaves: Vec<[u8; LEAF]>,
}

static CATEGORIES: LazyLock<Categories> = LazyLock::new(Categories::build);

impl Categories {
    fn build() -> Self {
        let mut all = vec![category::OTHER; CODE_POINTS];
        for (class, category) in [
            (r"[\x{11DE0}-\x{11DE9}\x{16FF4}-\x{16FF6}]", category::NEW_NUMBER),
            (r"[\p{P}\p{S}]", category::SYMBOL),
            (r"[\p{Lu}\p{Lt}]", category::UPPER),
            (r"\p{Ll}", category::LOWER),
            (r"[\p{Lm}\p{Lo}]", category::CASELESS),
            (r"\p{M}", category::MARK),
            (r"\p{N}", category::NUMBER),
            (r"\p{Nd}", category::DIGIT),
            (r"\s", category::SPACE),
            (r"[\r\n]", category::NEWLINE),
        ] {
            for (first, last) in ranges(class) {
                all[first..=last].fill(category);
            }
        }
        for (class, bit) in
            [(r"\p{Han}", category::HAN), (r"[\u{4E00}-\u{9FA5}\u{3040}-\u{30FF}]", category::KANJI_OR_KANA)]
        {
            for (first, last) in ranges(class) {
                all[first..=last].iter_mut().for_each(|category| *category |= bit);
            }
        }

        let mut leaves: Vec<[u8; LEAF]> = vec![[category::INVALID; LEAF]];
        let mut known = HashMap::new();
        let index: Vec<u16> = all
            .chunks_exact(LEAF)
            .map(|chunk| {
                *known.entry(chunk).or_insert_with(|| {
                    leaves.push(chunk.try_into().expect("chunks are as long as leaves"));
                    (leaves.len() - 1) as u16
                })
            })
            .collect();
        Self { index, leaves }
    }

    /// The leaf of the two- or three-byte characters with this lead and, of three, second byte, of both the low six
    /// bits; the invalid leaf where UTF-8 has none, and for the leads of four bytes.
    fn short(&self, lead: usize, second: usize) -> u16 {
        match lead {
            0x02..0x20 => self.index[lead],
            0x20 if second < 0x20 => 0,
            0x2D if second >= 0x20 => 0,
            0x20..0x30 => self.index[(lead & 0x0F) << 6 | second],
            _ => 0,
        }
    }
}

/// The code points of a character class.
fn ranges(class: &str) -> Vec<(usize, usize)> {
    let hir = regex_syntax::parse(class).expect("the classes are constants");
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().map(|range| (range.start() as usize, range.end() as usize)).collect()
        }
        _ => unreachable!("the patterns are character classes of several characters"),
    }
}

/// The roles of 64 characters whose code points differ in the last six bits.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Leaf(pub(super) [u8; LEAF]);

/// The roles of all characters for one family.
#[derive(Clone)]
pub(super) struct Roles {
    /// By ASCII byte.
    pub(super) ascii: [u8; 128],
    /// By the low six bits of the lead byte, then by those of the second: the number of the leaf.
    pub(super) short: Box<[u8; 1 << 12]>,
    /// The same for characters of two bytes, by the low six bits of the lead; 0 for other leads.
    pub(super) short_leads: [u8; 64],
    /// By number, then by the last six bits of the code point. The first is that of what is no character.
    pub(super) leaves: Box<[Leaf; LEAVES]>,
    /// By category.
    of_category: [u8; 256],
    /// Of a byte that is not part of a valid character: that of an unassigned code point.
    pub(super) invalid: u8,
}

impl Roles {
    /// The roles that `role_of` gives to the categories.
    pub(super) fn new(role_of: impl Fn(u8) -> u8) -> Self {
        let of_category =
            std::array::from_fn(|of| if of as u8 == category::INVALID { role::INVALID } else { role_of(of as u8) });
        let mut leaves = vec![Leaf([role::INVALID; LEAF]); LEAVES];
        let mut numbers = HashMap::from([(leaves[0].0, 0)]);
        let short = |key: usize| {
            let categories = CATEGORIES.leaves[CATEGORIES.short(key >> 6, key & 0x3F) as usize];
            let leaf = categories.map(|category| of_category[category as usize]);
            let number = numbers.len();
            *numbers.entry(leaf).or_insert_with(|| {
                leaves[number] = Leaf(leaf);
                number as u8
            })
        };
        let short: Vec<u8> = (0..1 << 12).map(short).collect();
        let short: Box<[u8; 1 << 12]> = short.into_boxed_slice().try_into().expect("the length is that of the table");
        let short_leads = std::array::from_fn(|lead| if lead < 0x20 { short[lead << 6] } else { 0 });
        let Ok(leaves) = leaves.into_boxed_slice().try_into() else { unreachable!("the length is that of the table") };
        let mut roles =
            Self { ascii: [0; 128], short, short_leads, leaves, of_category, invalid: role_of(category::OTHER) };
        roles.ascii = std::array::from_fn(|byte| roles.of(byte as u32));
        roles
    }

    fn of(&self, code: u32) -> u8 {
        let leaf = CATEGORIES.index[(code >> 6) as usize] as usize;
        self.of_category[CATEGORIES.leaves[leaf][(code & 0x3F) as usize] as usize]
    }

    /// The role and length of the character at `at`, which is in the text. A byte that does not begin a valid
    /// character is one of its own.
    #[inline]
    pub(super) fn at(&self, text: &[u8], at: usize) -> (u8, usize) {
        let first = text[at];
        if first < 0x80 {
            return (self.ascii[first as usize], 1);
        }
        match decode(&text[at..]) {
            Some((code, length)) => (self.of(code), length),
            None => (self.invalid, 1),
        }
    }

    /// The same, a little faster for characters of two and three bytes.
    #[inline(always)]
    pub(super) fn character(&self, text: &[u8], at: usize) -> (u8, usize) {
        let goes_on = |byte: u8| byte & 0xC0 == 0x80;
        let Some(bytes) = text[at..].first_chunk::<4>() else { return self.at(text, at) };
        let length = match bytes[0] {
            0xC0..0xE0 if goes_on(bytes[1]) => 2,
            0xE0..0xF0 if goes_on(bytes[1]) && goes_on(bytes[2]) => 3,
            _ => return self.at(text, at),
        };
        match self.short(*bytes) {
            role::INVALID => self.at(text, at),
            role => (role, length),
        }
    }

    /// The role of the two- or three-byte character that `bytes` begins with; `INVALID` where the lead byte, with the
    /// second of three, cannot begin such a character. That the other bytes are continuations is the caller's to know.
    #[inline(always)]
    pub(super) fn short(&self, bytes: [u8; 4]) -> u8 {
        let word = u32::from_le_bytes(bytes);
        let leaf = self.short[(word << 6 & 0xFC0 | word >> 8 & 0x3F) as usize];
        // The last byte is the second, or, behind leads from 0xE0, the third.
        let last = word >> (8 + (word >> 2 & 8)) & 0x3F;
        self.leaves[leaf as usize].0[last as usize]
    }
}
