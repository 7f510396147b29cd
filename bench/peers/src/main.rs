//! The order book beside published Rust order books: the same flows, interleaved, on one core.
//!
//! Every engine gets the same messages and writes its reports into a ring. Trades and lots must be those of the plain market that
//! made the flow; a peer whose trades differ is marked. Ratios come from runs of the same round; the table gives their median.

mod engines;
#[path = "../../../systems/exchange/benches/flow/mod.rs"]
#[allow(unreachable_pub, reason = "shared with the engine's tests")]
mod flow;
mod measure;
mod ring;

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Parser;
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
    /// Only our own engine: for profiling.
    #[arg(long)]
    alone: bool,
    /// Writes the figures here.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// An engine that has read the flow.
trait Contender {
    fn name(&self) -> &'static str;
    fn throughput(&self) -> Run;
    fn latencies(&self, count: usize) -> Vec<u64>;
}

impl<E: Engine> Contender for Script<E> {
    fn name(&self) -> &'static str {
        E::NAME
    }

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

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut readers = vec![reader::<engines::decalog::Translation>()];
    if !arguments.alone {
        let peers = [
            reader::<engines::matchcore::Translation>(),
            reader::<engines::lobster::Translation>(),
            reader::<engines::rust_order_book::Translation>(),
        ];
        readers.extend(peers.into_iter().filter(|(name, _)| name.contains(&arguments.peer)));
    }
    let machine = machine();
    println!("{machine}; {} messages a flow, {} rounds", arguments.messages, arguments.rounds);
    let idle = jitter(arguments.messages);
    println!("clock and machine alone, ns: {}\n", spread(&idle));
    println!("{:<12} {:<22} {:>8} {:>8}  p50/p99/p99.9 ns", "flow", "engine", "M msg/s", "ours is");
    let mut results = Vec::new();
    for flow in flow::all(arguments.messages, 1).filter(|flow| flow.name.contains(&arguments.flow)) {
        let contenders: Vec<_> = readers.iter().map(|(_, read)| read(&flow)).collect();
        results.push(compare(&flow, &contenders, arguments.rounds)?);
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

fn compare(flow: &Flow, contenders: &[Box<dyn Contender>], rounds: usize) -> anyhow::Result<Value> {
    let expected = [u64::from(flow.census.trades), flow.census.volume, 0];
    let mut notes = vec![String::new(); contenders.len()];
    let mut paces = vec![Vec::new(); contenders.len()];
    for round in 0..rounds {
        // Each round starts with another engine, so that none always runs on what the same neighbour left in the cache.
        for turn in 0..contenders.len() {
            let number = (round + turn) % contenders.len();
            let run = contenders[number].throughput();
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
    for ((contender, times), note) in contenders.iter().zip(&paces).zip(notes) {
        let ratios = times.iter().zip(&paces[0]).map(|(theirs, ours)| theirs / ours).collect();
        let (ratio, pace) = (median(ratios), median(times.clone()));
        // As many messages as two seconds or so allow.
        let sorted = contender.latencies((2.0 / pace) as usize);
        let rate = 1e-6 / pace;
        println!(
            "{:<12} {:<22} {rate:>8.2} {ratio:>7.2}x  {:<18} {note}",
            flow.name,
            contender.name(),
            spread(&sorted)
        );
        engines.push(json!({ "engine": contender.name(), "million_messages_per_second": rate, "ours_is_times_as_fast": ratio,
            "seconds_per_message": times, "latency_ns": quantiles(&sorted), "note": note }));
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

fn spread(sorted: &[u64]) -> String {
    let [p50, p99, p999] = quantiles(sorted);
    format!("{p50}/{p99}/{p999}")
}

fn machine() -> String {
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores", model.trim_start_matches(['\t', ' ', ':']))
}
