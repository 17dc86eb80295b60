//! Files that are whole or not there: written under another name in the same directory, synced, then renamed.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// A file under construction. Dropped before [`Self::commit`], it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct AtomicFile {
    /// The name it gets in the end.
    path: PathBuf,
    /// The name it has until then.
    partial: PathBuf,
    /// `None` once committed.
    file: Option<BufWriter<File>>,
}

impl AtomicFile {
    /// Begins a file that will be at `path`, or replace what is there.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let Some(name) = path.file_name() else {
            return Err(Error::io(path, io::Error::new(io::ErrorKind::InvalidInput, "is not the name of a file")));
        };
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mut partial = std::ffi::OsString::from(".");
        partial.push(name);
        partial.push(format!(".{}.{serial}.partial", process::id()));
        let partial = path.with_file_name(partial);
        let file =
            File::options().write(true).create_new(true).open(&partial).map_err(|error| Error::io(path, error))?;
        Ok(Self { path: path.to_owned(), partial, file: Some(BufWriter::new(file)) })
    }

    /// Syncs the file and gives it its name.
    pub(crate) fn commit(mut self) -> Result<()> {
        let Some(writer) = self.file.take() else { return Ok(()) };
        let finish = || -> io::Result<()> {
            writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            fs::rename(&self.partial, &self.path)
        };
        finish().map_err(|error| {
            let _ = fs::remove_file(&self.partial);
            Error::io(&self.path, error)
        })
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_mut().map_or(Ok(0), |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_not_there() {
        let directory = std::env::temp_dir().join(format!("tokmill-atomic-{}", process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("file");
        let entries = || fs::read_dir(&directory).unwrap().count();

        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(entries(), 0);

        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"whole").unwrap();
        assert!(!path.exists());
        file.commit().unwrap();
        assert_eq!((fs::read(&path).unwrap(), entries()), (b"whole".to_vec(), 1));

        assert!(matches!(AtomicFile::create(&directory.join("absent/file")), Err(Error::Io { .. })));
        assert!(matches!(AtomicFile::create(Path::new("/")), Err(Error::Io { .. })));
        fs::remove_dir_all(&directory).unwrap();
    }
}
