//! Pretokenization alone: the scanner of known patterns, block by block as the encoder calls it.
//!
//! Texts that are absent from the data directory (`TOKMILL_DATA`, else `shared/data` beside the checkout) are left out.

use std::env;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokmill::pretokenize::patterns::pattern;
use tokmill::pretokenize::{Pieces, Pretokenizer};

const PATTERNS: [&str; 8] =
    ["gpt2", "cl100k_base", "qwen2", "o200k_base", "tekken", "kimi_k2", "deepseek_v3", "superbpe_2"];
const TEXTS: [&str; 5] = ["english_16m", "code_linux.c", "code_python_stdlib.py", "code_rust_src.rs", "multilingual"];
const TEXT_BYTES: usize = 4_000_000;

fn scan(criterion: &mut Criterion) {
    let data = env::var_os("TOKMILL_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let mut texts = vec![("short".to_owned(), b"The quick brown fox jumps.".to_vec())];
    for name in TEXTS {
        match fs::read(data.join("text").join(format!("{name}.txt"))) {
            Ok(mut bytes) => {
                bytes.truncate(TEXT_BYTES);
                texts.push((name.to_owned(), bytes));
            }
            Err(error) => eprintln!("{name}: left out, {error}"),
        }
    }
    let mut pieces = Pieces::default();
    for name in PATTERNS {
        let steps = pattern(name).expect("the pattern has a name").steps();
        let pretokenizer = Pretokenizer::new(steps).expect("named patterns compile");
        let mut group = criterion.benchmark_group(format!("scan/{name}"));
        for (text_name, text) in &texts {
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(text_name, |bencher| {
                bencher.iter(|| {
                    let mut from = 0;
                    while from < text.len() {
                        from = pretokenizer.fill(black_box(text), from, &mut pieces);
                        black_box(pieces.ends.len());
                    }
                });
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = scan
}
criterion_main!(benches);
