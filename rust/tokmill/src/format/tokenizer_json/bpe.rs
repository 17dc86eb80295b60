//! The BPE model of a tokenizer.json.

use serde_json::Value;

use super::super::json::Node;
use super::super::spelled::SpelledVocab;
use super::stream::{ModelEntries, VocabEntries};
use crate::error::{Error, Result};
use crate::merges::Merge;
use crate::model::BpeOptions;
use crate::normalize::Normalizer;
use crate::pretokenize::Step;
use crate::vocab::Spelling;

/// The parts of a BPE model.
pub(super) struct BpeParts {
    pub(super) spelled: SpelledVocab,
    pub(super) merges: Vec<Merge>,
    pub(super) options: BpeOptions,
}

/// Reads a BPE model; `bare` says that the file has no normalizer, no pretokenizer, and no decoder that does more
/// than join.
pub(super) fn read(
    model: ModelEntries,
    normalizer: Option<&Normalizer>,
    steps: &[Step],
    bare: bool,
) -> Result<BpeParts> {
    let ModelEntries { fields, vocab, merges, .. } = model;
    let entries = vocab.ok_or_else(|| Error::format("model.vocab", "must be an object of tokens and ids"))?;
    let merges = merges.ok_or_else(|| Error::format("model.merges", "is missing"))?;
    let fields = Value::Object(fields);
    let options = options(&Node::new(&fields, "model"))?;
    let is_latin1 = || bare && options.unk_token.is_none() && !options.byte_fallback && is_latin1(&entries);
    let spelling = match told_spelling(normalizer, steps)? {
        Spelling::Plain if is_latin1() => Spelling::Latin1,
        // Without an entry of its own a blank would fall back to three bytes or be unknown.
        Spelling::Metaspace if !(0..entries.ids.len()).any(|index| entries.tokens.get(index) == "\u{2581}") => {
            Spelling::Plain
        }
        told => told,
    };
    let spelled = SpelledVocab::new(&entries, spelling, "model.vocab")?;
    let prefix = options.continuing_subword_prefix.as_deref().unwrap_or_default();
    let merges = spelled.merges(&merges, prefix, |line| format!("model.merges[{line}]"))?;
    Ok(BpeParts { spelled, merges, options })
}

fn options(model: &Node<'_>) -> Result<BpeOptions> {
    let text = |key| model.get(key).map(|node| node.string().map(str::to_owned)).transpose();
    Ok(BpeOptions {
        dropout: model.get("dropout").map(|node| node.number()).transpose()?.map(|dropout| dropout as f32),
        unk_token: text("unk_token")?,
        continuing_subword_prefix: text("continuing_subword_prefix")?,
        end_of_word_suffix: text("end_of_word_suffix")?,
        fuse_unk: model.flag_or("fuse_unk", false)?,
        byte_fallback: model.flag_or("byte_fallback", false)?,
        ignore_merges: model.flag_or("ignore_merges", false)?,
    })
}

/// How a vocabulary is spelled, as the stages before the model tell: through the alphabet of the last `ByteLevel`, with
/// U+2581 for blanks where every blank becomes one, else as it is.
pub(super) fn told_spelling(normalizer: Option<&Normalizer>, steps: &[Step]) -> Result<Spelling> {
    let rewriting = |step: &&Step| matches!(step, Step::ByteLevel { .. } | Step::Metaspace { .. });
    Ok(match steps.iter().rfind(rewriting) {
        Some(Step::ByteLevel { .. }) => Spelling::ByteLevel,
        Some(Step::Metaspace { replacement: '\u{2581}', .. }) => Spelling::Metaspace,
        Some(_) => Spelling::Plain,
        None => match normalizer.map(Normalizer::with_blanks).transpose()?.flatten() {
            Some(_) => Spelling::Metaspace,
            None => Spelling::Plain,
        },
    })
}

/// Whether every token is written in U+0000..U+00FF and each of these characters is a token: a byte model in disguise.
fn is_latin1(entries: &VocabEntries) -> bool {
    let mut seen = [false; 256];
    for index in 0..entries.ids.len() {
        let token = entries.tokens.get(index);
        let mut chars = token.chars();
        if let (Some(c), None) = (chars.next(), chars.next())
            && let Ok(byte) = u8::try_from(u32::from(c))
        {
            seen[usize::from(byte)] = true;
        } else if token.chars().any(|c| u32::from(c) > 0xFF) {
            return false;
        }
    }
    seen.iter().all(|&seen| seen)
}
