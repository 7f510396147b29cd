//! The simulator: partitions, log and disk on one thread, through crashes, from a seed.
//!
//! Everything that threads would do in some order, it does in an order drawn from the seed: take commands, write,
//! sync, apply, carry messages (and lose or repeat them), make snapshots, cut the power. It runs the same core, the
//! same journal and the same replay as the product, over a disk that forgets what was not synced.
//!
//! At every step: answers agree with the model of what was promised. After every crash: every acknowledged record is
//! there and what is there is a prefix of what was submitted. At rest: each partition's state is that of an
//! independent replay of its log (the oracle), and every message was applied once.

mod world;

use decalog_log::storage::Survival;
use decalog_log::{Durability, PartitionId};

use crate::harness::{CommandOf, Failure, Scenario, Step};
use crate::shrink::shortest;
use world::World;

/// How long and how wide to simulate.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Where everything random comes from.
    pub seed: u64,
    /// Partitions.
    pub partitions: u16,
    /// Lives: each ends in a power cut, or in a kill that leaves what was written.
    pub crashes: u32,
    /// Actions in each life.
    pub actions: u32,
    /// What an answer promises.
    pub durability: Durability,
    /// A journal on a disk of its own for each partition, instead of one for all: what one disk keeps in a power cut
    /// and what another keeps have nothing to do with each other then.
    pub journal_each: bool,
}

/// What a simulation went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Power cuts and kills survived.
    pub crashes: u64,
    /// Commands answered.
    pub answered: u64,
    /// Records that were written and not acknowledged when the power went.
    pub lost: u64,
    /// Messages between partitions applied.
    pub delivered: u64,
    /// Snapshots made.
    pub snapshots: u64,
    /// Batch digests compared in replays.
    pub compared: u64,
}

/// A scenario for several partitions.
pub trait Simulated: Scenario + Clone + Send + Sync + 'static {
    /// A machine of this partition.
    fn machine_of(&self, partition: PartitionId) -> Self::Machine {
        let _ = partition;
        self.machine()
    }
    /// The same scenario over storage of its own: each run begins with one.
    fn fresh(&self) -> Self {
        self.clone()
    }
    /// The power goes: storage that the scenario itself provides (tables) forgets what was not synced.
    fn power_cut(&self) {}
    /// What must hold across all partitions once everything has come to rest.
    fn at_rest(&self, machines: &[&Self::Machine]) -> Result<(), String> {
        let _ = machines;
        Ok(())
    }
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Action<C> {
    /// A command is queued.
    Submit { partition: u16, step: Step<C>, repeat: bool },
    /// What is queued is written.
    Write { partition: u16 },
    /// The log syncs.
    Sync,
    /// What is durable is applied, and messages leave; of those, each eighth is lost and each eighth comes twice.
    Run { partition: u16, fate: u64 },
    /// A snapshot is made and the log trimmed.
    Snapshot { partition: u16 },
    /// The power goes, or the process is killed.
    Crash { survival: Option<Survival> },
}

impl<C: std::fmt::Debug> Action<C> {
    fn line(&self) -> String {
        format!("{self:?}")
    }
}

/// Simulates.
///
/// # Panics
/// With the seed and the shortest failing history.
pub fn run<S: Simulated>(scenario: &S, plan: Plan) -> Report {
    search(scenario, plan).unwrap_or_else(|failure| panic!("{failure}"))
}

/// Simulates, and returns the failure instead of panicking.
pub fn search<S: Simulated>(scenario: &S, plan: Plan) -> Result<Report, Failure> {
    let mut scenario = scenario.clone();
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let mut world = World::new(&scenario, plan);
    let mut history = Vec::new();
    for _ in 0..plan.crashes {
        for number in 0..=plan.actions {
            let action = if number < plan.actions {
                draw(&mut scenario, &mut random, &world, plan)
            } else {
                Action::Crash { survival: draw_survival(&mut random) }
            };
            history.push(action.clone());
            if let Err(what) = world.act(&action) {
                return Err(shrink(&scenario, plan, history, what));
            }
        }
    }
    world.rest().map_err(|what| shrink(&scenario, plan, history, what))?;
    Ok(world.report())
}

fn shrink<S: Simulated>(
    scenario: &S,
    plan: Plan,
    history: Vec<Action<CommandOf<S>>>,
    what: String,
) -> Failure {
    let fails = |history: &[Action<CommandOf<S>>]| -> Option<String> {
        let mut world = World::new(scenario, plan);
        let result = history.iter().try_for_each(|action| world.act(action)).and_then(|()| world.rest());
        result.err()
    };
    let history = shortest(history, |history| fails(history).is_some());
    let what = fails(&history).unwrap_or(what);
    Failure { seed: plan.seed, what, history: history.iter().map(Action::line).collect() }
}

fn draw_survival(random: &mut fastrand::Rng) -> Option<Survival> {
    match random.u32(0..4) {
        0 => None,
        1 if random.bool() => Some(Survival::Nothing),
        1 | 2 => Some(Survival::Bytes(random.u64(0..2000))),
        _ => Some(Survival::Scattered(random.u64(..))),
    }
}

fn draw<S: Simulated>(
    scenario: &mut S,
    random: &mut fastrand::Rng,
    world: &World<S>,
    plan: Plan,
) -> Action<CommandOf<S>> {
    let partition = random.u16(0..plan.partitions);
    match random.u32(0..100) {
        0..45 => {
            let step = scenario.step(random, world.machine(partition));
            Action::Submit { partition, step, repeat: random.u32(0..8) == 0 }
        }
        45..67 => Action::Write { partition },
        67..72 => Action::Sync,
        72..98 => Action::Run { partition, fate: random.u64(..) },
        _ => Action::Snapshot { partition },
    }
}
