//! The feed's partitions in this process, as the product runs them, with the people of a graph.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use decalog_feed::command::{Command, Draft, Follow, OpenAccount, Publish, Reply};
use decalog_feed::projection::homes::{Found, Homes, Limits, Wishes};
use decalog_feed::running::{Core, Running};
use decalog_feed::state::{Feed, Following, Window};
use decalog_feed::value::{AccountId, PostId};
use decalog_runtime::bucket::partition_of;
use decalog_runtime::store::FolderStore;
use decalog_runtime::{Config, Origin, Partition};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::graph::{Graph, name};
use crate::log::open_log;

/// As many as the product has by default.
pub(super) const PARTITIONS: u16 = 4;
/// Commands on their way while the people are made known.
const AT_ONCE: usize = 2_048;

/// Push is forced: nobody reads, and all get everything.
pub(super) const FORCED: Limits = Limits { bytes: 4 << 30, unread: u32::MAX };

/// Starts the partitions in a data directory, laid out as the product's: everything durable, nothing reduced.
pub(super) fn start(directory: &Path) -> anyhow::Result<Running> {
    let core = Core {
        log: open_log(&directory.join("journal"))?,
        store: Arc::new(FolderStore::new(directory.join("snapshots"))),
        journal: directory.join("events"),
        tables: directory.join("feed/tables"),
        cache_bytes: 128 << 20,
        homes: FORCED,
        seal: None,
        config: Config::default(),
        meter: Arc::new(()),
        fatal: Arc::new(|fatal| panic!("{fatal}")),
    };
    Ok(Running::start(core, PARTITIONS)?)
}

/// The partition of an account.
pub(super) fn partition(running: &Running, account: AccountId) -> &Partition<Feed> {
    &running.partitions[place(account)]
}

/// Its number.
pub(super) fn place(account: AccountId) -> usize {
    partition_of(account.bucket(), usize::from(PARTITIONS))
}

/// Has a command done.
pub(super) async fn ask(
    partition: &Partition<Feed>,
    by: AccountId,
    command: impl Into<Command>,
) -> anyhow::Result<Reply> {
    let origin = Origin { principal: by.0, ..Origin::system(by.bucket()) };
    let reply = partition.submit(origin, &command.into()).await?.reply;
    anyhow::ensure!(!matches!(reply, Reply::Refused(_)), "refused: {reply:?}");
    Ok(reply)
}

/// Opens the accounts of these people, and of a follower of each author in each partition that has any, who follows. Who
/// the others are is not read when a post is delivered: that the timelines know ([`keep_all`]).
pub(super) async fn open_accounts(
    running: &Running,
    graph: &Graph,
    people: impl Iterator<Item = u32>,
    authors: &[u32],
) -> anyhow::Result<()> {
    let (mut people, mut follows) = (people.collect::<BTreeSet<u32>>(), Vec::new());
    for author in authors {
        let target = graph.accounts[*author as usize];
        let mut told = [false; PARTITIONS as usize];
        for reader in graph.followers(*author) {
            let account = graph.accounts[reader as usize];
            if !std::mem::replace(&mut told[place(account)], true) {
                people.insert(reader);
                follows.push((account, follow(account, target)));
            }
            if told == [true; PARTITIONS as usize] {
                break;
            }
        }
    }
    let open = people.into_iter().map(|number| {
        let account = graph.accounts[number as usize];
        (account, OpenAccount { account, name: name(number), moderators: Vec::new() }.into())
    });
    ask_all(running, open).await?;
    ask_all(running, follows.into_iter()).await
}

/// Somebody follows somebody, in every way.
pub(super) fn follow(account: AccountId, target: AccountId) -> Command {
    Follow { account, target, reblogs: true, notify: false, languages: Vec::new(), locked: false }.into()
}

/// Has all of these done, in any order.
async fn ask_all(
    running: &Running,
    commands: impl Iterator<Item = (AccountId, Command)>,
) -> anyhow::Result<()> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut asked = JoinSet::new();
    for (account, command) in commands {
        let place = Arc::clone(&places).acquire_owned().await?;
        let partition = partition(running, account).clone();
        asked.spawn(async move {
            let done = ask(&partition, account, command).await;
            drop(place);
            done
        });
        while let Some(done) = asked.try_join_next() {
            done??;
        }
    }
    while let Some(done) = asked.join_next().await {
        done??;
    }
    Ok(())
}

/// Keeps everybody's timeline, as if each had read it, with nothing in it yet.
pub(super) fn keep_all(homes: &Homes, graph: &Graph) {
    let how = Following { reblogs: true, notify: false, languages: Vec::new() };
    for (account, following) in graph.accounts.iter().zip(graph.following()) {
        let following = following.iter().map(|author| (graph.accounts[*author as usize], how.clone()));
        let wishes = Wishes { account: *account, following: following.collect(), ..Wishes::default() };
        let generation = homes.begin(wishes);
        homes.fill(*account, generation, &[], false);
    }
}

/// Somebody posts.
pub(super) async fn post(running: &Running, account: AccountId) -> anyhow::Result<PostId> {
    let draft = Draft {
        text: "A post of which a few words are known to be here, as many as people write".to_owned(),
        language: Some("en".to_owned()),
        ..Draft::default()
    };
    match ask(partition(running, account), account, Publish { account, draft, scheduled: None }).await? {
        Reply::Posted(post) => Ok(post),
        reply => anyhow::bail!("no post: {reply:?}"),
    }
}

/// The newest posts of somebody's timeline, at most so many.
pub(super) fn newest(homes: &Homes, account: AccountId, most: usize) -> anyhow::Result<Vec<PostId>> {
    match homes.read(account, Window::newest(most)) {
        Found::Posts(posts) => Ok(posts),
        found => Err(anyhow::anyhow!("{found:?}")).context("a timeline that cannot be read"),
    }
}
