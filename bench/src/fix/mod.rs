//! The FIX claim: order to acknowledgement over loopback, open-loop, the same client against the product and against
//! a QuickFIX C++ acceptor. The product logs, matches and publishes each order, the peer only stores its messages.

mod open_loop;
mod server;
pub(crate) mod wire;

use std::time::Duration;

use crate::Plan;
use crate::cores::Cores;
use crate::report::{Claim, Target};
use crate::sample::{Rounds, Summary, median};
use crate::server::Decalog;
use open_loop::{Identity, Load, Seen};
use server::{QuickFix, Way};

/// Orders per second at which the claim must hold.
const RATES: [u32; 3] = [1_000, 2_000, 5_000];

/// As configured by default, but for the durability, which is the peer's.
const OS: Way = Way { durability: "os", sleeps: false };
/// The same with threads that sleep between any two orders, as the peer's do.
const ASLEEP: Way = Way { durability: "os", sleeps: true };
/// As configured by default.
const FSYNC: Way = Way { durability: "fsync", sleeps: false };

/// Measures the claim at each rate.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    let bench = Bench {
        plan,
        decalog: Decalog::find()?,
        quickfix: QuickFix::build()?,
        identity: identity(),
        cores: Cores::divide()?,
    };
    let mut claims = Vec::new();
    for rate in RATES {
        claims.push(bench.at(rate)?);
    }
    Ok(claims)
}

/// The names both servers are configured with.
fn identity() -> Identity {
    let owned = str::to_owned;
    Identity {
        sender: owned("BENCH"),
        target: owned("DECALOG"),
        account: owned("BENCH"),
        symbol: owned("DCLG"),
    }
}

struct Bench<'a> {
    plan: &'a Plan,
    decalog: Decalog,
    quickfix: QuickFix,
    identity: Identity,
    cores: Cores,
}

impl Bench<'_> {
    /// All four ways in turns, so that one run of the peer serves them all.
    fn at(&self, rate: u32) -> anyhow::Result<Claim> {
        let load = Load { rate, warm_up: Duration::from_secs(1).min(self.plan.span), span: self.plan.span };
        let (mut os, mut asleep, mut fsync, mut quickfix) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let p50 = |seen: &[Seen]| seen.last().map_or(f64::NAN, |seen| seen.acknowledged.p50_us);
        let rounds = Rounds::interleave(
            self.plan.rounds,
            || {
                fsync.push(self.decalog(load, FSYNC)?);
                asleep.push(self.decalog(load, ASLEEP)?);
                os.push(self.decalog(load, OS)?);
                Ok(p50(&os))
            },
            || {
                quickfix.push(self.quickfix(load)?);
                Ok(p50(&quickfix))
            },
        )?;
        let late: Vec<_> = os.iter().chain(&quickfix).map(|seen| seen.sent_late.p50_us).collect();
        let name = format!("order to ack at {rate}/s, os: p50 / QuickFIX C++");
        Ok(Claim::ratio("fix", name, rounds, Target::AtMost(0.5))
            .beside(format!("decalog, os:         {}", typical(&os)))
            .beside(format!("QuickFIX C++:        {}", typical(&quickfix)))
            .beside(format!("decalog, fsync:      {}", typical(&fsync)))
            .beside(format!("decalog, os, asleep: {} (spin_microseconds = 0)", typical(&asleep)))
            .beside(format!("the client's own lateness is in all of them: p50 {:.0} µs", median(&late)))
            .raw(serde_json::json!({
                "decalog_os": os, "decalog_fsync": fsync, "decalog_os_asleep": asleep, "quickfix": quickfix
            })))
    }

    fn decalog(&self, load: Load, way: Way) -> anyhow::Result<Seen> {
        self.cores.for_server()?;
        let server = server::start(&self.decalog, self.plan.scratch()?, way, &self.identity)?;
        self.cores.for_client()?;
        open_loop::run(server.address, &self.identity, load)
    }

    fn quickfix(&self, load: Load) -> anyhow::Result<Seen> {
        self.cores.for_server()?;
        let server = self.quickfix.start(self.plan.scratch()?)?;
        self.cores.for_client()?;
        open_loop::run(server.address, &self.identity, load)
    }
}

/// The medians over the rounds of each percentile.
fn typical(rounds: &[Seen]) -> Summary {
    let over = |figure: fn(&Summary) -> f64| {
        median(&rounds.iter().map(|seen| figure(&seen.acknowledged)).collect::<Vec<_>>())
    };
    Summary {
        samples: rounds.iter().map(|seen| seen.acknowledged.samples).sum(),
        p50_us: over(|summary| summary.p50_us),
        p99_us: over(|summary| summary.p99_us),
        p999_us: over(|summary| summary.p999_us),
        max_us: over(|summary| summary.max_us),
    }
}
