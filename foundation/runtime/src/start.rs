//! A partition's start: recover its state and its journal, check the clock, then launch its threads.

use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use decalog_log::{Extent, LogError, PartitionId};

use crate::clock::TOLERANCE_NANOS;
use crate::config::Setup;
use crate::core::{Core, Parts};
use crate::driver::{Driver, Watermark};
use crate::error::{Halt, StartError, SubmitError};
use crate::hub::{Hub, Limits};
use crate::inlet::{Inlet, Order};
use crate::journal::Journal;
use crate::machine::StateMachine;
use crate::partition::{Gauges, Health, Partition, Shared};
use crate::recover::{Checker, History, Stopped};
use crate::replica::Replica;
use crate::retention;
use crate::sabotage::{self, Sabotage};
use crate::shadow::{Shadow, ShadowThread};
use crate::skip::{Skips, shelf};

/// A partition that is recovered and not yet running.
pub(crate) struct Starting<M: StateMachine> {
    setup: Arc<Setup<M>>,
    id: PartitionId,
    extent: Extent,
    watermark: Arc<Watermark>,
    skips: Skips,
    newest_snapshot: u64,
    replica: Replica<M>,
    halt: Option<Halt>,
    hub: Arc<Hub>,
}

/// Where a replay has come to.
struct Replayed<M: StateMachine> {
    replica: Replica<M>,
    hub: Arc<Hub>,
    halt: Option<Halt>,
}

/// Gives the partition back to the log when its start fails.
struct Opened<'a>(&'a dyn decalog_log::Log, PartitionId, bool);

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        if !self.2 {
            self.0.close(self.1);
        }
    }
}

impl<M: StateMachine> Starting<M> {
    /// Opens the partition in the log and brings its state to the log's end.
    pub(crate) fn recover(setup: Arc<Setup<M>>, id: PartitionId) -> Result<Starting<M>, StartError> {
        let watermark = Arc::new(Watermark::new());
        let log = setup.log.clone();
        let extent = log.open(id, setup.config.durability, watermark.clone())?;
        let mut opened = Opened(&*log, id, false);
        let store = &*setup.store;
        store.sweep(&shelf(id)).map_err(|source| StartError::Io {
            action: "remove unfinished files in",
            path: store.place(&shelf(id)),
            source,
        })?;
        let skips = Skips::read(store, id).map_err(|source| StartError::Io {
            action: "read the skip list in",
            path: store.place(&shelf(id)),
            source,
        })?;
        let history = History { partition: id, log: &*log, store, make: &setup.make, skips: &skips };
        let replica = history.restore(u64::MAX)?;
        let newest_snapshot = replica.ledger.applied;
        check_place(id, extent, newest_snapshot)?;
        let Replayed { replica, hub, halt } = Self::replay(&setup, &history, extent, replica)?;
        let behind = replica.ledger.time.0.saturating_sub(setup.clock.utc().0);
        if behind > TOLERANCE_NANOS && !setup.config.accept_clock {
            return Err(StartError::ClockBehind { partition: id, behind_millis: behind / 1_000_000 });
        }
        opened.2 = true;
        drop(opened);
        Ok(Starting { setup, id, extent, watermark, skips, newest_snapshot, replica, halt, hub })
    }

    /// Replays to the log's end, or, when a record cannot be applied, to just before it.
    fn replay(
        setup: &Setup<M>,
        history: &History<'_, M>,
        extent: Extent,
        mut replica: Replica<M>,
    ) -> Result<Replayed<M>, StartError> {
        let limits = Limits { tail_bytes: setup.config.tail_bytes, lag: setup.config.subscriber_lag };
        let began = replica.ledger.applied;
        let mut journal = match &setup.journal {
            Some(folder) => {
                Some(open_journal(setup, &folder.join(shelf(history.partition)), history, extent, began)?)
            }
            None => None,
        };
        let mut hub = journal.is_none().then(|| Hub::new(limits, None, began));
        let mut broken = Ok(());
        let mut publish = |first: u64, next: u64, frames: &[u8]| match (&mut journal, &mut hub) {
            (Some(journal), _) if broken.is_ok() => broken = journal.append(frames, next),
            (None, Some(hub)) => hub.publish(first, next, frames),
            _ => {}
        };
        let result = history.replay(&mut replica, &mut Checker::default(), extent.next, &mut publish);
        let halt = match result {
            Ok(()) => None,
            Err(Stopped::Log(error)) => return Err(error.into()),
            Err(Stopped::Diverged(divergence)) => return Err(divergence.into()),
            Err(Stopped::Bug { offset, bug }) => {
                let halt = Halt { partition: history.partition, offset, reason: bug.to_string().into() };
                tracing::error!("{halt}");
                // The old state first: tables have one owner.
                drop(replica);
                replica = rebuild(history, offset)?;
                Some(halt)
            }
        };
        if let Some(journal) = &mut journal {
            broken = broken.and_then(|()| journal.flush());
        }
        if let Err(error) = broken {
            tracing::warn!(partition = history.partition.0, "the event journal cannot be written: {error}");
            journal = None;
        }
        let end = replica.ledger.applied;
        replica.persist(extent.synced).map_err(|source| StartError::Io {
            action: "write the tables of",
            path: setup.store.place(&shelf(history.partition)),
            source,
        })?;
        let hub = hub.unwrap_or_else(|| Hub::new(limits, journal, end));
        hub.set_synced(extent.synced);
        Ok(Replayed { replica, hub: Arc::new(hub), halt })
    }

    /// Starts the threads.
    pub(crate) fn launch(self, threads: &mut Vec<JoinHandle<()>>) -> Result<Partition<M>, StartError> {
        let Starting { setup, id, extent, watermark, skips, newest_snapshot, replica, halt, hub } = self;
        let config = setup.config.clone();
        let inlet = Arc::new(Inlet::new(id, config.queue_records, config.queue_bytes, config.queue_reads));
        let gauges = Arc::new(Gauges {
            applied: AtomicU64::new(replica.ledger.applied),
            durable: AtomicU64::new(extent.durable),
            synced: AtomicU64::new(extent.synced),
            rules: AtomicU32::new(replica.ledger.rules),
            health: Mutex::new(halt.clone().map_or(Health::Running, Health::Halted)),
        });
        let shadow = Arc::new(Shadow::new(newest_snapshot));
        let shared = Arc::new(Shared { id, inlet, gauges, hub, shadow });
        let partition = Partition { shared: shared.clone() };
        if replica.ledger.rules < M::RULES && config.raise_rules && halt.is_none() {
            // The first in an empty queue: it is taken.
            let _ = partition.raise_rules(M::RULES);
        }
        if let Some(halt) = &halt {
            shared.inlet.close(SubmitError::Halted(halt.clone()));
        }
        let mut core = Core::new(Parts {
            id,
            log: setup.log.clone(),
            clock: setup.clock.clone(),
            replica,
            extent,
            observer: (setup.observer)(id),
            hub: shared.hub.clone(),
        });
        core.halt = halt;
        let driver = Driver {
            core,
            shared: shared.clone(),
            watermark,
            switchboard: setup.switchboard.clone(),
            meter: setup.meter.clone(),
            config: config.clone(),
            log: setup.log.clone(),
            fatal: setup.fatal.clone(),
            rebuild: rebuilder(&setup, id, &skips),
        };
        let shadow = ShadowThread {
            shadow: shared.shadow.clone(),
            id,
            log: setup.log.clone(),
            store: setup.store.clone(),
            make: setup.make.clone(),
            skips,
            inlet: shared.inlet.clone(),
            hub: shared.hub.clone(),
            keep: config.keep_snapshots,
            journal_bytes: config.journal_bytes,
            age: config.erase_within.map(retention::pace).filter(|_| !sabotage::lacks(Sabotage::Aging)),
        };
        let hub = shared.hub.clone();
        let mut spawn = |role: &str, life: Box<dyn FnOnce() + Send>| {
            let name = format!("{role}-{:08x}", id.0);
            let spawned = thread::Builder::new().name(name).spawn(life);
            spawned
                .map(|handle| threads.push(handle))
                .map_err(|source| StartError::Thread { partition: id, source })
        };
        spawn("apply", Box::new(move || driver.run()))?;
        let launched = spawn("shadow", Box::new(move || shadow.run()))
            .and_then(|()| spawn("events", Box::new(move || hub.write_journal())));
        if let Err(error) = launched {
            shared.inlet.order(Order::Stop);
            return Err(error);
        }
        setup.switchboard.connect(id, shared.inlet.clone());
        Ok(partition)
    }
}

fn check_place(partition: PartitionId, extent: Extent, snapshot: u64) -> Result<(), StartError> {
    if snapshot < extent.first {
        return Err(StartError::Gap { partition, first: extent.first, snapshot });
    }
    if snapshot > extent.next {
        return Err(StartError::Ahead { partition, next: extent.next, snapshot });
    }
    Ok(())
}

/// The state just before a record, from snapshot and log.
fn rebuild<M: StateMachine>(history: &History<'_, M>, offset: u64) -> Result<Replica<M>, StartError> {
    let mut replica = history.restore(offset)?;
    match history.replay(&mut replica, &mut Checker::default(), offset, &mut |_, _, _| {}) {
        Ok(()) => Ok(replica),
        Err(Stopped::Log(error)) => Err(error.into()),
        Err(Stopped::Diverged(divergence)) => Err(divergence.into()),
        // A record that could be applied before: replay is not what was lived.
        Err(Stopped::Bug { offset, bug }) => Err(StartError::Log(LogError::Io {
            action: format!("rebuild the state: offset {offset} cannot be applied again ({bug})"),
            source: std::io::Error::other("apply is not deterministic"),
        })),
    }
}

fn rebuilder<M: StateMachine>(
    setup: &Arc<Setup<M>>,
    id: PartitionId,
    skips: &Skips,
) -> crate::driver::Rebuild<M> {
    let (setup, skips) = (setup.clone(), skips.clone());
    Box::new(move |offset| {
        let history = History {
            partition: id,
            log: &*setup.log,
            store: &*setup.store,
            make: &setup.make,
            skips: &skips,
        };
        rebuild(&history, offset)
            .inspect_err(|error| tracing::error!(partition = id.0, "the state cannot be rebuilt: {error}"))
            .ok()
    })
}

/// Opens a journal and brings it up to where the state begins to be replayed: from the newest snapshot that it
/// reaches, or else from the oldest kept one.
fn open_journal<M: StateMachine>(
    setup: &Setup<M>,
    folder: &std::path::Path,
    history: &History<'_, M>,
    extent: Extent,
    upto: u64,
) -> Result<Journal, StartError> {
    let failed =
        |source| StartError::Io { action: "open the event journal in", path: folder.to_owned(), source };
    let mut journal =
        Journal::open(folder, history.skips.digest_below(u64::MAX), setup.seal.as_ref()).map_err(failed)?;
    if journal.end() > extent.next {
        journal.restart(0).map_err(failed)?;
    }
    if journal.end() >= upto {
        return Ok(journal);
    }
    let mut replica = history.restore(journal.end())?;
    if replica.ledger.applied < extent.first
        || (journal.end() == 0 && replica.ledger.applied == 0 && extent.first > 0)
    {
        replica = history.oldest(extent.first)?;
    }
    if replica.ledger.applied > journal.end() {
        journal.restart(replica.ledger.applied).map_err(failed)?;
    }
    let mut broken = Ok(());
    let mut publish = |_: u64, next: u64, frames: &[u8]| {
        if broken.is_ok() {
            broken = journal.append(frames, next);
        }
    };
    match history.replay(&mut replica, &mut Checker::default(), upto, &mut publish) {
        Ok(()) | Err(Stopped::Bug { .. }) => {}
        Err(Stopped::Log(error)) => return Err(error.into()),
        Err(Stopped::Diverged(divergence)) => return Err(divergence.into()),
    }
    broken.map_err(failed)?;
    Ok(journal)
}
