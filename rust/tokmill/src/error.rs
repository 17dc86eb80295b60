//! The one error type of the crate: variants carry data, `Display` makes a sentence of it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, with the place and the reason.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A tokenizer file is damaged or contradicts itself.
    Format {
        /// Where in the file: a JSON path such as `model.merges[17]`, a line number, or a byte position.
        at: String,
        /// What is wrong there.
        why: String,
    },
    /// The input names something that exists but that tokmill does not support.
    Unsupported {
        /// Where it is named.
        at: String,
        /// What is named, and why it is refused.
        what: String,
    },
    /// An option has a value that makes no sense.
    Option {
        /// The option's name as the caller types it.
        name: &'static str,
        /// What is wrong with the value.
        why: String,
    },
    /// A regular expression cannot be compiled.
    Pattern {
        /// The expression.
        pattern: String,
        /// What the parser says.
        why: String,
    },
    /// An id that the vocabulary does not have.
    UnknownId {
        /// The id asked for.
        id: u64,
        /// One more than the largest id of the vocabulary.
        vocab_size: usize,
    },
    /// Text that a model defined on Unicode cannot take.
    InvalidUtf8 {
        /// Byte position of the first invalid sequence.
        position: usize,
    },
    /// A byte of the input that the vocabulary has no entry for and that no text can contain.
    UnencodableByte {
        /// The byte.
        byte: u8,
        /// Its position in the input.
        position: usize,
    },
    /// A character of the text is not in the vocabulary, which has no unknown token.
    MissingUnknown,
    /// A file cannot be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The caller asked a long operation to stop.
    Cancelled,
}

impl Error {
    /// A [`Error::Format`] from its two halves.
    pub fn format(at: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Format { at: at.into(), why: why.into() }
    }

    /// A [`Error::Unsupported`] from its two halves.
    pub fn unsupported(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Unsupported { at: at.into(), what: what.into() }
    }

    /// A [`Error::Option`] from its two halves.
    pub fn option(name: &'static str, why: impl Into<String>) -> Self {
        Self::Option { name, why: why.into() }
    }

    /// A [`Error::Io`] from its two halves.
    pub fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format { at, why } => write!(f, "{at}: {why}"),
            Self::Unsupported { at, what } => write!(f, "{at}: not supported: {what}"),
            Self::Option { name, why } => write!(f, "option {name}: {why}"),
            Self::Pattern { pattern, why } => write!(f, "pattern {pattern:?}: {why}"),
            Self::UnknownId { id, vocab_size } => {
                write!(f, "id {id} is not in the vocabulary (ids run from 0 to {})", vocab_size.saturating_sub(1))
            }
            Self::InvalidUtf8 { position } => {
                write!(
                    f,
                    "the text is not valid UTF-8 at byte {position}, and this tokenizer is defined on Unicode text"
                )
            }
            Self::UnencodableByte { byte, position } => {
                write!(f, "byte 0x{byte:02X} at position {position} has no entry in this vocabulary")
            }
            Self::MissingUnknown => {
                f.write_str("a character of the text is not in the vocabulary, which has no unknown token")
            }
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
