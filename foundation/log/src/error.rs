//! What can go wrong in a log: refusals of one append, and failures of the log itself.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use decalog_seal::SealError;

use crate::{Offset, PartitionId};

/// Why an append was refused. Nothing of the batch is in the log then.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else appended, or the caller is confused: the batch was made for another place in the partition.
    #[error("the batch was made for offset {expected}, but the next offset is {actual}")]
    Conflict {
        /// Where the caller wanted its first record.
        expected: Offset,
        /// Where it would be.
        actual: Offset,
    },
    /// The disk, or the journal's budget, is full. Reads go on; appends do again once space returns.
    #[error(
        "the log is full: {needed} bytes are needed, {available} are left for this append; free disk space or raise the log's budget"
    )]
    Full {
        /// Bytes the batch would take.
        needed: u64,
        /// Bytes that an append with this allowance may still use.
        available: u64,
    },
    /// The batch is larger than this log takes.
    #[error("a batch of {bytes} bytes is larger than the {limit} this log takes")]
    TooLarge {
        /// The batch's size.
        bytes: usize,
        /// The largest allowed.
        limit: usize,
    },
    /// A batch without a record.
    #[error("a batch must hold at least one record")]
    Empty,
    /// The partition was not opened, or given up since.
    #[error("partition {} is not open: open it before appending", .partition.0)]
    NotOpen {
        /// The partition.
        partition: PartitionId,
    },
    /// The log has failed for good; the process should stop and recover at its next start.
    #[error("the log has failed: {0}")]
    Failed(Arc<LogError>),
}

/// A failure of the log, or of a request to it other than an append.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Another process works in the directory.
    #[error("{} is in use by {}: stop it, or choose another data directory", .directory.display(), holder(*.pid))]
    Locked {
        /// The journal's directory.
        directory: PathBuf,
        /// The process that holds it, when its lock file says so.
        pid: Option<u32>,
    },
    /// The storage refused an operation.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, with the file's name.
        action: String,
        /// What the storage said.
        source: io::Error,
    },
    /// A sync failed. What was written since the last one may or may not be on the device, so no more is acknowledged.
    #[error(
        "cannot sync {file}: {source}; unsynced records may be lost, the log takes no more: restart to recover"
    )]
    SyncFailed {
        /// The file whose sync failed.
        file: String,
        /// What the storage said.
        source: io::Error,
    },
    /// The log failed before; it takes nothing more until it is started again.
    #[error("the log has failed: {0}")]
    Failed(Arc<LogError>),
    /// Bytes that were durable are not what was written.
    #[error("damage in {0}")]
    Damaged(Damage),
    /// A sealed batch cannot be opened, or one that is not sealed is refused.
    #[error("segment {segment} at byte {position}: {source}")]
    Sealed {
        /// The segment's number.
        segment: u64,
        /// The byte at which the batch's frame begins.
        position: u64,
        /// Why, with the key's number.
        source: SealError,
    },
    /// Nothing can be sealed.
    #[error("cannot seal what is appended: {source}")]
    Sealing {
        /// Why.
        source: SealError,
    },
    /// The partition was never opened and holds nothing.
    #[error("there is no partition {}", .partition.0)]
    NoPartition {
        /// The partition.
        partition: PartitionId,
    },
    /// The partition has an owner already.
    #[error("partition {} is open already: it has one owner at a time", .partition.0)]
    InUse {
        /// The partition.
        partition: PartitionId,
    },
    /// The records asked for are gone.
    #[error("offset {offset} of partition {} was trimmed: its oldest is {first}; start from a snapshot", .partition.0)]
    Trimmed {
        /// The partition.
        partition: PartitionId,
        /// What was asked for.
        offset: Offset,
        /// The oldest that can be read.
        first: Offset,
    },
    /// The offset lies after the partition's end.
    #[error("offset {offset} of partition {} does not exist yet: the next is {next}", .partition.0)]
    BeyondEnd {
        /// The partition.
        partition: PartitionId,
        /// What was asked for.
        offset: Offset,
        /// The offset the next record gets.
        next: Offset,
    },
    /// An option with a value that cannot work.
    #[error("log option {option} = {value}: {allowed}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// Its value.
        value: u64,
        /// What is allowed.
        allowed: String,
    },
}

/// Where bytes are not what was written, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("segment {segment} at byte {position}: {what}. {remedy}")]
pub struct Damage {
    /// The segment's number, as in its file name.
    pub segment: u64,
    /// The byte in the segment's file.
    pub position: u64,
    /// What is wrong there.
    pub what: String,
    /// What an operator can do.
    pub remedy: String,
}

fn holder(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}
