//! Small random tokenizers, and models to run them with.

use std::sync::Arc;

use tokmill::added_tokens::Matching;
use tokmill::byte_level::{ByteEngine, ByteOptions, ByteState, Logits};
use tokmill::decode::Decoder;
use tokmill::lengths::Lengths;
use tokmill::merges::Merge;
use tokmill::model::{Bpe, BpeOptions, Model};
use tokmill::pretokenize::Pretokenizer;
use tokmill::pretokenize::patterns::byte_level_steps;
use tokmill::vocab::{Spelling, Vocab};
use tokmill::{AddedToken, Parts, Tokenizer};

/// A small generator of random numbers.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Between 0 and 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.below(1 << 30) as f64 + 0.5) / f64::from(1 << 30)
    }
}

/// What texts are made of, and patterns that may cut them.
type Family = (&'static [&'static [u8]], &'static [Option<&'static str>]);

const FAMILIES: [Family; 12] = [
    (&[b"a", b"b"], &[None]),
    (&[b"a", b"b", b"c"], &[None]),
    (
        &[b" ", b"a", b"1"],
        &[Some(r" ?a+|1|\s+(?!\S)|\s+"), Some("gpt2"), Some("llama3"), Some("deepseek_v3"), Some("o200k_base")],
    ),
    (
        &[b" ", b"\n", b"a"],
        &[Some("cl100k_base"), Some("llama3"), Some("qwen2"), Some("tekken"), Some("gpt2"), Some("deepseek_v3")],
    ),
    (&[b"a", b"A", b" "], &[Some("o200k_base"), Some("tekken"), Some("superbpe_128k"), Some("superbpe_128k_2")]),
    (&[b"1", b"2", b"a"], &[Some("superbpe_2"), Some("cl100k_base"), Some("qwen2"), Some("deepseek_v3")]),
    (&[b"'", b"l", b" "], &[Some("gpt2"), Some("llama3"), Some("o200k_base"), Some("cl100k_base")]),
    (&[b"'", b"s", b"S"], &[Some("gpt2"), Some("llama3"), Some("o200k_base")]),
    (&[b".", b"\n", b"a"], &[Some("cl100k_base"), Some("o200k_base"), Some("deepseek_v3"), Some("kimi_k2")]),
    (&[b"\xC3", b"\xA9", b"a"], &[Some("gpt2"), Some("o200k_base"), None]),
    (&[b"\xC2", b"\xA0", b"."], &[Some("gpt2"), Some("llama3"), Some("deepseek_v3"), Some("o200k_base")]),
    (&[b"/", b"\n", b" "], &[Some("o200k_base"), Some("tekken"), Some("cl100k_base")]),
];

/// A tokenizer over a few bytes.
pub(crate) struct Sample {
    pub(crate) tokenizer: Arc<Tokenizer>,
    pub(crate) alphabet: Vec<u8>,
    pub(crate) pattern: Option<&'static str>,
    /// The id of the special token that ends a text.
    pub(crate) end: u32,
}

/// The tokenizer of a number. Some have entries that no merge leads to, or merges in an order that no trainer makes.
pub(crate) fn sample(seed: u64) -> Sample {
    let mut random = Random::new(seed);
    let (units, patterns) = FAMILIES[seed as usize % FAMILIES.len()];
    let pattern = *random.pick(patterns);
    let alphabet: Vec<u8> = units.concat();
    let mut vocab = Vocab::new(Spelling::ByteLevel);
    let mut known: Vec<u32> = Vec::new();
    for (id, &byte) in alphabet.iter().enumerate() {
        vocab.insert(id as u32, &[byte]).unwrap();
        known.push(id as u32);
    }
    let mut merges: Vec<Merge> = Vec::new();
    for _ in 0..random.below(14) {
        let (left, right) = (*random.pick(&known), *random.pick(&known));
        let key = [vocab.key(left).unwrap(), vocab.key(right).unwrap()].concat();
        if key.len() > 6 || merges.iter().any(|merge| (merge.left, merge.right) == (left, right)) {
            continue;
        }
        let result = vocab.id(&key).unwrap_or(vocab.size() as u32);
        if vocab.id(&key).is_none() {
            vocab.insert(result, &key).unwrap();
            known.push(result);
        }
        merges.push(Merge { left, right, result });
    }
    if random.below(4) == 0 {
        for index in (1..merges.len()).rev() {
            merges.swap(index, random.below(index + 1));
        }
    }
    for _ in 0..random.below(3) {
        let key: Vec<u8> = (0..2 + random.below(3)).map(|_| *random.pick(&alphabet)).collect();
        if vocab.id(&key).is_none() {
            vocab.insert(vocab.size() as u32, &key).unwrap();
        }
    }
    let end = vocab.size() as u32;
    let options = BpeOptions { ignore_merges: random.below(2) == 0, ..BpeOptions::default() };
    let tokenizer = Tokenizer::new(Parts {
        normalizer: None,
        added_tokens: vec![AddedToken::special("<|endoftext|>", end)],
        pretokenizer: Pretokenizer::new(byte_level_steps(pattern)).unwrap(),
        model: Model::Bpe(Bpe::new(vocab, merges, options).unwrap()),
        post_processor: None,
        decoder: Decoder::byte_level(),
        lengths: Lengths::default(),
        matching: Matching::default(),
    });
    Sample { tokenizer: Arc::new(tokenizer.unwrap()), alphabet, pattern, end }
}

pub(crate) fn engine(tokenizer: &Arc<Tokenizer>, options: &ByteOptions) -> ByteEngine {
    ByteEngine::new(tokenizer.clone(), options).unwrap()
}

/// Answers all requests of a state.
pub(crate) fn run(state: &mut ByteState, model: &mut dyn FnMut(&[u32]) -> Vec<f64>) {
    loop {
        let request = state.pending();
        if request.is_empty() {
            return;
        }
        let rows: Vec<Vec<f64>> = request.sequences().rows().map(&mut *model).collect();
        let rows: Vec<Logits<'_>> = rows.iter().map(|row| Logits::F64(row)).collect();
        state.supply(&request, &rows).unwrap();
    }
}

/// A model without sense: the logits of a sequence are random, and the same each time.
pub(crate) fn nonsense(vocab_size: usize) -> impl FnMut(&[u32]) -> Vec<f64> {
    move |sequence| {
        let seed =
            sequence.iter().fold(sequence.len() as u64, |seed, &id| seed.wrapping_mul(1_000_003) ^ u64::from(id + 7));
        let mut random = Random::new(seed);
        random.below(2);
        (0..vocab_size).map(|_| 4.0 * random.unit()).collect()
    }
}

/// `None` if the two agree, counting `-inf` as equal to itself.
pub(crate) fn difference(left: f64, right: f64, tolerance: f64) -> Option<f64> {
    if left.to_bits() == right.to_bits() {
        return None;
    }
    let difference = (left - right).abs();
    // NaN is a difference.
    if difference <= tolerance { None } else { Some(difference) }
}
