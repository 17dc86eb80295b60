//! Pretokenizers against Oniguruma and the behaviours of tokenizers, written as plainly as possible.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use proptest::prelude::*;
use tokmill::pretokenize::patterns::{NamedPattern, patterns, tiktoken_steps};
use tokmill::pretokenize::{Pretokenizer, SplitBehavior, SplitPattern, Step};

/// Text and matches in turn: what tokenizers' `Pattern::find_matches` returns for an onig regex.
fn items(regex: &onig::Regex, text: &str) -> Vec<(Range<usize>, bool)> {
    let mut items = Vec::new();
    let mut at = 0;
    for (begin, end) in regex.find_iter(text) {
        if at < begin {
            items.push((at..begin, false));
        }
        items.push((begin..end, true));
        at = end;
    }
    if at < text.len() {
        items.push((at..text.len(), false));
    }
    items
}

/// What tokenizers' `Split` makes of them.
fn behave(items: Vec<(Range<usize>, bool)>, behavior: SplitBehavior, invert: bool) -> Vec<Range<usize>> {
    let items: Vec<_> = items.into_iter().map(|(range, is_match)| (range, is_match != invert)).collect();
    let mut pieces: Vec<Range<usize>> = Vec::new();
    for (index, (range, is_match)) in items.iter().enumerate() {
        let previous = index.checked_sub(1).map(|previous| items[previous].1);
        let joins = match behavior {
            SplitBehavior::Removed | SplitBehavior::Isolated => false,
            SplitBehavior::MergedWithPrevious => *is_match && previous == Some(false),
            SplitBehavior::MergedWithNext => !*is_match && previous == Some(true),
            SplitBehavior::Contiguous => previous == Some(*is_match),
        };
        if joins {
            pieces.last_mut().expect("there is a previous item").end = range.end;
        } else if !(behavior == SplitBehavior::Removed && *is_match) {
            pieces.push(range.clone());
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Isolates the matches of each regex in the pieces of the one before.
fn onig_pieces(regexes: &[onig::Regex], text: &str) -> Vec<Range<usize>> {
    let mut pieces: Vec<Range<usize>> = std::iter::once(0..text.len()).collect();
    for regex in regexes {
        pieces = pieces
            .into_iter()
            .flat_map(|piece| {
                let inner = behave(items(regex, &text[piece.clone()]), SplitBehavior::Isolated, false);
                inner.into_iter().map(move |inner| piece.start + inner.start..piece.start + inner.end)
            })
            .collect();
    }
    pieces
}

/// What the `Digits` step counts as numbers: those of Unicode 17, where Oniguruma has Unicode 16.
const NUMERIC: &str = r"[\p{N}\x{11DE0}-\x{11DE9}\x{16FF4}-\x{16FF6}]+";

fn compiled(regexes: &[&str], digits_first: bool) -> Vec<onig::Regex> {
    let digits = digits_first.then_some(NUMERIC);
    digits.iter().chain(regexes).map(|regex| onig::Regex::new(regex).expect("valid")).collect()
}

/// Characters that patterns tell apart, and any other.
fn texts() -> impl Strategy<Value = String> {
    let telling = prop::sample::select(
        "\u{16FF4} \t\r\n\u{a0}\u{3000}\u{85}aZéßſKʰǅ한中〇のー0９²½Ⅷ'’stredlmSTRE.,!/_-$+\u{301}\u{93e}\u{200d}🙂\u{10ffff}"
            .chars()
            .collect::<Vec<_>>(),
    );
    let weighted = prop_oneof![4 => telling, 1 => any::<char>(), 2 => Just(' '), 2 => prop::char::range('0', '9')];
    prop::collection::vec(weighted, 0..60).prop_map(|chars| chars.into_iter().collect())
}

/// A named pattern, compiled by us, step by step and by the fastest plan, and by Oniguruma.
struct Named {
    name: &'static str,
    plans: [Pretokenizer; 2],
    regexes: Vec<onig::Regex>,
}

fn named() -> &'static [Named] {
    static NAMED: OnceLock<Vec<Named>> = OnceLock::new();
    let compile = |named: &NamedPattern| Named {
        name: named.name,
        plans: [Pretokenizer::staged, Pretokenizer::new].map(|plan| plan(named.steps()).expect("compiles")),
        regexes: compiled(named.regexes, named.digits_first),
    };
    NAMED.get_or_init(|| patterns().iter().map(compile).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]
    #[test]
    fn named_patterns_cut_as_oniguruma_does(text in texts()) {
        for Named { name, plans, regexes } in named() {
            let expected = onig_pieces(regexes, &text);
            for plan in plans {
                prop_assert_eq!(&plan.split(text.as_bytes()), &expected, "{} on {:?}", name, &text);
            }
        }
    }

    /// U+0378 is not assigned: like an invalid byte it belongs to no class that the patterns name.
    #[test]
    fn an_invalid_byte_is_a_character_of_no_class(bytes in bytes()) {
        let mut text = String::new();
        let mut origin = vec![0];
        for chunk in bytes.utf8_chunks() {
            let invalid = chunk.invalid().iter().map(|_| '\u{378}');
            for (c, length) in chunk.valid().chars().map(|c| (c, c.len_utf8())).chain(invalid.map(|c| (c, 1))) {
                text.push(c);
                let at = origin.last().expect("begins with 0") + length;
                origin.resize(text.len(), usize::MAX);
                origin.push(at);
            }
        }
        for Named { name, plans, regexes } in named() {
            let expected: Vec<_> =
                onig_pieces(regexes, &text).into_iter().map(|piece| origin[piece.start]..origin[piece.end]).collect();
            for plan in plans {
                prop_assert_eq!(&plan.split(&bytes), &expected, "{} on {:?}", name, &bytes);
            }
        }
    }

    #[test]
    fn any_pattern_cuts_as_in_oniguruma(
        pattern in pattern(&QUANTIFIERS), behavior in behavior(), invert in any::<bool>(), text in short_texts()
    ) {
        let step = Step::Split { pattern: SplitPattern::Regex(pattern.clone()), behavior, invert };
        let (Ok(ours), Ok(theirs)) = (Pretokenizer::staged(vec![step]), onig::Regex::new(&pattern)) else {
            return Ok(());
        };
        prop_assert_eq!(
            ours.split(text.as_bytes()), behave(items(&theirs, &text), behavior, invert),
            "{:?} {} on {:?}", behavior, pattern, text
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]
    /// Without lazy repeats, which fancy-regex takes for greedy ones inside of some atomic groups and the reverse.
    #[test]
    fn any_pattern_of_tiktoken_cuts_as_in_fancy_regex(pattern in pattern(&GREEDY), text in short_texts()) {
        let step = Step::Split {
            pattern: SplitPattern::FancyRegex(pattern.clone()), behavior: SplitBehavior::Removed, invert: true,
        };
        let (Ok(ours), Ok(theirs)) = (Pretokenizer::staged(vec![step]), fancy_regex::Regex::new(&pattern)) else {
            return Ok(());
        };
        let matches: Result<Vec<_>, _> = theirs.find_iter(&text).map(|found| found.map(|found| found.range())).collect();
        let Ok(mut matches) = matches else { return Ok(()) };
        matches.retain(|found| !found.is_empty());
        prop_assert_eq!(ours.split(text.as_bytes()), matches, "{} on {:?}", pattern, text);
    }
}

/// Patterns of published tokenizers that have no name here.
const FROM_THE_WILD: [&str; 9] = [
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓ\u0370-\u0373Ͷ-ͷͻ-ͽΆΈ-ΏА-Яа-я]+",
    r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
    "[一-龥ࠀ-一가-퟿]+",
    r"\d{1,3}(?=(?:\d{3})*\b)",
    r"(?:\r?\n)+(?!\r?\n)",
    r" ?[^(\s|[.,!?…。，、।۔،])]+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|(?>[^\r\n\p{L}\p{N}]?)\p{L}+|\p{N}{1,3}| ?(?:(?!\p{L}|\p{N})\S)++[\r\n]*|\s+$|\s+",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]
    #[test]
    fn published_patterns_cut_as_in_oniguruma(text in texts(), behavior in behavior(), invert in any::<bool>()) {
        static COMPILED: OnceLock<Vec<onig::Regex>> = OnceLock::new();
        let compiled = COMPILED.get_or_init(|| compiled(&FROM_THE_WILD, false));
        for (pattern, theirs) in FROM_THE_WILD.iter().zip(compiled) {
            let step = Step::Split { pattern: SplitPattern::Regex((*pattern).to_owned()), behavior, invert };
            let ours = Pretokenizer::staged(vec![step]).expect(pattern);
            prop_assert_eq!(
                ours.split(text.as_bytes()), behave(items(theirs, &text), behavior, invert), "{} on {:?}", pattern, &text
            );
        }
    }
}

proptest! {
    #[test]
    fn tiktoken_texts_cut_as_in_tiktoken(text in texts()) {
        static COMPILED: OnceLock<Vec<(Pretokenizer, fancy_regex::Regex)>> = OnceLock::new();
        let compiled = COMPILED.get_or_init(|| {
            let compile = |text: &&str| {
                let steps = tiktoken_steps(text);
                assert!(matches!(&steps[..], [Step::Split { pattern: SplitPattern::Regex(_), .. }]), "{text} has a name");
                (Pretokenizer::staged(steps).expect("compiles"), fancy_regex::Regex::new(text).expect("valid"))
            };
            TIKTOKEN.iter().map(compile).collect()
        });
        for (ours, theirs) in compiled {
            let matches: Vec<_> = theirs.find_iter(&text).map(|found| found.expect("matches").range()).collect();
            prop_assert_eq!(ours.split(text.as_bytes()), matches, "{} on {:?}", theirs.as_str(), &text);
        }
    }
}

/// The `pat_str` of `gpt2`, `cl100k_base` and `o200k_base` in tiktoken 0.14.
const TIKTOKEN: [&str; 3] = [
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
];

/// Real text in many languages, where the data is at hand.
#[test]
fn named_patterns_cut_real_text_as_oniguruma_does() {
    let data = std::env::var_os("TOKMILL_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    for file in ["english_16m.txt", "multilingual.txt", "code_linux.c.txt"] {
        let Ok(text) = std::fs::read_to_string(data.join("text").join(file)) else { continue };
        let middle = text.floor_char_boundary(text.len() / 2);
        let text = &text[middle..text.floor_char_boundary(middle + 300_000)];
        for Named { name, plans, regexes } in named() {
            let expected = onig_pieces(regexes, text);
            assert!(plans.iter().all(|plan| plan.split(text.as_bytes()) == expected), "{name} on {file}");
        }
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let valid = texts().prop_map(String::into_bytes);
    let broken = prop::collection::vec(prop::sample::select(b"\xE2\x82\xAC\xF0\x9F\xC3\xA9\xFF a1\n".to_vec()), 0..6);
    prop::collection::vec(prop_oneof![valid, broken], 0..5).prop_map(|parts| parts.concat())
}

fn behavior() -> impl Strategy<Value = SplitBehavior> {
    use SplitBehavior::{Contiguous, Isolated, MergedWithNext, MergedWithPrevious, Removed};
    prop::sample::select(vec![Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous])
}

fn short_texts() -> impl Strategy<Value = String> {
    let chars: Vec<char> = "aaabbbcAB  1122\n\r.é²ſ中\u{200d}".chars().collect();
    prop::collection::vec(prop::sample::select(chars), 0..24).prop_map(|chars| chars.into_iter().collect())
}

const GREEDY: [&str; 12] = ["", "", "?", "*", "+", "{2}", "{1,2}", "{2,}", "?+", "*+", "++", "{1,2}+"];
const QUANTIFIERS: [&str; 18] = [
    "", "", "?", "*", "+", "{2}", "{1,2}", "{2,}", "{,2}", "??", "*?", "+?", "{1,2}?", "?+", "*+", "++", "{1,2}+",
    "{2}?",
];

/// Patterns with everything that is supported.
fn pattern(quantifiers: &'static [&'static str]) -> impl Strategy<Value = String> {
    let atoms = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "A",
        " ",
        "1",
        "é",
        ".",
        r"\s",
        r"\S",
        r"\d",
        r"\w",
        r"\W",
        r"\h",
        r"\n",
        r"\r\n",
        r"\R",
        r"\p{L}",
        r"\p{Lu}",
        r"\P{L}",
        r"\p{^N}",
        "[a-c]",
        "[^a]",
        "[ab&&[^b]]",
        r"[^\s\p{L}]",
        r"[\p{L}\d]",
        "[[:alpha:]_-]",
        "ab",
        r"[^\r\n]",
        r"\O",
        r"\N",
        r"\x{61}",
        "[^a-b&&a-c]",
        "(?i:b)",
        "(?i:[a-b])",
        "(?i)k",
    ]);
    let anchors =
        prop::sample::select(vec!["^", "$", r"\A", r"\z", r"\Z", r"\b", r"\B", "(?!a)", r"(?!\S)", "(?<!a)", "(?<=b)"]);
    let quantifiers = prop::sample::select(quantifiers);
    let leaf = prop_oneof![
        5 => (atoms, quantifiers.clone()).prop_map(|(atom, quantifier)| {
            let atom = if atom.starts_with("(?i)") { format!("({atom})") } else { format!("(?:{atom})") };
            format!("{atom}{quantifier}")
        }),
        1 => anchors.prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let group = prop::sample::select(vec!["(?:", "(", "(?>", "(?=", "(?!", "(?<=", "(?<!", "(?<name>"]);
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            3 => (group, inner, quantifiers.clone()).prop_map(|(group, inner, quantifier)| {
                let looks = ["(?=", "(?!", "(?<=", "(?<!"].contains(&group);
                format!("{group}{inner}){}", if looks { "" } else { quantifier })
            }),
        ]
    })
}
