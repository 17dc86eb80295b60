//! Reading files that may be compressed, as a stream.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// A stream of the contents of a file.
pub(super) type Unpacked = Box<dyn Read + Send>;

/// Opens a file; `.gz` and `.zst` are unpacked. The bytes read from the file itself are added to `stored`.
pub(super) fn open(path: &Path, stored: &Arc<AtomicU64>) -> io::Result<Unpacked> {
    let file = Metered { file: File::open(path)?, stored: Arc::clone(stored) };
    let buffered = |file| BufReader::with_capacity(1 << 18, file);
    Ok(match compression(path) {
        Compression::None => Box::new(file),
        Compression::Gzip => Box::new(MultiGzDecoder::new(buffered(file))),
        Compression::Zstd => Box::new(Zstd { source: buffered(file), decoder: FrameDecoder::new(), open: false }),
    })
}

/// How a file is compressed, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

fn compression(path: &Path) -> Compression {
    match path.extension().and_then(|suffix| suffix.to_str()) {
        Some(suffix) if suffix.eq_ignore_ascii_case("gz") => Compression::Gzip,
        Some(suffix) if suffix.eq_ignore_ascii_case("zst") => Compression::Zstd,
        _ => Compression::None,
    }
}

/// The suffix of a file's name that says what it holds, in lower case, past that of a compression.
pub(super) fn content_suffix(path: &Path) -> String {
    let name = if compression(path) == Compression::None { Some(path.as_os_str()) } else { path.file_stem() };
    let suffix = name.and_then(|name| Path::new(name).extension());
    suffix.map_or_else(String::new, |suffix| suffix.to_string_lossy().to_lowercase())
}

/// A file that says how much of it has been read.
struct Metered {
    file: File,
    stored: Arc<AtomicU64>,
}

impl Read for Metered {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(bytes)?;
        self.stored.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// The frames of a Zstandard file, one after the other, with their checksums verified.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    /// Whether a frame is under way.
    open: bool,
}

impl<R: BufRead> Zstd<R> {
    /// Begins the next frame; `false` at the end of the file.
    fn begin_frame(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let length = u64::from(length);
                    if io::copy(&mut self.source.by_ref().take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
        Ok(false)
    }

    fn check_frame(&self) -> io::Result<()> {
        match (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum()) {
            (Some(stated), Some(found)) if stated != found => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "a checksum of the Zstandard file is wrong"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.open {
                self.open = self.begin_frame()?;
                if !self.open {
                    return Ok(0);
                }
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let some = BlockDecodingStrategy::UptoBytes(bytes.len());
                self.decoder
                    .decode_blocks(&mut self.source, some)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            }
            let read = self.decoder.read(bytes)?;
            if read > 0 {
                return Ok(read);
            }
            self.check_frame()?;
            self.open = false;
        }
    }
}
