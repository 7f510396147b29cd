//! A machine with the runtime's share of its state, and the one way a record is applied: live, in replay, by the
//! shadow, by `verify`, by the harness and by the simulator alike.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use decalog_log::PartitionId;
use zerocopy::FromBytes;

use crate::delivery::Verdict;
use crate::error::Bug;
use crate::events::{FRAME_PREFIX_BYTES, begin_frame, encode_event, finish_frame};
use crate::ledger::Ledger;
use crate::machine::{Digest, Outbox, Stamp, StateMachine, Timestamp, Wire};
use crate::record::{Acknowledgement, Delivery, Header, Own, split};
use crate::sabotage::{self, Sabotage};
use crate::tables::Backing;

/// A deadline that does not move on is a bug; it may fire this often at one moment.
const FIRES_AT_ONE_MOMENT: u32 = 1_000_000;

/// The records an operator decided to leave out.
pub(crate) type Skipped = Arc<BTreeSet<u64>>;

/// State that follows a log.
pub(crate) struct Replica<M: StateMachine> {
    pub(crate) machine: M,
    pub(crate) ledger: Ledger,
    /// The tables behind a table-backed machine.
    pub(crate) backing: Option<Arc<dyn Backing>>,
    skipped: Skipped,
    outbox: Outbox<M::Event>,
    reply: Vec<u8>,
    hashed: Vec<u8>,
}

/// What a record did, apart from its events ([`Replica::events`]).
#[derive(Debug)]
pub(crate) struct Effect<R> {
    pub(crate) stamp: Stamp,
    /// The machine's answer, if the record was for the machine.
    pub(crate) reply: Option<R>,
    /// The command was applied before, at this offset.
    pub(crate) repeat_of: Option<u64>,
}

/// What the digest says about a record that has no reply of its own.
#[repr(u8)]
enum Mark {
    Replied = 1,
    Repeated = 2,
    Own = 3,
    Refused = 4,
}

impl<M: StateMachine> Replica<M> {
    /// The state a machine has without a log: nothing, or, table-backed, what its tables hold.
    pub(crate) fn new(mut machine: M, skipped: Skipped) -> std::io::Result<Replica<M>> {
        let mut ledger = Ledger::new(M::DEDUPE_WINDOW);
        let mut backing = None;
        if let Some(tables) = machine.tables() {
            tables.load(&mut ledger)?;
            backing = Some(tables.backing().clone());
        }
        Ok(Replica {
            machine,
            ledger,
            backing,
            skipped,
            outbox: Outbox::default(),
            reply: Vec::new(),
            hashed: Vec::new(),
        })
    }

    /// A log batch is applied: what it changed becomes one batch of the tables, if there are any.
    pub(crate) fn seal(&mut self) {
        if self.backing.is_some()
            && let Some(tables) = self.machine.tables()
        {
            tables.seal(&self.ledger);
        }
    }

    /// Hands over to the tables what is on the device.
    pub(crate) fn persist(&mut self, synced: u64) -> std::io::Result<()> {
        match self.machine.tables() {
            Some(tables) if self.backing.is_some() => tables.persist(synced),
            _ => Ok(()),
        }
    }

    /// The events of the record just applied.
    pub(crate) fn events(&self) -> &[M::Event] {
        &self.outbox.events
    }

    /// The fingerprint of the whole state.
    pub(crate) fn digest(&self) -> Digest {
        self.machine.digest().then(&self.ledger.digest().0.to_le_bytes())
    }

    /// Applies the next record and appends its events to `frames`. After a bug the state is of no use any more.
    pub(crate) fn apply(&mut self, record: &[u8], frames: &mut Vec<u8>) -> Result<Effect<M::Reply>, Bug> {
        let start = frames.len();
        let result = catch_unwind(AssertUnwindSafe(|| self.apply_unguarded(record, frames)))
            .unwrap_or_else(|panic| Err(Bug::Panic(crate::panic_words(&*panic))));
        if result.is_err() {
            frames.truncate(start);
            if let Some(reason) = self.machine.tables().and_then(|tables| tables.failure()) {
                return Err(Bug::Tables(reason.to_owned()));
            }
        }
        result
    }

    fn apply_unguarded(&mut self, record: &[u8], frames: &mut Vec<u8>) -> Result<Effect<M::Reply>, Bug> {
        let offset = self.ledger.applied;
        let (header, body) = split(record)?;
        let stamp = header.stamp(offset);
        self.outbox.clear();
        if !self.skipped.is_empty() && self.skipped.contains(&offset) {
            return Ok(self.skip(stamp, header, body));
        }
        if stamp.rules != self.ledger.rules {
            return Err(Bug::Rules { record: stamp.rules, state: self.ledger.rules });
        }
        if !sabotage::lacks(Sabotage::DeadlineRule) || header.kind.get() == Own::Tick as u16 {
            self.fire_deadlines(&stamp);
        }
        let mut effect = Effect { stamp, reply: None, repeat_of: None };
        let mark = match Own::from_kind(header.kind.get()) {
            None => self.apply_command(&mut effect, header, body)?,
            Some(own) => self.apply_own(&mut effect, own, body)?,
        };
        self.close_record(&stamp, mark, frames);
        Ok(effect)
    }

    /// Fires every deadline at or before the record's moment, each at its own moment.
    fn fire_deadlines(&mut self, stamp: &Stamp) {
        let mut last: Option<(Timestamp, u32)> = None;
        while let Some(deadline) = self.machine.deadline().filter(|deadline| *deadline <= stamp.time) {
            let fires = match last {
                Some((time, fires)) if time == deadline => fires + 1,
                _ => 0,
            };
            assert!(fires < FIRES_AT_ONE_MOMENT, "the deadline {deadline:?} fires without moving on");
            last = Some((deadline, fires));
            let at = Stamp { offset: stamp.offset, time: deadline, rules: stamp.rules, ..Stamp::default() };
            self.machine.expire(&at, &mut self.outbox);
        }
    }

    fn apply_command(
        &mut self,
        effect: &mut Effect<M::Reply>,
        header: &Header,
        body: &[u8],
    ) -> Result<Mark, Bug> {
        let stamp = effect.stamp;
        self.reply.clear();
        if stamp.client != 0
            && !sabotage::lacks(Sabotage::DedupeWindow)
            && let Some(recorded) = self.ledger.dedupe.find(stamp.client, stamp.sequence)
        {
            effect.reply = Some(M::Reply::decode(recorded.kind.0, recorded.kind.1, &recorded.body)?);
            effect.repeat_of = Some(recorded.offset);
            self.reply.extend_from_slice(&recorded.offset.to_le_bytes());
            return Ok(Mark::Repeated);
        }
        let command = M::Command::decode(header.kind.get(), header.version.get(), body)?;
        let reply = self.machine.apply(&stamp, command, &mut self.outbox);
        self.reply.extend_from_slice(&[0; 4]);
        let kind = reply.kind(stamp.rules);
        reply.encode(stamp.rules, &mut self.reply);
        self.reply[0..2].copy_from_slice(&kind.0.to_le_bytes());
        self.reply[2..4].copy_from_slice(&kind.1.to_le_bytes());
        if stamp.client != 0 {
            self.ledger.dedupe.remember(stamp.client, stamp.sequence, stamp.offset, kind, &self.reply[4..]);
        }
        effect.reply = Some(reply);
        Ok(Mark::Replied)
    }

    fn apply_own(&mut self, effect: &mut Effect<M::Reply>, own: Own, body: &[u8]) -> Result<Mark, Bug> {
        self.reply.clear();
        let broken = || crate::DecodeError::new(own as u16, 1, format!("{} bytes do not fit", body.len()));
        match own {
            Own::Tick | Own::ClockAccepted => {}
            Own::Rules => self.raise_rules(u32::from_le_bytes(body.try_into().map_err(|_| broken())?)),
            Own::Acknowledge => {
                let news = Acknowledgement::read_from_bytes(body).map_err(|_| broken())?;
                self.ledger.post.acknowledge(PartitionId(news.target.get()), news.sequence.get());
            }
            Own::Delivery => {
                let (delivery, body) = Delivery::ref_from_prefix(body).map_err(|_| broken())?;
                let source = PartitionId(delivery.source.get());
                if self.ledger.post.receive(source, delivery.sequence.get()) != Verdict::Next {
                    return Ok(Mark::Refused);
                }
                let command = M::Command::decode(delivery.kind.get(), delivery.version.get(), body)?;
                let reply = self.machine.apply(&effect.stamp, command, &mut self.outbox);
                reply.encode(effect.stamp.rules, &mut self.reply);
                effect.reply = Some(reply);
            }
        }
        Ok(Mark::Own)
    }

    fn raise_rules(&mut self, rules: u32) {
        assert!(rules <= M::RULES, "the log raises the rules to {rules}, this program knows {}", M::RULES);
        self.ledger.rules = self.ledger.rules.max(rules);
    }

    /// Frames the events, books the messages, and moves the digest and the offset on.
    fn close_record(&mut self, stamp: &Stamp, mark: Mark, frames: &mut Vec<u8>) {
        let start = frames.len();
        if !self.outbox.events.is_empty() {
            begin_frame(stamp.offset, stamp.time, frames);
            for event in &self.outbox.events {
                encode_event(event, stamp.rules, frames);
            }
            finish_frame(start, frames);
        }
        self.hashed.clear();
        self.hashed.extend_from_slice(&self.ledger.chain.0.to_le_bytes());
        self.hashed.extend_from_slice(&stamp.offset.to_le_bytes());
        self.hashed.push(mark as u8);
        self.hashed.extend_from_slice(&self.reply);
        if let Some(events) = frames.get(start + FRAME_PREFIX_BYTES..) {
            self.hashed.extend_from_slice(events);
        }
        for message in self.outbox.messages.drain(..) {
            self.hashed.extend_from_slice(&message.target.0.to_le_bytes());
            self.hashed.extend_from_slice(&message.kind.0.to_le_bytes());
            self.hashed.extend_from_slice(&message.kind.1.to_le_bytes());
            self.hashed.extend_from_slice(&message.body);
            self.ledger.post.send(stamp.offset, message);
        }
        self.ledger.chain = Digest::of(&self.hashed);
        self.ledger.time = self.ledger.time.max(stamp.time);
        self.ledger.applied = stamp.offset + 1;
    }

    /// Leaves a record out. What the runtime itself needs from it still counts; a new digest chain begins.
    fn skip(&mut self, stamp: Stamp, header: &Header, body: &[u8]) -> Effect<M::Reply> {
        if header.kind.get() == Own::Rules as u16
            && let Ok(rules) = body.try_into()
        {
            self.raise_rules(u32::from_le_bytes(rules));
        }
        if header.kind.get() == Own::Delivery as u16
            && let Ok((delivery, _)) = Delivery::ref_from_prefix(body)
        {
            // The message counts as received: it is the operator's wish that it has no effect.
            self.ledger.post.receive(PartitionId(delivery.source.get()), delivery.sequence.get());
        }
        self.ledger.chain = Digest::of(b"skipped").then(&stamp.offset.to_le_bytes());
        self.ledger.time = self.ledger.time.max(stamp.time);
        self.ledger.applied = stamp.offset + 1;
        Effect { stamp, reply: None, repeat_of: None }
    }
}
