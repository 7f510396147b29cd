//! What the gateway's whole stack costs: a handler behind the product's listener and front, with a token and its scope, rate
//! limits, the bulkhead, deadlines, metrics and all headers, beside the same handler on a bare axum route of the same process,
//! on the same core.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::Method;
use decalog_gateway::access::{Access, Scope};
use decalog_gateway::front::{Front, Settings};
use decalog_gateway::gate::Gate;
use decalog_gateway::limit::{Limits, ORDINARY, Rate, Rates};
use decalog_gateway::overload::{Bulkhead, Load as InFlight, Priority};
use decalog_gateway::route::Routes;
use decalog_gateway::server::{self, Listener};
use decalog_identity::api::service::SELF;
use decalog_telemetry::Metrics;
use decalog_telemetry::http::Requests;
use tokio::sync::watch;

use super::directory::Directory;
use super::peers::{self, Bare};
use super::wrk::{self, Load, Seen};
use crate::Plan;
use crate::cores::Cores;
use crate::report::{Claim, Target, Unit, per_second};
use crate::sample::{Rounds, median};

/// Connections that show the most that a server answers.
const MANY: u32 = 64;
const ROUTE: &str = "/v1/instruments";
/// More than can be asked in it.
const RATE: Rate = Rate { quota: 100_000_000, window: Duration::from_secs(60) };
/// What the product allows by default.
const KEYS: usize = 1_000_000;
const REQUESTS: usize = 1_024;
const DEADLINE: Duration = Duration::from_secs(30);

/// Measures both claims.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    let cores = Cores::divide()?;
    cores.for_server()?;
    let directory = Directory::start(plan)?;
    let (stacked, _stop) = stack(&directory)?;
    let bare = Bare::start()?;
    cores.for_client()?;
    let token = directory.program()?.token(SELF)?;
    let load = |address, connections| Load {
        url: format!("http://{address}{ROUTE}"),
        connections,
        span: plan.span,
        headers: vec![format!("authorization: Bearer {token}")],
    };
    let mut claims = Vec::new();
    for connections in [1, MANY] {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        let rounds = Rounds::interleave(
            plan.rounds,
            || keep(&mut with, &load(stacked, connections)),
            || keep(&mut without, &load(bare.address, connections)),
        )?;
        let claim = if connections == 1 {
            let p50 = |seen: &[Seen]| seen.iter().map(|seen| seen.p50_us).collect::<Vec<_>>();
            let added = p50(&with).iter().zip(p50(&without)).map(|(with, without)| with - without).collect();
            let name = "all layers, a token checked: p50 over a bare axum route";
            Claim::figure("front", name, Unit::Microseconds, added, Target::AtMost(25.0)).beside(format!(
                "with {:.0} µs, bare {:.0} µs, one connection",
                median(&p50(&with)),
                median(&p50(&without))
            ))
        } else {
            let name = "all layers, a token checked: rate / a bare axum route";
            let sides = (median(&rounds.subject), median(&rounds.control));
            Claim::ratio("front", name, rounds, Target::AtLeast(0.7)).beside(format!(
                "with {}, bare {}, {MANY} connections",
                per_second(sides.0),
                per_second(sides.1)
            ))
        };
        claims.push(claim.raw(serde_json::json!({ "layers": with, "bare": without })));
    }
    Ok(claims)
}

/// Serves the handler behind everything that the product puts before one, until what comes with the address is dropped.
fn stack(directory: &Directory) -> anyhow::Result<(SocketAddr, watch::Sender<bool>)> {
    let watch: Arc<Requests> = Arc::new(Requests::new(&Metrics::new("bench")));
    let rates = Rates { address: Some(RATE), account: Some(RATE) };
    let limits = Arc::new(Limits::new(KEYS, [(ORDINARY, rates)]));
    let bulkhead = Bulkhead {
        system: "bench",
        load: InFlight::new(REQUESTS),
        most: REQUESTS / 2,
        priority: Priority::Ordinary,
        deadline: DEADLINE,
    };
    let handler = async || Json(peers::instruments());
    let routes = Routes::<()>::new().route(Method::GET, ROUTE, Access::Scope(Scope(SELF)), handler);
    let gate = Gate::new(directory.authenticator()).limited(limits);
    let settings = Settings { watch: Arc::<Requests>::clone(&watch), ..Settings::default() };
    let door = Front::new(gate, settings).with_system(bulkhead, routes).open();
    let (stop, stopped) = watch::channel(false);
    let settings = server::Settings { watch, ..server::Settings::default() };
    let runtime = directory.runtime();
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let listener = runtime.block_on(Listener::bind(address, settings))?;
    let address = listener.address()?;
    runtime.spawn(listener.serve(door, stopped));
    Ok((address, stop))
}

fn keep(seen: &mut Vec<Seen>, load: &Load) -> anyhow::Result<f64> {
    let run = wrk::run(load)?;
    seen.push(run);
    Ok(run.per_second)
}
