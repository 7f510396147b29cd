//! Runs an engine over a flow and takes the time.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::engines::{Engine, Translator};
use crate::flow::{Flow, Message};
use crate::ring::Ring;

/// A run that takes longer than this is cut off: some engines slow down with every price they have ever seen.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many messages pass between looks at the clock.
const STRIDE: usize = 512;

/// What one run over a flow gave.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Seconds of core time per message.
    pub(crate) pace: f64,
    /// Whether it was cut off before the flow's end.
    pub(crate) cut_off: bool,
    /// Trades, lots, refusals.
    pub(crate) totals: [u64; 3],
}

/// A flow in an engine's own words.
pub(crate) struct Script<E: Engine> {
    warm_up: Vec<E::Command>,
    commands: Vec<E::Command>,
    /// Messages of the flow per command: some engines need two commands for a replace.
    share: f64,
}

/// The time this thread has had on a core: what neighbours on the machine take is not the engine's.
fn core_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).expect("time since the thread's start");
    Duration::new(seconds, u32::try_from(time.tv_nsec).expect("below a billion"))
}

impl<E: Engine> Script<E> {
    /// Translates a flow.
    pub(crate) fn new<T: Translator<Engine = E>>(flow: &Flow) -> Self {
        let mut translator = T::new(flow.orders);
        let mut translate = |messages: &[Message]| {
            let mut commands = Vec::with_capacity(messages.len() * 9 / 8);
            for message in messages {
                translator.translate(message, &mut commands);
            }
            commands
        };
        let (warm_up, commands) = (translate(&flow.warm_up), translate(&flow.messages));
        let share = flow.messages.len() as f64 / commands.len() as f64;
        Self { warm_up, commands, share }
    }

    fn warm(&self) -> E {
        let mut engine = E::new();
        let mut ring = Ring::new();
        for command in &self.warm_up {
            engine.execute(command, &mut ring);
        }
        engine
    }

    /// The whole flow, as fast as it goes.
    pub(crate) fn throughput(&self) -> Run {
        let mut engine = self.warm();
        let mut ring = Ring::new();
        let (mut done, mut elapsed) = (0, Duration::ZERO);
        let start = core_time();
        for commands in self.commands.chunks(STRIDE) {
            for command in commands {
                engine.execute(command, &mut ring);
            }
            done += commands.len();
            elapsed = core_time() - start;
            if elapsed > PATIENCE {
                break;
            }
        }
        let pace = elapsed.as_secs_f64() / (done as f64 * self.share);
        Run { pace, cut_off: done < self.commands.len(), totals: [ring.trades, ring.volume, ring.refused] }
    }

    /// Nanoseconds of each of the first `count` commands, sorted. Each includes one clock reading: see [`jitter`].
    pub(crate) fn latencies(&self, count: usize) -> Vec<u64> {
        let mut engine = self.warm();
        let mut ring = Ring::new();
        let count = count.min(self.commands.len());
        sorted_gaps(count, |number| engine.execute(&self.commands[number], &mut ring))
    }
}

/// The same loop around nothing: what the clock and the machine add.
pub(crate) fn jitter(count: usize) -> Vec<u64> {
    sorted_gaps(count, |_| {})
}

fn sorted_gaps(count: usize, mut work: impl FnMut(usize)) -> Vec<u64> {
    let mut gaps = vec![0; count];
    let mut last = Instant::now();
    for (number, gap) in gaps.iter_mut().enumerate() {
        work(number);
        let now = Instant::now();
        *gap = u64::try_from((now - last).as_nanos()).unwrap_or(u64::MAX);
        last = now;
    }
    gaps.sort_unstable();
    gaps
}

/// The value below which this many of ten thousand lie.
pub(crate) fn percentile(sorted: &[u64], of_ten_thousand: usize) -> u64 {
    sorted.get(sorted.len() * of_ten_thousand / 10_000).copied().unwrap_or(0)
}
