//! Every family against the regex engine that defines it, over random Unicode.

use std::sync::LazyLock;

use onig::Regex;
use proptest::prelude::*;

use super::{Path, Pieces, Scanner};
use crate::pretokenize::patterns::{pattern, patterns};
use crate::pretokenize::{SplitBehavior, SplitPattern, Step};

/// What `Digits` counts as numbers: those of Unicode 17, where the patterns know Unicode 16.
const NUMERIC: &str = r"[\p{N}\x{11DE0}-\x{11DE9}\x{16FF4}-\x{16FF6}]";

/// Known steps with the regular expressions that define them, in the order in which they cut.
struct Oracle {
    name: &'static str,
    scanners: Vec<Scanner>,
    regexes: Vec<Regex>,
}

static ORACLES: LazyLock<Vec<Oracle>> = LazyLock::new(|| {
    let byte_level = |use_regex| Step::ByteLevel { add_prefix_space: false, trim_offsets: true, use_regex };
    let gpt2 = pattern("gpt2").expect("it is named").regexes[0];
    let single_digits = vec![Step::Digits { individual_digits: true }, byte_level(true)];
    let mut oracles = vec![
        Oracle::new("byte_level", &[byte_level(true)], &[gpt2]),
        Oracle::new("single_digits", &single_digits, &[NUMERIC, gpt2]),
    ];
    for named in patterns() {
        let steps = named.steps();
        if Scanner::for_steps(&steps).is_some() {
            let digits = if named.digits_first { vec![format!("{NUMERIC}+")] } else { vec![] };
            let regexes: Vec<&str> = digits.iter().map(String::as_str).chain(named.regexes.iter().copied()).collect();
            oracles.push(Oracle::new(named.name, &[steps, vec![byte_level(false)]].concat(), &regexes));
        }
    }
    oracles
});

impl Oracle {
    fn new(name: &'static str, steps: &[Step], regexes: &[&str]) -> Self {
        let scanner = Scanner::for_steps(steps).expect("the steps are known");
        let regexes = regexes.iter().map(|regex| Regex::new(regex).expect("Oniguruma accepts the pattern"));
        Self {
            name,
            scanners: Path::available().into_iter().map(|path| Scanner { path, ..scanner.clone() }).collect(),
            regexes: regexes.collect(),
        }
    }

    /// The ends of the pieces: each regex cuts at both ends of its matches in every piece that the one before left.
    fn ends(&self, text: &str) -> Vec<usize> {
        let mut ends = vec![text.len()];
        for regex in &self.regexes {
            let mut begin = 0;
            let mut cut = Vec::new();
            for end in ends {
                for (match_begin, match_end) in regex.find_iter(&text[begin..end]) {
                    cut.extend([begin + match_begin, begin + match_end]);
                }
                cut.push(end);
                begin = end;
            }
            cut.retain(|&end| end > 0);
            cut.dedup();
            ends = cut;
        }
        ends
    }
}

/// The ends of all pieces, after checking that they cover the text and that blocks are consistent.
fn scanned(scanner: &Scanner, text: &[u8]) -> Vec<usize> {
    let mut pieces = Pieces::default();
    let mut ends = Vec::new();
    let mut from = 0;
    while from < text.len() {
        let next = scanner.fill(text, from, &mut pieces);
        assert!(next > from);
        assert_eq!(pieces.base, from);
        let mut begin = 0;
        for &(piece_begin, piece_end) in &pieces.ends {
            assert_eq!(piece_begin, begin);
            assert!(piece_end > piece_begin);
            begin = piece_end;
            ends.push(from + piece_end as usize);
        }
        assert_eq!(from + begin as usize, next);
        from = next;
    }
    ends
}

/// The ends of all pieces of texts that are scanned together, for each text.
fn scanned_together(scanner: &Scanner, texts: &[Vec<u8>]) -> Vec<Vec<usize>> {
    let stops: Vec<usize> = texts
        .iter()
        .scan(0, |end, text| {
            *end += text.len();
            Some(*end)
        })
        .collect();
    let mut pieces = Pieces::default();
    scanner.fill_texts(&texts.concat(), &stops, &mut pieces);
    let mut ends = vec![Vec::new()];
    let (mut begin, mut base) = (0, 0);
    for (piece_begin, piece_end) in pieces.ends {
        assert_eq!(piece_begin, begin);
        if piece_end == piece_begin {
            base = piece_end;
            ends.push(Vec::new());
        } else {
            ends.last_mut().expect("there is one").push((piece_end - base) as usize);
        }
        begin = piece_end;
    }
    assert_eq!(ends.pop(), Some(Vec::new()), "a piece of no bytes is behind the last text");
    ends
}

/// Characters that the patterns tell apart, and their neighbours.
fn character() -> impl Strategy<Value = char> {
    let choose = |characters: &'static str| {
        let characters: Vec<char> = characters.chars().collect();
        prop::sample::select(characters)
    };
    prop_oneof![
        8 => choose("abcxyz"),
        3 => choose("ABXYZ"),
        5 => Just(' '),
        3 => choose("\r\n"),
        3 => choose("0123456789"),
        4 => choose("!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~"),
        4 => choose("''''stremvldSTREMVLD\u{17f}\u{212a}"),
        2 => choose("\t\u{b}\u{c}\u{85}\u{a0}\u{1680}\u{2003}\u{2028}\u{202f}\u{3000}"),
        2 => choose("éßüłжыяЖЯαΩǅǆʰªאبتกขคअआइकखগ"),
        2 => choose("\u{301}\u{308}\u{93e}\u{94d}\u{e31}\u{e34}\u{200d}\u{fe0f}\u{20dd}\u{903}"),
        2 => choose("中文字漢龥龦一〇々〆ぁあんアン゠ー・゛゜\u{3099}ㇰㇿ〡〸⺀⼀㐀\u{20000}\u{16ff0}\u{16fe2}한글"),
        2 => choose("٠١٢०१²³½ⅷ①𝟘𝟗〇\u{11de0}\u{16ff4}"),
        1 => choose("«»…—“”’€£¥©®→∀。、，！？😀👍🏽\u{10ffff}\u{e000}\u{fffd}\u{378}"),
        1 => choose("\0\u{1}\u{7f}\u{ad}\u{200b}\u{feff}\u{200e}"),
        1 => any::<char>(),
    ]
}

/// Texts with runs: each character up to a few times, now and then many times.
fn text(parts: usize) -> impl Strategy<Value = String> {
    let count = prop_oneof![12 => Just(1), 3 => 2..5_usize, 1 => 5..200_usize];
    prop::collection::vec((character(), count), 0..parts)
        .prop_map(|parts| parts.into_iter().flat_map(|(c, count)| std::iter::repeat_n(c, count)).collect())
}

fn check(text: &str) -> Result<(), TestCaseError> {
    for oracle in &*ORACLES {
        let expected = oracle.ends(text);
        for scanner in &oracle.scanners {
            prop_assert_eq!(
                scanned(scanner, text.as_bytes()),
                &expected[..],
                "{} of {:?} by {:?}",
                oracle.name,
                text,
                scanner.path
            );
        }
    }
    Ok(())
}

/// The same for bytes: an invalid byte must be treated as a private use character is.
fn check_bytes(bytes: &[u8]) -> Result<(), TestCaseError> {
    let mut text = String::new();
    let mut positions = vec![0];
    for chunk in bytes.utf8_chunks() {
        let invalid = std::iter::repeat_n('\u{e000}', chunk.invalid().len()).map(|c| (c, 1));
        for (character, length) in chunk.valid().chars().map(|c| (c, c.len_utf8())).chain(invalid) {
            text.push(character);
            let position = positions[positions.len() - 1];
            positions.extend(std::iter::repeat_n(position + length, character.len_utf8()));
        }
    }
    for oracle in &*ORACLES {
        let expected: Vec<usize> = oracle.ends(&text).into_iter().map(|end| positions[end]).collect();
        for scanner in &oracle.scanners {
            prop_assert_eq!(
                scanned(scanner, bytes),
                &expected[..],
                "{} of {:?} by {:?}",
                oracle.name,
                bytes,
                scanner.path
            );
        }
    }
    Ok(())
}

/// Bytes to be put anywhere into a text.
fn noise() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    let byte = prop_oneof![
        any::<u8>(),
        0x80..=0xFF_u8,
        prop::sample::select(vec![0xC0, 0xC1, 0xE0, 0xED, 0xA0, 0xF0, 0xF4, 0x90, 0xF5, 0xFF])
    ];
    prop::collection::vec((any::<prop::sample::Index>(), byte), 0..6)
}

#[test]
fn every_named_pattern_but_these_is_known() {
    let unknown: Vec<_> = patterns()
        .iter()
        .filter(|named| Scanner::for_steps(&named.steps()).is_none())
        .map(|named| named.name)
        .collect();
    assert_eq!(unknown, ["superbpe", "superbpe_128k_2"]);
}

#[test]
fn steps_that_differ_from_a_known_pattern_are_not_taken_for_it() {
    let llama3 = pattern("llama3").expect("it is named");
    let split = |regex: &str, behavior, invert| Step::Split {
        pattern: SplitPattern::Regex(regex.to_owned()),
        behavior,
        invert,
    };
    let known = split(llama3.regexes[0], SplitBehavior::Isolated, false);
    let prefixing = Step::ByteLevel { add_prefix_space: true, trim_offsets: true, use_regex: false };
    let deepseek = pattern("deepseek_v3").expect("it is named").regexes;
    for steps in [
        vec![],
        vec![known.clone(), prefixing],
        vec![known.clone(), known.clone()],
        vec![Step::Digits { individual_digits: false }, known],
        vec![split(llama3.regexes[0], SplitBehavior::MergedWithNext, false)],
        vec![split(llama3.regexes[0], SplitBehavior::Removed, false)],
        vec![split(&llama3.regexes[0].replace("{1,3}", "{1,3}+"), SplitBehavior::Isolated, false)],
        deepseek.iter().map(|regex| split(regex, SplitBehavior::Removed, true)).collect(),
    ] {
        assert!(Scanner::for_steps(&steps).is_none(), "{steps:?}");
    }
    assert!(Scanner::for_steps(&[split(llama3.regexes[0], SplitBehavior::Removed, true)]).is_some());
}

proptest! {
    #[test]
    fn agrees_with_the_regex_on_short_texts(text in text(12)) {
        check(&text)?;
    }

    #[test]
    fn takes_an_invalid_byte_for_an_unassigned_character(text in text(150), noise in noise()) {
        let mut bytes = text.into_bytes();
        for (at, byte) in noise {
            let at = at.index(bytes.len() + 1);
            bytes.insert(at, byte);
        }
        check_bytes(&bytes)?;
    }

    #[test]
    fn texts_that_are_scanned_together_do_not_change_each_other(
        texts in prop::collection::vec((text(30), noise()), 0..40)
    ) {
        let with_noise = |(text, noise): (String, Vec<(prop::sample::Index, u8)>)| {
            let mut bytes = text.into_bytes();
            for (at, byte) in noise.into_iter().skip(3) {
                bytes.insert(at.index(bytes.len() + 1), byte);
            }
            bytes
        };
        let goes_on = |text: &Vec<u8>| text.first().is_some_and(|byte| byte & 0xC0 == 0x80);
        let texts: Vec<Vec<u8>> = texts.into_iter().map(with_noise).filter(|text| !goes_on(text)).collect();
        for oracle in &*ORACLES {
            for scanner in oracle.scanners.iter().filter(|scanner| scanner.takes_texts()) {
                let alone: Vec<Vec<usize>> = texts.iter().map(|text| scanned(scanner, text)).collect();
                prop_assert_eq!(scanned_together(scanner, &texts), alone, "{} by {:?}", oracle.name, scanner.path);
            }
        }
    }

    #[test]
    fn agrees_with_the_regex_on_long_texts(text in text(200)) {
        check(&text)?;
    }
}
