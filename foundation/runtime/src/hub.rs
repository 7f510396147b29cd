//! Where events meet their readers: the newest in memory, older ones in the journal.
//!
//! The apply thread publishes here and never waits for a reader. Readers pull ([`crate::Subscription`]): a
//! subscription is a position, not a queue, so one that stands still costs nobody anything.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::events::{Address, Frame, Published, SubscriptionError};
use crate::journal::Journal;
use crate::machine::Wire;
use crate::subscription::Subscription;

/// Frames of consecutive records.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Events of records from here...
    pub(crate) first: u64,
    /// ...to here (exclusive) are in it.
    pub(crate) next: u64,
    pub(crate) frames: Vec<u8>,
}

/// Chunks are merged up to this size while nobody reads them.
const CHUNK_BYTES: usize = 32 << 10;
/// The apply thread waits for the journal's writer when so much is not written yet.
const UNWRITTEN_BYTES: usize = 64 << 20;
/// How long little work for the journal's writer may wait for more.
const WRITER_PAUSE: Duration = Duration::from_millis(20);

/// How much of what is published a reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sees {
    /// What is durable at the partition's level: readers whose work dies with the process.
    Durable,
    /// What is on the device: readers that cause what cannot be taken back.
    Synced,
}

/// A reader that must see everything: from where on it has not.
struct Pin {
    offset: u64,
    sees: Sees,
}

struct Tail {
    chunks: VecDeque<Arc<Chunk>>,
    bytes: usize,
    /// Records from here on have their events in `chunks` (or none at all).
    start: u64,
    end: u64,
    /// What the journal's writer has to write; at most as long as `chunks`.
    unwritten: Vec<u8>,
    unwritten_from: u64,
    writer_sleeps: bool,
    pins: BTreeMap<String, Pin>,
    closed: bool,
}

/// Bounds of a [`Hub`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) tail_bytes: usize,
    pub(crate) lag: u64,
}

/// One partition's events.
pub(crate) struct Hub {
    limits: Limits,
    tail: Mutex<Tail>,
    journal: Option<Mutex<Journal>>,
    /// Rings for readers.
    news: Notify,
    /// Rings for the journal's writer, and for the apply thread when the writer was behind.
    work: Condvar,
    synced: AtomicU64,
    journal_down: AtomicBool,
}

impl Hub {
    /// A hub that goes on at record `end`, where the journal, if any, ends too.
    pub(crate) fn new(limits: Limits, journal: Option<Journal>, end: u64) -> Hub {
        let tail = Tail {
            chunks: VecDeque::new(),
            bytes: 0,
            start: end,
            end,
            unwritten: Vec::new(),
            unwritten_from: end,
            writer_sleeps: false,
            pins: BTreeMap::new(),
            closed: false,
        };
        Hub {
            limits,
            tail: Mutex::new(tail),
            journal: journal.map(Mutex::new),
            news: Notify::new(),
            work: Condvar::new(),
            synced: AtomicU64::new(end),
            journal_down: AtomicBool::new(false),
        }
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn journaling(&self) -> bool {
        self.journal.is_some() && !self.journal_down.load(Ordering::Acquire)
    }

    /// Makes the frames of the records from `first` to `next` readable; called on the apply thread.
    pub(crate) fn publish(&self, first: u64, next: u64, frames: &[u8]) {
        let mut tail = self.tail();
        debug_assert_eq!(tail.end, first, "events are published in order");
        tail.end = next;
        if !frames.is_empty() {
            tail.push(first, next, frames);
            if self.journaling() {
                tail.unwritten.extend_from_slice(frames);
                while tail.unwritten.len() > UNWRITTEN_BYTES && !tail.closed && self.journaling() {
                    self.work.notify_all();
                    tail = self.work.wait(tail).unwrap_or_else(PoisonError::into_inner);
                }
            }
            tail.evict(self.limits.tail_bytes, self.journaling());
        }
    }

    /// Wakes who waits for what was published; apart from [`Hub::publish`], so that whoever asked is answered first.
    pub(crate) fn announce(&self) {
        let mut tail = self.tail();
        if !tail.unwritten.is_empty() && std::mem::take(&mut tail.writer_sleeps) {
            self.work.notify_all();
        }
        drop(tail);
        self.news.notify_waiters();
    }

    /// Records below are on the device: followers may act on them.
    pub(crate) fn set_synced(&self, synced: u64) {
        if self.synced.fetch_max(synced, Ordering::AcqRel) < synced {
            self.news.notify_waiters();
        }
    }

    /// Whether somebody follows who may act only on what is synced.
    pub(crate) fn has_followers(&self) -> bool {
        self.tail().pins.values().any(|pin| pin.sees == Sees::Synced)
    }

    /// The next record's offset.
    pub(crate) fn end(&self) -> u64 {
        self.tail().end
    }

    /// How far a reader may see, and whether that is all there will ever be.
    pub(crate) fn visible(&self, sees: Sees) -> (u64, bool) {
        let tail = self.tail();
        let end = match sees {
            Sees::Durable => tail.end,
            Sees::Synced => tail.end.min(self.synced.load(Ordering::Acquire)),
        };
        (end, tail.closed)
    }

    pub(crate) fn news(&self) -> &Notify {
        &self.news
    }

    pub(crate) fn lag_limit(&self) -> u64 {
        self.limits.lag
    }

    /// The reader that keeps the most, and how many records it is behind.
    pub(crate) fn slowest_pin(&self) -> Option<(String, u64)> {
        let tail = self.tail();
        let (name, pin) = tail.pins.iter().min_by_key(|(_, pin)| pin.offset)?;
        Some((name.clone(), tail.end.saturating_sub(pin.offset)))
    }

    pub(crate) fn pin(&self, name: &str, sees: Sees, offset: u64) {
        self.tail().pins.insert(name.to_owned(), Pin { offset, sees });
    }

    pub(crate) fn unpin(&self, name: &str) {
        self.tail().pins.remove(name);
    }

    /// Below this record, no reader that must see everything needs events.
    pub(crate) fn pinned_from(&self) -> u64 {
        self.tail().pins.values().map(|pin| pin.offset).min().unwrap_or(u64::MAX)
    }

    /// Below this record, no reader that acts on what is on the device needs anything.
    pub(crate) fn followed_from(&self) -> u64 {
        let tail = self.tail();
        let pins = tail.pins.values().filter(|pin| pin.sees == Sees::Synced);
        pins.map(|pin| pin.offset).min().unwrap_or(u64::MAX)
    }

    /// No more events will come: readers get what there is and then [`SubscriptionError::Closed`].
    pub(crate) fn close(&self) {
        self.tail().closed = true;
        self.news.notify_waiters();
        self.work.notify_all();
    }

    /// The oldest record whose events can be read.
    fn oldest(&self) -> u64 {
        let tail_start = self.tail().start;
        match &self.journal {
            Some(journal) if self.journaling() => {
                tail_start.min(journal.lock().unwrap_or_else(PoisonError::into_inner).start())
            }
            _ => tail_start,
        }
    }

    /// Begins a subscription; with a name it is one that pins.
    pub(crate) fn subscribe<E: Wire>(
        self: &Arc<Self>,
        from: Address,
        follower: Option<(String, Sees)>,
    ) -> Result<Subscription<E>, SubscriptionError> {
        if let Some((name, sees)) = &follower {
            // Before looking: what is there now stays there.
            self.pin(name, *sees, from.offset);
        }
        let oldest = self.oldest();
        if from.offset < oldest {
            if let Some((name, _)) = &follower {
                self.unpin(name);
            }
            return Err(SubscriptionError::CursorTooOld { asked: from, oldest: Address::of_record(oldest) });
        }
        Ok(Subscription::new(self.clone(), from, follower))
    }

    /// Frames that hold the first events at or after `offset`; `None` when there are none below `end`.
    pub(crate) fn fetch(&self, offset: u64) -> Result<Option<Arc<Chunk>>, SubscriptionError> {
        {
            let tail = self.tail();
            if offset >= tail.start {
                let at = tail.chunks.partition_point(|chunk| chunk.next <= offset);
                return Ok(tail.chunks.get(at).cloned());
            }
        }
        let oldest = self.oldest();
        match &self.journal {
            Some(journal) if offset >= oldest && self.journaling() => {
                let found = journal.lock().unwrap_or_else(PoisonError::into_inner).read(offset);
                match found.map_err(|error| SubscriptionError::Journal(error.to_string()))? {
                    Some(chunk) => Ok(Some(Arc::new(chunk))),
                    // Nothing more in the journal: the tail begins after a stretch of records without events.
                    None => Ok(self.tail().chunks.front().cloned()),
                }
            }
            _ => Err(SubscriptionError::CursorTooOld {
                asked: Address::of_record(offset),
                oldest: Address::of_record(oldest),
            }),
        }
    }

    /// One event by its address.
    pub(crate) fn event<E: Wire>(&self, address: Address) -> Result<Option<Published<E>>, SubscriptionError> {
        let Some(chunk) = self.fetch(address.offset)? else { return Ok(None) };
        let mut rest = &chunk.frames[..];
        while let Some((frame, after)) = Frame::split(rest) {
            rest = after;
            if frame.offset == address.offset {
                let Some((kind, version, body)) = frame.iter().nth(address.index as usize) else {
                    return Ok(None);
                };
                let event = E::decode(kind, version, body)?;
                return Ok(Some(Published { address, time: frame.time, event }));
            }
        }
        Ok(None)
    }

    /// Writes what is not written, waiting for work until the hub is closed: the journal thread's whole life.
    pub(crate) fn write_journal(&self) {
        let Some(journal) = &self.journal else { return };
        let mut frames = Vec::new();
        loop {
            let (end, closed) = self.wait_for_work(&mut frames);
            let result = {
                let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
                let result = journal.append(&frames, end).and_then(|()| journal.flush());
                if closed { result.and_then(|()| journal.mark_end()) } else { result }
            };
            let mut tail = self.tail();
            if let Err(error) = result {
                tracing::warn!(
                    "the event journal cannot be written, only recent events can be read: {error}"
                );
                self.journal_down.store(true, Ordering::Release);
                tail.unwritten = Vec::new();
            }
            tail.unwritten_from = end;
            tail.evict(self.limits.tail_bytes, self.journaling());
            drop(tail);
            self.work.notify_all();
            if closed || !self.journaling() {
                return;
            }
        }
    }

    /// Takes the frames to write; returns the record after them, and whether they are the last.
    fn wait_for_work(&self, frames: &mut Vec<u8>) -> (u64, bool) {
        let mut tail = self.tail();
        while tail.unwritten.is_empty() && !tail.closed {
            tail.writer_sleeps = true;
            tail = self.work.wait(tail).unwrap_or_else(PoisonError::into_inner);
        }
        tail.writer_sleeps = false;
        if tail.unwritten.len() < CHUNK_BYTES && !tail.closed {
            // Little to do: let more come together, so that small batches do not become small writes.
            tail = self.work.wait_timeout(tail, WRITER_PAUSE).unwrap_or_else(PoisonError::into_inner).0;
        }
        frames.clear();
        std::mem::swap(frames, &mut tail.unwritten);
        (tail.end, tail.closed)
    }

    /// Lets the journal forget what is older than both this record and what its size allows.
    pub(crate) fn trim_journal(&self, below: u64, keep_bytes: u64) {
        let below = below.min(self.pinned_from());
        if let Some(journal) = &self.journal {
            journal.lock().unwrap_or_else(PoisonError::into_inner).trim(below, keep_bytes);
        }
    }

    /// Lets the journal forget what is older than this record, whatever its size, once nothing was added for so long.
    pub(crate) fn forget_journal(&self, below: u64, age: Duration) {
        let below = below.min(self.pinned_from());
        if let Some(journal) = &self.journal {
            journal.lock().unwrap_or_else(PoisonError::into_inner).forget(below, age);
        }
    }

    /// Begins the journal's next segment when the last one is so old.
    pub(crate) fn finish_journal_segment(&self, age: Duration) {
        let Some(journal) = self.journal.as_ref().filter(|_| self.journaling()) else { return };
        let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = journal.finish_segment(age) {
            tracing::warn!("the event journal's next segment cannot be begun: {error}");
        }
    }
}

impl Tail {
    fn push(&mut self, first: u64, next: u64, frames: &[u8]) {
        self.bytes += frames.len();
        if let Some(last) = self.chunks.back_mut().and_then(Arc::get_mut)
            && last.frames.len() + frames.len() <= CHUNK_BYTES
        {
            last.frames.extend_from_slice(frames);
            last.next = next;
            return;
        }
        let mut bytes = Vec::with_capacity(frames.len().max(CHUNK_BYTES / 8));
        bytes.extend_from_slice(frames);
        self.chunks.push_back(Arc::new(Chunk { first, next, frames: bytes }));
    }

    /// Forgets the oldest chunks beyond `limit` bytes, but none that the journal does not have yet.
    fn evict(&mut self, limit: usize, journaling: bool) {
        while self.bytes > limit && self.chunks.len() > 1 {
            let oldest = &self.chunks[0];
            if journaling && oldest.next > self.unwritten_from {
                return;
            }
            self.bytes -= oldest.frames.len();
            self.start = oldest.next;
            self.chunks.pop_front();
        }
    }
}
