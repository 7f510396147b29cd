//! Making durable: one sync carries everything written before it, of all partitions; what is written while it runs
//! is for the next. A failed sync ends the journal, because a second one that succeeds would prove nothing.

use std::mem;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::Core;
use super::append::{Claim, Content};
use super::format::{FRAME_HEADER_BYTES, Kind, Position};
use super::segment::{SegmentFile, segment_name};
use super::state::State;
use crate::options::Guarantee;
use crate::{AppendError, Listener, LogError, Offset, PartitionId};

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There was nothing to do.
    Idle,
    /// Something became durable.
    Synced,
}

/// What one sync covers. Kept between syncs for its memory.
#[derive(Default)]
pub(super) struct Round {
    files: Vec<Arc<SegmentFile>>,
    partitions: Vec<(PartitionId, Offset, Offset)>,
    news: Vec<(Arc<dyn Listener>, Offset, Offset)>,
}

impl Core {
    pub(crate) fn sync_step(&self) -> Result<Progress, Arc<LogError>> {
        let mut round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        let target = {
            let mut state = self.state();
            if let Some(failed) = &state.failed {
                return Err(Arc::clone(failed));
            }
            match round.begin(&mut state) {
                Some(target) => target,
                None => return Ok(Progress::Idle),
            }
        };
        if !self.options.lacks(Guarantee::Sync) {
            for segment in &round.files {
                if let Err(source) = segment.file.sync() {
                    let file = segment_name(segment.number());
                    return Err(self.fail(LogError::SyncFailed { file, source }));
                }
            }
        }
        let mut state = self.state();
        // A failure elsewhere may have been told meanwhile: nothing is acknowledged after it.
        if let Some(failed) = &state.failed {
            return Err(Arc::clone(failed));
        }
        let trimmed = round.conclude(&mut state, target);
        if trimmed {
            state.chores_due = true;
            self.wake_chores(state);
        } else {
            drop(state);
        }
        for (listener, durable, synced) in round.news.drain(..) {
            listener.advanced(durable, synced);
        }
        Ok(Progress::Synced)
    }

    pub(crate) fn mark_step(&self) -> Result<Progress, Arc<LogError>> {
        let mut state = self.state();
        if state.failed.is_some() || state.marked || state.synced != state.end() {
            return Ok(Progress::Idle);
        }
        // A mark must not be the reason for a new segment: without room for it, it is left out.
        if state.active.header.length - state.end < FRAME_HEADER_BYTES as u64 {
            state.marked = true;
            return Ok(Progress::Idle);
        }
        let state = match self.write_own(state, &Content::bare(Kind::Mark, 0, 0)) {
            Ok(state) => state,
            Err(AppendError::Failed(error)) => return Err(error),
            Err(_) => return Ok(Progress::Idle),
        };
        drop(state);
        self.sync_step()
    }

    /// Writes a frame of the journal's own.
    pub(super) fn write_own<'s>(
        &'s self,
        state: MutexGuard<'s, State>,
        content: &Content<'_>,
    ) -> Result<MutexGuard<'s, State>, AppendError> {
        let mut state = self.make_room(state, FRAME_HEADER_BYTES as u64, Claim::Own)?;
        if let Err(e) = self.write_frame(&mut state, content) {
            let name = segment_name(state.active.number());
            drop(state);
            return Err(AppendError::Failed(self.fail(self.io("write", &name, e))));
        }
        state.marked = content.kind == Kind::Mark;
        Ok(state)
    }

    /// Syncs everything and marks it: for an orderly end.
    pub(crate) fn settle(&self) -> Result<(), LogError> {
        self.sync_step().and_then(|_| self.mark_step()).map(drop).map_err(LogError::Failed)
    }
}

impl Round {
    /// Notes what stands written now; `None` when all of it is synced.
    fn begin(&mut self, state: &mut State) -> Option<Position> {
        self.partitions.clear();
        self.files.clear();
        state.want_now = false;
        state.want_within = None;
        let target = state.end();
        if target == state.synced {
            return None;
        }
        self.files.append(&mut state.unsynced);
        self.files.push(Arc::clone(&state.active));
        let mut dirty = mem::take(&mut state.dirty);
        for id in dirty.drain(..) {
            if let Some(partition) = state.partitions.get_mut(&id) {
                partition.dirty = false;
                self.partitions.push((id, partition.next, partition.first_logged));
            }
        }
        state.dirty = dirty;
        Some(target)
    }

    /// Moves the partitions on; says whether a trim is on the device now.
    fn conclude(&mut self, state: &mut State, target: Position) -> bool {
        state.synced = target;
        let mut trimmed = false;
        for (id, next, first) in self.partitions.drain(..) {
            let Some(partition) = state.partitions.get_mut(&id) else { continue };
            partition.synced = next;
            trimmed |= mem::replace(&mut partition.first_synced, first) < first;
            partition.durable = partition.durable.max(next);
            if let Some(listener) = &partition.listener {
                self.news.push((Arc::clone(listener), partition.durable, next));
            }
        }
        trimmed
    }
}
