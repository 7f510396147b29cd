//! Appending: a frame is put together and written at the end of the active segment, on the caller's thread.
//!
//! Space comes first: a batch that does not fit is refused before a byte of it is written. The next segment is
//! prepared ahead; when it is not there yet, it is made here, and when it cannot be made the rest of the active one
//! is shared out: [`Allowance::Ordinary`] leaves the reserve, [`Allowance::Reserve`] leaves the journal's own part.

use std::io::{self, IoSlice};
use std::mem;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::Core;
use super::format::{
    FRAME_HEADER_BYTES, FrameHeader, Kind, Position, SEGMENT_HEADER_BYTES, SegmentHeader, TABLE_ENTRY_BYTES,
    TableEntry, UNSEALED, encode_table_entry, frame_bytes, padding, payload_checksum,
};
use super::index::{Entry, Index};
use super::seal::BatchSealer;
use super::segment::{SegmentFile, draw_salt, segment_name};
use super::state::{Sealed, State};
use crate::options::Guarantee;
use crate::{
    Allowance, AppendError, BatchBuilder, Context, Durability, Extent, LogError, MAX_BATCH_BYTES, Offset,
    PartitionId,
};

/// How much of the last segment an append must leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    Ordinary,
    Reserve,
    /// The journal's own marks and trims.
    Own,
}

/// What a frame says beyond its place.
pub(super) struct Content<'a> {
    pub(super) kind: Kind,
    /// The key under which the payload is sealed.
    pub(super) key: u32,
    pub(super) partition: u32,
    pub(super) count: u32,
    pub(super) first: Offset,
    pub(super) context: Context,
    pub(super) payload: &'a [u8],
    pub(super) checksum: u32,
}

impl Content<'_> {
    /// A frame without a payload.
    pub(super) fn bare(kind: Kind, partition: u32, first: Offset) -> Self {
        let context = Context::default();
        Self {
            kind,
            key: UNSEALED,
            partition,
            count: 0,
            first,
            context,
            payload: &[],
            checksum: payload_checksum(&[]),
        }
    }
}

impl Core {
    pub(super) fn append(
        &self,
        id: PartitionId,
        expected: Offset,
        batch: &BatchBuilder,
        allowance: Allowance,
    ) -> Result<Extent, AppendError> {
        if batch.is_empty() {
            return Err(AppendError::Empty);
        }
        let Some(sealer) = &self.sealer else {
            return self.append_as(id, expected, batch, (UNSEALED, batch.payload()), allowance);
        };
        let content = (batch.count(), batch.context(), batch.payload());
        let appended = sealer.seal((id, expected), content, |key, sealed| {
            self.append_as(id, expected, batch, (key, sealed), allowance)
        });
        appended.unwrap_or_else(|source| Err(AppendError::Failed(self.fail(LogError::Sealing { source }))))
    }

    /// Appends a batch with the payload as it is written, and the key it is sealed under.
    fn append_as(
        &self,
        id: PartitionId,
        expected: Offset,
        batch: &BatchBuilder,
        (key, payload): (u32, &[u8]),
        allowance: Allowance,
    ) -> Result<Extent, AppendError> {
        let checksum = payload_checksum(payload);
        let claim = match allowance {
            _ if self.options.lacks(Guarantee::Reserve) => Claim::Own,
            Allowance::Ordinary => Claim::Ordinary,
            Allowance::Reserve => Claim::Reserve,
        };
        let mut state = self.state();
        self.check_append(&state, id, expected, batch.payload().len())?;
        state = self.make_room(state, frame_bytes(payload.len()), claim)?;
        // Room may have been made without the mutex.
        self.check_append(&state, id, expected, batch.payload().len())?;
        let position = state.end;
        let content = Content {
            kind: Kind::Batch,
            key,
            partition: id.0,
            count: batch.count(),
            first: expected,
            context: *batch.context(),
            payload,
            checksum,
        };
        if let Err(e) = self.write_frame(&mut state, &content) {
            return Err(self.write_failure(state, e, frame_bytes(payload.len())));
        }
        state.marked = false;
        let bytes = state.end - position;
        Ok(self.account(state, id, batch.count(), position, bytes))
    }

    fn check_append(
        &self,
        state: &State,
        id: PartitionId,
        expected: Offset,
        bytes: usize,
    ) -> Result<(), AppendError> {
        if let Some(failed) = &state.failed {
            return Err(AppendError::Failed(Arc::clone(failed)));
        }
        let partition = state.partitions.get(&id).filter(|partition| partition.listener.is_some());
        let partition = partition.ok_or(AppendError::NotOpen { partition: id })?;
        if partition.next != expected {
            return Err(AppendError::Conflict { expected, actual: partition.next });
        }
        let table = frame_bytes((state.partitions.len()) * TABLE_ENTRY_BYTES);
        let overhead = SEGMENT_HEADER_BYTES + table + self.options.reserve_bytes + frame_bytes(0);
        let overhead = overhead + self.sealer.as_ref().map_or(0, |_| BatchSealer::OVERHEAD_BYTES as u64);
        let fresh =
            usize::try_from(self.options.segment_bytes.saturating_sub(overhead)).unwrap_or(usize::MAX);
        let limit = fresh.min(MAX_BATCH_BYTES);
        if bytes > limit { Err(AppendError::TooLarge { bytes, limit }) } else { Ok(()) }
    }

    /// Moves the partition on past the batch just written, and sees to it that it is synced in time.
    fn account(
        &self,
        mut state: MutexGuard<'_, State>,
        id: PartitionId,
        count: u32,
        position: u64,
        bytes: u64,
    ) -> Extent {
        let partition = state.partitions.entry(id).or_default();
        let first = partition.next;
        partition.next += u64::from(count);
        let place = |value| u32::try_from(value).unwrap_or(u32::MAX);
        partition.entries.push(Entry { first, count, position: place(position), bytes: place(bytes) });
        let durability = partition.durability.unwrap_or(Durability::Fsync);
        if durability != Durability::Fsync || self.options.lacks(Guarantee::Sync) {
            partition.durable = partition.next;
        }
        let extent = partition.extent();
        state.soil(id);
        let wake = match durability {
            Durability::Fsync => !mem::replace(&mut state.want_now, true),
            Durability::Interval { millis } => state.want_within(millis),
            Durability::Os => state.want_within(self.options.os_sync_millis),
        };
        if state.chores_sleep && state.spare.is_some() && state.end >= state.fill_at {
            self.chores.notify_one();
        }
        if wake {
            self.wake_sync(state);
        }
        extent
    }

    /// A write that failed for lack of space leaves the log as it was; any other leaves bytes nobody knows.
    fn write_failure(&self, state: MutexGuard<'_, State>, error: io::Error, needed: u64) -> AppendError {
        if error.kind() == io::ErrorKind::StorageFull {
            return AppendError::Full { needed, available: 0 };
        }
        let name = segment_name(state.active.number());
        drop(state);
        AppendError::Failed(self.fail(self.io("write", &name, error)))
    }

    /// Writes a frame at the end of the active segment.
    pub(super) fn write_frame(&self, state: &mut State, content: &Content<'_>) -> io::Result<()> {
        let at = state.end();
        let durable = state.synced;
        let end = self.write_at(&state.active, at, durable, content)?;
        state.end = end;
        Ok(())
    }

    fn write_at(
        &self,
        segment: &SegmentFile,
        at: Position,
        durable: Position,
        content: &Content<'_>,
    ) -> io::Result<u64> {
        let durable =
            if self.options.lacks(Guarantee::DurableStatement) { Position::default() } else { durable };
        let header = FrameHeader {
            kind: content.kind,
            key: content.key,
            at,
            durable,
            partition: content.partition,
            count: content.count,
            first: content.first,
            context: content.context,
            length: u32::try_from(content.payload.len()).map_err(io::Error::other)?,
            payload_checksum: content.checksum,
        };
        let bytes = header.encode(segment.seed);
        let padding = padding(content.payload.len());
        let mut parts = [IoSlice::new(&bytes), IoSlice::new(content.payload), IoSlice::new(padding)];
        let used = if content.payload.is_empty() { 1 } else { 3 };
        segment.file.write_at(at.byte, &mut parts[..used])?;
        Ok(header.end())
    }

    /// Sees to it that a frame of `needed` bytes fits at the end of the active segment, or refuses.
    pub(super) fn make_room<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        needed: u64,
        claim: Claim,
    ) -> Result<MutexGuard<'s, State>, AppendError> {
        let kept = match claim {
            Claim::Ordinary => self.options.reserve_bytes,
            Claim::Reserve => self.options.slack_bytes(),
            Claim::Own => 0,
        };
        loop {
            if let Some(failed) = &state.failed {
                return Err(AppendError::Failed(Arc::clone(failed)));
            }
            let left = state.active.header.length - state.end;
            if needed <= left && (state.spare.is_some() || needed + kept <= left) {
                return Ok(state);
            }
            if let Some(spare) = state.spare.clone() {
                if let Err(e) = self.roll(&mut state, spare) {
                    return Err(self.write_failure(state, e, needed));
                }
                state.chores_due = true;
                state = self.notify_chores(state);
            } else if state.making {
                state = self.made.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else if state.full {
                return Err(AppendError::Full { needed, available: left.saturating_sub(kept) });
            } else {
                match self.make_segment(state.active.number() + 1, &state) {
                    Ok(spare) => state.spare = Some(spare),
                    Err(e) if e.kind() == io::ErrorKind::StorageFull => {
                        tracing::warn!(error = %e, "no space for the next segment: only the reserve is left");
                        state.full = true;
                    }
                    Err(e) => {
                        let name = segment_name(state.active.number() + 1);
                        drop(state);
                        return Err(AppendError::Failed(self.fail(self.io("make", &name, e))));
                    }
                }
            }
        }
    }

    /// Makes the next segment, within the budget.
    fn make_segment(&self, number: u64, state: &State) -> io::Result<Arc<SegmentFile>> {
        self.check_budget(state)?;
        self.create_segment(number)
    }

    /// Is there budget for one more segment beside those there are?
    pub(super) fn check_budget(&self, state: &State) -> io::Result<()> {
        let segments = state.sealed.len() as u64 + 2;
        match self.options.max_bytes {
            Some(max) if segments * self.options.segment_bytes > max => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn create_segment(&self, number: u64) -> io::Result<Arc<SegmentFile>> {
        let salt = draw_salt(self.options.salt, number);
        let header = SegmentHeader { segment: number, length: self.options.segment_bytes, salt };
        SegmentFile::create(&*self.storage, header)
    }

    /// Finishes the active segment and goes on in the next, which begins with a table of where everybody stands.
    pub(super) fn roll(&self, state: &mut State, next: Arc<SegmentFile>) -> io::Result<()> {
        next.take();
        let began = self.moment();
        let end = self.write_table(state, &next, state.end, began)?;
        let mut index = Index::default();
        for (id, partition) in &mut state.partitions {
            if !partition.entries.is_empty() {
                // The next segment will hold about as many: no reallocation on the way.
                let fresh = Vec::with_capacity(partition.entries.len());
                index.partitions.insert(id.0, mem::replace(&mut partition.entries, fresh));
            }
        }
        let file = mem::replace(&mut state.active, next);
        state.unsynced.push(Arc::clone(&file));
        let sealed = Sealed {
            header: file.header,
            shares: index.shares(),
            file: Some(file),
            index: Some(Arc::new(index)),
            indexed: false,
        };
        state.sealed.push_back(sealed);
        state.spare = None;
        state.fill_at = 0;
        (state.end, state.began) = (end, began);
        state.marked = false;
        Ok(())
    }

    /// Writes a segment's first frame; says where the next one goes.
    pub(super) fn write_table(
        &self,
        state: &State,
        segment: &SegmentFile,
        previous_end: u64,
        began: u64,
    ) -> io::Result<u64> {
        let mut payload = Vec::with_capacity(state.partitions.len() * TABLE_ENTRY_BYTES);
        let mut count = 0;
        for (id, partition) in &state.partitions {
            let entry = TableEntry { partition: id.0, first: partition.first_logged, next: partition.next };
            encode_table_entry(entry, &mut payload);
            count += 1;
        }
        let checksum = payload_checksum(&payload);
        let mut context = Context::default();
        context[..8].copy_from_slice(&began.to_le_bytes());
        let bare = Content::bare(Kind::Table, 0, previous_end);
        let content = Content { count, context, payload: &payload, checksum, ..bare };
        let at = Position { segment: segment.number(), byte: SEGMENT_HEADER_BYTES };
        self.write_at(segment, at, state.synced, &content)
    }

    /// Lets the sync thread go on, when it sleeps.
    pub(super) fn wake_sync(&self, state: MutexGuard<'_, State>) {
        let sleeps = state.sync_sleeps;
        drop(state);
        if sleeps {
            self.work.notify_one();
        }
    }

    /// Lets the chore thread go on, when it sleeps.
    pub(super) fn wake_chores(&self, state: MutexGuard<'_, State>) {
        drop(self.notify_chores(state));
    }

    fn notify_chores<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        if state.chores_sleep {
            self.chores.notify_one();
        }
        state
    }
}

const _: () = assert!(FRAME_HEADER_BYTES.is_multiple_of(8));
