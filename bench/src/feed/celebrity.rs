//! What the posts of somebody with very many followers do to everybody else's.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use decalog_feed::projection::homes::{Heard, Signal};
use decalog_feed::running::Running;
use decalog_feed::value::PostId;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;

use super::graph::Graph;
use super::setting::{keep_all, open_accounts, post, start};
use crate::Plan;
use crate::report::{Claim, Target};
use crate::sample::{Latencies, Rounds, micros};

const READERS: u32 = 1_000_000;
const OTHERS: u32 = 200;
const FOLLOWERS_OF_OTHERS: u32 = 20;
const POSTS_PER_SECOND: u32 = 200;
/// Between two posts of the celebrity.
const PAUSE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(20);

/// Measures it.
pub(super) fn measure(plan: &Plan) -> anyhow::Result<Claim> {
    let readers = if plan.quick { READERS / 10 } else { READERS };
    let mut counts = vec![0; readers as usize];
    counts[0] = readers - 1;
    counts[1..=OTHERS as usize].fill(FOLLOWERS_OF_OTHERS);
    let graph = Arc::new(Graph::new(counts));
    let authors: Vec<u32> = (0..=OTHERS).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let directory = plan.scratch()?;
    let entered = runtime.enter();
    let running = Arc::new(start(directory.path())?);
    runtime.block_on(open_accounts(&running, &graph, authors.iter().copied(), &authors))?;
    keep_all(&running.homes, &graph);
    let (mut with, mut without) = (Latencies::default(), Latencies::default());
    let rounds = Rounds::interleave(
        plan.rounds,
        || runtime.block_on(round(&running, &graph, plan.span, true, &mut with)),
        || runtime.block_on(round(&running, &graph, plan.span, false, &mut without)),
    )?;
    running.stop();
    drop(entered);
    let name = format!("somebody with {readers} followers posts: others' delivery, p99 / without");
    Ok(Claim::ratio("feed", name, rounds, Target::AtMost(2.0))
        .beside(format!("with:    {}", with.summary()))
        .beside(format!("without: {}", without.summary())))
}

/// Others post at a steady rate: the 99th percentile, in microseconds, of what it takes until the last of their followers
/// has the post.
async fn round(
    running: &Arc<Running>,
    graph: &Arc<Graph>,
    span: Duration,
    celebrity: bool,
    all: &mut Latencies,
) -> anyhow::Result<f64> {
    let (heard, mut hears) = mpsc::unbounded_channel();
    let mut listeners = JoinSet::new();
    for author in 1..=OTHERS {
        let last = graph.followers(author).max().context("nobody follows")?;
        let signals = running.homes.listen(graph.accounts[last as usize]);
        listeners.spawn(listen(signals, heard.clone()));
    }
    let mut loud = JoinSet::new();
    if celebrity {
        let (running, account) = (Arc::clone(running), graph.accounts[0]);
        loud.spawn(async move {
            while post(&running, account).await.is_ok() {
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    let (begin, mut posted) = (Instant::now(), JoinSet::new());
    for number in 0.. {
        let due = begin + Duration::from_secs(1) / POSTS_PER_SECOND * number;
        if due >= begin + span {
            break;
        }
        tokio::time::sleep_until(due.into()).await;
        let sent = Instant::now().max(due);
        let (running, account) = (Arc::clone(running), graph.accounts[(1 + number % OTHERS) as usize]);
        posted.spawn(async move { anyhow::Ok((post(&running, account).await?, sent)) });
    }
    let mut sent = HashMap::new();
    while let Some(posted) = posted.join_next().await {
        sent.extend([posted??]);
    }
    let mut latencies = Latencies::default();
    while !sent.is_empty() {
        let next = tokio::time::timeout(PATIENCE, hears.recv()).await;
        let (came, at) = next.context("a post did not come")?.context("nobody listens")?;
        // Who listens for one author may follow others, and the celebrity, too.
        if let Some(sent) = sent.remove(&came) {
            latencies.record(at.saturating_duration_since(sent));
        }
    }
    let p99 = micros(latencies.per_mille(990));
    all.merge(latencies);
    Ok(p99)
}

async fn listen(mut signals: broadcast::Receiver<Heard>, heard: mpsc::UnboundedSender<(PostId, Instant)>) {
    while let Ok(heard_of) = signals.recv().await {
        if let Signal::Came(post) = heard_of.signal {
            // Who measures may have stopped.
            let _ = heard.send((post, Instant::now()));
        }
    }
}
