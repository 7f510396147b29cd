//! The handle to a running partition: what protocol adapters, wiring and tests hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use decalog_log::PartitionId;
use tokio::sync::oneshot;
use zerocopy::little_endian::{U16, U64};

use crate::error::{Halt, ReadError, SubmitError};
use crate::events::{Address, Published, SubscriptionError};
use crate::hub::{Hub, Sees};
use crate::inlet::{Inlet, Order, Waiter};
use crate::machine::{Digest, StateMachine, Wire};
use crate::record::{Header, Own};
use crate::replica::Replica;
use crate::shadow::{Shadow, SnapshotError};
use crate::subscription::Subscription;

/// Who asks, and what the command concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The key's bucket, or the unit.
    pub bucket: u16,
    /// Who asks; 0 is the system itself.
    pub principal: u64,
    /// The client instance, for deduplication; 0 asks for none.
    pub client: u64,
    /// That client's sequence number for this command: the same again gets the recorded reply.
    pub sequence: u64,
    /// May use the space held back for a full disk: heartbeats, refusals, logouts.
    pub urgent: bool,
}

impl Origin {
    /// The system itself, for this bucket.
    pub fn system(bucket: u16) -> Origin {
        Origin { bucket, ..Origin::default() }
    }

    /// What a header says of it.
    pub(crate) fn of(header: &Header, urgent: bool) -> Origin {
        Origin {
            bucket: header.bucket.get(),
            principal: header.principal.get(),
            client: header.client.get(),
            sequence: header.sequence.get(),
            urgent,
        }
    }

    fn header<C: Wire>(&self, command: &C, rules: u32) -> Header {
        let (kind, version) = command.kind(rules);
        Header {
            kind: U16::new(kind),
            version: U16::new(version),
            bucket: U16::new(self.bucket),
            principal: U64::new(self.principal),
            client: U64::new(self.client),
            sequence: U64::new(self.sequence),
            ..Header::EMPTY
        }
    }
}

/// An answer and where it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<R> {
    /// What the machine replied.
    pub reply: R,
    /// The command's place in the log; for a repeat, that of the first.
    pub offset: u64,
    /// The command had been applied before: this is the recorded reply.
    pub repeated: bool,
}

impl<R> Answer<R> {
    /// A read at this point ([`Partition::read_at`]) sees what this command did.
    pub fn seen(&self) -> u64 {
        self.offset + 1
    }
}

/// A read's value and how much it saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen<R> {
    /// What the read returned.
    pub value: R,
    /// Every record below this offset was applied.
    pub seen: u64,
}

/// Whether a partition works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Commands and reads are served.
    Running,
    /// A bug stopped it, and the state before is being rebuilt: nothing is served.
    Rebuilding(Halt),
    /// A bug stopped it: reads are served, commands are not.
    Halted(Halt),
    /// The clock jumped: reads are served, commands are not until it is accepted.
    ClockJumped {
        /// What UTC gained on the boot-time clock, in milliseconds.
        gain_millis: i64,
    },
    /// It has been shut down, or the process must stop.
    Stopped,
}

impl std::fmt::Display for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Health::Running => f.write_str("running"),
            Health::Rebuilding(halt) => write!(f, "halted, its state is being rebuilt: {halt}"),
            Health::Halted(halt) => write!(f, "halted: {halt}"),
            Health::ClockJumped { gain_millis } => {
                write!(f, "the clock jumped by {gain_millis} ms: commands are refused until it is accepted")
            }
            Health::Stopped => f.write_str("stopped"),
        }
    }
}

/// Where a partition stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which one.
    pub partition: PartitionId,
    /// Every record below is applied.
    pub applied: u64,
    /// Every record below is durable at the partition's level.
    pub durable: u64,
    /// Every record below is on the device.
    pub synced: u64,
    /// The rules in force.
    pub rules: u32,
    /// Commands in the queue.
    pub waiting: usize,
    /// Whether it works.
    pub health: Health,
    /// The newest snapshot's offset; 0 without one.
    pub snapshot: u64,
    /// The shadow came to another state than the live partition: snapshots stopped, and somebody must look.
    pub diverged: bool,
    /// The reader that keeps the event journal from being trimmed most, and how many records it is behind.
    pub slowest_pin: Option<(String, u64)>,
}

/// What the partition's thread tells its handles, without a lock.
#[derive(Debug)]
pub(crate) struct Gauges {
    pub(crate) applied: AtomicU64,
    pub(crate) durable: AtomicU64,
    pub(crate) synced: AtomicU64,
    pub(crate) rules: AtomicU32,
    pub(crate) health: std::sync::Mutex<Health>,
}

impl Gauges {
    pub(crate) fn set_health(&self, health: Health) {
        *self.health.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = health;
    }

    pub(crate) fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

/// A handle to a running partition; clones are handles to the same one.
pub struct Partition<M: StateMachine> {
    pub(crate) shared: Arc<Shared<M>>,
}

impl<M: StateMachine> Clone for Partition<M> {
    fn clone(&self) -> Self {
        Partition { shared: self.shared.clone() }
    }
}

pub(crate) struct Shared<M: StateMachine> {
    pub(crate) id: PartitionId,
    pub(crate) inlet: Arc<Inlet<M>>,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) shadow: Arc<Shadow>,
}

impl<M: StateMachine> Partition<M> {
    /// Which partition it is.
    pub fn id(&self) -> PartitionId {
        self.shared.id
    }

    fn rules(&self) -> u32 {
        self.shared.gauges.rules.load(Ordering::Relaxed)
    }

    fn push(
        &self,
        origin: Origin,
        command: &M::Command,
        token: u64,
        waiter: Option<Waiter<M>>,
    ) -> Result<(), SubmitError> {
        let rules = self.rules();
        let header = origin.header(command, rules);
        self.shared.inlet.push(&header, origin.urgent, token, waiter, |out| command.encode(rules, out))
    }

    /// Logs a command and waits for the reply, which comes once the command is durable and applied.
    pub async fn submit(
        &self,
        origin: Origin,
        command: &M::Command,
    ) -> Result<Answer<M::Reply>, SubmitError> {
        let (waiter, answer) = Waiter::new();
        self.push(origin, command, 0, Some(waiter))?;
        answer.await.unwrap_or(Err(SubmitError::Closed(self.id())))
    }

    /// [`Partition::submit`] for callers outside of an async runtime.
    pub fn submit_blocking(
        &self,
        origin: Origin,
        command: &M::Command,
    ) -> Result<Answer<M::Reply>, SubmitError> {
        let (waiter, answer) = Waiter::new();
        self.push(origin, command, 0, Some(waiter))?;
        answer.blocking_recv().unwrap_or(Err(SubmitError::Closed(self.id())))
    }

    /// Logs a command whose reply goes to the partition's [`crate::Observer`] only, with this token. Nothing is
    /// allocated once the queue's buffers have grown to their working size.
    pub fn offer(&self, origin: Origin, command: &M::Command, token: u64) -> Result<(), SubmitError> {
        self.push(origin, command, token, None)
    }

    /// Reads the state on its own thread, between two batches. The closure must be short: the partition waits for it.
    pub async fn read<R: Send + 'static>(
        &self,
        read: impl FnOnce(&M) -> R + Send + 'static,
    ) -> Result<Seen<R>, ReadError> {
        self.read_at(0, read).await
    }

    /// Reads a state in which every record below `seen` is applied, waiting for it.
    pub async fn read_at<R: Send + 'static>(
        &self,
        seen: u64,
        read: impl FnOnce(&M) -> R + Send + 'static,
    ) -> Result<Seen<R>, ReadError> {
        self.queue_read(seen, read)?.await.unwrap_or(Err(ReadError::Closed(self.id())))
    }

    /// [`Partition::read_at`] for callers outside of an async runtime.
    pub fn read_blocking<R: Send + 'static>(
        &self,
        seen: u64,
        read: impl FnOnce(&M) -> R + Send + 'static,
    ) -> Result<Seen<R>, ReadError> {
        self.queue_read(seen, read)?.blocking_recv().unwrap_or(Err(ReadError::Closed(self.id())))
    }

    #[allow(clippy::type_complexity)]
    fn queue_read<R: Send + 'static>(
        &self,
        seen: u64,
        read: impl FnOnce(&M) -> R + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<Seen<R>, ReadError>>, ReadError> {
        if let Health::Rebuilding(_) = self.shared.gauges.health() {
            return Err(ReadError::Rebuilding(self.id()));
        }
        let (answer, waiter) = oneshot::channel();
        let job = move |state: Result<&Replica<M>, ReadError>| {
            let result = state.and_then(|replica| {
                let read = std::panic::AssertUnwindSafe(|| read(&replica.machine));
                std::panic::catch_unwind(read)
                    .map(|value| Seen { value, seen: replica.ledger.applied })
                    .map_err(|panic| ReadError::Panicked(crate::panic_words(&*panic)))
            });
            // Whoever asked may have gone away.
            let _ = answer.send(result);
        };
        self.shared.inlet.push_read(seen, Box::new(job))?;
        Ok(waiter)
    }

    /// Follows the events from a cursor on: first the history, then live, none left out and none twice. A subscriber
    /// that had caught up and falls too far behind is cut off.
    pub fn subscribe(&self, from: Address) -> Result<Subscription<M::Event>, SubscriptionError> {
        self.shared.hub.subscribe(from, None)
    }

    /// Like [`Partition::subscribe`], for projections on disk, wiring and effects: never cut off, and sees an event only
    /// once its record is on the device, which it asks for whatever the partition's level. The journal keeps what this
    /// reader has not [`Subscription::release`]d; one that stays far behind shows in [`Partition::status`].
    pub fn follow(&self, name: &str, from: Address) -> Result<Subscription<M::Event>, SubscriptionError> {
        self.shared.hub.subscribe(from, Some((name.to_owned(), Sees::Synced)))
    }

    /// Like [`Partition::follow`], for projections in memory: they die with the process, so they see what is durable at
    /// the partition's level, and ask for no sync.
    pub fn project(&self, name: &str, from: Address) -> Result<Subscription<M::Event>, SubscriptionError> {
        self.shared.hub.subscribe(from, Some((name.to_owned(), Sees::Durable)))
    }

    /// Looks up one event by its address; `None` when there is none there.
    pub fn event(&self, address: Address) -> Result<Option<Published<M::Event>>, SubscriptionError> {
        self.shared.hub.event(address)
    }

    /// The address at which live events go on.
    pub fn head(&self) -> Address {
        Address::of_record(self.shared.hub.end())
    }

    /// Makes a snapshot now and waits for it; returns its offset.
    pub async fn snapshot(&self) -> Result<u64, SnapshotError> {
        self.shared.shadow.request()?.await.unwrap_or(Err(SnapshotError::Closed))
    }

    /// [`Partition::snapshot`] for callers outside of an async runtime.
    pub fn snapshot_blocking(&self) -> Result<u64, SnapshotError> {
        self.shared.shadow.request()?.blocking_recv().unwrap_or(Err(SnapshotError::Closed))
    }

    /// Raises the rules by a logged record. Returns once it is queued.
    ///
    /// # Panics
    /// For rules that this program does not know ([`StateMachine::RULES`]).
    pub fn raise_rules(&self, rules: u32) -> Result<(), SubmitError> {
        assert!(rules <= M::RULES, "rules {rules} are unknown here: the newest are {}", M::RULES);
        self.shared.inlet.push(&Header::own(Own::Rules), false, 0, None, |out| {
            out.extend_from_slice(&rules.to_le_bytes());
        })
    }

    /// An operator says that UTC is right although it jumped; this is logged, and commands are taken again.
    pub fn accept_clock(&self) {
        self.shared.inlet.order(Order::AcceptClock);
    }

    /// Where the partition stands.
    pub fn status(&self) -> Status {
        let Shared { id, inlet, gauges, hub, shadow } = &*self.shared;
        Status {
            partition: *id,
            applied: gauges.applied.load(Ordering::Acquire),
            durable: gauges.durable.load(Ordering::Acquire),
            synced: gauges.synced.load(Ordering::Acquire),
            rules: self.rules(),
            waiting: inlet.waiting(),
            health: gauges.health(),
            snapshot: shadow.newest(),
            diverged: shadow.diverged(),
            slowest_pin: hub.slowest_pin(),
        }
    }

    /// The fingerprint of the state, with the offset it belongs to.
    pub async fn digest(&self) -> Result<Seen<Digest>, ReadError> {
        self.read(StateMachine::digest).await
    }
}
