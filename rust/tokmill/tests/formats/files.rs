//! Files and directories on disk.

use std::fs;
use std::path::PathBuf;

use tokmill::Error;
use tokmill::format::{self, Format, LoadOptions, to_bytes};

use crate::samples::{encode_all, json_bytes, load_json, place, small_json};

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
