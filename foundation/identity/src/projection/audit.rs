//! The audit trail: the latest security events, newest last, in memory; the log and the event journal hold them all.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use decalog_runtime::Address;
use serde::Serialize;

use crate::event::{Event, What};

/// Events kept in memory.
pub const KEPT: usize = 200_000;

/// A line of the trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The record's offset and the event's index in it: the cursor.
    pub offset: u64,
    /// The event's index in its record.
    pub index: u32,
    /// Nanoseconds since 1970.
    pub time: i64,
    /// Who asked for it; 0 is the system itself.
    pub by: u64,
    /// Whom it concerns; 0 is nobody in particular.
    pub account: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// Which lines are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this account.
    pub account: Option<u64>,
    /// Of this kind ([`What::name`]).
    pub event: Option<String>,
    /// At or after this moment.
    pub since: Option<i64>,
    /// Only records after this offset.
    pub after: Option<u64>,
    /// The newest so many.
    pub limit: usize,
}

/// The trail.
#[derive(Debug, Default)]
pub struct Audit(Mutex<VecDeque<Entry>>);

impl Audit {
    fn entries(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event.
    pub fn add(&self, address: Address, time: i64, event: Event) {
        let mut entries = self.entries();
        if entries.len() >= KEPT {
            entries.pop_front();
        }
        let Event { by, account, what } = event;
        entries.push_back(Entry { offset: address.offset, index: address.index, time, by, account, what });
    }

    /// The newest lines that pass, oldest first.
    pub fn find(&self, filter: &Filter) -> Vec<Entry> {
        let passes = |entry: &&Entry| {
            filter.account.is_none_or(|account| entry.account == account || entry.by == account)
                && filter.event.as_ref().is_none_or(|event| entry.what.name() == event)
                && filter.since.is_none_or(|since| entry.time >= since)
                && filter.after.is_none_or(|after| entry.offset > after)
        };
        let mut found: Vec<Entry> =
            self.entries().iter().rev().filter(passes).take(filter.limit).cloned().collect();
        found.reverse();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::PasswordSet;

    #[test]
    fn the_newest_that_pass_come_oldest_first() {
        let audit = Audit::default();
        for offset in 0..10 {
            let event = Event { by: 0, account: offset % 2, what: PasswordSet {}.into() };
            audit.add(Address { offset, index: 0 }, 100, event);
        }
        let filter = Filter {
            account: Some(1),
            limit: 2,
            event: Some("password-set".to_owned()),
            ..Filter::default()
        };
        let offsets: Vec<u64> = audit.find(&filter).iter().map(|entry| entry.offset).collect();
        assert_eq!(offsets, [7, 9]);
        assert_eq!(audit.find(&Filter { after: Some(8), ..filter.clone() }).len(), 1);
        assert_eq!(audit.find(&Filter { since: Some(101), ..filter }).len(), 0);
    }
}
