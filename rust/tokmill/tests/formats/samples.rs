//! Small files of each format, and what the tests do with them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use tokmill::added_tokens::AllowedSpecial;
use tokmill::format::{Format, LoadOptions, from_bytes, to_bytes};
use tokmill::tokenizer::{EncodeOptions, Tokenizer};
use tokmill::vocab::byte_level_char;
use tokmill::{Error, Result};

/// A small byte-level tokenizer.json: 256 bytes, then the products of `merges`, then one token out of reach.
pub(crate) fn small_json() -> Value {
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

pub(crate) fn added(id: u32, content: &str) -> Value {
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
pub(crate) fn with(pointer: &str, value: Value) -> Value {
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

pub(crate) fn load_json(file: &Value) -> Result<Tokenizer> {
    from_bytes(&serde_json::to_vec(file).unwrap(), &LoadOptions::default())
}

pub(crate) fn json_bytes(tokenizer: &Tokenizer) -> Vec<u8> {
    to_bytes(tokenizer, Format::TokenizerJson).unwrap().0
}

pub(crate) fn encode_all(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    let options = EncodeOptions { allowed_special: AllowedSpecial::All, ..EncodeOptions::default() };
    tokenizer.encode(text.as_bytes(), &options).unwrap()
}

/// The place that an error names.
pub(crate) fn place(error: &Error) -> String {
    match error {
        Error::Format { at, .. } | Error::Unsupported { at, .. } => at.clone(),
        Error::Option { name, .. } => (*name).to_owned(),
        other => panic!("{other:?} has no place"),
    }
}

/// Ranks of the 256 bytes and a few products, as a `.tiktoken` file.
pub(crate) fn small_ranks() -> String {
    let products: [&[u8]; 4] = [b"he", b"ll", b"hell", b" hello"];
    let bytes = (0..=255).map(|byte| vec![byte]);
    let entries = bytes.chain(products.iter().map(|product| product.to_vec()));
    let lines: Vec<_> = entries.enumerate().map(|(rank, entry)| format!("{} {rank}\n", base64(&entry))).collect();
    lines.concat()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

pub(crate) fn ranks_options() -> LoadOptions {
    LoadOptions {
        pattern: Some(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+".to_owned()),
        special_tokens: vec![("<|end|>".to_owned(), 300), ("<|pad|>".to_owned(), 260)],
        ..LoadOptions::default()
    }
}

pub(crate) fn small_tekken() -> Value {
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

/// The folder of real vocabularies, if there is one.
pub(crate) fn vocabularies() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("TOKMILL_DATA").map_or_else(beside, PathBuf::from).join("vocabs");
    folder.is_dir().then_some(folder)
}

/// Marsaglia's xorshift, so that every run sees the same files.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}
