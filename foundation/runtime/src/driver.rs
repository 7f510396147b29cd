//! The thread of a partition: takes what callers queued, writes it, applies what has become durable, runs reads in
//! between, carries messages, keeps deadlines, and sleeps when there is nothing to do.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use decalog_log::{Listener, LogError, Offset};

use crate::config::{Config, Fatal, Meter, OnFatal};
use crate::core::{Core, acknowledgement, delivery};
use crate::error::{ReadError, SubmitError};
use crate::inlet::{Inlet, Order, ReadJob, Taken};
use crate::lookout::Lookout;
use crate::machine::StateMachine;
use crate::partition::{Health, Shared};
use crate::record::Own;
use crate::replica::Replica;
use crate::switchboard::{Sent, Switchboard};

/// What the log's thread tells the partition's: two numbers and a wake-up.
pub(crate) struct Watermark {
    durable: AtomicU64,
    synced: AtomicU64,
    failure: OnceLock<Arc<LogError>>,
    thread: OnceLock<thread::Thread>,
}

impl Watermark {
    pub(crate) fn new() -> Watermark {
        Watermark {
            durable: AtomicU64::new(0),
            synced: AtomicU64::new(0),
            failure: OnceLock::new(),
            thread: OnceLock::new(),
        }
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

impl Listener for Watermark {
    fn advanced(&self, durable: Offset, synced: Offset) {
        self.durable.fetch_max(durable, Ordering::AcqRel);
        self.synced.fetch_max(synced, Ordering::AcqRel);
        self.wake();
    }

    fn failed(&self, error: Arc<LogError>) {
        let _ = self.failure.set(error);
        self.wake();
    }
}

/// Rebuilds the state to just before a halted record; `None` when even that cannot be done.
pub(crate) type Rebuild<M> = Box<dyn Fn(u64) -> Option<Replica<M>> + Send>;

/// Everything the thread owns.
pub(crate) struct Driver<M: StateMachine> {
    pub(crate) core: Core<M>,
    pub(crate) shared: Arc<Shared<M>>,
    pub(crate) watermark: Arc<Watermark>,
    pub(crate) switchboard: Arc<Switchboard>,
    pub(crate) meter: Arc<dyn Meter>,
    pub(crate) config: Config,
    pub(crate) log: Arc<dyn decalog_log::Log>,
    pub(crate) fatal: OnFatal,
    pub(crate) rebuild: Rebuild<M>,
}

/// What changes from turn to turn.
struct Turns<M: StateMachine> {
    reads: VecDeque<(u64, ReadJob<M>)>,
    sent: Sent,
    /// The sync and the apply that messages were last looked at.
    carried: (u64, u64),
    retry_messages: bool,
    sync_asked: u64,
    stopping: bool,
    jump_reported: bool,
    /// When messages were last sent again.
    nudged: Instant,
    lookout: Lookout,
}

/// Sleeps are never longer, so that a clock that is set is noticed.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);
/// How long a message may stay unacknowledged before it is sent again.
const NUDGE: Duration = Duration::from_secs(1);
/// How soon messages that found no room are tried again.
const RETRY: Duration = Duration::from_millis(2);

impl<M: StateMachine> Driver<M> {
    /// The thread's whole life.
    pub(crate) fn run(mut self) {
        let thread = thread::current();
        let _ = self.watermark.thread.set(thread.clone());
        self.shared.inlet.attach(thread);
        let mut turns = Turns {
            reads: VecDeque::new(),
            sent: Sent::default(),
            carried: (0, 0),
            retry_messages: false,
            sync_asked: 0,
            stopping: false,
            jump_reported: false,
            nudged: Instant::now(),
            lookout: Lookout::new(self.config.spin),
        };
        let end =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.turn_until_stopped(&mut turns)));
        let error = match end {
            Ok(Ok(())) => SubmitError::Closed(self.shared.id),
            Ok(Err(fatal)) => self.fail(&fatal),
            Err(panic) => {
                let reason = crate::panic_words(&*panic);
                self.fail(&Fatal::Bug { partition: self.shared.id, reason })
            }
        };
        self.end(&mut turns, &error);
    }

    fn fail(&self, fatal: &Fatal) -> SubmitError {
        (self.fatal)(fatal);
        match fatal {
            Fatal::Log { error, .. } => SubmitError::LogFailed(error.clone()),
            _ => SubmitError::Closed(self.shared.id),
        }
    }

    fn turn_until_stopped(&mut self, turns: &mut Turns<M>) -> Result<(), Fatal> {
        self.publish_gauges();
        while !(turns.stopping && self.drained()) {
            if !self.turn(turns)? {
                self.nudge(turns);
                self.sleep(turns);
            }
        }
        Ok(())
    }

    /// One round; `false` when there was nothing to do.
    fn turn(&mut self, turns: &mut Turns<M>) -> Result<bool, Fatal> {
        self.notice()?;
        let mut busy = self.apply_ready();
        let Taken { intake, reads, orders } = self.shared.inlet.take(self.least(), &mut self.core.spent);
        turns.reads.extend(reads);
        for order in orders {
            busy = true;
            self.obey(turns, order)?;
        }
        if let Some(intake) = intake {
            busy = true;
            turns.lookout.came();
            self.core.append(intake)?;
            self.apply_ready();
        } else if self.core.tick_due() {
            busy = true;
            self.core.append_own(Own::Tick, 0, &[])?;
            self.apply_ready();
        }
        if let Some(failure) = self.core.failure.take() {
            return Err(failure);
        }
        if self.core.halt.is_some() && self.core.replica.is_none() {
            self.rebuild();
        }
        self.carry(turns)?;
        if busy {
            self.publish_gauges();
            self.watch_snapshots();
        }
        self.report_jump(turns);
        busy |= self.serve_reads(turns);
        Ok(busy)
    }

    /// Applies what is durable; `false` when there was nothing.
    fn apply_ready(&mut self) -> bool {
        let before = self.core.applied();
        let began = Instant::now();
        let applied = self.core.apply_ready();
        if applied {
            let records = self.core.applied().saturating_sub(before);
            self.meter.applied(self.shared.id, records, began.elapsed());
        }
        applied
    }

    /// How many commands make the next batch worth writing: as many as are on their way to the device. So batches double
    /// while a sync runs, few are written for each, and the first command after a pause waits for nobody.
    fn least(&self) -> usize {
        if self.core.in_flight() >= self.config.flight_batches {
            return usize::MAX;
        }
        usize::try_from(self.core.in_flight_records()).unwrap_or(usize::MAX).max(1)
    }

    /// Hears what the log has done.
    fn notice(&mut self) -> Result<(), Fatal> {
        if let Some(error) = self.watermark.failure.get() {
            return Err(Fatal::Log { partition: self.shared.id, error: error.clone() });
        }
        let durable = self.watermark.durable.load(Ordering::Acquire);
        let synced = self.watermark.synced.load(Ordering::Acquire);
        self.core.advance(durable, synced);
        Ok(())
    }

    fn publish_gauges(&self) {
        let gauges = &self.shared.gauges;
        gauges.durable.store(self.core.durable(), Ordering::Release);
        gauges.synced.store(self.core.synced(), Ordering::Release);
        gauges.applied.store(self.core.applied(), Ordering::Release);
        if let Some(replica) = &self.core.replica {
            gauges.rules.store(replica.ledger.rules, Ordering::Relaxed);
        }
    }

    fn obey(&mut self, turns: &mut Turns<M>, order: Order) -> Result<(), Fatal> {
        match order {
            Order::AcceptClock => self.core.accept_clock(),
            Order::Resend => {
                turns.sent.forget();
                turns.retry_messages = true;
                Ok(())
            }
            Order::Stop => {
                turns.stopping = true;
                self.shared.inlet.close(SubmitError::Closed(self.shared.id));
                self.log.request_sync(self.shared.id);
                Ok(())
            }
        }
    }

    /// Everything taken is answered, and everything written is on the device.
    fn drained(&self) -> bool {
        let idle = self.core.in_flight() == 0 && self.shared.inlet.waiting() == 0;
        idle && (self.core.synced() >= self.core.next() || self.core.halt.is_some())
    }

    fn report_jump(&mut self, turns: &mut Turns<M>) {
        if self.core.halt.is_some() {
            return;
        }
        let jump = self.core.clock_jump_nanos();
        if jump.is_some() != turns.jump_reported {
            turns.jump_reported = jump.is_some();
            let health = match jump {
                Some(nanos) => {
                    let gain_millis = nanos / 1_000_000;
                    tracing::error!(
                        partition = self.shared.id.0,
                        gain_millis,
                        "the clock jumped: commands are refused"
                    );
                    Health::ClockJumped { gain_millis }
                }
                None => Health::Running,
            };
            self.shared.gauges.set_health(health);
        }
    }

    fn rebuild(&mut self) {
        let Some(halt) = self.core.halt.clone() else { return };
        let shared = &self.shared;
        shared.gauges.set_health(Health::Rebuilding(halt.clone()));
        shared.inlet.close(SubmitError::Halted(halt.clone()));
        self.core.replica = (self.rebuild)(halt.offset);
        if self.core.replica.is_some() {
            shared.gauges.set_health(Health::Halted(halt));
        }
        self.publish_gauges();
    }

    /// Runs reads whose state is there, within the budget; those that never will be are refused.
    fn serve_reads(&mut self, turns: &mut Turns<M>) -> bool {
        if turns.reads.is_empty() {
            return false;
        }
        let Some(replica) = &self.core.replica else {
            turns.reads.drain(..).for_each(|(_, read)| read(Err(ReadError::Rebuilding(self.shared.id))));
            return true;
        };
        let began = Instant::now();
        let mut served = false;
        for _ in 0..turns.reads.len() {
            let (seen, read) = turns.reads.pop_front().expect("as many as counted");
            match &self.core.halt {
                _ if seen <= replica.ledger.applied => {
                    read(Ok(replica));
                    served = true;
                }
                Some(halt) => read(Err(ReadError::Halted(halt.clone()))),
                None => turns.reads.push_back((seen, read)),
            }
            if began.elapsed() > self.config.read_budget {
                return true;
            }
        }
        served
    }

    /// Sends messages and acknowledgements whose records are on the device; asks for a sync when some wait for it.
    fn carry(&mut self, turns: &mut Turns<M>) -> Result<(), Fatal> {
        let state = (self.core.synced(), self.core.applied());
        if state == turns.carried && !turns.retry_messages {
            return Ok(());
        }
        turns.carried = state;
        turns.retry_messages = false;
        for (source, sequence) in self.core.take_acknowledgements() {
            let (header, body) = acknowledgement(self.shared.id, sequence);
            // A lost acknowledgement is made up for by the next, or after the source's next start.
            self.switchboard.put(source, &header, &body);
        }
        let targets: Vec<_> =
            self.core.replica.iter().flat_map(|replica| replica.ledger.post.targets()).collect();
        for target in targets {
            for posted in self.core.outgoing(target, turns.sent.next(target)) {
                let (header, body) = delivery(self.shared.id, posted);
                if !self.switchboard.put(target, &header, &body) {
                    turns.retry_messages = true;
                    break;
                }
                turns.sent.note(target, posted.sequence);
            }
        }
        let waits = self.core.awaits_sync() || self.shared.hub.has_followers();
        if waits && turns.sync_asked < self.core.next() && self.core.synced() < self.core.next() {
            turns.sync_asked = self.core.next();
            self.log.request_sync(self.shared.id);
        }
        Ok(())
    }

    /// A target may have lost what it was sent (its disk was full, it stopped): sends again what stays unacknowledged.
    fn nudge(&self, turns: &mut Turns<M>) {
        let mut targets = self.core.replica.iter().flat_map(|replica| replica.ledger.post.targets());
        if targets.next().is_some() && turns.nudged.elapsed() > NUDGE {
            turns.nudged = Instant::now();
            turns.sent.forget();
            turns.retry_messages = true;
        }
    }

    fn watch_snapshots(&self) {
        let every = self.config.snapshot_every;
        if every > 0 && self.core.halt.is_none() {
            self.shared.shadow.due(self.core.applied(), every);
        }
    }

    fn sleep(&self, turns: &mut Turns<M>) {
        let inlet = &self.shared.inlet;
        let durable = || self.watermark.durable.load(Ordering::Acquire) > self.core.durable();
        if turns.lookout.until(|| inlet.has_news() || durable()) {
            return;
        }
        let mut longest = if turns.retry_messages { RETRY } else { LONGEST_SLEEP };
        if let Some(nanos) = self.core.nanos_to_deadline().filter(|_| self.core.in_flight() == 0) {
            longest = longest.min(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)));
        }
        if !longest.is_zero() && inlet.about_to_park(self.least()) {
            thread::park_timeout(longest);
        }
    }

    /// Nobody is left without an answer.
    fn end(&mut self, turns: &mut Turns<M>, error: &SubmitError) {
        let shared = self.shared.clone();
        shared.inlet.close(error.clone());
        self.switchboard.disconnect(shared.id);
        shared.gauges.set_health(Health::Stopped);
        self.core.abandon(error);
        loop {
            let Taken { intake, reads, .. } = shared.inlet.take(1, &mut self.core.spent);
            turns.reads.extend(reads);
            let Some(intake) = intake else { break };
            self.core.refuse_all(intake, error);
        }
        turns.reads.drain(..).for_each(|(_, read)| read(Err(ReadError::Closed(shared.id))));
        self.publish_gauges();
        shared.hub.close();
        shared.shadow.close();
        self.log.close(shared.id);
    }
}

impl<M: StateMachine> Inlet<M> {
    /// Whether something may have come, without taking the lock.
    fn has_news(&self) -> bool {
        self.news.load(Ordering::Acquire)
    }
}
