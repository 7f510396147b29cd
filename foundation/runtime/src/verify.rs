//! Is a partition's history what it was? Replays a journal that nobody changes meanwhile, from the oldest usable
//! snapshot, and compares the digests that were written while it ran. Reads only.

use std::sync::Arc;

use decalog_log::inspect::{Cat, Inspection};
use decalog_log::{
    Allowance, AppendError, Batch, BatchBuilder, Durability, Extent, Listener, Log, LogError, Offset,
    PartitionId, Reader,
};

use crate::config::Make;
use crate::error::{Divergence, Halt, StartError};
use crate::machine::{Digest, StateMachine};
use crate::recover::{Checker, History, Stopped};
use crate::skip::Skips;
use crate::store::Store;

/// What a replay found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Where the replay began: the offset of a snapshot, or 0.
    pub from: u64,
    /// Where it ended: the offset the next record gets.
    pub next: u64,
    /// How many digests from the journal were compared, and agreed.
    pub compared: u64,
    /// The fingerprint of the state at the end.
    pub state: Digest,
}

/// Why a history could not be replayed to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The journal could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A snapshot or the list of skips could not be read, or they and the journal do not belong together.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A record could not be applied.
    #[error(transparent)]
    Halted(#[from] Halt),
    /// The replay came to other answers than were given.
    #[error(transparent)]
    Diverged(#[from] Divergence),
}

/// Replays one partition of a journal.
pub fn replay<M: StateMachine>(
    journal: Inspection,
    store: &dyn Store,
    make: &Make<M>,
    partition: PartitionId,
) -> Result<Replayed, ReplayError> {
    let stat = journal.stat()?;
    let extent = stat.partitions.iter().find(|stat| stat.partition == partition);
    let (first, next) = extent.map_or((0, 0), |stat| (stat.first, stat.next));
    let log = ReadOnly { journal, first, next };
    let skips = Skips::read(store, partition).map_err(|source| StartError::Io {
        action: "read the skips of",
        path: store.place(&crate::skip::shelf(partition)),
        source,
    })?;
    let history = History { partition, log: &log, store, make, skips: &skips };
    let mut replica = history.oldest(first)?;
    let from = replica.ledger.applied;
    if from < first {
        return Err(StartError::Gap { partition, first, snapshot: from }.into());
    }
    let mut checker = Checker::default();
    let replayed = history.replay(&mut replica, &mut checker, next, &mut |_, _, _| {});
    match replayed {
        Ok(()) => Ok(Replayed {
            from,
            next: replica.ledger.applied,
            compared: checker.compared,
            state: replica.digest(),
        }),
        Err(Stopped::Log(error)) => Err(error.into()),
        Err(Stopped::Diverged(divergence)) => Err(divergence.into()),
        Err(Stopped::Bug { offset, bug }) => {
            Err(Halt { partition, offset, reason: Arc::from(bug.to_string()) }.into())
        }
    }
}

/// A journal as a log that is only read.
struct ReadOnly {
    journal: Inspection,
    first: Offset,
    next: Offset,
}

impl ReadOnly {
    fn refuse() -> LogError {
        LogError::Io {
            action: "write to a journal that is only looked at".to_owned(),
            source: std::io::ErrorKind::ReadOnlyFilesystem.into(),
        }
    }
}

impl Log for ReadOnly {
    fn open(&self, _: PartitionId, _: Durability, _: Arc<dyn Listener>) -> Result<Extent, LogError> {
        Err(Self::refuse())
    }

    fn close(&self, _: PartitionId) {}

    fn append(
        &self,
        _: PartitionId,
        _: Offset,
        _: &BatchBuilder,
        _: Allowance,
    ) -> Result<Extent, AppendError> {
        Err(AppendError::Failed(Arc::new(Self::refuse())))
    }

    fn request_sync(&self, _: PartitionId) {}

    fn partitions(&self) -> Vec<PartitionId> {
        Vec::new()
    }

    fn extent(&self, _: PartitionId) -> Option<Extent> {
        let Self { first, next, .. } = *self;
        Some(Extent { first, next, durable: next, synced: next })
    }

    fn read(&self, partition: PartitionId, from: Offset) -> Result<Box<dyn Reader>, LogError> {
        Ok(Box::new(Batches(self.journal.cat(partition, from)?)))
    }

    fn trim(&self, _: PartitionId, _: Offset) -> Result<(), LogError> {
        Err(Self::refuse())
    }
}

struct Batches(Cat);

impl Reader for Batches {
    fn next(&mut self) -> Result<Option<Batch<'_>>, LogError> {
        self.0.next_batch()
    }
}
