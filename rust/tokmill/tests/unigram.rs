//! Unigram models against enumeration and against the owners' pass over whole texts.

#[path = "naive/unigram.rs"]
mod naive;

use std::collections::BTreeMap;

use proptest::prelude::*;
use tokmill::added_tokens::Matching;
use tokmill::decode::Decoder;
use tokmill::lengths::Lengths;
use tokmill::model::unigram::{Rule, Unigram, UnigramOptions};
use tokmill::model::{Model, unigram::UnigramScratch};
use tokmill::pieces::{Piece, PieceKind};
use tokmill::pretokenize::Pretokenizer;
use tokmill::random::Random;
use tokmill::tokenizer::Sampling;
use tokmill::{EncodeOptions, Parts, Tokenizer};

/// The unknown piece comes first; its score is no less than any.
fn pieces(entries: &BTreeMap<String, i16>, scale: f64) -> Vec<Piece> {
    let unknown = Piece { text: "<unk>".to_owned(), score: 0.0, kind: PieceKind::Unknown };
    let normal = entries.iter().map(|(text, score)| Piece::normal(text.clone(), f64::from(*score) * scale));
    std::iter::once(unknown).chain(normal).collect()
}

fn oracle(pieces: &[Piece]) -> naive::Model {
    let normal = || pieces.iter().filter(|piece| piece.kind == PieceKind::Normal);
    let lowest = normal().map(|piece| piece.score as f32).fold(f32::MAX, f32::min);
    naive::Model {
        pieces: pieces
            .iter()
            .map(|piece| (piece.text.replace('\u{2581}', " "), f64::from(piece.score as f32)))
            .collect(),
        unknown: f64::from(lowest - 10.0),
    }
}

fn model(pieces: &[Piece]) -> Unigram {
    let options = UnigramOptions { unk_id: Some(0), rule: Rule::SentencePiece, blanks: true, byte_fallback: false };
    Unigram::new(pieces, options).unwrap()
}

fn tokenizer(pieces: &[Piece]) -> Tokenizer {
    Tokenizer::new(Parts {
        normalizer: None,
        added_tokens: Vec::new(),
        pretokenizer: Pretokenizer::new(Vec::new()).unwrap(),
        model: Model::Unigram(model(pieces)),
        post_processor: None,
        decoder: Decoder::Joined,
        lengths: Lengths::default(),
        matching: Matching::default(),
    })
    .unwrap()
}

/// Ids with neighbouring unknown characters as one.
fn fused(ids: &[Option<u32>]) -> Vec<u32> {
    let mut fused: Vec<u32> = ids.iter().map(|id| id.unwrap_or(0)).collect();
    fused.dedup_by(|one, other| *one == 0 && *other == 0);
    fused
}

fn entries() -> impl Strategy<Value = BTreeMap<String, i16>> {
    let text = prop_oneof![3 => "[abc]{1,4}", 2 => "▁[abc]{0,3}", 1 => "▁{2,4}", 1 => "[aé]{1,2}"];
    prop::collection::btree_map(text, -200i16..-1, 1..40)
}

proptest! {
    #[test]
    fn the_best_segmentations_are_those_of_enumeration(entries in entries(), text in "[abcé▁]{1,8}") {
        let pieces = pieces(&entries, 1.0);
        let (model, oracle) = (model(&pieces), oracle(&pieces));
        let text = text.replace('\u{2581}', " ");
        let text = if model.cuts_words() { text } else { text.replace(' ', "b") };
        let mut all = oracle.all(&text);
        all.sort_by(|one, other| other.1.total_cmp(&one.1));
        let count = all.len().min(40);
        let found = model.nbest(text.as_bytes(), count);
        let scores: Vec<f64> = found.iter().map(|found| found.score).collect();
        prop_assert_eq!(scores, all[..count].iter().map(|(_, score)| *score).collect::<Vec<_>>());
        for segmentation in &found {
            let is_it = |(ids, score): &naive::Segmentation| score.to_bits() == segmentation.score.to_bits() && fused(ids) == segmentation.ids;
            prop_assert!(all.iter().any(is_it), "{:?}", segmentation);
        }
        let mut ids = Vec::new();
        model.encode(text.as_bytes(), &mut UnigramScratch::default(), &mut ids);
        prop_assert_eq!(ids, fused(&oracle.best(&text)));
    }

    /// Small differences between large scores, so that rounding decides; blanks enough to have words.
    #[test]
    fn words_encoded_apart_are_those_of_the_whole_text(
        mut entries in entries(),
        scale in prop_oneof![Just(1.0), Just(0.001), Just(7.3), Just(1000.1)],
        words in prop::collection::vec("[abcé]{0,6}", 1..120),
    ) {
        entries.insert("▁".to_owned(), -3);
        let pieces = pieces(&entries, scale);
        let (tokenizer, oracle) = (tokenizer(&pieces), oracle(&pieces));
        let options = EncodeOptions::default();
        // Twice, so that what was remembered is used.
        let text = words.iter().chain(&words).map(String::as_str).collect::<Vec<_>>().join(" ");
        let expected = fused(&oracle.best(&text));
        for _ in 0..2 {
            prop_assert_eq!(tokenizer.encode(text.as_bytes(), &options).unwrap(), expected.clone());
        }
        let aligned = tokenizer.encode_with_offsets(text.as_bytes(), tokmill::OffsetUnit::Byte, &options).unwrap();
        prop_assert_eq!(aligned.0, expected);
        let mut at = 0;
        for [begin, end] in aligned.1 {
            prop_assert_eq!(begin, at);
            at = end;
        }
        prop_assert_eq!(at as usize, text.len());
    }
}

#[test]
fn samples_are_as_likely_as_their_weights_say() {
    let entries: BTreeMap<String, i16> =
        [("a", -3), ("b", -4), ("ab", -5), ("ba", -6), ("aba", -8), ("▁", -2), ("▁a", -4)]
            .map(|(text, score)| (text.to_owned(), score))
            .into();
    let pieces = pieces(&entries, 1.0);
    let tokenizer = tokenizer(&pieces);
    let options = EncodeOptions::default();
    for (alpha, nbest) in [(1.0, None), (0.3, None), (0.0, None), (0.5, Some(4))] {
        let mut all = oracle(&pieces).all("abab aba");
        all.sort_by(|one, other| other.1.total_cmp(&one.1));
        all.truncate(nbest.unwrap_or(all.len()));
        let total: f64 = all.iter().map(|(_, score)| (alpha * score).exp()).sum();
        let mut counts: BTreeMap<Vec<u32>, f64> = BTreeMap::new();
        let draws = 20_000;
        for seed in 0..draws {
            let sampling = Sampling { alpha, nbest, dropout: None, seed };
            *counts.entry(tokenizer.sample(b"abab aba", sampling, &options).unwrap()).or_default() += 1.0;
        }
        for (ids, score) in &all {
            let expected = (alpha * score).exp() / total * draws as f64;
            let seen = counts.remove(&fused(ids)).unwrap_or_default();
            // Five standard deviations.
            assert!((seen - expected).abs() < 5.0 * expected.sqrt() + 2.0, "{ids:?}: {seen} for {expected}");
        }
        // Where several have the score of the last one, the others may be drawn in its place.
        assert!(nbest.is_some() || counts.is_empty(), "{counts:?}");
    }
}

#[test]
fn the_best_of_a_text_are_combined_from_those_of_its_words() {
    let entries: BTreeMap<String, i16> =
        [("a", -30), ("b", -41), ("ab", -72), ("ba", -70), ("aba", -103), ("▁", -20), ("▁a", -49)]
            .map(|(text, score)| (text.to_owned(), score))
            .into();
    let pieces = pieces(&entries, 1.0);
    let tokenizer = tokenizer(&pieces);
    let mut all = oracle(&pieces).all("abab aba ab");
    all.sort_by(|one, other| other.1.total_cmp(&one.1));
    let found = tokenizer.nbest(b"abab aba ab", 30, &EncodeOptions::default()).unwrap();
    let scores: Vec<f64> = found.iter().map(|found| found.score).collect();
    assert_eq!(scores, all[..30].iter().map(|(_, score)| *score).collect::<Vec<_>>());
    let mut ids: Vec<_> = found.into_iter().map(|found| found.ids).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 30);
}

#[test]
fn by_the_rule_of_tokenizers_unknown_text_is_fused_or_falls_back() {
    let list = [("<unk>", 0.0), ("a", -1.0), ("<0xC3>", -5.0), ("<0xA9>", -5.0), ("a", -2.0)];
    let pieces: Vec<Piece> = list.iter().map(|(text, score)| Piece::normal(*text, *score)).collect();
    let encode = |options: UnigramOptions, text: &str| {
        let mut ids = Vec::new();
        let mut scratch = UnigramScratch::default();
        Unigram::new(&pieces, options).unwrap().encode(text.as_bytes(), &mut scratch, &mut ids);
        (ids, scratch.take_missing())
    };
    let plain = UnigramOptions { unk_id: Some(0), ..UnigramOptions::default() };
    assert_eq!(encode(plain.clone(), "aéßa"), (vec![4, 0, 4], false));
    let fallback = UnigramOptions { byte_fallback: true, ..plain };
    assert_eq!(encode(fallback.clone(), "aééa"), (vec![4, 2, 3, 2, 3, 4], false));
    assert_eq!(encode(fallback, "aéßa"), (vec![4, 0, 4], false), "ß lacks a byte, so the whole run is unknown");
    assert!(encode(UnigramOptions::default(), "aé").1);
    assert!(!encode(UnigramOptions::default(), "aa").1);
}

#[test]
fn seeds_give_the_same_numbers_again() {
    let draw = |seed| (0..4).map(|_| Random::new(seed).bits()).collect::<Vec<_>>();
    assert_eq!(draw(3), draw(3));
    assert_ne!(draw(3), draw(4));
}
