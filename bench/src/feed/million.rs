//! A million accounts: what they hold in memory, and how soon a server that has them is back.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use decalog_feed::command::{Command, Draft, OpenAccount, Publish};
use decalog_feed::running::Running;
use decalog_feed::value::AccountId;
use decalog_identity::command::{OpenAccount as OpenLogin, SetRole};
use decalog_identity::state::Directory;
use decalog_runtime::store::FolderStore;
use decalog_runtime::{Origin, Setup, System};
use serde_json::{Value, json};

use super::app::{App, ask, configuration, text};
use super::entries::resident_bytes;
use super::graph::{Graph, name};
use super::setting::{self, follow, keep_all, partition};
use crate::Plan;
use crate::log::open_log;
use crate::report::{Claim, Target, Unit};
use crate::runtime::offer;
use crate::server::{Decalog, Server, free_address};

/// How many each follows, on average.
const FOLLOWS: u32 = 20;
/// Posts of each.
const POSTS: u32 = 10;
/// Whom the one who looks follows.
const LOOKED_AT: u32 = 20;
/// Posts of a page.
const PAGE: usize = 20;
/// Nothing is on its way any more when nothing was applied for so long.
const QUIET: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures both.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    let people = plan.people;
    let directory = plan.scratch()?;
    let data = directory.path().join("data");
    let filled = fill(&data, people)?;
    let (http, operators) = (free_address()?, free_address()?);
    let decalog = Decalog::find()?;
    let configuration = configuration(http, operators);
    let begin = Instant::now();
    let mut server = decalog.start(directory, &configuration, http)?;
    let first = begin.elapsed();
    let token = look_around(&server, people)?;
    let (mut back, mut held) = (Vec::new(), server.resident_bytes()?);
    for _ in 0..plan.rounds {
        let directory = server.kill()?;
        let begin = Instant::now();
        server = decalog.start(directory, &configuration, http)?;
        home(&server, &token)?;
        back.push(begin.elapsed().as_secs_f64());
        held = held.max(server.resident_bytes()?);
    }
    let posts = people * POSTS;
    let of = format!("{people} accounts, {FOLLOWS} follows each, {posts} posts");
    let timelines = bytes(filled.resident);
    Ok(vec![
        Claim::figure(
            "feed",
            format!("{of}, all timelines kept: memory"),
            Unit::Bytes,
            vec![timelines],
            Target::AtMost(4e9),
        )
        .beside(format!("as `decalog serve`, which nobody else has asked: {} MiB", held >> 20))
        .beside(format!("written in {} s", filled.took.as_secs())),
        Claim::figure(
            "feed",
            format!("{of}: killed, until a home timeline is read"),
            Unit::Seconds,
            back,
            Target::AtMost(5.0),
        )
        .beside(format!("the first start after they were written: {:.1} s", first.as_secs_f64())),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "sizes stay far below 2^52")]
fn bytes(size: u64) -> f64 {
    size as f64
}

struct Filled {
    /// What this process holds in the end.
    resident: u64,
    took: Duration,
}

/// Has everybody sign up, follow and post, as the product would.
fn fill(data: &Path, people: u32) -> anyhow::Result<Filled> {
    let begin = Instant::now();
    let graph = Graph::zipf(people, FOLLOWS);
    logins(data, people)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let entered = runtime.enter();
    let running = setting::start(data)?;
    let step = |what: &str| eprintln!("  {what} after {} s", begin.elapsed().as_secs());
    let everybody = || 0..people;
    offer_all(
        &running,
        everybody().map(|number| {
            let account = graph.accounts[number as usize];
            (account, OpenAccount { account, name: name(number), moderators: Vec::new() }.into())
        }),
    )?;
    step("accounts");
    offer_all(
        &running,
        everybody().flat_map(|author| {
            let target = graph.accounts[author as usize];
            let accounts = &graph.accounts;
            graph.followers(author).map(move |reader| {
                let account = accounts[reader as usize];
                (account, follow(account, target))
            })
        }),
    )?;
    step("follows");
    keep_all(&running.homes, &graph);
    for turn in 0..POSTS {
        offer_all(
            &running,
            everybody().map(|number| {
                let account = graph.accounts[number as usize];
                let draft = Draft {
                    text: format!("Post {turn} of person {number}, with a few words as people write them"),
                    language: Some("en".to_owned()),
                    ..Draft::default()
                };
                (account, Publish { account, draft, scheduled: None }.into())
            }),
        )?;
        step("posts");
    }
    let resident = resident_bytes()?;
    running.stop();
    drop(entered);
    Ok(Filled { resident, took: begin.elapsed() })
}

/// Accounts that can log in, as identity keeps them.
fn logins(data: &Path, people: u32) -> anyhow::Result<()> {
    let store = Arc::new(FolderStore::new(data.join("snapshots")));
    let mut setup = Setup::new(open_log(&data.join("journal"))?, store, |_| Directory::default());
    setup.journal = Some(data.join("events"));
    let system = System::start(setup, decalog_identity::api::service::SYSTEM, 1)?;
    let role = SetRole { role: ROLE.to_owned(), scopes: SCOPES.iter().map(|&scope| scope.into()).collect() };
    offer(system.partition(0), Origin::system(0), &role.into())?;
    for number in 0..people {
        let name = name(number);
        let bucket = decalog_runtime::bucket::bucket_of(name.as_bytes());
        let open = OpenLogin {
            name,
            password: Some(HASH.to_owned()),
            roles: [ROLE.to_owned()].into(),
            service: false,
        };
        offer(system.partition(0), Origin::system(bucket), &open.into())?;
    }
    system.partition(0).snapshot_blocking()?;
    system.shutdown();
    Ok(())
}

/// What everybody is who signs up, and may.
const ROLE: &str = "user";
const SCOPES: [&str; 8] =
    ["identity:self", "exchange:read", "exchange:trade", "read", "write", "follow", "push", "profile"];
/// As long as those of real passwords, which is all that counts.
const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IG9mIDE2Yg$3zv6y2Wc0l6Uyd3c3qZ2aG0jJm0oGxXl0cT0cJq0nV8";

/// Offers all of these, and waits until nothing is on its way.
fn offer_all(running: &Running, commands: impl Iterator<Item = (AccountId, Command)>) -> anyhow::Result<()> {
    for (account, command) in commands {
        let origin = Origin { principal: account.0, ..Origin::system(account.bucket()) };
        offer(partition(running, account), origin, &command)?;
    }
    let applied = || running.partitions.iter().map(|partition| partition.status().applied).sum::<u64>();
    let (mut last, mut since) = (applied(), Instant::now());
    while since.elapsed() < QUIET {
        std::thread::sleep(QUIET / 20);
        let now = applied();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    Ok(())
}

/// Somebody signs up, follows a few, and looks at them and at many others: their token.
fn look_around(server: &Server, people: u32) -> anyhow::Result<String> {
    let http = server.address;
    let token = App::register(http)?.sign_up("visitor")?;
    let step = people / LOOKED_AT;
    for number in (0..LOOKED_AT).map(|one| one * step + 1) {
        let path = format!("/api/v1/accounts/lookup?acct={}", name(number));
        let id = text(&ask(http, "GET", &path, None, &Value::Null)?.json()?, "id")?;
        let path = format!("/api/v1/accounts/{id}/follow");
        ask(http, "POST", &path, Some(&token), &json!({}))?;
    }
    home(server, &token)?;
    for number in (0..people).step_by((people / 2_000) as usize) {
        let path = format!("/api/v1/accounts/lookup?acct={}", name(number));
        let id = text(&ask(http, "GET", &path, None, &Value::Null)?.json()?, "id")?;
        let posts = ask(http, "GET", &format!("/api/v1/accounts/{id}/statuses"), Some(&token), &Value::Null)?;
        let posts = posts.json()?.as_array().map_or(0, Vec::len);
        anyhow::ensure!(posts == POSTS as usize, "{posts} posts of person {number}");
    }
    Ok(token)
}

/// Asks for a home timeline until it is there.
fn home(server: &Server, token: &str) -> anyhow::Result<()> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let home = ask(server.address, "GET", "/api/v1/timelines/home", Some(token), &Value::Null);
        let posts = home.and_then(|home| home.json()).context("no home timeline");
        match posts.as_ref().map(|posts| posts.as_array().map_or(0, Vec::len)) {
            Ok(PAGE) => return Ok(()),
            _ => anyhow::ensure!(Instant::now() < give_up, "no home timeline: {posts:?}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
