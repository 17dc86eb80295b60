//! Training of Unigram models: options from Python to the trainer of the core.

use pyo3::prelude::*;
use tokmill::Error;
use tokmill::template::PostProcessor;
use tokmill::train::unigram::{
    Layout, Method, Normalization, PieceRules, TextRules, UnigramTrainerOptions, splitter, train_unigram,
};
use tokmill::train::{Counter, CounterOptions};

use crate::error::{LONG, Result, call};
use crate::options::{self, Size};
use crate::tokenizer::Tokenizer;
use crate::train::{WordCounts, watched};

/// What is done to a text, as the Python side has sorted it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Text {
    normalization: String,
    add_dummy_prefix: bool,
    remove_extra_whitespaces: bool,
    split_by_whitespace: bool,
}

impl Text {
    fn rules(&self) -> Result<TextRules> {
        Ok(TextRules {
            normalization: Normalization::named(&self.normalization)?,
            add_dummy_prefix: self.add_dummy_prefix,
            remove_extra_whitespaces: self.remove_extra_whitespaces,
        })
    }

    /// A counter of the words of such texts.
    pub(crate) fn counter(
        &self,
        py: Python<'_>,
        threads: Option<usize>,
        memory_limit: Option<usize>,
    ) -> Result<Counter> {
        let rules = self.rules()?;
        call(py, LONG, || {
            let options = CounterOptions { threads, memory_limit, ..CounterOptions::default() };
            Ok::<_, Error>(Counter::new(splitter(&rules, self.split_by_whitespace)?, options))
        })
    }
}

/// The options of `train_unigram`, as its Python side has sorted them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Options {
    vocab_size: Size,
    method: String,
    unk_token: String,
    special_tokens: Vec<String>,
    user_defined_symbols: Vec<String>,
    byte_fallback: bool,
    character_coverage: f64,
    required_chars: String,
    max_piece_chars: Size,
    split_by_unicode_script: bool,
    split_by_number: bool,
    split_digits: bool,
    seed_size: Size,
    shrinking_factor: f64,
    sub_iterations: Size,
    token_cost: f64,
    layout: String,
    template: Option<(String, Option<String>)>,
    threads: Option<Size>,
    memory_limit: Option<Size>,
    progress: Option<Py<PyAny>>,
}

impl Options {
    fn post_processor(&self, trainer: &UnigramTrainerOptions) -> Result<Option<PostProcessor>> {
        let template = self.template.as_ref().map(|(single, pair)| (single.as_str(), pair.as_deref()));
        Ok(trainer.post_processor(template)?)
    }

    fn trainer(&self, text: &Text) -> Result<UnigramTrainerOptions> {
        Ok(UnigramTrainerOptions {
            vocab_size: self.vocab_size.get("vocab_size")?,
            method: Method::named(&self.method)?,
            unk_token: self.unk_token.clone(),
            control_tokens: self.special_tokens.clone(),
            user_defined_tokens: self.user_defined_symbols.clone(),
            byte_fallback: self.byte_fallback,
            character_coverage: self.character_coverage,
            required_chars: self.required_chars.clone(),
            rules: PieceRules {
                max_piece_chars: self.max_piece_chars.get("max_piece_chars")?,
                split_by_unicode_script: self.split_by_unicode_script,
                split_by_number: self.split_by_number,
                split_digits: self.split_digits,
                split_by_whitespace: text.split_by_whitespace,
            },
            seed_size: self.seed_size.get("seed_size")?,
            shrinking_factor: self.shrinking_factor,
            token_cost: self.token_cost,
            sub_iterations: self.sub_iterations.get("sub_iterations")?,
            threads: options::threads(self.threads.as_ref())?,
            memory_limit: self.memory_limit.as_ref().map(|limit| limit.get("memory_limit")).transpose()?,
        })
    }
}

/// Refuses options of [`_train_unigram`] that no corpus would make possible, before anything is counted.
#[pyfunction]
pub(crate) fn _check_unigram(text: Text, options: Options) -> Result<()> {
    text.rules()?;
    if Layout::named(&options.layout)? == Layout::SentencePiece && options.template.is_some() {
        return Err(Error::unsupported("option template", "in the layout \"sentencepiece\"").into());
    }
    options.post_processor(&options.trainer(&text)?)?;
    Ok(())
}

/// Trains on counts: `text` holds all of [`Text`], `options` all of [`Options`].
#[pyfunction]
pub(crate) fn _train_unigram(
    py: Python<'_>,
    counts: &Bound<'_, WordCounts>,
    text: Text,
    options: Options,
) -> Result<Tokenizer> {
    let trainer = options.trainer(&text)?;
    let rules = text.rules()?;
    let layout = Layout::named(&options.layout)?;
    let post_processor = options.post_processor(&trainer)?;
    let counts = counts.get().core();
    let trained = watched(py, options.progress, |watch| {
        let trained = train_unigram(counts, &trainer, watch)?;
        trained.into_tokenizer(layout, &rules, text.split_by_whitespace, post_processor)
    })?;
    Ok(trained.into())
}
