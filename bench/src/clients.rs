//! Closed-loop clients: each has one request under way, and sends the next when it has its answer.
//!
//! They are tasks on the same small Tokio runtime whatever they talk to, so that the log, the runtime and their
//! controls pay the same for being asked. What is asked, and who answers, is behind [`Door`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::sample::{Latencies, Rate};

/// How long requests run before they are counted.
const WARM_UP: Duration = Duration::from_millis(200);

/// Whoever takes a request and answers it.
pub(crate) trait Door: Send + Sync + 'static {
    /// Sends one request and waits for its answer. `client` is dense from 0, `sequence` counts its requests.
    fn ask(&self, client: usize, sequence: u64) -> impl Future<Output = ()> + Send;
}

/// What the clients saw.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Answers after the warm-up.
    pub(crate) rate: Rate,
    /// Request to answer, of the same requests.
    pub(crate) latencies: Latencies,
}

/// Runs `clients` of them against the door for `span`, after a short warm-up.
pub(crate) fn run<D: Door>(door: &Arc<D>, clients: usize, span: Duration) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    let counting = Arc::new(AtomicBool::new(false));
    let stopped = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let outcome = runtime.block_on(async {
        let tasks: Vec<_> = (0..clients)
            .map(|client| {
                let (door, counting, stopped) = (door.clone(), counting.clone(), stopped.clone());
                let answered = answered.clone();
                tokio::spawn(async move {
                    let mut latencies = Latencies::with_capacity(1 << 12);
                    let mut sequence = 0;
                    while !stopped.load(Ordering::Relaxed) {
                        sequence += 1;
                        let start = Instant::now();
                        door.ask(client, sequence).await;
                        if counting.load(Ordering::Relaxed) {
                            latencies.record(start.elapsed());
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    latencies
                })
            })
            .collect();
        tokio::time::sleep(WARM_UP).await;
        let start = Instant::now();
        counting.store(true, Ordering::Relaxed);
        tokio::time::sleep(span).await;
        let rate = Rate { operations: answered.load(Ordering::Relaxed), elapsed: start.elapsed() };
        stopped.store(true, Ordering::Relaxed);
        let mut latencies = Latencies::default();
        for task in tasks {
            latencies.merge(task.await?);
        }
        anyhow::Ok(Outcome { rate, latencies })
    })?;
    Ok(outcome)
}
