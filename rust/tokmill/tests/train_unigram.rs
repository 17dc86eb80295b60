//! The Unigram trainer from the outside: sizes, determinism, reachable pieces, errors.

use std::ops::ControlFlow;

use proptest::prelude::*;
use tokmill::Error;
use tokmill::pieces::PieceKind;
use tokmill::train::unigram::{Method, PieceRules, TrainedUnigram, UnigramTrainerOptions, train_unigram};
use tokmill::train::{Progress, Watch, WordCounts};

fn counts<'w>(words: impl IntoIterator<Item = (&'w str, u64)>) -> WordCounts {
    let mut counts = WordCounts::new();
    for (word, count) in words {
        counts.add(word.as_bytes(), count).unwrap();
    }
    counts
}

/// Words made of a few stems and endings.
fn corpus() -> WordCounts {
    let stems = ["low", "new", "wid", "slow", "fast", "bright", "dark", "kalt", "warm", "größ"];
    let endings = ["", "er", "est", "ly", "ness", "nesses", "en", "ish"];
    let mut counts = WordCounts::new();
    for (s, stem) in stems.iter().enumerate() {
        for (e, ending) in endings.iter().enumerate() {
            counts.add(format!("\u{2581}{stem}{ending}").as_bytes(), ((s * 7 + e * 5) % 23 + 1) as u64).unwrap();
        }
    }
    counts
}

fn options(vocab_size: usize) -> UnigramTrainerOptions {
    UnigramTrainerOptions { vocab_size, byte_fallback: false, ..UnigramTrainerOptions::default() }
}

fn train(counts: &WordCounts, options: &UnigramTrainerOptions) -> TrainedUnigram {
    train_unigram(counts, options, &()).unwrap()
}

fn pieces(trained: &TrainedUnigram) -> Vec<&str> {
    let normal = trained.entries.iter().filter(|entry| entry.kind == PieceKind::Normal);
    normal.map(|entry| entry.text.as_str()).collect()
}

#[test]
fn sizes_are_exact() {
    for method in [Method::Em, Method::ScorePruning] {
        for size in [30, 40, 50, 64, 80] {
            let trained = train(&corpus(), &UnigramTrainerOptions { method, ..options(size) });
            assert_eq!(trained.entries.len(), size, "{method:?}");
            let with_bytes = UnigramTrainerOptions { method, byte_fallback: true, ..options(size + 256) };
            let with_bytes = train(&corpus(), &with_bytes);
            assert_eq!(with_bytes.entries.len(), size + 256);
            assert_eq!(pieces(&with_bytes), pieces(&trained));
        }
    }
}

#[test]
fn entries_come_in_the_documented_order() {
    let user_defined = vec!["<sep>".to_owned()];
    let trained = train(
        &corpus(),
        &UnigramTrainerOptions { byte_fallback: true, user_defined_tokens: user_defined, ..options(330) },
    );
    let kinds: Vec<PieceKind> = trained.entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds[..4], [PieceKind::Unknown, PieceKind::Control, PieceKind::Control, PieceKind::UserDefined]);
    assert!(kinds[4..260].iter().all(|kind| *kind == PieceKind::Byte));
    assert_eq!(trained.entries[4 + 0xE4].text, "<0xE4>");
    let scores: Vec<f64> = trained.entries[260..].iter().map(|entry| entry.score).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b) && scores[0] < 0.0);
    assert!(scores.iter().all(|score| (score * 1024.0).fract() == 0.0));
    assert!(trained.entries[..260].iter().all(|entry| entry.score == 0.0));
}

#[test]
fn frequent_words_become_pieces_and_blanks_begin_them() {
    let found = train(&corpus(), &options(60));
    let found = pieces(&found);
    assert!(found.contains(&"\u{2581}bright"), "{found:?}");
    assert!(found.iter().all(|piece| !piece.ends_with('\u{2581}') || *piece == "\u{2581}"));
}

/// The score of the best segmentation into two pieces or more.
fn best_split(word: &str, scored: &[(&str, f64)]) -> f64 {
    let mut best = vec![f64::NEG_INFINITY; word.len() + 1];
    best[0] = 0.0;
    for begin in 0..word.len() {
        for &(piece, score) in scored {
            if piece != word && word.is_char_boundary(begin) && word[begin..].starts_with(piece) {
                best[begin + piece.len()] = best[begin + piece.len()].max(best[begin] + score);
            }
        }
    }
    best[word.len()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_are_reachable_and_threads_do_not_matter(
        words in prop::collection::btree_map("\u{2581}[abcde]{1,9}", 1u64..100, 40..200),
        size in 20usize..60,
        token_cost in prop_oneof![Just(0.0), Just(8.0)],
    ) {
        let counts = counts(words.iter().map(|(word, &count)| (word.as_str(), count)));
        let options = UnigramTrainerOptions { token_cost, threads: Some(1), ..options(size) };
        let trained = train(&counts, &options);
        prop_assert_eq!(&trained, &train(&counts, &UnigramTrainerOptions { threads: Some(3), ..options.clone() }));
        let normal = trained.entries.iter().filter(|entry| entry.kind == PieceKind::Normal);
        let scored: Vec<(&str, f64)> = normal.map(|entry| (entry.text.as_str(), entry.score)).collect();
        for &(piece, score) in &scored {
            prop_assert!(score >= best_split(piece, &scored), "{} is beaten by its parts", piece);
        }
        prop_assert!(scored.iter().all(|(piece, _)| piece.chars().count() <= 16));
    }
}

#[test]
fn many_threads_give_what_one_gives() {
    // Large enough for several blocks and for threads to be used.
    let mut counts = WordCounts::new();
    let mut state = 1u64;
    for _ in 0..60_000 {
        let mut word = "\u{2581}".to_owned();
        for _ in 0..2 + state % 4 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            word += ["ka", "to", "ni", "s", "re", "mu", "lo", "e"][(state >> 40) as usize % 8];
        }
        counts.add(word.as_bytes(), 1 + state % 9).unwrap();
    }
    let with = |threads| train(&counts, &UnigramTrainerOptions { threads: Some(threads), ..options(400) });
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(7));
}

#[test]
fn characters_that_are_not_covered_are_in_no_piece() {
    let counts = counts([("\u{2581}aa", 1000), ("\u{2581}ab", 1000), ("\u{2581}aza", 1), ("a\nb", 3)]);
    let covered = train(&counts, &UnigramTrainerOptions { character_coverage: 0.999, ..options(8) });
    assert!(pieces(&covered).iter().all(|piece| !piece.contains(['z', '\n'])), "{covered:?}");
    let required = train(&counts, &UnigramTrainerOptions { required_chars: "zß".to_owned(), ..options(9) });
    assert!(["z", "ß"].iter().all(|c| pieces(&required).contains(c)));
    let all = train(&counts, &UnigramTrainerOptions { character_coverage: 1.0, ..options(9) });
    assert!(pieces(&all).contains(&"z"));
}

#[test]
fn user_defined_tokens_are_cut_out() {
    let counts = counts([("\u{2581}ab<x>cd", 50), ("\u{2581}<x>", 20), ("x>", 5), ("cdab", 9)]);
    let user_defined_tokens = vec!["<x>".to_owned()];
    let trained = train(&counts, &UnigramTrainerOptions { user_defined_tokens, ..options(14) });
    let crossing = |piece: &&str| piece.contains('<') || piece.contains("bc");
    assert!(!pieces(&trained).iter().any(crossing), "{trained:?}");
}

#[test]
fn rules_bound_the_pieces() {
    let rules = PieceRules { max_piece_chars: 3, ..PieceRules::default() };
    let trained = train(&corpus(), &UnigramTrainerOptions { rules, ..options(60) });
    assert!(pieces(&trained).iter().all(|piece| piece.chars().count() <= 3));
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let refused = |options: UnigramTrainerOptions| match train_unigram(&corpus(), &options, &()) {
        Err(Error::Option { name, why }) => (name, why),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(options(5)).0, "vocab_size");
    let (name, why) = refused(options(100_000));
    let most: usize = why.split_whitespace().find_map(|word| word.trim_end_matches(',').parse().ok()).unwrap();
    assert_eq!((name, train(&corpus(), &options(most)).entries.len()), ("vocab_size", most));
    let duplicate = vec!["<unk>".to_owned()];
    assert_eq!(refused(UnigramTrainerOptions { control_tokens: duplicate, ..options(60) }).0, "special_tokens");
    assert_eq!(refused(UnigramTrainerOptions { shrinking_factor: 1.0, ..options(60) }).0, "shrinking_factor");
    assert_eq!(refused(UnigramTrainerOptions { character_coverage: f64::NAN, ..options(60) }).0, "character_coverage");
    assert_eq!(refused(UnigramTrainerOptions { required_chars: " ".to_owned(), ..options(60) }).0, "required_chars");
    assert_eq!(refused(UnigramTrainerOptions { memory_limit: Some(1 << 20), ..options(60) }).0, "memory_limit");
    let rules = PieceRules { max_piece_chars: 33, ..PieceRules::default() };
    assert_eq!(refused(UnigramTrainerOptions { rules, ..options(60) }).0, "max_piece_chars");
    assert!(matches!(train_unigram(&WordCounts::new(), &options(60), &()), Err(Error::Option { name: "source", .. })));
}

struct StopAtOnce;

impl Watch for StopAtOnce {
    fn update(&self, _progress: Progress) -> ControlFlow<()> {
        ControlFlow::Break(())
    }
}

#[test]
fn a_watch_can_stop_it() {
    assert!(matches!(train_unigram(&corpus(), &options(60), &StopAtOnce), Err(Error::Cancelled)));
}
