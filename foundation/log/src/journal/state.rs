//! What the journal's mutex guards: the segments, where each partition stands, and what waits for background work.
//! Only what is quick happens under it: bookkeeping and a write to the page cache.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::format::{Position, SegmentHeader};
use super::index::{Entry, Index, Shares};
use super::segment::SegmentFile;
use crate::{Durability, Extent, Listener, LogError, Offset, PartitionId};

pub(crate) struct State {
    /// Finished segments, oldest first; numbers are consecutive.
    pub(crate) sealed: VecDeque<Sealed>,
    /// The segment that is being written.
    pub(crate) active: Arc<SegmentFile>,
    /// Where the next frame goes.
    pub(crate) end: u64,
    /// When it was begun, in milliseconds since 1970; 0 when that is not known.
    pub(crate) began: u64,
    /// Is the last frame a mark, or was there no room for one?
    pub(crate) marked: bool,
    /// The next segment, prepared.
    pub(crate) spare: Option<Arc<SegmentFile>>,
    /// The next segment is being made without the mutex.
    pub(crate) making: bool,
    /// The last try to make a segment found no space; the next one is a chore's.
    pub(crate) full: bool,
    pub(crate) partitions: BTreeMap<PartitionId, Partition>,
    /// Partitions with something unsynced.
    pub(crate) dirty: Vec<PartitionId>,
    /// Segments finished since the last sync.
    pub(crate) unsynced: Vec<Arc<SegmentFile>>,
    /// Everything before is on the device.
    pub(crate) synced: Position,
    /// Somebody waits for a sync.
    pub(crate) want_now: bool,
    /// A sync is due within so many milliseconds of the moment this was set.
    pub(crate) want_within: Option<u32>,
    /// The sync thread sleeps on `Core::work`, the chore thread on `Core::chores`.
    pub(crate) sync_sleeps: bool,
    pub(crate) chores_sleep: bool,
    pub(crate) chores_due: bool,
    /// Once the active segment is written up to here, more of the next one is filled with zeroes.
    pub(crate) fill_at: u64,
    pub(crate) failed: Option<Arc<LogError>>,
}

/// A finished segment.
pub(crate) struct Sealed {
    pub(crate) header: SegmentHeader,
    pub(crate) shares: Shares,
    /// Open while it is young, as many files may not be open at once; opened again by who reads it.
    pub(crate) file: Option<Arc<SegmentFile>>,
    /// In memory while it is young or not written yet.
    pub(crate) index: Option<Arc<Index>>,
    /// Does it lie beside the segment?
    pub(crate) indexed: bool,
}

/// A partition.
#[derive(Default)]
pub(crate) struct Partition {
    pub(crate) durability: Option<Durability>,
    /// Its owner, when it is open.
    pub(crate) listener: Option<Arc<dyn Listener>>,
    pub(crate) first: Offset,
    /// The trim that stands in the journal, and the one that does so on the device.
    pub(crate) first_logged: Offset,
    pub(crate) first_synced: Offset,
    pub(crate) next: Offset,
    pub(crate) durable: Offset,
    pub(crate) synced: Offset,
    pub(crate) dirty: bool,
    /// Its batches in the active segment.
    pub(crate) entries: Vec<Entry>,
}

impl Partition {
    pub(crate) fn extent(&self) -> Extent {
        Extent { first: self.first, next: self.next, durable: self.durable, synced: self.synced }
    }

    /// A partition as recovered: all of it is on the device.
    pub(crate) fn recovered(first: Offset, next: Offset, entries: Vec<Entry>) -> Self {
        Self {
            first,
            first_logged: first,
            first_synced: first,
            next,
            durable: next,
            synced: next,
            entries,
            ..Self::default()
        }
    }
}

impl State {
    pub(crate) fn open(
        &mut self,
        id: PartitionId,
        durability: Durability,
        listener: Arc<dyn Listener>,
    ) -> Result<Extent, LogError> {
        let partition = self.partitions.entry(id).or_default();
        if partition.listener.is_some() {
            return Err(LogError::InUse { partition: id });
        }
        partition.listener = Some(listener);
        partition.durability = Some(durability);
        if durability != Durability::Fsync {
            partition.durable = partition.next;
        }
        Ok(partition.extent())
    }

    pub(crate) fn trim(&mut self, id: PartitionId, below: Offset) -> Result<(), LogError> {
        let partition = self.partitions.get_mut(&id).ok_or(LogError::NoPartition { partition: id })?;
        if below > partition.next {
            return Err(LogError::BeyondEnd { partition: id, offset: below, next: partition.next });
        }
        if below > partition.first {
            partition.first = below;
            self.chores_due = true;
        }
        Ok(())
    }

    /// Notes that a partition has something to sync.
    pub(crate) fn soil(&mut self, id: PartitionId) {
        if let Some(partition) = self.partitions.get_mut(&id)
            && !partition.dirty
        {
            partition.dirty = true;
            self.dirty.push(id);
        }
    }

    /// Asks for a sync within so many milliseconds; says whether that is sooner than asked before.
    pub(crate) fn want_within(&mut self, millis: u32) -> bool {
        let sooner = self.want_within.is_none_or(|before| millis < before);
        if sooner {
            self.want_within = Some(millis);
        }
        sooner
    }

    /// The end of everything written.
    pub(crate) fn end(&self) -> Position {
        Position { segment: self.active.number(), byte: self.end }
    }

    /// Can this finished segment go? Its batches are all trimmed, and the trims are on the device.
    pub(crate) fn is_spent(&self, sealed: &Sealed) -> bool {
        sealed.shares.iter().all(|(partition, share)| {
            let kept = self.partitions.get(&PartitionId(*partition)).map_or(0, |p| p.first_synced);
            kept >= share.next
        }) && sealed.header.segment < self.synced.segment
    }
}
