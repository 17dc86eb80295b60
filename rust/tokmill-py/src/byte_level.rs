//! `tokmill.ByteEngine` and the states and requests that come from it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::ndarray::Axis;
use numpy::{
    PyArray1, PyArray2, PyArrayDescrMethods, PyArrayMethods, PyReadonlyArray2, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use tokmill::byte_level::{self as core, ByteOptions, Logits, NextByte, Semantics};

use crate::arrays::{Ids, Ragged, id_from, to_numpy};
use crate::error::{Failure, LONG, Result, call};
use crate::options::Size;
use crate::text::Text;
use crate::tokenizer::Tokenizer;

/// Turns the logits of a token model into exact probabilities of bytes.
///
/// An engine arranges the vocabulary once; states begun with `start` ask for logits and take them, so any model and
/// any way of running it will do. Immutable; any number of threads may use one object at the same time.
///
/// `semantics` says over which token sequences probabilities are summed: "canonical", those that the tokenizer emits
/// for some text, or "all" whose bytes agree with the text. `beam` keeps so many contexts at each byte, with certified
/// bounds in `ByteState.interval`. `verify=True` decides by encoding many texts what the tokenizer may emit: slow, for
/// any tokenizer, to check the fast way. `end_of_text` is the id or the content of the token that ends a text; by
/// default a special token with a usual name (`<|endoftext|>`, `</s>`, ...), if there is one. `strict=True` takes all
/// sums in 64 bits; 64-bit logits always are.
///
/// Texts are ordinary text: added tokens are not looked for in them, but are symbols of their own that may come next.
/// Where the tokenizer normalises to NFC, probabilities are those of normalised text; where it puts a blank before a
/// text that the decoder drops again (SentencePiece's), the blank is no part of the text.
///
/// For BPE and Unigram models. Raises `TokmillError`, with the reason, for tokenizers that lose something of a text, or
/// whose pretokenizer cannot be followed byte by byte.
#[pyclass(frozen, module = "tokmill")]
pub(crate) struct ByteEngine {
    core: core::ByteEngine,
    /// The tokenizer.
    #[pyo3(get)]
    tokenizer: Py<Tokenizer>,
}

#[pymethods]
impl ByteEngine {
    #[new]
    #[pyo3(
        signature = (tokenizer, *, semantics = "canonical", beam = None, verify = false, end_of_text = None, strict = false)
    )]
    fn new(
        py: Python<'_>,
        tokenizer: Py<Tokenizer>,
        semantics: &str,
        beam: Option<Size>,
        verify: bool,
        end_of_text: Option<&Bound<'_, PyAny>>,
        strict: bool,
    ) -> Result<Self> {
        let shared = tokenizer.get().shared();
        let semantics = match semantics {
            "canonical" => Semantics::Canonical,
            "all" => Semantics::All,
            other => {
                return Err(Failure::option("semantics", format!("must be \"canonical\" or \"all\", not {other:?}")));
            }
        };
        let id = |token: &Bound<'_, PyAny>| match token.cast::<PyString>() {
            Ok(token) => {
                let token = token.to_string();
                let unknown = || Failure::option("end_of_text", format!("{token:?} is not in the vocabulary"));
                shared.token_id_spelled(&token).ok_or_else(unknown)
            }
            Err(_) => id_from(token, shared.vocab_size()),
        };
        let options = ByteOptions {
            semantics,
            beam: beam.map(|beam| beam.positive("beam")).transpose()?,
            verify,
            end_of_text: end_of_text.map(id).transpose()?,
            strict,
        };
        let core = call(py, LONG, || core::ByteEngine::new(shared.clone(), &options))?;
        Ok(Self { core, tokenizer })
    }

    /// Over which token sequences probabilities are summed: "canonical" or "all".
    #[getter]
    fn semantics(&self) -> &'static str {
        match self.core.semantics() {
            Semantics::Canonical => "canonical",
            Semantics::All => "all",
        }
    }

    /// How many contexts are kept at each byte, or `None` for all.
    #[getter]
    fn beam(&self) -> Option<usize> {
        self.core.beam()
    }

    /// One more than the largest id: the logits that a context needs. Further columns are ignored.
    #[getter]
    fn vocab_size(&self) -> usize {
        self.core.vocab_size()
    }

    /// The id of the token that ends a text, or `None`.
    #[getter]
    fn end_of_text(&self) -> Option<u32> {
        self.core.end_of_text()
    }

    /// Begins a text, given as `str` or UTF-8, behind the tokens `prefix_ids`, which are certain and no part of it.
    #[pyo3(signature = (text = None, prefix_ids = None), text_signature = "($self, text=b'', prefix_ids=())")]
    fn start(
        &self,
        py: Python<'_>,
        text: Option<Text<'_>>,
        prefix_ids: Option<&Bound<'_, PyAny>>,
    ) -> Result<ByteState> {
        let prefix = prefix_ids.map(|ids| Ids::new(ids, self.core.vocab_size())).transpose()?;
        let prefix = prefix.as_ref().map_or(&[][..], Ids::as_slice);
        let text = text.as_ref().map_or(&[][..], Text::as_ref);
        Ok(call(py, LONG, || self.core.start(text, prefix))?.into())
    }
}

/// A text that grows byte by byte, and what a model says about its next byte.
///
/// ```text
/// while len(request := state.pending()):
///     state.supply(request, model(request.sequences))
/// state.next()
/// ```
#[pyclass(frozen, module = "tokmill")]
pub(crate) struct ByteState {
    core: Mutex<core::ByteState>,
    /// What `next` said last.
    next: Mutex<Option<NextByte>>,
}

impl From<core::ByteState> for ByteState {
    fn from(core: core::ByteState) -> Self {
        Self { core: Mutex::new(core), next: Mutex::new(None) }
    }
}

/// A state is changed as a whole, so one that a panic left behind is as it was before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ByteState {
    /// What comes next, from memory if it was asked before.
    fn said<T: Send>(&self, py: Python<'_>, part: impl FnOnce(&NextByte) -> T + Send) -> Result<T> {
        call(py, LONG, || {
            let core = lock(&self.core);
            let mut next = lock(&self.next);
            let said = match next.take() {
                Some(said) => said,
                None => core.next()?,
            };
            Ok::<_, tokmill::Error>(part(next.insert(said)))
        })
    }

    fn change(
        &self,
        py: Python<'_>,
        change: impl FnOnce(&mut core::ByteState) -> tokmill::Result<()> + Send,
    ) -> Result<()> {
        call(py, LONG, || {
            let mut core = lock(&self.core);
            *lock(&self.next) = None;
            change(&mut core)
        })
    }
}

#[pymethods]
impl ByteState {
    /// The contexts whose logits are needed before `next`; none (`len() == 0`) when it can be asked.
    ///
    /// With a beam, supplying them may lead to more, so ask until there are none.
    fn pending(&self, py: Python<'_>) -> Result<ByteRequest> {
        let core = call(py, LONG, || {
            let mut core = lock(&self.core);
            core.push(&[]); // Moves on through bytes that waited for what a fork has been told by now.
            Ok::<_, tokmill::Error>(core.pending())
        })?;
        Ok(ByteRequest { core })
    }

    /// Takes the logits of the contexts of a request: shape `[len(request), n]`, `n` at least the vocabulary's size.
    ///
    /// `logits` is an array of float64, float32 or float16, which is read without a copy where its rows are contiguous;
    /// bfloat16 comes as its bits, uint16, with `dtype="bfloat16"`. Log-probabilities will do as well. `-inf` is taken;
    /// `TokmillError` for NaN, +inf, or a wrong shape.
    #[pyo3(signature = (request, logits, *, dtype = None))]
    fn supply(
        &self,
        py: Python<'_>,
        request: &ByteRequest,
        logits: &Bound<'_, PyAny>,
        dtype: Option<&str>,
    ) -> Result<()> {
        let rows = Rows::new(logits, dtype)?;
        let rows = rows.logits();
        self.change(py, |core| core.supply(&request.core, &rows))
    }

    /// Log-probabilities of what comes next: float64[257], the 256 bytes and the end of the text.
    ///
    /// They add up to one together with `specials`. Raises `TokmillError` while contexts are pending.
    fn next<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyArray1<f64>>> {
        Ok(to_numpy(py, self.said(py, |next| next.log_probs.clone())?))
    }

    /// Appends bytes that are known to come next. The contexts that they lead to become pending.
    fn push(&self, py: Python<'_>, data: Text<'_>) -> Result<()> {
        self.change(py, |core| {
            core.push(data.as_ref());
            Ok(())
        })
    }

    /// Takes back the last bytes. Contexts that no state was at meanwhile are pending again.
    fn rollback(&self, py: Python<'_>, n_bytes: Size) -> Result<()> {
        let count = n_bytes.get("n_bytes")?;
        self.change(py, |core| core.rollback(count))
    }

    /// A state of its own with the same text. What the model has said so far is shared, so this costs next to nothing.
    fn fork(&self) -> Self {
        let core = lock(&self.core).clone();
        Self { core: Mutex::new(core), next: Mutex::new(lock(&self.next).clone()) }
    }

    fn __copy__(&self) -> Self {
        self.fork()
    }

    /// The token sequences that cover the text, `prefix_ids` included, with their log-probability, the most probable
    /// first. Those whose last token reaches beyond the text may be as many as the vocabulary.
    fn cover(&self, py: Python<'_>) -> Result<Vec<(Vec<u32>, f64)>> {
        call(py, LONG, || lock(&self.core).cover())
    }

    /// Log-probability that the text ends here; the last entry of `next`.
    fn end(&self, py: Python<'_>) -> Result<f64> {
        self.said(py, |next| next.log_probs[256])
    }

    /// The bytes so far.
    #[getter]
    fn text<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &lock(&self.core).text())
    }

    /// Log-probability that the model's text begins with this one.
    #[getter]
    fn log_prob(&self, py: Python<'_>) -> Result<f64> {
        call(py, LONG, || lock(&self.core).log_prob())
    }

    /// Share of the probability of the text that the model gives to token sequences which the tokenizer never emits.
    #[getter]
    fn leak(&self, py: Python<'_>) -> Result<f64> {
        self.said(py, |next| next.leak)
    }

    /// Log-probabilities of the other special and added tokens, and of the unknown, to come next, by id: a new dict.
    #[getter]
    fn specials<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (id, log_prob) in self.said(py, |next| next.specials.clone())? {
            dict.set_item(id, log_prob)?;
        }
        Ok(dict)
    }

    /// Bounds of `log_prob` as it would be without a beam.
    #[getter]
    fn interval(&self, py: Python<'_>) -> Result<(f64, f64)> {
        call(py, LONG, || lock(&self.core).interval())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("ByteState({})", self.text(py).repr()?))
    }
}

/// Contexts whose logits are needed: sequences of tokens, and the tree that they are part of.
#[pyclass(frozen, module = "tokmill")]
pub(crate) struct ByteRequest {
    core: core::ByteRequest,
}

#[pymethods]
impl ByteRequest {
    fn __len__(&self) -> usize {
        self.core.len()
    }

    /// Numbers of the contexts, the same in a state and its forks: uint32[n], rising.
    #[getter]
    fn nodes<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u32>> {
        to_numpy(py, self.core.nodes().collect())
    }

    /// Numbers of the contexts without their last token, -1 for the one before any text: int64[n].
    #[getter]
    fn parents<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        to_numpy(py, self.core.parents().collect())
    }

    /// Last tokens, 0xFFFFFFFF for the empty context: uint32[n].
    #[getter]
    fn tokens<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u32>> {
        to_numpy(py, self.core.tokens().collect())
    }

    /// Numbers of tokens, `prefix_ids` included: uint32[n].
    #[getter]
    fn depths<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u32>> {
        to_numpy(py, self.core.depths().collect())
    }

    /// The contexts as rows of tokens, `prefix_ids` included. A row may be empty.
    #[getter]
    fn sequences(&self, py: Python<'_>) -> Ragged {
        Ragged::from_rows(py, self.core.sequences())
    }
}

/// Logits lent by numpy.
enum Rows<'py> {
    F64(PyReadonlyArray2<'py, f64>),
    F32(PyReadonlyArray2<'py, f32>),
    F16(PyReadonlyArray2<'py, u16>),
    Bf16(PyReadonlyArray2<'py, u16>),
}

impl<'py> Rows<'py> {
    fn new(source: &Bound<'py, PyAny>, dtype: Option<&str>) -> Result<Self> {
        let py = source.py();
        let numpy = py.import(intern!(py, "numpy"))?;
        let array = numpy.call_method1(intern!(py, "asarray"), (source,))?;
        let untyped = array.cast::<PyUntypedArray>().map_err(PyErr::from)?.clone();
        if untyped.ndim() != 2 {
            let why = format!("must have 2 dimensions, contexts and tokens, not {}", untyped.ndim());
            return Err(Failure::option("logits", why));
        }
        let (kind, size) = (untyped.dtype().kind(), untyped.dtype().itemsize());
        let gaps = untyped.shape()[1] > 1 && untyped.strides()[1] != size as isize;
        let array = if gaps { numpy.call_method1(intern!(py, "ascontiguousarray"), (array,))? } else { array };
        let lend = |array: &Bound<'py, PyAny>| -> Result<PyReadonlyArray2<'py, u16>> {
            let bits = array.call_method1(intern!(py, "view"), (intern!(py, "uint16"),))?;
            Ok(bits.cast::<PyArray2<u16>>().map_err(PyErr::from)?.try_readonly().map_err(PyErr::from)?)
        };
        match (dtype, kind, size) {
            (None | Some("float64"), b'f', 8) => {
                Ok(Self::F64(array.cast::<PyArray2<f64>>().map_err(PyErr::from)?.try_readonly().map_err(PyErr::from)?))
            }
            (None | Some("float32"), b'f', 4) => {
                Ok(Self::F32(array.cast::<PyArray2<f32>>().map_err(PyErr::from)?.try_readonly().map_err(PyErr::from)?))
            }
            (None | Some("float16"), b'f', 2) => Ok(Self::F16(lend(&array)?)),
            (Some("bfloat16"), b'u', 2) => Ok(Self::Bf16(lend(&array)?)),
            _ => {
                let found = untyped.dtype().to_string();
                let why = match dtype {
                    Some(dtype) => format!("{dtype:?} does not describe an array of {found}"),
                    None => format!("must be given for an array of {found}: float64, float32 and float16 are known"),
                };
                Err(Failure::option("dtype", why))
            }
        }
    }

    /// The rows; all are contiguous.
    fn logits(&self) -> Vec<Logits<'_>> {
        fn rows<'a, T: numpy::Element>(
            array: &'a PyReadonlyArray2<'_, T>,
            of: impl Fn(&'a [T]) -> Logits<'a>,
        ) -> Vec<Logits<'a>> {
            let view = array.as_array();
            (0..view.nrows()).filter_map(|row| view.index_axis_move(Axis(0), row).to_slice()).map(of).collect()
        }
        match self {
            Self::F64(array) => rows(array, Logits::F64),
            Self::F32(array) => rows(array, Logits::F32),
            Self::F16(array) => rows(array, Logits::F16),
            Self::Bf16(array) => rows(array, Logits::Bf16),
        }
    }
}
