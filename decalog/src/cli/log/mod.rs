//! `decalog log …`: looks at the journal of a data directory, and, on an operator's decision, leaves a record out.
//!
//! `stat`, `cat` and `verify` change nothing and take no lock, so they work beside a running server. Exit codes: 0 all is
//! well; 1 it cannot be read, or damage or a difference was found; 2 wrong usage.

mod cat;
mod records;
mod skip;
mod stat;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use decalog_log::LogError;
use decalog_log::inspect::Inspection;

use decalog_seal::KeyRing;

use crate::config;
use crate::failure::Failure;
use crate::sealing;

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Request {
    /// Show segments and partitions
    Stat {
        #[command(flatten)]
        at: Place,
    },
    /// Print records, decoded
    Cat {
        #[command(flatten)]
        at: Place,
        #[command(flatten)]
        range: cat::Range,
    },
    /// Check every byte, then replay and compare digests
    Verify {
        #[command(flatten)]
        at: Place,
    },
    /// Leave a record out at the next start (the server must be stopped)
    Skip {
        /// The data directory
        data: PathBuf,
        #[command(flatten)]
        record: skip::Record,
    },
}

/// Which journal, and how to print.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// The data directory
    data: PathBuf,
    /// The TOML file whose [server.seal] names the master key of a sealed directory
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(request: Request) -> anyhow::Result<ExitCode> {
    match request {
        Request::Stat { at } => stat::run(&at),
        Request::Cat { at, range } => cat::run(&at, &range),
        Request::Verify { at } => verify::run(&at),
        Request::Skip { data, record } => skip::run(&data, &record),
    }
}

/// The keys of a data directory, with the master key as configured.
fn keys(config: Option<&Path>, data: &Path) -> Result<Option<Arc<KeyRing>>, Failure> {
    let config = config::load(config, std::env::vars())?.config;
    sealing::keys(&config.server.seal, data)
}

impl Place {
    fn inspection(&self) -> Result<Inspection, Failure> {
        Inspection::directory(&self.data.join("journal")).map_err(|error| self.failure(error))
    }

    /// The keys, of a sealed directory.
    fn keys(&self) -> Result<Option<Arc<KeyRing>>, Failure> {
        keys(self.config.as_deref(), &self.data)
    }

    fn failure(&self, error: LogError) -> Failure {
        Failure::Log { data: self.data.clone(), error }
    }
}
