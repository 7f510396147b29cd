//! Runs an engine over a flow and takes the time.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::engines::Engine;
use crate::flow::Flow;
use crate::ring::Ring;

/// A run that takes longer than this is cut off: some engines slow down with every price they have ever seen.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many messages pass between looks at the clock.
const STRIDE: usize = 256;

/// What one run over a flow gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Seconds of core time per message.
    pub(crate) pace: f64,
    /// Whether it was cut off before the flow's end.
    pub(crate) cut_off: bool,
    /// Trades, lots, refusals.
    pub(crate) totals: [u64; 3],
}

fn warm<E: Engine>(flow: &Flow) -> E {
    let mut engine = E::new(flow.orders);
    let mut ring = Ring::new();
    for message in &flow.warm_up {
        engine.handle(message, &mut ring);
    }
    engine
}

/// The time this thread has had on a core: what neighbours on the machine take is not the engine's.
fn core_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).expect("time since the thread's start");
    Duration::new(seconds, u32::try_from(time.tv_nsec).expect("below a billion"))
}

/// All messages, as fast as they go.
pub(crate) fn throughput<E: Engine>(flow: &Flow) -> Run {
    let mut engine = warm::<E>(flow);
    let mut ring = Ring::new();
    let (mut done, mut elapsed) = (0, Duration::ZERO);
    let start = core_time();
    for messages in flow.messages.chunks(STRIDE) {
        for message in messages {
            engine.handle(message, &mut ring);
        }
        done += messages.len();
        elapsed = core_time() - start;
        if elapsed > PATIENCE {
            break;
        }
    }
    let pace = elapsed.as_secs_f64() / done as f64;
    Run { pace, cut_off: done < flow.messages.len(), totals: [ring.trades, ring.volume, ring.refused] }
}

/// Nanoseconds of each of the first `count` messages, sorted. Each includes one clock reading: see [`jitter`].
pub(crate) fn latencies<E: Engine>(flow: &Flow, count: usize) -> Vec<u64> {
    let mut engine = warm::<E>(flow);
    let mut ring = Ring::new();
    sorted_gaps(count.min(flow.messages.len()), |number| engine.handle(&flow.messages[number], &mut ring))
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
