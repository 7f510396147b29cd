//! Tables for machines whose state grows with history: everything `apply` reads is in them.
//!
//! The machine reads and writes through [`Tables`]; what a log batch changed becomes one atomic batch that carries the
//! offset, and is handed to the [`Backing`] only once the log batch is on the device: so the tables are never ahead of
//! what the log can lose, and after a crash the log is replayed from where the tables are. A bug throws away what is
//! not handed over yet. The simulator runs the same code over [`ModelBacking`].

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::codec::{put_bytes, put_u128, take_bytes, take_u128};
use crate::ledger::Ledger;
use crate::machine::Digest;
use crate::sabotage::{self, Sabotage};

/// What one log batch changed: a value, or `None` for a removal, by key.
pub type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;
/// Is called with each entry's key and value.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> io::Result<()> + 'a;
/// Entries in the order of their keys.
pub type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// Ordered keys and values that survive a restart.
pub trait Backing: Send + Sync + 'static {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>>;
    /// The entries whose keys begin so, in order.
    fn scan(&self, prefix: &[u8]) -> io::Result<Entries>;
    /// Makes all of these changes or none of them, even through a crash.
    fn commit(&self, changes: &Changes) -> io::Result<()>;
    /// When this returns, everything committed before survives a power cut.
    fn sync(&self) -> io::Result<()>;
    /// The entries as they are now, whatever is committed later.
    fn view(&self) -> Box<dyn View>;
}

/// A frozen picture of a [`Backing`].
pub trait View: Send {
    /// Calls back for every entry in the order of the keys.
    fn each(&self, visit: &mut Visit<'_>) -> io::Result<()>;
}

/// The machine's keys begin with this byte, the runtime's own with the one before.
const MACHINE: u8 = 1;
const RUNTIME: u8 = 0;
const HEAD: &[u8] = &[RUNTIME, b'h'];
const POST: &[u8] = &[RUNTIME, b'p'];
const REPLY: &[u8] = &[RUNTIME, b'r'];

struct Sealed {
    applied: u64,
    changes: Changes,
}

/// A machine's tables, with what is not handed to the backing yet.
pub struct Tables {
    backing: Arc<dyn Backing>,
    open: Changes,
    sealed: VecDeque<Sealed>,
    digest: Digest,
    /// The dedupe window's entries that the sealed batches hold or held.
    replies: std::ops::Range<u64>,
    failure: OnceLock<String>,
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tables").field("digest", &self.digest).finish_non_exhaustive()
    }
}

fn machine_key(key: &[u8]) -> Vec<u8> {
    [&[MACHINE], key].concat()
}

fn entry_digest(key: &[u8], value: &[u8]) -> Digest {
    Digest::of(key).then(value)
}

fn reply_key(number: u64) -> Vec<u8> {
    [REPLY, &number.to_be_bytes()].concat()
}

impl Tables {
    /// Tables over what this backing holds.
    pub fn new(backing: Arc<dyn Backing>) -> Tables {
        Tables {
            backing,
            open: Changes::new(),
            sealed: VecDeque::new(),
            digest: Digest::default(),
            replies: 0..0,
            failure: OnceLock::new(),
        }
    }

    /// The value of a key.
    ///
    /// # Panics
    /// When the backing fails; the runtime tells that from a bug of the machine and stops the process.
    pub fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.look_up(&machine_key(key))
    }

    fn look_up(&self, key: &[u8]) -> Option<Vec<u8>> {
        let layers =
            std::iter::once(&self.open).chain(self.sealed.iter().rev().map(|sealed| &sealed.changes));
        for layer in layers {
            if let Some(change) = layer.get(key) {
                return change.clone();
            }
        }
        let found = self.backing.get(key);
        self.insist(found)
    }

    /// The entries whose keys begin so, in order. Panics as [`Tables::get`] does.
    pub fn scan(&self, prefix: &[u8]) -> Entries {
        let prefix = machine_key(prefix);
        let found = self.backing.scan(&prefix);
        let mut merged: Changes =
            self.insist(found).into_iter().map(|(key, value)| (key, Some(value))).collect();
        for layer in self.sealed.iter().map(|sealed| &sealed.changes).chain([&self.open]) {
            let changes = layer.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix));
            merged.extend(changes.map(|(key, change)| (key.clone(), change.clone())));
        }
        merged.into_iter().filter_map(|(key, value)| Some((key[1..].to_vec(), value?))).collect()
    }

    /// Sets a key's value. Panics as [`Tables::get`] does.
    pub fn put(&mut self, key: &[u8], value: &[u8]) {
        self.change(key, Some(value.to_vec()));
    }

    /// Removes a key. Panics as [`Tables::get`] does.
    pub fn remove(&mut self, key: &[u8]) {
        self.change(key, None);
    }

    fn change(&mut self, key: &[u8], value: Option<Vec<u8>>) {
        let key = machine_key(key);
        if let Some(old) = self.look_up(&key) {
            self.digest = self.digest.without(entry_digest(&key, &old));
        }
        if let Some(new) = &value {
            self.digest = self.digest.with(entry_digest(&key, new));
        }
        self.open.insert(key, value);
    }

    /// The fingerprint of all entries, kept up to date entry by entry: what [`crate::StateMachine::digest`] returns.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    fn insist<T>(&self, result: io::Result<T>) -> T {
        result.unwrap_or_else(|error| {
            // The first failure is the one to report.
            let _ = self.failure.set(error.to_string());
            panic!("the tables cannot be read: {error}")
        })
    }

    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    pub(crate) fn backing(&self) -> &Arc<dyn Backing> {
        &self.backing
    }

    /// A log batch is applied: its changes, with the runtime's share of the state, become one batch of the tables.
    pub(crate) fn seal(&mut self, ledger: &Ledger) {
        let mut changes = std::mem::take(&mut self.open);
        let mut head = Vec::new();
        let written = ledger.write_head(&mut head).and_then(|()| put_u128(&mut head, self.digest.0));
        written.expect("memory takes every write");
        let mut post = Vec::new();
        ledger.post.snapshot(&mut post).expect("memory takes every write");
        changes.insert(HEAD.to_vec(), Some(head));
        changes.insert(POST.to_vec(), Some(post));
        let numbers = ledger.dedupe.numbers();
        for (number, entry) in ledger.dedupe.entries_from(self.replies.end) {
            changes.insert(reply_key(number), Some(entry));
        }
        for number in self.replies.start..numbers.start.min(self.replies.end) {
            changes.insert(reply_key(number), None);
        }
        self.replies = numbers;
        self.sealed.push_back(Sealed { applied: ledger.applied, changes });
    }

    /// Hands over every batch whose records are on the device.
    pub(crate) fn persist(&mut self, synced: u64) -> io::Result<()> {
        let early = sabotage::lacks(Sabotage::TableSync);
        while self.sealed.front().is_some_and(|sealed| sealed.applied <= synced || early) {
            self.backing.commit(&self.sealed[0].changes)?;
            self.sealed.pop_front();
        }
        Ok(())
    }

    /// Takes the runtime's share of the state from the backing, when there is one.
    pub(crate) fn load(&mut self, ledger: &mut Ledger) -> io::Result<()> {
        let Some(head) = self.backing.get(HEAD)? else { return Ok(()) };
        let from = &mut &head[..];
        ledger.read_head(from)?;
        self.digest = Digest(take_u128(from)?);
        if let Some(post) = self.backing.get(POST)? {
            ledger.post = crate::delivery::Post::restore(&mut &post[..])?;
        }
        for (key, entry) in self.backing.scan(REPLY)? {
            if ledger.dedupe.numbers().is_empty() {
                let number = key[REPLY.len()..].try_into().map_err(io::Error::other)?;
                ledger.dedupe.start_at(u64::from_be_bytes(number));
            }
            ledger.dedupe.restore_entry(&mut &entry[..])?;
        }
        self.replies = ledger.dedupe.numbers();
        Ok(())
    }

    /// Writes the machine's entries as they are now: what [`crate::StateMachine::snapshot`] of a table-backed machine
    /// does in the harness. The product scans a [`View`] instead.
    pub fn snapshot(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut merged: Changes =
            self.backing.scan(&[MACHINE])?.into_iter().map(|(key, value)| (key, Some(value))).collect();
        for layer in self.sealed.iter().map(|sealed| &sealed.changes).chain([&self.open]) {
            let machines = layer.iter().filter(|(key, _)| key[0] == MACHINE);
            merged.extend(machines.map(|(key, change)| (key.clone(), change.clone())));
        }
        for (key, value) in merged {
            if let Some(value) = value {
                write_entry(out, &key, &value)?;
            }
        }
        out.write_all(&0_u32.to_le_bytes())
    }

    /// Takes entries that [`Tables::snapshot`] wrote, into empty tables.
    pub fn restore(&mut self, from: &mut dyn Read) -> io::Result<()> {
        loop {
            let key = take_bytes(from)?;
            if key.is_empty() {
                return Ok(());
            }
            let value = take_bytes(from)?;
            self.digest = self.digest.with(entry_digest(&key, &value));
            self.open.insert(key, Some(value));
        }
    }
}

fn write_entry(out: &mut dyn Write, key: &[u8], value: &[u8]) -> io::Result<()> {
    put_bytes(out, key)?;
    put_bytes(out, value)
}

/// Writes a picture of whole tables, the runtime's share included; returns the offset it stands for.
pub(crate) fn write_view(view: &dyn View, out: &mut dyn Write) -> io::Result<()> {
    view.each(&mut |key, value| write_entry(out, key, value))?;
    out.write_all(&0_u32.to_le_bytes())
}

/// The offset that a backing's committed batches have come to.
pub(crate) fn committed(backing: &dyn Backing) -> io::Result<u64> {
    let head = backing.get(HEAD)?.unwrap_or_else(|| vec![0; 8]);
    Ok(u64::from_le_bytes(head.get(..8).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default()))
}

/// Fills an empty backing from a picture of another: a new replica, or a restored backup.
pub fn fill(backing: &dyn Backing, from: &mut dyn Read) -> io::Result<()> {
    let mut changes = Changes::new();
    loop {
        let key = take_bytes(from)?;
        if key.is_empty() {
            break;
        }
        changes.insert(key, Some(take_bytes(from)?));
    }
    backing.commit(&changes)?;
    backing.sync()
}

/// Tables in memory that know what a power cut would leave: for tests and the simulator. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct ModelBacking {
    model: Arc<Mutex<Model>>,
}

#[derive(Debug, Default)]
struct Model {
    seen: BTreeMap<Vec<u8>, Vec<u8>>,
    synced: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl ModelBacking {
    /// Empty tables.
    pub fn new() -> ModelBacking {
        ModelBacking::default()
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the power: what was not synced is gone.
    pub fn crash(&self) {
        let mut model = self.model();
        model.seen = model.synced.clone();
    }
}

impl Backing for ModelBacking {
    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        Ok(self.model().seen.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8]) -> io::Result<Entries> {
        let model = self.model();
        let entries = model.seen.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
        Ok(entries.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn commit(&self, changes: &Changes) -> io::Result<()> {
        let mut model = self.model();
        for (key, change) in changes {
            match change {
                Some(value) => drop(model.seen.insert(key.clone(), value.clone())),
                None => drop(model.seen.remove(key)),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut model = self.model();
        model.synced = model.seen.clone();
        Ok(())
    }

    fn view(&self) -> Box<dyn View> {
        Box::new(Picture(self.model().seen.clone()))
    }
}

struct Picture(BTreeMap<Vec<u8>, Vec<u8>>);

impl View for Picture {
    fn each(&self, visit: &mut Visit<'_>) -> io::Result<()> {
        self.0.iter().try_for_each(|(key, value)| visit(key, value))
    }
}
