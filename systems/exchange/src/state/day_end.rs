//! The end of the day: day orders expire, and the ClOrdIDs of the day may be used again.
//!
//! A million orders are not expired in one breath: a thousand go each millisecond, and until the last is gone no new
//! order is taken, so that none trades with an order whose day is over.

use std::collections::VecDeque;

use decalog_runtime::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::report::Particulars;
use super::{Turn, Unit};
use crate::command::{Refusal, Reply};
use crate::value::{ExecType, OrdStatus, TimeInForce};

const SECONDS_PER_DAY: u32 = 86_400;
const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_DAY: i64 = SECONDS_PER_DAY as i64 * NANOS_PER_SECOND;
/// How many orders expire at a time.
const BATCH: usize = 1_000;
/// How long after one batch the next expires.
const PAUSE_NANOS: i64 = 1_000_000;

/// The unit's day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Day {
    /// When it ends, in seconds after midnight UTC.
    second_of_day: Option<u32>,
    /// When it next ends, or, while it ends, when the next batch expires; ns since 1970 UTC.
    next: Option<i64>,
    /// While it ends: the orders that are yet to expire.
    ending: Option<VecDeque<u64>>,
}

impl Day {
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.next.map(Timestamp)
    }

    /// Whether day orders are being expired.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    pub(super) fn digest(&self) -> Digest {
        let next = self.next.unwrap_or(i64::MIN).to_le_bytes();
        let second = self.second_of_day.unwrap_or(u32::MAX).to_le_bytes();
        let (left, first) = match &self.ending {
            Some(ending) => (ending.len() as u64 + 1, ending.front().copied().unwrap_or(0)),
            None => (0, 0),
        };
        Digest::of(&next).then(&second).then(&left.to_le_bytes()).then(&first.to_le_bytes())
    }
}

/// The first day end after a moment.
fn next_end(second_of_day: u32, after: i64) -> i64 {
    let of_day = i64::from(second_of_day) * NANOS_PER_SECOND;
    let midnight = after.div_euclid(NANOS_PER_DAY) * NANOS_PER_DAY;
    if midnight + of_day > after { midnight + of_day } else { midnight + NANOS_PER_DAY + of_day }
}

impl Unit {
    /// When day orders expire, in seconds after midnight UTC.
    pub fn day_end(&self) -> Option<u32> {
        self.day.second_of_day
    }

    /// Sets when the day ends. A day that is ending goes on to end.
    pub(super) fn set_day_end(&mut self, turn: &Turn<'_>, second_of_day: Option<u32>) -> Reply {
        if second_of_day.is_some_and(|second| second >= SECONDS_PER_DAY) {
            return Reply::Refused(Refusal::InvalidDayEnd);
        }
        if self.day.second_of_day != second_of_day {
            self.day.second_of_day = second_of_day;
            if self.day.ending.is_none() {
                self.day.next = second_of_day.map(|second| next_end(second, turn.time));
            }
        }
        Reply::Done
    }

    /// When the day next ends, if it ever does.
    #[must_use]
    pub fn next_day_end(&self) -> Option<Timestamp> {
        self.day.deadline()
    }

    /// Ends the day when it is time, batch by batch.
    pub(super) fn tick_day(&mut self, turn: &mut Turn<'_>) {
        if self.day.next.is_none_or(|next| next > turn.time) {
            return;
        }
        let mut ending = match self.day.ending.take() {
            Some(ending) => ending,
            None => self.day_orders(),
        };
        for _ in 0..BATCH {
            let Some(id) = ending.pop_front() else { break };
            self.expire_order(turn, id);
        }
        if ending.is_empty() {
            self.forget_day();
            self.day.next = self.day.second_of_day.map(|second| next_end(second, turn.time));
        } else {
            self.day.next = Some(turn.time + PAUSE_NANOS);
            self.day.ending = Some(ending);
        }
    }

    /// The live day orders, instrument by instrument, in the order of their books.
    fn day_orders(&self) -> VecDeque<u64> {
        let books = self.instruments.iter().map(|listing| &listing.book);
        let resting = books.flat_map(|book| book.resting()).map(|order| order.id.0);
        resting
            .filter(|id| self.orders.get(*id).is_some_and(|it| it.time_in_force == TimeInForce::Day))
            .collect()
    }

    /// Expires an order, unless it was cancelled while the day was ending.
    fn expire_order(&mut self, turn: &mut Turn<'_>, id: u64) {
        let Some(order) = self.orders.get(id).filter(|order| order.done.is_none()) else { return };
        let instrument = order.instrument;
        self.take_out(id);
        self.orders.finish(id, OrdStatus::Expired);
        self.report(turn, id, ExecType::Expired, Particulars::default());
        self.tell_happened(turn, instrument, None);
    }

    /// Forgets the day's orders that are done and its ClOrdIDs; live orders keep the names they go by.
    fn forget_day(&mut self) {
        self.orders.forget_done();
        for session in self.sessions.indexes() {
            self.sessions.touch(session).ids.clear();
        }
        let books = self.instruments.iter().map(|listing| &listing.book);
        let live: Vec<u64> = books.flat_map(|book| book.resting()).map(|order| order.id.0).collect();
        for id in live {
            let order = self.orders.get(id).expect("an order of the book is known");
            let (session, cl_ord_id) = (order.session, order.cl_ord_id);
            self.sessions.touch(session).ids.take(cl_ord_id, id);
        }
    }
}
