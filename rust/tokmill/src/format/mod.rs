//! Files: the formats that tokenizers travel in, read into a [`Tokenizer`] and written from one.
//!
//! The format is told from the content, never from the name. Readers turn a file into [`Parts`]; whatever the file
//! gets wrong comes back as an error that says where.

mod gguf;
mod json;
mod ranks;
mod sentencepiece;
mod sniff;
mod source;
mod spelled;
mod tekken;
mod tiktoken;
mod tokenizer_json;
mod translate;
mod vocab_merges;
mod vocab_txt;

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::added_tokens::{AddedToken, Matching};
use crate::atomic_file::AtomicFile;
use crate::error::{Error, Result};
use crate::normalize::Normalizer;
use crate::pretokenize::{SplitPattern, Step};
use crate::tokenizer::{Parts, Tokenizer};
use sniff::Kind;
pub use tokenizer_json::{normalizer, pretokenizer};

/// What a file does not say itself.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The pretokenizer of a `.tiktoken` file: a name of [`crate::pretokenize::patterns`] or a regular expression.
    pub pattern: Option<String>,
    /// Special tokens and their ids, of a `.tiktoken` file or of `vocab.json` and `merges.txt`.
    pub special_tokens: Vec<(String, u32)>,
    /// Whether a `vocab.txt` is for text in lower case, where no `tokenizer_config.json` says it.
    pub lowercase: Option<bool>,
}

impl LoadOptions {
    /// Refuses options that a format leaves no room for.
    fn check_unused(&self, format: &str) -> Result<()> {
        self.check_lowercase(format)?;
        if self.pattern.is_some() {
            return Err(Error::option("pattern", format!("{format} has its own")));
        }
        if !self.special_tokens.is_empty() {
            return Err(Error::option("special_tokens", format!("{format} has its own")));
        }
        Ok(())
    }

    /// Refuses an option that only a `vocab.txt` leaves room for.
    fn check_lowercase(&self, format: &str) -> Result<()> {
        match self.lowercase {
            Some(_) => Err(Error::option("lowercase", format!("{format} leaves no room for it"))),
            None => Ok(()),
        }
    }
}

/// Reads a tokenizer file or directory; the format is told from its content.
///
/// A directory holds a `tokenizer.json`, or a `vocab.json` and a `merges.txt`, or a `vocab.txt`, with a
/// `tokenizer_config.json` beside them where there is one. Either of these two files may be named for both. Files may be gzipped.
pub fn load(path: &Path, options: &LoadOptions) -> Result<Tokenizer> {
    Tokenizer::new(load_parts(path, options)?)
}

/// Reads a tokenizer from the bytes of a file; the format is told from its content.
pub fn from_bytes(bytes: &[u8], options: &LoadOptions) -> Result<Tokenizer> {
    Tokenizer::new(parts_from_bytes(bytes, options)?)
}

/// The parts of the tokenizer in a file or directory.
pub fn load_parts(path: &Path, options: &LoadOptions) -> Result<Parts> {
    if path.is_dir() {
        return match file_in(path, "tokenizer.json") {
            Some(tokenizer_json) => load_parts(&tokenizer_json, options),
            None => match file_in(path, "vocab.txt").filter(|_| file_in(path, "vocab.json").is_none()) {
                Some(vocab_txt) => load_parts(&vocab_txt, options),
                None => load_vocab_merges(path, options),
            },
        };
    }
    let packed = source::read(path)?;
    let bytes = source::unpack(&packed)?;
    match sniff::kind(&bytes)? {
        Kind::VocabJson | Kind::Merges => load_vocab_merges(path.parent().unwrap_or(Path::new("")), options),
        Kind::VocabTxt => {
            let directory = path.parent().unwrap_or(Path::new(""));
            let config = file_in(directory, "tokenizer_config.json").map(|path| read_text(&path)).transpose()?;
            vocab_txt::parts(source::text(&bytes)?, config.as_deref(), options)
        }
        kind => parts_of_kind(kind, &bytes, options),
    }
}

/// The text of a file, which may be gzipped.
fn read_text(path: &Path) -> Result<String> {
    let packed = source::read(path)?;
    Ok(source::text(&source::unpack(&packed)?)?.to_owned())
}

/// The parts of the tokenizer in the bytes of a file.
pub fn parts_from_bytes(bytes: &[u8], options: &LoadOptions) -> Result<Parts> {
    let bytes = source::unpack(bytes)?;
    parts_of_kind(sniff::kind(&bytes)?, &bytes, options)
}

fn parts_of_kind(kind: Kind, bytes: &[u8], options: &LoadOptions) -> Result<Parts> {
    match kind {
        Kind::TokenizerJson => {
            options.check_unused("tokenizer.json")?;
            tokenizer_json::parts(source::text(bytes)?)
        }
        Kind::Tekken => {
            options.check_unused("tekken.json")?;
            tekken::parts(source::text(bytes)?)
        }
        Kind::Tiktoken => tiktoken::parts(bytes, options),
        Kind::VocabTxt => vocab_txt::parts(source::text(bytes)?, None, options),
        Kind::Gguf => {
            options.check_unused("GGUF")?;
            gguf::parts(bytes)
        }
        Kind::SentencePiece => {
            options.check_unused("a SentencePiece model")?;
            sentencepiece::parts(bytes)
        }
        Kind::VocabJson => {
            Err(Error::format("file", "is a vocab.json; it needs the merges.txt beside it, so load it by its path"))
        }
        Kind::Merges => {
            Err(Error::format("file", "is a merges.txt; it needs the vocab.json beside it, so load it by its path"))
        }
    }
}

/// Reads `vocab.json` and `merges.txt` of a directory.
fn load_vocab_merges(directory: &Path, options: &LoadOptions) -> Result<Parts> {
    let find = |name: &str| file_in(directory, name).unwrap_or_else(|| directory.join(name));
    let config = file_in(directory, "tokenizer_config.json").map(|path| read_text(&path)).transpose()?;
    vocab_merges::parts(&read_text(&find("vocab.json"))?, &read_text(&find("merges.txt"))?, config.as_deref(), options)
}

/// The file of this name in a directory, or its gzipped form.
fn file_in(directory: &Path, name: &str) -> Option<PathBuf> {
    [name.to_owned(), format!("{name}.gz")].iter().map(|name| directory.join(name)).find(|path| path.exists())
}

/// A format that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `tokenizer.json` of Hugging Face tokenizers, version 1.0.
    TokenizerJson,
    /// The base64 ranks of tiktoken.
    Tiktoken,
    /// A model of SentencePiece (`.model`).
    SentencePiece,
}

/// The bytes of a file in `format`, and what the format cannot hold, as warnings. What would change ids is refused.
///
/// A tokenizer writes the same bytes every time, and reading them gives a tokenizer that writes them again.
pub fn to_bytes(tokenizer: &Tokenizer, format: Format) -> Result<(Vec<u8>, Vec<String>)> {
    match format {
        Format::TokenizerJson if is_sentencepiece(tokenizer) => {
            let (translated, warnings) = translate::for_tokenizers(tokenizer)?;
            Ok((to_bytes(&translated, format)?.0, warnings))
        }
        Format::TokenizerJson => {
            let mut bytes = Vec::new();
            tokenizer_json::write(tokenizer, &mut bytes)?;
            Ok((bytes, Vec::new()))
        }
        Format::Tiktoken => tiktoken::to_bytes(tokenizer),
        Format::SentencePiece if is_sentencepiece(tokenizer) => Ok((sentencepiece::to_bytes(tokenizer)?, Vec::new())),
        Format::SentencePiece => {
            let (translated, warnings) = translate::for_sentencepiece(tokenizer)?;
            Ok((sentencepiece::to_bytes(&translated)?, warnings))
        }
    }
}

/// Whether texts are normalised as sentencepiece does.
fn is_sentencepiece(tokenizer: &Tokenizer) -> bool {
    matches!(tokenizer.normalizer(), Some(Normalizer::SentencePiece(_)))
}

/// Writes a file atomically: under another name in the same directory, synced, then renamed. Returns the warnings.
///
/// Where no format is given, the name tells it: `.json`, `.tiktoken` or `.model`.
pub fn save(tokenizer: &Tokenizer, path: &Path, format: Option<Format>) -> Result<Vec<String>> {
    let format = match (format, path.extension().and_then(|extension| extension.to_str())) {
        (Some(format), _) => format,
        (None, Some("json")) => Format::TokenizerJson,
        (None, Some("tiktoken")) => Format::Tiktoken,
        (None, Some("model")) => Format::SentencePiece,
        (None, _) => {
            let why =
                format!("must be given for {}, whose name does not end in .json, .tiktoken or .model", path.display());
            return Err(Error::option("format", why));
        }
    };
    match format {
        Format::TokenizerJson => {
            check_patterns(tokenizer)?;
            check_normalizer(tokenizer)?;
        }
        Format::SentencePiece => check_symbols(tokenizer)?,
        Format::Tiktoken => {}
    }
    let (bytes, mut warnings) = to_bytes(tokenizer, format)?;
    warnings.extend(unseen(tokenizer, format));
    let mut file = AtomicFile::create(path)?;
    file.write_all(&bytes).map_err(|error| Error::io(path, error))?;
    file.commit()?;
    Ok(warnings)
}

/// What a file holds for this crate alone.
fn unseen(tokenizer: &Tokenizer, format: Format) -> Vec<String> {
    let order = "tokenizers looks for added tokens in another order than llama.cpp, where they overlap, and takes other \
                 white space along with them";
    let template = "sentencepiece does not see the template: special tokens are put around texts by the caller";
    let order = Some(order).filter(|_| format == Format::TokenizerJson && tokenizer.matching() == Matching::LlamaCpp);
    let has_template = is_sentencepiece(tokenizer) && tokenizer.post_processor().is_some();
    let template = Some(template).filter(|_| format == Format::SentencePiece && has_template);
    order.into_iter().chain(template).map(str::to_owned).collect()
}

/// A `tokenizer.json` for others cannot hold a pattern of tiktoken that has no translation.
fn check_patterns(tokenizer: &Tokenizer) -> Result<()> {
    let foreign = tokenizer.pretokenizer().steps().iter().find_map(|step| match step {
        Step::Split { pattern: SplitPattern::FancyRegex(pattern), .. } => {
            Some(pattern).filter(|pattern| tokenizer_json::to_oniguruma(pattern).is_none())
        }
        _ => None,
    });
    foreign.map_or(Ok(()), |pattern| {
        let what = format!("a tokenizer.json with the pattern {pattern:?}, which tokenizers might read differently");
        Err(Error::unsupported("pre_tokenizer", what))
    })
}

/// A `tokenizer.json` for others cannot hold llama.cpp's own normaliser.
fn check_normalizer(tokenizer: &Tokenizer) -> Result<()> {
    match tokenizer.normalizer() {
        Some(Normalizer::LlamaCpp(_)) => Err(Error::unsupported(
            "normalizer",
            "a tokenizer.json with what llama.cpp does before BERT's vocabularies",
        )),
        _ => Ok(()),
    }
}

/// A `.model` for others cannot hold tokens that are found before the model, with flags of their own.
fn check_symbols(tokenizer: &Tokenizer) -> Result<()> {
    let flagged = |token: &&AddedToken| **token != AddedToken::special(token.content.clone(), token.id);
    match tokenizer.added_tokens().iter().find(flagged) {
        Some(token) if is_sentencepiece(tokenizer) => {
            let what = format!("the added token {:?}, which is not special or has flags", token.content);
            Err(Error::unsupported(".model", what))
        }
        _ => Ok(()),
    }
}

/// The format that holds all of a tokenizer.
pub fn native_format(tokenizer: &Tokenizer) -> Format {
    if is_sentencepiece(tokenizer) { Format::SentencePiece } else { Format::TokenizerJson }
}

/// The SHA-256 of a tokenizer's file in its native format in hexadecimal: equal for tokenizers that write the same
/// file. Fails for a tokenizer that has none ([`to_bytes`]).
pub fn fingerprint(tokenizer: &Tokenizer) -> Result<String> {
    let mut digest = BufWriter::with_capacity(1 << 16, Sha256::new());
    match native_format(tokenizer) {
        Format::TokenizerJson => tokenizer_json::write(tokenizer, &mut digest)?,
        format => {
            let (bytes, _) = to_bytes(tokenizer, format)?;
            digest.write_all(&bytes).map_err(|error| Error::format("file", error.to_string()))?;
        }
    }
    let digest = digest.into_inner().map_err(|error| Error::format("tokenizer.json", error.to_string()))?;
    Ok(digest.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}
