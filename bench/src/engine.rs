//! The matching engine's claims. The measurement itself is the workspace in `bench/peers`, which keeps the peers'
//! dependencies out of the product's lock file; here it is run, and its figures are judged with the others.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::Plan;
use crate::report::{Claim, Target, Unit};
use crate::sample::{Rounds, median};

/// Messages per flow in a full run, and in one whose rounds are short.
const MESSAGES: u64 = 1_000_000;
const FEW_MESSAGES: u64 = 200_000;

/// What `bench/peers` writes.
#[derive(Debug, Deserialize)]
struct Figures {
    flows: Vec<Flow>,
}

/// One flow through every engine, the product's first.
#[derive(Debug, Deserialize, Serialize)]
struct Flow {
    flow: String,
    engines: Vec<Engine>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Engine {
    engine: String,
    /// One run a round, in the order of the rounds.
    seconds_per_message: Vec<f64>,
    /// p50, p99, p99.9 per message.
    latency_ns: [u64; 3],
    /// What was odd about it: a run cut off, trades other than the flow's.
    note: String,
}

/// Measures every flow against the fastest peer on it.
pub(crate) fn measure(plan: &Plan) -> anyhow::Result<Vec<Claim>> {
    let figures = run(plan)?;
    let mut claims = figures.flows.iter().map(against_the_fastest).collect::<anyhow::Result<Vec<_>>>()?;
    claims.push(slowest_flow(&figures)?);
    Ok(claims)
}

fn run(plan: &Plan) -> anyhow::Result<Figures> {
    let directory = plan.scratch()?;
    let json = directory.path().join("peers.json");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/Cargo.toml");
    let messages = if plan.quick { FEW_MESSAGES } else { MESSAGES };
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["run", "--quiet", "--release", "--locked", "--manifest-path"])
        .arg(&manifest)
        .args(["--", "--messages", &messages.to_string(), "--rounds", &plan.rounds.to_string(), "--json"])
        .arg(&json)
        // Its own table would stand above ours.
        .stdout(Stdio::null())
        .status()
        .context("cannot run cargo")?;
    anyhow::ensure!(status.success(), "{} failed: {status}", manifest.display());
    let text = std::fs::read_to_string(&json).with_context(|| format!("cannot read {}", json.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} wrote figures of another shape", manifest.display()))
}

fn against_the_fastest(flow: &Flow) -> anyhow::Result<Claim> {
    let (ours, peers) = flow.engines.split_first().context("a flow without an engine")?;
    let fastest = peers
        .iter()
        .min_by(|one, other| median(&one.seconds_per_message).total_cmp(&median(&other.seconds_per_message)))
        .context("a flow without a peer")?;
    let rates = |engine: &Engine| engine.seconds_per_message.iter().map(|seconds| 1.0 / seconds).collect();
    let rounds = Rounds { subject: rates(ours), control: rates(fastest) };
    let name = format!("{} flow: rate / {}, the fastest peer here", flow.flow, fastest.engine);
    let mut claim = Claim::ratio("engine", name, rounds, Target::AtLeast(1.2));
    for engine in &flow.engines {
        let [p50, p99, p999] = engine.latency_ns;
        let times = median(&engine.seconds_per_message) / median(&ours.seconds_per_message);
        claim = claim.beside(format!(
            "{:<22} {times:>5.2} × our time; per message p50 {p50} ns, p99 {p99}, p99.9 {p999} {}",
            engine.engine, engine.note
        ));
    }
    Ok(claim.raw(flow))
}

/// The goal, which is about this machine and no ratio: the worst flow's rate.
fn slowest_flow(figures: &Figures) -> anyhow::Result<Claim> {
    let rates = |flow: &Flow| -> Vec<f64> {
        let ours = flow.engines.first().map_or(&[][..], |engine| &engine.seconds_per_message);
        ours.iter().map(|seconds| 1.0 / seconds).collect()
    };
    let slowest = figures
        .flows
        .iter()
        .map(|flow| (&flow.flow, rates(flow)))
        .min_by(|(_, one), (_, other)| median(one).total_cmp(&median(other)))
        .context("no flow was measured")?;
    let name = format!("messages/s on the slowest flow ({})", slowest.0);
    Ok(Claim::figure("engine", name, Unit::PerSecond, slowest.1, Target::AtLeast(8e6)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(engine: &str, seconds: f64) -> Engine {
        Engine {
            engine: engine.to_owned(),
            seconds_per_message: vec![seconds; 3],
            latency_ns: [1, 2, 3],
            note: String::new(),
        }
    }

    #[test]
    fn the_fastest_peer_is_the_one_to_beat() {
        let engines = vec![engine("decalog", 1.0), engine("slow", 4.0), engine("fast", 1.5)];
        let claim = against_the_fastest(&Flow { flow: "normal".to_owned(), engines }).expect("three engines");
        let json = serde_json::to_value(&claim).expect("a claim is plain data");
        assert_eq!(json["measured"], 1.5);
        assert_eq!(json["met"], true);
        assert_eq!(json["name"], "normal flow: rate / fast, the fastest peer here");
    }

    #[test]
    fn the_slowest_flow_is_told() {
        let flow =
            |name: &str, seconds| Flow { flow: name.to_owned(), engines: vec![engine("decalog", seconds)] };
        let figures = Figures { flows: vec![flow("normal", 0.1), flow("crash", 0.5)] };
        let json = serde_json::to_value(slowest_flow(&figures).expect("two flows")).expect("plain data");
        assert_eq!(json["measured"], 2.0);
        assert_eq!(json["met"], false);
    }
}
