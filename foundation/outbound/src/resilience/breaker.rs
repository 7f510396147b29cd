//! The circuit breaker: a peer that fails and fails is left alone for a while, so that its callers have their answer at once
//! and it has time to recover.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tokio::time::Instant;
use tower::{Layer, Service};

use super::circuit::{Circuit, Pass, Position, Verdict};
use super::{Peer, verdict};
use crate::error::OutboundError;
use crate::sabotage::{Sabotage, lacks};

/// Puts a peer's breaker around calls.
#[derive(Clone)]
pub(super) struct BreakerLayer(Arc<Breaker>);

struct Breaker {
    peer: Peer,
    circuit: Mutex<Circuit>,
}

impl BreakerLayer {
    pub(super) fn new(peer: Peer) -> Self {
        let policy = &peer.policy;
        let circuit = Circuit::new(policy.breaker_failures, policy.breaker_pause, policy.breaker_probes);
        peer.watch.circuit(peer.client, None, Some(circuit.position()));
        Self(Arc::new(Breaker { peer, circuit: Mutex::new(circuit) }))
    }
}

impl Drop for Breaker {
    fn drop(&mut self) {
        let last = self.circuit().position();
        self.peer.watch.circuit(self.peer.client, Some(last), None);
    }
}

impl Breaker {
    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        // Nothing that panics runs under the lock.
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the circuit, and tells of it when it then stands elsewhere.
    fn change<T>(&self, change: impl FnOnce(&mut Circuit) -> T) -> T {
        let (before, outcome, after) = {
            let mut circuit = self.circuit();
            let before = circuit.position();
            let outcome = change(&mut circuit);
            (before, outcome, circuit.position())
        };
        if before != after {
            let Peer { client, name, .. } = &self.peer;
            self.peer.watch.circuit(client, Some(before), Some(after));
            match after {
                Position::Open => tracing::warn!(client, peer = %name, "it fails: calls pause"),
                Position::HalfOpen => tracing::info!(client, peer = %name, "is it back? a call tries"),
                Position::Closed => tracing::info!(client, peer = %name, "it is back: calls go on"),
            }
        }
        outcome
    }

    fn enter(self: Arc<Self>) -> Result<Call, OutboundError> {
        match self.change(|circuit| circuit.enter(Instant::now())) {
            Ok(pass) => Ok(Call { breaker: self, pass, verdict: Verdict::Unknown }),
            Err(wait) => Err(OutboundError::Paused { peer: self.peer.name(), wait }),
        }
    }
}

/// A call on its way; one that is dropped says nothing of the peer, but gives its place as a probe free.
struct Call {
    breaker: Arc<Breaker>,
    pass: Pass,
    verdict: Verdict,
}

impl Call {
    fn end(mut self, verdict: Verdict) {
        self.verdict = verdict;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if lacks(Sabotage::BreakerStuck) {
            return;
        }
        self.breaker.change(|circuit| circuit.leave(self.pass, self.verdict, Instant::now()));
    }
}

impl<S> Layer<S> for BreakerLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, breaker: Arc::clone(&self.0) }
    }
}

/// A service behind a breaker.
#[derive(Clone)]
pub(super) struct Guarded<S> {
    inner: S,
    breaker: Arc<Breaker>,
}

impl<S> fmt::Debug for Guarded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("peer", &self.breaker.peer).finish_non_exhaustive()
    }
}

impl<S> Service<Request<Bytes>> for Guarded<S>
where
    S: Service<Request<Bytes>, Response = Response<Bytes>, Error = OutboundError>,
    S::Future: Send + 'static,
{
    type Response = Response<Bytes>;
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, OutboundError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), OutboundError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let call = match Arc::clone(&self.breaker).enter() {
            Ok(call) => call,
            Err(refusal) => return Box::pin(std::future::ready(Err(refusal))),
        };
        let asked = self.inner.call(request);
        Box::pin(async move {
            let outcome = asked.await;
            call.end(verdict(&outcome));
            outcome
        })
    }
}
