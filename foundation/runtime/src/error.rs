//! What can go wrong around a state machine. Refusals of a machine are replies and do not appear here.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use decalog_log::{LogError, PartitionId};

use crate::machine::DecodeError;

/// Why a command was not taken, or what became of it when it was. Unless the variant says otherwise, the command is
/// not in the log.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubmitError {
    /// The partition's queue is full: the caller is faster than the partition. Try again later.
    #[error("partition {} is overloaded: {waiting} commands wait already; try again later", .partition.0)]
    Overloaded {
        /// The partition.
        partition: PartitionId,
        /// Commands in its queue.
        waiting: usize,
    },
    /// The body is larger than a record may hold.
    #[error("a command of {bytes} bytes is larger than the {limit} a record may hold: store it as a blob")]
    TooLarge {
        /// The body's size.
        bytes: usize,
        /// The largest allowed.
        limit: usize,
    },
    /// The disk is full; reads go on, and writes do once space returns.
    #[error("the disk is full: {0}")]
    DiskFull(String),
    /// UTC was set forward; appends stop until an operator accepts it.
    #[error(
        "the clock gained {gain_millis} ms on the boot-time clock: correct it, or run `decalog clock accept`"
    )]
    ClockJumped {
        /// What UTC gained, in milliseconds.
        gain_millis: i64,
    },
    /// A bug stopped this partition. The command may be in the log: it is applied once the partition goes on.
    #[error(transparent)]
    Halted(#[from] Halt),
    /// The log failed; the process stops. The command may be in the log: only a restart tells.
    #[error("the log has failed: {0}")]
    LogFailed(Arc<LogError>),
    /// The partition has been shut down. A command that was taken before may be in the log.
    #[error("partition {} has been shut down", .0.0)]
    Closed(PartitionId),
}

/// A bug stopped a partition: a panic in `apply`, or a record that nobody can read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "partition {} is halted at offset {offset}: {reason}; reads go on with the state before it, and \
     `decalog log skip` lets writes go on without that record", .partition.0
)]
pub struct Halt {
    /// The partition.
    pub partition: PartitionId,
    /// The record that could not be applied.
    pub offset: u64,
    /// What happened.
    pub reason: Arc<str>,
}

/// Why a read was not answered.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// Too many reads wait already.
    #[error("partition {} is overloaded: {waiting} reads wait already; try again later", .partition.0)]
    Overloaded {
        /// The partition.
        partition: PartitionId,
        /// Reads in its queue.
        waiting: usize,
    },
    /// The state is being rebuilt after a bug.
    #[error("partition {} rebuilds its state; try again later", .0.0)]
    Rebuilding(PartitionId),
    /// The state will not get there: the partition is halted before it.
    #[error(transparent)]
    Halted(#[from] Halt),
    /// The partition has been shut down.
    #[error("partition {} has been shut down", .0.0)]
    Closed(PartitionId),
    /// The read itself panicked; the state is as it was.
    #[error("the read panicked: {0}")]
    Panicked(String),
}

/// Why a partition could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log refused.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A snapshot, skip list or journal could not be read or written.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The clock is behind what is already in the log.
    #[error(
        "the clock is {behind_millis} ms behind the last record of partition {}: correct it, or wait; stamps never run backwards",
        .partition.0
    )]
    ClockBehind {
        /// The partition.
        partition: PartitionId,
        /// Milliseconds.
        behind_millis: i64,
    },
    /// The log begins after the newest usable snapshot ends.
    #[error(
        "partition {}: the log begins at offset {first}, but the newest usable snapshot ends at {snapshot}: restore a backup of the snapshots",
        .partition.0
    )]
    Gap {
        /// The partition.
        partition: PartitionId,
        /// Where the log begins.
        first: u64,
        /// Where the newest usable snapshot ends.
        snapshot: u64,
    },
    /// The newest snapshot covers records that the log does not hold.
    #[error(
        "partition {}: the newest snapshot ends at offset {snapshot}, but the log ends at {next}: they are not of one piece; \
         restore the log that belongs to the snapshots, or remove the snapshots after {next}",
        .partition.0
    )]
    Ahead {
        /// The partition.
        partition: PartitionId,
        /// Where the log ends.
        next: u64,
        /// Where the newest snapshot ends.
        snapshot: u64,
    },
    /// A replay came to other replies or events than the log says were given.
    #[error(transparent)]
    Diverged(#[from] Divergence),
    /// The thread could not be started.
    #[error("cannot start the thread of partition {}: {source}", .partition.0)]
    Thread {
        /// The partition.
        partition: PartitionId,
        /// What the system said.
        source: io::Error,
    },
}

/// A replay came to other replies or events than those given before: the code changed its behaviour without a new
/// rules version, or is not deterministic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "partition {}: replay differs from what was answered, first between offsets {after} and {upto}: the log says {expected}, replay says {found}; \
     use the program that wrote this log, or raise the rules version with the change",
    .partition.0
)]
pub struct Divergence {
    /// The partition.
    pub partition: PartitionId,
    /// Up to here (exclusive) both agreed.
    pub after: u64,
    /// Here (exclusive) they differ.
    pub upto: u64,
    /// The digest in the log.
    pub expected: crate::machine::Digest,
    /// The digest of the replay.
    pub found: crate::machine::Digest,
}

/// Why a record could not be applied: always a bug, of the machine or of what wrote the record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bug {
    /// The machine panicked.
    #[error("panic: {0}")]
    Panic(String),
    /// The record is not what its kind and version promise.
    #[error(transparent)]
    Undecodable(#[from] DecodeError),
    /// No bug, but a failure of the environment: the tables could not be read.
    #[error("the tables have failed: {0}")]
    Tables(String),
    /// The record was appended under other rules than are in force.
    #[error("the record was appended under rules {record}, in force are {state}")]
    Rules {
        /// The record's rules.
        record: u32,
        /// The state's.
        state: u32,
    },
}
