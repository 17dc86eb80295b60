//! Any bytes are refused or make a tokenizer that works; a tokenizer that loads can be used without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokmill::EncodeOptions;
use tokmill::format::{self, LoadOptions};

fuzz_target!(|data: &[u8]| {
    let options =
        LoadOptions { pattern: data.starts_with(b"IQ==").then(|| "gpt2".to_owned()), ..LoadOptions::default() };
    if let Ok(tokenizer) = format::from_bytes(data, &options) {
        if let Ok(ids) = tokenizer.encode(b"Hello w\xC3\xB6rld! <|endoftext|>\n 123\xFF", &EncodeOptions::default()) {
            tokenizer.decode_bytes(&ids, false).expect("ids of the tokenizer itself can be decoded");
        }
    }
});
