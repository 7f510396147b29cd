//! What it costs to check a token: for the first time, when its signature is verified, and every other time.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use decalog_gateway::access::{Authenticator, Credential};
use decalog_gateway::route::{Gate, front};
use decalog_identity::api::provider::{Fetch, Fetching};
use decalog_identity::api::service::{Identity, Plan as Start, SELF, Settings};
use decalog_identity::api::{oauth, rest};
use decalog_identity::value::SECOND;
use decalog_runtime::Config;
use decalog_runtime::clock::SystemClock;
use decalog_runtime::erasure::Erasures;
use decalog_runtime::store::FolderStore;

use super::sign_in::{self, Program};
use crate::Plan;
use crate::log::open_log;
use crate::report::{Claim, Target, Unit};
use crate::sample::{Latencies, micros};

/// Tokens that are seen for the first time in each round.
const TOKENS: usize = 200;
/// How often each is checked again.
const AGAIN: u32 = 1_000;
const DAY: i64 = 86_400 * SECOND;

/// Measures both.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    let directory = plan.scratch()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let server = listener.local_addr()?;
    let inside = runtime.enter();
    let (identity, first) = Identity::start(start(directory.path(), server)?)?;
    drop(inside);
    let authenticator = identity.authenticator();
    let gate = Gate::new(Arc::clone(&authenticator));
    let doors = front([
        oauth::routes().guarded(Arc::clone(&identity), &gate),
        rest::routes().guarded(Arc::clone(&identity), &gate),
    ]);
    runtime.spawn(async move { axum::serve(listener, doors).await });
    let first = first.context("an empty directory makes a first account")?;
    let administrator = sign_in::token(server, &first.name, &first.password)?;
    let program = Program::register(server, &administrator, SELF)?;
    let (mut fresh, mut again) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let tokens = (0..TOKENS).map(|_| program.token(SELF)).collect::<anyhow::Result<Vec<_>>>()?;
        fresh.push(once(&*authenticator, &tokens)?);
        again.push(repeatedly(&*authenticator, &tokens)?);
    }
    identity.stop();
    let figure =
        |name, rounds, most| Claim::figure("front", name, Unit::Microseconds, rounds, Target::AtMost(most));
    Ok(vec![
        figure("a token's first check: p50", fresh, 100.0),
        figure("every other check of it: mean", again, 2.0),
    ])
}

/// The median of first checks, in microseconds.
fn once(authenticator: &dyn Authenticator, tokens: &[String]) -> anyhow::Result<f64> {
    let mut latencies = Latencies::with_capacity(tokens.len());
    for token in tokens {
        let begin = Instant::now();
        let known = authenticator.authenticate(Credential::Bearer(token));
        latencies.record(begin.elapsed());
        anyhow::ensure!(known.is_ok(), "a token was refused: {:?}", known.err());
    }
    Ok(micros(latencies.p50()))
}

/// What one of many further checks takes, in microseconds.
fn repeatedly(authenticator: &dyn Authenticator, tokens: &[String]) -> anyhow::Result<f64> {
    let begin = Instant::now();
    for _ in 0..AGAIN {
        for token in tokens {
            let known = std::hint::black_box(authenticator.authenticate(Credential::Bearer(token)));
            anyhow::ensure!(known.is_ok(), "a token was refused: {:?}", known.err());
        }
    }
    let checks = f64::from(AGAIN) * f64::from(u32::try_from(tokens.len())?);
    Ok(micros(begin.elapsed()) / checks)
}

fn start(directory: &std::path::Path, server: SocketAddr) -> anyhow::Result<Start> {
    let issuer = format!("http://{server}");
    let rights = [SELF.to_owned(), decalog_identity::api::service::ADMIN.to_owned()];
    Ok(Start {
        log: open_log(&directory.join("journal"))?,
        store: Arc::new(FolderStore::new(directory.join("snapshots"))),
        journal: directory.join("events"),
        seal: None,
        keys: directory.join("keys"),
        audit: directory.join("audit"),
        erasures: Arc::new(Erasures::open(&directory.join("erasures"))?),
        runtime: Config::default(),
        meter: Arc::new(()),
        clock: Arc::new(SystemClock),
        fatal: Arc::new(|fatal| eprintln!("{fatal}")),
        fetch: Arc::new(NoProvider),
        settings: Settings {
            audience: issuer.clone(),
            issuer,
            rights: rights.into(),
            user_rights: [SELF.to_owned()].into(),
            access_lifetime: DAY,
            refresh_lifetime: DAY,
            logon_lifetime: DAY,
            key_period: DAY,
            open_registration: false,
            password_checks: 1,
            password_queue: 64,
            audit_days: 365,
            accounts: Vec::new(),
            providers: Vec::new(),
        },
    })
}

/// There is no outside provider to ask.
struct NoProvider;

impl Fetch for NoProvider {
    fn get<'a>(&'a self, url: &'a str, _: Option<&'a str>) -> Fetching<'a> {
        Box::pin(async move { Err(format!("{url} is not asked")) })
    }

    fn post_form<'a>(
        &'a self,
        url: &'a str,
        _: &'a [(&'a str, &'a str)],
        _: Option<&'a str>,
    ) -> Fetching<'a> {
        Box::pin(async move { Err(format!("{url} is not asked")) })
    }
}
