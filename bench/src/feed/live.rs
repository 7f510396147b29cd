//! What people notice: how soon a post is on a follower's open stream, and how long a home timeline takes, both from
//! `decalog serve` with apps that signed up like every other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use decalog_feed::projection::homes::Limits;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::app::{App, ask, configuration, text};
use crate::Plan;
use crate::cores::Cores;
use crate::paced;
use crate::report::{Claim, Target, Unit};
use crate::sample::{Latencies, micros};
use crate::server::{Decalog, Server, free_address};
use crate::websocket::WebSocket;

const PEOPLE: usize = 500;
/// Each of them has so many open at once: 5,000 in all.
const STREAMS: usize = 10;
/// How many follow each of them.
const FOLLOWERS: usize = 10;
const POSTS_PER_MINUTE: u32 = 2_000;
/// Posts in everybody's timeline before it is asked for.
const POSTS: usize = 20;
const HOMES_PER_SECOND: u32 = 500;
/// Pages that somebody reads who opens a ranked home.
const PAGES: usize = 5;
/// Whom somebody follows whose timeline is made anew, and how often that is done in a round.
const FOLLOWED: usize = 100;
const ANEW: usize = 50;
/// Microseconds of a processor that a delivery takes: both of two cores deliver, 3.2 million a second.
const DELIVERY: f64 = 0.62;
/// Connections over which they are asked for.
const READERS: u32 = 5;
/// Handshakes at a time.
const AT_ONCE: usize = 32;
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures both.
pub(super) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    let people = if plan.quick { PEOPLE / 10 } else { PEOPLE };
    let cores = Cores::divide()?;
    cores.for_server()?;
    let network = Network::start(plan, people)?;
    cores.for_client()?;
    let home = network.homes(plan, "home", ("", 1), Target::AtMost(15_000.0))?;
    let anew = network.anew(plan)?;
    let ranked = network.homes(plan, "ranked home", ("&order=for_you", PAGES), Target::AtMost(40_000.0))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut streams = runtime.block_on(network.streams(plan))?;
    let (p50, p99) = (micros(streams.p50()), micros(streams.per_mille(990)));
    let open = people * STREAMS;
    let name = |what| format!("post to {open} open streams, {POSTS_PER_MINUTE} posts a minute: {what}");
    Ok(vec![
        home,
        anew,
        ranked,
        Claim::figure("feed", name("p50"), Unit::Microseconds, vec![p50], Target::AtMost(10_000.0))
            .beside(format!("from the request's sending, {} times: {}", streams.len(), streams.summary())),
        Claim::figure("feed", name("p99"), Unit::Microseconds, vec![p99], Target::AtMost(50_000.0)),
    ])
}

/// A server, and the tokens of those who signed up.
struct Network {
    server: Server,
    tokens: Vec<String>,
    /// Their accounts.
    ids: Vec<String>,
}

impl Network {
    /// Starts it; everybody signs up, follows, and posts.
    fn start(plan: &Plan, people: usize) -> anyhow::Result<Network> {
        let (http, operators) = (free_address()?, free_address()?);
        let server = Decalog::find()?.start(plan.scratch()?, &configuration(http, operators), http)?;
        let app = App::register(http)?;
        let (mut tokens, mut ids) = (Vec::new(), Vec::new());
        for number in 0..people {
            let token = app.sign_up(&format!("person{number}"))?;
            let me = ask(http, "GET", "/api/v1/accounts/verify_credentials", Some(&token), &Value::Null)?;
            ids.push(text(&me.json()?, "id")?);
            // So that ranked order has others' posts to propose, and does not run out of them.
            let (open, ranking) = (json!({ "discoverable": true }), json!({ "show_seen": true }));
            ask(http, "PATCH", "/api/v1/accounts/update_credentials", Some(&token), &open)?;
            ask(http, "PATCH", "/api/decalog/v1/ranking", Some(&token), &ranking)?;
            tokens.push(token);
        }
        for (number, token) in tokens.iter().enumerate() {
            for step in 1..=FOLLOWERS {
                let other = &ids[(number + step * 7) % people];
                ask(http, "POST", &format!("/api/v1/accounts/{other}/follow"), Some(token), &Value::Null)?;
            }
        }
        for turn in 0..POSTS.div_ceil(FOLLOWERS) {
            for token in &tokens {
                let status = json!({ "status": format!("Post {turn} with a #tag and a few words, as people write them") });
                ask(http, "POST", "/api/v1/statuses", Some(token), &status)?;
            }
        }
        Ok(Network { server, tokens, ids })
    }

    /// Home timelines, in the order that this part of a query asks for, so many pages of each, at a steady rate.
    fn homes(
        &self,
        plan: &Plan,
        what: &str,
        (order, pages): (&str, usize),
        target: Target,
    ) -> anyhow::Result<Claim> {
        let heads: Vec<String> =
            self.tokens.iter().map(|token| format!("authorization: Bearer {token}\r\n")).collect();
        let path = format!("/api/v1/timelines/home?limit={POSTS}{order}");
        let (mut p99, mut all) = (Vec::new(), Latencies::default());
        for round in 0..=plan.rounds {
            let part = heads.len().div_ceil(READERS as usize);
            let visited: Vec<_> = std::thread::scope(|threads| {
                let visit = |heads: &[String]| {
                    let mut pages = Pages {
                        server: self.server.address,
                        first: &path,
                        heads,
                        place: 0,
                        page: 0,
                        most: pages,
                    };
                    let next = |head: &str| pages.next(head);
                    paced::visit(self.server.address, next, HOMES_PER_SECOND / READERS, plan.span)
                };
                let readers: Vec<_> =
                    heads.chunks(part).map(|heads| threads.spawn(move || visit(heads))).collect();
                readers.into_iter().map(|reader| reader.join().expect("reading does not panic")).collect()
            });
            let mut latencies = Latencies::default();
            for visited in visited {
                latencies.merge(visited?);
            }
            // In the first round the timelines are made.
            if round > 0 {
                p99.push(micros(latencies.per_mille(990)));
                all.merge(latencies);
            }
        }
        let name = format!("{what}, {POSTS} posts rendered, {HOMES_PER_SECOND} requests a second: p99");
        let claim = Claim::figure("feed", name, Unit::Microseconds, p99, target);
        Ok(claim.beside(format!("{} homes in all rounds: {}", all.len(), all.summary())))
    }

    /// What it takes to make a timeline anew that was thrown away: by how much its reader waits longer.
    fn anew(&self, plan: &Plan) -> anyhow::Result<Claim> {
        let http = self.server.address;
        let reader = App::register(http)?.sign_up("reader")?;
        let (token, others) = (Some(reader.as_str()), &self.ids[..self.ids.len().min(FOLLOWED)]);
        let follow = |other: &str, reblogs: bool| {
            let path = format!("/api/v1/accounts/{other}/follow");
            ask(http, "POST", &path, token, &json!({ "reblogs": reblogs }))
        };
        for other in others {
            follow(other, true)?;
        }
        let mut rounds = Vec::new();
        for round in 0..plan.rounds {
            let (mut anew, mut kept) = (Latencies::default(), Latencies::default());
            for turn in 0..ANEW {
                // Who follows otherwise has another timeline.
                follow(&others[0], (round * ANEW + turn) % 2 == 1)?;
                std::thread::sleep(Duration::from_millis(10));
                for latencies in [&mut anew, &mut kept] {
                    let begin = Instant::now();
                    ask(http, "GET", "/api/v1/timelines/home", token, &Value::Null)?;
                    latencies.record(begin.elapsed());
                }
            }
            rounds.push(micros(anew.p50()) - micros(kept.p50()));
        }
        let name = format!("a timeline of {} followed, made anew", others.len());
        let target = Target::AtMost(f64::from(Limits::default().unread) * DELIVERY);
        Ok(Claim::figure("feed", name, Unit::Microseconds, rounds, target))
    }

    /// From sending a post to each of its followers' streams.
    async fn streams(&self, plan: &Plan) -> anyhow::Result<Latencies> {
        let (heard, mut hears) = mpsc::unbounded_channel();
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let (mut listeners, mut opened) = (JoinSet::new(), JoinSet::new());
        for token in self.tokens.iter().flat_map(|token| std::iter::repeat_n(token, STREAMS)) {
            let path = format!("/api/v1/streaming?stream=user&access_token={token}");
            let (places, address) = (Arc::clone(&places), self.server.address);
            opened.spawn(async move {
                let _place = places.acquire_owned().await?;
                WebSocket::connect(address, &path).await
            });
        }
        while let Some(socket) = opened.join_next().await {
            let (mut socket, heard) = (socket??, heard.clone());
            listeners.spawn(async move {
                while let Ok(text) = socket.text().await {
                    let now = Instant::now();
                    // Who measures may have stopped.
                    let _ = sent_at(&text).map(|number| heard.send((number, now)));
                }
            });
        }
        let begin = Instant::now();
        let seconds = plan.span.as_secs() * plan.rounds as u64;
        let posts = u32::try_from(seconds * u64::from(POSTS_PER_MINUTE) / 60)?;
        let (mut sent, mut senders) = (Vec::new(), JoinSet::new());
        let client = Poster { server: self.server.address };
        for number in 0..posts {
            let due = begin + Duration::from_secs(60) / POSTS_PER_MINUTE * number;
            tokio::time::sleep_until(due.into()).await;
            sent.push(Instant::now().max(due));
            let token = self.tokens[number as usize * 13 % self.tokens.len()].clone();
            senders.spawn(client.post(token, number));
        }
        while let Some(done) = senders.join_next().await {
            done??;
        }
        let all = posts as usize * (FOLLOWERS + 1) * STREAMS;
        let mut latencies = Latencies::with_capacity(all);
        while latencies.len() < all {
            let next = tokio::time::timeout(PATIENCE, hears.recv()).await;
            let next = next.with_context(|| format!("{} of {all} came to a stream", latencies.len()))?;
            let (number, at) = next.context("all streams are closed")?;
            latencies.record(at.saturating_duration_since(sent[number as usize]));
        }
        Ok(latencies)
    }
}

/// Pages of homes that are asked for one after another.
struct Pages<'a> {
    server: SocketAddr,
    /// The first page's path.
    first: &'a str,
    /// Whose home it is.
    heads: &'a [String],
    place: usize,
    page: usize,
    /// How many of each are looked at.
    most: usize,
}

impl Pages<'_> {
    /// The next request, after an answer with this head: on in the same home as long as there is more, then the next one's.
    fn next(&mut self, head: &str) -> String {
        let more = head.lines().find_map(|line| line.strip_prefix("link: ")?.split_once("max_id="));
        let older = more.and_then(|(_, rest)| rest.split_once('>')).filter(|_| self.page < self.most);
        let path = match older {
            Some((older, _)) => format!("{}&max_id={older}", self.first),
            None => {
                (self.place, self.page) = (self.place + 1, 0);
                self.first.to_owned()
            }
        };
        self.page += 1;
        paced::get(self.server, &path, &self.heads[self.place % self.heads.len()])
    }
}

/// Posts, each on a connection of its own.
#[derive(Clone, Copy)]
struct Poster {
    server: SocketAddr,
}

impl Poster {
    fn post(self, token: String, number: u32) -> impl Future<Output = anyhow::Result<()>> {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let body = json!({ "status": format!("number={number}; and a few words, as people write them") })
            .to_string();
        let request = format!(
            "POST /api/v1/statuses HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.server,
            body.len()
        );
        async move {
            let mut stream = tokio::net::TcpStream::connect(self.server).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "not posted: {answer}");
            Ok(())
        }
    }
}

/// The number of the post that an event brings.
fn sent_at(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    let (_, rest) = text.split_once("number=")?;
    rest.split(';').next()?.parse().ok()
}
