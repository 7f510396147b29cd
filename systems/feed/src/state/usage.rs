//! How much there is and how many were active, counted while it happens.

use super::rows::{Rows, family, key, last_number};
use super::{Feed, Turn};
use crate::sabotage::{self, Sabotage};
use crate::value::{AccountId, SECOND};

const DAY: i64 = 86_400 * SECOND;

/// What is counted. The numbers stand in keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// Accounts.
    Users = 1,
    /// Posts and reblogs, direct ones not: as accounts show them.
    Posts = 2,
    /// By day: accounts that were active then and not since.
    Active = 3,
    /// By account: no count, but the day on which it was active last.
    LastDay = 4,
}

/// How much there is in a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Accounts.
    pub users: u64,
    /// Posts and reblogs, direct ones not.
    pub posts: u64,
    /// Accounts that did something in the last 30 days. Who only reads is not seen: reads are not in the log.
    pub active_month: u64,
    /// The same in the last 180 days.
    pub active_half_year: u64,
}

fn count_key(what: Count, of: u64) -> Vec<u8> {
    key(family::COUNT, [what as u64, of])
}

fn day(nanos: i64) -> u64 {
    nanos.div_euclid(DAY).max(0).cast_unsigned()
}

impl Rows {
    fn counted(&self, what: Count, of: u64) -> u64 {
        self.get(&count_key(what, of)).unwrap_or(0)
    }

    fn change_count(&mut self, what: Count, of: u64, on: bool) {
        match super::follow::step(self.counted(what, of), on) {
            0 => self.remove(&count_key(what, of)),
            count => self.put(&count_key(what, of), &count),
        }
    }

    /// Days with accounts that were active last on them, from one on.
    fn active_since(&self, first: u64) -> Vec<(u64, u64)> {
        let (from, to) = (count_key(Count::Active, first), count_key(Count::LastDay, 0));
        let rows = self.tables.range(&from, &to, decalog_runtime::tables::Order::Rising, usize::MAX);
        let read = |(key, count): &(Vec<u8>, Vec<u8>)| {
            decalog_runtime::unpack(0, 0, count).map(|count: u64| (last_number(key), count))
        };
        rows.iter().filter_map(|row| read(row).ok()).collect()
    }
}

impl Turn<'_> {
    /// One more or one less.
    pub(super) fn count(&mut self, what: Count, on: bool) {
        self.rows.change_count(what, 0, on);
    }

    /// An account of this partition, with so many posts, is there no more.
    pub(super) fn forget_activity(&mut self, account: AccountId, posts: u64) {
        self.count(Count::Users, false);
        match self.rows.counted(Count::Posts, 0).saturating_sub(posts) {
            0 => self.rows.remove(&count_key(Count::Posts, 0)),
            left => self.rows.put(&count_key(Count::Posts, 0), &left),
        }
        let key = count_key(Count::LastDay, account.0);
        if let Some(day) = self.rows.get(&key) {
            self.rows.change_count(Count::Active, day, false);
            self.rows.remove(&key);
        }
    }

    /// An account of this partition did something.
    pub(super) fn be_active(&mut self, account: AccountId) {
        let (key, today) = (count_key(Count::LastDay, account.0), day(self.now()));
        let before: Option<u64> = self.rows.get(&key);
        if before.is_some_and(|before| before >= today) || !self.rows.has_account(account) {
            return;
        }
        if let Some(before) = before.filter(|_| !sabotage::lacks(Sabotage::ActiveOnce)) {
            self.rows.change_count(Count::Active, before, false);
        }
        self.rows.change_count(Count::Active, today, true);
        self.rows.put(&key, &today);
    }
}

impl Feed {
    /// How much there is, at this moment.
    pub fn usage(&self, now: i64) -> Usage {
        let today = day(now);
        let days = self.rows.active_since(today.saturating_sub(179));
        let since = |first: u64| days.iter().filter(|(day, _)| *day >= first).map(|(_, count)| count).sum();
        Usage {
            users: self.rows.counted(Count::Users, 0),
            posts: self.rows.counted(Count::Posts, 0),
            active_month: since(today.saturating_sub(29)),
            active_half_year: since(0),
        }
    }
}
