//! Property tests of any state machine.
//!
//! [`prove`] drives a machine with random commands and shows that replay, and a snapshot taken anywhere followed by
//! replay, come to the same digest, replies and events; that every kind of command was accepted and every declared
//! refusal reached; and, when something fails, prints the seed and the shortest history that still fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use zerocopy::IntoBytes;

use crate::machine::{Digest, StateMachine, Timestamp, Wire};
use crate::partition::Origin;
use crate::record::Header;
use crate::replica::Replica;
use crate::shrink::shortest;

/// What a reply amounts to, for the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The command did what it asked.
    Accepted,
    /// It was refused, under this name.
    Refused(&'static str),
}

/// A command of a random history.
#[derive(Clone, Debug)]
pub struct Step<C> {
    /// Who asks.
    pub origin: Origin,
    /// How much time passes before it, in nanoseconds.
    pub wait_nanos: i64,
    /// What is asked.
    pub command: C,
}

/// The command type of a scenario.
pub type CommandOf<S> = <<S as Scenario>::Machine as StateMachine>::Command;

/// A machine with everything the harness needs to try it.
pub trait Scenario {
    /// The machine.
    type Machine: StateMachine<Command: Debug + Clone, Reply: Debug, Event: Debug>;

    /// Every command's name: each must have been accepted at least once.
    const COMMANDS: &'static [&'static str];
    /// Every refusal's name: each must have been reached at least once.
    const REFUSALS: &'static [&'static str];

    /// An empty machine.
    fn machine(&self) -> Self::Machine;
    /// When histories begin.
    fn start(&self) -> Timestamp {
        Timestamp(1_700_000_000_000_000_000)
    }
    /// The next command; it may look at the state to hit what matters.
    fn step(&mut self, random: &mut fastrand::Rng, state: &Self::Machine) -> Step<CommandOf<Self>>;
    /// The command's name, for the counts.
    fn name(command: &CommandOf<Self>) -> &'static str;
    /// What a reply amounts to.
    fn outcome(reply: &<Self::Machine as StateMachine>::Reply) -> Outcome;
    /// What must hold after every record; the text says what does not.
    fn invariant(state: &Self::Machine) -> Result<(), String> {
        let _ = state;
        Ok(())
    }
}

/// How much to try.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The first history's seed; the following get the following numbers.
    pub seed: u64,
    /// Histories.
    pub histories: u32,
    /// Commands in each.
    pub length: u32,
}

/// How often what was reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Accepted commands, by name.
    pub accepted: BTreeMap<&'static str, u64>,
    /// Refusals, by name.
    pub refused: BTreeMap<&'static str, u64>,
    /// Commands applied in all.
    pub commands: u64,
    /// Events emitted in all.
    pub events: u64,
}

/// A property that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed of the history, with which [`prove`] finds it again.
    pub seed: u64,
    /// What does not hold, after the shortest history.
    pub what: String,
    /// The shortest history found, a command a line.
    pub history: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.what)?;
        writeln!(f, "the shortest history that fails so has {} commands:", self.history.len())?;
        self.history.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// Tries a scenario.
///
/// # Panics
/// With the seed and the shortest failing history, when a property does not hold; or when a command was never accepted
/// or a refusal never reached.
pub fn prove<S: Scenario>(scenario: &mut S, plan: Plan) -> Report {
    let report = search(scenario, plan).unwrap_or_else(|failure| panic!("{failure}"));
    let missing = |names: &[&'static str], reached: &BTreeMap<&'static str, u64>| -> Vec<&'static str> {
        names.iter().copied().filter(|name| !reached.contains_key(name)).collect()
    };
    let accepted = missing(S::COMMANDS, &report.accepted);
    assert!(
        accepted.is_empty(),
        "never accepted: {accepted:?}; the generator does not reach them: {report:#?}"
    );
    let refused = missing(S::REFUSALS, &report.refused);
    assert!(refused.is_empty(), "never reached: {refused:?}; the generator does not reach them: {report:#?}");
    report
}

/// Tries a scenario and returns the first failure instead of panicking; the counts are the caller's to judge.
pub fn search<S: Scenario>(scenario: &mut S, plan: Plan) -> Result<Report, Failure> {
    let mut report = Report::default();
    for seed in plan.seed..plan.seed + u64::from(plan.histories) {
        let history = generate(scenario, seed, plan.length, &mut report)?;
        let check = |scenario: &S, history: &[Step<CommandOf<S>>]| check(scenario, seed, history);
        if let Err(what) = check(scenario, &history) {
            return Err(fail(scenario, seed, history, what, check));
        }
    }
    Ok(report)
}

fn fail<S: Scenario>(
    scenario: &S,
    seed: u64,
    history: Vec<Step<CommandOf<S>>>,
    what: String,
    check: impl Fn(&S, &[Step<CommandOf<S>>]) -> Result<(), String>,
) -> Failure {
    let history = shortest(history, |history| check(scenario, history).is_err());
    let what = check(scenario, &history).err().unwrap_or(what);
    let lines = history.iter().map(|Step { origin, wait_nanos, command }| {
        let who = if origin.client == 0 {
            String::new()
        } else {
            format!(" [{}#{}]", origin.client, origin.sequence)
        };
        format!("+{wait_nanos} ns{who} {command:?}")
    });
    Failure { seed, what, history: lines.collect() }
}

/// A live run that makes up the history as it goes.
fn generate<S: Scenario>(
    scenario: &mut S,
    seed: u64,
    length: u32,
    report: &mut Report,
) -> Result<Vec<Step<CommandOf<S>>>, Failure> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut run = Run::new(scenario);
    let mut history = Vec::new();
    for _ in 0..length {
        let step = scenario.step(&mut random, &run.replica.machine);
        history.push(step.clone());
        let name = S::name(&step.command);
        match run.take(&step) {
            Ok(Some(Outcome::Accepted)) => *report.accepted.entry(name).or_default() += 1,
            Ok(Some(Outcome::Refused(refusal))) => *report.refused.entry(refusal).or_default() += 1,
            Ok(None) => {}
            Err(what) => {
                return Err(fail(scenario, seed, history, what, |scenario, history| {
                    check(scenario, seed, history)
                }));
            }
        }
        report.commands += 1;
        report.events += run.events;
    }
    Ok(history)
}

/// A machine that is being driven, and everything it was given.
struct Run<S: Scenario> {
    replica: Replica<S::Machine>,
    now: Timestamp,
    records: Vec<Vec<u8>>,
    /// The digest of all replies and events after each record.
    chains: Vec<Digest>,
    frames: Vec<u8>,
    /// Events of the last record.
    events: u64,
}

fn empty<S: Scenario>(scenario: &S) -> Replica<S::Machine> {
    Replica::new(scenario.machine(), Arc::new(BTreeSet::new())).expect("tables that the scenario can read")
}

impl<S: Scenario> Run<S> {
    fn new(scenario: &S) -> Run<S> {
        Run {
            replica: empty(scenario),
            now: scenario.start(),
            records: Vec::new(),
            chains: Vec::new(),
            frames: Vec::new(),
            events: 0,
        }
    }

    /// Applies a step; a repeat has no outcome of its own.
    fn take(&mut self, step: &Step<CommandOf<S>>) -> Result<Option<Outcome>, String> {
        self.now = self.now.plus_nanos(step.wait_nanos.max(0));
        let rules = self.replica.ledger.rules;
        let (kind, version) = step.command.kind(rules);
        let header = Header {
            kind: kind.into(),
            version: version.into(),
            bucket: step.origin.bucket.into(),
            rules: rules.into(),
            principal: step.origin.principal.into(),
            client: step.origin.client.into(),
            sequence: step.origin.sequence.into(),
            stamp: self.now.0.into(),
        };
        let mut record = header.as_bytes().to_vec();
        step.command.encode(rules, &mut record);
        self.frames.clear();
        let due = self.replica.machine.deadline().filter(|deadline| *deadline <= self.now);
        let effect = self.replica.apply(&record, &mut self.frames).map_err(|bug| bug.to_string())?;
        self.records.push(record);
        self.chains.push(self.replica.ledger.chain);
        self.events = self.replica.events().len() as u64;
        let machine = &self.replica.machine;
        S::invariant(machine).map_err(|broken| format!("the invariant is broken: {broken}"))?;
        if due.is_some() && machine.deadline() == due {
            return Err(format!("the deadline {:?} has passed and did not fire at {:?}", due, self.now));
        }
        Ok(effect.reply.filter(|_| effect.repeat_of.is_none()).map(|reply| S::outcome(&reply)))
    }
}

/// Lives a history, then replays it from the beginning and from snapshots.
fn check<S: Scenario>(scenario: &S, seed: u64, history: &[Step<CommandOf<S>>]) -> Result<(), String> {
    let mut run = Run::new(scenario);
    for step in history {
        run.take(step)?;
    }
    replay(&run, empty(scenario), "replay")?;
    if history.is_empty() {
        return Ok(());
    }
    // A few places a history, others in others: with many histories, everywhere.
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..4 {
        let place = random.usize(0..=history.len());
        let restored = resume(scenario, &run, place)?;
        replay(&run, restored, &format!("a snapshot after {place} commands, restored, and replay"))?;
    }
    Ok(())
}

/// The state after so many records, through a snapshot.
fn resume<S: Scenario>(scenario: &S, run: &Run<S>, place: usize) -> Result<Replica<S::Machine>, String> {
    let mut replica = empty(scenario);
    let mut frames = Vec::new();
    for record in &run.records[..place] {
        frames.clear();
        replica.apply(record, &mut frames).map_err(|bug| format!("replay: {bug}"))?;
    }
    let write = |replica: &Replica<S::Machine>| -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let result = replica.ledger.snapshot(&mut bytes).and_then(|()| replica.machine.snapshot(&mut bytes));
        result.map_err(|error| format!("a snapshot after {place} commands cannot be written: {error}"))?;
        Ok(bytes)
    };
    let bytes = write(&replica)?;
    let mut restored = empty(scenario);
    let from = &mut &bytes[..];
    let result = restored.ledger.restore(from).and_then(|()| restored.machine.restore(from));
    result.map_err(|error| format!("the snapshot after {place} commands cannot be restored: {error}"))?;
    if restored.digest() != replica.digest() {
        return Err(format!("the snapshot after {place} commands restores to another digest"));
    }
    if write(&restored)? != bytes {
        return Err(format!("the snapshot after {place} commands, restored, is written in other bytes"));
    }
    Ok(restored)
}

/// Applies the rest of the records, comparing the digest of replies and events after each.
fn replay<S: Scenario>(run: &Run<S>, mut replica: Replica<S::Machine>, way: &str) -> Result<(), String> {
    let from = usize::try_from(replica.ledger.applied).map_err(|error| error.to_string())?;
    let mut frames = Vec::new();
    for (record, expected) in run.records[from..].iter().zip(&run.chains[from..]) {
        frames.clear();
        let offset = replica.ledger.applied;
        replica.apply(record, &mut frames).map_err(|bug| format!("{way}: {bug}"))?;
        if replica.ledger.chain != *expected {
            return Err(format!("{way}: other replies or events at command {}", offset + 1));
        }
    }
    if replica.digest() != run.replica.digest() {
        return Err(format!("{way} ends in another state"));
    }
    Ok(())
}
