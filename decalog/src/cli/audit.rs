//! `decalog audit`: the security events of a data directory, read from the journal beside a running server.

use std::io::{ErrorKind, Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use decalog_identity::api::service::SYSTEM;
use decalog_identity::projection::audit::Entry;
use decalog_identity::projection::replay::Replay;
use decalog_log::inspect::Inspection;
use decalog_runtime::partition_id;
use jiff::Timestamp;

use crate::failure::Failure;
use crate::{config, sealing};

/// Which events.
#[derive(Debug, clap::Args)]
pub(crate) struct Request {
    /// The data directory
    data: PathBuf,
    /// The TOML file whose [server.seal] names the master key of a sealed directory
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only those that concern this account, or that it caused (its login name)
    #[arg(long)]
    account: Option<String>,
    /// Only those of this kind (session-started, logons-failed…)
    #[arg(long)]
    event: Option<String>,
    /// Only those at or after this moment (RFC 3339)
    #[arg(long)]
    since: Option<Timestamp>,
    /// Print a JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(request: &Request) -> anyhow::Result<ExitCode> {
    let failure = |error| Failure::Log { data: request.data.clone(), error };
    let config = config::load(request.config.as_deref(), std::env::vars())?.config;
    let keys = sealing::keys(&config.server.seal, &request.data)?;
    let inspection = Inspection::directory(&request.data.join("journal")).map_err(failure)?.with_keys(keys);
    let mut batches = inspection.cat(partition_id(SYSTEM, 0), 0).map_err(failure)?;
    let mut out = std::io::BufWriter::new(stdout().lock());
    let mut replay = Replay::default();
    let mut next = 0;
    while let Some(batch) = batches.next_batch().map_err(failure)? {
        for (offset, record) in batch.records() {
            if offset != next {
                bail!(
                    "the journal lacks records {next} to {offset}: ask the running server, GET /v1/admin/audit"
                );
            }
            next = offset + 1;
            let entries =
                replay.take(offset, record).map_err(|error| anyhow::anyhow!("offset {offset}: {error}"))?;
            for entry in entries {
                match print(request, &replay, &entry, &mut out) {
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
                    printed => printed?,
                }
            }
        }
    }
    match out.flush() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn print(request: &Request, replay: &Replay, entry: &Entry, out: &mut impl Write) -> std::io::Result<()> {
    let name = |id: u64| replay.directory().account(id).map(|account| account.name.as_str());
    let concerns = |wanted: &String| [entry.account, entry.by].iter().any(|id| name(*id) == Some(wanted));
    let since = request.since.map(|since| since.as_nanosecond());
    let wanted = request.account.as_ref().is_none_or(concerns)
        && request.event.as_ref().is_none_or(|event| entry.what.name() == event)
        && since.is_none_or(|since| i128::from(entry.time) >= since);
    if !wanted {
        return Ok(());
    }
    if request.json {
        return writeln!(out, "{}", serde_json::to_string(entry).map_err(std::io::Error::other)?);
    }
    let time = Timestamp::from_nanosecond(i128::from(entry.time));
    let time = time.map_or_else(|_| entry.time.to_string(), |time| time.to_string());
    let (account, by) = (name(entry.account).unwrap_or("-"), name(entry.by).unwrap_or("-"));
    writeln!(out, "{time} {} account {account} by {by} {:?}", entry.what.name(), entry.what)
}
