//! The key ring in memory: data keys by number, of which the newest seals.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};

use zeroize::Zeroizing;

use crate::cipher::{Cipher, KeyBytes, random};
use crate::ring_file::{self, Exclusive};
use crate::{MasterKey, SealError};

/// The key number of what is not sealed.
pub const UNSEALED: u32 = 0;

/// Data keys by number. They are made at random, lie wrapped in a file beside the data, and are never taken out: what
/// was sealed stays readable. Shared by everything that seals or opens.
pub struct KeyRing {
    path: PathBuf,
    accepts_unsealed: bool,
    active: AtomicU32,
    keys: RwLock<Keys>,
}

/// Data keys by number.
pub(crate) type Keys = BTreeMap<u32, KeyBytes>;

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("KeyRing");
        out.field("path", &self.path).field("active", &self.active()).finish_non_exhaustive()
    }
}

impl KeyRing {
    /// Makes a ring with one key, and its file. Refused when the file is there already.
    pub fn create(path: &Path, master: &MasterKey) -> Result<Self, SealError> {
        let lock = Exclusive::take(path)?;
        if path.exists() {
            return Err(SealError::Ring { path: path.to_owned(), what: "is there already".to_owned() });
        }
        let keys = Keys::from([(1, Zeroizing::new(random()?))]);
        ring_file::write(path, &keys, master, &lock)?;
        Ok(Self::of(path, keys))
    }

    /// Reads a ring.
    pub fn open(path: &Path, master: &MasterKey) -> Result<Self, SealError> {
        Ok(Self::of(path, ring_file::read(path, master)?))
    }

    fn of(path: &Path, keys: Keys) -> Self {
        let active = AtomicU32::new(newest(&keys));
        Self { path: path.to_owned(), accepts_unsealed: false, active, keys: RwLock::new(keys) }
    }

    /// Lets readers take what is not sealed: for a data directory that was written before sealing began. Without this
    /// an unsealed thing is refused, because anybody could have put it there.
    #[must_use]
    pub fn accepting_unsealed(mut self) -> Self {
        self.accepts_unsealed = true;
        self
    }

    /// May readers take what is not sealed?
    pub fn accepts_unsealed(&self) -> bool {
        self.accepts_unsealed
    }

    /// The number of the key that seals what is written from now on.
    pub fn active(&self) -> u32 {
        self.active.load(Ordering::Acquire)
    }

    /// The numbers of all keys.
    pub fn numbers(&self) -> Vec<u32> {
        self.read().keys().copied().collect()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a key to the file and seals with it from now on; gives its number. Another process that has the ring open
    /// goes on with the key before until it reads the file again ([`KeyRing::reload`]).
    pub fn rotate(&self, master: &MasterKey) -> Result<u32, SealError> {
        let lock = Exclusive::take(&self.path)?;
        let mut keys = ring_file::read(&self.path, master)?;
        let number = newest(&keys).checked_add(1).ok_or_else(|| SealError::Ring {
            path: self.path.clone(),
            what: "has used up its key numbers".to_owned(),
        })?;
        keys.insert(number, Zeroizing::new(random()?));
        ring_file::write(&self.path, &keys, master, &lock)?;
        self.take(keys);
        Ok(number)
    }

    /// Wraps the same keys by another master key. No data is touched.
    pub fn rewrap(&self, old: &MasterKey, new: &MasterKey) -> Result<(), SealError> {
        let lock = Exclusive::take(&self.path)?;
        let keys = ring_file::read(&self.path, old)?;
        ring_file::write(&self.path, &keys, new, &lock)?;
        self.take(keys);
        Ok(())
    }

    /// Reads the file again, after another process has rotated; gives the number of the key that seals from now on.
    /// A file that lacks a key which this ring has is refused: it is another ring, or an older one.
    pub fn reload(&self, master: &MasterKey) -> Result<u32, SealError> {
        let keys = ring_file::read(&self.path, master)?;
        let lost = self.read().iter().find(|(number, key)| keys.get(number) != Some(*key)).map(|(n, _)| *n);
        if let Some(number) = lost {
            let what = format!("does not hold key {number} any more");
            return Err(SealError::Ring { path: self.path.clone(), what });
        }
        self.take(keys);
        Ok(self.active())
    }

    fn take(&self, keys: Keys) {
        let active = newest(&keys);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        self.active.store(active, Ordering::Release);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A cipher for one use of a key.
    pub(crate) fn cipher(&self, number: u32, salt: &[u8], purpose: &str) -> Result<Cipher, SealError> {
        let keys = self.read();
        let key = keys.get(&number).ok_or(SealError::UnknownKey { key: number })?;
        Ok(Cipher::derive(key, salt, purpose))
    }
}

fn newest(keys: &Keys) -> u32 {
    keys.last_key_value().map_or(UNSEALED, |(number, _)| *number)
}
