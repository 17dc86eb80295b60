//! Any bytes come back from their ids, and neither threads nor counting see anything else.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use tokmill::format::{self, LoadOptions};
use tokmill::{EncodeOptions, Tokenizer};

/// All bytes and a few merges, with a pattern that covers all text.
static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
    let pieces = (0..=255).map(|byte| vec![byte]);
    let words = ["th", "the", " t", " the", "ab", "abab", "\u{E9}", "\n\n", "  ", "    "];
    let words = words.into_iter().map(|word| word.as_bytes().to_vec());
    let lines = pieces.chain(words).enumerate().map(|(rank, key)| format!("{} {rank}\n", STANDARD.encode(&key)));
    let options = LoadOptions { pattern: Some("o200k_base".to_owned()), ..LoadOptions::default() };
    format::from_bytes(lines.collect::<String>().as_bytes(), &options).expect("the vocabulary is sound")
});

fuzz_target!(|text: &[u8]| {
    let options = EncodeOptions::default();
    let ids = TOKENIZER.encode(text, &options).expect("any bytes can be encoded");
    assert_eq!(TOKENIZER.decode_bytes(&ids, false).expect("and decoded"), text);
    assert_eq!(TOKENIZER.count(text, &options).expect("and counted"), ids.len());
    let threaded = EncodeOptions { threads: Some(3), ..options };
    assert_eq!(TOKENIZER.encode(text, &threaded).expect("by any number of threads"), ids);
});
