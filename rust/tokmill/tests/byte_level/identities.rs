//! What holds for any model: the rules of probability, and that the two ways of deciding validity agree.

use std::sync::Arc;

use tokmill::Tokenizer;
use tokmill::byte_level::{ByteEngine, ByteOptions, ByteState, Logits, Semantics};

use super::samples::{Random, Sample, difference, engine, nonsense, run, sample};

fn text(random: &mut Random, alphabet: &[u8], most: usize) -> Vec<u8> {
    (0..random.below(most + 1)).map(|_| *random.pick(alphabet)).collect()
}

fn at(engine: &ByteEngine, text: &[u8], model: &mut dyn FnMut(&[u32]) -> Vec<f64>) -> ByteState {
    let mut state = engine.start(text, &[]).unwrap();
    run(&mut state, model);
    state
}

#[test]
fn fast_and_brute_force_validity_agree() {
    for seed in 0..240 {
        let Sample { tokenizer, alphabet, pattern, .. } = sample(seed);
        let fast = engine(&tokenizer, &ByteOptions::default());
        let brute = engine(&tokenizer, &ByteOptions { verify: true, ..ByteOptions::default() });
        let mut random = Random::new(seed);
        for _ in 0..6 {
            let text = text(&mut random, &alphabet, 6);
            let mut model = nonsense(tokenizer.vocab_size());
            let (fast, brute) = (at(&fast, &text, &mut model), at(&brute, &text, &mut model));
            let ids = |state: &ByteState| {
                let mut cover: Vec<Vec<u32>> = state.cover().unwrap().into_iter().map(|(ids, _)| ids).collect();
                cover.sort();
                cover
            };
            let place = || format!("{:?} in {seed} ({pattern:?})", String::from_utf8_lossy(&text));
            assert_eq!(ids(&fast), ids(&brute), "cover of {}", place());
            let (left, right) = (fast.next().unwrap(), brute.next().unwrap());
            for (left, right) in left.log_probs.iter().zip(&right.log_probs) {
                assert!(difference(*left, *right, 1e-9).is_none(), "{left} {right} behind {}", place());
            }
            assert!(difference(left.leak, right.leak, 1e-9).is_none(), "leak behind {}", place());
        }
    }
}

#[test]
fn all_segmentations_are_a_distribution() {
    for seed in 0..60 {
        let Sample { tokenizer, alphabet, end, .. } = sample(seed);
        let engine = engine(&tokenizer, &ByteOptions { semantics: Semantics::All, ..ByteOptions::default() });
        let mut model = nonsense(tokenizer.vocab_size());
        let mut random = Random::new(seed);
        for _ in 0..5 {
            let text = text(&mut random, &alphabet, 5);
            let state = at(&engine, &text, &mut model);
            let next = state.next().unwrap();
            assert!(next.leak.abs() < 1e-12);
            let total: f64 = next.log_probs.iter().map(|log| log.exp()).sum();
            assert!((total - 1.0).abs() < 1e-12);
            // Every cover, by definition.
            let mut expected = 0.0;
            let mut open = vec![(Vec::new(), 0, 0.0)];
            while let Some((ids, bytes, log)) = open.pop() {
                if bytes >= text.len() {
                    expected += f64::exp(log);
                    continue;
                }
                let row = model(&ids);
                let total = row.iter().map(|logit| logit.exp()).sum::<f64>().ln();
                for id in (0..tokenizer.vocab_size() as u32).filter(|&id| id != end) {
                    let key = tokenizer.token_bytes(id).unwrap();
                    let rest = &text[bytes..];
                    if key.starts_with(rest) || rest.starts_with(key) {
                        open.push(([&ids[..], &[id]].concat(), bytes + key.len(), log + row[id as usize] - total));
                    }
                }
            }
            assert!(difference(state.log_prob().unwrap(), expected.ln(), 1e-12).is_none(), "{seed}");
            for byte in &alphabet {
                let longer = at(&engine, &[&text[..], &[*byte]].concat(), &mut model);
                let step = longer.log_prob().unwrap() - state.log_prob().unwrap();
                assert!(difference(step, next.log_probs[*byte as usize], 1e-12).is_none(), "{seed}");
            }
        }
    }
}

#[test]
fn a_beam_gives_certified_bounds() {
    for seed in 0..60 {
        let Sample { tokenizer, alphabet, .. } = sample(seed);
        let all = engine(&tokenizer, &ByteOptions { semantics: Semantics::All, ..ByteOptions::default() });
        let beam = ByteOptions { semantics: Semantics::All, beam: Some(2), ..ByteOptions::default() };
        let beam = engine(&tokenizer, &beam);
        let mut model = nonsense(tokenizer.vocab_size());
        let mut random = Random::new(seed);
        let text = text(&mut random, &alphabet, 6);
        let exact = at(&all, &text, &mut model).log_prob().unwrap();
        let (lower, upper) = at(&beam, &text, &mut model).interval().unwrap();
        assert!(lower <= exact + 1e-12 && exact <= upper + 1e-12, "{seed}: {lower} {exact} {upper}");
    }
}

#[test]
fn how_a_text_comes_about_does_not_matter() {
    for seed in 0..120 {
        let Sample { tokenizer, alphabet, .. } = sample(seed);
        let engine = engine(&tokenizer, &ByteOptions::default());
        let mut model = nonsense(tokenizer.vocab_size());
        let mut random = Random::new(seed);
        let text = text(&mut random, &alphabet, 12);
        let whole = at(&engine, &text, &mut model);
        let cut = random.below(text.len() + 1);
        let mut pieces = at(&engine, &text[..cut], &mut model);
        let fork = pieces.clone();
        for byte in &text[cut..] {
            pieces.push(&[*byte]);
            if random.below(2) == 0 {
                run(&mut pieces, &mut model);
            }
        }
        pieces.push(b"aa");
        pieces.rollback(2).unwrap();
        run(&mut pieces, &mut model);
        assert_eq!(pieces.text(), text);
        assert_eq!(fork.text(), &text[..cut]);
        let mut fork = fork;
        fork.push(&text[cut..]);
        run(&mut fork, &mut model);
        for state in [&pieces, &fork] {
            assert!(difference(state.log_prob().unwrap(), whole.log_prob().unwrap(), 1e-10).is_none(), "{seed}");
            let (left, right) = (state.next().unwrap(), whole.next().unwrap());
            for (left, right) in left.log_probs.iter().zip(&right.log_probs) {
                assert!(difference(*left, *right, 1e-10).is_none(), "{seed}");
            }
        }
        let known: f64 = whole.next().unwrap().log_probs.iter().map(|log| log.exp()).sum();
        assert!(known == 0.0 || (known - 1.0).abs() < 1e-12);
    }
}

/// The same logits in each type that they come in.
fn supply_as(state: &mut ByteState, model: &mut dyn FnMut(&[u32]) -> Vec<f64>, single: bool) {
    while !state.pending().is_empty() {
        let request = state.pending();
        let rows: Vec<Vec<f64>> = request.sequences().rows().map(&mut *model).collect();
        let singles: Vec<Vec<f32>> = rows.iter().map(|row| row.iter().map(|&logit| logit as f32).collect()).collect();
        let rounded: Vec<Vec<f64>> =
            singles.iter().map(|row| row.iter().map(|&logit| logit.into()).collect()).collect();
        let rows: Vec<Logits<'_>> = if single {
            singles.iter().map(|row| Logits::F32(row)).collect()
        } else {
            rounded.iter().map(|row| Logits::F64(row)).collect()
        };
        state.supply(&request, &rows).unwrap();
    }
}

#[test]
fn single_precision_and_extreme_logits() {
    for seed in 0..60 {
        let Sample { tokenizer, alphabet, .. } = sample(seed);
        let fast = engine(&tokenizer, &ByteOptions::default());
        let mut random = Random::new(seed);
        let scale = *random.pick(&[1.0, 30.0, 1e4]);
        let mut sense = nonsense(tokenizer.vocab_size());
        let mut model =
            |sequence: &[u32]| -> Vec<f64> { sense(sequence).iter().map(|logit| scale * (logit - 2.0)).collect() };
        let text = text(&mut random, &alphabet, 8);
        let state = |single: bool, model: &mut dyn FnMut(&[u32]) -> Vec<f64>| {
            let mut state = fast.start(&text, &[]).unwrap();
            supply_as(&mut state, model, single);
            state
        };
        let (single, double) = (state(true, &mut model), state(false, &mut model));
        let total: f64 = single.next().unwrap().log_probs.iter().map(|log| log.exp()).sum();
        assert!(total == 0.0 || (total - 1.0).abs() < 1e-6);
        assert!(difference(single.log_prob().unwrap(), double.log_prob().unwrap(), 1e-5).is_none(), "{seed}");
        for (left, right) in single.next().unwrap().log_probs.iter().zip(&double.next().unwrap().log_probs) {
            assert!(difference(*left, *right, 1e-5).is_none(), "{seed}: {left} {right}");
        }
    }
}

#[test]
fn bad_logits_are_refused() {
    let Sample { tokenizer, .. } = sample(1);
    let engine = engine(&tokenizer, &ByteOptions::default());
    let mut state = engine.start(b"", &[]).unwrap();
    assert!(state.next().is_err());
    let request = state.pending();
    let size = engine.vocab_size();
    assert_eq!(request.sequences().rows().collect::<Vec<_>>(), [[0u32; 0]]);
    let mut complain = |row: &[f32]| state.supply(&request, &[Logits::F32(row)]).unwrap_err().to_string();
    assert!(complain(&vec![0.0; size - 1]).contains("columns"));
    assert!(complain(&vec![f32::NAN; size]).contains("NaN"));
    assert!(complain(&vec![f32::NEG_INFINITY; size]).contains("-inf"));
    let mut infinite = vec![0.0; size];
    infinite[0] = f32::INFINITY;
    assert!(complain(&infinite).contains("+inf"));
    let mut padded = vec![1.0; size];
    padded.extend([f32::NAN, 1e9]);
    state.supply(&request, &[Logits::F32(&padded)]).unwrap();
    assert!(state.next().is_ok());
    assert!(engine.start(b"", &[size as u32]).is_err());
    assert!(state.rollback(1).is_err());
}

#[test]
fn ids_before_the_text_are_part_of_the_contexts_alone() {
    let Sample { tokenizer, alphabet, .. } = sample(1);
    let engine = engine(&tokenizer, &ByteOptions::default());
    let state = engine.start(&alphabet[..1], &[2, 1]).unwrap();
    let request = state.pending();
    assert!(request.sequences().rows().all(|row| row.starts_with(&[2, 1])));
    assert_eq!(request.depths().next(), Some(2));
    assert_eq!(request.parents().next(), Some(-1));
    assert_eq!(state.text(), &alphabet[..1]);
}

#[test]
fn tokenizers_that_rewrite_text_are_refused() {
    let refused = |tokenizer: &Arc<Tokenizer>| ByteEngine::new(tokenizer.clone(), &ByteOptions::default()).is_err();
    assert!((0..12).all(|seed| !refused(&sample(seed).tokenizer)));
}
