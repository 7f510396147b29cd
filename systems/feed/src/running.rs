//! The running partitions, and the timelines in memory that follow them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use decalog_log::Log;
use decalog_runtime::store::Store;
use decalog_runtime::tables::Database;
use decalog_runtime::{
    Config, Meter, OnFatal, Partition, PartitionId, ReadError, Setup, StartError, SubscriptionError, System,
};
use decalog_seal::KeyRing;

use crate::projection::emojis::Emojis;
use crate::projection::homes::{Homes, Limits, follow};
use crate::projection::standings::Standings;
use crate::state::{Feed, SYSTEM};

/// What partitions are started with.
pub struct Core {
    /// The log that holds them.
    pub log: Arc<dyn Log>,
    /// Where snapshots lie.
    pub store: Arc<dyn Store>,
    /// Where the event journals lie.
    pub journal: PathBuf,
    /// Where the tables lie.
    pub tables: PathBuf,
    /// Bytes of tables kept in memory.
    pub cache_bytes: u64,
    /// How many home timelines are kept in memory.
    pub homes: Limits,
    /// The keys that seal the event journals, when there are any.
    pub seal: Option<Arc<KeyRing>>,
    /// How the partitions behave.
    pub config: Config,
    /// Who is told what they apply.
    pub meter: Arc<dyn Meter>,
    /// Who is told when the process must stop.
    pub fatal: OnFatal,
}

/// Why partitions do not start.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The runtime refused.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The tables cannot be opened.
    #[error("the tables in {}: {source}", .path.display())]
    Tables {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What the timelines begin with could not be read.
    #[error("the partitions cannot be read: {0}")]
    Read(#[from] ReadError),
    /// The events could not be followed.
    #[error("the timelines cannot follow: {0}")]
    Follow(#[from] SubscriptionError),
}

/// Running partitions.
pub struct Running {
    /// In the order of their buckets.
    pub partitions: Vec<Partition<Feed>>,
    /// The timelines.
    pub homes: Arc<Homes>,
    /// Who is limited.
    pub(crate) standings: Arc<Standings>,
    /// The custom emoji.
    pub(crate) emojis: Arc<Emojis>,
    /// The tables of all partitions.
    pub(crate) database: Database,
    system: Mutex<Option<System<Feed>>>,
}

impl Running {
    /// Recovers so many partitions. Blocks until that is done; must be called inside a Tokio runtime, which then follows the
    /// events.
    pub fn start(core: Core, partitions: u16) -> Result<Running, Failure> {
        let database = Database::open(&core.tables, core.cache_bytes, partitions)
            .map_err(|source| Failure::Tables { path: core.tables, source })?;
        let count = usize::from(partitions);
        let tables = database.clone();
        let make = move |id: PartitionId| {
            let tables = tables.partition(id).expect("a keyspace of an open database");
            Feed::new(Arc::new(tables), (id.0 & 0xffff) as usize, count)
        };
        let setup = Setup {
            config: core.config,
            journal: Some(core.journal),
            seal: core.seal,
            meter: core.meter,
            fatal: core.fatal,
            ..Setup::new(core.log, core.store, make)
        };
        let system = System::start(setup, SYSTEM, partitions)?;
        let partitions = system.partitions().to_vec();
        let emojis = Arc::new(Emojis::default());
        let (homes, standings) = (Arc::new(Homes::new(count, core.homes)), Arc::new(Standings::default()));
        for (place, partition) in partitions.iter().enumerate() {
            // Nothing is kept yet: what was before is read from the tables.
            let events = partition.project("homes", partition.head())?;
            for (account, standing) in partition.read_blocking(0, Feed::standings)?.value {
                standings.set(account, standing);
            }
            for emoji in partition.read_blocking(0, Feed::all_emoji)?.value {
                emojis.set(&emoji.shortcode.clone(), Some(emoji));
            }
            let (homes, standings, emojis) =
                (Arc::clone(&homes), Arc::clone(&standings), Arc::clone(&emojis));
            tokio::spawn(follow(events, place, homes, standings, emojis));
        }
        Ok(Running { partitions, homes, standings, emojis, database, system: Mutex::new(Some(system)) })
    }

    /// Answers what was taken, syncs, and stops.
    pub fn stop(&self) {
        let running = self.system.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(system) = running {
            system.shutdown();
        }
    }
}
