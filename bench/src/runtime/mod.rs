//! The runtime's claim: what order, durability, state, replies and events cost over a thread that writes and a thread
//! that answers, seen by the same clients.

mod control;
pub(crate) mod ledger;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use decalog_runtime::store::FolderStore;
use decalog_runtime::{Config, Durability, Origin, Partition, Setup, StateMachine, SubmitError, System};

use crate::Plan;
use crate::clients::{self, Door, Outcome};
use crate::log::open_log;
use crate::report::{Claim, Target, per_second};
use crate::sample::{Rounds, Summary};
use control::Control;
use ledger::{Entry, Ledger};

/// How many clients wait at a time.
const CLIENTS: usize = 512;

/// Measures it.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    let mut seen: [Vec<(f64, Summary)>; 2] = Default::default();
    let [subject, control] = &mut seen;
    let rounds = Rounds::interleave(
        plan.rounds,
        || keep(subject, through_the_runtime(plan)?),
        || keep(control, through_the_control(plan)?),
    )?;
    let name = "1 partition, os, events on, 64-byte commands: rate / control";
    let mut claim = Claim::ratio("runtime", name, rounds, Target::AtLeast(0.5));
    for (label, seen) in ["runtime", "control"].iter().zip(&seen) {
        if let Some((rate, latency)) = seen.last() {
            claim = claim.beside(format!("{label}: {}, {latency}", per_second(*rate)));
        }
    }
    Ok(vec![claim.raw(serde_json::json!({ "runtime": seen[0], "control": seen[1] }))])
}

fn keep(seen: &mut Vec<(f64, Summary)>, mut outcome: Outcome) -> anyhow::Result<f64> {
    let rate = outcome.rate.per_second();
    seen.push((rate, outcome.latencies.summary()));
    Ok(rate)
}

/// Puts a command into the queue, waiting while it is full.
pub(crate) fn offer<M: StateMachine>(
    partition: &Partition<M>,
    origin: Origin,
    command: &M::Command,
) -> anyhow::Result<()> {
    loop {
        match partition.offer(origin, command, 0) {
            Err(SubmitError::Overloaded { .. }) => std::thread::sleep(Duration::from_micros(100)),
            done => return Ok(done?),
        }
    }
}

/// A system of one partition in this directory: durability `os`, events journaled, no snapshot by itself, so that a
/// restart replays everything.
pub(crate) fn start<M: StateMachine>(directory: &Path, make: fn() -> M) -> anyhow::Result<System<M>> {
    let log = open_log(&directory.join("journal"))?;
    let store = Arc::new(FolderStore::new(directory.join("snapshots")));
    let mut setup = Setup::new(log, store, move |_| make());
    setup.journal = Some(directory.join("events"));
    setup.config = Config { durability: Durability::Os, snapshot_every: 0, ..Config::default() };
    Ok(System::start(setup, 1, 1)?)
}

fn through_the_runtime(plan: &Plan) -> anyhow::Result<Outcome> {
    let directory = plan.scratch()?;
    let system = start(directory.path(), Ledger::default)?;
    let door = Arc::new(Ledgers(system.partitions().first().context("the system has a partition")?.clone()));
    let outcome = clients::run(&door, CLIENTS, plan.span)?;
    drop(door);
    system.shutdown();
    Ok(outcome)
}

fn through_the_control(plan: &Plan) -> anyhow::Result<Outcome> {
    let directory = plan.scratch()?;
    let control = Arc::new(Control::start(&directory.path().join("control"))?);
    let outcome = clients::run(&control, CLIENTS, plan.span)?;
    Arc::into_inner(control).context("every client has gone")?.stop()?;
    Ok(outcome)
}

/// The partition as its clients see it.
struct Ledgers(Partition<Ledger>);

impl Door for Ledgers {
    async fn ask(&self, _client: usize, sequence: u64) {
        self.0
            .submit(Origin::system(0), &Entry::of(sequence))
            .await
            .expect("the queue takes as many as there are clients");
    }
}
