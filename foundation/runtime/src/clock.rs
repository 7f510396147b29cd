//! The clock: where stamps come from, and the guard that stops appends when UTC jumps.
//!
//! UTC may be set by anybody; the boot-time clock only ever runs. Within one process the two advance together, so a
//! UTC that gains more than a second on it was set forward, and stamps taken from it could never be taken back.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::machine::Timestamp;

/// How far UTC may gain on the boot-time clock, or lag behind the last stamp at a start, in nanoseconds.
pub const TOLERANCE_NANOS: i64 = 1_000_000_000;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The present moment, as somebody set it.
    fn utc(&self) -> Timestamp;
    /// Nanoseconds on a clock that nobody sets and that runs while the machine sleeps.
    fn boot(&self) -> i64;
}

/// The operating system's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn utc(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }

    fn boot(&self) -> i64 {
        let at = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        at.tv_sec * 1_000_000_000 + at.tv_nsec
    }
}

/// A clock that stands still until it is moved: for tests and the simulator.
#[derive(Debug)]
pub struct SimClock {
    utc: AtomicI64,
    boot: AtomicI64,
}

impl SimClock {
    /// A clock that shows this moment.
    pub fn new(utc: Timestamp) -> SimClock {
        SimClock { utc: AtomicI64::new(utc.0), boot: AtomicI64::new(0) }
    }

    /// Time passes.
    pub fn advance(&self, nanos: i64) {
        self.utc.fetch_add(nanos, Ordering::SeqCst);
        self.boot.fetch_add(nanos, Ordering::SeqCst);
    }

    /// Somebody sets UTC; the boot-time clock does not notice.
    pub fn set_utc(&self, utc: Timestamp) {
        self.utc.store(utc.0, Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn utc(&self) -> Timestamp {
        Timestamp(self.utc.load(Ordering::SeqCst))
    }

    fn boot(&self) -> i64 {
        self.boot.load(Ordering::SeqCst)
    }
}

/// UTC was set forward, by this much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// What UTC gained on the boot-time clock, in nanoseconds.
    pub gain_nanos: i64,
}

/// Makes monotone stamps and notices a clock that jumps.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    utc: i64,
    boot: i64,
}

impl Guard {
    /// Takes the two clocks' present difference as right.
    pub fn new(clock: &dyn Clock) -> Guard {
        Guard { utc: clock.utc().0, boot: clock.boot() }
    }

    /// The present moment, or the jump that forbids to use it.
    pub fn now(&self, clock: &dyn Clock) -> Result<Timestamp, Jump> {
        let utc = clock.utc();
        let gain_nanos =
            utc.0.saturating_sub(self.utc).saturating_sub(clock.boot().saturating_sub(self.boot));
        if gain_nanos > TOLERANCE_NANOS { Err(Jump { gain_nanos }) } else { Ok(utc) }
    }
}
