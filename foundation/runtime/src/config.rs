//! What a partition is started with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use decalog_log::{Durability, Log, LogError, PartitionId};
use decalog_seal::KeyRing;

use crate::clock::{Clock, SystemClock};
use crate::machine::StateMachine;
use crate::observer::Observer;
use crate::store::Store;
use crate::switchboard::Switchboard;

/// How partitions of a system behave. None of it changes what `apply` decides.
#[derive(Clone, Debug)]
pub struct Config {
    /// What an answer promises.
    pub durability: Durability,
    /// Commands that may wait in a partition's queue; more are refused as overloaded.
    pub queue_records: usize,
    /// Bytes of commands that may wait in a partition's queue.
    pub queue_bytes: usize,
    /// Batches that may be written and not yet durable; then the queue fills.
    pub flight_batches: usize,
    /// Reads that may wait.
    pub queue_reads: usize,
    /// How long reads may hold up the next batch.
    pub read_budget: Duration,
    /// How long a partition looks out for the next command before it sleeps, while commands come that quickly
    /// ([`crate::Lookout`]). Zero: not at all.
    pub spin: Duration,
    /// Records between two snapshots; 0 makes none by itself.
    pub snapshot_every: u64,
    /// Snapshots kept; the log and the event journal go back to the oldest.
    pub keep_snapshots: usize,
    /// What a state has forgotten is in no file of the partition after this time ([`crate::retention`]); `None` leaves it to
    /// counts and sizes.
    pub erase_within: Option<Duration>,
    /// Bytes of events kept in memory for subscribers that are nearly there.
    pub tail_bytes: usize,
    /// Bytes of events kept on disk at least; the oldest snapshot may ask for more.
    pub journal_bytes: u64,
    /// Records that a subscriber which had caught up may fall behind again before it is cut off.
    pub subscriber_lag: u64,
    /// Accept, at the start, a clock that is behind the last record.
    pub accept_clock: bool,
    /// Raise the rules to the newest this program knows, at the start.
    pub raise_rules: bool,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            durability: Durability::Fsync,
            queue_records: 8192,
            queue_bytes: 4 << 20,
            flight_batches: 64,
            queue_reads: 1024,
            read_budget: Duration::from_micros(200),
            spin: Duration::ZERO,
            snapshot_every: 1_000_000,
            keep_snapshots: 2,
            erase_within: None,
            tail_bytes: 8 << 20,
            journal_bytes: 1 << 30,
            subscriber_lag: 1_000_000,
            accept_clock: false,
            raise_rules: true,
        }
    }
}

/// A failure of the environment that this process cannot go on from.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fatal {
    /// The log failed (a failed sync, say).
    #[error("partition {}: the log has failed: {error}", .partition.0)]
    Log {
        /// The partition that noticed.
        partition: PartitionId,
        /// What happened.
        error: Arc<LogError>,
    },
    /// Somebody else appends to this partition, or the log refused what it must take.
    #[error("partition {}: the log refused a batch: {reason}", .partition.0)]
    Refused {
        /// The partition.
        partition: PartitionId,
        /// The log's words.
        reason: String,
    },
    /// The tables failed.
    #[error("partition {}: the tables have failed: {reason}", .partition.0)]
    Tables {
        /// The partition.
        partition: PartitionId,
        /// What happened.
        reason: String,
    },
    /// The runtime's own thread panicked outside of any machine.
    #[error("partition {}: the runtime has a bug: {reason}", .partition.0)]
    Bug {
        /// The partition.
        partition: PartitionId,
        /// The panic's words.
        reason: String,
    },
}

impl Fatal {
    /// The failure's code, for exit statuses and the page in the docs.
    pub fn code(&self) -> &'static str {
        match self {
            Fatal::Log { .. } => "log-failed",
            Fatal::Refused { .. } => "log-refused",
            Fatal::Tables { .. } => "tables-failed",
            Fatal::Bug { .. } => "runtime-bug",
        }
    }
}

/// Makes an empty machine for a partition: at start, for the shadow, and after a bug.
pub type Make<M> = Arc<dyn Fn(PartitionId) -> M + Send + Sync>;
/// Makes a partition's observer.
pub type MakeObserver<M> = Box<dyn Fn(PartitionId) -> Option<Box<dyn Observer<M>>> + Send + Sync>;
/// Is told how partitions fare, for whoever watches the process. Called on the partitions' own threads: it must be quick.
pub trait Meter: Send + Sync + 'static {
    /// So many records, which had become durable together, were applied and answered within this time.
    fn applied(&self, partition: PartitionId, records: u64, took: Duration);
}

/// Nobody watches.
impl Meter for () {
    fn applied(&self, _partition: PartitionId, _records: u64, _took: Duration) {}
}

/// Is told, once, that the process cannot go on: stop it, and let the next start recover.
pub type OnFatal = Arc<dyn Fn(&Fatal) + Send + Sync>;

/// Everything a system's partitions need.
pub struct Setup<M: StateMachine> {
    /// The log that holds the partitions.
    pub log: Arc<dyn Log>,
    /// Makes empty machines.
    pub make: Make<M>,
    /// How they behave.
    pub config: Config,
    /// Where snapshots and skip lists lie.
    pub store: Arc<dyn Store>,
    /// Where the event journals lie (a folder per partition in it); `None` keeps only the tail in memory.
    pub journal: Option<PathBuf>,
    /// The keys that seal the event journals; `None` leaves them open. The log and the store have keys of their own.
    pub seal: Option<Arc<KeyRing>>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Who is told of each record on the apply thread.
    pub observer: MakeObserver<M>,
    /// Who is told when the process must stop.
    pub fatal: OnFatal,
    /// Who is told how partitions fare.
    pub meter: Arc<dyn Meter>,
    /// Carries messages between partitions; systems that send to each other share one.
    pub switchboard: Arc<Switchboard>,
}

impl<M: StateMachine> Setup<M> {
    /// The usual choice for the rest: the system's clock, no observer, no journal on disk, abort when fatal.
    pub fn new(
        log: Arc<dyn Log>,
        store: Arc<dyn Store>,
        make: impl Fn(PartitionId) -> M + Send + Sync + 'static,
    ) -> Setup<M> {
        Setup {
            log,
            make: Arc::new(make),
            config: Config::default(),
            store,
            journal: None,
            seal: None,
            clock: Arc::new(SystemClock),
            observer: Box::new(|_| None),
            meter: Arc::new(()),
            switchboard: Arc::new(Switchboard::new()),
            fatal: Arc::new(|fatal| {
                tracing::error!(code = fatal.code(), "{fatal}");
                std::process::abort();
            }),
        }
    }
}
