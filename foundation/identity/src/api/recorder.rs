//! Writes what must outlive the log as events come: the audit trail, and the erasure ledger.
//!
//! It follows what is on the device, from the trail's cursor on, and the runtime keeps what it has not seen. An erasure is
//! in the ledger before it is acknowledged; should the process be killed in between, it is written here.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use decalog_runtime::erasure::Erasures;
use decalog_runtime::{Partition, Published, Subscription, SubscriptionError, Timestamp};
use tokio::runtime::Handle;

use super::service::Failure;
use crate::event::Event;
use crate::projection::audit::{ERASED, Entry};
use crate::projection::trail::Trail;
use crate::state::Directory;

/// How long to wait before what failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// Events that are written together.
const MOST: usize = 4_096;

/// Follows a directory.
pub(crate) struct Recorder {
    trail: Trail,
    erasures: Arc<Erasures>,
    events: Subscription<Event>,
    /// Seen and not yet written.
    waiting: Vec<Entry>,
}

/// A recorder on its thread. Dropping it, once the partition has been shut down, waits until everything is written.
pub(crate) struct Recording {
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else { return };
        thread.thread().unpark();
        if thread.join().is_err() {
            tracing::error!("the thread that writes the audit trail panicked");
        }
    }
}

impl Recorder {
    /// Goes on where the trail ends.
    pub(crate) fn open(
        partition: &Partition<Directory>,
        mut trail: Trail,
        erasures: Arc<Erasures>,
    ) -> Result<Recorder, SubscriptionError> {
        let head = partition.head();
        if trail.cursor() > head {
            tracing::warn!("the audit trail is ahead of the log, which was restored from an older backup");
            trail.go_back(head);
        }
        let events = match partition.follow("audit", trail.cursor()) {
            Err(SubscriptionError::CursorTooOld { oldest, .. }) => {
                tracing::error!(from = %trail.cursor(), to = %oldest, "the audit trail lacks events that the log has forgotten");
                partition.follow("audit", oldest)?
            }
            followed => followed?,
        };
        Ok(Recorder { trail, erasures, events, waiting: Vec::new() })
    }

    /// Writes what happened before; answers when nothing is left.
    pub(crate) fn catch_up(&mut self) -> Result<(), Failure> {
        loop {
            let Some(published) = self.events.try_next()? else { return Ok(()) };
            self.see(&published);
            self.see_more()?;
            self.write().map_err(Failure::Audit)?;
        }
    }

    /// Goes on, on a thread of its own.
    pub(crate) fn spawn(self, runtime: Handle) -> io::Result<Recording> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread =
            thread::Builder::new().name("audit".to_owned()).spawn(move || self.run(&runtime, &stopping))?;
        Ok(Recording { thread: Some(thread), stop })
    }

    fn run(mut self, runtime: &Handle, stop: &AtomicBool) {
        loop {
            let seen = runtime.block_on(self.events.next()).and_then(|published| {
                self.see(&published);
                self.see_more()
            });
            let mut failed = false;
            while let Err(error) = self.write() {
                if !failed {
                    tracing::error!(%error, "the audit trail cannot be written; it is tried again every second");
                }
                failed = true;
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                thread::park_timeout(RETRY);
            }
            match seen {
                Ok(()) => {}
                Err(SubscriptionError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "the audit trail ends here until the next start");
                    return;
                }
            }
        }
    }

    fn see(&mut self, published: &Published<Event>) {
        self.waiting.push(Entry::of(published.address, published.time.0, &published.event));
    }

    fn see_more(&mut self) -> Result<(), SubscriptionError> {
        while self.waiting.len() < MOST {
            let Some(published) = self.events.try_next()? else { return Ok(()) };
            self.see(&published);
        }
        Ok(())
    }

    /// Writes what was seen. An account's erasure takes effect before it is told of, so that it is repeated should the
    /// process be killed on the way.
    fn write(&mut self) -> io::Result<()> {
        let mut rest = &self.waiting[..];
        while let Some(at) = rest.iter().position(|entry| entry.event == ERASED) {
            let (before, erased) = (&rest[..at], &rest[at]);
            self.trail.append(before)?;
            if erased.address() >= self.trail.cursor() {
                let moment = Timestamp(erased.time);
                self.erasures.record::<Directory>(erased.account, moment).map_err(io::Error::other)?;
                self.trail.erase(erased.account)?;
                self.trail.append(std::slice::from_ref(erased))?;
            }
            rest = &rest[at + 1..];
        }
        self.trail.append(rest)?;
        self.waiting.clear();
        let seen = self.events.cursor();
        self.events.release(seen);
        Ok(())
    }
}
