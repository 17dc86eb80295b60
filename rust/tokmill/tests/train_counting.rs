//! Counting a corpus, however it is cut, stored and limited, gives the same counts.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use proptest::prelude::*;
use tokmill::Error;
use tokmill::pretokenize::{Pretokenizer, Step};
use tokmill::train::{Counter, CounterOptions, FileOptions, Phase, Progress, Splitter, Unit, Watch, WordCounts};

/// A directory that goes with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tokmill-counting-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn pretokenizer() -> Pretokenizer {
    Pretokenizer::new(vec![Step::ByteLevel { add_prefix_space: false, trim_offsets: true, use_regex: true }]).unwrap()
}

fn counter(options: CounterOptions) -> Counter {
    Counter::new(Splitter::new(None, pretokenizer()), options)
}

/// Pieces of each document, in a map.
fn expected<'d>(documents: impl IntoIterator<Item = &'d [u8]>) -> Vec<(Vec<u8>, u64)> {
    let pretokenizer = pretokenizer();
    let mut counts = BTreeMap::<Vec<u8>, u64>::new();
    for document in documents {
        for range in pretokenizer.split(document) {
            *counts.entry(document[range].to_vec()).or_default() += 1;
        }
    }
    counts.into_iter().collect()
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|&byte| byte == b'\n')
}

fn count_files(paths: &[PathBuf], unit: Unit, options: CounterOptions) -> tokmill::Result<WordCounts> {
    let mut counter = counter(options);
    counter.push_files(paths, &FileOptions { unit, json_field: Some("text".to_owned()) }, &())?;
    counter.finish()
}

/// Over a megabyte, so that it is worth two threads, with more distinct pieces than a small limit holds.
fn large_text() -> Vec<u8> {
    let mut text = Vec::new();
    for number in 0u32..30_000 {
        let word = number.wrapping_mul(2_654_435_761) % 50_000;
        writeln!(text, "word{word:x} and one_unusually_long_identifier_{word}<s>of {}", number % 7).unwrap();
    }
    text
}

proptest! {
    #[test]
    fn batches_and_documents_are_the_same(documents in prop::collection::vec("(<s>>?|[a-c]{0,3}| |\n|'s|é|1){0,12}", 0..12)) {
        let mut one_by_one = counter(CounterOptions::default());
        for document in &documents {
            one_by_one.push(document.as_bytes()).unwrap();
        }
        let mut batch = counter(CounterOptions::default());
        batch.push_batch(&documents).unwrap();
        prop_assert_eq!(batch.bytes(), one_by_one.bytes());
        let expected = expected(documents.iter().map(String::as_bytes));
        prop_assert_eq!(one_by_one.finish().unwrap().sorted().unwrap(), expected.clone());
        prop_assert_eq!(batch.finish().unwrap().sorted().unwrap(), expected);
    }
}

#[test]
fn threads_and_memory_limits_change_nothing() {
    let scratch = Scratch::new("limits");
    let text = large_text();
    let path = scratch.write("text.txt", &text);
    let expected = expected(lines(&text));
    for threads in [1, 2, 3] {
        for memory_limit in [None, Some(1 << 20)] {
            let spill = scratch.0.join(format!("spill-{threads}-{}", memory_limit.is_some()));
            fs::create_dir(&spill).unwrap();
            let options = CounterOptions {
                threads: Some(threads),
                memory_limit,
                temporary_directory: Some(spill.clone()),
                ..CounterOptions::default()
            };
            let counts = count_files(std::slice::from_ref(&path), Unit::Line, options).unwrap();
            assert_eq!(fs::read_dir(&spill).unwrap().count(), usize::from(memory_limit.is_some()));
            assert_eq!(counts.len(), expected.len());
            assert_eq!(counts.sorted().unwrap(), expected);

            // Saved, loaded and merged with itself, wherever it lies.
            let saved = scratch.0.join("saved");
            counts.save(&saved).unwrap();
            let mut doubled = counts.clone();
            doubled.merge(WordCounts::load(&saved).unwrap()).unwrap();
            let twice: Vec<_> = expected.iter().map(|(piece, count)| (piece.clone(), 2 * count)).collect();
            assert_eq!(doubled.sorted().unwrap(), twice);
            drop((counts, doubled));
            assert_eq!(fs::read_dir(&spill).unwrap().count(), 0);
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn compressed_files_are_read_through() {
    let scratch = Scratch::new("compressed");
    let text = large_text();
    let (front, back) = text.split_at(text.len() / 3);
    let skippable = [&[0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let paths = [
        scratch.write("a.txt", &text),
        scratch.write("a.txt.gz", &[gzip(front), gzip(back)].concat()),
        scratch.write("a.txt.zst", &[zstd(front), skippable, zstd(back)].concat()),
    ];
    for unit in [Unit::Line, Unit::Document] {
        let [plain, others @ ..] = paths
            .each_ref()
            .map(|path| count_files(std::slice::from_ref(path), unit, CounterOptions::default()).unwrap());
        for other in others {
            assert!(other.sorted().unwrap() == plain.sorted().unwrap());
        }
    }

    let whole = fs::read(&paths[2]).unwrap();
    let cut = scratch.write("cut.zst", &whole[..whole.len() - 7]);
    assert!(matches!(count_files(&[cut], Unit::Line, CounterOptions::default()), Err(Error::Io { .. })));
    let whole = fs::read(&paths[1]).unwrap();
    let cut = scratch.write("cut.gz", &whole[..whole.len() - 7]);
    assert!(matches!(count_files(&[cut], Unit::Line, CounterOptions::default()), Err(Error::Io { .. })));
}

#[test]
fn records_of_json_lines_are_documents() {
    let scratch = Scratch::new("json");
    let json =
        "{\"text\": \"one two\\n three\", \"id\": 1}\n\n  {\"id\": 2, \"text\": \"\\u00e9\"}\r\n{\"text\": \"end\"}";
    let path = scratch.write("records.jsonl", json.as_bytes());
    let sorted = |unit| {
        let counts = count_files(std::slice::from_ref(&path), unit, CounterOptions::default()).unwrap();
        counts.sorted().unwrap()
    };
    let records = ["one two\n three", "é", "end"].map(str::as_bytes);
    assert_eq!(sorted(Unit::Document), expected(records));
    assert_eq!(sorted(Unit::Line), expected(records.into_iter().flat_map(lines)));

    let damaged = scratch.write("damaged.jsonl", format!("{json}\n{{\"other\": 1}}\n").as_bytes());
    let error = count_files(&[damaged], Unit::Line, CounterOptions::default()).unwrap_err().to_string();
    assert!(error.contains("damaged.jsonl:5") && error.contains("text"), "{error}");
    let error = counter(CounterOptions::default()).push_files(&[path], &FileOptions::default(), &()).unwrap_err();
    assert!(matches!(error, Error::Option { name: "field", .. }));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let scratch = Scratch::new("unreadable");
    let there = scratch.write("there.txt", b"text");
    let mut counter = counter(CounterOptions::default());
    let absent = scratch.0.join("absent.txt");
    let error = counter.push_files(&[there, absent.clone()], &FileOptions::default(), &()).unwrap_err();
    assert!(matches!(error, Error::Io { path, .. } if path == absent));
    assert_eq!(counter.bytes(), 0);
    let parquet = scratch.write("a.parquet", b"PAR1");
    let error = counter.push_files(&[parquet], &FileOptions::default(), &()).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }));
    let error = counter.push_files(std::slice::from_ref(&scratch.0), &FileOptions::default(), &()).unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
}

#[test]
fn a_line_longer_than_a_block_is_one_line() {
    let scratch = Scratch::new("long");
    let text = [&b"short\n"[..], &b"long ".repeat(3 << 20), b"\nshort"].concat();
    let path = scratch.write("long.txt", &text);
    let options = CounterOptions { threads: Some(2), ..CounterOptions::default() };
    let counts = count_files(&[path], Unit::Line, options).unwrap().sorted().unwrap();
    let found: Vec<_> = counts.iter().map(|(piece, count)| (&piece[..], *count)).collect();
    assert_eq!(found, [(&b"\n"[..], 1), (b" \n", 1), (b" long", (3 << 20) - 1), (b"long", 1), (b"short", 2)]);
}

/// Notes all reports, and stops after a number of them.
struct Notes {
    reports: Mutex<Vec<Progress>>,
    most: usize,
}

impl Watch for Notes {
    fn update(&self, progress: Progress) -> ControlFlow<()> {
        let mut reports = self.reports.lock().unwrap();
        reports.push(progress);
        if reports.len() < self.most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

#[test]
fn progress_is_true_and_may_stop_it() {
    let scratch = Scratch::new("progress");
    let text = large_text();
    let paths = [scratch.write("a.txt", &text), scratch.write("b.txt.gz", &gzip(&text))];
    let total: u64 = paths.iter().map(|path: &PathBuf| fs::metadata(Path::new(path)).unwrap().len()).sum();
    let notes = Notes { reports: Mutex::default(), most: usize::MAX };
    counter(CounterOptions::default()).push_files(&paths, &FileOptions::default(), &notes).unwrap();
    let reports = notes.reports.into_inner().unwrap();
    assert!(reports.iter().all(|report| report.phase == Phase::Count && report.total == Some(total)));
    assert!(reports.is_sorted_by_key(|report| report.done));
    assert_eq!((reports.first().unwrap().done, reports.last().unwrap().done), (0, total));

    let notes = Notes { reports: Mutex::default(), most: 2 };
    let stopped = counter(CounterOptions::default()).push_files(&paths, &FileOptions::default(), &notes);
    assert!(matches!(stopped, Err(Error::Cancelled)));
}
