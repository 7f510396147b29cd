//! What happens when there is more to do than can be done: a place for each system, the vital first, and a deadline.
//!
//! Requests in flight are counted over the whole server ([`Load`]) and for each system ([`Bulkhead`]). A system that is full, slow
//! or flooded refuses at once and leaves the places of the others alone; before the server is full, ordinary work is refused
//! so that people can still sign in; health is answered always.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::problem::{self, Problem};

const DAY: Duration = Duration::from_secs(86_400);
const WAIT: Duration = Duration::from_secs(1);

/// What goes first when there is not room for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Never refused: health.
    Vital,
    /// Refused when the server is full: sign-in.
    High,
    /// Refused when four fifths of the server are taken.
    Ordinary,
}

/// The requests in flight of the whole server.
#[derive(Debug)]
pub struct Load {
    in_flight: AtomicUsize,
    most: usize,
}

impl Load {
    /// At most so many at the same time.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { in_flight: AtomicUsize::new(0), most })
    }

    /// How many there are now.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

/// One system's share.
pub struct Bulkhead {
    /// The system, for the refusal.
    pub system: &'static str,
    /// What all systems share.
    pub load: Arc<Load>,
    /// Requests of this system at the same time.
    pub most: usize,
    /// What goes first.
    pub priority: Priority,
    /// An answer must have begun within; what is asked on its behalf is told so ([`behalf::deadline`](crate::behalf::deadline)).
    pub deadline: Duration,
}

impl Bulkhead {
    /// One that never says no, for routes that few can ask.
    pub(crate) fn unbounded() -> Self {
        let (load, most) = (Load::new(usize::MAX), usize::MAX);
        Self { system: "front", load, most, priority: Priority::Vital, deadline: DAY }
    }
}

/// A system's places, as they are taken.
pub(crate) struct Share {
    bulkhead: Bulkhead,
    own: AtomicUsize,
}

/// A place that is given free when dropped.
pub(crate) struct Place(Arc<Share>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.own.fetch_sub(1, Ordering::Relaxed);
        self.0.bulkhead.load.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Share {
    /// All of them free.
    pub(crate) fn of(bulkhead: Bulkhead) -> Arc<Self> {
        Arc::new(Self { bulkhead, own: AtomicUsize::new(0) })
    }

    /// A place, if there is one.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Place, Problem> {
        let Bulkhead { system, load, most, priority, .. } = &self.bulkhead;
        let all = load.in_flight.fetch_add(1, Ordering::Relaxed);
        let own = self.own.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(self));
        let room = match priority {
            Priority::Vital => true,
            Priority::High => own < *most && all < load.most,
            Priority::Ordinary => own < *most && all < load.most - load.most / 5,
        };
        if room {
            return Ok(place);
        }
        let detail = format!("{system} has as many requests as it can take: try again later");
        Err(problem::OVERLOADED.because(detail).retry_after(WAIT))
    }
}

impl Place {
    /// When the answer to a request that began now is no longer wanted.
    pub(crate) fn deadline(&self, begin: std::time::Instant) -> Instant {
        Instant::from_std(begin + self.0.bulkhead.deadline)
    }

    /// Says that there was none by then.
    pub(crate) fn too_late(&self) -> Problem {
        let detail = format!("{} had no answer in time", self.0.bulkhead.system);
        problem::DEADLINE_EXCEEDED.because(detail).retry_after(WAIT)
    }
}
