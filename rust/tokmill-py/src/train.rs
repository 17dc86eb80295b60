//! Training: counters and trainers of the core, fed by the Python side of the package.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyType};
use tokmill::Error;
use tokmill::normalize::Normalizer;
use tokmill::pretokenize::{Pretokenizer, patterns};
use tokmill::template::PostProcessor;
use tokmill::train::{
    self, AlphabetOrder, Base, BpeTrainerOptions, Checkpoint, ChunkOptions, ChunkSplit, Counter, CounterOptions,
    FileOptions, InitialAlphabet, Progress, Splitter, SuperBpeOptions, Unit, Veto, VetoRules, Watch,
};

use crate::arrays::to_numpy;
use crate::error::{Failure, LONG, Result, call};
use crate::options::{self, Size};
use crate::text::{Text, Texts, total_len};
use crate::tokenizer::Tokenizer;
use crate::{train_unigram, train_wordpiece};

/// How often each piece of a corpus occurs: all that a trainer needs to know of it.
///
/// Made by `count_words`. Counts of parts of a corpus add up to those of the whole (`counts + counts`), so parts may be
/// counted on many machines. `len(counts)` is the number of distinct pieces, `counts[piece]` how often one occurs.
#[pyclass(frozen, mapping, module = "tokmill")]
pub(crate) struct WordCounts {
    core: train::WordCounts,
}

impl WordCounts {
    /// The counts themselves.
    pub(crate) fn core(&self) -> &train::WordCounts {
        &self.core
    }
}

#[pymethods]
impl WordCounts {
    /// Reads counts that `save` wrote. Raises `TokmillError` if the file is damaged.
    #[classmethod]
    fn load(cls: &Bound<'_, PyType>, path: PathBuf) -> Result<Self> {
        Ok(Self { core: call(cls.py(), LONG, || train::WordCounts::load(&path))? })
    }

    /// Writes the counts to a file that `load` reads on any machine: all of it or, if something goes wrong, nothing.
    ///
    /// Equal counts make equal files.
    fn save(&self, py: Python<'_>, path: PathBuf) -> Result<()> {
        call(py, LONG, || self.core.save(&path))
    }

    /// Number of pieces counted, each as often as it occurs.
    #[getter]
    fn total(&self, py: Python<'_>) -> Result<u64> {
        call(py, LONG, || self.core.total())
    }

    /// Bytes of the longest piece; 0 where nothing was counted.
    #[getter]
    fn longest(&self, py: Python<'_>) -> Result<usize> {
        call(py, LONG, || self.core.longest())
    }

    /// A new dict of all pieces to their counts, in byte order.
    fn to_dict<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyDict>> {
        let counts = PyDict::new(py);
        for (piece, count) in call(py, LONG, || self.core.sorted())? {
            counts.set_item(PyBytes::new(py, &piece), count)?;
        }
        Ok(counts)
    }

    fn __len__(&self) -> usize {
        self.core.len()
    }

    fn __getitem__(&self, py: Python<'_>, piece: Text<'_>) -> Result<u64> {
        let piece = piece.as_ref();
        call(py, LONG, || self.core.count(piece))
    }

    fn __add__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> Result<Py<PyAny>> {
        let Ok(other) = other.cast::<Self>() else {
            return Ok(py.NotImplemented());
        };
        let other = other.get();
        let core = call(py, LONG, || {
            let mut sum = self.core.clone();
            sum.merge(other.core.clone())?;
            Ok::<_, Error>(sum)
        })?;
        Ok(Py::new(py, Self { core })?.into_any())
    }

    /// Lets `sum` begin with its 0.
    fn __radd__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> Result<Py<PyAny>> {
        if other.extract::<usize>().is_ok_and(|number| number == 0) {
            return Ok(Py::new(py, Self { core: self.core.clone() })?.into_any());
        }
        Ok(py.NotImplemented())
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> Result<bool> {
        let Ok(other) = other.cast::<Self>() else {
            return Ok(false);
        };
        let other = other.get();
        call(py, LONG, || {
            Ok::<_, Error>(self.core.len() == other.core.len() && self.core.sorted()? == other.core.sorted()?)
        })
    }

    fn __repr__(&self) -> String {
        format!("<tokmill.WordCounts: {} pieces>", self.core.len())
    }
}

/// Counts the pieces of documents as they are pushed.
#[pyclass(frozen, module = "tokmill._tokmill")]
pub(crate) struct WordCounter {
    /// `None` when finished.
    core: Mutex<Option<Counter>>,
}

impl WordCounter {
    fn of_splitter(splitter: Splitter, threads: Option<Size>, memory_limit: Option<Size>) -> Result<Self> {
        let threads = options::threads(threads.as_ref())?;
        let memory_limit = memory_limit.map(|limit| limit.get("memory_limit")).transpose()?;
        let options = CounterOptions { threads, memory_limit, ..CounterOptions::default() };
        Ok(Self { core: Mutex::new(Some(Counter::new(splitter, options))) })
    }

    fn with<T>(&self, work: impl FnOnce(Counter) -> Result<(Option<Counter>, T)>) -> Result<T> {
        // Taken out while it works, so a panic or a second thread finds it finished, never half counted.
        let taken = self.core.lock().unwrap_or_else(PoisonError::into_inner).take();
        let counter = taken.ok_or_else(|| Failure::option("documents", "cannot be counted: counting has ended"))?;
        let (counter, result) = work(counter)?;
        *self.core.lock().unwrap_or_else(PoisonError::into_inner) = counter;
        Ok(result)
    }
}

#[pymethods]
impl WordCounter {
    #[new]
    #[pyo3(signature = (*, pattern, normalizer, threads, memory_limit, keep_documents=false))]
    fn new(
        py: Python<'_>,
        pattern: Option<&str>,
        normalizer: Option<&str>,
        threads: Option<Size>,
        memory_limit: Option<Size>,
        keep_documents: bool,
    ) -> Result<Self> {
        let threads = options::threads(threads.as_ref())?;
        let memory_limit = memory_limit.map(|limit| limit.get("memory_limit")).transpose()?;
        let normalizer = parse_normalizer(normalizer)?;
        let counter = call(py, LONG, || {
            let pretokenizer = Pretokenizer::new(patterns::byte_level_steps(pattern))?;
            let options = CounterOptions { threads, memory_limit, keep_documents, ..CounterOptions::default() };
            Ok::<_, Error>(Counter::new(Splitter::new(normalizer, pretokenizer), options))
        })?;
        Ok(Self { core: Mutex::new(Some(counter)) })
    }

    /// A counter of the words that a Unigram model is trained on; `text` says what is done to texts.
    #[staticmethod]
    #[pyo3(signature = (text, *, threads, memory_limit))]
    fn for_unigram(
        py: Python<'_>,
        text: train_unigram::Text,
        threads: Option<Size>,
        memory_limit: Option<Size>,
    ) -> Result<Self> {
        let threads = options::threads(threads.as_ref())?;
        let memory_limit = memory_limit.map(|limit| limit.get("memory_limit")).transpose()?;
        Ok(Self { core: Mutex::new(Some(text.counter(py, threads, memory_limit)?)) })
    }

    /// A counter of the words that BERT's tokenizers cut; `text` says how its normaliser is set.
    #[staticmethod]
    #[pyo3(signature = (text, *, threads, memory_limit))]
    fn for_wordpiece(
        py: Python<'_>,
        text: train_wordpiece::Text,
        threads: Option<Size>,
        memory_limit: Option<Size>,
    ) -> Result<Self> {
        Self::of_splitter(text.splitter(py)?, threads, memory_limit)
    }

    /// A counter of the pieces that a tokenizer's normaliser and pretokenizer make of a text, as tokenizers spells them.
    #[staticmethod]
    #[pyo3(signature = (tokenizer, *, threads, memory_limit))]
    fn with_stages_of(
        tokenizer: &Bound<'_, Tokenizer>,
        threads: Option<Size>,
        memory_limit: Option<Size>,
    ) -> Result<Self> {
        let core = tokenizer.get().core();
        let splitter = call(tokenizer.py(), LONG, || Splitter::of_stages(core))?;
        Self::of_splitter(splitter, threads, memory_limit)
    }

    /// Counts an iterable of texts or an Arrow column.
    fn push(&self, py: Python<'_>, documents: &Bound<'_, PyAny>) -> Result<()> {
        let texts = Texts::new(documents)?;
        let texts = texts.borrow()?;
        self.with(|mut counter| {
            let counter = call(py, total_len(&texts), || {
                counter.push_batch(&texts)?;
                Ok::<_, Error>(counter)
            })?;
            Ok((Some(counter), ()))
        })
    }

    /// Counts files of text or JSON lines, by "line", or whole by "document".
    #[pyo3(signature = (paths, *, unit, field, progress))]
    fn push_files(
        &self,
        py: Python<'_>,
        paths: Vec<PathBuf>,
        unit: &str,
        field: Option<String>,
        progress: Option<Py<PyAny>>,
    ) -> Result<()> {
        let unit = match unit {
            "line" => Unit::Line,
            "document" | "file" => Unit::Document,
            _ => {
                let why = format!("{unit:?} is neither \"line\" nor \"document\" (or \"file\")");
                return Err(Failure::option("unit", why));
            }
        };
        let options = FileOptions { unit, json_field: field };
        self.with(|mut counter| {
            let counter = watched(py, progress, |watch| {
                counter.push_files(&paths, &options, watch)?;
                Ok(counter)
            })?;
            Ok((Some(counter), ()))
        })
    }

    /// Counts the chunks of files of raw bytes, cut further at "nul" or "whitespace" if at all.
    #[pyo3(signature = (paths, *, chunk_bytes, entropy, split, split_probability, seed, progress))]
    #[allow(clippy::too_many_arguments)]
    fn push_chunks(
        &self,
        py: Python<'_>,
        paths: Vec<PathBuf>,
        chunk_bytes: Size,
        entropy: Option<(f64, f64)>,
        split: Option<&str>,
        split_probability: f64,
        seed: u64,
        progress: Option<Py<PyAny>>,
    ) -> Result<()> {
        let split = match split {
            None => None,
            Some("nul") => Some(ChunkSplit::Nul),
            Some("whitespace") => Some(ChunkSplit::Whitespace),
            Some(other) => {
                return Err(Failure::option("split", format!("{other:?} is neither \"nul\" nor \"whitespace\"")));
            }
        };
        let chunk_bytes = chunk_bytes.get("chunk_bytes")?;
        let options = ChunkOptions { chunk_bytes, entropy, split, split_probability, seed };
        self.with(|mut counter| {
            let counter = watched(py, progress, |watch| {
                counter.push_chunks(&paths, &options, watch)?;
                Ok(counter)
            })?;
            Ok((Some(counter), ()))
        })
    }

    /// Ends counting.
    fn finish(&self, py: Python<'_>) -> Result<WordCounts> {
        self.with(|counter| Ok((None, WordCounts { core: call(py, LONG, || counter.finish())? })))
    }
}

/// The normaliser of this name.
fn parse_normalizer(name: Option<&str>) -> Result<Option<Normalizer>> {
    match name {
        None => Ok(None),
        Some("nfc") => Ok(Some(Normalizer::Nfc)),
        Some("nfd") => Ok(Some(Normalizer::Nfd)),
        Some("nfkc") => Ok(Some(Normalizer::Nfkc)),
        Some("nfkd") => Ok(Some(Normalizer::Nfkd)),
        Some(other) => Err(Failure::option("normalizer", format!("{other:?} is none of nfc, nfd, nfkc, nfkd"))),
    }
}

/// The options of `train_bpe`, as its Python side has sorted them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Options<'py> {
    vocab_size: Size,
    pattern: Option<String>,
    normalizer: Option<String>,
    special_tokens: Vec<String>,
    template: Option<(String, Option<String>)>,
    min_frequency: Size,
    initial_alphabet: Option<Vec<u8>>,
    alphabet_order: String,
    max_token_bytes: Option<Size>,
    max_token_chars: Option<Size>,
    veto_substrings: Vec<Vec<u8>>,
    veto_regex: Option<String>,
    veto_max_words: Option<Size>,
    veto_lengths: Option<Vec<usize>>,
    base: Option<Bound<'py, Tokenizer>>,
    pad_to: Option<Size>,
    threads: Option<Size>,
    memory_limit: Option<Size>,
    progress: Option<Py<PyAny>>,
    checkpoint: Option<PathBuf>,
    checkpoint_seconds: f64,
    trace: Option<Bound<'py, PyAny>>,
}

impl Options<'_> {
    fn trainer(&self) -> Result<BpeTrainerOptions> {
        let optional = |size: &Option<Size>, name| size.as_ref().map(|size| size.get(name)).transpose();
        let rules = VetoRules {
            substrings: self.veto_substrings.clone(),
            regex: self.veto_regex.clone(),
            max_words: optional(&self.veto_max_words, "veto")?,
            lengths: self.veto_lengths.clone(),
        };
        Ok(BpeTrainerOptions {
            vocab_size: self.vocab_size.get("vocab_size")?,
            min_frequency: self.min_frequency.get("min_frequency")? as u64,
            special_tokens: self.special_tokens.clone(),
            initial_alphabet: self.initial_alphabet.clone().map_or(InitialAlphabet::Bytes, InitialAlphabet::Seen),
            alphabet_order: match self.alphabet_order.as_str() {
                "gpt2" => AlphabetOrder::Gpt2,
                "bytes" => AlphabetOrder::Bytes,
                other => {
                    let why = format!("{other:?} is neither \"gpt2\" nor \"bytes\"");
                    return Err(Failure::option("alphabet_order", why));
                }
            },
            max_token_bytes: optional(&self.max_token_bytes, "max_token_bytes")?,
            max_token_chars: optional(&self.max_token_chars, "max_token_chars")?,
            veto: (rules != VetoRules::default()).then(|| Veto::new(rules)).transpose()?,
            base: self.base.as_ref().map(|base| Base::of(base.get().core())).transpose()?,
            pad_to: optional(&self.pad_to, "pad_to")?,
            threads: options::threads(self.threads.as_ref())?,
            memory_limit: optional(&self.memory_limit, "memory_limit")?,
            trace: self.trace.is_some(),
            checkpoint: self.checkpoint()?,
        })
    }
}

impl Options<'_> {
    fn checkpoint(&self) -> Result<Option<Checkpoint>> {
        let every = Duration::try_from_secs_f64(self.checkpoint_seconds)
            .map_err(|error| Failure::option("checkpoint_seconds", error.to_string()))?;
        Ok(self.checkpoint.clone().map(|path| Checkpoint { path, every }))
    }
}

/// Trains on counts: `options` holds all of [`Options`].
#[pyfunction]
pub(crate) fn _train_bpe(py: Python<'_>, counts: &Bound<'_, WordCounts>, options: Options<'_>) -> Result<Tokenizer> {
    let trainer = options.trainer()?;
    let normalizer = parse_normalizer(options.normalizer.as_deref())?;
    let pretokenizer = Pretokenizer::new(patterns::byte_level_steps(options.pattern.as_deref()))?;
    let inherited = options.base.as_ref().map_or(&[][..], |base| base.get().core().added_tokens());
    let post_processor = post_processor(&trainer.check()?, options.template.as_ref())?;
    let counts = &counts.get().core;
    let (trained, trace) = watched(py, options.progress, |watch| {
        let mut trained = train::train_bpe(counts, &trainer, watch)?;
        let trace = trained.trace.take();
        Ok((trained.into_tokenizer(normalizer, pretokenizer, post_processor, inherited)?, trace))
    })?;
    if let (Some(trace), Some(target)) = (trace, &options.trace) {
        fill_trace(target, trace)?;
    }
    Ok(trained.into())
}

/// Refuses options of [`_train_bpe`] that no corpus would make possible, before anything is counted.
#[pyfunction]
pub(crate) fn _check_bpe(options: Options<'_>) -> Result<()> {
    post_processor(&options.trainer()?.check()?, options.template.as_ref())?;
    Ok(())
}

/// What puts special tokens around the ids, where there is a template.
pub(crate) fn post_processor(
    special_tokens: &[(String, u32)],
    template: Option<&(String, Option<String>)>,
) -> Result<Option<PostProcessor>> {
    let parsed = template.map(|(single, pair)| train::template(special_tokens, single, pair.as_deref()));
    Ok(parsed.transpose()?)
}

/// Moves the columns of a trace into the attributes of a Python `MergeTrace`.
fn fill_trace(target: &Bound<'_, PyAny>, trace: train::Trace) -> PyResult<()> {
    let py = target.py();
    target.setattr("initial_left", to_numpy(py, trace.initial_left))?;
    target.setattr("initial_right", to_numpy(py, trace.initial_right))?;
    target.setattr("initial_count", to_numpy(py, trace.initial_count))?;
    target.setattr("count", to_numpy(py, trace.count))?;
    target.setattr("end", to_numpy(py, trace.end))?;
    target.setattr("left", to_numpy(py, trace.left))?;
    target.setattr("right", to_numpy(py, trace.right))?;
    target.setattr("delta", to_numpy(py, trace.delta))
}

/// What `train_superbpe` is told besides.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Superwords {
    transition: Size,
    second_pattern: Option<String>,
    forbidden: Vec<Vec<u8>>,
    max_words: Option<Size>,
}

impl Superwords {
    fn trainer(&self, bpe: BpeTrainerOptions) -> Result<SuperBpeOptions> {
        let (threads, memory_limit) = (bpe.threads, bpe.memory_limit);
        Ok(SuperBpeOptions {
            bpe,
            transition: self.transition.get("transition")?,
            superword_veto: Some(self.veto()?),
            counter: CounterOptions { threads, memory_limit, ..CounterOptions::default() },
        })
    }

    fn veto(&self) -> Result<Veto> {
        let max_words = self.max_words.as_ref().map(|words| words.get("max_words")).transpose()?;
        Ok(Veto::new(VetoRules { substrings: self.forbidden.clone(), max_words, ..VetoRules::default() })?)
    }
}

/// Trains words and superwords on the documents of `counter`, which ends with that.
#[pyfunction]
pub(crate) fn _train_superbpe(
    py: Python<'_>,
    counter: &Bound<'_, WordCounter>,
    options: Options<'_>,
    superwords: Superwords,
) -> Result<Tokenizer> {
    let super_options = superwords.trainer(options.trainer()?)?;
    let steps = patterns::byte_level_steps(superwords.second_pattern.as_deref());
    let normalizer = parse_normalizer(options.normalizer.as_deref())?;
    let inherited = options.base.as_ref().map_or(&[][..], |base| base.get().core().added_tokens());
    let post_processor = post_processor(&super_options.check()?, options.template.as_ref())?;
    let splitter = Splitter::new(normalizer.clone(), Pretokenizer::new(steps.clone())?);
    let counter = counter.get().with(|counter| Ok((None, counter)))?;
    let trained = watched(py, options.progress, |watch| {
        let (words, documents) = counter.finish_with_documents()?;
        let trained = train::train_superbpe(words, documents, &splitter, &super_options, watch)?;
        trained.into_tokenizer(normalizer, Pretokenizer::new(steps)?, post_processor, inherited)
    })?;
    Ok(trained.into())
}

/// Refuses options of [`_train_superbpe`] that no corpus would make possible, before anything is counted.
#[pyfunction]
pub(crate) fn _check_superbpe(options: Options<'_>, superwords: Superwords) -> Result<()> {
    Pretokenizer::new(patterns::byte_level_steps(superwords.second_pattern.as_deref()))?;
    let super_options = superwords.trainer(options.trainer()?)?;
    post_processor(&super_options.check()?, options.template.as_ref())?;
    Ok(())
}

/// Runs the core with an eye on signals, and tells `progress` how far it has come.
pub(crate) fn watched<T: Send>(
    py: Python<'_>,
    progress: Option<Py<PyAny>>,
    work: impl FnOnce(&PythonWatch) -> Result<T, Error> + Send,
) -> Result<T> {
    let watch = PythonWatch { progress, raised: Mutex::new(None) };
    let result = call(py, LONG, || work(&watch));
    match watch.raised.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(raised) => Err(raised.into()),
        None => result,
    }
}

/// Passes progress on to Python, and a signal or an exception of the callback back as the wish to stop.
pub(crate) struct PythonWatch {
    progress: Option<Py<PyAny>>,
    raised: Mutex<Option<PyErr>>,
}

impl Watch for PythonWatch {
    fn update(&self, progress: Progress) -> ControlFlow<()> {
        let told = Python::attach(|py| {
            py.check_signals()?;
            if let Some(callback) = &self.progress {
                callback.call1(py, (progress.phase.name(), progress.done, progress.total))?;
            }
            PyResult::Ok(())
        });
        match told {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}
