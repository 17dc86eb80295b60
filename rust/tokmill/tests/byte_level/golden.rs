//! Tables worked out by hand: chains over two letters, with a vocabulary of `AA`, `A` and `B`.

use std::sync::Arc;

use tokmill::added_tokens::Matching;
use tokmill::byte_level::{ByteEngine, ByteOptions};
use tokmill::decode::Decoder;
use tokmill::lengths::Lengths;
use tokmill::merges::Merge;
use tokmill::model::{Bpe, BpeOptions, Model};
use tokmill::pretokenize::Pretokenizer;
use tokmill::vocab::{Spelling, Vocab};
use tokmill::{Parts, Tokenizer};

use super::samples::run;

const AA: u32 = 2;

/// `A`, `B`, and `AA` made of two `A`.
fn tokenizer() -> Arc<Tokenizer> {
    let mut vocab = Vocab::new(Spelling::ByteLevel);
    for (id, key) in [(0, &b"A"[..]), (1, b"B"), (AA, b"AA")] {
        vocab.insert(id, key).unwrap();
    }
    let merges = vec![Merge { left: 0, right: 0, result: AA }];
    let tokenizer = Tokenizer::new(Parts {
        normalizer: None,
        added_tokens: Vec::new(),
        pretokenizer: Pretokenizer::new(Vec::new()).unwrap(),
        model: Model::Bpe(Bpe::new(vocab, merges, BpeOptions::default()).unwrap()),
        post_processor: None,
        decoder: Decoder::byte_level(),
        lengths: Lengths::default(),
        matching: Matching::default(),
    });
    Arc::new(tokenizer.unwrap())
}

/// The token chain that the chain with `P(A|A) = 3/10`, `P(B|B) = 2/5` and an even start induces, with its table.
fn induced(sequence: &[u32]) -> Vec<f64> {
    let [a, b, aa] = match sequence.last() {
        Some(&AA) => [0.21, 0.7, 0.09],
        Some(0) => [0.0, 1.0, 0.0],
        Some(_) => [0.42, 0.4, 0.18],
        None => [0.35, 0.5, 0.15],
    };
    [a, b, aa].map(f64::ln).to_vec()
}

#[test]
fn the_chain_comes_back_behind_every_prompt() {
    let engine = ByteEngine::new(tokenizer(), &ByteOptions::default()).unwrap();
    for length in 1..=10 {
        for bits in 0..1u32 << length {
            let prompt: Vec<u8> = (0..length).map(|at| b"AB"[(bits >> at & 1) as usize]).collect();
            let mut state = engine.start(&prompt, &[]).unwrap();
            run(&mut state, &mut induced);
            let next = state.next().unwrap();
            let expected = if prompt.ends_with(b"A") { 0.3 } else { 0.6 };
            assert!((next.log_probs[usize::from(b'A')].exp() - expected).abs() < 1e-12, "{prompt:?}");
            assert!((next.log_probs[usize::from(b'B')].exp() - (1.0 - expected)).abs() < 1e-12, "{prompt:?}");
            assert!(next.leak.abs() < 1e-12);
            let chain = prompt.windows(2).fold(0.5f64, |product, pair| {
                product
                    * match pair {
                        b"AA" => 0.3,
                        b"AB" => 0.7,
                        b"BB" => 0.4,
                        _ => 0.6,
                    }
            });
            assert!((state.log_prob().unwrap() - chain.ln()).abs() < 1e-12);
        }
    }
}

#[test]
fn behind_one_letter_the_naive_answer_is_wrong() {
    // Tokenised and continued, "A" is never followed by "A", since two of them would have been one token.
    assert!(induced(&[0])[0].is_infinite());
    let engine = ByteEngine::new(tokenizer(), &ByteOptions::default()).unwrap();
    let mut state = engine.start(b"A", &[]).unwrap();
    run(&mut state, &mut induced);
    let cover = state.cover().unwrap();
    let ids: Vec<&[u32]> = cover.iter().map(|(ids, _)| ids.as_slice()).collect();
    assert_eq!(ids, [&[0][..], &[AA]]);
    assert!((cover[1].1.exp() - 0.15).abs() < 1e-12);
}

/// `P(A | last three)` of the third-order chain, by the bits of the last three, `B` being 1 and the oldest first.
const THIRD_ORDER: [f64; 8] = [0.2, 0.7, 0.4, 0.9, 0.5, 0.1, 0.8, 0.3];

fn third_order(text: &[u8]) -> f64 {
    if text.len() < 3 {
        return 0.5;
    }
    let state = text[text.len() - 3..].iter().fold(0, |state, &byte| state << 1 | usize::from(byte == b'B'));
    THIRD_ORDER[state]
}

/// The probability that a text of the chain begins with `prefix`.
fn mass(prefix: &[u8]) -> f64 {
    (0..prefix.len()).fold(1.0, |product, at| {
        let a = third_order(&prefix[..at]);
        product * if prefix[at] == b'A' { a } else { 1.0 - a }
    })
}

#[test]
fn a_chain_of_third_order_comes_back() {
    let tokenizer = tokenizer();
    let keys: [&[u8]; 3] = [b"A", b"B", b"AA"];
    let mut model = |sequence: &[u32]| -> Vec<f64> {
        // A token can be followed only by what it was not merged with; the letter behind a lone `A` is `B`.
        let text: Vec<u8> = sequence.iter().flat_map(|&id| keys[id as usize]).copied().collect();
        let after = |rest: &[u8]| mass(&[&text[..], rest].concat());
        let lone = sequence.last() == Some(&0);
        let [a, b, aa] = if lone { [0.0, after(b"B"), 0.0] } else { [after(b"AB"), after(b"B"), after(b"AA")] };
        [a, b, aa].map(f64::ln).to_vec()
    };
    let engine = ByteEngine::new(tokenizer, &ByteOptions::default()).unwrap();
    for prompt in [&b"AAAB"[..], b"ABBB", b"BABB", b"AABA", b"BBAB", b"ABAA", b"AAAA", b"BBBB"] {
        let mut state = engine.start(prompt, &[]).unwrap();
        run(&mut state, &mut model);
        let found = state.next().unwrap().log_probs[usize::from(b'A')].exp();
        assert!((found - third_order(prompt)).abs() < 1e-12, "{prompt:?}: {found}");
    }
}
