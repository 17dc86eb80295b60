//! Training over characters: options from Python to the trainer of the core, for WordPiece and for other faces.

use pyo3::prelude::*;
use tokmill::model::WordPieceOptions;
use tokmill::normalize::BertOptions;
use tokmill::train::{CharacterTrainerOptions, Splitter, train_characters};

use crate::error::{LONG, Result, call};
use crate::options::{self, Size};
use crate::tokenizer::Tokenizer;
use crate::train::{WordCounts, post_processor, watched};

/// What BERT's normaliser does to a text, as the Python side has sorted it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Text {
    #[expect(clippy::struct_field_names, reason = "the name that tokenizers has for it")]
    clean_text: bool,
    handle_chinese_chars: bool,
    strip_accents: Option<bool>,
    lowercase: bool,
}

impl Text {
    fn normalizer(&self) -> BertOptions {
        BertOptions {
            clean_text: self.clean_text,
            handle_chinese_chars: self.handle_chinese_chars,
            strip_accents: self.strip_accents,
            lowercase: self.lowercase,
        }
    }

    /// What cuts such texts into words.
    pub(crate) fn splitter(&self, py: Python<'_>) -> Result<Splitter> {
        call(py, LONG, || Splitter::bert(self.normalizer()))
    }
}

/// The options of the trainer over characters, as the Python side has sorted them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Options {
    vocab_size: Size,
    min_frequency: Size,
    special_tokens: Vec<String>,
    initial_alphabet: Vec<char>,
    limit_alphabet: Option<Size>,
    continuing_subword_prefix: String,
    end_of_word_suffix: String,
    max_token_chars: Option<Size>,
    byte_level: bool,
    may_exceed: bool,
    threads: Option<Size>,
    memory_limit: Option<Size>,
    progress: Option<Py<PyAny>>,
}

impl Options {
    fn trainer(&self) -> Result<CharacterTrainerOptions> {
        let optional = |size: &Option<Size>, name| size.as_ref().map(|size| size.get(name)).transpose();
        Ok(CharacterTrainerOptions {
            vocab_size: self.vocab_size.get("vocab_size")?,
            min_frequency: self.min_frequency.get("min_frequency")? as u64,
            special_tokens: self.special_tokens.clone(),
            initial_alphabet: self.initial_alphabet.clone(),
            limit_alphabet: optional(&self.limit_alphabet, "limit_alphabet")?,
            continuing_subword_prefix: self.continuing_subword_prefix.clone(),
            end_of_word_suffix: self.end_of_word_suffix.clone(),
            max_token_chars: optional(&self.max_token_chars, "max_token_chars")?,
            byte_level: self.byte_level,
            may_exceed: self.may_exceed,
            threads: options::threads(self.threads.as_ref())?,
            memory_limit: optional(&self.memory_limit, "memory_limit")?,
        })
    }
}

/// Trains a tokenizer with BERT's stages on counts: `text` holds all of [`Text`], `options` all of [`Options`].
#[pyfunction]
pub(crate) fn _train_wordpiece(
    py: Python<'_>,
    counts: &Bound<'_, WordCounts>,
    text: Text,
    options: Options,
    unk_token: String,
    max_input_chars_per_word: Size,
    template: Option<(String, Option<String>)>,
) -> Result<Tokenizer> {
    let trainer = options.trainer()?;
    let post_processor = post_processor(&trainer.check()?, template.as_ref())?;
    let max_input_chars_per_word = max_input_chars_per_word.get("max_input_chars_per_word")?;
    let counts = counts.get().core();
    let trained = watched(py, options.progress, |watch| {
        let trained = train_characters(counts, &trainer, watch)?;
        let continuing_subword_prefix = trainer.continuing_subword_prefix.clone();
        let model = WordPieceOptions {
            unk_token,
            continuing_subword_prefix,
            max_input_chars_per_word,
            ..WordPieceOptions::default()
        };
        trained.into_word_piece(text.normalizer(), model, post_processor)
    })?;
    Ok(trained.into())
}

/// Refuses options of [`_train_wordpiece`] that no corpus would make possible, before anything is counted.
#[pyfunction]
pub(crate) fn _check_wordpiece(options: Options, template: Option<(String, Option<String>)>) -> Result<()> {
    post_processor(&options.trainer()?.check()?, template.as_ref())?;
    Ok(())
}

/// Pairs of ids that merge, in order.
type Merges = Vec<(u32, u32)>;

/// Trains on counts: `options` holds all of [`Options`]. Returns the entries by id and the merges as pairs of ids.
#[pyfunction]
pub(crate) fn _train_characters(
    py: Python<'_>,
    counts: &Bound<'_, WordCounts>,
    options: Options,
) -> Result<(Vec<String>, Merges)> {
    let trainer = options.trainer()?;
    let counts = counts.get().core();
    watched(py, options.progress, |watch| {
        let trained = train_characters(counts, &trainer, watch)?;
        let entries = (0..trained.vocab.size() as u32).map(|id| trained.vocab.spelled(id).unwrap_or_default());
        Ok((entries.collect(), trained.merges.iter().map(|merge| (merge.left, merge.right)).collect()))
    })
}
