//! Byte-level probabilities without the cost of a model, on one thread: what a byte of English costs, and an engine.
//!
//! A row of random logits stands in for the model. Before anything is timed, the probabilities are seen to add up to
//! one and the contexts are counted. Vocabularies are those of the data directory (`TOKMILL_DATA`, else `shared/data`
//! beside the checkout); absent ones are left out, and it is said.

use std::env;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokmill::Tokenizer;
use tokmill::byte_level::{ByteEngine, ByteOptions, ByteState, Logits};
use tokmill::format::{self, LoadOptions};

const VOCABULARIES: [(&str, Option<&str>); 5] = [
    ("llama2.json", None),
    ("gemma2.json.gz", None),
    ("cl100k_base.tiktoken", Some("cl100k_base")),
    ("llama3_1.json.gz", None),
    ("o200k_base.tiktoken", Some("o200k_base")),
];
const TEXT: &str = "text/english_16m.txt";
const BYTES: usize = 400;

/// Moves a state through `text` and returns how many contexts that took, and how far the sums are from one.
fn walk(state: &mut ByteState, text: &[u8], row: &[f32]) -> (usize, f64) {
    let (mut contexts, mut worst) = (0, 0.0f64);
    for &byte in text {
        let request = state.pending();
        contexts += request.len();
        state.supply(&request, &vec![Logits::F32(row); request.len()]).expect("the logits are numbers");
        let next = state.next().expect("nothing is pending");
        let others = next.specials.iter().map(|(_, log)| log);
        let total: f64 = next.log_probs.iter().chain(others).map(|log| log.exp()).sum();
        worst = worst.max((total - 1.0).abs());
        state.push(&[byte]);
    }
    (contexts, worst)
}

/// Logits between -8 and 8 that look random.
fn logits(count: usize) -> Vec<f32> {
    (0..count as u32).map(|id| (id.wrapping_mul(2_654_435_761) >> 16) as f32 / 4096.0 - 8.0).collect()
}

fn byte_level(criterion: &mut Criterion) {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = env::var_os("TOKMILL_DATA").map_or(beside, PathBuf::from);
    let Ok(text) = std::fs::read(data.join(TEXT)) else {
        return eprintln!("left out, {TEXT} is not in {}", data.display());
    };
    let text = &text[5000..5000 + BYTES];
    for (name, pattern) in VOCABULARIES {
        let path = data.join("vocabs").join(name);
        if !path.exists() {
            eprintln!("{name}: left out, it is not in {}", data.display());
            continue;
        }
        let options = LoadOptions { pattern: pattern.map(str::to_owned), ..LoadOptions::default() };
        let tokenizer: Arc<Tokenizer> = Arc::new(format::load(&path, &options).expect("the vocabulary loads"));
        let engine = ByteEngine::new(tokenizer.clone(), &ByteOptions::default()).expect("the tokenizer is supported");
        let row = logits(engine.vocab_size());
        let mut state = engine.start(b"", &[]).expect("an empty text");
        let (contexts, worst) = walk(&mut state, text, &row);
        assert!(worst < 1e-6, "{name}: probabilities add up to one but for {worst}");
        assert!(contexts <= 2 * BYTES, "{name}: {contexts} contexts for {BYTES} bytes");
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
        group.bench_function("engine", |bencher| {
            bencher.iter(|| ByteEngine::new(black_box(tokenizer.clone()), &ByteOptions::default()));
        });
        group.throughput(Throughput::Elements(BYTES as u64));
        group.bench_function("bytes", |bencher| {
            bencher.iter(|| walk(&mut engine.start(b"", &[]).expect("an empty text"), black_box(text), &row));
        });
        group.finish();
    }
}

criterion_group!(benches, byte_level);
criterion_main!(benches);
