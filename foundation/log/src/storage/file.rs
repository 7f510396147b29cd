//! Storage on the file system: positioned writes, `fdatasync`, and `fsync` of the directory.
//!
//! The directory lock is an advisory lock (`flock`) on a file that names the holder's process; the kernel gives it
//! free when the process ends, however it ends.

use std::fs::{self, File as StdFile, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Read as _, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FallocateFlags;

use super::{File, Lock, Storage};
use crate::LogError;

/// The lock file's name.
const LOCK: &str = "lock";

static ZEROES: [u8; 64 * 1024] = [0; 64 * 1024];

/// A directory of the file system.
#[derive(Debug)]
pub struct FileStorage {
    directory: PathBuf,
}

impl FileStorage {
    /// The directory, made when missing.
    pub fn new(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        if let Some(parent) = directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            StdFile::open(parent)?.sync_all()?;
        }
        Ok(Self { directory: directory.to_owned() })
    }

    /// The directory as it is; for reading only.
    pub fn existing(directory: &Path) -> io::Result<Self> {
        if !fs::metadata(directory)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { directory: directory.to_owned() })
    }

    fn lock_error(&self, action: &str, source: io::Error) -> LogError {
        LogError::Io { action: format!("{action} {}", self.directory.join(LOCK).display()), source }
    }
}

impl Storage for FileStorage {
    fn lock(&self) -> Result<Box<dyn Lock>, LogError> {
        let path = self.directory.join(LOCK);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| self.lock_error("open", e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let pid = file.read_to_string(&mut holder).ok().and_then(|_| holder.trim().parse().ok());
                return Err(LogError::Locked { directory: self.directory.clone(), pid });
            }
            Err(TryLockError::Error(e)) => return Err(self.lock_error("lock", e)),
        }
        let name_holder = |file: &mut StdFile| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        // On a full disk the lock still holds, it only cannot say by whom.
        if let Err(e) = name_holder(&mut file) {
            tracing::warn!(path = %path.display(), error = %e, "the lock file cannot name this process");
        }
        Ok(Box::new(FileLock { _file: file }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn create(&self, name: &str, length: u64) -> io::Result<Arc<dyn File>> {
        let path = self.directory.join(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        if length > 0
            && let Err(e) = reserve(&file, length)
        {
            // What was reserved until it failed must not stay behind on a full disk.
            drop(file);
            let _ = fs::remove_file(path);
            return Err(e);
        }
        Ok(Arc::new(DiskFile { file }))
    }

    fn open(&self, name: &str, write: bool) -> io::Result<Arc<dyn File>> {
        let file = OpenOptions::new().read(true).write(write).open(self.directory.join(name))?;
        Ok(Arc::new(DiskFile { file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.directory.join(from), self.directory.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.directory.join(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        StdFile::open(&self.directory)?.sync_all()
    }

    fn location(&self) -> &Path {
        &self.directory
    }
}

/// Gives the file its length and its space, so that a full disk shows before anything is written into it.
fn reserve(file: &StdFile, length: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, length) {
        // A file system without it gives the length only; the zeroes written later reserve the space.
        Err(rustix::io::Errno::OPNOTSUPP) => file.set_len(length),
        outcome => Ok(outcome?),
    }
}

struct FileLock {
    _file: StdFile,
}

impl Lock for FileLock {}

struct DiskFile {
    file: StdFile,
}

impl File for DiskFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, position)
    }

    fn write_at(&self, mut position: u64, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        while !parts.is_empty() {
            let written = match rustix::io::pwritev(&self.file, parts, position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(rustix::io::Errno::INTR) => continue,
                Err(e) => return Err(e.into()),
            };
            position += written as u64;
            IoSlice::advance_slices(&mut parts, written);
        }
        Ok(())
    }

    fn zero(&self, mut position: u64, length: u64) -> io::Result<()> {
        let end = position + length;
        while position < end {
            let step = usize::try_from(end - position).map_or(ZEROES.len(), |left| left.min(ZEROES.len()));
            self.file.write_all_at(&ZEROES[..step], position)?;
            position += step as u64;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        rustix::fs::fdatasync(&self.file).map_err(io::Error::from)
    }
}
