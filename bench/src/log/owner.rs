//! A partition's owner as the runtime is one: one thread that batches whatever waits, appends it, and answers when
//! the log says that it is durable. It applies nothing, so that the log alone is measured.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::Context as _;
use decalog_log::{Allowance, BatchBuilder, Durability, Listener, Log, LogError, Offset, PartitionId};
use tokio::sync::oneshot;

use crate::clients::Door;

/// The size of every record in the log's measurements.
pub(crate) const RECORD_BYTES: usize = 64;

/// A record as the clients of these measurements send it.
pub(crate) type Record = [u8; RECORD_BYTES];

/// What reaches an owner: requests from clients, progress from the log.
#[derive(Default)]
struct Inbox {
    state: Mutex<Arrived>,
    arrival: Condvar,
}

#[derive(Default)]
struct Arrived {
    requests: Vec<(Record, oneshot::Sender<()>)>,
    durable: Offset,
    closed: bool,
    /// The owner waits for news: whoever brings them must wake it. Requests are news once there are so many.
    waiting: Option<usize>,
}

impl Inbox {
    fn request(&self, record: Record, answer: oneshot::Sender<()>) {
        let mut state = self.lock();
        state.requests.push((record, answer));
        if state.waiting.is_some_and(|least| state.requests.len() >= least) {
            self.wake(state);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Arrived)) {
        let mut state = self.lock();
        change(&mut state);
        if state.waiting.is_some() {
            self.wake(state);
        }
    }

    fn wake(&self, mut state: MutexGuard<'_, Arrived>) {
        state.waiting = None;
        drop(state);
        self.arrival.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Arrived> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Inbox {
    fn advanced(&self, durable: Offset, _synced: Offset) {
        self.change(|arrived| arrived.durable = arrived.durable.max(durable));
    }

    fn failed(&self, error: Arc<LogError>) {
        panic!("the log failed under the benchmark: {error}");
    }
}

/// One partition with its owner's thread.
pub(crate) struct Owner {
    inbox: Arc<Inbox>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Owner {
    /// Opens the partition and starts its thread.
    pub(crate) fn start(
        log: &Arc<dyn Log>,
        partition: PartitionId,
        durability: Durability,
    ) -> anyhow::Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let extent = log.open(partition, durability, inbox.clone())?;
        inbox.lock().durable = extent.durable;
        let (log, seen) = (log.clone(), inbox.clone());
        let thread = std::thread::Builder::new().name(format!("owner-{}", partition.0)).spawn(move || {
            let served = serve(&*log, partition, extent.next, &seen);
            log.close(partition);
            served
        })?;
        Ok(Self { inbox, thread: Some(thread) })
    }

    /// Stops the thread and gives the partition up.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.inbox.change(|arrived| arrived.closed = true);
        let thread = self.thread.take().context("an owner is stopped once")?;
        thread.join().map_err(|_| anyhow::anyhow!("a partition's owner panicked"))?
    }
}

/// The owner's thread: append what waits, answer what is durable, until closed and nothing is owed. As in the runtime, a
/// batch is at least as large as all that is on its way to the device.
fn serve(log: &dyn Log, partition: PartitionId, mut next: Offset, inbox: &Inbox) -> anyhow::Result<()> {
    let mut batch = BatchBuilder::new();
    let mut requests = Vec::new();
    let mut unanswered: VecDeque<(Offset, oneshot::Sender<()>)> = VecDeque::new();
    let mut answered_below = 0;
    loop {
        let (mut durable, closed) = {
            let mut state = inbox.lock();
            let least = unanswered.len().max(1);
            while state.requests.len() < least
                && state.durable <= answered_below
                && !(state.closed && unanswered.is_empty())
            {
                state.waiting = Some(least);
                state = inbox.arrival.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.requests.len() as u64 >= next.saturating_sub(state.durable.max(answered_below)) {
                mem::swap(&mut requests, &mut state.requests);
            }
            (state.durable, state.closed)
        };
        if !requests.is_empty() {
            batch.clear();
            let first = next;
            for (record, answer) in requests.drain(..) {
                batch.push(&record)?;
                unanswered.push_back((next, answer));
                next += 1;
            }
            durable = durable.max(log.append(partition, first, &batch, Allowance::Ordinary)?.durable);
        }
        while unanswered.front().is_some_and(|(offset, _)| *offset < durable) {
            if let Some((_, answer)) = unanswered.pop_front() {
                // A client that has gone away needs no answer.
                let _ = answer.send(());
            }
        }
        answered_below = durable;
        if closed && unanswered.is_empty() {
            return Ok(());
        }
    }
}

/// Clients spread evenly over some partitions.
pub(crate) struct Owners(Vec<Owner>);

impl Owners {
    /// Starts `partitions` owners, the first of them owning partition `from`.
    pub(crate) fn start(
        log: &Arc<dyn Log>,
        from: u32,
        partitions: u32,
        durability: Durability,
    ) -> anyhow::Result<Self> {
        let owners = (from..from + partitions).map(|id| Owner::start(log, PartitionId(id), durability));
        owners.collect::<anyhow::Result<_>>().map(Self)
    }

    /// Stops them all.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.0.into_iter().try_for_each(Owner::stop)
    }
}

impl Door for Owners {
    async fn ask(&self, client: usize, sequence: u64) {
        let mut record = [0; RECORD_BYTES];
        record[..8].copy_from_slice(&sequence.to_le_bytes());
        let (answer, answered) = oneshot::channel();
        self.0[client % self.0.len()].inbox.request(record, answer);
        answered.await.expect("an owner answers every request before it stops");
    }
}
