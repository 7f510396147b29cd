//! An ordered, durable log of partitions.
//!
//! Whoever owns a partition appends [`BatchBuilder`]s of opaque records and is told, through its [`Listener`], when
//! they are durable; anybody reads a partition from any offset and follows it. Nothing in this crate knows what a
//! record means.
//!
//! [`Log`] is the contract. [`EmbeddedLog`] keeps it on one machine: a directory of segment files in which the batches
//! of all partitions lie in the order they came, so that they share each sync of the device.
//!
//! ```
//! use std::sync::{Arc, mpsc};
//! use decalog_log::{Allowance, BatchBuilder, Durability, EmbeddedLog, Listener, Log, LogError, Options, PartitionId};
//!
//! struct Owner(mpsc::Sender<u64>);
//! impl Listener for Owner {
//!     fn advanced(&self, durable: u64, _synced: u64) {
//!         let _ = self.0.send(durable);
//!     }
//!     fn failed(&self, error: Arc<LogError>) {
//!         panic!("{error}");
//!     }
//! }
//!
//! # let directory = tempfile::tempdir()?;
//! # let options = Options::small();
//! let log = EmbeddedLog::open(directory.path(), options)?;
//! let orders = PartitionId(1);
//! let (told, news) = mpsc::channel();
//! let next = log.open(orders, Durability::Fsync, Arc::new(Owner(told)))?.next;
//!
//! let mut batch = BatchBuilder::new();
//! batch.push(b"buy 3")?;
//! batch.push(b"sell 5")?;
//! log.append(orders, next, &batch, Allowance::Ordinary)?;
//! assert_eq!(news.recv()?, 2); // both are on the device
//!
//! let mut reader = log.read(orders, 1)?;
//! let batch = reader.next()?.expect("what is durable can be read");
//! assert_eq!(batch.records().nth(1), Some((1, &b"sell 5"[..])));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it promises
//!
//! * **Order.** A partition's records have dense offsets; an append says which it expects, and a wrong one is refused.
//! * **Durability.** A record below [`Extent::synced`] survives a power cut; one below [`Extent::durable`] survives
//!   what its partition's [`Durability`] says. After a start, every such record is there, and what is there is a
//!   prefix of what was submitted, over all partitions.
//! * **No silent loss.** A torn tail is cut off and reported ([`Recovery`]). Damage to bytes that were synced refuses
//!   the start and names segment, byte and remedy ([`Damage`]). In the last group written before a crash the two look
//!   alike: a loss there is reported as a cut. Once idle, or closed in order, the journal marks that group too.
//! * **No lies about a device.** A failed sync ends the log: every owner is told, nothing more is acknowledged, and
//!   the process should stop. The next start writes again what was not stated durable before it shows it.
//! * **A full disk loses nothing.** An append that has no space is refused whole ([`AppendError::Full`]); reads go on;
//!   a reserve takes what must still be logged ([`Allowance::Reserve`]); appends go on once space returns.
//! * **Sealed**, when [`Options::seal`] has keys: payloads are encrypted under the key that their frame names, bound to
//!   partition, offset, count and context. A missing or wrong key is an error that names segment and key; recovery and
//!   verification need none. Headers (offsets, times of writing by their order, contexts) stay open.
//! * **One process.** A second start in a directory is refused and names the process that holds it.
//! * **Quick.** An append is a write to the page cache under a short mutex, without allocating. At [`Durability::Os`] no
//!   other thread is involved; at [`Durability::Fsync`] one thread syncs for everybody, and what is appended meanwhile
//!   goes into its next sync. Readers do not hold appenders up.
//!
//! # What it does not
//!
//! * It keeps what its partitions have not trimmed: one that never trims keeps every segment from its oldest record on.
//!   Copying old batches elsewhere first (an archive) is for whoever wants to keep them longer.
//! * It does not replicate.
//! * It reads everything it keeps at each start, to see that it is whole. The runtime replays the same bytes anyway.
//!
//! # Where to look
//!
//! The layout of a segment file stands in `journal/format.rs`, how a torn tail is told from damage in
//! `journal/survey.rs`, how a start repairs in `journal/recovery.rs`. [`storage`] is the only door to a disk, with a
//! simulated one that tears, forgets and fails on demand; [`Journal`] is the log without threads, for simulations.
//! [`inspect`] looks at a directory without changing it. With the feature `sabotage`, [`Options`] can take a
//! [`Guarantee`] out, so that tests show they would notice.

#![forbid(unsafe_code)]

mod batch;
mod embedded;
mod error;
pub mod inspect;
mod journal;
mod options;
pub mod storage;

use std::sync::Arc;

pub use batch::{
    Batch, BatchBuilder, Context, FramingError, MAX_BATCH_BYTES, MAX_RECORD_BYTES, PushError,
    RECORD_PREFIX_BYTES, Records,
};
pub use embedded::EmbeddedLog;
pub use error::{AppendError, Damage, LogError};
pub use journal::{Cut, Journal, Progress, Recovery};
pub use options::{Guarantee, OnSync, Options};

/// Names one partition of a log; the caller chooses the numbers (the runtime packs system and index).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(pub u32);

/// The place of a record in its partition: dense, from 0.
pub type Offset = u64;

/// How much a partition asks of the disk before a record counts as durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Durable once synced to the device.
    Fsync,
    /// Durable once written; synced at least every so many milliseconds. A power cut may lose acknowledged work.
    Interval {
        /// Milliseconds between syncs.
        millis: u32,
    },
    /// Durable once handed to the operating system. A power cut may lose acknowledged work.
    Os,
}

/// May an append use the space that is held back for a full disk?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// No: it is refused with [`AppendError::Full`] before the reserve is touched.
    Ordinary,
    /// Yes: what must still be logged on a full disk (heartbeats, refusals, a logout).
    Reserve,
}

/// Where a partition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The oldest offset that can be read.
    pub first: Offset,
    /// The offset the next record gets.
    pub next: Offset,
    /// Every record below is durable at the partition's level.
    pub durable: Offset,
    /// Every record below is synced to the device.
    pub synced: Offset,
}

/// Is told of progress, on the thread that made it; must return quickly and must not call the log.
///
/// For [`Durability::Fsync`] both numbers move together, after a sync. At the other levels a record is durable when
/// `append` returns, which tells its caller so; the listener is called when `synced` has moved.
pub trait Listener: Send + Sync {
    /// Every record below `durable` is durable at the partition's level, every one below `synced` is on the device.
    fn advanced(&self, durable: Offset, synced: Offset);
    /// The log has failed for good (a failed sync, say): nothing appended since will become durable.
    fn failed(&self, error: Arc<LogError>);
}

/// An ordered durable log of partitions. One owner appends to a partition; anybody reads.
pub trait Log: Send + Sync + 'static {
    /// Takes the partition for appending (creating it when new), at the given level. One owner at a time.
    fn open(
        &self,
        partition: PartitionId,
        durability: Durability,
        listener: Arc<dyn Listener>,
    ) -> Result<Extent, LogError>;

    /// Gives a partition up, so that it can be opened again. What was appended still becomes durable, but the
    /// listener is not told any more. Does nothing when the partition is not open.
    fn close(&self, partition: PartitionId);

    /// Appends a batch whose first record must get `expected`. Returns once the batch is written in order; the
    /// listener says when it is durable. The returned extent tells an `Os` owner at once that it already is,
    /// so that no other thread is involved.
    fn append(
        &self,
        partition: PartitionId,
        expected: Offset,
        batch: &BatchBuilder,
        allowance: Allowance,
    ) -> Result<Extent, AppendError>;

    /// Asks for a sync soon and returns at once: for owners at a level that does not wait for the device and that
    /// have something which must (a message to another partition, an effect). The listener tells when it is done.
    fn request_sync(&self, partition: PartitionId);

    /// The partitions this log holds, in order.
    fn partitions(&self) -> Vec<PartitionId>;

    /// Where a partition stands, or `None` when it was never opened.
    fn extent(&self, partition: PartitionId) -> Option<Extent>;

    /// Reads durable batches from the one that holds `from`. The reader ends (`Ok(None)`) at the durable end and
    /// goes on when called again later (tailing).
    fn read(&self, partition: PartitionId, from: Offset) -> Result<Box<dyn Reader>, LogError>;

    /// The owner no longer needs records below `below` (a synced snapshot covers them).
    fn trim(&self, partition: PartitionId, below: Offset) -> Result<(), LogError>;
}

/// Reads one partition's batches in order.
pub trait Reader: Send {
    /// The next durable batch, or `None` at the durable end.
    fn next(&mut self) -> Result<Option<Batch<'_>>, LogError>;
}
