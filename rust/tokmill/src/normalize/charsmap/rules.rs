//! Rules that are made of Unicode's tables: sentencepiece's `nfkc` and `nmt_nfkc`, and `nfc` in the same manner.
//!
//! A map has no combining classes: it rewrites strings of characters. Its rules are what becomes of each character, and,
//! where a character decomposes into several that compose again, each way to write these several with one character
//! each. Rules that follow from shorter ones are left out. Reference: `builder.cc` of sentencepiece, and the maps of
//! release 0.2.3, which have the tables of Unicode 17.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;

/// From strings of characters to what they become.
pub(super) type Rules = BTreeMap<String, String>;

/// What becomes of characters by `nfkc`.
pub(super) fn nfkc() -> Rules {
    of_form(|text| text.nfkc().collect(), |text| text.nfkd().collect())
}

/// What becomes of characters by form C.
pub(super) fn nfc() -> Rules {
    of_form(|text| text.nfc().collect(), |text| text.nfd().collect())
}

/// What becomes of characters by a form that is told how to compose and to decompose strings.
fn of_form(compose: fn(&str) -> String, decompose: fn(&str) -> String) -> Rules {
    let mut rules = Rules::new();
    // For each character that is its own decomposition, all those that decompose into it, itself included.
    let mut spellings: BTreeMap<char, Vec<char>> = BTreeMap::new();
    let mut decompositions = BTreeSet::new();
    for c in ('\u{1}'..=char::MAX).filter(|&c| !is_newer(c)) {
        let composed = compose(c.encode_utf8(&mut [0; 4]));
        if !composed.chars().eq([c]) {
            rules.insert(c.to_string(), composed);
        }
        let decomposed = decompose(c.encode_utf8(&mut [0; 4]));
        let mut parts = decomposed.chars();
        match (parts.next(), parts.next()) {
            (Some(single), None) => spellings.entry(single).or_default().push(c),
            _ => _ = decompositions.insert(decomposed),
        }
    }
    for decomposed in &decompositions {
        let composed: String = decomposed.chars().nfc().collect();
        if composed == *decomposed {
            continue;
        }
        for spelled in ways_to_spell(decomposed, &spellings) {
            if spelled != composed {
                rules.insert(spelled, composed.clone());
            }
        }
    }
    without_redundant(rules)
}

/// What becomes of characters by `nmt_nfkc`.
pub(super) fn nmt_nfkc() -> Rules {
    let mut rules = nfkc();
    let dropped = ('\u{1}'..='\u{8}').chain(['\u{B}']).chain('\u{E}'..='\u{1F}').chain(['\u{7F}', '\u{8F}', '\u{9F}']);
    rules.extend(dropped.map(|c| (c.to_string(), String::new())));
    let blanks = ['\t', '\n', '\u{C}', '\r', '\u{61C}', '\u{1680}', '\u{200B}', '\u{200C}', '\u{200E}', '\u{200F}'];
    let others = ['\u{2028}', '\u{2029}', '\u{2581}', '\u{FEFF}', '\u{FFFD}'];
    rules.extend(blanks.into_iter().chain(others).map(|c| (c.to_string(), " ".to_owned())));
    // The wide tilde of Japanese text is no tilde.
    rules.remove("\u{FF5E}");
    without_redundant(rules)
}

/// All strings of as many characters that decompose into `decomposed`.
fn ways_to_spell(decomposed: &str, spellings: &BTreeMap<char, Vec<char>>) -> Vec<String> {
    decomposed.chars().fold(vec![String::new()], |begins, c| {
        let ways = spellings.get(&c).map_or(&[][..], Vec::as_slice);
        begins.iter().flat_map(|begin| ways.iter().map(move |way| format!("{begin}{way}"))).collect()
    })
}

/// The rules that do not follow from shorter ones.
fn without_redundant(rules: Rules) -> Rules {
    let mut by_length: BTreeMap<usize, Vec<(String, String)>> = BTreeMap::new();
    for (from, to) in rules {
        by_length.entry(from.chars().count()).or_default().push((from, to));
    }
    let mut kept = Rules::new();
    for (length, rules) in by_length {
        for (from, to) in rules {
            if length == 1 || rewrite(&from, &kept, length - 1) != to {
                kept.insert(from, to);
            }
        }
    }
    kept
}

/// `text` rewritten from left to right by the longest rules of at most `longest` characters.
fn rewrite(text: &str, rules: &Rules, longest: usize) -> String {
    let mut rest = text;
    let mut written = String::new();
    while let Some(first) = rest.chars().next() {
        let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).take(longest);
        let rule = ends.filter_map(|end| Some((end, rules.get(&rest[..end])?))).last();
        let (end, to) = rule.map_or((first.len_utf8(), &rest[..first.len_utf8()]), |(end, to)| (end, to.as_str()));
        written.push_str(to);
        rest = &rest[end..];
    }
    written
}

/// Whether a character that decomposes is of Unicode 18, and so newer than the tables of sentencepiece.
pub(super) fn is_newer(c: char) -> bool {
    matches!(
        u32::from(c),
        0x558
            | 0x58B..=0x58C
            | 0x209D..=0x209F
            | 0x1_07BB..=0x1_07BF
            | 0x1_B123..=0x1_B126
            | 0x1_D6A6
            | 0x1_DF95
            | 0x1_DFCD..=0x1_DFFF
    )
}
