//! What stands between a call and a peer that is slow, broken or gone: layers around a [`tower::Service`] that makes one
//! attempt.
//!
//! ```text
//! retry ─▶ hedge ─▶ bulkhead ─▶ breaker ─▶ time-out ─▶ the attempt
//! ```
//!
//! Each looks at the caller's deadline ([`decalog_gateway::behalf::deadline`]) before it waits, so nothing here outlives the
//! caller. Retries and hedges draw on one budget. Time is tokio's, which tests can stop.

mod breaker;
mod budget;
mod bulkhead;
mod circuit;
mod hedge;
mod latency;
mod limit;
mod retry;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Method, Request, Response};
use tokio::time::Instant;
use tower::retry::RetryLayer;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceBuilder};

use self::budget::Budget;
use crate::error::OutboundError;
use crate::policy::Policy;
use crate::sabotage::{Sabotage, lacks};
use crate::watch::{Kind, Watch};

pub use circuit::{Circuit, Pass, Position, Verdict};

/// A service with all layers around it.
pub type Resilient = BoxCloneSyncService<Request<Bytes>, Response<Bytes>, OutboundError>;

/// One peer of one client, as its layers see it. What they know of it is shared by all services that stand
/// [`around`](Peer::around) it.
#[derive(Clone)]
pub struct Peer {
    /// The client's name.
    pub(crate) client: &'static str,
    /// Whom it calls: scheme, host and port.
    pub(crate) name: Arc<str>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) watch: Arc<dyn Watch>,
    budget: Arc<Mutex<Budget>>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("client", &self.client).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Peer {
    /// A peer of which nothing is known yet.
    pub fn new(client: &'static str, name: &str, policy: Arc<Policy>, watch: Arc<dyn Watch>) -> Self {
        let budget = Budget::new(policy.retry_percent, policy.retries_per_second, Instant::now());
        let budget = Arc::new(Mutex::new(budget));
        Self { client, name: name.into(), policy, watch, budget }
    }

    /// Puts the layers around what makes one attempt.
    pub fn around<S>(&self, attempt: S) -> Resilient
    where
        S: Service<Request<Bytes>, Response = Response<Bytes>, Error = OutboundError>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let layers = ServiceBuilder::new()
            .layer(RetryLayer::new(retry::Again::new(self.clone())))
            .layer(hedge::HedgeLayer::new(self.clone()))
            .layer(bulkhead::BulkheadLayer::new(self.clone()))
            .layer(breaker::BreakerLayer::new(self.clone()))
            .layer(limit::LimitLayer::new(self.clone()));
        BoxCloneSyncService::new(layers.service(attempt))
    }

    /// A call is made: it pays for some of the further attempts.
    fn pays(&self) {
        self.budget().call(Instant::now());
    }

    /// May one more attempt be made?
    fn affords(&self, kind: Kind) -> bool {
        let affords = self.budget().take(Instant::now()) || lacks(Sabotage::RetryUnbounded);
        self.watch.further(self.client, kind, affords);
        affords
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        // Nothing that panics runs under the lock.
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self) -> String {
        self.name.to_string()
    }
}

/// May the request be made twice (RFC 9110 section 9.2.2)?
fn is_idempotent(method: &Method) -> bool {
    is_read(method) || matches!(*method, Method::PUT | Method::DELETE)
}

/// Does the request change nothing (RFC 9110 section 9.2.1)?
fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// What an outcome says of the peer.
fn verdict(outcome: &Result<Response<Bytes>, OutboundError>) -> Verdict {
    match outcome {
        Ok(answer) if answer.status().is_server_error() => Verdict::Failed,
        // That a request was refused shows that somebody is there to refuse it.
        Ok(_) | Err(OutboundError::TooLarge { .. }) => Verdict::Worked,
        Err(
            OutboundError::Unreachable { .. } | OutboundError::Broken { .. } | OutboundError::TimedOut { .. },
        ) => Verdict::Failed,
        Err(_) => Verdict::Unknown,
    }
}
