//! `decalog log cat`: records in words, or as one JSON object a line.

use std::io::{ErrorKind, Write, stdout};
use std::process::ExitCode;
use std::sync::Arc;

use decalog_log::PartitionId;
use decalog_seal::KeyRing;

use super::Place;
use super::records::{Shown, partition_name, show};

/// Which records.
#[derive(Debug, clap::Args)]
pub(crate) struct Range {
    /// Only this partition, as `stat` names it (exchange/0)
    #[arg(long)]
    partition: Option<String>,
    /// The first offset
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// At most so many records of each partition
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    limit: u64,
}

pub(super) fn run(at: &Place, range: &Range) -> anyhow::Result<ExitCode> {
    let stat = at.inspection()?.stat().map_err(|error| at.failure(error))?;
    let partitions: Vec<PartitionId> = stat.partitions.iter().map(|partition| partition.partition).collect();
    let wanted = |partition: &PartitionId| {
        range.partition.as_ref().is_none_or(|name| *name == partition_name(*partition))
    };
    let chosen: Vec<PartitionId> = partitions.iter().copied().filter(wanted).collect();
    if let (Some(name), true) = (&range.partition, chosen.is_empty()) {
        let known: Vec<_> = partitions.into_iter().map(partition_name).collect();
        anyhow::bail!("no partition {name} in {}; there are: {}", at.data.display(), known.join(", "));
    }
    let keys = at.keys()?;
    let mut out = std::io::BufWriter::new(stdout().lock());
    let mut damaged = false;
    for partition in chosen {
        match print(at, range, partition, keys.clone(), &mut out) {
            Ok(whole) => damaged |= !whole,
            // Whoever reads has seen enough.
            Err(error) if is_broken_pipe(&error) => return Ok(ExitCode::SUCCESS),
            Err(error) => return Err(error),
        }
    }
    match out.flush() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(if damaged { ExitCode::FAILURE } else { ExitCode::SUCCESS }),
    }
}

/// Prints a partition's records; false when damage was found on the way.
fn print(
    at: &Place,
    range: &Range,
    partition: PartitionId,
    keys: Option<Arc<KeyRing>>,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let mut batches =
        at.inspection()?.with_keys(keys).cat(partition, range.from).map_err(|error| at.failure(error))?;
    let mut whole = true;
    let mut left = range.limit;
    loop {
        let batch = match batches.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) => return Ok(whole),
            Err(error) => {
                whole = false;
                eprintln!("decalog: {}", at.failure(error));
                continue;
            }
        };
        for (offset, record) in batch.records().filter(|(offset, _)| *offset >= range.from) {
            if left == 0 {
                return Ok(whole);
            }
            left -= 1;
            line(at.json, &show(partition, offset, record), out)?;
        }
    }
}

fn line(json: bool, shown: &Shown, out: &mut impl Write) -> anyhow::Result<()> {
    if json {
        writeln!(out, "{}", serde_json::to_string(shown)?)?;
    } else {
        let Shown { partition, offset, time, content, .. } = shown;
        writeln!(out, "{partition} {offset:>8} {time} {content}")?;
    }
    Ok(())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
