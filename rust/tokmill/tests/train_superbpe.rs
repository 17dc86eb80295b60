//! Training superwords against the textbook: both stages count every pair afresh for every merge.

#[path = "naive/bpe_train.rs"]
mod naive;

use std::collections::BTreeMap;

use proptest::prelude::*;
use tokmill::normalize::Normalizer;
use tokmill::pretokenize::{Pretokenizer, patterns};
use tokmill::train::{
    Base, BpeTrainerOptions, Counter, CounterOptions, Splitter, SuperBpeOptions, Trained, Veto, VetoRules, train_bpe,
    train_superbpe,
};

type Words = BTreeMap<Vec<u8>, u64>;

/// Cases of each property: a few hundred, or `TOKMILL_SOAK` of them.
fn config() -> ProptestConfig {
    let cases = std::env::var("TOKMILL_SOAK").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn pretokenizer(pattern: &str) -> Pretokenizer {
    Pretokenizer::new(patterns::byte_level_steps(Some(pattern))).unwrap()
}

/// The pieces of the documents, cut the way `pattern` says.
fn pieces(documents: &[String], pattern: &str) -> Words {
    let pretokenizer = pretokenizer(pattern);
    let mut words = Words::new();
    for document in documents {
        for piece in pretokenizer.split(document.as_bytes()) {
            *words.entry(document.as_bytes()[piece].to_vec()).or_default() += 1;
        }
    }
    words
}

fn model(trained: &Trained) -> naive::Model {
    let merges = trained.merges.iter().map(|merge| (merge.left, merge.right, merge.result)).collect();
    (trained.vocab.iter().map(|(_, key)| key.to_vec()).collect(), merges)
}

fn superword_rules() -> VetoRules {
    VetoRules { substrings: vec![b": ".to_vec()], max_words: Some(3), ..VetoRules::default() }
}

fn train(documents: &[String], patterns: (&str, &str), options: &SuperBpeOptions) -> Trained {
    let counter_options = CounterOptions { keep_documents: true, ..options.counter.clone() };
    let mut counter = Counter::new(Splitter::new(None, pretokenizer(patterns.0)), counter_options);
    counter.push_batch(documents).unwrap();
    let (words, documents) = counter.finish_with_documents().unwrap();
    let second = Splitter::new(None, pretokenizer(patterns.1));
    train_superbpe(words, documents, &second, options, &()).unwrap()
}

fn documents() -> impl Strategy<Value = Vec<String>> {
    let word =
        prop_oneof![Just("a"), Just("ab"), Just("ba"), Just("aa"), Just(":"), Just("1234"), Just("\n"), Just("é")];
    let line = prop::collection::vec((word, prop_oneof![3 => Just(" "), 1 => Just("")]), 1..20);
    let line = line.prop_map(|words| words.into_iter().map(|(word, blank)| [word, blank].concat()).collect::<String>());
    prop::collection::vec(line, 1..20)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn both_stages_equal_the_textbook(
        documents in documents(),
        later in any::<bool>(),
        transition in 256usize..270,
        more in 0usize..30,
        min_frequency in 0u64..4,
        memory_limit in prop_oneof![Just(None), Just(Some(200 << 20))],
    ) {
        let patterns = if later { ("superbpe_128k", "superbpe_128k_2") } else { ("superbpe", "superbpe_2") };
        let bpe = BpeTrainerOptions { vocab_size: transition + more, min_frequency, ..BpeTrainerOptions::default() };
        let veto = Veto::new(superword_rules()).unwrap();
        let alphabet = bpe.alphabet_order.bytes().iter().map(|&byte| vec![byte]).collect();
        let words = pieces(&documents, patterns.0);
        let first = naive::train(&words, (alphabet, Vec::new()), transition, min_frequency, |_| true);
        let lines = pieces(&documents, patterns.1);
        let expected = naive::train(&lines, first, transition + more, min_frequency, |entry| veto.allows(entry));

        let counter = CounterOptions { memory_limit, threads: Some(2), ..CounterOptions::default() };
        let options = SuperBpeOptions { bpe, transition, superword_veto: Some(veto), counter };
        let trained = train(&documents, patterns, &options);
        prop_assert_eq!(model(&trained), expected);
        prop_assert_eq!(trained.merge_counts.len(), trained.merges.len());
    }

    /// A base that was trained on other text, whose merges are only partly those of a first stage on this text.
    #[test]
    fn goes_on_from_a_base(documents in documents(), others in documents(), more in 0usize..10, further in 0usize..20) {
        let mut counts = tokmill::train::WordCounts::new();
        for (word, count) in pieces(&others, "superbpe") {
            counts.add(&word, count).unwrap();
        }
        let bpe = BpeTrainerOptions { vocab_size: 264, min_frequency: 1, ..BpeTrainerOptions::default() };
        let base = train_bpe(&counts, &bpe, &()).unwrap();
        let transition = base.vocab.size() + more;
        let first = naive::train(&pieces(&documents, "superbpe"), model(&base), transition, 1, |_| true);
        let expected = naive::train(&pieces(&documents, "superbpe_2"), first, transition + further, 1, |_| true);
        let base = Base { vocab: base.vocab, merges: base.merges };
        let bpe = BpeTrainerOptions { vocab_size: transition + further, base: Some(base), ..bpe };
        let options =
            SuperBpeOptions { bpe, transition, superword_veto: None, counter: CounterOptions::default() };
        prop_assert_eq!(model(&train(&documents, ("superbpe", "superbpe_2"), &options)), expected);
    }
}

/// Enough text for both stages to be guessed too high, cut again and spilled.
#[test]
fn nothing_depends_on_threads_memory_or_order() {
    let mut state = 1u32;
    let mut next = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    let words: Vec<String> =
        (0..300u32).map(|n| [n % 26, n / 26].map(|letter| char::from(b'a' + letter as u8)).iter().collect()).collect();
    let mut documents: Vec<String> = (0..4000)
        .map(|_| {
            let length = 3 + next(20);
            let line = (0..length).map(|_| words[(next(300) * next(300) / 300) as usize].clone()).collect::<Vec<_>>();
            line.join(" ") + "\n"
        })
        .collect();
    let bpe = BpeTrainerOptions { vocab_size: 2500, ..BpeTrainerOptions::default() };
    let superword_veto = Some(Veto::new(superword_rules()).unwrap());
    let counter = CounterOptions { threads: Some(1), ..CounterOptions::default() };
    let options = SuperBpeOptions { bpe, transition: 600, superword_veto, counter };
    let expected = train(&documents, ("superbpe", "superbpe_2"), &options);
    assert_eq!(expected.vocab.size(), 2500);
    assert!(expected.vocab.iter().any(|(_, key)| key.split(|&byte| byte == b' ').count() >= 3));
    documents.reverse();
    for (threads, memory_limit) in [(2, None), (3, Some(1 << 20))] {
        let counter = CounterOptions { threads: Some(threads), memory_limit, ..CounterOptions::default() };
        let other = train(&documents, ("superbpe", "superbpe_2"), &SuperBpeOptions { counter, ..options.clone() });
        assert_eq!(model(&other), model(&expected));
        assert_eq!(other.merge_counts, expected.merge_counts);
    }
}

#[test]
fn the_normaliser_serves_both_stages() {
    let splitter = |pattern| Splitter::new(Some(Normalizer::Nfc), pretokenizer(pattern));
    let mut counter = Counter::new(splitter("superbpe"), CounterOptions { keep_documents: true, ..Default::default() });
    counter.push_batch(&["e\u{301} e\u{301} e\u{301}"; 4]).unwrap();
    let (words, documents) = counter.finish_with_documents().unwrap();
    let bpe = BpeTrainerOptions { vocab_size: 259, ..BpeTrainerOptions::default() };
    let options = SuperBpeOptions { bpe, transition: 258, superword_veto: None, counter: CounterOptions::default() };
    let trained = train_superbpe(words, documents, &splitter("superbpe_2"), &options, &()).unwrap();
    assert_eq!(trained.vocab.key(258), Some("é é".as_bytes()));
}

#[test]
fn senseless_requests_are_errors_that_say_why() {
    let refuse = |transition, vocab_size| {
        let bpe = BpeTrainerOptions { vocab_size, ..BpeTrainerOptions::default() };
        let options = SuperBpeOptions { bpe, transition, superword_veto: None, counter: CounterOptions::default() };
        let mut counter = Counter::new(
            Splitter::new(None, pretokenizer("superbpe")),
            CounterOptions { keep_documents: true, ..CounterOptions::default() },
        );
        counter.push(b"a b a b").unwrap();
        let (words, documents) = counter.finish_with_documents().unwrap();
        let second = Splitter::new(None, pretokenizer("superbpe_2"));
        train_superbpe(words, documents, &second, &options, &()).expect_err("must be refused").to_string()
    };
    assert!(refuse(300, 299).contains("transition"));
    assert!(refuse(255, 299).contains("256"));
}
