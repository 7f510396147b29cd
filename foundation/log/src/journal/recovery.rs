//! Starting: what the segments hold is surveyed, a torn tail is cut off, and what is left is made certain before
//! anything is served.
//!
//! * Damage refuses the start; nothing is changed then.
//! * A cut removes later segments (newest first) and writes zeroes over the torn bytes, so that they can never be
//!   taken for something that was written later.
//! * Frames that no frame states durable are written again and synced: after a failed sync, or a kill, they may be in
//!   the page cache only, and a sync alone would not write pages that the kernel takes for clean.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::sync::{Arc, Condvar, Mutex};

use super::Core;
use super::format::{Position, SEGMENT_HEADER_BYTES};
use super::index::Index;
use super::read::rebuild;
use super::seal::BatchSealer;
use super::segment::{
    SegmentFile, UNFINISHED_SUFFIX, index_name, index_number, segment_name, segment_number,
};
use super::state::{Partition, Sealed, State};
use super::survey::{SegmentSurvey, Survey, survey};
use crate::options::Guarantee;
use crate::storage::{Lock, Storage};
use crate::{LogError, Options, PartitionId};

/// What a start found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Segment files.
    pub segments: u64,
    /// Batches in them.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// The torn tail that was cut off.
    pub cut: Option<Cut>,
}

/// A torn tail: what was being written when the power went, none of it acknowledged as synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The segment's number.
    pub segment: u64,
    /// The byte in it from which on everything was removed.
    pub position: u64,
    /// Bytes that were removed.
    pub bytes: u64,
    /// Whole batches among them, whose predecessors were lost.
    pub batches: u64,
    /// What was found there.
    pub what: String,
}

impl Core {
    pub(super) fn open(storage: Arc<dyn Storage>, options: Options) -> Result<Self, LogError> {
        options.check()?;
        let lock = if options.lacks(Guarantee::DirectoryLock) { None } else { Some(storage.lock()?) };
        let io = |e| LogError::Io { action: format!("prepare {}", storage.location().display()), source: e };
        sweep(&*storage).map_err(io)?;
        let mut found = survey(&*storage, !options.lacks(Guarantee::Checksum), true)?;
        if !found.damages.is_empty() {
            let damage = found.damages.swap_remove(0);
            return Err(LogError::Damaged(damage));
        }
        let recovery = report(&found);
        let io = |e| LogError::Io { action: format!("recover {}", storage.location().display()), source: e };
        repair(&*storage, &mut found).map_err(io)?;
        let core = Self::assemble(storage, options, lock, found, recovery)?;
        core.begin()?;
        Ok(core)
    }

    fn assemble(
        storage: Arc<dyn Storage>,
        options: Options,
        lock: Option<Box<dyn Lock>>,
        found: Survey,
        recovery: Recovery,
    ) -> Result<Self, LogError> {
        let io = |e| LogError::Io {
            action: format!("open segments of {}", storage.location().display()),
            source: e,
        };
        let (mut begun, prepared): (Vec<_>, Vec<_>) =
            found.segments.into_iter().partition(SegmentSurvey::begun);
        let prepared = prepared.iter().find_map(|segment| segment.header);
        let mut spare =
            prepared.map(|header| SegmentFile::open(&*storage, header)).transpose().map_err(io)?;
        let (active, end, began, marked, mut index) =
            match begun.pop().and_then(|last| Some((last.header?, last))) {
                Some((header, last)) => {
                    let file = SegmentFile::open(&*storage, header).map_err(io)?;
                    let index = last.index.map_or_else(|| rebuild(&file), Ok).map_err(io)?;
                    (file, last.end, last.began, last.marked, index)
                }
                None => {
                    let first = first_segment(&*storage, &options, spare.take())?;
                    (first, SEGMENT_HEADER_BYTES, 0, false, Index::default())
                }
            };
        let sealed = begun.into_iter().filter_map(seal).collect();
        let mut partitions = BTreeMap::new();
        for (id, (first, next)) in found.partitions {
            let entries = index.partitions.remove(&id).unwrap_or_default();
            partitions.insert(PartitionId(id), Partition::recovered(first, next, entries));
        }
        let synced = Position { segment: active.number(), byte: end };
        let state = State {
            sealed,
            active,
            end,
            began,
            marked,
            spare,
            making: false,
            full: false,
            partitions,
            dirty: Vec::new(),
            unsynced: Vec::new(),
            synced,
            want_now: false,
            want_within: None,
            sync_sleeps: false,
            chores_sleep: false,
            chores_due: true,
            fill_at: 0,
            failed: None,
        };
        let sealer = options.seal.as_ref().map(BatchSealer::new).transpose();
        Ok(Self {
            storage,
            sealer: sealer.map_err(|source| LogError::Sealing { source })?,
            options,
            state: Mutex::new(state),
            work: Condvar::new(),
            chores: Condvar::new(),
            made: Condvar::new(),
            round: Mutex::default(),
            chore: Mutex::new(()),
            lock: Mutex::new(lock),
            recovery,
        })
    }

    /// Writes the table of a journal's very first segment, or the mark that states the recovered end durable.
    fn begin(&self) -> Result<(), LogError> {
        let mut state = self.state();
        if state.end == SEGMENT_HEADER_BYTES {
            let segment = Arc::clone(&state.active);
            segment.take();
            state.began = self.moment();
            let end = self.write_table(&state, &segment, 0, state.began);
            state.end = end.map_err(|e| self.io("write", &segment_name(segment.number()), e))?;
        }
        drop(state);
        self.settle()
    }
}

/// The active segment of a journal in which nothing was written yet.
fn first_segment(
    storage: &dyn Storage,
    options: &Options,
    prepared: Option<Arc<SegmentFile>>,
) -> Result<Arc<SegmentFile>, LogError> {
    let make = || {
        let segment = match prepared {
            Some(segment) => segment,
            None => {
                let salt = super::segment::draw_salt(options.salt, 1);
                let header = super::format::SegmentHeader { segment: 1, length: options.segment_bytes, salt };
                SegmentFile::create(storage, header)?
            }
        };
        segment.fill(segment.header.length)?;
        Ok(segment)
    };
    make()
        .map_err(|source| LogError::Io { action: format!("begin {}", storage.location().display()), source })
}

/// A finished segment; its index stays on disk when it lies there as it should.
fn seal(segment: SegmentSurvey) -> Option<Sealed> {
    let indexed = segment.index.is_none();
    let index = segment.index.map(Arc::new);
    Some(Sealed { header: segment.header?, shares: segment.shares, file: None, index, indexed })
}

fn report(found: &Survey) -> Recovery {
    let cut = found.broken.clone().map(|(at, what)| {
        let (bytes, batches) = found.behind_break();
        tracing::warn!(
            segment = at.segment,
            position = at.byte,
            bytes,
            batches,
            what,
            "cut a torn tail off the log: it was being written when the last run ended"
        );
        Cut { segment: at.segment, position: at.byte, bytes, batches, what }
    });
    let kept = |segment: &&SegmentSurvey| cut.as_ref().is_none_or(|cut| segment.number <= cut.segment);
    Recovery {
        segments: found.segments.iter().filter(kept).count() as u64,
        batches: found.segments.iter().filter(kept).map(|segment| segment.batches).sum(),
        records: found.segments.iter().filter(kept).map(|segment| segment.records).sum(),
        cut,
    }
}

/// Removes what an interrupted start or step left unfinished, and indexes without their segment.
fn sweep(storage: &dyn Storage) -> io::Result<()> {
    let names = storage.list()?;
    for name in &names {
        let orphan = index_number(name).is_some_and(|number| !names.contains(&segment_name(number)));
        if orphan || name.ends_with(UNFINISHED_SUFFIX) {
            storage.remove(name)?;
        }
    }
    Ok(())
}

/// Cuts the torn tail off, and makes certain that everything kept is on the device.
fn repair(storage: &dyn Storage, found: &mut Survey) -> io::Result<()> {
    // The last run may have been killed between a change of names and its sync.
    storage.sync_directory()?;
    if let Some((at, _)) = found.broken.clone() {
        while let Some(last) = found.segments.last().filter(|last| last.number > at.segment) {
            storage.remove(&segment_name(last.number))?;
            // Its index may describe a file that bears this number later.
            let _ = storage.remove(&index_name(last.number));
            storage.sync_directory()?;
            found.segments.pop();
        }
        if let Some(torn) = found.segments.last()
            && let Some(header) = torn.header
        {
            let file = SegmentFile::open(storage, header)?;
            let to = torn.rest.written_to.unwrap_or(at.byte);
            overwrite(&file, at.byte, to)?;
            file.file.sync()?;
        }
    }
    let stated = found.stated;
    for segment in found.segments.iter().filter(|segment| segment.number >= stated.segment) {
        let from = if segment.number == stated.segment { stated.byte } else { SEGMENT_HEADER_BYTES };
        if let Some(header) = segment.header
            && from < segment.end
        {
            let file = SegmentFile::open(storage, header)?;
            rewrite(&file, from, segment.end)?;
            file.file.sync()?;
        }
    }
    // Numbers of removed segments are free: whatever bears them now is whole.
    for name in storage.list()? {
        let gone = |number| !found.segments.iter().any(|segment| segment.number == number);
        if segment_number(&name).is_some_and(gone) {
            return Err(io::Error::other(format!("{name} appeared during the start")));
        }
    }
    Ok(())
}

const STEP_BYTES: u64 = 64 << 10;

/// Writes zeroes over a torn tail.
fn overwrite(segment: &SegmentFile, mut from: u64, to: u64) -> io::Result<()> {
    let zeroes = vec![0; usize::try_from(STEP_BYTES).map_err(io::Error::other)?];
    let to = to.min(segment.header.length);
    while from < to {
        let length = STEP_BYTES.min(to - from);
        let part = &zeroes[..usize::try_from(length).map_err(io::Error::other)?];
        segment.file.write_at(from, &mut [IoSlice::new(part)])?;
        from += length;
    }
    Ok(())
}

/// Writes bytes again as they are.
fn rewrite(segment: &SegmentFile, mut from: u64, to: u64) -> io::Result<()> {
    let mut bytes = Vec::new();
    while from < to {
        let length = STEP_BYTES.min(to - from);
        bytes.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        segment.file.read_at(from, &mut bytes)?;
        segment.file.write_at(from, &mut [IoSlice::new(&bytes)])?;
        from += length;
    }
    Ok(())
}
