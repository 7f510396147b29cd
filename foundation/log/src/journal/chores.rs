//! What the journal does beside appending and syncing, off everybody's way: it logs trims, finishes a segment that has
//! grown old, writes the indexes of finished segments, drops segments that nobody needs, and prepares the next one.
//!
//! # Dropping is safe at any moment
//!
//! A segment goes once every partition with batches in it has trimmed past them and those trims are on the device, in
//! a later segment. The oldest first, each removal synced, so that what remains is always without a gap; and since each
//! segment begins with a table of where everybody stands, nothing of a dropped one is needed.
//!
//! A partition that does not trim keeps every segment from its oldest batch on.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::append::Content;
use super::format::Kind;
use super::segment::{UNFINISHED_SUFFIX, index_name, segment_name};
use super::{Core, State};
use crate::options::Guarantee;
use crate::{AppendError, LogError, PartitionId};

/// Zeroes that are written beyond what the active segment's progress asks for.
const FILL_AHEAD_BYTES: u64 = 1 << 20;
/// So many finished segments stay open, with their index in memory, for readers that follow closely.
const YOUNG_SEGMENTS: usize = 2;

impl Core {
    pub(crate) fn chore_step(&self) -> Result<(), Arc<LogError>> {
        let _one_at_a_time = self.chore.lock().unwrap_or_else(PoisonError::into_inner);
        self.state().chores_due = false;
        self.log_trims()?;
        self.finish_aged()?;
        self.write_indexes();
        self.drop_spent()?;
        self.prepare_next()
    }

    fn log_trims(&self) -> Result<(), Arc<LogError>> {
        let mut state = self.state();
        let waiting = |state: &State| {
            let mut partitions = state.partitions.iter();
            partitions.find(|(_, p)| p.first > p.first_logged).map(|(id, p)| (*id, p.first))
        };
        while let Some((PartitionId(id), first)) = waiting(&state) {
            state = match self.write_own(state, &Content::bare(Kind::Trim, id, first)) {
                Ok(state) => state,
                Err(AppendError::Failed(error)) => return Err(error),
                // No space even for this; a later step tries again.
                Err(_) => return Ok(()),
            };
            if let Some(partition) = state.partitions.get_mut(&PartitionId(id)) {
                partition.first_logged = first;
            }
            state.soil(PartitionId(id));
            if state.want_within(self.options.os_sync_millis) && state.sync_sleeps {
                self.work.notify_one();
            }
        }
        Ok(())
    }

    /// Now, in milliseconds since 1970; 0 when segments are not finished by their age, so that the bytes of a journal
    /// depend on no clock then.
    pub(super) fn moment(&self) -> u64 {
        let now = self.options.finish_after.and_then(|_| SystemTime::now().duration_since(UNIX_EPOCH).ok());
        now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }

    /// Finishes the active segment when it holds batches and is as old as it may become; one of unknown age, or from
    /// the future, is.
    fn finish_aged(&self) -> Result<(), Arc<LogError>> {
        let Some(after) = self.options.finish_after else { return Ok(()) };
        let mut state = self.state();
        let age = self.moment().checked_sub(state.began).map(Duration::from_millis);
        let is_young = state.began != 0 && age.is_some_and(|age| age < after);
        let is_empty = state.partitions.values().all(|partition| partition.entries.is_empty());
        if state.failed.is_some() || is_young || is_empty || self.options.lacks(Guarantee::FinishByAge) {
            return Ok(());
        }
        // While there is no space for another one, a later step tries again.
        let Some(spare) = state.spare.clone() else { return Ok(()) };
        let name = segment_name(spare.number());
        match self.roll(&mut state, spare) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::StorageFull => return Ok(()),
            Err(e) => {
                drop(state);
                return Err(self.fail(self.io("write", &name, e)));
            }
        }
        state.chores_due = true;
        drop(state);
        // It is dropped once the next one is begun on the device.
        self.sync_step().map(drop)
    }

    /// Writes the index of each finished segment beside it. A failure costs only time when it is read.
    fn write_indexes(&self) {
        loop {
            let state = self.state();
            let Some(sealed) = state.sealed.iter().find(|sealed| !sealed.indexed) else { break };
            let (header, index) = (sealed.header, sealed.index.clone());
            drop(state);
            if let Some(index) = index
                && let Err(e) = self.write_index(header.segment, &index.encode(header.segment, header.salt))
            {
                tracing::warn!(segment = header.segment, error = %e, "cannot write the segment's index");
            }
            let mut state = self.state();
            let written = state.sealed.iter_mut().find(|sealed| sealed.header.segment == header.segment);
            if let Some(sealed) = written {
                sealed.indexed = true;
            }
        }
        let mut state = self.state();
        let old = state.sealed.len().saturating_sub(YOUNG_SEGMENTS);
        for sealed in state.sealed.iter_mut().take(old) {
            (sealed.index, sealed.file) = (None, None);
        }
    }

    fn write_index(&self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        let unfinished = format!("index{UNFINISHED_SUFFIX}");
        let file = self.storage.create(&unfinished, bytes.len() as u64)?;
        file.write_at(0, &mut [io::IoSlice::new(bytes)])?;
        self.storage.rename(&unfinished, &index_name(segment))
    }

    fn drop_spent(&self) -> Result<(), Arc<LogError>> {
        loop {
            let mut state = self.state();
            let spent = state.sealed.front().is_some_and(|oldest| state.is_spent(oldest));
            let Some(oldest) = spent.then(|| state.sealed.pop_front()).flatten() else { return Ok(()) };
            drop(state);
            let number = oldest.header.segment;
            let remove = || {
                self.storage.remove(&segment_name(number))?;
                self.storage.sync_directory()
            };
            if let Err(e) = remove() {
                return Err(self.fail(self.io("remove", &segment_name(number), e)));
            }
            // An index without its segment is swept up by the next start.
            let _ = self.storage.remove(&index_name(number));
            tracing::debug!(segment = number, "dropped a segment that no partition needs");
            self.state().full = false;
        }
    }

    fn prepare_next(&self) -> Result<(), Arc<LogError>> {
        let mut state = self.state();
        if state.failed.is_none() && state.spare.is_none() && !state.making {
            let number = state.active.number() + 1;
            let outcome = match self.check_budget(&state) {
                Ok(()) => {
                    state.making = true;
                    drop(state);
                    let outcome = self.create_segment(number);
                    state = self.state();
                    state.making = false;
                    self.made.notify_all();
                    outcome
                }
                Err(e) => Err(e),
            };
            match outcome {
                Ok(spare) => {
                    state.full = false;
                    state.spare = Some(spare);
                }
                Err(e) if e.kind() == io::ErrorKind::StorageFull => {
                    if !state.full {
                        tracing::warn!(error = %e, "no space for the next segment: only the reserve will be left");
                    }
                    state.full = true;
                }
                Err(e) => {
                    drop(state);
                    return Err(self.fail(self.io("make", &segment_name(number), e)));
                }
            }
        }
        Ok(())
    }

    /// Writes zeroes over the prepared segment, so that syncs in it will be cheap: always as far again as the active
    /// one is written and a little more, so that it is done when it is needed, and the device is never flooded.
    pub(crate) fn fill_next(&self) -> Result<(), Arc<LogError>> {
        let (spare, written) = {
            let state = self.state();
            let Some(spare) = state.spare.clone() else { return Ok(()) };
            (spare, state.end)
        };
        let filled = match spare.fill(2 * written + FILL_AHEAD_BYTES) {
            Ok(filled) => filled,
            // Only on a file system that did not reserve the space; appends will be refused in time.
            Err(e) if e.kind() == io::ErrorKind::StorageFull => spare.header.length,
            Err(e) => return Err(self.fail(self.io("write zeroes to", &segment_name(spare.number()), e))),
        };
        let mut state = self.state();
        if state.spare.as_ref().is_some_and(|now| Arc::ptr_eq(now, &spare)) {
            state.fill_at =
                if filled < spare.header.length { written + FILL_AHEAD_BYTES / 2 } else { u64::MAX };
        }
        Ok(())
    }
}
