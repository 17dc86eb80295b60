//! Where a context stands in the text, as far as the tokens behind it depend on it.

use super::canonical::Guess;
use super::viterbi::Standing;

/// A context's place.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) standing: Context,
    /// Whether the text may end behind the context.
    pub(super) closed: bool,
}

/// What decides which tokens may follow.
#[derive(Clone, Debug)]
pub(super) enum Context {
    /// Nothing that is kept.
    Unknown,
    /// The ways in which the text may be cut into pieces.
    Guesses(Vec<Guess>),
    /// The scores of the segmentations that reach this place.
    Window(Box<Standing>),
}

impl Place {
    /// A place of which nothing is known but whether the text may end there.
    pub(super) fn unknown(closed: bool) -> Self {
        Self { standing: Context::Unknown, closed }
    }

    /// The ways in which the text may be cut.
    pub(super) fn guesses(&self) -> &[Guess] {
        if let Context::Guesses(guesses) = &self.standing { guesses } else { &[] }
    }
}
