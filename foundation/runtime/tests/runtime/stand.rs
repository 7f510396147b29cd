//! Where the tests run a system: an embedded log over a simulated disk or a folder, and what outlives a restart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use decalog_log::storage::SimDisk;
use decalog_log::{Durability, EmbeddedLog, Log, Options};
use decalog_runtime::clock::SimClock;
use decalog_runtime::store::MemoryStore;
use decalog_runtime::{Config, Partition, Setup, StartError, System, Timestamp};

use crate::ledger::Ledger;

pub(crate) const SYSTEM: u16 = 7;
pub(crate) const PARTITIONS: u16 = 4;
pub(crate) const NOON: Timestamp = Timestamp(1_700_000_000_000_000_000);

/// What a system stands on; outlives it.
pub(crate) struct Stand {
    pub(crate) disk: SimDisk,
    pub(crate) store: MemoryStore,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) config: Config,
}

impl Stand {
    pub(crate) fn new() -> Stand {
        Stand {
            disk: SimDisk::new(),
            store: MemoryStore::new(),
            clock: Arc::new(SimClock::new(NOON)),
            config: Config { durability: Durability::Fsync, snapshot_every: 0, ..Config::default() },
        }
    }

    pub(crate) fn log(&self) -> Arc<dyn Log> {
        let options = Options { segment_bytes: 1 << 20, ..Options::small() };
        Arc::new(EmbeddedLog::start(Arc::new(self.disk.clone()), options).expect("the log opens"))
    }

    pub(crate) fn setup(&self) -> Setup<Ledger> {
        self.setup_on(self.log())
    }

    pub(crate) fn setup_on(&self, log: Arc<dyn Log>) -> Setup<Ledger> {
        let mut setup = Setup::new(log, Arc::new(self.store.clone()), |_| Ledger::default());
        setup.config = self.config.clone();
        setup.clock = self.clock.clone();
        setup.fatal = Arc::new(|fatal| panic!("{fatal}"));
        setup
    }

    pub(crate) fn start(&self) -> System<Ledger> {
        self.try_start().expect("the system starts")
    }

    pub(crate) fn try_start(&self) -> Result<System<Ledger>, StartError> {
        System::start(self.setup(), SYSTEM, PARTITIONS)
    }
}

/// Waits for a condition; only a broken test waits for long.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(20), "still waiting: {what}");
        std::thread::yield_now();
    }
}

pub(crate) fn points(partition: &Partition<Ledger>, account: u64) -> Option<u64> {
    partition.read_blocking(0, move |ledger| ledger.points(account)).expect("a read").value
}
