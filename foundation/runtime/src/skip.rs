//! Tombstones: the records an operator decided to leave out, in a synced list that is read before every replay.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Arc;

use decalog_log::PartitionId;

use crate::machine::Digest;
use crate::replica::Skipped;
use crate::store::Store;

/// One record left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// The record.
    pub offset: u64,
    /// The offset the log's next record had when this was decided: digests in batches before it belong to the
    /// history with the record.
    pub decided_at: u64,
    /// Why, in the operator's words.
    pub reason: String,
}

/// The list of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skips {
    skips: Vec<Skip>,
}

/// The prefix of everything a partition keeps in a [`Store`].
pub(crate) fn shelf(partition: PartitionId) -> String {
    format!("p{:08x}", partition.0)
}

fn name(partition: PartitionId) -> String {
    format!("{}/skips", shelf(partition))
}

impl Skips {
    /// Reads a partition's list; an absent one is empty.
    pub fn read(store: &dyn Store, partition: PartitionId) -> io::Result<Skips> {
        let mut text = String::new();
        match store.get(&name(partition)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Skips::default()),
            object => object?.read_to_string(&mut text)?,
        };
        let skips = text.lines().map(parse).collect::<io::Result<Vec<Skip>>>()?;
        Ok(Skips { skips })
    }

    /// Adds a record to a partition's list, synced. The partition must not be running; its next start goes on
    /// without the record. `next` is the log's next offset.
    pub fn add(
        store: &dyn Store,
        partition: PartitionId,
        offset: u64,
        next: u64,
        reason: &str,
    ) -> io::Result<()> {
        let mut list = Skips::read(store, partition)?;
        if list.skips.iter().any(|skip| skip.offset == offset) {
            return Ok(());
        }
        let reason = reason.replace(['\n', '\r', '\t'], " ");
        list.skips.push(Skip { offset, decided_at: next, reason });
        list.skips.sort_by_key(|skip| skip.offset);
        store.put(&name(partition), &mut |out| {
            list.skips.iter().try_for_each(|Skip { offset, decided_at, reason }| {
                writeln!(out, "{offset}\t{decided_at}\t{reason}")
            })
        })
    }

    /// The records left out, by offset.
    pub fn iter(&self) -> impl Iterator<Item = &Skip> {
        self.skips.iter()
    }

    pub(crate) fn offsets(&self) -> Skipped {
        Arc::new(self.skips.iter().map(|skip| skip.offset).collect::<BTreeSet<u64>>())
    }

    /// The fingerprint of the skips below an offset: state made with others is of no use.
    pub(crate) fn digest_below(&self, offset: u64) -> Digest {
        let below = self.skips.iter().take_while(|skip| skip.offset < offset);
        below.fold(Digest::default(), |digest, skip| digest.then(&skip.offset.to_le_bytes()))
    }

    /// Whether a digest of everything below `covers`, written at `written`, belongs to the history with these skips.
    pub(crate) fn comparable(&self, covers: u64, written: u64) -> bool {
        !self.skips.iter().any(|skip| skip.offset < covers && written < skip.decided_at)
    }
}

fn parse(line: &str) -> io::Result<Skip> {
    let mut parts = line.splitn(3, '\t');
    let mut number = || parts.next().and_then(|part| part.parse().ok());
    match (number(), number()) {
        (Some(offset), Some(decided_at)) => {
            Ok(Skip { offset, decided_at, reason: parts.next().unwrap_or("").to_owned() })
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("not a skip: {line:?}"))),
    }
}
