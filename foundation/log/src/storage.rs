//! The one door to the disk: a directory of fixed-length files. Everything the journal does to a device passes here,
//! so that the same journal runs over the file system ([`FileStorage`]) and over a simulated disk ([`SimDisk`]).
//!
//! The contract is that of a POSIX file system, no kinder: a write is readable at once but survives a power cut only
//! after [`File::sync`]; a created, renamed or removed name does so only after [`Storage::sync_directory`]; a power
//! cut keeps any part of what was not synced. Full storage is reported as [`io::ErrorKind::StorageFull`].

mod file;
mod sim;

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

pub use file::FileStorage;
pub use sim::{SimDisk, Survival, Unsynced};

use crate::LogError;

/// A directory of files that one journal owns.
pub trait Storage: Send + Sync + 'static {
    /// Takes the directory for this process until the guard is dropped; fails with [`LogError::Locked`] when
    /// somebody else has it.
    fn lock(&self) -> Result<Box<dyn Lock>, LogError>;

    /// The names in the directory, in order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes a file of this length that reads as zeroes, with its space reserved. An older file of the name is replaced.
    fn create(&self, name: &str, length: u64) -> io::Result<Arc<dyn File>>;

    /// Opens a file; `write` asks for more than reading.
    fn open(&self, name: &str, write: bool) -> io::Result<Arc<dyn File>>;

    /// Gives a file a new name, replacing what had it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a name. Open handles keep working.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes every create, rename and remove so far survive a power cut.
    fn sync_directory(&self) -> io::Result<()>;

    /// Where it is, for messages.
    fn location(&self) -> &Path;
}

/// Holds a directory for one process; dropping it gives the directory free.
pub trait Lock: Send + Sync {}

/// An open file.
pub trait File: Send + Sync {
    /// Its length in bytes.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` from `position`; reading past the end is an error.
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes the parts one after the other from `position`. The parts may be consumed on the way.
    fn write_at(&self, position: u64, parts: &mut [IoSlice<'_>]) -> io::Result<()>;

    /// Writes zeroes where nothing but zeroes is, so that later writes there need no work on the file's metadata.
    fn zero(&self, position: u64, length: u64) -> io::Result<()>;

    /// Makes every write so far survive a power cut. After an error nothing is known about them; a second try
    /// that succeeds proves nothing.
    fn sync(&self) -> io::Result<()>;
}
