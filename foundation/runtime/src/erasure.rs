//! The erasure ledger: which ids were erased, and when, outside of log, snapshots and backups.
//!
//! A backup brings back what was erased after it was made. So each erasure is written here, too, synced before it is
//! acknowledged; and a start, after replay and before anything is served, erases again what the restored state still
//! holds, by new records. Ids are opaque: the ledger says nothing about anybody.
//!
//! The ledger is a text: a line an erasure, `system id seconds checksum`, the checksum (xxh3-64) over the rest. A last line
//! that is torn was never acknowledged and is cut off; damage before it refuses the start.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use xxhash_rust::xxh3::xxh3_64;

use crate::error::{ReadError, SubmitError};
use crate::machine::{StateMachine, Timestamp};
use crate::partition::{Origin, Partition};
use crate::sabotage::{self, Sabotage};

/// A system that holds something of people under an id, and can forget it.
pub trait Erase: StateMachine {
    /// The system's name in the ledger: without spaces, never changed.
    const NAME: &'static str;

    /// Whether the state still holds something under this id.
    fn holds(&self, id: u64) -> bool;

    /// The command that makes the state forget it, whatever else it asks for first; and the bucket it concerns.
    fn erasure(id: u64) -> (u16, Self::Command);
}

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// The file.
    #[error("the erasure ledger {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not what was written.
    #[error("the erasure ledger {}, line {line}: its bytes are not what was written: restore the file from its copy", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// The restored state could not be read.
    #[error("erasures of before cannot be repeated: {0}")]
    Read(#[from] ReadError),
    /// The log did not take an erasure again.
    #[error("erasures of before cannot be repeated: {0}")]
    Submit(#[from] SubmitError),
}

/// What the ledger does to its file; a test has one that loses what was not synced.
pub trait Tape: Send + 'static {
    /// All of it.
    fn read(&mut self) -> io::Result<Vec<u8>>;
    /// Cuts it to this length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Writes at its end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Brings it to the device.
    fn sync(&mut self) -> io::Result<()>;
}

impl Tape for File {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.seek(SeekFrom::Start(0))?;
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.sync_all()
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::End(0))?;
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// The ledger. One for all systems of a process.
pub struct Erasures {
    path: PathBuf,
    inner: Mutex<Inner>,
}

struct Inner {
    tape: Box<dyn Tape>,
    length: u64,
    known: BTreeMap<(String, u64), i64>,
    /// A sync failed: what is on the device is not known any more.
    broken: bool,
}

fn sealed(text: &str) -> String {
    format!("{text} {:016x}\n", xxh3_64(text.as_bytes()))
}

fn parse(line: &str) -> Option<((String, u64), i64)> {
    let (text, checksum) = line.rsplit_once(' ')?;
    if u64::from_str_radix(checksum, 16).ok()? != xxh3_64(text.as_bytes()) {
        return None;
    }
    let mut parts = text.split(' ');
    let system = parts.next().filter(|system| !system.is_empty())?.to_owned();
    let (id, at) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some(((system, id), at))
}

impl Erasures {
    /// The ledger in this file, which is made, for this user only, with the folder it lies in.
    pub fn open(path: &Path) -> Result<Erasures, ErasureError> {
        let open = || {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or_else(|| Path::new("."));
            fs::create_dir_all(folder)?;
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
            File::open(folder)?.sync_all()?;
            Ok(file)
        };
        let file = open().map_err(|source| ErasureError::Io { path: path.to_owned(), source })?;
        Erasures::on(path, file)
    }

    /// The ledger on a tape; the path is for messages.
    pub fn on(path: &Path, mut tape: impl Tape) -> Result<Erasures, ErasureError> {
        let failed = |source| ErasureError::Io { path: path.to_owned(), source };
        let bytes = tape.read().map_err(failed)?;
        let (mut known, mut length, mut lines) = (BTreeMap::new(), 0, 0);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            lines += 1;
            let text = line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
            let Some((key, at)) = text.and_then(parse) else {
                if length + line.len() < bytes.len() {
                    return Err(ErasureError::Damaged { path: path.to_owned(), line: lines });
                }
                tracing::warn!(path = %path.display(), "cut a torn line off the erasure ledger");
                break;
            };
            known.insert(key, at);
            length += line.len();
        }
        let torn = length < bytes.len();
        let length = length as u64;
        if torn {
            tape.cut(length).map_err(failed)?;
        }
        let inner = Inner { tape: Box::new(tape), length, known, broken: false };
        Ok(Erasures { path: path.to_owned(), inner: Mutex::new(inner) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes an erasure down, unless it stands there. When this returns, it is on the device: only then may the erasure
    /// be acknowledged.
    pub fn record<M: Erase>(&self, id: u64, at: Timestamp) -> Result<(), ErasureError> {
        let mut inner = self.inner();
        let key = (M::NAME.to_owned(), id);
        if inner.known.contains_key(&key) {
            return Ok(());
        }
        let seconds = at.0.div_euclid(1_000_000_000);
        let line = sealed(&format!("{} {id} {seconds}", M::NAME));
        inner
            .write(line.as_bytes())
            .map_err(|source| ErasureError::Io { path: self.path.clone(), source })?;
        inner.known.insert(key, seconds);
        Ok(())
    }

    /// What was erased of a system: ids, and seconds since 1970.
    pub fn of<M: Erase>(&self) -> Vec<(u64, i64)> {
        let inner = self.inner();
        let own = inner.known.iter().filter(|((system, _), _)| system == M::NAME);
        own.map(|((_, id), at)| (*id, *at)).collect()
    }

    /// Erases again what a partition still holds, which was restored from before: after its replay, before it serves.
    /// Answers how many that were.
    pub fn repeat<M: Erase>(&self, partition: &Partition<M>) -> Result<usize, ErasureError> {
        let erased: Vec<u64> = self.of::<M>().into_iter().map(|(id, _)| id).collect();
        if erased.is_empty() || sabotage::lacks(Sabotage::ErasureRepeat) {
            return Ok(0);
        }
        let held = partition.read_blocking(0, move |state| {
            erased.into_iter().filter(|id| state.holds(*id)).collect::<Vec<u64>>()
        })?;
        for id in &held.value {
            let (bucket, command) = M::erasure(*id);
            partition.submit_blocking(Origin::system(bucket), &command)?;
            tracing::info!(system = M::NAME, id, "erased again: it had come back with a backup");
        }
        Ok(held.value.len())
    }
}

impl Inner {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("a sync has failed: restart once the device is repaired"));
        }
        if let Err(error) = self.tape.append(line) {
            // A full disk: what was written of the line goes, or the next line would be damage.
            self.broken = self.tape.cut(self.length).is_err();
            return Err(error);
        }
        if !sabotage::lacks(Sabotage::ErasureSync) {
            self.tape.sync().inspect_err(|_| self.broken = true)?;
        }
        self.length += line.len() as u64;
        Ok(())
    }
}
