//! The order book beside published Rust order books: the same flows, interleaved, on one core.
//!
//! Every engine gets the same messages and writes its reports into a ring. Trades and lots must be those of the plain market that
//! made the flow; a peer whose trades differ is marked. Ratios come from runs of the same round; the table gives their median.
//!
//! Each run is a process of its own, so that no engine inherits the memory of the one before it, nor the large pages that one asked
//! for.

mod engines;
#[path = "../../../systems/exchange/benches/flow/mod.rs"]
#[allow(unreachable_pub, reason = "shared with the engine's tests")]
mod flow;
mod measure;
mod ring;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use clap::Parser;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use engines::{Engine, Translator};
use flow::Flow;
use measure::{Run, Script, jitter, percentile};

/// Measures order books side by side.
#[derive(Debug, Parser)]
struct Arguments {
    /// Measured messages per flow.
    #[arg(long, default_value_t = 1_000_000)]
    messages: usize,
    /// Interleaved rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only flows whose name contains this.
    #[arg(long, default_value = "")]
    flow: String,
    /// Beside ours, only peers whose name contains this.
    #[arg(long, default_value = "")]
    peer: String,
    /// One run of this engine over one flow, in this process: for profiling, and how the runs above are made.
    #[arg(long, value_name = "ENGINE", requires = "flow")]
    run: Option<String>,
    /// The run takes the time of each message instead of all.
    #[arg(long, requires = "run")]
    latencies: Option<usize>,
    /// Writes the figures here.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// An engine that has read the flow.
trait Contender {
    fn throughput(&self) -> Run;
    fn latencies(&self, count: usize) -> Vec<u64>;
}

impl<E: Engine> Contender for Script<E> {
    fn throughput(&self) -> Run {
        self.throughput()
    }

    fn latencies(&self, count: usize) -> Vec<u64> {
        self.latencies(count)
    }
}

/// Reads a flow for one engine.
type Reader = fn(&Flow) -> Box<dyn Contender>;

fn reader<T: Translator<Engine: 'static>>() -> (&'static str, Reader) {
    (T::Engine::NAME, |flow| Box::new(Script::<T::Engine>::new::<T>(flow)))
}

/// All engines, ours first.
fn readers() -> [(&'static str, Reader); 4] {
    [
        reader::<engines::decalog::Translation>(),
        reader::<engines::matchcore::Translation>(),
        reader::<engines::lobster::Translation>(),
        reader::<engines::rust_order_book::Translation>(),
    ]
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(engine) = &arguments.run {
        return run_here(engine, &arguments);
    }
    let mut names: Vec<_> = readers().into_iter().map(|(name, _)| name).collect();
    let ours = names.remove(0);
    names.retain(|name| name.contains(&arguments.peer));
    names.insert(0, ours);
    let machine = machine();
    println!("{machine}; {} messages a flow, {} rounds", arguments.messages, arguments.rounds);
    let idle = jitter(arguments.messages);
    println!("clock and machine alone, ns: {}\n", spread(quantiles(&idle)));
    println!("{:<12} {:<22} {:>8} {:>8}  p50/p99/p99.9 ns", "flow", "engine", "M msg/s", "ours is");
    let mut results = Vec::new();
    for flow in flow::all(arguments.messages, 1).filter(|flow| flow.name.contains(&arguments.flow)) {
        results.push(compare(&flow, &names, &arguments)?);
    }
    if let Some(path) = &arguments.json {
        let idle = quantiles(&idle);
        let all = json!({ "machine": machine, "messages": arguments.messages, "rounds": arguments.rounds,
            "jitter_ns": idle, "flows": results });
        std::fs::write(path, serde_json::to_string_pretty(&all)?)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

/// What a run's process prints.
#[derive(Debug, Serialize, Deserialize)]
enum Outcome {
    Throughput(Run),
    Latencies([u64; 3]),
}

/// One run in this process.
fn run_here(engine: &str, arguments: &Arguments) -> anyhow::Result<()> {
    let (_, read) = readers().into_iter().find(|(name, _)| *name == engine).context("no such engine")?;
    let flow = flow::all(arguments.messages, 1).find(|flow| flow.name == arguments.flow);
    let contender = read(&flow.context("no such flow")?);
    let outcome = match arguments.latencies {
        None => Outcome::Throughput(contender.throughput()),
        Some(count) => Outcome::Latencies(quantiles(&contender.latencies(count))),
    };
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

/// One run in a process of its own.
fn run(engine: &str, flow: &Flow, messages: usize, latencies: Option<usize>) -> anyhow::Result<Outcome> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--run", engine, "--flow", flow.name, "--messages", &messages.to_string()]);
    if let Some(count) = latencies {
        command.args(["--latencies", &count.to_string()]);
    }
    let output = command.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{engine} on {}: {}", flow.name, output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn compare(flow: &Flow, names: &[&str], arguments: &Arguments) -> anyhow::Result<Value> {
    let expected = [u64::from(flow.census.trades), flow.census.volume, 0];
    let mut notes = vec![String::new(); names.len()];
    let mut paces = vec![Vec::new(); names.len()];
    for round in 0..arguments.rounds {
        // Each round starts with another engine, so that none always runs after the same neighbour.
        for turn in 0..names.len() {
            let number = (round + turn) % names.len();
            let Outcome::Throughput(run) = run(names[number], flow, arguments.messages, None)? else {
                anyhow::bail!("a run of another kind");
            };
            notes[number] = match run {
                Run { cut_off: true, .. } => "cut off after two seconds".to_owned(),
                Run { totals, .. } if totals[1..] != expected[1..] => {
                    format!("{} lots, not {}; {} refusals", totals[1], expected[1], totals[2])
                }
                _ => String::new(),
            };
            ensure!(number > 0 || notes[0].is_empty(), "{}: {run:?}, expected {expected:?}", flow.name);
            paces[number].push(run.pace);
        }
    }
    let mut engines = Vec::new();
    for ((name, times), note) in names.iter().zip(&paces).zip(notes) {
        let ratios = times.iter().zip(&paces[0]).map(|(theirs, ours)| theirs / ours).collect();
        let (ratio, pace) = (median(ratios), median(times.clone()));
        // As many messages as two seconds or so allow.
        let Outcome::Latencies(latency) = run(name, flow, arguments.messages, Some((2.0 / pace) as usize))?
        else {
            anyhow::bail!("a run of another kind");
        };
        let rate = 1e-6 / pace;
        println!("{:<12} {name:<22} {rate:>8.2} {ratio:>7.2}x  {:<18} {note}", flow.name, spread(latency));
        engines.push(
            json!({ "engine": name, "million_messages_per_second": rate, "ours_is_times_as_fast": ratio,
            "seconds_per_message": times, "latency_ns": latency, "note": note }),
        );
    }
    Ok(
        json!({ "flow": flow.name, "trades": flow.census.trades, "volume": flow.census.volume, "engines": engines }),
    )
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn quantiles(sorted: &[u64]) -> [u64; 3] {
    [5_000, 9_900, 9_990].map(|part| percentile(sorted, part))
}

fn spread([p50, p99, p999]: [u64; 3]) -> String {
    format!("{p50}/{p99}/{p999}")
}

fn machine() -> String {
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores", model.trim_start_matches(['\t', ' ', ':']))
}
