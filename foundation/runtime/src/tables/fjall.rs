//! Tables on disk: `fjall`, a log-structured merge tree.

use std::io;
use std::path::Path;

use fjall::{Database as Fjall, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};

use super::{Backing, Changes, Entries, Order, View, Visit};
use crate::machine::PartitionId;

/// The tables of a system's partitions, in one folder. They share a journal, a cache and the threads that compact.
#[derive(Clone)]
pub struct Database(Fjall);

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

impl Database {
    /// Opens the folder, or begins one. `cache_bytes` bounds what is kept in memory of blocks that were read.
    pub fn open(folder: &Path, cache_bytes: u64) -> io::Result<Database> {
        let database = Fjall::builder(folder).cache_size(cache_bytes).open().map_err(io::Error::other)?;
        Ok(Database(database))
    }

    /// A partition's tables.
    pub fn partition(&self, partition: PartitionId) -> io::Result<impl Backing + use<>> {
        let keyspace = self.0.keyspace(&name_of(partition), KeyspaceCreateOptions::default);
        let keyspace = keyspace.map_err(io::Error::other)?;
        Ok(Partition { database: self.0.clone(), keyspace })
    }

    /// Rewrites the files of these partitions, and the journal that they share, without what was removed or overwritten.
    /// Takes as long as reading all of them; reads and writes go on meanwhile.
    pub fn forget(&self, partitions: &[PartitionId]) -> io::Result<()> {
        let open =
            |partition: &PartitionId| self.0.keyspace(&name_of(*partition), KeyspaceCreateOptions::default);
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
        let filler = self.0.keyspace(FILLER, KeyspaceCreateOptions::default)?;
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
        self.0.delete_keyspace(filler)
    }
}

/// Tables that are there only while a journal is filled.
const FILLER: &str = "filler";
/// A journal's file is finished when it has more than 64 MB.
const PIECES: u32 = 65;
const PIECE_BYTES: usize = 1 << 20;

fn name_of(partition: PartitionId) -> String {
    format!("p{:08x}", partition.0)
}

struct Partition {
    database: Fjall,
    keyspace: Keyspace,
}

impl Backing for Partition {
    fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        Ok(self.keyspace.get(key).map_err(io::Error::other)?.map(|value| value.to_vec()))
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
        let mut batch = self.database.batch();
        for (key, change) in changes {
            match change {
                Some(value) => batch.insert(&self.keyspace, &key[..], &value[..]),
                None => batch.remove(&self.keyspace, &key[..]),
            }
        }
        batch.commit().map_err(io::Error::other)
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
