//! Encoding and decoding in the core, on one thread, on the first megabyte of the cases of `bench/cases.toml`.
//!
//! Tokens are counted before anything is timed, so a wrong run has no speed. Cases whose files are absent from the data
//! directory (`TOKMILL_DATA`, else `shared/data` beside the checkout) are left out, and it is said.

use std::env;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokmill::format::{self, LoadOptions};
use tokmill::{EncodeOptions, Tokenizer};

const TEXT_BYTES: usize = 1_000_000;
const WARM_UP: Duration = Duration::from_millis(500);
const MEASUREMENT: Duration = Duration::from_secs(1);

/// A row of `cases.toml`, which describes the fields.
struct Case {
    name: String,
    text: Vec<u8>,
    tokenizer: Tokenizer,
    tokens: usize,
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = env::var_os("TOKMILL_DATA").map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let table: toml::Table = fs::read_to_string(root.join("bench/cases.toml"))
        .expect("cases.toml can be read")
        .parse()
        .expect("cases.toml is TOML");
    let rows = table["case"].as_array().expect("cases are an array");
    rows.iter().filter_map(|row| case(&data, row)).collect()
}

fn case(data: &Path, row: &toml::Value) -> Option<Case> {
    let field = |name: &str| row[name].as_str().expect("the field is text");
    let (text, vocabulary) = (data.join(field("text")), data.join(field("vocabulary")));
    let name = format!("{}/{}", stem(&vocabulary), stem(&text));
    if !text.exists() || !vocabulary.exists() {
        eprintln!("{name}: left out, its files are not in {}", data.display());
        return None;
    }
    let mut bytes = fs::read(&text).expect("the text can be read");
    bytes.truncate(TEXT_BYTES);
    if !row.get("bytes").and_then(toml::Value::as_bool).unwrap_or_default() {
        let text = String::from_utf8_lossy(&bytes);
        bytes = text.trim_end_matches('\u{FFFD}').as_bytes().to_vec();
    }
    let pattern = row.get("pattern").map(|_| field("pattern").to_owned());
    let options = LoadOptions { pattern, ..LoadOptions::default() };
    let tokenizer = format::load(&vocabulary, &options).expect("the vocabulary loads");
    let tokens = row["tokens"].as_integer().expect("tokens are a number") as usize;
    Some(Case { name, text: bytes, tokenizer, tokens })
}

/// The file's name up to the first dot; that of its directory where every such file is named alike.
fn stem(path: &Path) -> &str {
    let path = if path.ends_with("tokenizer.json.gz") { path.parent().unwrap_or(path) } else { path };
    path.file_name().and_then(|name| name.to_str()?.split('.').next()).expect("a case names files")
}

fn encode(criterion: &mut Criterion) {
    let options = EncodeOptions { threads: Some(1), ..EncodeOptions::default() };
    for Case { name, text, tokenizer, tokens } in cases() {
        let ids = tokenizer.encode(text.as_slice(), &options).expect("the text can be encoded");
        assert_eq!(ids.len(), tokens, "{name}: wrong number of tokens");
        assert_eq!(tokenizer.decode_bytes(&ids, false).expect("the ids can be decoded"), text, "{name}: wrong text");
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).warm_up_time(WARM_UP).measurement_time(MEASUREMENT);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function("encode", |bencher| {
            bencher.iter(|| tokenizer.encode(black_box(text.as_slice()), &options).map(|ids| ids.len()));
        });
        group.bench_function("count", |bencher| bencher.iter(|| tokenizer.count(black_box(text.as_slice()), &options)));
        group.bench_function("decode", |bencher| {
            bencher.iter(|| tokenizer.decode_bytes(black_box(&ids), false).map(|bytes| bytes.len()));
        });
        group.finish();
    }
}

criterion_group!(benches, encode);
criterion_main!(benches);
