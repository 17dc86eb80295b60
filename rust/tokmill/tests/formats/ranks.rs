//! Rank files: `.tiktoken` and tekken.json.

use std::fs;

use serde_json::json;

use tokmill::format::{self, Format, LoadOptions, from_bytes, to_bytes};
use tokmill::tokenizer::EncodeOptions;

use crate::samples::{
    Random, base64, encode_all, json_bytes, load_json, place, ranks_options, small_json, small_ranks, small_tekken,
    vocabularies, with,
};

#[test]
fn a_rank_file_merges_by_rank_and_survives_round_trips() {
    let tokenizer = from_bytes(small_ranks().as_bytes(), &ranks_options()).unwrap();
    let ids = encode_all(&tokenizer, "hello hello<|end|>");
    // " hello" is never made by merging, but is taken whole as a piece.
    assert_eq!(ids, [258, u32::from(b'o'), 259, 300]);
    let (ranks, warnings) = to_bytes(&tokenizer, Format::Tiktoken).unwrap();
    assert_eq!(String::from_utf8(ranks).unwrap(), small_ranks());
    assert!(warnings.iter().any(|warning| warning.contains("pattern")), "{warnings:?}");
    assert!(warnings.iter().any(|warning| warning.contains("<|end|>")), "{warnings:?}");
    let written = json_bytes(&tokenizer);
    let again = from_bytes(&written, &LoadOptions::default()).unwrap();
    assert_eq!(encode_all(&again, "hello hello<|end|><|pad|>"), encode_all(&tokenizer, "hello hello<|end|><|pad|>"));
    assert_eq!(json_bytes(&again), written);
}

/// tiktoken's rule, word for word: while two neighbours form an entry, join those of the smallest rank.
fn encode_by_rank(entries: &[Vec<u8>], text: &[u8]) -> Vec<u32> {
    let rank = |bytes: &[u8]| entries.iter().position(|entry| entry == bytes);
    let mut parts: Vec<Vec<u8>> = text.iter().map(|&byte| vec![byte]).collect();
    if rank(text).is_some() {
        parts = vec![text.to_vec()];
    }
    while let Some((_, at)) =
        (1..parts.len()).filter_map(|at| Some((rank(&[&parts[at - 1][..], &parts[at]].concat())?, at - 1))).min()
    {
        let right = parts.remove(at + 1);
        parts[at].extend(right);
    }
    parts.iter().map(|part| rank(part).unwrap() as u32).collect()
}

#[test]
fn any_table_of_ranks_encodes_by_the_rule() {
    let mut random = Random(7);
    let word = |random: &mut Random, longest: usize| -> Vec<u8> {
        (0..2 + random.below(longest - 1)).map(|_| b'a' + random.below(3) as u8).collect()
    };
    let options = LoadOptions { pattern: Some(r"\s+|\S+".to_owned()), ..LoadOptions::default() };
    for _ in 0..200 {
        let mut entries: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
        for _ in 0..random.below(30) {
            let entry = word(&mut random, 6);
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        let lines = entries.iter().enumerate().map(|(rank, entry)| format!("{} {rank}\n", base64(entry)));
        let tokenizer = from_bytes(lines.collect::<String>().as_bytes(), &options).unwrap();
        let again = from_bytes(&json_bytes(&tokenizer), &LoadOptions::default()).unwrap();
        for _ in 0..20 {
            let text = word(&mut random, 40);
            let expected = encode_by_rank(&entries, &text);
            for tokenizer in [&tokenizer, &again] {
                let ids = tokenizer.encode(&text, &EncodeOptions::default()).unwrap();
                assert_eq!(ids, expected, "{} with {:?}", text.escape_ascii(), &entries[256..]);
            }
        }
    }
}

#[test]
fn wrong_rank_files_are_refused_with_their_line() {
    let ranks = small_ranks();
    let lines: Vec<&str> = ranks.lines().collect();
    let replaced = |line: usize, text: &str| {
        let mut lines = lines.clone();
        lines[line - 1] = text;
        lines.join("\n")
    };
    let cases = [
        (replaced(8, "BQ=! 7"), "line 8"),
        (replaced(8, "Bw== x"), "line 8"),
        (replaced(8, "Bw== 7 7"), "line 8"),
        (replaced(8, "Bw== 99999999999"), "line 8"),
        (replaced(8, "Bw== 4000000000"), "line 8"),
        (replaced(8, "Bg== 7"), "line 8"),
        (replaced(8, "Bw== 6"), "line 8"),
        (replaced(8, "AAAA 7"), "file"),
        (replaced(258, "\n"), "file"),
    ];
    for (file, expected) in cases {
        let error = from_bytes(file.as_bytes(), &ranks_options()).unwrap_err();
        assert_eq!(place(&error), expected, "{error}");
    }
    let missing = from_bytes(replaced(8, "AAAA 7").as_bytes(), &ranks_options()).unwrap_err();
    assert!(missing.to_string().contains("0x07"), "{missing}");
    let blank_lines = format!("\n{}\n\n", ranks.replace('\n', "\r\n"));
    assert!(from_bytes(blank_lines.as_bytes(), &ranks_options()).is_ok());
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let ranks = small_ranks();
    let with_tokens = |tokens: &[(&str, u32)]| LoadOptions {
        special_tokens: tokens.iter().map(|(content, id)| ((*content).to_owned(), *id)).collect(),
        ..ranks_options()
    };
    for tokens in
        [&[("", 300)][..], &[("a", 5)], &[("a", 300), ("b", 300)], &[("a", 300), ("a", 301)], &[("a", u32::MAX)]]
    {
        let error = from_bytes(ranks.as_bytes(), &with_tokens(tokens)).unwrap_err();
        assert_eq!(place(&error), "special_tokens", "{error}");
    }
    let no_pattern = LoadOptions { pattern: None, ..ranks_options() };
    assert_eq!(place(&from_bytes(ranks.as_bytes(), &no_pattern).unwrap_err()), "pattern");
    let json = serde_json::to_vec(&small_json()).unwrap();
    assert_eq!(place(&from_bytes(&json, &ranks_options()).unwrap_err()), "pattern");
}

#[test]
fn a_tokenizer_that_ranks_cannot_express_is_not_written_as_ranks() {
    let cases = [
        with("/normalizer", json!({ "type": "NFC" })),
        with("/pre_tokenizer/add_prefix_space", json!(true)),
        with("/model/merges", json!([["l", "l"], ["h", "e"], ["he", "ll"], ["hell", "o"], ["Ġ", "hello"]])),
        with("/model/merges", json!([["h", "e"], ["l", "l"], ["hell", "o"], ["Ġ", "hello"]])),
        with("/model/ignore_merges", json!(true)),
        with("/added_tokens/1/special", json!(false)),
        with("/model/vocab/hello", json!(300)),
    ];
    assert!(to_bytes(&load_json(&small_json()).unwrap(), Format::Tiktoken).is_ok());
    for file in cases {
        let error = to_bytes(&load_json(&file).unwrap(), Format::Tiktoken).unwrap_err();
        assert_eq!(place(&error), ".tiktoken", "{error}");
    }
}

#[test]
fn a_tekken_file_has_its_special_tokens_first() {
    let tokenizer = from_bytes(&serde_json::to_vec(&small_tekken()).unwrap(), &LoadOptions::default()).unwrap();
    assert_eq!(tokenizer.vocab_size(), 281);
    let ids = encode_all(&tokenizer, "hell[INST]<SPECIAL_21>");
    assert_eq!(ids, [22 + 258, 3, 21]);
    let written = json_bytes(&tokenizer);
    let again = from_bytes(&written, &LoadOptions::default()).unwrap();
    assert_eq!(encode_all(&again, "hell[INST]<SPECIAL_21>"), ids);
    assert_eq!(json_bytes(&again), written);

    let mut listed = small_tekken();
    listed["config"]["version"] = json!("v13");
    let error = from_bytes(&serde_json::to_vec(&listed).unwrap(), &LoadOptions::default()).unwrap_err();
    assert_eq!(place(&error), "special_tokens");
    listed["special_tokens"] =
        json!([{ "rank": 1, "token_str": "<a>", "is_control": true }, { "rank": 0, "token_str": "<b>" }]);
    let tokenizer = from_bytes(&serde_json::to_vec(&listed).unwrap(), &LoadOptions::default()).unwrap();
    assert_eq!(encode_all(&tokenizer, "<b><a><SPECIAL_2>"), [0, 1, 2]);
}

#[test]
fn real_rank_files_are_written_byte_for_byte() {
    let Some(folder) = vocabularies() else {
        eprintln!("skipped: no real vocabularies; set TOKMILL_DATA to a folder that has them");
        return;
    };
    let options = LoadOptions { special_tokens: Vec::new(), ..ranks_options() };
    for name in ["r50k_base.tiktoken", "whisper_multilingual.tiktoken", "cl100k_base.tiktoken"] {
        let file = fs::read(folder.join(name)).unwrap();
        let tokenizer = from_bytes(&file, &options).unwrap();
        let (written, _) = to_bytes(&tokenizer, Format::Tiktoken).unwrap();
        assert!(written == file, "{name}");
    }
}

#[test]
fn a_pattern_may_be_a_name_or_a_regular_expression() {
    let load = |pattern: &str| {
        let options = LoadOptions { pattern: Some(pattern.to_owned()), ..ranks_options() };
        from_bytes(small_ranks().as_bytes(), &options)
    };
    let text = "hello  HELLO's 1234\n";
    assert_eq!(
        encode_all(&load("gpt2").unwrap(), text),
        encode_all(&load(&ranks_options().pattern.unwrap()).unwrap(), text)
    );
    let error = load("cl100k").unwrap_err();
    assert_eq!(place(&error), "pattern");
    assert!(error.to_string().contains("cl100k_base"), "{error}");
}

#[test]
fn a_pattern_of_tiktoken_is_written_in_the_other_syntax_or_not_at_all() {
    let load = |pattern: &str| {
        let options = LoadOptions { pattern: Some(pattern.to_owned()), ..ranks_options() };
        from_bytes(small_ranks().as_bytes(), &options).unwrap()
    };
    // Numbers in pieces of two, and what no match covers is dropped.
    let tokenizer = load(r"\p{N}{1,2}+|\p{L}+$");
    let again = from_bytes(&json_bytes(&tokenizer), &LoadOptions::default()).unwrap();
    for text in ["12345 hell", "hell\n", "1 he he"] {
        assert_eq!(encode_all(&again, text), encode_all(&tokenizer, text), "{text:?}");
    }
    assert_eq!(encode_all(&tokenizer, "he 1 hell"), [u32::from(b'1'), 258]);
    // What has no translation stays in tokmill: it survives, but is not saved for others.
    let untranslated = load(r"\w+");
    let again = from_bytes(&json_bytes(&untranslated), &LoadOptions::default()).unwrap();
    assert_eq!(json_bytes(&again), json_bytes(&untranslated));
    let path = std::env::temp_dir().join("tokmill-never-written.json");
    assert_eq!(place(&format::save(&untranslated, &path, None).unwrap_err()), "pre_tokenizer");
    assert!(!path.exists());
}
