//! Tables on disk: `fjall`, a log-structured merge tree.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fjall::config::PartitioningPolicy;
use fjall::{Database as Fjall, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};
use quick_cache::Weighter;
use quick_cache::unsync::Cache;

use super::{Backing, Changes, Entries, Order, View, Visit};
use crate::machine::PartitionId;

/// The tables of a system's partitions, in one folder. They share a journal, a cache of blocks and the threads that compact.
#[derive(Clone)]
pub struct Database {
    fjall: Fjall,
    /// The rows that partitions keep in memory: each at most so many bytes.
    rows: Arc<Mutex<BTreeMap<PartitionId, Kept>>>,
    rows_bytes: u64,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

impl Database {
    /// Opens the folder, or begins one. `cache_bytes` bounds what is kept in memory of what was read: one half as blocks,
    /// the other as rows, evenly for so many partitions.
    pub fn open(folder: &Path, cache_bytes: u64, partitions: u16) -> io::Result<Database> {
        let half = cache_bytes / 2;
        let fjall = Fjall::builder(folder).cache_size(half).max_journaling_size(JOURNALS_BYTES);
        let fjall = fjall.open().map_err(io::Error::other)?;
        Ok(Database { fjall, rows: Arc::default(), rows_bytes: half / u64::from(partitions.max(1)) })
    }

    /// A partition's tables.
    pub fn partition(&self, partition: PartitionId) -> io::Result<impl Backing + use<>> {
        let keyspace = self.fjall.keyspace(&name_of(partition), options);
        let keyspace = keyspace.map_err(io::Error::other)?;
        let rows = || {
            let expected = usize::try_from(self.rows_bytes / EXPECTED_BYTES).unwrap_or(usize::MAX);
            Arc::new(Mutex::new(Cache::with_weighter(expected, self.rows_bytes, Bytes)))
        };
        let mut all = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = Arc::clone(all.entry(partition).or_insert_with(rows));
        Ok(Partition { database: self.fjall.clone(), keyspace, rows })
    }

    /// Rewrites the files of these partitions, and the journal that they share, without what was removed or overwritten.
    /// Takes as long as reading all of them; reads and writes go on meanwhile.
    pub fn forget(&self, partitions: &[PartitionId]) -> io::Result<()> {
        let open = |partition: &PartitionId| self.fjall.keyspace(&name_of(*partition), options);
        let work = || {
            let keyspaces = partitions.iter().map(open).collect::<Result<Vec<_>, _>>()?;
            keyspaces.iter().try_for_each(Keyspace::rotate_memtable_and_wait)?;
            self.turn_journal()?;
            keyspaces.iter().try_for_each(|keyspace| {
                keyspace.rotate_memtable_and_wait()?;
                keyspace.major_compact()
            })
        };
        work().map_err(|error: fjall::Error| io::Error::other(error))
    }

    /// Fills the journal's file, so that it is finished and, as all of it stands in tables, removed.
    fn turn_journal(&self) -> fjall::Result<()> {
        let filler = self.fjall.keyspace(FILLER, KeyspaceCreateOptions::default)?;
        let mut piece = vec![0; PIECE_BYTES];
        let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
        for number in 0..PIECES {
            // What can be compressed fills nothing (xorshift64, Marsaglia 2003).
            for bytes in piece.chunks_exact_mut(8) {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                bytes.copy_from_slice(&noise.to_le_bytes());
            }
            filler.insert(number.to_be_bytes(), &piece[..])?;
        }
        filler.rotate_memtable_and_wait()?;
        self.fjall.delete_keyspace(filler)
    }
}

/// What is written lies in memory, of each partition, until it is so much: more is searched more slowly, and a start reads all
/// of it from journals, which take at most so much.
const MEMTABLE_BYTES: u64 = 16 << 20;
const JOURNALS_BYTES: u64 = 256 << 20;

/// What finds a row in a file is itself read in parts, but for the newest files': whole, it is hundreds of kilobytes each, and
/// where a cache cannot hold it for all files, every row that is looked for would read one.
fn options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .filter_block_partitioning_policy(PartitioningPolicy::new([false, true]))
        .index_block_partitioning_policy(PartitioningPolicy::new([false, true]))
}

/// Tables that are there only while a journal is filled.
const FILLER: &str = "filler";
/// A journal's file is finished when it has more than 64 MB.
const PIECES: u32 = 65;
const PIECE_BYTES: usize = 1 << 20;

fn name_of(partition: PartitionId) -> String {
    format!("p{:08x}", partition.0)
}

/// Rows that were read or written lately, by key; nothing for keys without one.
type Rows = Cache<Vec<u8>, Option<Vec<u8>>, Bytes>;
/// What a keyspace holds, as far as it is known. Locked while either changes, so that they never differ.
type Kept = Arc<Mutex<Rows>>;

/// What a row is expected to need, with all that belongs to it.
const EXPECTED_BYTES: u64 = 256;
/// What a row needs in memory besides its key and value.
const OVERHEAD: usize = 112;

/// Weighs rows by the memory that they need.
#[derive(Clone)]
struct Bytes;

impl Weighter<Vec<u8>, Option<Vec<u8>>> for Bytes {
    fn weight(&self, key: &Vec<u8>, value: &Option<Vec<u8>>) -> u64 {
        (OVERHEAD + key.len() + value.as_ref().map_or(0, Vec::len)) as u64
    }
}

struct Partition {
    database: Fjall,
    keyspace: Keyspace,
    rows: Kept,
}

impl Partition {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backing for Partition {
    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let mut rows = self.rows();
        if let Some(known) = rows.get(key) {
            return Ok(known.clone());
        }
        let found = self.keyspace.get(key).map_err(io::Error::other)?.map(|value| value.to_vec());
        rows.insert(key.to_vec(), found.clone());
        Ok(found)
    }

    fn range(&self, from: &[u8], to: &[u8], order: Order, most: usize) -> io::Result<Entries> {
        let entries = self.keyspace.range(from..to).map(fjall::Guard::into_inner);
        let entry = |(key, value): (fjall::UserKey, fjall::UserValue)| (key.to_vec(), value.to_vec());
        let entries: Result<Entries, _> = match order {
            Order::Rising => entries.take(most).map(|found| found.map(entry)).collect(),
            Order::Falling => entries.rev().take(most).map(|found| found.map(entry)).collect(),
        };
        entries.map_err(io::Error::other)
    }

    fn commit(&self, changes: &Changes) -> io::Result<()> {
        let mut rows = self.rows();
        let mut batch = self.database.batch();
        for (key, change) in changes {
            match change {
                Some(value) => batch.insert(&self.keyspace, &key[..], &value[..]),
                None => batch.remove(&self.keyspace, &key[..]),
            }
        }
        batch.commit().map_err(io::Error::other)?;
        // Whatever was not looked for, as the runtime's own, need not be known.
        for (key, change) in changes {
            if rows.contains_key(&key[..]) {
                rows.insert(key.clone(), change.clone());
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.database.persist(PersistMode::SyncAll).map_err(io::Error::other)
    }

    fn view(&self) -> Box<dyn View> {
        Box::new(Frozen(self.database.snapshot(), self.keyspace.clone()))
    }
}

struct Frozen(Snapshot, Keyspace);

impl View for Frozen {
    fn each(&self, visit: &mut Visit<'_>) -> io::Result<()> {
        for guard in self.0.iter(&self.1) {
            let (key, value) = guard.into_inner().map_err(io::Error::other)?;
            visit(&key, &value)?;
        }
        Ok(())
    }
}
