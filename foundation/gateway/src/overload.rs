//! What happens when there is more to do than can be done: a place for each system, the vital first, and a deadline.
//!
//! Requests in flight are counted over the whole server ([`Load`]) and for each system ([`Bulkhead`]). A system that is full, slow
//! or flooded refuses at once and leaves the places of the others alone; before the server is full, ordinary work is refused
//! so that people can still sign in; health is answered always.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use tokio::time::Instant;

use crate::{deadline, problem};

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
    /// An answer must have begun within; what is asked on its behalf is told so ([`deadline::current`]).
    pub deadline: Duration,
}

struct Inner {
    bulkhead: Bulkhead,
    own: AtomicUsize,
}

/// A place that is given free when dropped.
struct Place(Arc<Inner>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.own.fetch_sub(1, Ordering::Relaxed);
        self.0.bulkhead.load.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Bulkhead {
    /// Puts it around a system's routes.
    pub fn around(self, router: Router) -> Router {
        let inner = Arc::new(Inner { bulkhead: self, own: AtomicUsize::new(0) });
        router.layer(from_fn_with_state(inner, pass))
    }
}

impl Inner {
    /// A place, if there is one.
    fn enter(self: &Arc<Self>) -> Option<Place> {
        let Bulkhead { load, most, priority, .. } = &self.bulkhead;
        let all = load.in_flight.fetch_add(1, Ordering::Relaxed);
        let own = self.own.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(self));
        let room = match priority {
            Priority::Vital => true,
            Priority::High => own < *most && all < load.most,
            Priority::Ordinary => own < *most && all < load.most - load.most / 5,
        };
        room.then_some(place)
    }
}

async fn pass(State(inner): State<Arc<Inner>>, request: Request, next: Next) -> Response {
    let Bulkhead { system, deadline, .. } = inner.bulkhead;
    let Some(_place) = inner.enter() else {
        let detail = format!("{system} has as many requests as it can take: try again later");
        return problem::OVERLOADED.because(detail).retry_after(WAIT).into_response();
    };
    let end = Instant::now() + deadline;
    match tokio::time::timeout_at(end, deadline::within(end, next.run(request))).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("{system} had no answer in time");
            problem::DEADLINE_EXCEEDED.because(detail).retry_after(WAIT).into_response()
        }
    }
}
