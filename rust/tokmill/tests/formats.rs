//! Reading and writing tokenizer files: what a file means, what it is refused for, and that no file brings the
//! reader down.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use tokmill::added_tokens::{AddedToken, AllowedSpecial};
use tokmill::format::{self, Format, LoadOptions, from_bytes, to_bytes};
use tokmill::tokenizer::{EncodeOptions, Tokenizer};
use tokmill::vocab::{Spelling, byte_level_char};
use tokmill::{Error, Result};

/// A small byte-level tokenizer.json: 256 bytes, then the products of `merges`, then one token out of reach.
fn small_json() -> Value {
    let mut vocab = serde_json::Map::new();
    for byte in 0..=255 {
        vocab.insert(byte_level_char(byte).to_string(), json!(byte));
    }
    for (index, token) in ["he", "ll", "hell", "hello", "Ġhello", "<|end|>"].iter().enumerate() {
        vocab.insert((*token).to_owned(), json!(256 + index));
    }
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [added(261, "<|end|>"), added(262, "<|pad|>")],
        "normalizer": null,
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        "post_processor": null,
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": false,
            "vocab": vocab,
            "merges": [["h", "e"], ["l", "l"], ["he", "ll"], ["hell", "o"], ["Ġ", "hello"]],
        },
    })
}

fn added(id: u32, content: &str) -> Value {
    json!({
        "id": id,
        "content": content,
        "single_word": false,
        "lstrip": false,
        "rstrip": false,
        "normalized": false,
        "special": true,
    })
}

/// `small_json` with the value at a JSON pointer replaced.
fn with(pointer: &str, value: Value) -> Value {
    let mut file = small_json();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match file.pointer_mut(parent).unwrap() {
        Value::Object(fields) => {
            fields.insert(key.to_owned(), value);
        }
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        other => panic!("{parent} is {other}"),
    }
    file
}

fn load_json(file: &Value) -> Result<Tokenizer> {
    from_bytes(&serde_json::to_vec(file).unwrap(), &LoadOptions::default())
}

fn json_bytes(tokenizer: &Tokenizer) -> Vec<u8> {
    to_bytes(tokenizer, Format::TokenizerJson).unwrap().0
}

fn encode_all(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    let options = EncodeOptions { allowed_special: AllowedSpecial::All, ..EncodeOptions::default() };
    tokenizer.encode(text.as_bytes(), &options).unwrap()
}

/// The place that an error names.
fn place(error: &Error) -> String {
    match error {
        Error::Format { at, .. } | Error::Unsupported { at, .. } => at.clone(),
        Error::Option { name, .. } => (*name).to_owned(),
        other => panic!("{other:?} has no place"),
    }
}

/// Ranks of the 256 bytes and a few products, as a `.tiktoken` file.
fn small_ranks() -> String {
    let products: [&[u8]; 4] = [b"he", b"ll", b"hell", b" hello"];
    let bytes = (0..=255).map(|byte| vec![byte]);
    let entries = bytes.chain(products.iter().map(|product| product.to_vec()));
    entries.enumerate().map(|(rank, entry)| format!("{} {rank}\n", base64(&entry))).collect()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn ranks_options() -> LoadOptions {
    LoadOptions {
        pattern: Some(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+".to_owned()),
        special_tokens: vec![("<|end|>".to_owned(), 300), ("<|pad|>".to_owned(), 260)],
    }
}

fn small_tekken() -> Value {
    let products = [b"he".to_vec(), b"ll".to_vec(), b"hell".to_vec(), b"beyond".to_vec()];
    let entries = (0..=255).map(|byte| vec![byte]).chain(products);
    let entry =
        |(rank, bytes): (usize, Vec<u8>)| json!({ "rank": rank, "token_bytes": base64(&bytes), "token_str": null });
    json!({
        "config": {
            "pattern": ranks_options().pattern,
            "num_vocab_tokens": 260,
            "default_vocab_size": 281,
            "default_num_special_tokens": 22,
            "version": "v3",
        },
        "vocab": entries.enumerate().map(entry).collect::<Vec<_>>(),
    })
}

#[test]
fn a_file_is_written_as_it_was_read() {
    let canonical = serde_json::to_string_pretty(&small_json()).unwrap();
    let tokenizer = load_json(&small_json()).unwrap();
    assert_eq!(String::from_utf8(json_bytes(&tokenizer)).unwrap(), canonical);
}

#[test]
fn every_part_survives_a_round_trip() {
    let template = json!({
        "type": "TemplateProcessing",
        "single": [{ "SpecialToken": { "id": "<|end|>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
        "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
        "special_tokens": { "<|end|>": { "id": "<|end|>", "ids": [261], "tokens": ["<|end|>"] } },
    });
    let byte_level = small_json()["pre_tokenizer"].clone();
    let variants = [
        ("/truncation", json!({ "direction": "Left", "max_length": 8, "strategy": "OnlyFirst", "stride": 2 })),
        (
            "/padding",
            json!({
                "strategy": { "Fixed": 16 },
                "direction": "Right",
                "pad_to_multiple_of": 8,
                "pad_id": 262,
                "pad_type_id": 0,
                "pad_token": "<|pad|>",
            }),
        ),
        ("/normalizer", json!({ "type": "Sequence", "normalizers": [{ "type": "NFC" }] })),
        ("/post_processor", json!({ "type": "Sequence", "processors": [byte_level.clone(), template.clone()] })),
        ("/post_processor", template),
        ("/decoder", Value::Null),
        ("/model/ignore_merges", json!(true)),
        (
            "/added_tokens/1",
            json!({
                "id": 262,
                "content": " pad",
                "single_word": true,
                "lstrip": true,
                "rstrip": true,
                "normalized": true,
                "special": false,
            }),
        ),
        (
            "/pre_tokenizer",
            json!({
                "type": "Sequence",
                "pretokenizers": [{ "type": "Digits", "individual_digits": true }, byte_level],
            }),
        ),
    ];
    for (pointer, value) in variants {
        let file = with(pointer, value);
        let written = json_bytes(&load_json(&file).unwrap());
        assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), file, "{pointer}");
        let again = from_bytes(&written, &LoadOptions::default()).unwrap();
        assert_eq!(json_bytes(&again), written, "{pointer}");
        assert_eq!(format::fingerprint(&again).unwrap(), format::fingerprint(&load_json(&file).unwrap()).unwrap());
    }
}

#[test]
fn different_files_have_different_fingerprints() {
    let fingerprint = |file: &Value| format::fingerprint(&load_json(file).unwrap()).unwrap();
    assert_eq!(fingerprint(&small_json()).len(), 64);
    assert_ne!(fingerprint(&small_json()), fingerprint(&with("/model/ignore_merges", json!(true))));
}

#[test]
fn added_tokens_get_ids_in_order_whatever_ids_are_declared() {
    let mut overwritten = added(7, "<|pad|>");
    overwritten["special"] = json!(false);
    let tokens = json!([added(900, "<|new|>"), added(0, "<|pad|>"), added(5, ""), added(1, "<|end|>"), overwritten]);
    let tokenizer = load_json(&with("/added_tokens", tokens)).unwrap();
    let found: Vec<_> = tokenizer
        .added_tokens()
        .iter()
        .map(|token: &AddedToken| (token.id, token.content.as_str(), token.special))
        .collect();
    assert_eq!(found, [(261, "<|end|>", true), (262, "<|new|>", true), (263, "<|pad|>", false)]);
}

#[test]
fn an_added_token_whose_id_is_taken_is_refused() {
    let mut file = small_json();
    // One id is left out, so the first free id, the number of entries, is that of an entry.
    file["model"]["vocab"].as_object_mut().unwrap().insert("<|end|>".to_owned(), json!(262));
    assert_eq!(place(&load_json(&file).unwrap_err()), "added_tokens[1]");
}

#[test]
fn merges_may_be_lines_or_pairs_and_the_later_of_two_counts() {
    let lines = with("/model/merges", json!(["#version: 0.2", "h e", "l l", "he ll", "hell o", "Ġ hello"]));
    let pairs = small_json();
    assert_eq!(json_bytes(&load_json(&lines).unwrap()), json_bytes(&load_json(&pairs).unwrap()));

    let twice = with("/model/merges", json!([["l", "l"], ["h", "e"], ["he", "ll"], ["l", "l"], ["hell", "o"]]));
    let once = with("/model/merges", json!([["h", "e"], ["he", "ll"], ["l", "l"], ["hell", "o"]]));
    assert_eq!(json_bytes(&load_json(&twice).unwrap()), json_bytes(&load_json(&once).unwrap()));
}

#[test]
fn a_model_without_a_type_is_told_by_its_fields() {
    let mut file = small_json();
    file["model"].as_object_mut().unwrap().remove("type");
    assert!(load_json(&file).is_ok());
    file["model"].as_object_mut().unwrap().remove("merges");
    assert_eq!(place(&load_json(&file).unwrap_err()), "model.type");
}

#[test]
fn a_vocabulary_without_some_bytes_loads() {
    let mut file = with("/added_tokens", json!([]));
    file["model"]["vocab"].as_object_mut().unwrap().remove("z");
    let tokenizer = load_json(&file).unwrap();
    assert_eq!(encode_all(&tokenizer, "azb"), [u32::from(b'a'), u32::from(b'b')]);
    let mut with_unknown = file.clone();
    with_unknown["model"]["unk_token"] = json!("a");
    assert_eq!(place(&load_json(&with_unknown).unwrap_err()), "model.unk_token");
    assert!(load_json(&with("/model/unk_token", json!("a"))).is_ok());
}

#[test]
fn a_latin1_file_is_a_model_of_bytes() {
    let mut vocab: serde_json::Map<String, Value> =
        (0..=255u8).map(|byte| (char::from(byte).to_string(), json!(byte))).collect();
    vocab.insert("\u{e9}\u{0}".to_owned(), json!(256));
    let mut file = with("/model/vocab", Value::Object(vocab));
    file["model"]["merges"] = json!([["\u{e9}", "\u{0}"]]);
    file["pre_tokenizer"] = Value::Null;
    file["decoder"] = Value::Null;
    let tokenizer = load_json(&file).unwrap();
    assert_eq!(tokenizer.model().vocab().spelling(), Spelling::Latin1);
    let bytes = [0xE9, 0x00, 0xFF, 0xC3];
    let ids = tokenizer.encode(&bytes, &EncodeOptions::default()).unwrap();
    assert_eq!(ids, [256, 0xFF, 0xC3]);
    assert_eq!(tokenizer.decode_bytes(&ids, false).unwrap(), bytes);
    let again = from_bytes(&json_bytes(&tokenizer), &LoadOptions::default()).unwrap();
    assert_eq!(again.model().vocab().spelling(), Spelling::Latin1);
}

#[test]
fn wrong_files_are_refused_with_their_place() {
    let cases = [
        ("/version", json!(1), "version"),
        ("/version", json!("2.0"), "version"),
        ("/model", json!(3), "model"),
        ("/model/vocab/h", json!("x"), "model.vocab[\"h\"]"),
        ("/model/vocab/h", json!(-1), "model.vocab[\"h\"]"),
        ("/model/vocab/h", json!(4_294_967_296_u64), "model.vocab[\"h\"]"),
        ("/model/vocab/h", json!(4_000_000_000_u32), "model.vocab[\"h\"]"),
        ("/model/vocab", json!(null), "model.vocab"),
        ("/model/merges", json!({}), "model.merges"),
        ("/model/merges/1", json!(["l", "l", "l"]), "model.merges[1]"),
        ("/model/merges/1", json!(["l"]), "model.merges[1]"),
        ("/model/merges/1", json!([1, 2]), "model.merges[1]"),
        ("/model/merges/1", json!("l l"), "model.merges[1]"),
        ("/model/merges/3", json!(["hell", "y"]), "model.merges[3]"),
        ("/model/merges", json!(["#version: 0.2", "h e", "l  l"]), "model.merges[2]"),
        ("/model/merges", json!(["#version: 0.2", "h e", "he y"]), "model.merges[2]"),
        ("/model/ignore_merges", json!(1), "model.ignore_merges"),
        ("/added_tokens", json!({}), "added_tokens"),
        ("/added_tokens/1/content", json!(1), "added_tokens[1].content"),
        ("/pre_tokenizer/use_regex", json!("yes"), "pre_tokenizer.use_regex"),
        ("/pre_tokenizer", json!({ "type": "Split", "pattern": { "Regex": 1 } }), "pre_tokenizer.pattern.Regex"),
        ("/padding", json!({ "strategy": "Longest" }), "padding.strategy"),
        ("/truncation", json!({ "strategy": "OnlyFirst" }), "truncation"),
        ("/post_processor", json!({ "single": [], "pair": [{}], "special_tokens": {} }), "post_processor.pair[0]"),
    ];
    for (pointer, value, expected) in cases {
        let error = load_json(&with(pointer, value.clone())).expect_err(pointer);
        assert_eq!(place(&error), expected, "{pointer} = {value}: {error}");
    }
    let mut twice = small_json();
    twice["model"]["vocab"]["hello"] = json!(258);
    let error = load_json(&twice).unwrap_err();
    assert_eq!(place(&error), "model.vocab[\"hello\"]", "{error}");
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let cases = [
        ("/model/dropout", json!(0.1), "model.dropout"),
        ("/model/end_of_word_suffix", json!("</w>"), "model.end_of_word_suffix"),
        ("/model/continuing_subword_prefix", json!("##"), "model.continuing_subword_prefix"),
        ("/model/type", json!("WordPiece"), "model.type"),
        ("/model/type", json!("Unigram"), "model.type"),
        ("/normalizer", json!({ "type": "Lowercase" }), "normalizer.type"),
        (
            "/normalizer",
            json!({ "type": "Sequence", "normalizers": [{ "type": "NFKC" }] }),
            "normalizer.normalizers[0].type",
        ),
        ("/pre_tokenizer", json!({ "type": "Metaspace" }), "pre_tokenizer.type"),
        ("/pre_tokenizer", Value::Null, "pre_tokenizer"),
        ("/post_processor", json!({ "type": "RobertaProcessing" }), "post_processor.type"),
        ("/decoder", json!({ "type": "WordPiece" }), "decoder.type"),
    ];
    for (pointer, value, expected) in cases {
        let error = load_json(&with(pointer, value.clone())).expect_err(pointer);
        assert!(matches!(error, Error::Unsupported { .. }), "{pointer} = {value}: {error}");
        assert_eq!(place(&error), expected, "{error}");
    }
    let files: [&[u8]; 5] = [
        b"GGUF\x03\x00\x00\x00",
        b"\x0a\x0e\x0a\x05<unk>\x15\x00\x00\x00\x00\x18\x02",
        b"[PAD]\n[UNK]\n[CLS]\nthe\n##s\n",
        b"\"bpe_simple_vocab_16e6.txt#version: 0.2\ni n\nt h\n",
        br#"{"model": {"vocab": [["a", 0.0]], "unk_id": 0}}"#,
    ];
    for file in files {
        let error = from_bytes(file, &LoadOptions::default()).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    }
    for file in [&b""[..], b" \n ", b"{}", b"[1, 2]", b"{\"a\": ", b"\xFF\xFE", b"plain text is no tokenizer"] {
        let error = from_bytes(file, &LoadOptions::default()).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{error}");
    }
}

#[test]
fn deep_json_is_refused() {
    let deep = format!("{{\"model\": {{\"type\": {}", "[".repeat(100_000));
    assert!(matches!(from_bytes(deep.as_bytes(), &LoadOptions::default()), Err(Error::Format { .. })));
    let deep = format!("{{\"normalizer\": {{\"type\": {}", "{\"a\":".repeat(100_000));
    assert!(matches!(from_bytes(deep.as_bytes(), &LoadOptions::default()), Err(Error::Format { .. })));
}

#[test]
fn gzipped_files_are_read_through_within_bounds() {
    let pack = |bytes: &[u8]| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let plain = serde_json::to_vec(&small_json()).unwrap();
    let packed = pack(&plain);
    let tokenizer = from_bytes(&packed, &LoadOptions::default()).unwrap();
    assert_eq!(json_bytes(&tokenizer), json_bytes(&load_json(&small_json()).unwrap()));
    let bomb = pack(&vec![b' '; 64 << 20]);
    for damaged in [&packed[..packed.len() / 2], &bomb] {
        assert_eq!(place(&from_bytes(damaged, &LoadOptions::default()).unwrap_err()), "gzip");
    }
}

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
    let options = LoadOptions { pattern: Some(r"\s+|\S+".to_owned()), special_tokens: Vec::new() };
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

/// A directory of a test's own, removed at its end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tokmill-formats-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn a_vocabulary_and_its_merges_load_by_either_name_or_by_their_directory() {
    let directory = Directory::new("gpt2");
    let file = small_json();
    let vocab = directory.write("vocab.json", serde_json::to_vec(&file["model"]["vocab"]).unwrap());
    let merges = directory.write("merges.txt", "#version: 0.2\nh e\nl l\nhe ll\nhell o\nĠ hello\n");
    let options = LoadOptions { special_tokens: vec![("<|end|>".to_owned(), 261)], ..LoadOptions::default() };
    for path in [&directory.0, &vocab, &merges] {
        let tokenizer = format::load(path, &options).unwrap();
        assert_eq!(encode_all(&tokenizer, "hello hello<|end|>"), [259, 260, 261]);
    }
    directory.write("tokenizer_config.json", r#"{"add_prefix_space": true, "eos_token": "<|end|>"}"#);
    let tokenizer = format::load(&directory.0, &LoadOptions::default()).unwrap();
    assert_eq!(encode_all(&tokenizer, "hello<|end|>"), [260, 261]);
    let decoder = r#"{"added_tokens_decoder": {"262": {"content": "<|new|>", "special": true}}}"#;
    directory.write("tokenizer_config.json", decoder);
    let tokenizer = format::load(&directory.0, &LoadOptions::default()).unwrap();
    assert_eq!(encode_all(&tokenizer, "<|new|>"), [262]);
    directory.write("tokenizer_config.json", decoder.replace("262", "300"));
    assert!(matches!(format::load(&directory.0, &LoadOptions::default()), Err(Error::Format { .. })));

    directory.write("merges.txt", "#version: 0.2\n\nh e\nl y\n");
    let error = format::load(&vocab, &LoadOptions::default()).unwrap_err();
    assert_eq!(place(&error), "merges.txt line 4");
    fs::remove_file(&merges).unwrap();
    assert!(matches!(format::load(&vocab, &LoadOptions::default()), Err(Error::Io { .. })));
}

#[test]
fn save_tells_the_format_by_the_name_and_replaces_the_old_file() {
    let directory = Directory::new("save");
    let tokenizer = load_json(&small_json()).unwrap();
    let path = directory.write("tokenizer.json", "old");
    assert_eq!(format::save(&tokenizer, &path, None).unwrap(), Vec::<String>::new());
    assert_eq!(fs::read(&path).unwrap(), json_bytes(&tokenizer));
    let loaded = format::load(&directory.0, &LoadOptions::default()).unwrap();
    assert_eq!(json_bytes(&loaded), json_bytes(&tokenizer));
    assert_eq!(place(&format::save(&tokenizer, &directory.0.join("name"), None).unwrap_err()), "format");
    format::save(&tokenizer, &directory.0.join("name"), Some(Format::Tiktoken)).unwrap();
    assert_eq!(fs::read(directory.0.join("name")).unwrap(), to_bytes(&tokenizer, Format::Tiktoken).unwrap().0);
}

/// Marsaglia's xorshift, so that every run sees the same files.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// A few random edits: bytes changed, cut out, doubled, or replaced by fragments that mean something to a parser.
fn mutate(file: &[u8], random: &mut Random) -> Vec<u8> {
    const FRAGMENTS: [&str; 18] = [
        "\"",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "true",
        "-1",
        "1e9",
        "4294967295",
        "\\u0000",
        "\\",
        " ",
        "\n",
        "#version",
        "Ġ",
    ];
    let mut bytes = file.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        let end = (at + 1 + random.below(12)).min(bytes.len());
        match random.below(5) {
            0 => bytes[at] = random.next() as u8,
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            3 => drop(bytes.splice(at..end, FRAGMENTS[random.below(FRAGMENTS.len())].bytes())),
            _ => bytes.truncate(at.max(1)),
        }
        if bytes.is_empty() {
            bytes.push(b' ');
        }
    }
    bytes
}

#[test]
fn damaged_files_load_or_are_refused() {
    let rich = with(
        "/post_processor",
        json!({
            "type": "TemplateProcessing",
            "single": [{ "SpecialToken": { "id": "<|end|>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
            "special_tokens": { "<|end|>": { "id": "<|end|>", "ids": [261], "tokens": ["<|end|>"] } },
        }),
    );
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let files = [
        (serde_json::to_vec(&rich).unwrap(), LoadOptions::default()),
        (serde_json::to_vec_pretty(&small_json()).unwrap(), LoadOptions::default()),
        (small_ranks().into_bytes(), ranks_options()),
        (serde_json::to_vec(&small_tekken()).unwrap(), LoadOptions::default()),
    ];
    for (file, options) in &files {
        let (mut loaded, mut refused) = (0, 0);
        for _ in 0..2000 {
            let damaged = mutate(file, &mut random);
            match from_bytes(&damaged, options) {
                Ok(tokenizer) => {
                    loaded += 1;
                    let options = EncodeOptions { add_special_tokens: true, ..EncodeOptions::default() };
                    let ids = tokenizer.encode("hello hello <|end|>".as_bytes(), &options).unwrap();
                    tokenizer.decode(&ids, false).unwrap();
                }
                Err(
                    Error::Format { .. } | Error::Unsupported { .. } | Error::Option { .. } | Error::Pattern { .. },
                ) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(loaded > 0 && refused > 0, "{loaded} loaded, {refused} refused");
    }
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let file = serde_json::to_vec(&small_json()).unwrap();
    for end in (0..file.len()).step_by(7) {
        assert!(from_bytes(&file[..end], &LoadOptions::default()).is_err(), "cut at {end}");
    }
}

/// The folder of real vocabularies, if there is one.
fn vocabularies() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("TOKMILL_DATA").map_or_else(beside, PathBuf::from).join("vocabs");
    folder.is_dir().then_some(folder)
}

#[test]
fn real_files_are_written_as_they_will_be_read() {
    let Some(folder) = vocabularies() else {
        eprintln!("skipped: no real vocabularies; set TOKMILL_DATA to a folder that has them");
        return;
    };
    let names = [
        "gpt2.json",
        "kl3m-001-32k.json.gz",
        "glaurung_binary_001.json.gz",
        "qwen2_5.json.gz",
        "tekken_240718.json.gz",
    ];
    for name in names {
        let tokenizer = format::load(&folder.join(name), &LoadOptions::default()).unwrap();
        let written = json_bytes(&tokenizer);
        let again = from_bytes(&written, &LoadOptions::default()).unwrap();
        assert!(json_bytes(&again) == written, "{name}");
        assert_eq!(again.vocab_size(), tokenizer.vocab_size(), "{name}");
        assert_eq!(again.added_tokens(), tokenizer.added_tokens(), "{name}");
    }
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
