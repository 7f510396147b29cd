//! What the gateway's whole stack costs: a route of the product behind a token, rate limits, the bulkhead, metrics and all
//! layers, beside a bare axum route that makes the same JSON on the same core.

use super::peers::Bare;
use super::setting::{self, NAME, PASSWORD, Setting};
use super::sign_in;
use super::wrk::{self, Load, Seen};
use crate::Plan;
use crate::cores::Cores;
use crate::report::{Claim, Target, Unit, per_second};
use crate::sample::{Rounds, median};
use crate::server::Decalog;

/// Connections that show the most that a server answers.
const MANY: u32 = 64;
const ROUTE: &str = "/v1/instruments";

/// Measures both claims.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    let cores = Cores::divide()?;
    cores.for_server()?;
    let setting = Setting { private: true, ..Setting::default() };
    let front = setting::start(&Decalog::find()?, plan.scratch()?, &setting)?;
    let bare = Bare::start()?;
    cores.for_client()?;
    let token = sign_in::token(front.server.address, NAME, PASSWORD)?;
    let load = |address, connections| Load {
        url: format!("http://{address}{ROUTE}"),
        connections,
        span: plan.span,
        headers: vec![format!("authorization: Bearer {token}")],
    };
    let mut claims = Vec::new();
    for connections in [1, MANY] {
        let (mut stacked, mut plain) = (Vec::new(), Vec::new());
        let rounds = Rounds::interleave(
            plan.rounds,
            || keep(&mut stacked, &load(front.server.address, connections)),
            || keep(&mut plain, &load(bare.address, connections)),
        )?;
        let claim = if connections == 1 {
            let p50 = |seen: &[Seen]| seen.iter().map(|seen| seen.p50_us).collect::<Vec<_>>();
            let added = p50(&stacked).iter().zip(p50(&plain)).map(|(with, without)| with - without).collect();
            let name = "all layers, a token checked: p50 over a bare axum route";
            Claim::figure("front", name, Unit::Microseconds, added, Target::AtMost(25.0)).beside(format!(
                "decalog {:.0} µs, bare {:.0} µs, one connection",
                median(&p50(&stacked)),
                median(&p50(&plain))
            ))
        } else {
            let name = "all layers, a token checked: rate / a bare axum route";
            let sides = (median(&rounds.subject), median(&rounds.control));
            Claim::ratio("front", name, rounds, Target::AtLeast(0.7)).beside(format!(
                "decalog {}, bare {}, {MANY} connections",
                per_second(sides.0),
                per_second(sides.1)
            ))
        };
        claims.push(claim.raw(serde_json::json!({ "decalog": stacked, "bare": plain })));
    }
    Ok(claims)
}

fn keep(seen: &mut Vec<Seen>, load: &Load) -> anyhow::Result<f64> {
    let run = wrk::run(load)?;
    seen.push(run);
    Ok(run.per_second)
}
