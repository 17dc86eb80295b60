//! Writing a file so that its name always stands for a whole file: the old one or the new one.
//!
//! The bytes go to a temporary file in the same directory, reach the disk, and then take the name in one step. After a
//! failure the temporary file is gone and the old file is as it was.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Replaces the file at `path`, or what a link there leads to, by `bytes`. The permissions of an old file stay.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    replace(&target, bytes).map_err(|error| Error::io(path, error))
}

fn replace(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = match target.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let Some(name) = target.file_name() else {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is not the name of a file"));
    };
    let (mut file, temporary) = Temporary::create(directory, name.to_string_lossy().as_ref())?;
    file.write_all(bytes)?;
    if let Ok(old) = fs::metadata(target) {
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()?;
    drop(file);
    temporary.rename(target)?;
    sync_directory(directory)
}

/// A temporary file, removed unless it is renamed.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    fn create(directory: &Path, name: &str) -> io::Result<(File, Self)> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = directory.join(format!(".{name}.{}-{number}.tmp", process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((file, Self { path })),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn rename(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.path.clear();
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // A failure is already on its way to the caller; a second one would hide it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes a rename last. Only Unix lets a directory be opened and synced.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of the test's own, removed at its end.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("tokmill-atomic-{}-{name}", process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn the_new_file_takes_the_place_of_the_old_one_and_nothing_else_is_left() {
        let directory = Directory::new("replace");
        let path = directory.0.join("file");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(directory.names(), ["file"]);
    }

    #[test]
    fn a_failure_leaves_no_temporary_file() {
        let directory = Directory::new("failure");
        let occupied = directory.0.join("occupied");
        fs::create_dir(&occupied).unwrap();
        fs::write(occupied.join("file"), b"").unwrap();
        assert!(matches!(write(&occupied, b"bytes"), Err(Error::Io { .. })));
        assert_eq!(directory.names(), ["occupied"]);
        assert!(matches!(write(&directory.0.join("absent").join("file"), b"bytes"), Err(Error::Io { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link() {
        let directory = Directory::new("link");
        let (file, link) = (directory.0.join("file"), directory.0.join("link"));
        fs::write(&file, b"old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&link, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
