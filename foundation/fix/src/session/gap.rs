//! Gaps in what came: what is kept above one, and when the missing messages are asked for.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::inbound::SeqNum;
use super::machine::{Gap, Session, Waiting};
use super::outlet::{Outlet, SessionMessage};
use crate::sabotage::{self, Sabotage};
use crate::time::Timestamp;

/// How long a ResendRequest may stay without effect when the session has no heartbeat interval to go by.
const PATIENCE_SECONDS: i64 = 30;

impl<A, R: Copy> Session<A, R> {
    /// Keeps a message above a gap. When there is no room the highest goes: it will be asked for again.
    pub(super) fn hold(&mut self, seq: SeqNum, waiting: Waiting<A>) {
        self.queue.insert(seq, waiting);
        if self.queue.len() > self.settings.max_queued {
            self.queue.pop_last();
        }
    }

    /// A message of this number came above a gap: asks for what is missing, once.
    pub(super) fn ask_for_gap(&mut self, now: Timestamp, seq: SeqNum, out: &mut impl Outlet<A, R>) {
        let known = self.link.as_ref().is_some_and(|link| link.gap.is_some());
        self.note_gap(now, seq);
        if !known && !sabotage::lacks(Sabotage::GapNotRequested) {
            self.emit(now, SessionMessage::ResendRequest { begin: self.next_in }, out);
        }
    }

    /// Notes that messages up to this number exist and are not all here.
    pub(super) fn note_gap(&mut self, now: Timestamp, seq: SeqNum) {
        let retry_at = self.patience(now);
        let Some(link) = &mut self.link else { return };
        match &mut link.gap {
            Some(gap) => gap.highest = gap.highest.max(seq),
            gap => *gap = Some(Gap { asked: seq, highest: seq, retry_at }),
        }
    }

    /// The next expected number has moved: the gap may be closed, or another may lie above it.
    pub(super) fn gap_moved(&mut self, now: Timestamp, out: &mut impl Outlet<A, R>) {
        let (next_in, retry_at) = (self.next_in, self.patience(now));
        let Some(link) = &mut self.link else { return };
        let Some(gap) = &mut link.gap else { return };
        gap.retry_at = retry_at;
        if next_in <= gap.asked {
            return;
        }
        let highest = gap.highest;
        link.gap = None;
        if highest >= next_in {
            self.ask_for_gap(now, highest, out);
        }
    }

    /// A ResendRequest stayed without effect (its answer may have been garbled): asks again.
    pub(super) fn ask_again(&mut self, now: Timestamp, out: &mut impl Outlet<A, R>) {
        let Some(gap) = self.link.as_mut().and_then(|link| link.gap.take()) else { return };
        self.ask_for_gap(now, gap.highest, out);
    }

    fn patience(&self, now: Timestamp) -> Timestamp {
        match self.link.as_ref().map_or(0, |link| link.heartbeat_seconds) {
            0 => now.plus_seconds(PATIENCE_SECONDS),
            seconds => now.plus_seconds(i64::from(seconds)),
        }
    }
}
