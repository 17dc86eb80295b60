//! Which bytes of the original text each byte of the normalised text stands for.

/// A run-length map from bytes of a normalised text to byte ranges of the original.
#[derive(Clone, Debug, Default)]
pub struct Alignment {}
