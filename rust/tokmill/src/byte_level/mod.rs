//! Exact byte-level probabilities from a token model: how probable is each next byte, whatever the tokens?
//!
//! A text is covered by every token sequence whose bytes begin with it and whose last token alone reaches beyond it;
//! these are disjoint events, so the probability of the text is the sum of theirs (Phan et al., arXiv 2410.09303;
//! Vieira et al., arXiv 2412.03719). Under the *canonical* semantics the sum is over the sequences that the tokenizer
//! can emit, which is exact for a model that gives no probability to others, and needs about one new context a byte:
//! the contexts are the encodings of the prefixes of the text. What the model gives to impossible sequences is reported
//! as *leak*. The semantics *all* sums over every segmentation; it is exact for any model, grows exponentially, and is
//! cut to a beam with certified bounds.
//!
//! The parts: `spelling` (what texts there are), `index` (the vocabulary in order of its bytes), `canonical`, `piece` and
//! `adjacency` (which tokens a BPE tokenizer may put next), `viterbi` (which a Unigram one), `brute` (the same by
//! trying), `kept` (results), `tree` and `place` (contexts), `weights`, `fours`, `kernels` and `shares` (numbers), `state` (the text as it grows). The numbers come from the caller; nothing here knows a model.

mod adjacency;
mod bits;
mod brute;
mod canonical;
mod fours;
mod index;
mod kept;
mod kernels;
mod piece;
mod place;
mod shares;
mod spelling;
mod state;
mod tree;
mod viterbi;
mod weights;

pub use state::{ByteRequest, ByteState, NextByte};
pub use weights::Logits;

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::model::Model;
use crate::tokenizer::Tokenizer;
use brute::Brute;
use canonical::Canonical;
use fours::Fours;
use index::Index;
use piece::PieceModel;
use place::Place;
use spelling::Opening;
use tree::Node;
use viterbi::Paths;
use weights::Buffers;

/// Over which token sequences probabilities are summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Semantics {
    /// Those that the tokenizer emits for some text.
    #[default]
    Canonical,
    /// All whose bytes agree with the text.
    All,
}

/// How an engine works.
#[derive(Clone, Debug, Default)]
pub struct ByteOptions {
    /// What is summed.
    pub semantics: Semantics,
    /// Contexts that are kept at each byte, the most probable; `None` keeps all.
    pub beam: Option<usize>,
    /// Decide what the tokenizer may emit by encoding many texts: slow, for any tokenizer, to check the fast way.
    pub verify: bool,
    /// The id of the token that ends a text; `None` looks for an added token with a usual name.
    pub end_of_text: Option<u32>,
    /// Take all sums in 64 bits, also where logits have fewer.
    pub strict: bool,
}

/// Turns what a token model says into probabilities of bytes. Immutable and shared: cloning is cheap.
#[derive(Clone, Debug)]
pub struct ByteEngine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    index: Index,
    fours: Fours,
    opening: Opening,
    /// The token that spells a blank also where it stands first and texts are opened by a blank.
    kept_blank: Option<u32>,
    rules: Rules,
    semantics: Semantics,
    beam: Option<usize>,
    strict: bool,
    vocab_size: usize,
    end_of_text: Option<u32>,
    /// Other added tokens that no text yields and that of the unknown, in order of id.
    specials: Vec<u32>,
    buffers: Arc<Buffers>,
}

/// Which tokens may follow a context.
#[derive(Debug)]
enum Rules {
    Canonical(Box<Canonical>),
    Paths(Box<Paths>),
    Brute(Brute),
    All,
}

/// Usual contents of the token that ends a text.
const ENDS_OF_TEXT: [&str; 8] =
    ["<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|eos|>", "[EOS]", "<｜end▁of▁sentence｜>", "<|im_end|>"];

impl ByteEngine {
    /// Arranges the vocabulary. Refuses tokenizers that rewrite text, whose pieces cannot be followed byte by byte, or
    /// whose tokens stand for other bytes in a text than on their own.
    pub fn new(tokenizer: Arc<Tokenizer>, options: &ByteOptions) -> Result<Self> {
        if options.beam == Some(0) {
            return Err(Error::option("beam", "must be at least 1, not 0"));
        }
        let opening = Opening::of(&tokenizer)?;
        let vocab_size = tokenizer.vocab_size();
        let end_of_text = end_of_text(&tokenizer, options.end_of_text)?;
        let mut tokens = spelling::ordinary_tokens(&tokenizer, opening)?;
        tokens.retain(|&(id, _)| Some(id) != end_of_text);
        let kept_blank = spelling::kept_blank(&tokenizer, opening, &tokens);
        let index = Index::new(tokens, vocab_size);
        let fours = Fours::new(&index);
        let added = tokenizer.added_tokens().iter().map(|token| token.id);
        let others = added.chain(spelling::unknown_id(tokenizer.model()));
        let mut specials: Vec<u32> =
            others.filter(|&id| Some(id) != end_of_text && index.rank(id) == index::NONE).collect();
        specials.sort_unstable();
        specials.dedup();
        let rules = match options.semantics {
            Semantics::All => Rules::All,
            Semantics::Canonical if options.verify => Rules::Brute(Brute::new(tokenizer, opening, &index)),
            Semantics::Canonical if matches!(tokenizer.model(), Model::Unigram(_)) => {
                Rules::Paths(Box::new(Paths::new(&tokenizer, &index)?))
            }
            Semantics::Canonical => {
                let model = PieceModel::new(tokenizer.clone(), &index)?;
                Rules::Canonical(Box::new(Canonical::new(tokenizer.pretokenizer(), model, &index)?))
            }
        };
        let ByteOptions { semantics, beam, strict, .. } = *options;
        let buffers = Arc::default();
        let inner = Inner {
            index,
            fours,
            opening,
            kept_blank,
            rules,
            semantics,
            beam,
            strict,
            vocab_size,
            end_of_text,
            specials,
            buffers,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What is summed.
    pub fn semantics(&self) -> Semantics {
        self.inner.semantics
    }

    /// How many contexts are kept at each byte; `None` for all.
    pub fn beam(&self) -> Option<usize> {
        self.inner.beam
    }

    /// One more than the largest id: how many logits a context has.
    pub fn vocab_size(&self) -> usize {
        self.inner.vocab_size
    }

    /// The id of the token that ends a text, if there is one.
    pub fn end_of_text(&self) -> Option<u32> {
        self.inner.end_of_text
    }

    /// Whether an id stands for text, so that its probability is shared out among bytes.
    pub fn is_ordinary(&self, id: u32) -> bool {
        (id as usize) < self.inner.vocab_size && self.inner.is_ordinary(id)
    }

    /// Begins a text behind the tokens `prefix`, which are certain and not part of the text.
    pub fn start(&self, text: &[u8], prefix: &[u32]) -> Result<ByteState> {
        self.inner.check_ids(prefix)?;
        let mut state = ByteState::new(self.inner.clone(), prefix);
        state.push(text);
        Ok(state)
    }
}

impl Rules {
    /// The place before any text.
    fn root(&self) -> Place {
        match self {
            Self::Canonical(canonical) => canonical.root(),
            Self::Paths(_) => Paths::root(),
            Self::Brute(_) | Self::All => Place::unknown(true),
        }
    }

    /// The place behind a context and a token that may follow it.
    fn place(&self, node: &Node, rank: u32, index: &Index) -> Place {
        match self {
            Self::Canonical(canonical) => canonical.place(node, rank, index),
            Self::Paths(paths) => paths.place(node, rank, index),
            Self::Brute(brute) => Place::unknown(brute.is_closed(node, rank, index)),
            Self::All => Place::unknown(true),
        }
    }
}

fn end_of_text(tokenizer: &Tokenizer, asked: Option<u32>) -> Result<Option<u32>> {
    if let Some(id) = asked {
        let vocab_size = tokenizer.vocab_size();
        return if (id as usize) < vocab_size {
            Ok(asked)
        } else {
            Err(Error::UnknownId { id: id.into(), vocab_size })
        };
    }
    let named = |name: &&str| tokenizer.added_tokens().iter().find(|token| token.content == **name);
    Ok(ENDS_OF_TEXT.iter().find_map(named).map(|token| token.id))
}
