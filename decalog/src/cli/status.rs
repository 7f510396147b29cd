//! `decalog status`: how a running server fares, asked of its operators' listener. Exit code 0 when work may come.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use crate::serve::say;
use crate::status::Report;

/// How long to wait for the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the command line says.
#[derive(Debug, clap::Args)]
pub(crate) struct Request {
    /// Where the server's operators' listener is (telemetry.listen)
    #[arg(long, default_value = "http://127.0.0.1:9464")]
    url: String,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(request: &Request) -> anyhow::Result<ExitCode> {
    let url = format!("{}/status", request.url.trim_end_matches('/'));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let text = runtime.block_on(ask(&url)).with_context(|| format!("{url}: is the server running?"))?;
    let report: Report =
        serde_json::from_str(&text).with_context(|| format!("{url}: not a server of this kind"))?;
    say(&if request.json { text } else { page(&report) });
    Ok(if report.not_ready.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn ask(url: &str) -> anyhow::Result<String> {
    decalog_gateway::tls::use_ring();
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    Ok(client.get(url).send().await?.error_for_status()?.text().await?)
}

fn page(report: &Report) -> String {
    let (hours, minutes) = (report.uptime_seconds / 3_600, report.uptime_seconds / 60 % 60);
    let mut page = format!("decalog {}, up {hours} h {minutes} min: ", report.version);
    page += report.not_ready.as_deref().map_or("ready", |_| "NOT READY");
    // Writing into a string does not fail.
    if let Some(reasons) = &report.not_ready {
        let _ = write!(page, "\n  {reasons}");
    }
    let _ = write!(
        page,
        "\n\n{:<14} {:>12} {:>10} {:>8} {:>12}  health",
        "partition", "applied", "unsynced", "waiting", "to replay"
    );
    for it in &report.partitions {
        let _ = write!(
            page,
            "\n{:<14} {:>12} {:>10} {:>8} {:>12}  {}",
            format!("{}/{}", it.system, it.partition),
            it.applied,
            it.applied.saturating_sub(it.synced),
            it.waiting,
            it.applied.saturating_sub(it.snapshot),
            it.health,
        );
        if let Some((reader, behind)) = it.slowest_reader.as_ref().filter(|(_, behind)| *behind > 0) {
            let _ = write!(page, "; {reader} is {behind} records behind");
        }
    }
    page
}
