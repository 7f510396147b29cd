//! What a partition forgets by age, so that what its state has forgotten is in no file after the erasure window.
//!
//! The window has four parts of equal length, [`pace`]. A snapshot is made when the newest one is as old as a part; one that
//! was superseded for as long goes, and with it the log before the next; a segment of the event journal is finished when
//! it is as old, and goes when nothing was added for as long and no snapshot needs it. So a word is gone after two parts
//! and a few looks; what is left of the window is for a server that was stopped meanwhile. Ages are those of files, by the
//! wall clock, outside of `apply`: they go on over restarts.

use std::io;
use std::time::Duration;

use decalog_log::{Log, PartitionId};

use crate::snapshot;
use crate::store::Store;

/// How often, at least and at most, a partition looks for what is old.
const LOOKS: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(600)];

/// A part of an erasure window: how old a snapshot, a segment of the log or of the event journal becomes before the next.
pub fn pace(window: Duration) -> Duration {
    window / 4
}

/// How long to wait between two looks.
pub(crate) fn look_every(age: Duration) -> Duration {
    (age / 8).clamp(LOOKS[0], LOOKS[1])
}

/// Which of these snapshots, oldest first, is the oldest kept: one that stands before what followers have not seen yet.
fn oldest_kept(offsets: &[u64], wanted: usize, followed_from: u64) -> usize {
    let seen = offsets.partition_point(|offset| *offset <= followed_from);
    wanted.min(seen.saturating_sub(1))
}

/// Removes snapshots beyond those kept, and lets the log forget what no kept one needs; returns the oldest kept.
pub(crate) fn forget_old(
    log: &dyn Log,
    store: &dyn Store,
    id: PartitionId,
    keep: usize,
    followed_from: u64,
) -> io::Result<Option<u64>> {
    let offsets = snapshot::list(store, id)?;
    let Some(wanted) = offsets.len().checked_sub(keep.max(1)) else { return Ok(None) };
    forget_before(log, store, id, &offsets, oldest_kept(&offsets, wanted, followed_from)).map(Some)
}

/// Removes snapshots that were superseded so long ago, and lets the log forget what no other needs; returns the oldest
/// kept.
pub(crate) fn forget_aged(
    log: &dyn Log,
    store: &dyn Store,
    id: PartitionId,
    age: Duration,
    followed_from: u64,
) -> io::Result<Option<u64>> {
    let offsets = snapshot::list(store, id)?;
    let mut wanted = None;
    for (at, offset) in offsets.iter().enumerate() {
        if store.age(&snapshot::name(id, *offset))? >= age {
            wanted = Some(at);
        }
    }
    let Some(wanted) = wanted else { return Ok(None) };
    let at = oldest_kept(&offsets, wanted, followed_from);
    let needed = log.extent(id).is_some_and(|extent| extent.first < offsets[at]);
    // It may be the only one that is left: not unless it can be read.
    if (at > 0 || needed) && !snapshot::is_whole(store, id, offsets[at])? {
        return Err(io::Error::other(format!(
            "{} is damaged: what is older is kept",
            store.place(&snapshot::name(id, offsets[at])).display()
        )));
    }
    forget_before(log, store, id, &offsets, at).map(Some)
}

fn forget_before(
    log: &dyn Log,
    store: &dyn Store,
    id: PartitionId,
    offsets: &[u64],
    at: usize,
) -> io::Result<u64> {
    let (old, kept) = offsets.split_at(at);
    // The log first: a snapshot that is gone must not be needed.
    log.trim(id, kept[0]).map_err(io::Error::other)?;
    old.iter().try_for_each(|offset| store.remove(&snapshot::name(id, *offset)))?;
    Ok(kept[0])
}

#[cfg(test)]
mod tests {
    use super::oldest_kept;

    #[test]
    fn a_snapshot_before_what_is_not_seen_stays() {
        assert_eq!(oldest_kept(&[10, 20, 30], 2, u64::MAX), 2);
        assert_eq!(oldest_kept(&[10, 20, 30], 2, 30), 2);
        assert_eq!(oldest_kept(&[10, 20, 30], 2, 29), 1);
        assert_eq!(oldest_kept(&[10, 20, 30], 1, 29), 1);
        assert_eq!(oldest_kept(&[10, 20, 30], 2, 3), 0);
    }
}
