//! Runs `wrk`, a closed-loop HTTP load generator (Debian package `wrk`), and reads what it prints.

use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

/// What it asks for.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// The address of the resource.
    pub(crate) url: String,
    /// Connections, each with one request under way.
    pub(crate) connections: u32,
    /// For how long; whole seconds, at least one.
    pub(crate) span: Duration,
    /// Request headers, as `name: value`.
    pub(crate) headers: Vec<String>,
}

/// What it saw.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(crate) struct Seen {
    /// Answers per second.
    pub(crate) per_second: f64,
    /// The median latency, in microseconds.
    pub(crate) p50_us: f64,
    /// What 99 % of all latencies do not exceed, in microseconds.
    pub(crate) p99_us: f64,
}

/// Runs it with one thread.
pub(crate) fn run(load: &Load) -> anyhow::Result<Seen> {
    let mut command = Command::new("wrk");
    command.args(["--threads", "1", "--latency"]).arg("--connections").arg(load.connections.to_string());
    command.arg("--duration").arg(format!("{}s", load.span.as_secs().max(1)));
    for header in &load.headers {
        command.arg("--header").arg(header);
    }
    let output = command.arg(&load.url).output().context("cannot run wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(output.status.success(), "wrk failed: {}", String::from_utf8_lossy(&output.stderr));
    read(&text)
}

fn read(text: &str) -> anyhow::Result<Seen> {
    let refused = text.lines().any(|line| line.contains("Non-2xx") || line.contains("Socket errors"));
    anyhow::ensure!(!refused, "not every request was answered with success:\n{text}");
    let value = |label: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(label));
        line.map(str::trim).with_context(|| format!("wrk printed no {label}:\n{text}"))
    };
    Ok(Seen {
        per_second: value("Requests/sec:")?.parse()?,
        p50_us: micros(value("50%")?)?,
        p99_us: micros(value("99%")?)?,
    })
}

/// `12.34us`, `1.20ms`, `3.00s`.
fn micros(text: &str) -> anyhow::Result<f64> {
    let units = [("us", 1.0), ("ms", 1e3), ("s", 1e6)];
    let found = units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)));
    let (number, factor) = found.with_context(|| format!("no duration: {text}"))?;
    Ok(number.parse::<f64>()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "Running 1s test @ http://127.0.0.1:1/\n  1 threads and 1 connections\n  Thread Stats   \
        Avg      Stdev     Max   +/- Stdev\n    Latency    57.55us    6.40us 400.00us   95.00%\n  Latency Distribution\n     \
        50%   55.00us\n     75%   57.00us\n     90%   61.00us\n     99%    1.25ms\n  100 requests in 1.00s, 1MB read\n\
        Requests/sec:  17044.83\nTransfer/sec:      2.02MB\n";

    #[test]
    fn what_it_prints_is_read() {
        let seen = read(PRINTED).expect("a whole report");
        assert_eq!(seen, Seen { per_second: 17_044.83, p50_us: 55.0, p99_us: 1_250.0 });
    }

    #[test]
    fn a_run_with_refusals_is_no_measurement() {
        assert!(read(&format!("{PRINTED}  Non-2xx or 3xx responses: 5\n")).is_err());
    }
}
