//! Files that are whole or not there: written under another name in the same directory, synced, then renamed.
//!
//! The name stands for the old file until it stands for the whole new one, also after a crash. A link stays a link,
//! and a file that is replaced hands its permissions on.

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
        let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
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
            let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
            if let Ok(old) = fs::metadata(&self.path) {
                file.set_permissions(old.permissions())?;
            }
            file.sync_all()?;
            drop(file);
            fs::rename(&self.partial, &self.path)?;
            sync_directory(&self.path)
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

/// Makes a rename last. Only Unix lets a directory be opened and synced.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
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
    #[test]
    fn a_failed_commit_leaves_nothing_behind() {
        let directory = std::env::temp_dir().join(format!("tokmill-atomic-failed-{}", process::id()));
        let occupied = directory.join("occupied");
        fs::create_dir_all(&occupied).unwrap();
        fs::write(occupied.join("file"), b"").unwrap();
        let file = AtomicFile::create(&occupied).unwrap();
        assert!(matches!(file.commit(), Err(Error::Io { .. })));
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        fs::remove_dir_all(&directory).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let directory = std::env::temp_dir().join(format!("tokmill-atomic-link-{}", process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (path, link) = (directory.join("file"), directory.join("link"));
        fs::write(&path, b"old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&path, &link).unwrap();
        let mut file = AtomicFile::create(&link).unwrap();
        file.write_all(b"new").unwrap();
        file.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        fs::remove_dir_all(&directory).unwrap();
    }
}
