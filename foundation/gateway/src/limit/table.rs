//! The generic cell rate algorithm over a table of fixed size.
//!
//! GCRA (ITU-T I.371, the virtual scheduling form) keeps one moment for each key: when its debt is paid. A request
//! adds one emission interval, and is refused when the debt would then be longer than the window.
//!
//! The table has room for a fixed number of keys, in buckets of eight. A key whose bucket is full takes the slot whose
//! debt is paid first, **and takes over that debt**. So being evicted never pays off: whoever comes back finds debts
//! that are at least as long as the one it had. A full table is stricter than it should be, never more lenient. Which
//! bucket a key belongs to is not to be guessed from outside.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::sabotage::{self, Sabotage};

/// Slots of one bucket.
const WAYS: usize = 8;
/// Buckets that share a lock.
const BUCKETS_PER_SHARD: usize = 32;

/// So many requests in a window; all at once, or evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests.
    pub quota: u32,
    /// Their window.
    pub window: Duration,
}

impl Rate {
    fn window_nanos(self) -> u64 {
        u64::try_from(self.window.as_nanos()).unwrap_or(u64::MAX / 4)
    }

    /// Nanoseconds that one request costs.
    fn interval(self) -> u64 {
        (self.window_nanos() / u64::from(self.quota.max(1))).max(1)
    }
}

/// What is said to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// How long to wait before the next try, if this one is refused.
    pub refused: Option<Duration>,
    /// Requests that would be let in now.
    pub remaining: u32,
    /// Until all of the quota is there again.
    pub full_in: Duration,
}

/// A key, and when its debt is paid: nanoseconds since the table's beginning. A paid debt is an empty slot.
#[derive(Clone, Copy, Default)]
struct Slot {
    key: u64,
    paid: u64,
}

/// The table. Sixteen bytes a key.
pub struct Table {
    shards: Box<[Mutex<Box<[Slot]>>]>,
    hasher: RandomState,
}

impl Table {
    /// Room for at least so many keys.
    pub fn new(keys: usize) -> Self {
        let buckets = keys.div_ceil(WAYS).max(1);
        let per_shard = buckets.min(BUCKETS_PER_SHARD);
        let shard = || Mutex::new(vec![Slot::default(); per_shard * WAYS].into_boxed_slice());
        let shards = (0..buckets.div_ceil(per_shard)).map(|_| shard()).collect();
        Self { shards, hasher: RandomState::new() }
    }

    /// Asks for one request of this key at `now`, nanoseconds since the table's beginning.
    pub fn take(&self, key: impl Hash, rate: Rate, now: u64) -> Decision {
        let key = self.hasher.hash_one(key);
        let spread = usize::try_from(key >> 16).unwrap_or_default();
        let (shard, place) = (spread % self.shards.len(), spread / self.shards.len());
        let mut slots = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        let first = place % (slots.len() / WAYS) * WAYS;
        let bucket = &mut slots[first..first + WAYS];
        let own = bucket.iter().position(|slot| slot.key == key);
        let slot = match own {
            Some(own) => &mut bucket[own],
            None => bucket.iter_mut().min_by_key(|slot| slot.paid).expect("a bucket has slots"),
        };
        decide(slot, key, rate, now)
    }
}

fn decide(slot: &mut Slot, key: u64, rate: Rate, now: u64) -> Decision {
    let (window, interval) = (rate.window_nanos(), rate.interval());
    let debt = slot.paid.saturating_sub(now);
    let with_this = debt.saturating_add(interval);
    if with_this > window.max(interval) && !sabotage::lacks(Sabotage::RateUnlimited) {
        let wait = Duration::from_nanos(with_this - window.max(interval));
        return Decision { refused: Some(wait), remaining: 0, full_in: Duration::from_nanos(debt) };
    }
    *slot = Slot { key, paid: now.saturating_add(with_this) };
    let remaining = window.saturating_sub(with_this) / interval;
    Decision {
        refused: None,
        remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
        full_in: Duration::from_nanos(with_this),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate { quota: 5, window: Duration::from_nanos(1_000) };

    /// The rule as it is said, over the whole history: from any accepted request on, no more than the quota and what
    /// has been earned since.
    fn conforms(accepted: &[u64], now: u64) -> bool {
        accepted.iter().enumerate().all(|(place, from)| {
            let count = (accepted.len() - place) as u64 + 1;
            count * RATE.interval() <= RATE.window_nanos() + (now - from)
        })
    }

    proptest! {
        #[test]
        fn with_room_it_decides_as_the_history_says(steps in prop::collection::vec((0_u64..8, 0_u64..300), 1..200)) {
            let table = Table::new(1_000);
            let (mut histories, mut now) = (vec![Vec::new(); 8], 0);
            for (key, later) in steps {
                now += later;
                let history = &mut histories[usize::try_from(key).unwrap()];
                let allowed = table.take(key, RATE, now).refused.is_none();
                prop_assert_eq!(allowed, conforms(history, now));
                if allowed {
                    history.push(now);
                }
            }
        }

        #[test]
        fn without_room_it_is_never_more_lenient(steps in prop::collection::vec((0_u64..64, 0_u64..60), 1..600)) {
            // One bucket for 64 keys: evictions all the time.
            let table = Table::new(1);
            let (mut histories, mut now) = (vec![Vec::new(); 64], 0);
            for (key, later) in steps {
                now += later;
                let history = &mut histories[usize::try_from(key).unwrap()];
                if table.take(key, RATE, now).refused.is_none() {
                    prop_assert!(conforms(history, now), "key {} got a request too many", key);
                    history.push(now);
                }
            }
        }

        #[test]
        fn the_wait_is_exact_and_the_remainder_is_true(taken in 0_u32..5) {
            let table = Table::new(8);
            for left in (0..5).rev() {
                prop_assert_eq!(table.take("key", RATE, 0).remaining, left);
            }
            let wait = u64::try_from(table.take("key", RATE, u64::from(taken)).refused.unwrap().as_nanos()).unwrap();
            prop_assert_eq!(wait, 200 - u64::from(taken));
            prop_assert!(table.take("key", RATE, u64::from(taken) + wait - 1).refused.is_some());
            prop_assert!(table.take("key", RATE, u64::from(taken) + wait).refused.is_none());
        }
    }

    #[test]
    fn an_exhausted_key_stays_so_however_many_others_come() {
        let table = Table::new(1);
        while table.take("mine", RATE, 0).refused.is_none() {}
        for other in 0..10_000 {
            table.take(other, RATE, 0);
            assert!(table.take("mine", RATE, 0).refused.is_some());
        }
    }

    #[test]
    fn a_million_keys_fit_and_each_has_its_quota() {
        let table = Table::new(1_000_000);
        let slots: usize = table.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!((1_000_000..1_001_000).contains(&slots), "{slots}");
        for key in 0..200_000 {
            assert_eq!(table.take(key, RATE, 0).refused, None);
        }
        for key in (0..200_000).step_by(1_000) {
            assert_eq!(table.take(key, RATE, 0).refused, None, "{key}");
        }
    }
}
