//! Real vocabularies, where the data directory (`TOKMILL_DATA`, else `shared/data` beside the checkout) has them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokmill::byte_level::{ByteEngine, ByteOptions, ByteState, Logits};
use tokmill::format::{self, LoadOptions};
use tokmill::{EncodeOptions, Tokenizer};

use super::samples::Random;

/// File, and pattern where the file does not say.
const VOCABULARIES: [(&str, Option<&str>); 8] = [
    ("gpt2.json", None),
    ("llama3_1.json.gz", None),
    ("cl100k_base.tiktoken", Some("cl100k_base")),
    ("o200k_base.tiktoken", Some("o200k_base")),
    ("qwen2_5.json.gz", None),
    ("deepseek_v3.json.gz", None),
    ("tekken_240718.json.gz", None),
    ("superbpe_t180k/tokenizer.json.gz", None),
];

/// The vocabularies that are there.
fn vocabularies() -> Vec<(&'static str, Arc<Tokenizer>)> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("TOKMILL_DATA").map_or(beside, PathBuf::from).join("vocabs");
    let mut found = Vec::new();
    for (name, pattern) in VOCABULARIES {
        let path = data.join(name);
        if !path.exists() {
            eprintln!("{name}: left out, it is not in {}", data.display());
            continue;
        }
        let options = LoadOptions { pattern: pattern.map(str::to_owned), ..LoadOptions::default() };
        found.push((name, Arc::new(format::load(&path, &options).unwrap())));
    }
    found
}

const PARTS: [&str; 44] = [
    " ",
    "  ",
    "   ",
    "\n",
    "\n\n",
    " \n",
    "\r\n",
    "\t",
    "\u{a0}",
    "a",
    "I",
    "The",
    " the",
    "ing",
    "HTTPServer",
    "can't",
    "we'LL",
    "'s",
    "'",
    "''",
    "1",
    "12",
    "123",
    "1234567",
    " 2024",
    "٣",
    "²",
    "Ⅷ",
    ".",
    "...",
    "!?",
    "--",
    "//",
    "{}\n",
    "/\n",
    "é",
    "e\u{301}",
    "ß",
    "中文",
    "か",
    "カー",
    "한국어",
    "🙂",
    "مرحبا",
];

fn nasty(random: &mut Random, parts: usize) -> Vec<u8> {
    let mut text: Vec<u8> = (0..=random.below(parts)).flat_map(|_| random.pick(&PARTS).bytes()).collect();
    if random.below(8) == 0 {
        let at = random.below(text.len() + 1);
        text.insert(at, random.below(256) as u8);
    }
    text
}

fn encode(tokenizer: &Tokenizer, text: &[u8]) -> Vec<u32> {
    tokenizer.encode(text, &EncodeOptions { threads: Some(1), ..EncodeOptions::default() }).unwrap_or_default()
}

fn run(state: &mut ByteState, model: impl Fn(&[u32], &mut [f32])) {
    loop {
        let request = state.pending();
        if request.is_empty() {
            return;
        }
        let sequences = request.sequences();
        let mut row = vec![0.0; state.vocab_size()];
        let mut rows = Vec::new();
        for sequence in sequences.rows() {
            row.fill(0.0);
            model(sequence, &mut row);
            rows.push(row.clone());
        }
        let rows: Vec<Logits<'_>> = rows.iter().map(|row| Logits::F32(row)).collect();
        state.supply(&request, &rows).unwrap();
    }
}

fn soak(cases: usize) -> usize {
    std::env::var("TOKMILL_SOAK").ok().and_then(|cases| cases.parse().ok()).unwrap_or(cases)
}

#[test]
fn a_model_that_writes_one_text_writes_its_bytes() {
    for (name, tokenizer) in vocabularies() {
        let engine = ByteEngine::new(tokenizer.clone(), &ByteOptions::default()).unwrap();
        let mut random = Random::new(3);
        for _ in 0..soak(12) {
            let text = nasty(&mut random, 12);
            if tokenizer.normalizer().is_some() && std::str::from_utf8(&text).is_err() {
                continue;
            }
            let ids = encode(&tokenizer, &text);
            // Other added tokens stand in for ends, and a normaliser for another text.
            if tokenizer.decode_bytes(&ids, false).unwrap() != text || ids.iter().any(|&id| !engine.is_ordinary(id)) {
                continue;
            }
            let mut state = engine.start(b"", &[]).unwrap();
            for (at, &byte) in text.iter().enumerate() {
                run(&mut state, |sequence, row| {
                    if let Some(&next) = ids.get(sequence.len())
                        && ids.starts_with(sequence)
                    {
                        row.fill(f32::NEG_INFINITY);
                        row[next as usize] = 0.0;
                    }
                });
                let found = state.next().unwrap().log_probs[byte as usize];
                assert!(found.abs() < 1e-6, "{name}: {found} at byte {at} of {:?}", String::from_utf8_lossy(&text));
                state.push(&[byte]);
            }
        }
    }
}

#[test]
fn covers_are_beginnings_of_encodings() {
    let rests: Vec<Vec<u8>> = PARTS
        .iter()
        .map(|part| part.as_bytes().to_vec())
        .chain(
            [
                &b""[..],
                b"\x80",
                b"\xbf",
                b"\x80\x80",
                b"\xb8\xad",
                b"\x80\x80\x80",
                b"\xff",
                b"q",
                b"Q",
                b" q",
                b"l",
                b"e",
            ]
            .map(<[u8]>::to_vec),
        )
        .collect();
    let pairs: Vec<Vec<u8>> =
        rests.iter().flat_map(|left| rests.iter().map(|right| [&left[..], right].concat())).collect();
    for (name, tokenizer) in vocabularies() {
        if tokenizer.normalizer().is_some() {
            continue;
        }
        let engine = ByteEngine::new(tokenizer.clone(), &ByteOptions::default()).unwrap();
        let mut random = Random::new(5);
        for _ in 0..soak(60) {
            let mut text = nasty(&mut random, 4);
            text.truncate(random.below(text.len()) + 1);
            if encode(&tokenizer, &text).is_empty() {
                // A byte that the vocabulary does not have.
                continue;
            }
            let mut state = engine.start(&text, &[]).unwrap();
            run(&mut state, |_, _| ());
            let cover = state.cover().unwrap();
            let known: HashSet<&[u32]> = cover.iter().map(|(ids, _)| ids.as_slice()).collect();
            // What continuations encode to is in the cover ...
            for rest in &rests {
                let ids = encode(&tokenizer, &[&text[..], rest].concat());
                if ids.is_empty() {
                    continue;
                }
                let mut bytes = 0;
                let until = ids.iter().position(|&id| {
                    bytes += tokenizer.token_bytes(id).map_or(0, <[u8]>::len);
                    bytes >= text.len()
                });
                let begin = &ids[..until.map_or(0, |at| at + 1)];
                assert!(
                    begin.iter().any(|&id| !engine.is_ordinary(id)) || known.contains(begin),
                    "{name}: {begin:?} lacks for {:?}",
                    String::from_utf8_lossy(&text)
                );
            }
            // ... and what is in the cover begins the encoding of some continuation.
            for _ in 0..20 {
                let (ids, _) = &cover[random.below(cover.len())];
                let bytes = tokenizer.decode_bytes(ids, false).unwrap();
                let confirmed = rests
                    .iter()
                    .chain(&pairs)
                    .any(|rest| encode(&tokenizer, &[&bytes[..], rest].concat()).starts_with(ids));
                assert!(confirmed, "{name}: {ids:?} ({:?}) begins no encoding", String::from_utf8_lossy(&bytes));
            }
        }
    }
}

#[test]
fn an_even_model_counts_first_bytes() {
    for (name, tokenizer) in vocabularies() {
        if tokenizer.normalizer().is_some() {
            continue;
        }
        let engine = ByteEngine::new(tokenizer.clone(), &ByteOptions::default()).unwrap();
        let mut state = engine.start(b"", &[]).unwrap();
        run(&mut state, |_, _| ());
        let next = state.next().unwrap();
        // All tokens that are their own encoding can begin a text.
        let mut counts = [0usize; 257];
        for id in (0..tokenizer.vocab_size() as u32).filter(|&id| engine.is_ordinary(id)) {
            let key = tokenizer.token_bytes(id).unwrap();
            if encode(&tokenizer, key) == [id] {
                counts[key[0] as usize] += 1;
            }
        }
        counts[256] = usize::from(engine.end_of_text().is_some());
        let total: usize = counts.iter().sum::<usize>() + next.specials.len();
        for (symbol, count) in counts.into_iter().enumerate() {
            let (found, least) = (next.log_probs[symbol].exp(), count as f64 / total as f64);
            // A token can also begin a text that goes on although it is not its own encoding.
            assert!((found - least).abs() < 2e-3, "{name}: {found} {least} for {symbol}");
        }
    }
}
