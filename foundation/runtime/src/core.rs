//! One partition without a thread: commands in, batches to the log, and, as they become durable, replies and events
//! out. The driver runs it on a thread, the simulator step by step; there is no second way.
//!
//! It never waits and never asks who is there: what is durable, it is told.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use decalog_log::{Allowance, AppendError, Batch, BatchBuilder, Extent, Log, PartitionId};
use zerocopy::IntoBytes;
use zerocopy::little_endian::{I64, U32};

use crate::clock::{Clock, Guard};
use crate::config::Fatal;
use crate::delivery::Posted;
use crate::error::{Bug, Halt, SubmitError};
use crate::hub::Hub;
use crate::inlet::{Entry, Intake, Waiter};
use crate::machine::{StateMachine, Timestamp, Wire};
use crate::observer::{Applied, Observer, Refused};
use crate::partition::{Answer, Origin};
use crate::record::{Acknowledgement, Delivery, HEADER_BYTES, Header, Own};
use crate::recover::context;
use crate::replica::{Effect, Replica};

/// A batch that is written and not yet applied.
struct Flight<M: StateMachine> {
    first: u64,
    batch: BatchBuilder,
    intake: Intake<M>,
}

impl<M: StateMachine> Flight<M> {
    fn end(&self) -> u64 {
        self.first + u64::from(self.batch.count())
    }
}

/// An acknowledgement that waits for the device.
struct Owed {
    offset: u64,
    source: PartitionId,
    sequence: u64,
}

/// The partition.
pub(crate) struct Core<M: StateMachine> {
    pub(crate) id: PartitionId,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    guard: Guard,
    /// `None` from a bug until the state is rebuilt.
    pub(crate) replica: Option<Replica<M>>,
    pub(crate) halt: Option<Halt>,
    /// The tables have failed: nothing more is applied.
    pub(crate) failure: Option<Fatal>,
    /// As of the last record written, which may not be applied yet.
    next: u64,
    stamp: Timestamp,
    rules: u32,
    durable: u64,
    synced: u64,
    flight: VecDeque<Flight<M>>,
    builders: Vec<BatchBuilder>,
    /// Emptied intakes, for the inlet to fill again.
    pub(crate) spent: Vec<Intake<M>>,
    frames: Vec<u8>,
    owed: VecDeque<Owed>,
    /// Answers of the batch being applied.
    answers: Vec<(Waiter<M>, Answer<M::Reply>)>,
    observer: Option<Box<dyn Observer<M>>>,
    hub: Arc<Hub>,
}

/// What a core is made of.
pub(crate) struct Parts<M: StateMachine> {
    pub(crate) id: PartitionId,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) replica: Replica<M>,
    pub(crate) extent: Extent,
    pub(crate) observer: Option<Box<dyn Observer<M>>>,
    pub(crate) hub: Arc<Hub>,
}

fn tell<M: StateMachine>(
    observer: &mut Option<Box<dyn Observer<M>>>,
    news: impl FnOnce(&mut dyn Observer<M>),
) {
    if let Some(told) = observer
        && catch_unwind(AssertUnwindSafe(|| news(&mut **told))).is_err()
    {
        tracing::error!("a partition's observer panicked and is switched off; the partition goes on");
        *observer = None;
    }
}

impl<M: StateMachine> Core<M> {
    pub(crate) fn new(parts: Parts<M>) -> Core<M> {
        let Parts { id, log, clock, replica, extent, observer, hub } = parts;
        Core {
            id,
            log,
            guard: Guard::new(&*clock),
            clock,
            next: extent.next,
            stamp: replica.ledger.time,
            rules: replica.ledger.rules,
            durable: extent.durable,
            synced: extent.synced,
            replica: Some(replica),
            halt: None,
            failure: None,
            flight: VecDeque::new(),
            builders: Vec::new(),
            spent: Vec::new(),
            frames: Vec::new(),
            owed: VecDeque::new(),
            answers: Vec::new(),
            observer,
            hub,
        }
    }

    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    pub(crate) fn applied(&self) -> u64 {
        match (&self.replica, &self.halt) {
            (Some(replica), _) => replica.ledger.applied,
            (None, Some(halt)) => halt.offset,
            (None, None) => 0,
        }
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable
    }

    pub(crate) fn synced(&self) -> u64 {
        self.synced
    }

    /// The batch written last, if it is not applied yet.
    pub(crate) fn last_written(&self) -> Option<(u64, &BatchBuilder)> {
        self.flight.back().map(|flight| (flight.first, &flight.batch))
    }

    /// Batches written and not applied.
    pub(crate) fn in_flight(&self) -> usize {
        self.flight.len()
    }

    /// Records of those batches.
    pub(crate) fn in_flight_records(&self) -> u64 {
        self.flight.front().map_or(0, |oldest| self.next - oldest.first)
    }

    /// The log says how far it is.
    pub(crate) fn advance(&mut self, durable: u64, synced: u64) {
        self.durable = self.durable.max(durable);
        if synced > self.synced {
            self.synced = synced;
            self.hub.set_synced(synced);
        }
    }

    /// Writes an intake as one batch. Commands that cannot be taken are refused one by one; only a failure of the log
    /// itself is an error.
    pub(crate) fn append(&mut self, mut intake: Intake<M>) -> Result<(), Fatal> {
        if let Some(halt) = self.halt.clone() {
            self.refuse_all(intake, &SubmitError::Halted(halt));
            return Ok(());
        }
        let now = match self.guard.now(&*self.clock) {
            Ok(now) => now,
            Err(jump) => {
                let gain_millis = jump.gain_nanos / 1_000_000;
                self.refuse_all(intake, &SubmitError::ClockJumped { gain_millis });
                return Ok(());
            }
        };
        match self.write(&intake, now, Allowance::Ordinary, |_| true) {
            Ok(batch) => self.took_off(batch, intake, now),
            Err(AppendError::Full { needed, available }) => {
                let urgent = intake.entries.iter().any(|entry| entry.urgent);
                self.refuse_ordinary(
                    &mut intake,
                    &format!("{needed} bytes are needed, {available} are left"),
                );
                if !urgent {
                    intake.clear();
                    self.spent.push(intake);
                    return Ok(());
                }
                match self.write(&intake, now, Allowance::Reserve, |entry| entry.urgent) {
                    Ok(batch) => self.took_off(batch, intake, now),
                    Err(AppendError::Full { needed, available }) => {
                        let words = format!("{needed} bytes are needed, {available} are left in the reserve");
                        self.refuse_all(intake, &SubmitError::DiskFull(words));
                    }
                    Err(error) => return Err(self.fatal(error, intake)),
                }
            }
            Err(error) => return Err(self.fatal(error, intake)),
        }
        Ok(())
    }

    /// Stamps and writes the chosen entries. Nothing of the core changes but its buffers.
    fn write(
        &mut self,
        intake: &Intake<M>,
        now: Timestamp,
        allowance: Allowance,
        chosen: impl Fn(&Entry<M>) -> bool,
    ) -> Result<(BatchBuilder, Extent), AppendError> {
        let mut batch = self.builders.pop().unwrap_or_default();
        batch.clear();
        let stamp = I64::new(self.stamp.max(now).0);
        let mut rules = self.rules;
        for entry in intake.entries.iter().filter(|entry| chosen(entry)) {
            let (header, body) =
                crate::record::split(intake.record(entry)).expect("the inlet writes whole headers");
            let stamped = Header { stamp, rules: U32::new(rules), ..*header };
            let pushed = batch.push_with(|out| {
                out.extend_from_slice(stamped.as_bytes());
                out.extend_from_slice(body);
            });
            pushed.expect("an intake is bounded by what a batch holds");
            if header.kind.get() == Own::Rules as u16 {
                rules = rules.max(u32::from_le_bytes(body.try_into().expect("four bytes of rules")));
            }
        }
        if let Some(replica) = &self.replica {
            batch.set_context(context(replica.ledger.chain, replica.ledger.applied));
        }
        match self.log.append(self.id, self.next, &batch, allowance) {
            Ok(extent) => {
                self.rules = rules;
                Ok((batch, extent))
            }
            Err(error) => {
                self.builders.push(batch);
                Err(error)
            }
        }
    }

    fn took_off(&mut self, (batch, extent): (BatchBuilder, Extent), intake: Intake<M>, now: Timestamp) {
        let first = self.next;
        self.next += u64::from(batch.count());
        self.stamp = self.stamp.max(now);
        self.flight.push_back(Flight { first, batch, intake });
        self.advance(extent.durable, extent.synced);
    }

    fn fatal(&mut self, error: AppendError, intake: Intake<M>) -> Fatal {
        let fatal = match error {
            AppendError::Failed(error) => Fatal::Log { partition: self.id, error },
            error => Fatal::Refused { partition: self.id, reason: error.to_string() },
        };
        let answer = match &fatal {
            Fatal::Log { error, .. } => SubmitError::LogFailed(error.clone()),
            _ => SubmitError::Closed(self.id),
        };
        self.refuse_all(intake, &answer);
        fatal
    }

    /// Refuses one entry of which this is the record.
    fn refuse(&mut self, entry: Entry<M>, record: &[u8], error: &SubmitError) {
        match entry.waiter {
            Some(waiter) => waiter.send(Err(error.clone())),
            None if entry.token != 0 => tell(&mut self.observer, |observer| {
                let (header, body) = crate::record::split(record).expect("the inlet writes whole headers");
                let command = M::Command::decode(header.kind.get(), header.version.get(), body);
                observer.refused(Refused {
                    token: entry.token,
                    origin: Origin::of(header, entry.urgent),
                    command: command.expect("a command that was encoded here"),
                    error,
                });
            }),
            None => {}
        }
    }

    pub(crate) fn refuse_all(&mut self, mut intake: Intake<M>, error: &SubmitError) {
        for entry in std::mem::take(&mut intake.entries) {
            let record = intake.record(&entry);
            self.refuse(entry, record, error);
        }
        intake.clear();
        self.spent.push(intake);
    }

    /// Refuses what may not use the reserve of a full disk; the urgent entries stay.
    fn refuse_ordinary(&mut self, intake: &mut Intake<M>, words: &str) {
        let error = SubmitError::DiskFull(words.to_owned());
        let entries = std::mem::take(&mut intake.entries);
        for entry in entries {
            if entry.urgent {
                intake.entries.push(entry);
            } else {
                let record = intake.record(&entry);
                self.refuse(entry, record, &error);
            }
        }
    }

    /// Writes a record of the runtime's own.
    pub(crate) fn append_own(&mut self, kind: Own, bucket: u16, body: &[&[u8]]) -> Result<(), Fatal> {
        let mut intake = self.spent.pop().unwrap_or_default();
        let header = Header { bucket: bucket.into(), ..Header::own(kind) };
        let mut record = Vec::with_capacity(HEADER_BYTES + 64);
        record.extend_from_slice(header.as_bytes());
        body.iter().for_each(|part| record.extend_from_slice(part));
        intake.push(&record, true, 0, None);
        self.append(intake)
    }

    /// Applies every batch that is durable. `Ok(true)` when there was one; a bug halts the partition and leaves
    /// `replica` empty.
    pub(crate) fn apply_ready(&mut self) -> bool {
        let mut applied = false;
        while self.halt.is_none()
            && self.failure.is_none()
            && self.flight.front().is_some_and(|flight| flight.end() <= self.durable)
        {
            let flight = self.flight.pop_front().expect("a front");
            self.apply_flight(flight);
            applied = true;
        }
        self.persist();
        if applied && self.halt.is_none() {
            let applied = self.applied();
            tell(&mut self.observer, |observer| observer.batch_end(applied));
        }
        if applied {
            self.hub.announce();
        }
        applied
    }

    /// Hands over to the tables what is on the device.
    fn persist(&mut self) {
        let Some(replica) = self.replica.as_mut().filter(|replica| replica.backing.is_some()) else { return };
        if let Err(error) = replica.persist(self.synced) {
            self.failure = Some(Fatal::Tables { partition: self.id, reason: error.to_string() });
        }
    }

    fn apply_flight(&mut self, flight: Flight<M>) {
        let Flight { first, batch, mut intake } = flight;
        let Some(replica) = &mut self.replica else { return };
        let records = Batch::new(self.id, first, batch.count(), *batch.context(), batch.payload())
            .expect("a batch just built")
            .records();
        self.frames.clear();
        let mut bug = None;
        for ((offset, record), entry) in records.zip(&mut intake.entries) {
            let traced = entry.waiter.as_ref().and_then(|waiter| waiter.applying(offset));
            let applied = replica.apply(record, &mut self.frames);
            drop(traced);
            match applied {
                Ok(effect) => {
                    if record[..2] == (Own::Delivery as u16).to_le_bytes() {
                        owe(&mut self.owed, replica, offset, record);
                    }
                    answer(&mut self.observer, &mut self.answers, replica, effect, entry);
                }
                Err(found) => {
                    bug = Some((offset, found));
                    break;
                }
            }
        }
        // Events first: whoever has an answer finds what it told others.
        self.hub.publish(first, replica.ledger.applied, &self.frames);
        for (waiter, answer) in self.answers.drain(..) {
            waiter.send(Ok(answer));
        }
        match bug {
            None => {
                replica.seal();
                self.builders.push(batch);
                intake.clear();
                self.spent.push(intake);
            }
            Some((_, Bug::Tables(reason))) => {
                self.flight.push_front(Flight { first, batch, intake });
                self.failure = Some(Fatal::Tables { partition: self.id, reason });
            }
            Some((offset, bug)) => {
                let halt = Halt { partition: self.id, offset, reason: bug.to_string().into() };
                self.flight.push_front(Flight { first, batch, intake });
                self.halt(halt);
            }
        }
    }

    /// Stops for good before the record that cannot be applied; the state is thrown away.
    pub(crate) fn halt(&mut self, halt: Halt) {
        tracing::error!(partition = self.id.0, offset = halt.offset, "{halt}");
        self.replica = None;
        let error = SubmitError::Halted(halt.clone());
        self.halt = Some(halt);
        while let Some(flight) = self.flight.pop_front() {
            self.refuse_all(flight.intake, &error);
        }
        self.owed.clear();
        tell(&mut self.observer, |observer| observer.stopped(&error));
    }

    /// Refuses what is in flight, for an end that is no halt.
    pub(crate) fn abandon(&mut self, error: &SubmitError) {
        while let Some(flight) = self.flight.pop_front() {
            self.refuse_all(flight.intake, error);
        }
        tell(&mut self.observer, |observer| observer.stopped(error));
    }

    /// Whether a deadline is due and nothing on its way would fire it.
    pub(crate) fn tick_due(&self) -> bool {
        self.flight.is_empty()
            && self.halt.is_none()
            && self.nanos_to_deadline().is_some_and(|nanos| nanos <= 0)
    }

    /// Nanoseconds until the machine's next deadline; none when the clock may not be used.
    pub(crate) fn nanos_to_deadline(&self) -> Option<i64> {
        let deadline = self.replica.as_ref()?.machine.deadline()?;
        let now = self.guard.now(&*self.clock).ok()?;
        Some(deadline.0.saturating_sub(now.0.max(self.stamp.0)))
    }

    /// What UTC gained, when it jumped.
    pub(crate) fn clock_jump_nanos(&self) -> Option<i64> {
        self.guard.now(&*self.clock).err().map(|jump| jump.gain_nanos)
    }

    /// An operator says that UTC is right.
    pub(crate) fn accept_clock(&mut self) -> Result<(), Fatal> {
        let gain = self.clock_jump_nanos().unwrap_or(0);
        self.guard = Guard::new(&*self.clock);
        self.append_own(Own::ClockAccepted, 0, &[&gain.to_le_bytes()])
    }

    /// Messages to `target` from this sequence on that may leave: their records are on the device.
    pub(crate) fn outgoing(&self, target: PartitionId, from: u64) -> impl Iterator<Item = &Posted> {
        self.replica.iter().flat_map(move |replica| replica.ledger.post.ready(target, from, self.synced))
    }

    /// Whether a message or an acknowledgement waits for the device.
    pub(crate) fn awaits_sync(&self) -> bool {
        let newest = self.replica.as_ref().and_then(|replica| replica.ledger.post.newest());
        let tables = self.replica.as_ref().is_some_and(|replica| replica.backing.is_some());
        let waits = tables && self.applied() > self.synced;
        waits || !self.owed.is_empty() || newest.is_some_and(|offset| offset >= self.synced)
    }

    /// Acknowledgements whose messages are on the device here: (source, everything up to this sequence).
    pub(crate) fn take_acknowledgements(&mut self) -> Vec<(PartitionId, u64)> {
        let mut ready = std::collections::BTreeMap::new();
        while self.owed.front().is_some_and(|owed| owed.offset < self.synced) {
            let owed = self.owed.pop_front().expect("a front");
            ready.insert(owed.source, owed.sequence);
        }
        ready.into_iter().collect()
    }
}

/// The header and body of a message on its way.
pub(crate) fn delivery(source: PartitionId, posted: &Posted) -> (Header, Vec<u8>) {
    let message = &posted.message;
    let header = Header { bucket: message.bucket.into(), ..Header::own(Own::Delivery) };
    let front = Delivery {
        source: source.0.into(),
        sequence: posted.sequence.into(),
        kind: message.kind.0.into(),
        version: message.kind.1.into(),
    };
    (header, [front.as_bytes(), &message.body].concat())
}

/// The header and body of an acknowledgement by `target`.
pub(crate) fn acknowledgement(target: PartitionId, sequence: u64) -> (Header, Vec<u8>) {
    let body = Acknowledgement { target: target.0.into(), sequence: sequence.into() };
    (Header::own(Own::Acknowledge), body.as_bytes().to_vec())
}

/// Notes that a message's source must be told how far its messages have come, repeats and gaps included: what it
/// was told before may have been lost.
fn owe<M: StateMachine>(owed: &mut VecDeque<Owed>, replica: &Replica<M>, offset: u64, record: &[u8]) {
    let source = record.get(HEADER_BYTES..HEADER_BYTES + 4).and_then(|bytes| bytes.try_into().ok());
    let Some(source) = source.map(|bytes| PartitionId(u32::from_le_bytes(bytes))) else { return };
    if let Some((_, sequence)) = replica.ledger.post.received().find(|(from, _)| *from == source) {
        owed.push_back(Owed { offset, source, sequence });
    }
}

/// Gives a record's outcome to the observer, and notes the answer for whoever waits.
fn answer<M: StateMachine>(
    observer: &mut Option<Box<dyn Observer<M>>>,
    answers: &mut Vec<(Waiter<M>, Answer<M::Reply>)>,
    replica: &Replica<M>,
    effect: Effect<M::Reply>,
    entry: &mut Entry<M>,
) {
    tell(observer, |observer| {
        observer.applied(&Applied {
            stamp: &effect.stamp,
            token: entry.token,
            reply: effect.reply.as_ref(),
            repeat_of: effect.repeat_of,
            events: replica.events(),
            state: &replica.machine,
        });
    });
    if let (Some(waiter), Some(reply)) = (entry.waiter.take(), effect.reply) {
        let offset = effect.repeat_of.unwrap_or(effect.stamp.offset);
        answers.push((waiter, Answer { reply, offset, repeated: effect.repeat_of.is_some() }));
    }
}
