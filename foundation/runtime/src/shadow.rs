//! The shadow: a second instance that makes snapshots off the hot thread and checks the live one's digests.
//!
//! It restores the newest snapshot, replays to where the live state just was, compares the two states' digests, writes
//! the next snapshot, and lets the log and the event journal forget what no kept snapshot needs. Two instances that
//! differ mean that `apply` is not deterministic or that memory is broken: then nothing is written and nothing trimmed.
//! With an erasure window it also looks, now and then, for what is old ([`crate::retention`]).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use decalog_log::{Log, PartitionId};
use tokio::sync::oneshot;

use crate::config::Make;
use crate::hub::Hub;
use crate::inlet::Inlet;
use crate::machine::{Digest, StateMachine};
use crate::recover::{Checker, History, Stopped};
use crate::retention::{forget_aged, forget_old, look_every};
use crate::skip::Skips;
use crate::snapshot;
use crate::store::Store;
use crate::tables::{Backing, committed, write_view};

/// Why a snapshot was not made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The partition is shutting down.
    #[error("the partition has been shut down")]
    Closed,
    /// The shadow's state is not the live one's: one of them is wrong. No snapshot was written, nothing trimmed.
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

/// What the shadow's thread is woken for.
enum Work {
    Snapshot(Vec<Request>),
    /// To look for what is old.
    Look,
}

type Request = oneshot::Sender<Result<u64, SnapshotError>>;

#[derive(Default)]
struct Wanted {
    requests: Vec<Request>,
    due: bool,
    closed: bool,
}

/// What the partition's thread and its handles know of the shadow.
#[derive(Default)]
pub(crate) struct Shadow {
    wanted: Mutex<Wanted>,
    bell: Condvar,
    newest: AtomicU64,
    /// The offset for which a snapshot was last found due.
    asked: AtomicU64,
    diverged: AtomicBool,
    closed: AtomicBool,
}

impl Shadow {
    /// A shadow whose newest snapshot is at this offset.
    pub(crate) fn new(newest: u64) -> Shadow {
        Shadow { newest: newest.into(), asked: newest.into(), ..Shadow::default() }
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn request(&self) -> Result<oneshot::Receiver<Result<u64, SnapshotError>>, SnapshotError> {
        let (sender, receiver) = oneshot::channel();
        let mut wanted = self.wanted();
        if wanted.closed {
            return Err(SnapshotError::Closed);
        }
        wanted.requests.push(sender);
        self.bell.notify_all();
        Ok(receiver)
    }

    /// Called often: asks for a snapshot when this many records came since the last one asked for.
    pub(crate) fn due(&self, applied: u64, every: u64) {
        if applied.saturating_sub(self.asked.load(Ordering::Relaxed)) >= every {
            self.asked.store(applied, Ordering::Relaxed);
            self.wanted().due = true;
            self.bell.notify_all();
        }
    }

    pub(crate) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    pub(crate) fn diverged(&self) -> bool {
        self.diverged.load(Ordering::Acquire)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wanted().closed = true;
        self.bell.notify_all();
    }

    /// Waits until a snapshot is wanted, or for so long; `None` when there will be no more.
    fn wait(&self, longest: Option<Duration>) -> Option<Work> {
        let until = longest.map(|longest| Instant::now() + longest);
        let mut wanted = self.wanted();
        loop {
            if wanted.closed {
                wanted.requests.drain(..).for_each(|request| drop(request.send(Err(SnapshotError::Closed))));
                return None;
            }
            if wanted.due || !wanted.requests.is_empty() {
                wanted.due = false;
                return Some(Work::Snapshot(std::mem::take(&mut wanted.requests)));
            }
            wanted = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.bell.wait(wanted).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return Some(Work::Look),
                Some(left) => self.bell.wait_timeout(wanted, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }
}

/// What the shadow's thread works with.
pub(crate) struct ShadowThread<M: StateMachine> {
    pub(crate) shadow: Arc<Shadow>,
    pub(crate) id: PartitionId,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) make: Make<M>,
    pub(crate) skips: Skips,
    pub(crate) inlet: Arc<Inlet<M>>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) keep: usize,
    pub(crate) journal_bytes: u64,
    /// How old a snapshot may become, and one that is superseded.
    pub(crate) age: Option<Duration>,
}

/// What the live partition says of itself.
struct Live {
    offset: u64,
    digest: Digest,
    backing: Option<Arc<dyn Backing>>,
}

/// How long to look away while the log syncs what the snapshot will cover.
const SYNC_PAUSE: Duration = Duration::from_millis(1);

impl<M: StateMachine> ShadowThread<M> {
    /// The thread's whole life.
    pub(crate) fn run(self) {
        while let Some(work) = self.shadow.wait(self.age.map(look_every)) {
            match (work, self.age) {
                (Work::Snapshot(requests), _) => {
                    let result = self.make_snapshot();
                    if let Err(error) = &result {
                        tracing::error!(partition = self.id.0, "no snapshot: {error}");
                    }
                    // Whoever asked may have gone away.
                    requests.into_iter().for_each(|request| drop(request.send(result.clone())));
                }
                (Work::Look, Some(age)) => match self.age_out(age) {
                    Ok(()) | Err(SnapshotError::Closed) => {}
                    Err(error) => tracing::error!(partition = self.id.0, "what is old stays: {error}"),
                },
                (Work::Look, None) => {}
            }
        }
    }

    /// Makes a snapshot when the newest is so old, and forgets what was superseded for so long.
    fn age_out(&self, age: Duration) -> Result<(), SnapshotError> {
        if self.shadow.diverged() {
            return Ok(());
        }
        self.hub.finish_journal_segment(age);
        let offsets = snapshot::list(&*self.store, self.id).map_err(|error| failed(&error))?;
        let newest = offsets.last().map(|newest| self.store.age(&snapshot::name(self.id, *newest)));
        let newest = newest.transpose().map_err(|error| failed(&error))?;
        if newest.is_none_or(|newest| newest >= age) {
            self.make_snapshot()?;
        }
        let from = self.hub.followed_from();
        let oldest =
            forget_aged(&*self.log, &*self.store, self.id, age, from).map_err(|error| failed(&error))?;
        if let Some(oldest) = oldest {
            self.hub.forget_journal(oldest, age);
        }
        Ok(())
    }

    fn make_snapshot(&self) -> Result<u64, SnapshotError> {
        let Live { offset, digest: expected, backing } = self.ask_live()?;
        if let Some(backing) = backing {
            return self.scan_tables(&*backing);
        }
        let known = snapshot::list(&*self.store, self.id).map_err(|error| failed(&error))?;
        if known.contains(&offset) && self.shadow.newest() == offset {
            return Ok(offset);
        }
        self.wait_for_sync(offset)?;
        let history = History {
            partition: self.id,
            log: &*self.log,
            store: &*self.store,
            make: &self.make,
            skips: &self.skips,
        };
        copy_state(&history, offset, expected).inspect_err(|error| {
            if matches!(error, SnapshotError::Diverged { .. }) {
                self.shadow.diverged.store(true, Ordering::Release);
            }
        })?;
        self.shadow.newest.store(offset, Ordering::Release);
        if let Some(oldest) =
            forget_old(&*self.log, &*self.store, self.id, self.keep, self.hub.followed_from())
                .map_err(|error| failed(&error))?
        {
            self.hub.trim_journal(oldest, self.journal_bytes);
        }
        Ok(offset)
    }

    /// Where the live state is, and its digest.
    fn ask_live(&self) -> Result<Live, SnapshotError> {
        let (sender, answer) = sync_channel(1);
        let ask = move |replica: Result<&crate::replica::Replica<M>, crate::ReadError>| {
            let answer = replica.map(|replica| Live {
                offset: replica.ledger.applied,
                digest: replica.digest(),
                backing: replica.backing.clone(),
            });
            drop(sender.send(answer));
        };
        self.inlet.push_read(0, Box::new(ask)).map_err(|error| failed(&error))?;
        answer.recv().map_err(|_| SnapshotError::Closed)?.map_err(|error| failed(&error))
    }

    /// Tables are their own snapshot: a picture of them is written for backups and new replicas, and the log goes as
    /// far as they are synced.
    fn scan_tables(&self, backing: &dyn Backing) -> Result<u64, SnapshotError> {
        // The partition goes on committing: a picture and an offset belong together when nothing came in between.
        let (view, offset) = loop {
            let before = committed(backing).map_err(|error| failed(&error))?;
            let view = backing.view();
            if committed(backing).map_err(|error| failed(&error))? == before {
                break (view, before);
            }
        };
        backing.sync().map_err(|error| failed(&error))?;
        let name = snapshot::name(self.id, offset);
        self.store.put(&name, &mut |out| write_view(&*view, out)).map_err(|error| failed(&error))?;
        self.shadow.newest.store(offset, Ordering::Release);
        for old in snapshot::list(&*self.store, self.id).map_err(|error| failed(&error))? {
            if old < offset {
                self.store.remove(&snapshot::name(self.id, old)).map_err(|error| failed(&error))?;
            }
        }
        self.log.trim(self.id, offset).map_err(|error| failed(&error))?;
        self.hub.trim_journal(offset, self.journal_bytes);
        Ok(offset)
    }

    /// A snapshot may cover only what the log cannot lose.
    fn wait_for_sync(&self, offset: u64) -> Result<(), SnapshotError> {
        self.log.request_sync(self.id);
        while self.log.extent(self.id).is_some_and(|extent| extent.synced < offset) {
            if self.shadow.closed.load(Ordering::Acquire) {
                return Err(SnapshotError::Closed);
            }
            std::thread::park_timeout(SYNC_PAUSE);
        }
        Ok(())
    }
}

/// Comes to the state at `offset` by another way than the live partition did, and writes it when it is the same.
pub(crate) fn copy_state<M: StateMachine>(
    history: &History<'_, M>,
    offset: u64,
    expected: Digest,
) -> Result<(), SnapshotError> {
    let mut replica = history.restore(offset).map_err(|error| failed(&error))?;
    let replayed = history.replay(&mut replica, &mut Checker::default(), offset, &mut |_, _, _| {});
    replayed.map_err(|stopped| match stopped {
        Stopped::Log(error) => failed(&error),
        Stopped::Bug { offset, bug } => {
            SnapshotError::Diverged { offset, reason: format!("replay fails: {bug}") }
        }
        Stopped::Diverged(found) => SnapshotError::Diverged { offset: found.upto, reason: found.to_string() },
    })?;
    let found = replica.digest();
    if replica.ledger.applied != offset || found != expected {
        let reason = format!("live it is {expected}, in the shadow {found}");
        return Err(SnapshotError::Diverged { offset, reason });
    }
    snapshot::write(history.store, history.partition, &replica, history.skips)
        .map_err(|error| failed(&error))?;
    Ok(())
}

fn failed(error: &dyn std::fmt::Display) -> SnapshotError {
    SnapshotError::Failed(error.to_string())
}
