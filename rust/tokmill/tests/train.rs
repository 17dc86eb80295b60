//! The BPE trainer against the textbook, on small corpora full of ties, overlaps and repeated strings.

#[path = "naive/bpe_train.rs"]
mod naive;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use tokmill::Error;
use tokmill::merges::Merge;
use tokmill::train::{
    AlphabetOrder, Base, BpeTrainerOptions, Checkpoint, InitialAlphabet, Phase, Progress, Trained, Veto, VetoRules,
    Watch, WordCounts, train_bpe,
};

type Words = BTreeMap<Vec<u8>, u64>;

/// Cases of each property: a few hundred, or `TOKMILL_SOAK` of them.
fn config() -> ProptestConfig {
    let cases = std::env::var("TOKMILL_SOAK").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Words over two to four letters, some of them parts of a character.
fn words() -> impl Strategy<Value = Words> {
    let letters = prop_oneof![Just(&b"ab"[..]), Just(&b"aaab"[..]), Just(&b"abc"[..]), Just(&b"a\xc3\xa9 "[..])];
    let length = prop_oneof![4 => 1usize..5, 4 => 1usize..14, 1 => 1usize..120];
    let word = (letters, length).prop_flat_map(|(letters, length)| {
        prop::collection::vec(0..letters.len(), length)
            .prop_map(move |picks| picks.iter().map(|&at| letters[at]).collect())
    });
    prop::collection::btree_map(word, prop_oneof![Just(1u64), Just(2), 1u64..6, 5000u64..5003], 1..25)
}

#[derive(Clone, Debug)]
struct Case {
    vocab_size: usize,
    min_frequency: u64,
    special_tokens: Vec<String>,
    order: AlphabetOrder,
    max_token_bytes: Option<usize>,
    max_token_chars: Option<usize>,
    rules: Option<VetoRules>,
}

fn case() -> impl Strategy<Value = Case> {
    let specials = prop::collection::vec(prop_oneof![Just("<s>"), Just("aa"), Just("ab"), Just("Ġa"), Just("é")], 0..3);
    let rules = prop_oneof![
        3 => Just(None),
        1 => Just(Some(VetoRules { substrings: vec![b"aab".to_vec(), b"bb".to_vec()], ..VetoRules::default() })),
        1 => Just(Some(VetoRules { regex: Some("^(ba)+$|c".to_owned()), ..VetoRules::default() })),
        1 => Just(Some(VetoRules { max_words: Some(1), ..VetoRules::default() })),
    ];
    let limit = || prop_oneof![3 => Just(None), 1 => (1usize..6).prop_map(Some)];
    let order = prop_oneof![Just(AlphabetOrder::Gpt2), Just(AlphabetOrder::Bytes)];
    (0usize..300, 0u64..4, specials, order, limit(), limit(), rules).prop_map(
        |(more, min_frequency, specials, order, max_token_bytes, max_token_chars, rules)| Case {
            vocab_size: 256 + specials.len() + more,
            min_frequency,
            special_tokens: specials.into_iter().map(str::to_owned).collect(),
            order,
            max_token_bytes,
            max_token_chars,
            rules,
        },
    )
}

impl Case {
    fn options(&self) -> BpeTrainerOptions {
        BpeTrainerOptions {
            vocab_size: self.vocab_size,
            min_frequency: self.min_frequency,
            special_tokens: self.special_tokens.clone(),
            alphabet_order: self.order,
            max_token_bytes: self.max_token_bytes,
            max_token_chars: self.max_token_chars,
            veto: self.veto(),
            ..BpeTrainerOptions::default()
        }
    }

    fn veto(&self) -> Option<Veto> {
        self.rules.clone().map(|rules| Veto::new(rules).unwrap())
    }

    fn allows(&self, entry: &[u8], veto: Option<&Veto>) -> bool {
        let inside = |byte: u8| byte & 0xC0 == 0x80;
        let chars = entry.iter().filter(|&&byte| !inside(byte)).count() + usize::from(inside(entry[0]));
        self.max_token_bytes.is_none_or(|most| entry.len() <= most)
            && self.max_token_chars.is_none_or(|most| chars <= most)
            && veto.is_none_or(|veto| veto.allows(entry))
    }

    /// Special tokens and alphabet.
    fn start(&self) -> naive::Model {
        let mut entries: Vec<Vec<u8>> = Vec::new();
        let specials = self.special_tokens.iter().map(|token| match &token[..] {
            "Ġa" => b" a".to_vec(),
            "é" => vec![0xE9],
            other => other.as_bytes().to_vec(),
        });
        for key in specials.chain(self.order.bytes().iter().map(|&byte| vec![byte])) {
            if !entries.contains(&key) {
                entries.push(key);
            }
        }
        (entries, Vec::new())
    }

    fn naive(&self, words: &Words, start: naive::Model) -> naive::Model {
        let veto = self.veto();
        naive::train(words, start, self.vocab_size, self.min_frequency, |entry| self.allows(entry, veto.as_ref()))
    }
}

fn count(words: &Words) -> WordCounts {
    let mut counts = WordCounts::new();
    for (word, &times) in words {
        counts.add(word, times).unwrap();
    }
    counts
}

fn model(trained: &Trained) -> naive::Model {
    let merges = trained.merges.iter().map(|merge| (merge.left, merge.right, merge.result)).collect();
    (trained.vocab.iter().map(|(_, key)| key.to_vec()).collect(), merges)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn equals_the_textbook(words in words(), case in case()) {
        let trained = train_bpe(&count(&words), &case.options(), &()).unwrap();
        prop_assert_eq!(model(&trained), case.naive(&words, case.start()));
    }

    /// The base was trained on other words, so its merges are not those that these words would have led to.
    #[test]
    fn goes_on_from_a_base(words in words(), others in words(), case in case(), more in 0usize..200) {
        let first = train_bpe(&count(&others), &case.options(), &()).unwrap();
        let base = Base { vocab: first.vocab.clone(), merges: first.merges.clone() };
        let second = Case { vocab_size: first.vocab.size() + more, max_token_bytes: None, rules: None, ..case };
        let options = BpeTrainerOptions { base: Some(base), ..second.options() };
        let trained = train_bpe(&count(&words), &options, &()).unwrap();
        prop_assert_eq!(model(&trained), second.naive(&words, model(&first)));
        prop_assert_eq!(trained.merge_counts.len(), trained.merges.len());
    }

    /// Training to a size, and then on to a larger one, is training to the larger one.
    #[test]
    fn stopping_and_going_on_changes_nothing(words in words(), case in case(), less in 0usize..300) {
        let whole = train_bpe(&count(&words), &case.options(), &()).unwrap();
        let smaller = Case { vocab_size: (case.vocab_size - less.min(case.vocab_size)).max(case.start().0.len()), ..case.clone() };
        let part = train_bpe(&count(&words), &smaller.options(), &()).unwrap();
        let base = Base { vocab: part.vocab, merges: part.merges };
        let rest = train_bpe(&count(&words), &BpeTrainerOptions { base: Some(base), ..case.options() }, &()).unwrap();
        prop_assert_eq!(model(&rest), model(&whole));
    }

    #[test]
    fn merged_counts_train_like_the_whole(words in words(), case in case(), parts in 1usize..4) {
        let mut shards = vec![Words::new(); parts];
        for (index, (word, &times)) in words.iter().enumerate() {
            // Each word is spread over all shards, unevenly.
            for (shard, words) in shards.iter_mut().enumerate() {
                let share = if shard + 1 < parts { (times * (index as u64 % 3)) / (3 * parts as u64) } else { times };
                let before = (parts as u64 - 1) * (times * (index as u64 % 3)) / (3 * parts as u64);
                let share = if shard + 1 == parts { times.saturating_sub(before) } else { share };
                words.insert(word.clone(), share);
            }
        }
        let totals = |word: &[u8]| shards.iter().map(|shard| shard[word]).sum::<u64>();
        let whole: Words = words.keys().map(|word| (word.clone(), totals(word))).filter(|(_, times)| *times > 0).collect();
        prop_assume!(!whole.is_empty());
        let mut merged = WordCounts::new();
        shards.iter().rev().for_each(|shard| merged.merge(count(shard)).unwrap());
        prop_assert_eq!(merged.sorted().unwrap(), whole.clone().into_iter().collect::<Vec<_>>());
        let options = case.options();
        prop_assert_eq!(
            model(&train_bpe(&merged, &options, &()).unwrap()),
            model(&train_bpe(&count(&whole), &options, &()).unwrap())
        );
    }

    /// The changes of a trace, added up, are the counts after any number of steps.
    #[test]
    fn a_trace_adds_up(words in words(), case in case()) {
        let options = BpeTrainerOptions { trace: true, ..case.options() };
        let trained = train_bpe(&count(&words), &options, &()).unwrap();
        let trace = trained.trace.as_ref().unwrap();
        let mut counts: BTreeMap<(u32, u32), i64> = BTreeMap::new();
        for at in 0..trace.initial_count.len() {
            counts.insert((trace.initial_left[at], trace.initial_right[at]), trace.initial_count[at] as i64);
        }
        let mut begin = 0;
        for (step, &end) in trace.end.iter().enumerate() {
            for at in begin..end as usize {
                let left = counts.entry((trace.left[at], trace.right[at])).or_default();
                *left += trace.delta[at];
                prop_assert!(*left >= 0);
            }
            begin = end as usize;
            counts.retain(|_, count| *count > 0);
            if trace.end.len() == trained.merges.len() {
                // Without repeated pairs the first steps are the first merges, and lead to these counts afresh.
                let upto: Vec<Merge> = trained.merges[..=step].to_vec();
                let base = Base { vocab: trained.vocab.clone(), merges: upto };
                let options = BpeTrainerOptions { base: Some(base), trace: true, vocab_size: 1 << 20, min_frequency: u64::MAX, ..BpeTrainerOptions::default() };
                let resumed = train_bpe(&count(&words), &options, &()).unwrap().trace.unwrap();
                let fresh: Vec<_> = (0..resumed.initial_count.len())
                    .map(|at| ((resumed.initial_left[at], resumed.initial_right[at]), resumed.initial_count[at] as i64))
                    .collect();
                prop_assert_eq!(counts.clone().into_iter().collect::<Vec<_>>(), fresh);
            }
        }
        prop_assert_eq!(trace.left.len(), begin);
    }
}

#[test]
fn the_alphabet_may_be_what_the_corpus_holds() {
    let words = Words::from([(b"ba".to_vec(), 3), (b"\xe9".to_vec(), 1)]);
    let options = BpeTrainerOptions {
        vocab_size: 6,
        initial_alphabet: InitialAlphabet::Seen(b" a".to_vec()),
        ..BpeTrainerOptions::default()
    };
    let trained = train_bpe(&count(&words), &options, &()).unwrap();
    let entries: Vec<_> = trained.vocab.iter().map(|(_, key)| key.to_vec()).collect();
    assert_eq!(entries, [&b"a"[..], b"b", b"\xe9", b" ", b"ba"]);
}

#[test]
fn padding_fills_up_to_the_size() {
    let words = Words::from([(b"  ".to_vec(), 3)]);
    let options = BpeTrainerOptions { vocab_size: 257, pad_to: Some(260), ..BpeTrainerOptions::default() };
    let trained = train_bpe(&count(&words), &options, &()).unwrap();
    let expected = [("\n\n", 257), ("   ", 258), ("\n\n\n", 259)].map(|(run, id)| (run.to_owned(), id));
    assert_eq!(trained.padding, expected);
    let options = BpeTrainerOptions { pad_to: Some(256), ..options };
    assert!(train_bpe(&count(&words), &options, &()).unwrap_err().to_string().contains("pad_to"));
}

/// Stops a run after some reports.
struct Interrupt {
    reports: AtomicUsize,
    after: usize,
}

impl Watch for Interrupt {
    fn update(&self, progress: Progress) -> ControlFlow<()> {
        assert_eq!(progress.phase, Phase::Merge);
        if self.reports.fetch_add(1, Ordering::Relaxed) < self.after {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

/// Words of letters that become rarer, so that there are thousands of different pairs.
fn many_words() -> Words {
    let mut state = 1u32;
    let mut next = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    (0..20_000)
        .map(|_| {
            let length = 2 + next(8);
            let word = (0..length).map(|_| b'a' + (next(26) * next(26) / 26) as u8).collect();
            (word, u64::from(1 + next(50)))
        })
        .collect()
}

#[test]
fn an_interrupted_run_goes_on_to_the_same_end() {
    let path = std::env::temp_dir().join(format!("tokmill-checkpoint-{}", std::process::id()));
    let checkpoint = Some(Checkpoint { path: path.clone(), every: Duration::ZERO });
    let counts = count(&many_words());
    let options = BpeTrainerOptions { vocab_size: 12_000, ..BpeTrainerOptions::default() };
    let whole = train_bpe(&counts, &options, &()).unwrap();
    let options = BpeTrainerOptions { checkpoint, ..options };
    for after in [3, 3, 3] {
        let interrupt = Interrupt { reports: AtomicUsize::new(0), after };
        assert!(matches!(train_bpe(&counts, &options, &interrupt), Err(Error::Cancelled)));
        assert!(path.exists());
    }
    let other = BpeTrainerOptions { min_frequency: 3, ..options.clone() };
    assert!(train_bpe(&counts, &other, &()).unwrap_err().to_string().contains("other counts or options"));
    let mut more = counts.clone();
    more.add(b"ab", 1).unwrap();
    assert!(train_bpe(&more, &options, &()).unwrap_err().to_string().contains("other counts or options"));

    let resumed = train_bpe(&counts, &options, &()).unwrap();
    assert_eq!(model(&resumed), model(&whole));
    assert_eq!(resumed.merge_counts, whole.merge_counts);
    assert!(!path.exists());

    std::fs::write(&path, b"something else").unwrap();
    assert!(matches!(train_bpe(&counts, &options, &()), Err(Error::Format { .. })));
    std::fs::remove_file(&path).unwrap();
    let traced = BpeTrainerOptions { trace: true, ..options };
    assert!(matches!(train_bpe(&counts, &traced, &()), Err(Error::Unsupported { .. })));
}

/// Enough merges for the lists of positions to be compacted and the guess of the last count to be lowered.
#[test]
fn a_long_run_equals_many_short_ones() {
    let counts = count(&many_words());
    let options = BpeTrainerOptions { vocab_size: 20_000, min_frequency: 1, ..BpeTrainerOptions::default() };
    let whole = train_bpe(&counts, &options, &()).unwrap();
    let mut base = None;
    for vocab_size in [300, 1000, 2500, 5000, 8000, 12_000, 20_000] {
        let options = BpeTrainerOptions { vocab_size, base: base.take(), ..options.clone() };
        let Trained { vocab, merges, .. } = train_bpe(&counts, &options, &()).unwrap();
        base = Some(Base { vocab, merges });
    }
    assert!(base.unwrap().merges == whole.merges);
}

#[test]
fn a_memory_limit_that_is_too_small_is_refused() {
    let counts = count(&many_words());
    let options = BpeTrainerOptions { memory_limit: Some(1 << 20), ..BpeTrainerOptions::default() };
    assert!(train_bpe(&counts, &options, &()).unwrap_err().to_string().contains("memory_limit"));
    let options = BpeTrainerOptions { memory_limit: Some(1 << 26), vocab_size: 300, ..options };
    assert!(train_bpe(&counts, &options, &()).is_ok());
}

#[test]
fn senseless_requests_are_errors_that_say_why() {
    let words = Words::from([(b"ab".to_vec(), 3)]);
    let refuse = |words: &Words, options: BpeTrainerOptions| {
        train_bpe(&count(words), &options, &()).expect_err("must be refused").to_string()
    };
    let options = BpeTrainerOptions::default;
    assert!(refuse(&Words::new(), options()).contains("empty"));
    let small = BpeTrainerOptions { vocab_size: 255, special_tokens: vec!["<s>".to_owned()], ..options() };
    assert!(refuse(&words, small).contains("257"));
    assert!(refuse(&words, BpeTrainerOptions { vocab_size: 1 << 30, ..options() }).contains("vocab_size"));
    assert!(
        refuse(&words, BpeTrainerOptions { special_tokens: vec![String::new()], ..options() })
            .contains("special_tokens")
    );
    let endless = Words::from([(b"ab".to_vec(), u64::MAX)]);
    assert!(refuse(&endless, options()).contains("2^64"));
}
