//! `decalog log skip`: leaves a record out that no program can apply, so that its partition can go on.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use decalog_log::{EmbeddedLog, Log, Options};
use decalog_runtime::Skips;
use decalog_runtime::store::FolderStore;

use super::records::partition_name;
use crate::failure::Failure;

/// Which record, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Record {
    /// The record's offset
    offset: u64,
    /// Its partition, as `stat` names it
    #[arg(long, default_value = "exchange/0")]
    partition: String,
    /// Why, for whoever reads the list later
    #[arg(long)]
    reason: String,
    /// The TOML file whose [server.seal] names the master key of a sealed directory
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(data: &Path, record: &Record) -> anyhow::Result<ExitCode> {
    let journal = data.join("journal");
    if !journal.is_dir() {
        bail!("{} holds no journal", data.display());
    }
    let keys = super::keys(record.config.as_deref(), data)?;
    // Opening takes the lock: no server may run while history changes.
    let log = EmbeddedLog::open(&journal, Options::default())
        .map_err(|error| Failure::Log { data: data.to_owned(), error })?;
    let partitions = log.partitions();
    let Some(partition) = partitions.iter().copied().find(|it| partition_name(*it) == record.partition)
    else {
        let known: Vec<_> = partitions.into_iter().map(partition_name).collect();
        bail!("no partition {} in {}; there are: {}", record.partition, data.display(), known.join(", "));
    };
    let extent = log.extent(partition).unwrap_or_else(|| unreachable!("a listed partition has an extent"));
    if !(extent.first..extent.next).contains(&record.offset) {
        let (first, last) = (extent.first, extent.next.saturating_sub(1));
        bail!("{} holds offsets {first} to {last}, not {}", record.partition, record.offset);
    }
    let store = FolderStore::new(data.join("snapshots")).with_keys(keys);
    Skips::add(&store, partition, record.offset, extent.next, &record.reason)?;
    println!("{} {} is left out from the next start on: {}", record.partition, record.offset, record.reason);
    Ok(ExitCode::SUCCESS)
}
