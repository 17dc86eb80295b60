//! Files that are damaged, by accident or on purpose.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use tokmill::Error;
use tokmill::format::{LoadOptions, from_bytes};
use tokmill::tokenizer::EncodeOptions;

use crate::samples::{
    Random, json_bytes, load_json, place, ranks_options, small_json, small_ranks, small_tekken, with,
};

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
