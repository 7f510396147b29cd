//! The log's claims: what a sync costs one submitter, what group commit makes of it for many, and that partitions
//! share the disk's syncs instead of dividing them.

pub(crate) mod bare;
mod owner;

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context as _;
use decalog_log::{
    Allowance, BatchBuilder, Durability, EmbeddedLog, Listener, Log, LogError, Offset, Options, PartitionId,
};

use crate::Plan;
use crate::clients::{self, Outcome};
use crate::report::{Claim, Target, per_second};
use crate::sample::{Latencies, Rounds, Summary, Until, micros};
use owner::{Owners, RECORD_BYTES};

/// How many clients "many" is.
const MANY: usize = 512;
/// How many partitions the many are spread over.
const PARTITIONS: u32 = 10;

/// Measures all three.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    Ok(vec![one_submitter(plan)?, many_against_os(plan)?, ten_partitions_against_one(plan)?])
}

fn one_submitter(plan: &Plan) -> anyhow::Result<Claim> {
    let directory = plan.scratch()?;
    let file = bare::preallocated(&directory.path().join("bare"))?;
    let log = open_log(&directory.path().join("journal"))?;
    let mut submitter = Submitter::open(log)?;
    submitter.append_loop(Until::after(plan.warm_up()))?;
    let (mut submitted, mut bare) = (Latencies::default(), Latencies::default());
    let rounds = Rounds::interleave(
        plan.rounds,
        || {
            let mut round = submitter.append_loop(Until::after(plan.span))?;
            let p50 = micros(round.p50());
            submitted.merge(round);
            Ok(p50)
        },
        || {
            let mut round = bare::append_loop(&file, RECORD_BYTES, Until::after(plan.span))?;
            let p50 = micros(round.p50());
            bare.merge(round);
            Ok(p50)
        },
    )?;
    let (submitted, bare) = (submitted.summary(), bare.summary());
    Ok(Claim::ratio("log", "fsync, 1 submitter: p50 / bare append + fdatasync", rounds, Target::AtMost(1.3))
        .beside(format!("log:  {submitted}"))
        .beside(format!("bare: {bare}"))
        .raw(serde_json::json!({ "log": submitted, "bare": bare })))
}

fn many_against_os(plan: &Plan) -> anyhow::Result<Claim> {
    let name = "512 submitters: rate with fsync / rate with os";
    let mut sides = Sides::new(plan, (1, Durability::Fsync), (1, Durability::Os));
    let rounds = sides.interleave()?;
    let bound = device_bound(plan)?;
    let bound =
        format!("the device's bound, half the clients' records a sync, nothing else: {}", per_second(bound));
    Ok(sides.claim(name, rounds, Target::AtLeast(0.6), ["fsync", "os"]).beside(bound))
}

/// Records per second of a bare loop that syncs as many at once as wait during a sync, when the others are in it: no log
/// with one request under way per client can give more on this device.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn device_bound(plan: &Plan) -> anyhow::Result<f64> {
    let directory = plan.scratch()?;
    let file = bare::preallocated(&directory.path().join("bare"))?;
    let began = Instant::now();
    let syncs = bare::append_loop(&file, RECORD_BYTES * MANY / 2, Until::after(plan.span))?.len();
    Ok((syncs * MANY / 2) as f64 / began.elapsed().as_secs_f64())
}

fn ten_partitions_against_one(plan: &Plan) -> anyhow::Result<Claim> {
    let name = "512 submitters, fsync: rate over 10 partitions / on 1";
    let mut sides = Sides::new(plan, (PARTITIONS, Durability::Fsync), (1, Durability::Fsync));
    let rounds = sides.interleave()?;
    Ok(sides.claim(name, rounds, Target::AtLeast(0.8), ["10", "1"]))
}

/// Two ways to run the same many clients, and what was last seen of each.
struct Sides<'a> {
    plan: &'a Plan,
    ways: [(u32, Durability); 2],
    seen: [Vec<(f64, Summary)>; 2],
}

impl<'a> Sides<'a> {
    fn new(plan: &'a Plan, subject: (u32, Durability), control: (u32, Durability)) -> Self {
        Self { plan, ways: [subject, control], seen: [Vec::new(), Vec::new()] }
    }

    fn interleave(&mut self) -> anyhow::Result<Rounds> {
        let (plan, [subject, control]) = (self.plan, self.ways);
        let [seen_subject, seen_control] = &mut self.seen;
        let run = |seen: &mut Vec<_>, (partitions, durability)| {
            let mut outcome = many(plan, partitions, durability)?;
            let rate = outcome.rate.per_second();
            seen.push((rate, outcome.latencies.summary()));
            Ok(rate)
        };
        Rounds::interleave(plan.rounds, || run(seen_subject, subject), || run(seen_control, control))
    }

    fn claim(self, name: &str, rounds: Rounds, target: Target, labels: [&str; 2]) -> Claim {
        let mut claim = Claim::ratio("log", name, rounds, target);
        for (label, seen) in labels.iter().zip(&self.seen) {
            if let Some((rate, latency)) = seen.last() {
                claim = claim.beside(format!("{label}: {}, {latency}", per_second(*rate)));
            }
        }
        claim.raw(serde_json::json!({ labels[0]: self.seen[0], labels[1]: self.seen[1] }))
    }
}

/// Many clients on a fresh journal, which is removed afterwards: unsynced bytes of one round must not be synced
/// by the next.
fn many(plan: &Plan, partitions: u32, durability: Durability) -> anyhow::Result<Outcome> {
    let directory = plan.scratch()?;
    let log = open_log(directory.path())?;
    let owners = Arc::new(Owners::start(&log, 0, partitions, durability)?);
    let outcome = clients::run(&owners, MANY, plan.span)?;
    Arc::into_inner(owners).context("every client has gone")?.stop()?;
    Ok(outcome)
}

/// One thread that appends a record and waits until it is on the device.
struct Submitter {
    log: Arc<dyn Log>,
    arrival: Arc<Arrival>,
    next: Offset,
}

/// Wakes the submitter when the log has got further.
#[derive(Default)]
struct Arrival {
    durable: Mutex<Offset>,
    moved: Condvar,
}

impl Listener for Arrival {
    fn advanced(&self, durable: Offset, _synced: Offset) {
        *self.durable.lock().unwrap_or_else(PoisonError::into_inner) = durable;
        self.moved.notify_one();
    }

    fn failed(&self, error: Arc<LogError>) {
        panic!("the log failed under the benchmark: {error}");
    }
}

impl Submitter {
    fn open(log: Arc<dyn Log>) -> anyhow::Result<Self> {
        let arrival = Arc::new(Arrival::default());
        let next = log.open(PartitionId(0), Durability::Fsync, arrival.clone())?.next;
        Ok(Self { log, arrival, next })
    }

    fn append_loop(&mut self, until: Until) -> anyhow::Result<Latencies> {
        let mut batch = BatchBuilder::new();
        let mut latencies = Latencies::with_capacity(1 << 16);
        while !until.over() {
            let start = Instant::now();
            batch.clear();
            batch.push(&[0xA5; RECORD_BYTES])?;
            self.log.append(PartitionId(0), self.next, &batch, Allowance::Ordinary)?;
            self.next += 1;
            let mut durable = self.arrival.durable.lock().unwrap_or_else(PoisonError::into_inner);
            while *durable < self.next {
                durable = self.arrival.moved.wait(durable).unwrap_or_else(PoisonError::into_inner);
            }
            drop(durable);
            latencies.record(start.elapsed());
        }
        Ok(latencies)
    }
}

/// An embedded log with its usual options in this directory.
pub(crate) fn open_log(directory: &Path) -> anyhow::Result<Arc<dyn Log>> {
    Ok(Arc::new(EmbeddedLog::open(directory, Options::default())?))
}
