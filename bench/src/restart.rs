//! How long a restart takes: replay of a log without a snapshot, and restoring a large snapshot. Files are in the page
//! cache, as they are after a crash of the process; after a crash of the machine the disk's reading comes on top.

mod orders;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use decalog_runtime::{Origin, StateMachine};

use crate::Plan;
use crate::report::{Claim, Target, Unit, per_second};
use crate::runtime::ledger::{Entry, Ledger};
use crate::runtime::{offer, start};

/// Commands that are replayed.
const COMMANDS: u64 = 3_000_000;
const FEW_COMMANDS: u64 = 500_000;
/// Orders that are replayed, and that rest in the snapshot.
const ORDERS: u64 = 1_000_000;
const FEW_ORDERS: u64 = 100_000;

/// Measures both.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    let (orders_replayed, restored) = orders(plan)?;
    Ok(vec![replay(plan)?.beside(orders_replayed), restored])
}

fn replay(plan: &Plan) -> anyhow::Result<Claim> {
    let count = if plan.quick { FEW_COMMANDS } else { COMMANDS };
    let directory = plan.scratch()?;
    fill(directory.path(), Ledger::default, (0..count).map(|amount| Ok(Entry::of(amount))))?;
    let mut rates = Vec::new();
    for _ in 0..plan.rounds {
        let (took, seen) = restart(directory.path(), Ledger::default, count, |ledger| ledger.entries)?;
        anyhow::ensure!(seen == count, "{seen} of {count} commands came back");
        rates.push(rate(count, took));
    }
    let name = format!("replay of {count} commands of 64 bytes, events on");
    Ok(Claim::figure("restart", name, Unit::PerSecond, rates, Target::AtLeast(1e6)))
}

/// A log of orders, replayed; then the same state restored from a snapshot.
fn orders(plan: &Plan) -> anyhow::Result<(String, Claim)> {
    let count = if plan.quick { FEW_ORDERS } else { ORDERS };
    let directory = plan.scratch()?;
    let setup = orders::setup()?;
    let end = setup.len() as u64 + count;
    let commands = setup.into_iter().map(Ok).chain((0..count).map(|index| Ok(orders::order(index)?)));
    fill(directory.path(), orders::unit, commands)?;
    let (replay, replayed) = restart(directory.path(), orders::unit, end, orders::look)?;
    anyhow::ensure!(replayed.0 == count, "{} of {count} orders rest", replayed.0);
    let line =
        format!("FIX orders: {} ({count} in {:.2} s)", per_second(rate(count, replay)), replay.as_secs_f64());

    let system = start(directory.path(), orders::unit)?;
    let at = system.partitions().first().context("the system has a partition")?.snapshot_blocking()?;
    anyhow::ensure!(at == end, "the snapshot was made at {at}, not at {end}");
    system.shutdown();
    let mut seconds = Vec::new();
    for _ in 0..plan.rounds {
        let (took, restored) = restart(directory.path(), orders::unit, end, orders::look)?;
        anyhow::ensure!(restored == replayed, "the restored state is another than the replayed one");
        seconds.push(took.as_secs_f64());
    }
    let name = format!("restart from a snapshot of {count} resting orders");
    let claim = Claim::figure("restart", name, Unit::Seconds, seconds, Target::AtMost(2.0))
        .beside(format!("the same by replay: {:.2} s", replay.as_secs_f64()));
    Ok((line, claim))
}

/// Logs all these commands in a fresh directory and stops.
fn fill<M: StateMachine>(
    directory: &Path,
    make: fn() -> M,
    commands: impl Iterator<Item = anyhow::Result<M::Command>>,
) -> anyhow::Result<()> {
    let system = start(directory, make)?;
    let partition = system.partitions().first().context("the system has a partition")?;
    let mut expected = partition.status().applied;
    for command in commands {
        offer(partition, Origin::system(0), &command?)?;
        expected += 1;
    }
    partition.read_blocking(expected, |_| ())?;
    system.shutdown();
    Ok(())
}

/// Starts a system whose log lies there and waits until everything below `expected` is applied.
fn restart<M: StateMachine, T: Send + 'static>(
    directory: &Path,
    make: fn() -> M,
    expected: u64,
    look: impl FnOnce(&M) -> T + Send + 'static,
) -> anyhow::Result<(Duration, T)> {
    let begin = Instant::now();
    let system = start(directory, make)?;
    let partition = system.partitions().first().context("the system has a partition")?;
    let seen = partition.read_blocking(expected, look)?.value;
    let total = begin.elapsed();
    system.shutdown();
    Ok((total, seen))
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
