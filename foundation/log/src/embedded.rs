//! The embedded log: a [`Journal`] with its two threads. One syncs, so that appenders never wait for a device and
//! everything that waits shares one sync; one does the chores.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::journal::{Core, Journal, Progress, Recovery};
use crate::storage::{FileStorage, Storage};
use crate::{
    Allowance, AppendError, BatchBuilder, Durability, Extent, Listener, Log, LogError, Offset, Options,
    PartitionId, Reader,
};

/// How often the chore thread looks whether space has returned.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How often it looks whether the active segment has grown old: an eighth of the age, within these.
const AGE_LOOKS: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(60)];

/// A log in a directory of this machine.
///
/// Dropping it syncs what was appended, marks it durable, ends the threads and gives the directory free.
pub struct EmbeddedLog {
    journal: Journal,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl EmbeddedLog {
    /// Opens the log in a directory, made when missing: takes the directory lock, recovers, starts the threads.
    pub fn open(directory: &Path, options: Options) -> Result<Self, LogError> {
        let storage = FileStorage::new(directory)
            .map_err(|source| LogError::Io { action: format!("make {}", directory.display()), source })?;
        Self::start(Arc::new(storage), options)
    }

    /// Opens the log over any storage.
    pub fn start(storage: Arc<dyn Storage>, options: Options) -> Result<Self, LogError> {
        let journal = Journal::open(storage, options)?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut log = Self { journal, threads: Vec::new(), stop };
        log.spawn("log-sync", sync_thread)?;
        log.spawn("log-chores", chore_thread)?;
        Ok(log)
    }

    /// What the start found.
    pub fn recovery(&self) -> &Recovery {
        self.journal.recovery()
    }

    fn spawn(&mut self, name: &str, body: fn(&Core, &AtomicBool)) -> Result<(), LogError> {
        let (core, stop) = (Arc::clone(self.journal.core()), Arc::clone(&self.stop));
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || body(&core, &stop));
        let failure = |source| LogError::Io { action: format!("start the thread {name}"), source };
        self.threads.push(thread.map_err(failure)?);
        Ok(())
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        let core = self.journal.core();
        {
            // Under the mutex, so that a thread about to sleep sees it.
            let _state = core.state();
            self.stop.store(true, Ordering::Relaxed);
        }
        core.work.notify_all();
        core.chores.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        // A log that failed has told its owners already.
        let _ = core.chore_step().is_ok() && core.settle().is_ok();
    }
}

/// Syncs whenever somebody waits for it or an interval has passed; marks the journal once it is idle.
fn sync_thread(core: &Core, stop: &AtomicBool) {
    let idle = Duration::from_millis(u64::from(core.options.idle_mark_millis));
    let mut due = None;
    let mut armed = None;
    let mut state = core.state();
    while !stop.load(Ordering::Relaxed) && state.failed.is_none() {
        if state.want_within != armed {
            armed = state.want_within;
            let within = armed.map(|millis| Instant::now() + Duration::from_millis(u64::from(millis)));
            due = within.map(|within| due.map_or(within, |due: Instant| due.min(within)));
        }
        let now = due.map(|_| Instant::now());
        if state.want_now || due <= now && due.is_some() {
            (armed, due) = (None, None);
            drop(state);
            let began = Instant::now();
            match core.sync_step() {
                Ok(Progress::Synced) => core.options.on_sync.tell(began.elapsed()),
                Ok(Progress::Idle) => {}
                Err(_) => return,
            }
            state = core.state();
            continue;
        }
        let unmarked = !state.marked && state.synced == state.end();
        let wait = match (due, now) {
            (Some(due), Some(now)) => due - now,
            _ if unmarked => idle,
            _ => Duration::MAX,
        };
        state.sync_sleeps = true;
        let (woken, outcome) = core.work.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
        state = woken;
        state.sync_sleeps = false;
        if outcome.timed_out() && due.is_none() && !state.want_now && state.want_within.is_none() {
            drop(state);
            match core.mark_step() {
                Ok(Progress::Idle | Progress::Synced) => state = core.state(),
                Err(_) => return,
            }
        }
    }
}

/// Prepares, indexes and drops segments when there is reason to, and looks for space while there is none, and now and
/// then for age.
fn chore_thread(core: &Core, stop: &AtomicBool) {
    let by_age = core.options.finish_after.map(|after| (after / 8).clamp(AGE_LOOKS[0], AGE_LOOKS[1]));
    let mut look_again = None;
    let mut state = core.state();
    while !stop.load(Ordering::Relaxed) && state.failed.is_none() {
        if state.chores_due || state.spare.is_none() && !state.full {
            drop(state);
            if core.chore_step().is_err() {
                return;
            }
            state = core.state();
            continue;
        }
        if state.spare.is_some() && state.end >= state.fill_at {
            drop(state);
            if core.fill_next().is_err() {
                return;
            }
            state = core.state();
            continue;
        }
        // Whoever wakes this thread meanwhile does not put the look off.
        let pace = [state.full.then_some(LOOK_AGAIN), by_age].into_iter().flatten().min();
        look_again = pace.map(|pace| {
            let latest = Instant::now() + pace;
            look_again.map_or(latest, |look: Instant| look.min(latest))
        });
        let wait = look_again.map_or(Duration::MAX, |look| look.saturating_duration_since(Instant::now()));
        state.chores_sleep = true;
        let (woken, _) = core.chores.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
        state = woken;
        state.chores_sleep = false;
        if look_again.is_some_and(|look| look <= Instant::now()) {
            look_again = None;
            state.chores_due = true;
        }
    }
}

impl Log for EmbeddedLog {
    fn open(
        &self,
        partition: PartitionId,
        durability: Durability,
        listener: Arc<dyn Listener>,
    ) -> Result<Extent, LogError> {
        Log::open(&self.journal, partition, durability, listener)
    }

    fn close(&self, partition: PartitionId) {
        self.journal.close(partition);
    }

    fn append(
        &self,
        partition: PartitionId,
        expected: Offset,
        batch: &BatchBuilder,
        allowance: Allowance,
    ) -> Result<Extent, AppendError> {
        self.journal.append(partition, expected, batch, allowance)
    }

    fn request_sync(&self, partition: PartitionId) {
        self.journal.request_sync(partition);
    }

    fn partitions(&self) -> Vec<PartitionId> {
        self.journal.partitions()
    }

    fn extent(&self, partition: PartitionId) -> Option<Extent> {
        self.journal.extent(partition)
    }

    fn read(&self, partition: PartitionId, from: Offset) -> Result<Box<dyn Reader>, LogError> {
        self.journal.read(partition, from)
    }

    fn trim(&self, partition: PartitionId, below: Offset) -> Result<(), LogError> {
        self.journal.trim(partition, below)
    }
}
