//! The journal: one sequence of segment files that all partitions' batches share, and with them each sync.
//!
//! Here is everything but the threads: appending and reading by any thread, and the two kinds of background work as
//! explicit steps, [`Journal::sync_step`] and [`Journal::chore_step`], which [`crate::EmbeddedLog`] runs on two
//! threads and a simulation runs when it likes.
//!
//! * `format` lays out the bytes, `scan` walks them, `survey` judges what stands in all segments, `recovery` repairs.
//! * `seal` encrypts what is appended and decrypts what is read, when there are keys.
//! * `append` writes, `sync` makes durable, `chores` prepares and drops segments, `read` reads one partition.

mod append;
mod chores;
pub(crate) mod format;
pub(crate) mod index;
mod read;
mod recovery;
pub(crate) mod scan;
pub(crate) mod seal;
pub(crate) mod segment;
mod state;
pub(crate) mod survey;
mod sync;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

pub use recovery::{Cut, Recovery};
pub(crate) use state::State;
pub use sync::Progress;

use crate::storage::{Lock, Storage};
use crate::{
    Allowance, AppendError, BatchBuilder, Durability, Extent, Listener, Log, LogError, Offset, Options,
    PartitionId, Reader,
};

/// A journal without threads of its own. It is a [`Log`]; whoever holds it runs its steps.
pub struct Journal {
    core: Arc<Core>,
}

/// What appenders, readers and the background work share.
pub(crate) struct Core {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) options: Options,
    sealer: Option<seal::BatchSealer>,
    pub(crate) state: Mutex<State>,
    /// There is something to sync.
    pub(crate) work: Condvar,
    /// There is a chore: a segment to prepare, to index or to drop.
    pub(crate) chores: Condvar,
    /// A segment that was being made is made, or could not be.
    pub(crate) made: Condvar,
    round: Mutex<sync::Round>,
    chore: Mutex<()>,
    lock: Mutex<Option<Box<dyn Lock>>>,
    pub(crate) recovery: Recovery,
}

impl Journal {
    /// Takes the storage and recovers what is in it: cuts a torn tail off and reports it, refuses damage.
    pub fn open(storage: Arc<dyn Storage>, options: Options) -> Result<Self, LogError> {
        Ok(Self { core: Arc::new(Core::open(storage, options)?) })
    }

    /// What the start found.
    pub fn recovery(&self) -> &Recovery {
        &self.core.recovery
    }

    /// Syncs what was written so far, moves the partitions on and tells their listeners. What is appended meanwhile
    /// is for the next step.
    pub fn sync_step(&self) -> Result<Progress, LogError> {
        self.core.sync_step().map_err(LogError::Failed)
    }

    /// Marks the last group as durable, when everything written is synced and no mark stands yet, and syncs the
    /// mark: for a journal that has fallen idle.
    pub fn mark_step(&self) -> Result<Progress, LogError> {
        self.core.mark_step().map_err(LogError::Failed)
    }

    /// Does what is due in the background: logs trims, writes indexes, drops segments that nobody needs, prepares
    /// the next segment.
    pub fn chore_step(&self) -> Result<(), LogError> {
        self.core.chore_step().map_err(LogError::Failed)
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Readers may live on; the directory is free all the same.
        self.core.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Core {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the journal: nothing more is acknowledged, every owner is told.
    pub(crate) fn fail(&self, error: LogError) -> Arc<LogError> {
        let error = Arc::new(error);
        let mut state = self.state();
        if let Some(first) = &state.failed {
            return Arc::clone(first);
        }
        tracing::error!(%error, "the log has failed");
        state.failed = Some(Arc::clone(&error));
        let listeners: Vec<_> = state.partitions.values().filter_map(|p| p.listener.clone()).collect();
        drop(state);
        self.made.notify_all();
        self.work.notify_all();
        self.chores.notify_all();
        for listener in listeners {
            listener.failed(Arc::clone(&error));
        }
        error
    }

    fn io(&self, action: &str, name: &str, source: io::Error) -> LogError {
        LogError::Io { action: format!("{action} {}", self.storage.location().join(name).display()), source }
    }
}

impl Log for Journal {
    fn open(
        &self,
        partition: PartitionId,
        durability: Durability,
        listener: Arc<dyn Listener>,
    ) -> Result<Extent, LogError> {
        let mut state = self.core.state();
        if let Some(failed) = &state.failed {
            return Err(LogError::Failed(Arc::clone(failed)));
        }
        state.open(partition, durability, listener)
    }

    fn close(&self, partition: PartitionId) {
        if let Some(partition) = self.core.state().partitions.get_mut(&partition) {
            partition.listener = None;
        }
    }

    fn append(
        &self,
        partition: PartitionId,
        expected: Offset,
        batch: &BatchBuilder,
        allowance: Allowance,
    ) -> Result<Extent, AppendError> {
        self.core.append(partition, expected, batch, allowance)
    }

    fn request_sync(&self, _partition: PartitionId) {
        let mut state = self.core.state();
        state.want_now = true;
        self.core.wake_sync(state);
    }

    fn partitions(&self) -> Vec<PartitionId> {
        self.core.state().partitions.keys().copied().collect()
    }

    fn extent(&self, partition: PartitionId) -> Option<Extent> {
        self.core.state().partitions.get(&partition).map(|partition| partition.extent())
    }

    fn read(&self, partition: PartitionId, from: Offset) -> Result<Box<dyn Reader>, LogError> {
        read::JournalReader::new(&self.core, partition, from)
            .map(|reader| Box::new(reader) as Box<dyn Reader>)
    }

    fn trim(&self, partition: PartitionId, below: Offset) -> Result<(), LogError> {
        let mut state = self.core.state();
        state.trim(partition, below)?;
        self.core.wake_chores(state);
        Ok(())
    }
}
