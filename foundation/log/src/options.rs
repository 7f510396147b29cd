//! How a journal is sized and paced, and which of its guarantees a test takes out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use decalog_seal::KeyRing;

use crate::LogError;
use crate::journal::format::{FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES};

/// How a journal is sized and paced. The defaults suit a server; tests use small segments.
#[derive(Clone, Debug)]
pub struct Options {
    /// The length of a segment file in bytes: a multiple of 4,096, at least 16 KiB, less than 4 GiB.
    pub segment_bytes: u64,
    /// The most bytes that all segment files may have, at least two segments; `None` leaves it to the disk.
    pub max_bytes: Option<u64>,
    /// Bytes at the end of the last segment that only [`crate::Allowance::Reserve`] may use when no further segment
    /// can be made; at most a quarter of a segment.
    pub reserve_bytes: u64,
    /// Partitions at [`crate::Durability::Os`] are synced at least this often, in milliseconds.
    pub os_sync_millis: u32,
    /// After this many milliseconds without an append the last group is marked as durable.
    pub idle_mark_millis: u32,
    /// A segment that holds batches is finished when it is this old, so that the segments of a log in which little
    /// happens can be dropped too; `None` leaves it to its size. The wall clock tells the age.
    pub finish_after: Option<Duration>,
    /// Draws the salts of segment files; `None` takes them from the operating system. Simulations set it, so that
    /// a run can be repeated.
    pub salt: Option<u64>,
    /// Is told how long each sync took.
    pub on_sync: OnSync,
    /// The keys with which batches are sealed before they are written, and opened when they are read; `None` writes
    /// them as they are. Recovery and verification need no key.
    pub seal: Option<Arc<KeyRing>>,
    /// The guarantee that is taken out.
    #[cfg(feature = "sabotage")]
    pub sabotage: Option<Guarantee>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            max_bytes: None,
            reserve_bytes: 4 << 20,
            os_sync_millis: 100,
            idle_mark_millis: 50,
            finish_after: None,
            salt: None,
            on_sync: OnSync::default(),
            seal: None,
            #[cfg(feature = "sabotage")]
            sabotage: None,
        }
    }
}

/// Who is told how long each sync took, on the log's own thread: it must be quick. Nobody, unless set.
#[derive(Clone, Default)]
pub struct OnSync(Option<Arc<dyn Fn(Duration) + Send + Sync>>);

impl OnSync {
    /// Tells this.
    pub fn new(tell: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    pub(crate) fn tell(&self, took: Duration) {
        if let Some(tell) = &self.0 {
            tell(took);
        }
    }
}

impl fmt::Debug for OnSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnSync").field(&self.0.is_some()).finish()
    }
}

/// A guarantee that has a negative control: the test that guards it must fail without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarantee {
    /// Nothing is acknowledged before it is synced.
    Sync,
    /// Bytes that are not what was written are found out.
    Checksum,
    /// One process works in a directory.
    DirectoryLock,
    /// Each frame states what was durable before it, so that damage there is told from a torn tail.
    DurableStatement,
    /// A full disk leaves space for what must still be logged.
    Reserve,
    /// A segment is finished by its age.
    FinishByAge,
}

impl Options {
    /// Small segments without pacing, for tests and simulations: 64 KiB with a reserve of 8 KiB.
    pub fn small() -> Self {
        Self { segment_bytes: 64 << 10, reserve_bytes: 8 << 10, salt: Some(1), ..Self::default() }
    }

    /// Is this guarantee taken out? Never in a build without the `sabotage` feature.
    #[cfg(feature = "sabotage")]
    pub(crate) fn lacks(&self, guarantee: Guarantee) -> bool {
        self.sabotage == Some(guarantee)
    }

    /// Is this guarantee taken out? Never in a build without the `sabotage` feature.
    #[cfg(not(feature = "sabotage"))]
    #[expect(clippy::unused_self, reason = "the sabotaged build looks at it")]
    pub(crate) fn lacks(&self, _guarantee: Guarantee) -> bool {
        false
    }

    pub(crate) fn check(&self) -> Result<(), LogError> {
        let wrong = |option, value, allowed: String| Err(LogError::Option { option, value, allowed });
        let segment = self.segment_bytes;
        if !segment.is_multiple_of(SEGMENT_HEADER_BYTES)
            || segment < 16 << 10
            || segment > u64::from(u32::MAX)
        {
            return wrong("segment_bytes", segment, "a multiple of 4096 from 16384 to 4294963200".to_owned());
        }
        if self.reserve_bytes > segment / 4 || self.reserve_bytes < FRAME_HEADER_BYTES as u64 {
            let allowed = format!("from {FRAME_HEADER_BYTES} to a quarter of segment_bytes, {}", segment / 4);
            return wrong("reserve_bytes", self.reserve_bytes, allowed);
        }
        match self.max_bytes {
            Some(max) if max < 2 * segment => {
                wrong("max_bytes", max, format!("at least two segments, {}", 2 * segment))
            }
            _ => Ok(()),
        }
    }

    /// The part of the reserve that is the journal's own, for marks and trims.
    pub(crate) fn slack_bytes(&self) -> u64 {
        (self.reserve_bytes / 8).clamp(FRAME_HEADER_BYTES as u64, 64 << 10)
    }
}
