//! How long a restart takes: replay of a log without a snapshot, and restoring a large snapshot. Files are in the page
//! cache, as they are after a crash of the process; after a crash of the machine the disk's reading comes on top.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use decalog_runtime::{Origin, Partition, StateMachine, SubmitError};

use crate::Plan;
use crate::report::{Claim, Target, Unit};
use crate::runtime::ledger::{Entry, Ledger};
use crate::runtime::start;

/// Commands that are replayed.
const COMMANDS: u64 = 3_000_000;
const FEW_COMMANDS: u64 = 500_000;

/// Measures all of it.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    Ok(vec![replay(plan)?])
}

fn replay(plan: &Plan) -> anyhow::Result<Claim> {
    let count = if plan.quick { FEW_COMMANDS } else { COMMANDS };
    let directory = plan.scratch()?;
    fill(directory.path(), Ledger::default, (0..count).map(Entry::of))?;
    let mut rates = Vec::new();
    let mut last = Duration::ZERO;
    for _ in 0..plan.rounds {
        let (took, seen) = restart(directory.path(), Ledger::default, count, |ledger| ledger.entries)?;
        anyhow::ensure!(seen == count, "{seen} of {count} commands came back");
        rates.push(rate(count, took));
        last = took;
    }
    let name = "replay of 64-byte commands, events on";
    Ok(Claim::figure("restart", name, Unit::PerSecond, rates, Target::AtLeast(1e6))
        .beside(format!("{count} commands in {:.2} s, opening the log included", last.as_secs_f64())))
}

/// Logs all these commands in a fresh directory and stops.
fn fill<M: StateMachine>(
    directory: &Path,
    make: fn() -> M,
    commands: impl Iterator<Item = M::Command>,
) -> anyhow::Result<()> {
    let system = start(directory, make)?;
    let partition = system.partitions().first().context("the system has a partition")?;
    let mut expected = partition.status().applied;
    for command in commands {
        offer(partition, &command)?;
        expected += 1;
    }
    partition.read_blocking(expected, |_| ())?;
    system.shutdown();
    Ok(())
}

/// Puts a command into the queue, waiting while it is full.
fn offer<M: StateMachine>(partition: &Partition<M>, command: &M::Command) -> anyhow::Result<()> {
    loop {
        match partition.offer(Origin::system(0), command, 0) {
            Err(SubmitError::Overloaded { .. }) => std::thread::sleep(Duration::from_micros(100)),
            done => return Ok(done?),
        }
    }
}

/// Starts a system whose log lies there and waits until everything below `expected` is applied.
fn restart<M: StateMachine>(
    directory: &Path,
    make: fn() -> M,
    expected: u64,
    look: impl FnOnce(&M) -> u64 + Send + 'static,
) -> anyhow::Result<(Duration, u64)> {
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
