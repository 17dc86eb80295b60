//! Files: the formats that tokenizers travel in, read into a [`Tokenizer`] and written from one.

use std::path::Path;

use crate::error::Result;
use crate::tokenizer::Tokenizer;

/// What a file does not say itself.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The pretokenizer of a `.tiktoken` file: a name of [`crate::pretokenize::patterns`] or a regular expression.
    pub pattern: Option<String>,
    /// Special tokens of a `.tiktoken` file, and their ids.
    pub special_tokens: Vec<(String, u32)>,
}

/// Reads a tokenizer file or directory; the format is told from its content.
pub fn load(path: &Path, options: &LoadOptions) -> Result<Tokenizer> {
    let _ = (path, options);
    todo!()
}

/// Reads a tokenizer from the bytes of a file; the format is told from its content.
pub fn from_bytes(bytes: &[u8], options: &LoadOptions) -> Result<Tokenizer> {
    let _ = (bytes, options);
    todo!()
}

/// A format that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `tokenizer.json` of Hugging Face tokenizers, version 1.0.
    TokenizerJson,
    /// The base64 ranks of tiktoken.
    Tiktoken,
}

/// The bytes of a file in `format`, and what the format cannot hold, as warnings. What would change ids is refused.
pub fn to_bytes(tokenizer: &Tokenizer, format: Format) -> Result<(Vec<u8>, Vec<String>)> {
    let _ = (tokenizer, format);
    todo!()
}

/// Writes a file atomically: under another name in the same directory, synced, then renamed. Returns the warnings.
pub fn save(tokenizer: &Tokenizer, path: &Path, format: Option<Format>) -> Result<Vec<String>> {
    let _ = (tokenizer, path, format);
    todo!()
}

/// A hexadecimal digest that is equal for tokenizers that write the same file.
pub fn fingerprint(tokenizer: &Tokenizer) -> String {
    let _ = tokenizer;
    todo!()
}
