//! The time-out of one attempt: its own, or what is left to the caller.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use decalog_gateway::behalf;
use http::{Request, Response};
use tokio::time::{Instant, timeout};
use tower::{Layer, Service};

use super::Peer;
use crate::error::OutboundError;
use crate::sabotage::{Sabotage, lacks};

/// A peer that had so long, or half of an attempt's time, and did not answer is slow; one that a hurried caller gave less
/// may be well.
const FAIR: Duration = Duration::from_secs(1);

/// Puts the time-out around attempts at a peer.
#[derive(Clone)]
pub(super) struct LimitLayer(Peer);

impl LimitLayer {
    pub(super) fn new(peer: Peer) -> Self {
        Self(peer)
    }
}

impl<S> Layer<S> for LimitLayer {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Limited<S> {
        Limited { inner, peer: self.0.clone() }
    }
}

/// A service that answers in time or not at all.
#[derive(Clone)]
pub(super) struct Limited<S> {
    inner: S,
    peer: Peer,
}

/// What is left to the caller.
pub(super) fn left() -> Option<Duration> {
    if lacks(Sabotage::DeadlineForgotten) {
        return None;
    }
    behalf::deadline().map(|end| end.saturating_duration_since(Instant::now()))
}

impl<S> Service<Request<Bytes>> for Limited<S>
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
        let own = self.peer.policy.attempt_timeout;
        let after = left().map_or(own, |left| left.min(own));
        let peer = self.peer.name();
        if after.is_zero() {
            return Box::pin(std::future::ready(Err(OutboundError::NoTime { peer })));
        }
        let asked = timeout(after, self.inner.call(request));
        Box::pin(async move {
            match asked.await {
                Ok(outcome) => outcome,
                Err(_) if after >= FAIR.min(own / 2) => Err(OutboundError::TimedOut { peer, after }),
                Err(_) => Err(OutboundError::NoTime { peer }),
            }
        })
    }
}
