//! A flood of logons: as many strangers as may wait for a password check, all the time, and what another route's
//! latency does meanwhile. Names that nobody has cost a check as well, so the flood's never lock out.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::setting::{self, NAME, PASSWORD, Setting};
use super::sign_in::Page;
use crate::Plan;
use crate::http::{FORM, Request};
use crate::paced;
use crate::report::{Claim, Target, Unit};
use crate::sample::{Latencies, Rounds, micros};
use crate::server::Decalog;

/// As many as `identity.password_queue` lets wait.
const STRANGERS: usize = 64;
/// Requests a second of the visitor.
const VISITS: u32 = 500;
const DOOR: &str = "/oauth/device";

/// Measures the visitor's p99 with and without the flood, and one logon alone.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    let front = setting::start(&Decalog::find()?, plan.scratch()?, &Setting::default())?;
    let server = front.server.address;
    let checks = (0..plan.rounds.max(5)).map(|_| logon(server)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut seen: [Vec<Latencies>; 2] = Default::default();
    let [flooded, idle] = &mut seen;
    let tried = AtomicU64::new(0);
    let visit = || paced::visit(server, |_| paced::get(server, "/v1/instruments", ""), VISITS, plan.span);
    let rounds = Rounds::interleave(
        plan.rounds,
        || keep(flooded, flood(server, &tried, visit)?),
        || keep(idle, visit()?),
    )?;
    let name = "other routes during a logon flood: p99 / idle";
    let claim = Claim::ratio("front", name, rounds, Target::AtMost(2.0))
        .beside(format!("flooded: {}", whole(flooded)))
        .beside(format!("idle:    {}", whole(idle)))
        .beside(format!("{STRANGERS} strangers at a time, {} logons refused", tried.load(Ordering::Relaxed)));
    let logons = Claim::figure(
        "front",
        "one logon with a password (argon2id)",
        Unit::Microseconds,
        checks,
        Target::AtMost(100_000.0),
    )
    .beside("about 50 ms is meant: dear for who guesses, bearable for who knows");
    Ok(vec![claim, logons])
}

fn keep(seen: &mut Vec<Latencies>, mut latencies: Latencies) -> anyhow::Result<f64> {
    let p99 = micros(latencies.per_mille(990));
    seen.push(latencies);
    Ok(p99)
}

fn whole(seen: &[Latencies]) -> String {
    let mut all = Latencies::default();
    seen.iter().for_each(|latencies| all.merge(latencies.clone()));
    all.summary().to_string()
}

/// Runs the work while strangers try to log on.
fn flood<T>(
    server: SocketAddr,
    tried: &AtomicU64,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let strangers: Vec<_> = (0..STRANGERS)
            .map(|stranger| {
                let over = &over;
                scope.spawn(move || -> anyhow::Result<()> {
                    let page = Page::open(server, DOOR)?;
                    for attempt in 0_u64.. {
                        if over.load(Ordering::Relaxed) {
                            break;
                        }
                        let name = format!("stranger-{stranger}-{attempt}");
                        try_to_sign_in(server, &page, &name)?;
                        tried.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        // The flood stands once every place is taken.
        while tried.load(Ordering::Relaxed) == 0 && strangers.iter().all(|stranger| !stranger.is_finished()) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let done = work();
        over.store(true, Ordering::Relaxed);
        for stranger in strangers {
            stranger.join().map_err(|_| anyhow::anyhow!("a stranger panicked"))??;
        }
        done
    })
}

fn try_to_sign_in(server: SocketAddr, page: &Page, name: &str) -> anyhow::Result<()> {
    let body = page.filled(&[("action", "sign-in"), ("username", name), ("password", "a guess of mine")]);
    // Refused either way: as a wrong password, or because as many wait as may.
    Request::new("POST", DOOR).header("cookie", &page.cookies()).body(FORM, body).send(server).map(drop)
}

/// How long a right password takes, in microseconds, its page and its record included.
fn logon(server: SocketAddr) -> anyhow::Result<f64> {
    let mut page = Page::open(server, DOOR)?;
    let begin = Instant::now();
    page.submit(&[("action", "sign-in"), ("username", NAME), ("password", PASSWORD)])?;
    Ok(micros(begin.elapsed()))
}
