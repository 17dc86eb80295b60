//! The strongest oracle: any distribution over texts induces, through a tokenizer, a distribution over token sequences.
//! A model that knows it must be turned back into the distribution over texts, exactly.

use std::collections::HashMap;

use tokmill::EncodeOptions;
use tokmill::byte_level::ByteOptions;

use super::samples::{Random, Sample, difference, engine, run, sample};

/// Texts of up to this many bytes have a probability.
const LONGEST: usize = 7;

/// A distribution over all short texts of an alphabet.
struct Texts {
    weights: HashMap<Vec<u8>, f64>,
}

impl Texts {
    /// A chain of bytes: each follows the one before with a random probability, and so does the end.
    fn chain(alphabet: &[u8], random: &mut Random) -> Self {
        let next: Vec<Vec<f64>> = (0..=alphabet.len())
            .map(|_| {
                let weights: Vec<f64> = (0..=alphabet.len()).map(|_| 0.05 + random.unit()).collect();
                let total: f64 = weights.iter().sum();
                weights.iter().map(|weight| weight / total).collect()
            })
            .collect();
        let mut weights = HashMap::new();
        let mut open = vec![(Vec::new(), alphabet.len(), 1.0)];
        while let Some((text, last, weight)) = open.pop() {
            if text.len() == LONGEST {
                weights.insert(text, weight);
                continue;
            }
            for (byte, &p) in next[last][..alphabet.len()].iter().enumerate() {
                let longer = [&text[..], &[alphabet[byte]]].concat();
                open.push((longer, byte, weight * p));
            }
            weights.insert(text, weight * next[last][alphabet.len()]);
        }
        Self { weights }
    }

    /// Mass of the texts that begin with each prefix.
    fn prefixes(&self) -> HashMap<&[u8], f64> {
        let mut masses = HashMap::new();
        for (text, weight) in &self.weights {
            (0..=text.len()).for_each(|end| *masses.entry(&text[..end]).or_default() += weight);
        }
        masses
    }
}

/// Checks `prompts` prompts of one tokenizer and returns how many that were.
fn check(sample: &Sample, seed: u64, prompts: usize) -> usize {
    let mut random = Random::new(seed + 77);
    let Sample { tokenizer, alphabet, end, .. } = sample;
    let texts = Texts::chain(alphabet, &mut random);
    let mut sequences: HashMap<Vec<u32>, f64> = HashMap::new();
    let mut closed: HashMap<Vec<u32>, f64> = HashMap::new();
    for (text, weight) in &texts.weights {
        let ids = tokenizer.encode(text, &EncodeOptions::default()).unwrap();
        (0..=ids.len()).for_each(|end| *sequences.entry(ids[..end].to_vec()).or_default() += weight);
        closed.insert(ids, *weight);
    }
    let vocab_size = tokenizer.vocab_size();
    let mut model = |sequence: &[u32]| {
        let Some(all) = sequences.get(sequence) else { return vec![0.0; vocab_size] };
        let mut row: Vec<f64> = (0..vocab_size as u32)
            .map(|id| sequences.get(&[sequence, &[id]].concat()).map_or(f64::NEG_INFINITY, |some| (some / all).ln()))
            .collect();
        row[*end as usize] = closed.get(sequence).map_or(f64::NEG_INFINITY, |some| (some / all).ln());
        row
    };
    let engine = engine(tokenizer, &ByteOptions::default());
    let prefixes = texts.prefixes();
    for _ in 0..prompts {
        let prompt: Vec<u8> = (0..random.below(LONGEST)).map(|_| *random.pick(alphabet)).collect();
        let mut state = engine.start(&prompt, &[]).unwrap();
        run(&mut state, &mut model);
        let next = state.next().unwrap();
        let mass = prefixes[&prompt[..]];
        let complain =
            |what: &str| format!("{what} of {:?} in {seed} ({:?})", String::from_utf8_lossy(&prompt), sample.pattern);
        assert!(difference(state.log_prob().unwrap(), mass.ln(), 1e-9).is_none(), "{}", complain("mass"));
        assert!(next.leak < 1e-9, "{}", complain("leak"));
        for byte in 0..=255u8 {
            let expected = prefixes.get(&[&prompt[..], &[byte]].concat()[..]).map_or(0.0, |some| some / mass);
            assert!(
                difference(next.log_probs[byte as usize].exp(), expected, 1e-12).is_none(),
                "{}",
                complain("a byte")
            );
        }
        let ends = texts.weights[&prompt] / mass;
        assert!(difference(next.log_probs[256].exp(), ends, 1e-12).is_none(), "{}", complain("the end"));
    }
    prompts
}

#[test]
fn induced_models_are_turned_back_into_their_texts() {
    let tokenizers: u64 = std::env::var("TOKMILL_SOAK").ok().and_then(|cases| cases.parse().ok()).unwrap_or(360);
    let cases: usize = (0..tokenizers).map(|seed| check(&sample(seed), seed, 30)).sum();
    assert!(cases >= 10_000 || tokenizers < 360);
}
