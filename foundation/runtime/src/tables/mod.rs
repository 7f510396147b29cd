//! Tables for machines whose state grows with history: everything `apply` reads is in them.
//!
//! The machine reads and writes through [`Tables`]; what a log batch changed becomes one atomic batch that carries the
//! offset, and is handed to the [`Backing`] only once the log batch is on the device: so the tables are never ahead of
//! what the log can lose, and after a crash the log is replayed from where the tables are. A bug throws away what is
//! not handed over yet. The product's backing is a [`Database`], the simulator runs the same code over [`ModelBacking`].

mod fjall;
mod merge;
mod model;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};
use std::sync::{Arc, OnceLock};

pub use self::fjall::Database;
pub use self::model::ModelBacking;

use self::merge::Merge;

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

/// Which of many entries come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The smallest keys.
    Rising,
    /// The largest keys.
    Falling,
}

/// Ordered keys and values that survive a restart.
pub trait Backing: Send + Sync + 'static {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>>;
    /// The first entries in this order, at most so many, of those whose keys are at least `from` and below `to`.
    fn range(&self, from: &[u8], to: &[u8], order: Order, most: usize) -> io::Result<Entries>;
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

/// The first key that is above all that begin so; nothing but bytes 255 has none, and gets itself.
pub fn end_of(prefix: &[u8]) -> Vec<u8> {
    let kept = prefix.iter().rposition(|byte| *byte < u8::MAX);
    let mut end = kept.map_or(prefix, |last| &prefix[..=last]).to_vec();
    if kept.is_some()
        && let Some(last) = end.last_mut()
    {
        *last += 1;
    }
    end
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

    /// All entries whose keys begin so, in order. Panics as [`Tables::get`] does.
    pub fn scan(&self, prefix: &[u8]) -> Entries {
        let prefix = machine_key(prefix);
        self.between(&prefix, &end_of(&prefix), Order::Rising, usize::MAX)
    }

    /// The first entries in this order, at most so many, of those whose keys are at least `from` and below `to`. Costs what
    /// it gives, however many there are. Panics as [`Tables::get`] does.
    pub fn range(&self, from: &[u8], to: &[u8], order: Order, most: usize) -> Entries {
        self.between(&machine_key(from), &machine_key(to), order, most)
    }

    fn between(&self, from: &[u8], to: &[u8], order: Order, most: usize) -> Entries {
        if from >= to {
            return Entries::new();
        }
        let layers =
            std::iter::once(&self.open).chain(self.sealed.iter().rev().map(|sealed| &sealed.changes));
        let found = Merge::new(&*self.backing, layers, (from, to), order).take(most);
        let entries = self.insist(found).into_iter();
        entries.map(|(key, value)| (key[1..].to_vec(), value)).collect()
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
        for (key, entry) in self.backing.range(REPLY, &end_of(REPLY), Order::Rising, usize::MAX)? {
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
        let found = self.backing.range(&[MACHINE], &end_of(&[MACHINE]), Order::Rising, usize::MAX)?;
        let mut merged: Changes = found.into_iter().map(|(key, value)| (key, Some(value))).collect();
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Put(Vec<u8>, u8),
        Remove(Vec<u8>),
        /// A log batch ends; so many before it have reached the device.
        Seal,
        Persist,
        Get(Vec<u8>),
        Range(Vec<u8>, Vec<u8>, bool, usize),
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(0), Just(1), Just(254), Just(255)], 0..4)
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (key(), any::<u8>()).prop_map(|(key, value)| Step::Put(key, value)),
            2 => key().prop_map(Step::Remove),
            1 => Just(Step::Seal),
            1 => Just(Step::Persist),
            2 => key().prop_map(Step::Get),
            3 => (key(), key(), any::<bool>(), 0_usize..6)
                .prop_map(|(from, to, falling, most)| Step::Range(from, to, falling, most)),
        ]
    }

    fn holds(backing: Arc<dyn Backing>, steps: &[Step]) -> Result<(), TestCaseError> {
        let (mut tables, mut obvious) = (Tables::new(backing), BTreeMap::new());
        let mut ledger = Ledger::new(4);
        for step in steps {
            match step {
                Step::Put(key, value) => {
                    tables.put(key, &[*value]);
                    obvious.insert(key.clone(), vec![*value]);
                }
                Step::Remove(key) => {
                    tables.remove(key);
                    obvious.remove(key);
                }
                Step::Seal => {
                    ledger.applied += 1;
                    tables.seal(&ledger);
                }
                Step::Persist => tables.persist(ledger.applied.saturating_sub(1)).unwrap(),
                Step::Get(key) => prop_assert_eq!(tables.get(key), obvious.get(key).cloned()),
                Step::Range(from, to, falling, most) => {
                    let order = if *falling { Order::Falling } else { Order::Rising };
                    let within = obvious.iter().filter(|(key, _)| *key >= from && *key < to);
                    let mut expected: Entries =
                        within.map(|(key, value)| (key.clone(), value.clone())).collect();
                    if *falling {
                        expected.reverse();
                    }
                    expected.truncate(*most);
                    prop_assert_eq!(tables.range(from, to, order, *most), expected);
                    let begins = obvious.iter().filter(|(key, _)| key.starts_with(from)).count();
                    prop_assert_eq!(tables.scan(from).len(), begins);
                }
            }
        }
        Ok(())
    }

    /// Counts the entries that are asked for.
    struct Counting(ModelBacking, std::sync::atomic::AtomicUsize);

    impl Backing for Counting {
        fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
            self.0.get(key)
        }

        fn range(&self, from: &[u8], to: &[u8], order: Order, most: usize) -> io::Result<Entries> {
            self.1.fetch_add(most, std::sync::atomic::Ordering::Relaxed);
            self.0.range(from, to, order, most)
        }

        fn commit(&self, changes: &Changes) -> io::Result<()> {
            self.0.commit(changes)
        }

        fn sync(&self) -> io::Result<()> {
            self.0.sync()
        }

        fn view(&self) -> Box<dyn View> {
            self.0.view()
        }
    }

    #[test]
    fn a_range_costs_what_it_gives_however_much_is_not_handed_over_yet() {
        let backing = Arc::new(Counting(ModelBacking::new(), std::sync::atomic::AtomicUsize::new(0)));
        let mut tables = Tables::new(Arc::clone(&backing) as Arc<dyn Backing>);
        (0..10_000_u32).for_each(|number| tables.put(&number.to_be_bytes(), b"value"));
        let newest = tables.range(&[], &[255; 5], Order::Falling, 2);
        assert_eq!(newest.len(), 2);
        assert!(backing.1.load(std::sync::atomic::Ordering::Relaxed) <= 2);
    }

    proptest! {
        #[test]
        fn a_range_is_what_a_map_gives_wherever_its_entries_are(steps in prop::collection::vec(step(), 1..80)) {
            holds(Arc::new(ModelBacking::new()), &steps)?;
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn tables_on_disk_give_the_same(steps in prop::collection::vec(step(), 1..80)) {
            // Room for all rows, for two, for none.
            for cache_bytes in [1 << 20, 512, 0] {
                let folder = tempfile::tempdir().unwrap();
                let database = Database::open(folder.path(), cache_bytes, 1).unwrap();
                holds(Arc::new(database.partition(crate::PartitionId(7)).unwrap()), &steps)?;
            }
        }
    }

    #[test]
    fn the_end_of_a_prefix_is_above_all_that_begin_so() {
        for (prefix, end) in
            [(&[1_u8][..], &[2_u8][..]), (&[1, 255], &[2]), (&[1, 2, 255, 255], &[1, 3]), (&[255], &[255])]
        {
            assert_eq!(end_of(prefix), end);
        }
    }
}
