//! Which partition a key belongs to, and ids made inside `apply`.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::machine::Timestamp;

/// Keys hash to this many buckets, for ever; partitions own ranges of them.
pub const BUCKETS: u16 = 1024;

/// A key's bucket: the top 10 bits of its xxh3-64.
pub fn bucket_of(key: &[u8]) -> u16 {
    u16::try_from(xxh3_64(key) >> 54).expect("ten bits")
}

/// The partition (of so many) that owns a bucket: ranges as even as can be.
///
/// # Panics
/// Without partitions, or with more partitions than buckets, or a bucket of 1024 or more.
pub fn partition_of(bucket: u16, partitions: usize) -> usize {
    assert!(bucket < BUCKETS, "bucket {bucket} of {BUCKETS}");
    assert!((1..=usize::from(BUCKETS)).contains(&partitions), "{partitions} partitions of {BUCKETS} buckets");
    usize::from(bucket) * partitions / usize::from(BUCKETS)
}

/// Milliseconds between 1970 and 2020-01-01T00:00:00Z.
const EPOCH_2020_MILLIS: i64 = 1_577_836_800_000;
const COUNTER_BITS: u32 = 12;
const BUCKET_BITS: u32 = 10;

/// A 63-bit id that sorts by time: milliseconds since 2020 (41 bits), bucket or unit (10), counter (12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id(pub u64);

impl Id {
    /// The moment it was made, to the millisecond. When more than 4096 ids were needed in one millisecond, later
    /// ones carry a later moment than the record's.
    pub fn time(self) -> Timestamp {
        let millis = i64::try_from(self.0 >> (COUNTER_BITS + BUCKET_BITS)).expect("41 bits");
        Timestamp((millis + EPOCH_2020_MILLIS) * 1_000_000)
    }

    /// The bucket or unit it was made for.
    pub fn bucket(self) -> u16 {
        u16::try_from((self.0 >> COUNTER_BITS) & u64::from(BUCKETS - 1)).expect("ten bits")
    }
}

/// Makes ids inside `apply`; part of the state. Ids of one maker rise and never repeat, whatever the stamps do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMaker {
    millis: u64,
    counter: u64,
}

impl IdMaker {
    /// The next id.
    ///
    /// # Panics
    /// For a bucket of 1024 or more, and after the year 2089, when 41 bits of milliseconds are used up.
    pub fn next(&mut self, time: Timestamp, bucket: u16) -> Id {
        assert!(bucket < BUCKETS, "bucket {bucket} of {BUCKETS}");
        let millis = u64::try_from(time.millis().saturating_sub(EPOCH_2020_MILLIS)).unwrap_or(0);
        if millis > self.millis {
            (self.millis, self.counter) = (millis, 0);
        } else {
            self.counter += 1;
            if self.counter >> COUNTER_BITS != 0 {
                (self.millis, self.counter) = (self.millis + 1, 0);
            }
        }
        assert!(self.millis >> 41 == 0, "41 bits of milliseconds since 2020 are used up");
        Id(self.millis << (BUCKET_BITS + COUNTER_BITS) | u64::from(bucket) << COUNTER_BITS | self.counter)
    }
}
