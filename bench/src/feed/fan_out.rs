//! Fan-out: posts per second times their followers, from posting to the last reader's timeline, against Redis.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use decalog_feed::projection::homes::KEPT;
use decalog_feed::running::Running;
use decalog_feed::value::{AccountId, PostId};
use tokio::runtime::Runtime;

use super::graph::Graph;
use super::redis::Redis;
use super::setting::{PARTITIONS, keep_all, newest, open_accounts, place, post, start};
use crate::Plan;
use crate::report::{Claim, Target, Unit, per_second};
use crate::sample::{Rounds, Until, median};

const PEOPLE: u32 = 100_000;
const MEAN: u32 = 400;
/// One of so many people writes.
const WRITES: usize = 25;
/// Posts on their way at once.
const AT_ONCE: usize = 256;
/// How long deliveries may take after the last post.
const PATIENCE: Duration = Duration::from_secs(60);
/// Timelines looked at after a round.
const LOOKED_AT: u32 = 500;

/// Measures it.
pub(super) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    let people = if plan.quick { PEOPLE / 10 } else { PEOPLE };
    let graph = Arc::new(Graph::zipf(people, MEAN));
    // From all ranks alike, so that they have as many followers on average as everybody has.
    let authors: Vec<u32> = (0..people).skip(WRITES / 2).step_by(WRITES).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let directory = plan.scratch()?;
    let entered = runtime.enter();
    let running = Arc::new(start(directory.path())?);
    runtime.block_on(open_accounts(&running, &graph, 0..people, &authors))?;
    keep_all(&running.homes, &graph);
    let mut redis = Redis::start(plan.scratch()?)?;
    let subject = Subject { running: &running, graph: &graph, authors: &authors, runtime: &runtime };
    subject.round(plan.warm_up())?;
    let mut posts = Vec::new();
    let rounds = Rounds::interleave(
        plan.rounds,
        || {
            let round = subject.round(plan.span)?;
            posts.push(round.posts_per_second);
            Ok(round.deliveries_per_second)
        },
        || on_redis(&mut redis, &graph, &authors, plan.span),
    )?;
    running.stop();
    drop(entered);
    let name = format!("fan-out to {people} timelines, {MEAN} on average: deliveries per second");
    let rate = Claim::figure("feed", name, Unit::PerSecond, rounds.subject.clone(), Target::AtLeast(1e6))
        .beside(format!("posts, each durable before it is delivered: {}", per_second(median(&posts))));
    let redis = median(&rounds.control);
    let ratio =
        Claim::ratio("feed", "the same / Redis, LPUSH and LTRIM pipelined", rounds, Target::AtLeast(2.0))
            .beside(format!("Redis, which keeps nothing on disk: {}", per_second(redis)));
    Ok(vec![rate, ratio])
}

struct Subject<'a> {
    running: &'a Arc<Running>,
    graph: &'a Arc<Graph>,
    authors: &'a [u32],
    runtime: &'a Runtime,
}

struct Round {
    deliveries_per_second: f64,
    posts_per_second: f64,
}

/// Who posted what.
type Posted = Vec<(u32, PostId)>;

impl Subject<'_> {
    /// Posts for so long, waits until all of it is in all timelines, and looks whether that is so.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    fn round(&self, span: Duration) -> anyhow::Result<Round> {
        let begin = Instant::now();
        let posted = self.runtime.block_on(self.write(span))?;
        self.arrived(&posted)?;
        let took = begin.elapsed().as_secs_f64();
        self.check(&posted)?;
        let deliveries: u64 = posted.iter().map(|(author, _)| u64::from(self.graph.fan_out(*author))).sum();
        Ok(Round {
            deliveries_per_second: deliveries as f64 / took,
            posts_per_second: posted.len() as f64 / took,
        })
    }

    /// Everybody who writes has their turn, in an order that mixes who has many followers with who has few.
    async fn write(&self, span: Duration) -> anyhow::Result<Posted> {
        let (until, turn) = (Until::after(span), Arc::new(AtomicUsize::new(0)));
        let mut writers = tokio::task::JoinSet::new();
        let authors: Arc<[u32]> = mixed(self.authors).into();
        for _ in 0..AT_ONCE {
            let (running, graph) = (Arc::clone(self.running), Arc::clone(self.graph));
            let (authors, turn) = (Arc::clone(&authors), Arc::clone(&turn));
            writers.spawn(async move {
                let mut posted = Posted::new();
                while !until.over() {
                    let author = authors[turn.fetch_add(1, Ordering::Relaxed) % authors.len()];
                    posted.push((author, post(&running, graph.accounts[author as usize]).await?));
                }
                anyhow::Ok(posted)
            });
        }
        let mut all = Posted::new();
        while let Some(posted) = writers.join_next().await {
            all.extend(posted??);
        }
        Ok(all)
    }

    /// Waits until each author's last post has come to the last of its readers in each partition: a post comes to its readers
    /// in order, and after those of the same author before it.
    fn arrived(&self, posted: &[(u32, PostId)]) -> anyhow::Result<()> {
        let lasts: BTreeMap<u32, PostId> =
            posted.iter().copied().fold(BTreeMap::new(), |mut lasts, (author, post)| {
                let last = lasts.entry(author).or_insert(post);
                *last = post.max(*last);
                lasts
            });
        let give_up = Instant::now() + PATIENCE;
        for (author, post) in lasts {
            let mut readers = [None; PARTITIONS as usize];
            for reader in self.graph.followers(author) {
                let slot = &mut readers[place(self.graph.accounts[reader as usize])];
                *slot = (*slot).max(Some(reader));
            }
            for reader in readers.into_iter().flatten() {
                let account = self.graph.accounts[reader as usize];
                while !self.has(account, post)? {
                    anyhow::ensure!(Instant::now() < give_up, "a post did not come to account {}", account.0);
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
        Ok(())
    }

    /// Whether a post is in a timeline, or so many newer ones are that it is no more.
    fn has(&self, account: AccountId, post: PostId) -> anyhow::Result<bool> {
        let posts = newest(&self.running.homes, account, KEPT)?;
        let passed = posts.len() == KEPT && posts.last().is_some_and(|oldest| *oldest > post);
        Ok(passed || posts.contains(&post))
    }

    /// Some readers' newest posts are those of whom they follow, each once, in order.
    fn check(&self, posted: &[(u32, PostId)]) -> anyhow::Result<()> {
        let people = self.graph.people();
        let readers: BTreeSet<u32> = (0..people).step_by((people / LOOKED_AT).max(1) as usize).collect();
        let mut expected: BTreeMap<u32, Vec<PostId>> = BTreeMap::new();
        for (author, post) in posted {
            for reader in self.graph.followers(*author).filter(|reader| readers.contains(reader)) {
                expected.entry(reader).or_default().push(*post);
            }
        }
        for (reader, mut posts) in expected {
            posts.sort_by_key(|post| std::cmp::Reverse(*post));
            posts.truncate(KEPT);
            // Who wrote has the own posts too.
            let own = self.authors.contains(&reader);
            let found = newest(&self.running.homes, self.graph.accounts[reader as usize], posts.len())?;
            anyhow::ensure!(own || found == posts, "person {reader} misses posts, or has too many");
        }
        Ok(())
    }
}

/// The same people in another order.
fn mixed(authors: &[u32]) -> Vec<u32> {
    let mut mixed = authors.to_vec();
    mixed.sort_by_key(|author| author.wrapping_mul(0x9e37_79b9));
    mixed
}

/// The same deliveries by Redis, for about so long.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn on_redis(redis: &mut Redis, graph: &Graph, authors: &[u32], span: Duration) -> anyhow::Result<f64> {
    let (begin, mut deliveries) = (Instant::now(), 0);
    let mut post = 500_000_000_000_000_000_u64;
    'out: loop {
        for some in mixed(authors).chunks(16) {
            let many = some.iter().map(|author| u64::from(graph.fan_out(*author))).sum();
            let first = post;
            post += some.len() as u64;
            let each = (first..)
                .zip(some)
                .flat_map(|(post, author)| graph.followers(*author).map(move |one| (one, post)));
            redis.deliver(each, many, KEPT)?;
            deliveries += many;
            if begin.elapsed() >= span {
                break 'out;
            }
        }
    }
    let took = begin.elapsed().as_secs_f64();
    let reader = graph.followers(authors[0]).next().unwrap_or(0);
    anyhow::ensure!(redis.length(reader)? > 0, "redis has nothing");
    Ok(deliveries as f64 / took)
}
