//! Closed-loop clients: each has one request under way, and sends the next when it has its answer.
//!
//! They are tasks on the same small Tokio runtime whatever they talk to, so that the log, the runtime and their
//! controls pay the same for being asked. What is asked, and who answers, is behind [`Door`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use crate::sample::{Latencies, Rate};

/// How long requests run before they are counted.
const WARM_UP: Duration = Duration::from_millis(200);

/// The stages of a run.
const WARMING_UP: u8 = 0;
const COUNTING: u8 = 1;
const DONE: u8 = 2;

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
    let stage = Arc::new(AtomicU8::new(WARMING_UP));
    runtime.block_on(async {
        let tasks: Vec<_> =
            (0..clients).map(|client| tokio::spawn(ask_on(door.clone(), client, stage.clone()))).collect();
        tokio::time::sleep(WARM_UP).await;
        let start = Instant::now();
        stage.store(COUNTING, Ordering::Relaxed);
        tokio::time::sleep(span).await;
        stage.store(DONE, Ordering::Relaxed);
        let elapsed = start.elapsed();
        let mut latencies = Latencies::default();
        for task in tasks {
            latencies.merge(task.await?);
        }
        Ok(Outcome { rate: Rate { operations: latencies.len() as u64, elapsed }, latencies })
    })
}

/// One client, until the run is over: what it counted.
async fn ask_on<D: Door>(door: Arc<D>, client: usize, stage: Arc<AtomicU8>) -> Latencies {
    let mut latencies = Latencies::with_capacity(1 << 14);
    let mut asked = Instant::now();
    for sequence in 1.. {
        door.ask(client, sequence).await;
        let answered = Instant::now();
        match stage.load(Ordering::Relaxed) {
            WARMING_UP => {}
            COUNTING => latencies.record(answered - asked),
            _ => break,
        }
        asked = answered;
    }
    latencies
}
