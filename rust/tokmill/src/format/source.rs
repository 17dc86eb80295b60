//! The bytes of a file, unpacked where it is gzipped.

use std::borrow::Cow;
use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};

/// Files are smaller than this, so that positions in them fit 32 bits.
const MAX_BYTES: u64 = u32::MAX as u64;

/// A gzipped file may unpack to this many bytes in any case, beyond it to [`MAX_EXPANSION`] times its size.
const FREE_EXPANSION: u64 = 16 << 20;

/// Well above what tokenizers' files reach (about 15), well below what gzip can (about 1,000).
const MAX_EXPANSION: u64 = 100;

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let size = fs::metadata(path).map_err(|error| Error::io(path, error))?.len();
    if size > MAX_BYTES {
        return Err(Error::format(path.display().to_string(), "is larger than 4 GiB"));
    }
    fs::read(path).map_err(|error| Error::io(path, error))
}

/// Unpacks gzipped bytes within bounds; others are passed through.
pub(super) fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::format("file", "is larger than 4 GiB"));
    }
    if !bytes.starts_with(&[0x1F, 0x8B]) {
        return Ok(Cow::Borrowed(bytes));
    }
    let limit = (bytes.len() as u64 * MAX_EXPANSION).clamp(FREE_EXPANSION, MAX_BYTES);
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(bytes)
        .take(limit + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| Error::format("gzip", error.to_string()))?;
    if unpacked.len() as u64 > limit {
        return Err(Error::format("gzip", format!("{} bytes unpack to more than {limit}", bytes.len())));
    }
    Ok(Cow::Owned(unpacked))
}

/// The text of a file that has to be UTF-8.
pub(super) fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes)
        .map_err(|error| Error::format(format!("byte {}", error.valid_up_to()), "the file is not valid UTF-8"))
}
