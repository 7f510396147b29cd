//! `decalog audit`: the security events of a data directory, read from its audit trail beside a running server.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use decalog_identity::projection::audit::{Entry, Filter};
use decalog_identity::projection::trail::Files;
use jiff::Timestamp;

use crate::failure::Failure;
use crate::identity::audit_path;
use crate::{config, sealing};

/// Which events.
#[derive(Debug, clap::Args)]
pub(crate) struct Request {
    /// The data directory
    data: PathBuf,
    /// The TOML file whose [server.seal] names the master key of a sealed directory
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only those that concern this account, or that it caused (its id, or its login name)
    #[arg(long)]
    account: Option<String>,
    /// Only those of this kind (session-started, logons-failed…)
    #[arg(long)]
    event: Option<String>,
    /// Only those at or after this moment (RFC 3339)
    #[arg(long)]
    since: Option<Timestamp>,
    /// Only those before this moment (RFC 3339)
    #[arg(long)]
    until: Option<Timestamp>,
    /// Print a JSON object a line
    #[arg(long)]
    json: bool,
}

/// What opens an account says its name, until it is erased.
#[derive(Default)]
struct Names(BTreeMap<u64, String>);

impl Names {
    fn see(&mut self, entry: &Entry) {
        if let Some(name) = entry.detail.get("name").filter(|_| entry.event == "account-opened") {
            self.0.insert(entry.account, name.as_str().unwrap_or_default().to_owned());
        }
    }

    fn of(&self, id: u64) -> String {
        match self.0.get(&id) {
            Some(name) => name.clone(),
            None if id == 0 => "-".to_owned(),
            None => id.to_string(),
        }
    }
}

pub(super) fn run(request: &Request) -> anyhow::Result<ExitCode> {
    let config = config::load(request.config.as_deref(), std::env::vars())?.config;
    let keys = sealing::keys(&config.server.seal, &request.data)?;
    let path = audit_path(&request.data);
    let files = Files::new(&path, keys);
    let failed = |source: std::io::Error| match source.downcast::<decalog_seal::SealError>() {
        Ok(sealed) => Failure::Seal(sealed),
        Err(source) => Failure::Data { path: path.clone(), source },
    };
    let mut out = std::io::BufWriter::new(stdout().lock());
    let mut names = Names::default();
    let nanos = |moment: Option<Timestamp>| moment.and_then(|at| i64::try_from(at.as_nanosecond()).ok());
    let filter = Filter {
        event: request.event.clone(),
        since: nanos(request.since),
        until: nanos(request.until),
        ..Filter::default()
    };
    let id = request.account.as_ref().and_then(|account| account.parse::<u64>().ok());
    let mut is_known = id.is_some() || request.account.is_none();
    for day in files.days().map_err(failed)? {
        for entry in files.read(day).map_err(failed)? {
            names.see(&entry);
            let concerns = request.account.as_ref().is_none_or(|wanted| {
                let theirs = |one: u64| id == Some(one) || names.0.get(&one) == Some(wanted);
                theirs(entry.account) || theirs(entry.by)
            });
            is_known |= concerns;
            if concerns && filter.passes(&entry) {
                match print(request.json, &names, &entry, &mut out) {
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
                    printed => printed?,
                }
            }
        }
    }
    match out.flush() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    if !is_known {
        bail!(
            "no account was opened under this name while the trail was kept: ask by its id, which GET /v1/admin/accounts lists"
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn print(json: bool, names: &Names, entry: &Entry, out: &mut impl Write) -> std::io::Result<()> {
    if json {
        return writeln!(out, "{}", serde_json::to_string(entry)?);
    }
    let time = Timestamp::from_nanosecond(i128::from(entry.time));
    let time = time.map_or_else(|_| entry.time.to_string(), |time| time.to_string());
    let (account, by) = (names.of(entry.account), names.of(entry.by));
    writeln!(
        out,
        "{time} {} account {account} by {by} {}",
        entry.event,
        serde_json::to_string(&entry.detail)?
    )
}
