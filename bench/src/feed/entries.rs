//! What an entry of a timeline holds in memory, by the difference that full timelines make.

use decalog_feed::event::Arrived;
use decalog_feed::projection::homes::{Homes, KEPT};
use decalog_feed::value::{Entry, PostId};

use super::graph::Graph;
use super::setting::{FORCED, PARTITIONS, keep_all, newest};
use crate::Plan;
use crate::report::{Claim, Target, Unit};

const PEOPLE: u32 = 100_000;
const AUTHORS: u32 = 20;

/// Measures it.
pub(super) fn measure(plan: &Plan) -> anyhow::Result<Claim> {
    let people = if plan.quick { PEOPLE / 10 } else { PEOPLE };
    let graph = Graph::zipf(people, AUTHORS);
    let homes = Homes::new(usize::from(PARTITIONS), FORCED);
    keep_all(&homes, &graph);
    let before = resident_bytes()?;
    let mut post = 0;
    // The most followed, until nearly everybody has as many as are kept.
    for round in 0..KEPT as u64 {
        for author in 0..AUTHORS {
            post = (round << 8 | u64::from(author)) + 1;
            let author = graph.accounts[author as usize];
            let entry = Entry { post: PostId(post), author, ..Entry::default() };
            (0..usize::from(PARTITIONS))
                .for_each(|place| homes.apply(place, Arrived { entry: entry.clone() }.into()));
        }
    }
    let after = resident_bytes()?;
    let lengths =
        graph.accounts.iter().map(|account| newest(&homes, *account, KEPT).map(|posts| posts.len()));
    let entries: usize = lengths.sum::<anyhow::Result<usize>>()?;
    anyhow::ensure!(entries > people as usize * KEPT / 2, "only {entries} entries after post {post}");
    #[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^52")]
    let each = after.saturating_sub(before) as f64 / entries as f64;
    let name = "memory of a timeline's entry, by full timelines";
    let claim = Claim::figure("feed", name, Unit::Bytes, vec![each], Target::AtMost(16.0));
    Ok(claim.beside(format!(
        "{entries} entries in {people} timelines, {} MiB",
        after.saturating_sub(before) >> 20
    )))
}

/// What this process holds in memory: proc(5), `statm`.
pub(super) fn resident_bytes() -> anyhow::Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).unwrap_or_default().parse()?;
    Ok(pages * rustix::param::page_size() as u64)
}
