//! Looking at a log from outside: what `decalog log cat` and `decalog log verify` need. Nothing here writes.

use std::fmt;

use decalog_log::{Log, LogError, PartitionId};
use serde::Serialize;
use zerocopy::FromBytes;

use crate::config::Make;
use crate::error::{Bug, Divergence, StartError};
use crate::machine::{DecodeError, Digest, StateMachine};
use crate::record::{Acknowledgement, Delivery, Own, split};
use crate::recover::{Checker, History, Stopped};
use crate::replica::Replica;
use crate::skip::Skips;
use crate::snapshot;
use crate::store::Store;

/// A record's header, decoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its place.
    pub offset: u64,
    /// Nanoseconds since 1970 UTC.
    pub stamp: i64,
    /// The rules it was appended under.
    pub rules: u32,
    /// What it is: the runtime's name for its own kinds, `command` for the machine's.
    pub what: &'static str,
    /// The kind and version of the command, also of one that another partition sent.
    pub kind: u16,
    /// See `kind`.
    pub version: u16,
    /// The key bucket or unit.
    pub bucket: u16,
    /// Who asked.
    pub principal: u64,
    /// The client instance.
    pub client: u64,
    /// Its sequence number; for messages and acknowledgements, the message's.
    pub sequence: u64,
    /// For messages and acknowledgements, the other partition.
    pub partner: Option<u32>,
    /// Bytes of the body.
    pub body_bytes: usize,
}

/// Decodes a record's header.
pub fn line(offset: u64, record: &[u8]) -> Result<Line, DecodeError> {
    let (header, body) = split(record)?;
    let kind = header.kind.get();
    let own = Own::from_kind(kind);
    let mut line = Line {
        offset,
        stamp: header.stamp.get(),
        rules: header.rules.get(),
        what: own.map_or("command", Own::name),
        kind,
        version: header.version.get(),
        bucket: header.bucket.get(),
        principal: header.principal.get(),
        client: header.client.get(),
        sequence: header.sequence.get(),
        partner: None,
        body_bytes: body.len(),
    };
    match own {
        Some(Own::Delivery) => {
            let (front, body) = Delivery::ref_from_prefix(body)
                .map_err(|_| DecodeError::new(kind, 1, "a message without its front"))?;
            (line.kind, line.version) = (front.kind.get(), front.version.get());
            (line.partner, line.sequence) = (Some(front.source.get()), front.sequence.get());
            line.body_bytes = body.len();
        }
        Some(Own::Acknowledge) => {
            let news = Acknowledgement::read_from_bytes(body)
                .map_err(|_| DecodeError::new(kind, 1, "an acknowledgement of another length"))?;
            (line.partner, line.sequence) = (Some(news.target.get()), news.sequence.get());
        }
        _ => {}
    }
    Ok(line)
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {}v{} rules {}",
            self.offset, self.stamp, self.what, self.kind, self.version, self.rules
        )?;
        write!(f, " bucket {} principal {}", self.bucket, self.principal)?;
        if let Some(partner) = self.partner {
            write!(f, " partner {partner:08x} sequence {}", self.sequence)?;
        } else if self.client != 0 {
            write!(f, " client {} sequence {}", self.client, self.sequence)?;
        }
        write!(f, " {} bytes", self.body_bytes)
    }
}

/// What a verification went through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Replay began here: at the log's beginning, or at the oldest snapshot.
    pub from: u64,
    /// The log's end.
    pub upto: u64,
    /// Batch headers whose digest was compared.
    pub compared: u64,
    /// The offsets of the snapshots found to hold the state that replay comes to.
    pub snapshots: Vec<u64>,
    /// The state's digest at the end, in hexadecimal.
    pub digest: String,
}

/// What a verification found.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Replay comes to other replies or events than were given.
    #[error(transparent)]
    Diverged(#[from] Divergence),
    /// A snapshot holds another state than replay comes to.
    #[error("partition {}: the snapshot at offset {offset} has digest {snapshot}, replay comes to {replay}", .partition.0)]
    Snapshot {
        /// The partition.
        partition: PartitionId,
        /// The snapshot.
        offset: u64,
        /// Its state's digest.
        snapshot: Digest,
        /// The replay's.
        replay: Digest,
    },
    /// A record cannot be applied.
    #[error("partition {}: offset {offset} cannot be applied: {bug}", .partition.0)]
    Bug {
        /// The partition.
        partition: PartitionId,
        /// The record.
        offset: u64,
        /// Why.
        bug: Bug,
    },
    /// The log or a snapshot cannot be read.
    #[error(transparent)]
    Unreadable(#[from] StartError),
}

impl From<LogError> for VerifyError {
    fn from(error: LogError) -> Self {
        VerifyError::Unreadable(error.into())
    }
}

/// Replays a partition from its oldest snapshot (or the log's beginning) to its end and compares every digest that
/// was written down: those in batch headers and those of the snapshots on the way.
pub fn verify<M: StateMachine>(
    log: &dyn Log,
    store: &dyn Store,
    partition: PartitionId,
    make: &Make<M>,
) -> Result<Verified, VerifyError> {
    let unreadable = |source| {
        let path = store.place(&crate::skip::shelf(partition));
        VerifyError::Unreadable(StartError::Io { action: "read", path, source })
    };
    let extent = log.extent(partition).ok_or(LogError::NoPartition { partition })?;
    let skips = Skips::read(store, partition).map_err(unreadable)?;
    let history = History { partition, log, store, make, skips: &skips };
    let mut replica = if extent.first == 0 { history.empty()? } else { history.oldest(extent.first)? };
    let from = replica.ledger.applied;
    if from < extent.first {
        return Err(StartError::Gap { partition, first: extent.first, snapshot: from }.into());
    }
    let mut checker = Checker::default();
    let mut snapshots = Vec::new();
    for offset in snapshot::list(store, partition).map_err(unreadable)? {
        if offset < from || offset > extent.durable {
            continue;
        }
        advance(&history, &mut replica, &mut checker, offset)?;
        let kept = history.restore(offset)?;
        if kept.ledger.applied != offset {
            // Broken, or made with other skips: a start does not use it either, and says so.
            continue;
        }
        let (found, expected) = (kept.digest(), replica.digest());
        if found != expected {
            return Err(VerifyError::Snapshot { partition, offset, snapshot: found, replay: expected });
        }
        snapshots.push(offset);
    }
    advance(&history, &mut replica, &mut checker, extent.durable)?;
    let (upto, compared, digest) = (replica.ledger.applied, checker.compared, replica.digest().to_string());
    Ok(Verified { from, upto, compared, snapshots, digest })
}

fn advance<M: StateMachine>(
    history: &History<'_, M>,
    replica: &mut Replica<M>,
    checker: &mut Checker,
    upto: u64,
) -> Result<(), VerifyError> {
    history.replay(replica, checker, upto, &mut |_, _, _| {}).map_err(|stopped| match stopped {
        Stopped::Log(error) => error.into(),
        Stopped::Diverged(divergence) => divergence.into(),
        Stopped::Bug { offset, bug } => VerifyError::Bug { partition: history.partition, offset, bug },
    })
}
