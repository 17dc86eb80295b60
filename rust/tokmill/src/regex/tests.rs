//! Character classes against Oniguruma over all of Unicode; linear time counted in bytes read; refusals.

use super::*;

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern, Dialect::Oniguruma).expect(pattern)
}

/// All matches, one after the other.
fn matches(regex: &Regex, text: &[u8], memo: &mut Memo) -> Vec<(usize, usize)> {
    let mut from = 0;
    std::iter::from_fn(|| {
        let (begin, end) = (from <= text.len()).then(|| regex.find(text, from, memo))??;
        from = end + usize::from(begin == end);
        Some((begin, end))
    })
    .collect()
}

#[test]
fn classes_hold_the_characters_that_they_hold_in_oniguruma() {
    let categories =
        "L Lu Ll Lt Lm Lo LC M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp Cc Cf Cn";
    let scripts = "Han Hiragana Katakana Latin Greek Cyrillic Arabic Hebrew Thai Hangul Devanagari Common Inherited";
    let properties = "Letter Uppercase_Letter Emoji Alphabetic White_Space Uppercase Lowercase Extended_Pictographic";
    let posix = "alnum alpha ascii blank cntrl digit graph lower print punct space upper xdigit word";
    let names = [categories, scripts, properties, posix].into_iter().flat_map(|names| names.split(' '));
    let mut classes: Vec<String> = names.map(|name| format!(r"\p{{{name}}}")).collect();
    classes.extend(posix.split(' ').flat_map(|name| [format!("[[:{name}:]]"), format!("[[:^{name}:]]")]));
    classes.extend(
        [
            r"\d",
            r"\D",
            r"\s",
            r"\S",
            r"\w",
            r"\W",
            r"\h",
            r"\H",
            r"\O",
            r"\N",
            ".",
            r"\p{^L}",
            r"\P{^L}",
            r"[^\W_]",
            r"[\w]",
            r"[\p{word}]",
            r"\P{word}",
            r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]",
            r"[^\r\n\p{L}\p{N}]",
            "(?i:k)",
            "(?i:s)",
            "(?i:[a-z])",
            "(?i:[^k])",
            r"(?i:\p{Lu})",
            "[!-/:-@-]",
            "[-a]",
            "[a-]",
            "[]a]",
            "[^]a]",
            "[a-c&&b-d]",
            "[^a-c&&b-d]",
            "[a-z&&[^aeiou]&&[^x]]",
            r"[\x{4E00}-\u9FFF]",
            r"[\]\[\\\-]",
            "[a&&]",
            "[&]",
            "[a&b]",
            r"[\b]",
            "[!--]",
            "(?i:é)",
            "(?m:.)",
            "(?i:[б-д])",
            r"[\s\S]",
            "[一-龥ࠀ-一가-퟿]",
            "(?i:Σ)",
        ]
        .map(str::to_owned),
    );
    // All but empty planes.
    let text: String = ('\0'..='\u{32400}').chain('\u{E0000}'..='\u{E0200}').chain(Some(char::MAX)).collect();
    for class in classes {
        let theirs: Vec<_> = onig::Regex::new(&class).expect(&class).find_iter(&text).collect();
        let ours = matches(&regex(&class), text.as_bytes(), &mut Memo::default());
        let difference = ours.iter().zip(&theirs).find(|(ours, theirs)| ours != theirs);
        assert_eq!((ours.len(), difference), (theirs.len(), None), "{class}");
    }
}

#[test]
fn an_invalid_byte_is_in_negated_classes_only() {
    let matches_invalid = |pattern| regex(pattern).match_at(b"\xFF", 0, &mut Memo::default()).is_some();
    for pattern in [".", r"\S", r"\W", r"\D", r"\P{L}", "[^a]", r"[\s\S]", r"\O", "[^a&&[^b]]", "[[^a]b]", "[^a&&b]"] {
        assert!(matches_invalid(pattern), "{pattern}");
    }
    for pattern in [r"\s", r"\w", r"\p{L}", r"\p{Cn}", r"\p{Any}", "[a-\u{10FFFF}]", "[a&&b]", "ÿ"] {
        assert!(!matches_invalid(pattern), "{pattern}");
    }
}

/// Patterns that read far ahead in vain, each with a text on which a plain matcher takes quadratic time.
#[test]
fn time_is_linear_in_the_text() {
    let cases: [(&str, &str); 12] = [
        (r"a*b|a", "a"),
        (r".*x|.", "ab "),
        (r"\s*\n|\s", " \t"),
        (r"(?=(\d{3})+(?!\d))|\d", "7"),
        (r"\d{1,3}(?=(?:\d{3})*\b)", "0"),
        (r"\d(?=\d*x)|\d", "1"),
        (r"(?<=a[ab]*)b|a", "b"),
        (r"(?<!x\w*)a", "a"),
        (r"(?>a*)b|a", "a"),
        (r"(?:a++b)|a", "a"),
        (r"(?=[^x]*(?=y))a|[^x]", "a"),
        (r"\p{L}+!|\p{L}+(?=\p{L}*!)|\p{L}", "é"),
    ];
    for (pattern, unit) in cases {
        let regex = regex(pattern);
        let work = |units: usize| {
            let text = unit.repeat(units);
            let mut memo = Memo::default();
            matches(&regex, text.as_bytes(), &mut memo);
            memo.work as f64 / text.len() as f64
        };
        let (short, long) = (work(4_000), work(32_000));
        assert!(long < 1.3 * short + 10.0, "{pattern}: {short} and {long} bytes read a byte");
    }
}

#[test]
fn marks_do_not_change_what_is_found() {
    for (pattern, text) in [
        (r"a*b|a", "a".repeat(1000) + &"aab".repeat(100) + &"a".repeat(500)),
        (r"(?:\d{3})+!|\d", "1".repeat(700) + "!" + &"2".repeat(601) + "!" + &"3".repeat(300)),
        (r"\d(?=(\d{3})+(?!\d))", "1".repeat(1000) + " " + &"2".repeat(302)),
        (r"(?<=x\d*)5|\d", "5".repeat(300) + "x" + &"5".repeat(400)),
        (r"(?<!x\d*)5", "5".repeat(300) + "x" + &"5".repeat(400)),
    ] {
        let expected: Vec<_> = onig::Regex::new(pattern).expect(pattern).find_iter(&text).collect();
        assert_eq!(matches(&regex(pattern), text.as_bytes(), &mut Memo::default()), expected, "{pattern}");
    }
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let refused = [
        (r"(a)\1", "back-reference"),
        (r"(?<n>a)\k<n>", r"\k"),
        (r"(?<n>a)\g<n>", r"\g"),
        (r"a\Kb", r"\K"),
        (r"\Ga", r"\G"),
        (r"\X", r"\X"),
        ("(?~a)", "'~'"),
        ("(?(1)a|b)", "'('"),
        ("(*FAIL)", "verb"),
        ("a(?i)b", "inline flag"),
        ("(?x) a", "'x'"),
        ("(?i)ss", "under (?i)"),
        ("(?i)ß", "under (?i)"),
        (r"\xE9", "byte"),
        (r"\p{Nonsense}", "Nonsense"),
        ("[a", "unclosed class"),
        ("(a", "unclosed group"),
        ("a)", "unmatched"),
        ("*a", "repeat"),
        ("(?<=(?>a))b", "look-behind"),
        (r"(?=a)\O*", "'.*'"),
        ("a{1001}", "1000"),
        ("(?>(?:a|b)*c)d", "atomic group"),
    ];
    for (pattern, names) in refused {
        let error = Regex::new(pattern, Dialect::Oniguruma).expect_err(pattern).to_string();
        assert!(error.contains(names), "{pattern}: {error}");
    }
}

#[test]
fn no_pattern_takes_unbounded_space_or_stack() {
    let nested = |open: &str, close: &str, depth| open.repeat(depth) + "a" + &close.repeat(depth);
    let patterns = [
        nested("(?:", ")*", 1000),
        nested("(?:", ")*", 60),
        nested("(?:", "?)*", 60),
        nested("[", "]", 1000),
        nested("(?>", "|b)c", 60),
        nested("(?=", ")", 60),
        "(?:a{1000}){1000}".to_owned(),
        "(?:a|b)*a(?:a|b){40}".to_owned(),
        "(".repeat(50_000),
        "a|".repeat(30_000),
        "x".repeat(100_000),
    ];
    for pattern in patterns {
        // Compiled or refused, either is well.
        let _ = Regex::new(&pattern, Dialect::Oniguruma);
    }
}
