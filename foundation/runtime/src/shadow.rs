//! The shadow: a second instance that makes snapshots off the hot thread and checks the live one's digests.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::oneshot;

/// Why a snapshot was not made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The partition is shutting down.
    #[error("the partition has been shut down")]
    Closed,
    /// The shadow's state is not the live one's: one of them is wrong. No snapshot was written.
    #[error("the shadow came to another state than the live partition at offset {offset}: {reason}")]
    Diverged {
        /// Where they were compared.
        offset: u64,
        /// What differs.
        reason: String,
    },
    /// The snapshot could not be written or the log not read.
    #[error("the snapshot could not be made: {0}")]
    Failed(String),
}

type Request = oneshot::Sender<Result<u64, SnapshotError>>;

#[derive(Default)]
pub(crate) struct Shadow {
    requests: Mutex<Vec<Request>>,
    newest: AtomicU64,
    diverged: AtomicBool,
}

impl Shadow {
    pub(crate) fn request(&self) -> Result<oneshot::Receiver<Result<u64, SnapshotError>>, SnapshotError> {
        let (sender, receiver) = oneshot::channel();
        self.requests.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(sender);
        Ok(receiver)
    }

    pub(crate) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    pub(crate) fn diverged(&self) -> bool {
        self.diverged.load(Ordering::Acquire)
    }
}
