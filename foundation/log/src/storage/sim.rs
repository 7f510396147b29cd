//! A disk in memory that behaves as badly as disks do, on demand: a power cut keeps whichever part of the unsynced
//! writes the test says, tears a write at any byte, forgets unsynced names; bits flip; space runs out; a sync fails
//! and drops what it should have written. Nothing happens by chance: a seed or an exact place comes from the test.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{File, Lock, Storage};
use crate::LogError;

/// The unit a device writes as a whole, in bytes.
const SECTOR: usize = 512;

/// What of the unsynced work survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// Nothing: only what was synced.
    Nothing,
    /// The first so many bytes of the unsynced writes, in the order they were made, and every name.
    Bytes(u64),
    /// Each sector of each unsynced write by the toss of a coin, one of them torn at a byte, and the first so many
    /// of the unsynced changes of names, all drawn from this seed. This is a device that writes in any order.
    Scattered(u64),
}

/// How much a power cut could destroy now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsynced {
    /// Bytes written and not synced.
    pub bytes: u64,
    /// Creates, renames and removes not synced.
    pub names: usize,
}

/// A simulated disk; clones are handles to the same one.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug, Default)]
struct Disk {
    /// How many power cuts there were: a handle from before one is dead.
    life: u64,
    locked: bool,
    capacity: Option<u64>,
    failing_syncs: Option<u64>,
    files: Vec<Inode>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    changes: Vec<Change>,
    /// Unsynced writes of all files, in the order they were made.
    writes: Vec<Write>,
    syncs: u64,
}

#[derive(Debug, Default)]
struct Inode {
    seen: Vec<u8>,
    synced: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Change {
    Link(String, usize),
    Unlink(String),
    Rename(String, String),
}

#[derive(Debug)]
struct Write {
    inode: usize,
    position: usize,
    bytes: Vec<u8>,
}

impl SimDisk {
    /// An empty disk without limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many bytes its files may have in all; `None` takes the limit away.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.disk().capacity = bytes;
    }

    /// Lets the sync after the next `successes` ones fail. It loses what it should have written but goes on showing
    /// it, as Linux does: a second sync that succeeds does not bring it back.
    pub fn fail_sync_after(&self, successes: u64) {
        self.disk().failing_syncs = Some(successes);
    }

    /// How many syncs of files and of the directory succeeded.
    pub fn syncs(&self) -> u64 {
        self.disk().syncs
    }

    /// What a power cut could destroy now.
    pub fn unsynced(&self) -> Unsynced {
        let disk = self.disk();
        Unsynced {
            bytes: disk.writes.iter().map(|write| write.bytes.len() as u64).sum(),
            names: disk.changes.len(),
        }
    }

    /// Cuts the power: open handles and the lock die, and of the unsynced work only `survival` is left.
    pub fn crash(&self, survival: Survival) {
        let mut disk = self.disk();
        let writes = std::mem::take(&mut disk.writes);
        let changes = std::mem::take(&mut disk.changes);
        match survival {
            Survival::Nothing => {}
            Survival::Bytes(count) => {
                let mut left = count;
                let each = |_: &Write| {
                    let keep = left > 0;
                    left = left.saturating_sub(1);
                    keep
                };
                disk.keep_bytes(&writes, each);
                disk.keep(&[], &changes, |_| true);
            }
            Survival::Scattered(seed) => disk.scatter(&writes, &changes, seed),
        }
        for file in &mut disk.files {
            file.seen = file.synced.clone();
        }
        disk.names = disk.synced_names.clone();
        disk.forget_unnamed();
        disk.life += 1;
        disk.locked = false;
        disk.failing_syncs = None;
    }

    /// Ends the process, but not the machine: open handles and the lock die, everything written stays readable and
    /// what was not synced stays so.
    pub fn kill(&self) {
        let mut disk = self.disk();
        disk.life += 1;
        disk.locked = false;
    }

    /// Flips one bit of a file, on the device and in the cache.
    pub fn flip(&self, name: &str, position: u64, bit: u8) -> io::Result<()> {
        self.alter(name, position, |byte| *byte ^= 1 << (bit % 8))
    }

    /// Overwrites bytes of a file, on the device and in the cache, as a misdirected write would.
    pub fn overwrite(&self, name: &str, position: u64, bytes: &[u8]) -> io::Result<()> {
        bytes.iter().zip(position..).try_for_each(|(value, at)| self.alter(name, at, |byte| *byte = *value))
    }

    /// A file's bytes as a reader sees them.
    pub fn contents(&self, name: &str) -> io::Result<Vec<u8>> {
        let disk = self.disk();
        Ok(disk.files[disk.find(name)?].seen.clone())
    }

    /// An independent disk with the same contents, nothing of it open.
    pub fn duplicate(&self) -> Self {
        let disk = self.disk();
        let files =
            disk.files.iter().map(|file| Inode { seen: file.seen.clone(), synced: file.synced.clone() });
        let writes = disk.writes.iter().map(|write| Write { bytes: write.bytes.clone(), ..*write });
        let copy = Disk {
            capacity: disk.capacity,
            files: files.collect(),
            names: disk.names.clone(),
            synced_names: disk.synced_names.clone(),
            changes: disk.changes.clone(),
            writes: writes.collect(),
            ..Disk::default()
        };
        Self { disk: Arc::new(Mutex::new(copy)) }
    }

    fn alter(&self, name: &str, position: u64, change: impl Fn(&mut u8)) -> io::Result<()> {
        let mut disk = self.disk();
        let inode = disk.find(name)?;
        let at = index(position)?;
        let file = &mut disk.files[inode];
        for bytes in [&mut file.seen, &mut file.synced] {
            change(bytes.get_mut(at).ok_or(io::ErrorKind::UnexpectedEof)?);
        }
        Ok(())
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    fn find(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Gives back the memory of files that nothing can reach after a power cut.
    fn forget_unnamed(&mut self) {
        let named = self.names.values().copied().collect::<Vec<_>>();
        for (inode, file) in self.files.iter_mut().enumerate() {
            if !named.contains(&inode) {
                *file = Inode::default();
            }
        }
    }

    /// Bytes of every file that has a name.
    fn used(&self) -> u64 {
        self.names.values().map(|inode| self.files[*inode].seen.len() as u64).sum()
    }

    fn sync(&mut self) -> io::Result<()> {
        match &mut self.failing_syncs {
            Some(0) => {
                self.failing_syncs = None;
                Err(io::Error::other("simulated device error"))
            }
            left => {
                if let Some(left) = left {
                    *left -= 1;
                }
                self.syncs += 1;
                Ok(())
            }
        }
    }

    fn keep(&mut self, writes: &[Write], changes: &[Change], mut survives: impl FnMut(&Write) -> bool) {
        for write in writes.iter().filter(|write| survives(write)) {
            put(&mut self.files[write.inode].synced, write.position, &write.bytes);
        }
        for change in changes {
            apply(&mut self.synced_names, change);
        }
    }

    fn keep_bytes(&mut self, writes: &[Write], mut survives: impl FnMut(&Write) -> bool) {
        for write in writes {
            for (at, byte) in write.bytes.iter().enumerate() {
                if survives(write) {
                    self.files[write.inode].synced[write.position + at] = *byte;
                }
            }
        }
    }

    fn scatter(&mut self, writes: &[Write], changes: &[Change], seed: u64) {
        let mut random = draw::Draw(seed);
        let torn = random.below(writes.len().max(1));
        for (number, write) in writes.iter().enumerate() {
            let mut start = 0;
            while start < write.bytes.len() {
                let aligned = SECTOR - (write.position + start) % SECTOR;
                let mut end = (start + aligned).min(write.bytes.len());
                let next = end;
                if random.below(2) == 0 {
                    if number == torn {
                        end = start + random.below(end - start + 1);
                    }
                    let bytes = &write.bytes[start..end];
                    put(&mut self.files[write.inode].synced, write.position + start, bytes);
                }
                start = next;
            }
        }
        let kept = random.below(changes.len() + 1);
        self.keep(&[], &changes[..kept], |_| true);
    }
}

/// A few pseudo-random draws (SplitMix64), so that the library needs no random-number crate.
mod draw {
    pub(super) struct Draw(pub(super) u64);

    impl Draw {
        pub(super) fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^= mixed >> 31;
            usize::try_from(mixed % bound as u64).unwrap_or(0)
        }
    }
}

fn put(file: &mut [u8], position: usize, bytes: &[u8]) {
    file[position..position + bytes.len()].copy_from_slice(bytes);
}

fn apply(names: &mut BTreeMap<String, usize>, change: &Change) {
    match change {
        Change::Link(name, inode) => {
            names.insert(name.clone(), *inode);
        }
        Change::Unlink(name) => {
            names.remove(name);
        }
        Change::Rename(from, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
    }
}

fn index(position: u64) -> io::Result<usize> {
    usize::try_from(position).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl Storage for SimDisk {
    fn lock(&self) -> Result<Box<dyn Lock>, LogError> {
        let mut disk = self.disk();
        if disk.locked {
            return Err(LogError::Locked { directory: self.location().to_owned(), pid: None });
        }
        disk.locked = true;
        Ok(Box::new(SimLock { disk: self.clone(), life: disk.life }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.disk().names.keys().cloned().collect())
    }

    fn create(&self, name: &str, length: u64) -> io::Result<Arc<dyn File>> {
        let mut disk = self.disk();
        let replaced = disk.names.get(name).map_or(0, |inode| disk.files[*inode].seen.len() as u64);
        if disk.capacity.is_some_and(|capacity| disk.used() - replaced + length > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let bytes = vec![0; index(length)?];
        let inode = disk.files.len();
        disk.files.push(Inode { seen: bytes.clone(), synced: bytes });
        let change = Change::Link(name.to_owned(), inode);
        apply(&mut disk.names, &change);
        disk.changes.push(change);
        Ok(Arc::new(SimFile { disk: self.clone(), inode, life: disk.life }))
    }

    fn open(&self, name: &str, _write: bool) -> io::Result<Arc<dyn File>> {
        let disk = self.disk();
        Ok(Arc::new(SimFile { disk: self.clone(), inode: disk.find(name)?, life: disk.life }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.find(from)?;
        let change = Change::Rename(from.to_owned(), to.to_owned());
        apply(&mut disk.names, &change);
        disk.changes.push(change);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.find(name)?;
        let change = Change::Unlink(name.to_owned());
        apply(&mut disk.names, &change);
        disk.changes.push(change);
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.sync()?;
        disk.changes.clear();
        disk.synced_names = disk.names.clone();
        Ok(())
    }

    fn location(&self) -> &Path {
        Path::new("simulated disk")
    }
}

struct SimLock {
    disk: SimDisk,
    life: u64,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut disk = self.disk.disk();
        if disk.life == self.life {
            disk.locked = false;
        }
    }
}

struct SimFile {
    disk: SimDisk,
    inode: usize,
    life: u64,
}

impl SimFile {
    fn disk(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let disk = self.disk.disk();
        if disk.life != self.life {
            return Err(io::Error::other("the handle is from before the power cut"));
        }
        Ok(disk)
    }
}

impl File for SimFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk()?.files[self.inode].seen.len() as u64)
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<()> {
        let disk = self.disk()?;
        let start = index(position)?;
        let bytes = disk.files[self.inode].seen.get(start..start + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, position: u64, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut disk = self.disk()?;
        let position = index(position)?;
        let bytes = parts.iter().flat_map(|part| part.iter().copied()).collect::<Vec<_>>();
        let seen = &mut disk.files[self.inode].seen;
        if position + bytes.len() > seen.len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        put(seen, position, &bytes);
        disk.writes.push(Write { inode: self.inode, position, bytes });
        Ok(())
    }

    fn zero(&self, _position: u64, _length: u64) -> io::Result<()> {
        // Its files are born as written zeroes.
        self.disk().map(drop)
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk()?;
        let outcome = disk.sync();
        let (own, others) = std::mem::take(&mut disk.writes).into_iter().partition(|w| w.inode == self.inode);
        let own: Vec<Write> = own;
        disk.writes = others;
        outcome?;
        disk.keep(&own, &[], |_| true);
        Ok(())
    }
}
