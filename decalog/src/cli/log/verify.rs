//! `decalog log verify`: every byte is read and checked, then each unit is replayed and compared with the digests that
//! were written while it ran. Changes nothing.

use std::process::ExitCode;
use std::sync::Arc;

use decalog_exchange::api::service::unit_of;
use decalog_exchange::state::Unit;
use decalog_identity::state::Directory;
use decalog_log::PartitionId;
use decalog_log::inspect::Verification;
use decalog_runtime::Make;
use decalog_runtime::store::FolderStore;
use decalog_runtime::verify::{ReplayError, Replayed, replay};
use decalog_seal::KeyRing;
use serde_json::json;

use super::Place;
use super::records::{is_exchange, is_identity, partition_name};
use crate::failure::Failure;

/// A partition and what its replay came to.
type Outcome = (PartitionId, Result<Replayed, ReplayError>);

pub(super) fn run(at: &Place) -> anyhow::Result<ExitCode> {
    let bytes = at.inspection()?.verify().map_err(|error| at.failure(error))?;
    // A damaged journal ends where the damage is: a replay would only say so again.
    let keys = match at.keys() {
        Err(Failure::SealedData { .. }) => Keys::NotGiven,
        keys => Keys::Had(keys?),
    };
    let units = match &keys {
        Keys::Had(keys) if bytes.is_sound() => replay_all(at, keys.as_ref())?,
        _ => Vec::new(),
    };
    let replayed = !matches!(keys, Keys::NotGiven);
    if at.json {
        println!("{}", as_json(&bytes, &units, replayed));
    } else {
        print!("{}", as_text(&bytes, &units, replayed));
    }
    let good = bytes.is_sound() && units.iter().all(|(_, outcome)| outcome.is_ok());
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The keys of the journal: a sealed one is verified without them, and only replayed with them.
enum Keys {
    NotGiven,
    Had(Option<Arc<KeyRing>>),
}

fn replay_all(at: &Place, keys: Option<&Arc<KeyRing>>) -> anyhow::Result<Vec<Outcome>> {
    let store = FolderStore::new(at.data.join("snapshots")).with_keys(keys.cloned());
    let make: Make<Unit> = Arc::new(|partition| Unit::new(unit_of(partition)));
    let stat = at.inspection()?.stat().map_err(|error| at.failure(error))?;
    let accounts: Make<Directory> = Arc::new(|_| Directory::default());
    let known = |partition: &PartitionId| is_exchange(*partition) || is_identity(*partition);
    let partitions = stat.partitions.iter().map(|stat| stat.partition).filter(known);
    partitions
        .map(|partition| {
            let inspection = at.inspection()?.with_keys(keys.cloned());
            let outcome = if is_exchange(partition) {
                replay(inspection, &store, &make, partition)
            } else {
                replay(inspection, &store, &accounts, partition)
            };
            Ok((partition, outcome))
        })
        .collect()
}

fn as_json(found: &Verification, units: &[Outcome], replayed: bool) -> serde_json::Value {
    let units: Vec<_> = units
        .iter()
        .map(|(partition, outcome)| match outcome {
            Ok(replayed) => json!({
                "partition": partition_name(*partition), "from": replayed.from, "next": replayed.next,
                "digests_compared": replayed.compared, "state": format!("{:032x}", replayed.state.0),
            }),
            Err(error) => json!({ "partition": partition_name(*partition), "error": error.to_string() }),
        })
        .collect();
    json!({
        "sound": found.is_sound(), "segments": found.segments, "batches": found.batches,
        "records": found.records, "bytes": found.bytes,
        "tail": found.tail.as_ref().map(|tail| json!({
            "segment": tail.segment, "position": tail.position, "bytes": tail.bytes, "what": tail.what.to_string(),
        })),
        "damages": found.damages.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "replayed": replayed, "partitions": units,
    })
}

fn as_text(found: &Verification, units: &[Outcome], replayed: bool) -> String {
    let Verification { segments, batches, records, bytes, tail, damages } = found;
    let mut text =
        format!("journal: {segments} segments, {batches} batches, {records} records, {bytes} bytes\n");
    if let Some(tail) = tail {
        text += &format!(
            "tail: segment {} at byte {}: {} (being written, or torn: the next start cuts it)\n",
            tail.segment, tail.position, tail.what
        );
    }
    for damage in damages {
        text += &format!("DAMAGED: {damage}\n");
    }
    if !replayed {
        text +=
            "sealed: every byte was checked, nothing was replayed: that needs the master key (--config)\n";
    }
    for (partition, outcome) in units {
        let name = partition_name(*partition);
        text += &match outcome {
            Ok(Replayed { from, next, compared, state }) => {
                format!(
                    "{name}: replayed {from} to {next}, {compared} digests agree, state {:032x}\n",
                    state.0
                )
            }
            Err(error) => format!("{name}: DIFFERS: {error}\n"),
        };
    }
    text
}
