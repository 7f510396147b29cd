//! The simulated world: what runs, what survives a crash, and what was promised.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use decalog_log::storage::{SimDisk, Survival};
use decalog_log::{Batch, Durability, Journal, Listener, Log, LogError, Offset, Options, PartitionId};
use zerocopy::IntoBytes;

use super::{Action, Plan, Report, Simulated};
use crate::clock::SimClock;
use crate::config::Make;
use crate::core::{Core, Parts, acknowledgement, delivery};
use crate::harness::{CommandOf, Scenario, Step};
use crate::hub::{Hub, Limits};
use crate::inlet::Intake;
use crate::machine::{Digest, Stamp, StateMachine, Wire};
use crate::observer::{Applied, Observer};
use crate::record::{Header, Own};
use crate::recover::{Checker, History};
use crate::replica::Replica;
use crate::retention::forget_old;
use crate::shadow::copy_state;
use crate::skip::Skips;
use crate::store::MemoryStore;
use crate::system::partition_id;
use crate::tables::committed;

const SYSTEM: u16 = 1;
const KEEP_SNAPSHOTS: usize = 2;
/// More than this is not needed to come to rest.
const RESTLESS_ROUNDS: usize = 1000;

/// Remembers what the log said, for the single thread to pick up.
#[derive(Default)]
struct Marks(Mutex<(u64, u64)>);

impl Marks {
    fn get(&self) -> (u64, u64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Marks {
    fn advanced(&self, durable: Offset, synced: Offset) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (durable, synced);
    }
    fn failed(&self, _error: Arc<LogError>) {}
}

/// What the observer heard: the stamp, and whether it was a repeat.
type Heard = Arc<Mutex<Vec<(Stamp, bool)>>>;

struct Ear(Heard);

impl<M: StateMachine> Observer<M> for Ear {
    fn applied(&mut self, record: &Applied<'_, M>) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push((*record.stamp, record.repeat_of.is_some()));
    }
}

/// A partition while it lives.
struct Node<S: Scenario> {
    core: Core<S::Machine>,
    marks: Arc<Marks>,
    intake: Intake<S::Machine>,
    heard: Heard,
    sent: BTreeMap<PartitionId, u64>,
}

/// What is known of a partition across its lives.
struct Memory<S: Scenario> {
    /// The fingerprint of every record written, by offset.
    written: Vec<Digest>,
    /// Every record below was applied and answered; with the state's digest at that point.
    answered: (u64, Digest),
    /// Where each client's sequence number was applied, not as a repeat.
    once: BTreeMap<(u64, u64), u64>,
    last: Option<Step<CommandOf<S>>>,
}

/// Everything.
pub(super) struct World<S: Simulated> {
    scenario: S,
    plan: Plan,
    disks: Vec<SimDisk>,
    store: MemoryStore,
    clock: Arc<SimClock>,
    make: Make<S::Machine>,
    /// One, or one for each partition; none between two lives.
    logs: Vec<Arc<Journal>>,
    nodes: Vec<Node<S>>,
    memory: Vec<Memory<S>>,
    skips: Skips,
    report: Report,
}

impl<S: Simulated> World<S> {
    pub(super) fn new(scenario: &S, plan: Plan) -> World<S> {
        let scenario = scenario.fresh();
        let maker = scenario.clone();
        let memory = || Memory {
            written: Vec::new(),
            answered: (0, Digest::default()),
            once: BTreeMap::new(),
            last: None,
        };
        let mut world = World {
            plan,
            disks: (0..if plan.journal_each { plan.partitions } else { 1 }).map(|_| SimDisk::new()).collect(),
            store: MemoryStore::new(),
            clock: Arc::new(SimClock::new(scenario.start())),
            scenario,
            make: Arc::new(move |id| maker.machine_of(id)),
            logs: Vec::new(),
            nodes: Vec::new(),
            memory: (0..plan.partitions).map(|_| memory()).collect(),
            skips: Skips::default(),
            report: Report::default(),
        };
        world.start().expect("an empty disk starts");
        world
    }

    pub(super) fn report(&self) -> Report {
        self.report
    }

    pub(super) fn machine(&self, partition: u16) -> &S::Machine {
        &self.replica(partition.into()).machine
    }

    fn replica(&self, index: usize) -> &Replica<S::Machine> {
        self.nodes[index].core.replica.as_ref().expect("act reports bugs at once")
    }

    fn log(&self, index: usize) -> &Arc<Journal> {
        &self.logs[index % self.logs.len()]
    }

    fn history(&self, index: usize) -> History<'_, S::Machine> {
        let partition = id_of(index);
        History {
            partition,
            log: &**self.log(index),
            store: &self.store,
            make: &self.make,
            skips: &self.skips,
        }
    }

    /// Does one thing and checks what must hold after it.
    pub(super) fn act(&mut self, action: &Action<CommandOf<S>>) -> Result<(), String> {
        match action {
            Action::Submit { partition, step, repeat } => self.submit(usize::from(*partition), step, *repeat),
            Action::Write { partition } => self.write(usize::from(*partition))?,
            Action::Sync => self.sync()?,
            Action::Run { partition, fate } => self.run(usize::from(*partition), Some(*fate))?,
            Action::Snapshot { partition } => self.snapshot(usize::from(*partition))?,
            Action::Crash { survival } => self.crash(*survival)?,
        }
        self.check_messages()
    }

    fn submit(&mut self, index: usize, step: &Step<CommandOf<S>>, repeat: bool) {
        let memory = &mut self.memory[index];
        let step = match &memory.last {
            Some(last) if repeat => last.clone(),
            _ => step.clone(),
        };
        memory.last = Some(step.clone());
        self.clock.advance(step.wait_nanos.max(0));
        let rules = self.replica(index).ledger.rules;
        let (kind, version) = step.command.kind(rules);
        let header = Header {
            kind: kind.into(),
            version: version.into(),
            bucket: step.origin.bucket.into(),
            principal: step.origin.principal.into(),
            client: step.origin.client.into(),
            sequence: step.origin.sequence.into(),
            ..Header::EMPTY
        };
        let mut record = header.as_bytes().to_vec();
        step.command.encode(rules, &mut record);
        let intake = &mut self.nodes[index].intake;
        if intake.fits(record.len()) {
            intake.push(&record, false, 0, None);
        }
    }

    fn write(&mut self, index: usize) -> Result<(), String> {
        let node = &mut self.nodes[index];
        if node.intake.entries.is_empty() {
            if !node.core.tick_due() {
                return Ok(());
            }
            node.core.append_own(Own::Tick, 0, &[]).map_err(|fatal| fatal.to_string())?;
        } else {
            let intake = std::mem::take(&mut node.intake);
            node.core.append(intake).map_err(|fatal| fatal.to_string())?;
        }
        let (first, batch) =
            node.core.last_written().ok_or("a batch was refused although nothing is full")?;
        let batch = Batch::new(id_of(index), first, batch.count(), *batch.context(), batch.payload());
        let written = &mut self.memory[index].written;
        written.extend(
            batch.map_err(|error| error.to_string())?.records().map(|(_, record)| Digest::of(record)),
        );
        Ok(())
    }

    fn sync(&mut self) -> Result<(), String> {
        for log in &self.logs {
            log.sync_step().and_then(|_| log.chore_step()).map_err(|error| error.to_string())?;
        }
        for node in &mut self.nodes {
            let (durable, synced) = node.marks.get();
            node.core.advance(durable, synced);
        }
        Ok(())
    }

    /// Applies what is durable, checks the answers, and carries messages with this fate (all arrive without one).
    fn run(&mut self, index: usize, fate: Option<u64>) -> Result<(), String> {
        let node = &mut self.nodes[index];
        node.core.apply_ready();
        if let Some(halt) = &node.core.halt {
            return Err(halt.to_string());
        }
        self.hear(index)?;
        let replica = self.replica(index);
        S::invariant(&replica.machine)
            .map_err(|broken| format!("partition {index}: the invariant is broken: {broken}"))?;
        self.memory[index].answered = (replica.ledger.applied, replica.digest());
        self.carry(index, fate);
        Ok(())
    }

    fn hear(&mut self, index: usize) -> Result<(), String> {
        let heard =
            std::mem::take(&mut *self.nodes[index].heard.lock().unwrap_or_else(PoisonError::into_inner));
        self.report.answered += heard.len() as u64;
        for (stamp, repeated) in heard {
            if stamp.client == 0 || repeated {
                continue;
            }
            let before = self.memory[index].once.insert((stamp.client, stamp.sequence), stamp.offset);
            if let Some(before) = before {
                return Err(format!(
                    "partition {index}: client {} sequence {} was applied at offset {before} and again at {}",
                    stamp.client, stamp.sequence, stamp.offset
                ));
            }
        }
        Ok(())
    }

    fn carry(&mut self, index: usize, fate: Option<u64>) {
        let mut luck = fastrand::Rng::with_seed(fate.unwrap_or(0));
        let mut draw = || if fate.is_some() { luck.u32(0..8) } else { 7 };
        let source = id_of(index);
        let node = &mut self.nodes[index];
        if draw() < 2 || fate.is_none() {
            node.sent.clear();
        }
        let mut letters = Vec::new();
        for (source, sequence) in node.core.take_acknowledgements() {
            letters.push((source, acknowledgement(id_of(index), sequence)));
        }
        let targets: Vec<_> =
            node.core.replica.iter().flat_map(|replica| replica.ledger.post.targets()).collect();
        for target in targets {
            let from = node.sent.get(&target).map_or(1, |sent| sent + 1);
            for posted in node.core.outgoing(target, from) {
                letters.push((target, delivery(source, posted)));
                node.sent.insert(target, posted.sequence);
            }
        }
        for (target, (header, body)) in letters {
            let copies = match draw() {
                0 => 0,
                1 => 2,
                _ => 1,
            };
            let Some(node) = self.nodes.get_mut((target.0 & 0xffff) as usize) else { continue };
            let record = [header.as_bytes(), &body].concat();
            for _ in 0..copies {
                if node.intake.fits(record.len()) {
                    node.intake.push(&record, true, 0, None);
                }
            }
        }
    }

    /// What a target has received, its source must know to have sent, for ever.
    fn check_messages(&self) -> Result<(), String> {
        for (target, _) in self.nodes.iter().enumerate() {
            for (source, received) in self.replica(target).ledger.post.received() {
                let sent = self.sent((source.0 & 0xffff) as usize, target);
                if received > sent {
                    return Err(format!(
                        "partition {target} has message {received} from {}, which has sent {sent}",
                        source.0 & 0xffff
                    ));
                }
            }
        }
        Ok(())
    }

    fn sent(&self, source: usize, target: usize) -> u64 {
        let post = &self.replica(source).ledger.post;
        post.sent().find(|(to, _)| *to == id_of(target)).map_or(0, |(_, sent)| sent)
    }

    fn snapshot(&mut self, index: usize) -> Result<(), String> {
        let replica = self.replica(index);
        let (offset, digest) = (replica.ledger.applied, replica.digest());
        if let Some(backing) = &replica.backing {
            backing.sync().map_err(|error| error.to_string())?;
            let kept = committed(&**backing).map_err(|error| error.to_string())?;
            self.log(index)
                .trim(id_of(index), kept.min(self.nodes[index].core.synced()))
                .map_err(|error| error.to_string())?;
            self.report.snapshots += 1;
            return Ok(());
        }
        if offset == 0 || self.nodes[index].core.synced() < offset {
            return Ok(());
        }
        copy_state(&self.history(index), offset, digest).map_err(|error| error.to_string())?;
        forget_old(&**self.log(index), &self.store, id_of(index), KEEP_SNAPSHOTS, u64::MAX)
            .map_err(|error| error.to_string())?;
        self.report.snapshots += 1;
        Ok(())
    }

    fn crash(&mut self, survival: Option<Survival>) -> Result<(), String> {
        for (index, node) in self.nodes.iter().enumerate() {
            let synced = node.core.synced();
            let memory = &mut self.memory[index];
            if survival.is_some() && self.plan.durability != Durability::Fsync && memory.answered.0 > synced {
                // A power cut may take back what was only handed to the operating system.
                memory.answered = (0, Digest::default());
            }
        }
        self.nodes.clear();
        for (disk, number) in self.disks.iter().zip(0_u64..) {
            // Disks do not agree on what they keep.
            match survival {
                Some(Survival::Bytes(bytes)) => disk.crash(Survival::Bytes(bytes * (number * 7 + 1) % 2000)),
                Some(Survival::Scattered(seed)) => disk.crash(Survival::Scattered(seed.wrapping_add(number))),
                Some(Survival::Nothing) => disk.crash(Survival::Nothing),
                None => disk.kill(),
            }
        }
        self.logs.clear();
        if survival.is_some() {
            self.scenario.power_cut();
        }
        self.report.crashes += 1;
        self.start()
    }

    /// Recovers every partition and checks that nothing promised is missing.
    fn start(&mut self) -> Result<(), String> {
        for disk in &self.disks {
            let log = Journal::open(Arc::new(disk.clone()), Options::small());
            self.logs.push(Arc::new(log.map_err(|error| format!("the log does not open: {error}"))?));
        }
        for index in 0..usize::from(self.plan.partitions) {
            let node = self.recover(index).map_err(|error| format!("partition {index}: {error}"))?;
            self.nodes.push(node);
        }
        Ok(())
    }

    fn recover(&mut self, index: usize) -> Result<Node<S>, String> {
        let id = id_of(index);
        let marks = Arc::new(Marks::default());
        let extent = self
            .log(index)
            .open(id, self.plan.durability, marks.clone())
            .map_err(|error| error.to_string())?;
        self.check_records(index, extent.next)?;
        let history = self.history(index);
        let mut replica = history.restore(u64::MAX).map_err(|error| error.to_string())?;
        if replica.ledger.applied < extent.first || replica.ledger.applied > extent.next {
            return Err(format!(
                "snapshot at {}, log from {} to {}",
                replica.ledger.applied, extent.first, extent.next
            ));
        }
        let mut checker = Checker::default();
        let (answered, digest) = self.memory[index].answered;
        let mut replay = |replica: &mut Replica<S::Machine>, upto| {
            history
                .replay(replica, &mut checker, upto, &mut |_, _, _| {})
                .map_err(|stopped| format!("{stopped:?}"))
        };
        if replica.ledger.applied <= answered && answered > 0 {
            replay(&mut replica, answered)?;
            if replica.digest() != digest {
                return Err(format!("the state at offset {answered} is not the one that answered"));
            }
        }
        replay(&mut replica, extent.next)?;
        self.report.compared += checker.compared;
        let heard = Heard::default();
        let limits = Limits { tail_bytes: 1 << 20, lag: u64::MAX };
        let core = Core::new(Parts {
            id,
            log: self.log(index).clone(),
            clock: self.clock.clone(),
            hub: Arc::new(Hub::new(limits, None, replica.ledger.applied)),
            replica,
            extent,
            observer: Some(Box::new(Ear(heard.clone()))),
        });
        Ok(Node { core, marks, intake: Intake::default(), heard, sent: BTreeMap::new() })
    }

    /// Every acknowledged record is there, and what is there is a prefix of what was written.
    fn check_records(&mut self, index: usize, next: u64) -> Result<(), String> {
        let memory = &mut self.memory[index];
        if next < memory.answered.0 {
            return Err(format!(
                "records below {} were acknowledged, the log ends at {next}",
                memory.answered.0
            ));
        }
        let lost = (memory.written.len() as u64).checked_sub(next).ok_or("records that nobody wrote")?;
        self.report.lost += lost;
        memory.written.truncate(usize::try_from(next).map_err(|error| error.to_string())?);
        memory.once.retain(|_, offset| *offset < next);
        let written = &self.memory[index].written;
        let first = self.log(index).extent(id_of(index)).map_or(0, |extent| extent.first);
        let mut reader = self.log(index).read(id_of(index), first).map_err(|error| error.to_string())?;
        while let Some(batch) = reader.next().map_err(|error| error.to_string())? {
            for (offset, record) in batch.records() {
                if written.get(usize::try_from(offset).unwrap_or(usize::MAX)) != Some(&Digest::of(record)) {
                    return Err(format!(
                        "the record at offset {offset} is not the one that was written there"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Lets everything finish, then asks the oracle: an independent replay of each log.
    pub(super) fn rest(&mut self) -> Result<(), String> {
        for round in 0.. {
            let busy = self.nodes.iter().any(|node| {
                let waits =
                    node.core.awaits_sync() || node.core.in_flight() > 0 || !node.intake.entries.is_empty();
                waits
                    || node.core.replica.iter().any(|replica| replica.ledger.post.targets().next().is_some())
            });
            if !busy {
                break;
            }
            if round > RESTLESS_ROUNDS {
                return Err("messages do not come to rest".to_owned());
            }
            (0..self.nodes.len()).try_for_each(|index| self.write(index))?;
            self.sync()?;
            (0..self.nodes.len()).try_for_each(|index| self.run(index, None))?;
        }
        self.check_messages()?;
        for index in 0..self.nodes.len() {
            self.ask_oracle(index)?;
        }
        let machines: Vec<&S::Machine> = (0..self.plan.partitions).map(|index| self.machine(index)).collect();
        self.scenario.at_rest(&machines)
    }

    fn ask_oracle(&mut self, index: usize) -> Result<(), String> {
        let first = self.log(index).extent(id_of(index)).map_or(0, |extent| extent.first);
        let history = self.history(index);
        let mut oracle = history.oldest(first).map_err(|error| error.to_string())?;
        let end = self.replica(index).ledger.applied;
        history
            .replay(&mut oracle, &mut Checker::default(), end, &mut |_, _, _| {})
            .map_err(|stopped| format!("the oracle stops: {stopped:?}"))?;
        if oracle.digest() != self.replica(index).digest() {
            return Err(format!("partition {index}: the oracle's replay comes to another state"));
        }
        for target in 0..self.nodes.len() {
            let sent = self.sent(index, target);
            let received =
                self.replica(target).ledger.post.received().find(|(from, _)| *from == id_of(index));
            if received.map_or(0, |(_, received)| received) != sent {
                return Err(format!(
                    "partition {target} has not every one of the {sent} messages from {index}"
                ));
            }
            self.report.delivered += sent;
        }
        Ok(())
    }
}

fn id_of(index: usize) -> PartitionId {
    partition_id(SYSTEM, u16::try_from(index).expect("as many partitions as u16 counts"))
}
