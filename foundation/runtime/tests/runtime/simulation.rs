//! The simulator on the tests' machine: no point is made or lost by any crash.

use decalog_log::Durability;
use decalog_runtime::harness::{Outcome, Scenario, Step};
use decalog_runtime::sim::{Plan, Report, Simulated, run};
use decalog_runtime::{Origin, StateMachine, partition_id};

use crate::ledger::{Command, Ledger, Reply};
use crate::properties::{Flows, random_step};

/// Accounts that send each other points across partitions.
#[derive(Clone)]
pub(crate) struct Senders {
    partitions: u16,
    sequence: u64,
}

impl Senders {
    pub(crate) fn new() -> Senders {
        Senders { partitions: 4, sequence: 0 }
    }
}

impl Scenario for Senders {
    type Machine = Ledger;
    const COMMANDS: &'static [&'static str] = Flows::COMMANDS;
    const REFUSALS: &'static [&'static str] = Flows::REFUSALS;
    fn machine(&self) -> Ledger {
        Ledger::default()
    }
    fn step(&mut self, random: &mut fastrand::Rng, state: &Ledger) -> Step<Command> {
        let now = state.deadline().unwrap_or(self.start()).0;
        let mut step = random_step(random, now);
        self.sequence += 1;
        step.origin = Origin { client: random.u64(0..3), sequence: self.sequence, ..Origin::default() };
        if let Command::Send { to, .. } = &mut step.command {
            *to = partition_id(1, random.u16(0..self.partitions)).0;
        }
        step
    }
    fn name(command: &Command) -> &'static str {
        Flows::name(command)
    }
    fn outcome(reply: &Reply) -> Outcome {
        Flows::outcome(reply)
    }
    fn invariant(state: &Ledger) -> Result<(), String> {
        if state.total() == state.given() {
            Ok(())
        } else {
            Err(format!("{} given, {} there", state.given(), state.total()))
        }
    }
}

impl Simulated for Senders {
    fn at_rest(&self, machines: &[&Ledger]) -> Result<(), String> {
        let sent: u64 = machines.iter().map(|ledger| ledger.sent().0).sum();
        let received: u64 = machines.iter().map(|ledger| ledger.sent().1).sum();
        if sent == received { Ok(()) } else { Err(format!("{sent} points were sent, {received} received")) }
    }
}

fn simulate(seed: u64, durability: Durability, crashes: u32) -> Report {
    let journal_each = seed.is_multiple_of(2);
    run(&Senders::new(), Plan { seed, partitions: 4, crashes, actions: 60, durability, journal_each })
}

#[test]
fn three_hundred_crashes_lose_nothing_that_was_acknowledged() {
    let mut total = Report::default();
    for seed in 0..3 {
        let report = simulate(seed, Durability::Fsync, 110);
        total.crashes += report.crashes;
        total.answered += report.answered;
        total.lost += report.lost;
        total.delivered += report.delivered;
        total.snapshots += report.snapshots;
        total.compared += report.compared;
    }
    assert!(total.crashes >= 300, "{total:?}");
    assert!(
        total.answered > 3000 && total.lost > 300 && total.delivered > 300,
        "it went through enough: {total:?}"
    );
    assert!(total.snapshots > 50 && total.compared > 500, "it went through enough: {total:?}");
}

#[test]
fn what_only_the_system_had_may_be_lost_but_never_half() {
    for seed in [7, 8] {
        let report = simulate(seed, Durability::Os, 100);
        assert!(report.crashes >= 100 && report.delivered > 50, "{report:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(simulate(11, Durability::Fsync, 10), simulate(11, Durability::Fsync, 10));
}
