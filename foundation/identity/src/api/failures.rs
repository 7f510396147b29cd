//! Logons that failed, counted before they are recorded: strangers must not fill the log, so an account gets at most one
//! record a minute, and a name that nobody has gets none.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::engine::lockout;
use crate::value::{Hash, SECOND};

/// The time between two records of one account, in nanoseconds.
const APART: i64 = 60 * SECOND;

/// Names that nobody has, remembered at the same time; then all are forgotten.
const MOST_STRANGERS: usize = 50_000;

/// What is not yet recorded of an account.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    count: u32,
    last_failure: i64,
    last_record: Option<i64>,
}

/// The counters.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    accounts: Mutex<BTreeMap<u64, Waiting>>,
    /// By the hash of a name that nobody has: it waits as one that somebody has, or waiting would tell them apart.
    strangers: Mutex<BTreeMap<Hash, Waiting>>,
    unknown: AtomicU64,
    known: AtomicU64,
}

impl Failures {
    fn accounts(&self) -> MutexGuard<'_, BTreeMap<u64, Waiting>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn strangers(&self) -> MutexGuard<'_, BTreeMap<Hash, Waiting>> {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A logon with a name that nobody has.
    pub(crate) fn unknown(&self, name: Hash, now: i64) {
        self.unknown.fetch_add(1, Ordering::Relaxed);
        let mut strangers = self.strangers();
        if strangers.len() >= MOST_STRANGERS {
            strangers.clear();
        }
        let waiting = strangers.entry(name).or_default();
        waiting.count = waiting.count.saturating_add(1);
        waiting.last_failure = now;
    }

    /// Until when no logon is tried with a name that nobody has.
    pub(crate) fn unknown_until(&self, name: &Hash) -> i64 {
        let strangers = self.strangers();
        strangers.get(name).map_or(0, |waiting| waiting.last_failure + lockout::delay(waiting.count))
    }

    /// Failed logons since the start: of unknown names, and of accounts.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.unknown.load(Ordering::Relaxed), self.known.load(Ordering::Relaxed))
    }

    /// A logon failed: how many to record now, if it is time.
    pub(crate) fn note(&self, account: u64, now: i64) -> Option<u32> {
        self.known.fetch_add(1, Ordering::Relaxed);
        let mut accounts = self.accounts();
        let waiting = accounts.entry(account).or_default();
        waiting.count = waiting.count.saturating_add(1);
        waiting.last_failure = now;
        waiting.due(now)
    }

    /// Until when no logon is tried, with the failures that the state knows.
    pub(crate) fn locked_until(&self, account: u64, recorded: u32, locked_until: i64) -> i64 {
        match self.accounts().get(&account) {
            Some(waiting) if waiting.count > 0 => {
                let delay = lockout::delay(recorded.saturating_add(waiting.count));
                if delay > 0 { locked_until.max(waiting.last_failure + delay) } else { locked_until }
            }
            _ => locked_until,
        }
    }

    /// A logon succeeded: failures in a row begin anew.
    pub(crate) fn forget(&self, account: u64) {
        if let Some(waiting) = self.accounts().get_mut(&account) {
            waiting.count = 0;
        }
    }

    /// What is to be recorded now; accounts without failures are forgotten.
    pub(crate) fn due(&self, now: i64) -> Vec<(u64, u32)> {
        let mut accounts = self.accounts();
        let due = accounts.iter_mut().filter_map(|(id, waiting)| Some((*id, waiting.due(now)?))).collect();
        accounts.retain(|_, waiting| {
            waiting.count > 0 || waiting.last_record.is_some_and(|record| now - record < APART)
        });
        due
    }
}

impl Waiting {
    fn due(&mut self, now: i64) -> Option<u32> {
        let is_time = self.last_record.is_none_or(|record| now - record >= APART);
        if self.count == 0 || !is_time {
            return None;
        }
        self.last_record = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_gets_one_record_a_minute_and_is_locked_all_the_same() {
        let failures = Failures::default();
        let mut records = 0;
        for second in 0..120 {
            for _ in 0..100 {
                records += u32::from(failures.note(7, second * SECOND).is_some());
            }
        }
        assert_eq!(records, 2);
        assert!(failures.locked_until(7, 1, 0) > 119 * SECOND);
        assert_eq!(failures.due(119 * SECOND), []);
        assert_eq!(failures.due(121 * SECOND).len(), 1);
        assert_eq!(failures.totals(), (0, 12_000));
        failures.forget(7);
        assert_eq!(failures.locked_until(7, 0, 5), 5);
    }
}
