//! tokenizer.json: what survives, what is refused, and where the error points.

use serde_json::{Value, json};

use tokmill::Error;
use tokmill::added_tokens::AddedToken;
use tokmill::format::{self, LoadOptions, from_bytes};
use tokmill::tokenizer::EncodeOptions;
use tokmill::vocab::Spelling;

use crate::samples::{added, encode_all, json_bytes, load_json, place, small_json, vocabularies, with};

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
                "pretokenizers": [
                    { "type": "Split", "pattern": { "String": "x" }, "behavior": "MergedWithNext", "invert": false },
                    { "type": "Digits", "individual_digits": true },
                    { "type": "Punctuation", "behavior": "Contiguous" },
                    { "type": "WhitespaceSplit" },
                    { "type": "CharDelimiterSplit", "delimiter": "-" },
                    { "type": "FixedLength", "length": 3 },
                    byte_level,
                ],
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

/// As in tokenizers, where the token that has the id later is the one that texts are searched for.
#[test]
fn an_added_token_may_get_the_id_of_an_entry() {
    let mut file = small_json();
    // One id is left out, so the first free id, the number of entries, is that of an entry.
    file["model"]["vocab"].as_object_mut().unwrap().insert("<|end|>".to_owned(), json!(262));
    let tokenizer = load_json(&file).unwrap();
    let found: Vec<_> = tokenizer.added_tokens().iter().map(|token| (token.id, token.content.as_str())).collect();
    assert_eq!(found, [(262, "<|pad|>")]);
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
    // What is left is a WordLevel model, which needs an unknown token.
    file["model"].as_object_mut().unwrap().remove("merges");
    assert_eq!(place(&load_json(&file).unwrap_err()), "model.unk_token");
}

#[test]
fn a_vocabulary_without_some_bytes_loads() {
    let mut file = with("/added_tokens", json!([]));
    file["model"]["vocab"].as_object_mut().unwrap().remove("z");
    let tokenizer = load_json(&file).unwrap();
    assert_eq!(encode_all(&tokenizer, "azb"), [u32::from(b'a'), u32::from(b'b')]);
    let mut with_unknown = file.clone();
    with_unknown["model"]["unk_token"] = json!("a");
    let tokenizer = load_json(&with_unknown).unwrap();
    assert_eq!(encode_all(&tokenizer, "azb"), [u32::from(b'a'), u32::from(b'a'), u32::from(b'b')]);
    with_unknown["model"]["unk_token"] = json!("none");
    assert_eq!(place(&load_json(&with_unknown).unwrap_err()), "model.unk_token");
    assert!(load_json(&with("/model/unk_token", json!("none"))).is_ok());
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
        ("/version", json!("3.0"), "version"),
        ("/model/type", json!("Other"), "model.type"),
        ("/normalizer", json!({ "type": "Other" }), "normalizer.type"),
        (
            "/normalizer",
            json!({ "type": "Sequence", "normalizers": [{ "type": "Other" }] }),
            "normalizer.normalizers[0].type",
        ),
        ("/pre_tokenizer", json!({ "type": "Other" }), "pre_tokenizer.type"),
        ("/decoder", json!({ "type": "Other" }), "decoder.type"),
        ("/post_processor", json!({ "type": "Other" }), "post_processor.type"),
    ];
    for (pointer, value, expected) in cases {
        let error = load_json(&with(pointer, value.clone())).expect_err(pointer);
        assert!(matches!(error, Error::Unsupported { .. }), "{pointer} = {value}: {error}");
        assert_eq!(place(&error), expected, "{error}");
    }
    let clip = b"\"bpe_simple_vocab_16e6.txt#version: 0.2\ni n\nt h\n";
    let error = from_bytes(clip, &LoadOptions::default()).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    for file in [&b""[..], b" \n ", b"{}", b"[1, 2]", b"{\"a\": ", b"\xFF\xFE", b"plain text is no tokenizer"] {
        let error = from_bytes(file, &LoadOptions::default()).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{error}");
    }
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
