//! Hedged reads: when an answer takes unusually long, the same is asked once more, and the first good answer counts. It
//! takes the long tail off at the price of a few more requests, which the retries' budget bounds.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tokio::time::{Instant, timeout};
use tower::{Layer, Service, ServiceExt as _};

use super::latency::Latencies;
use super::limit::left;
use super::{Peer, Verdict, is_read, verdict};
use crate::error::OutboundError;
use crate::policy::Hedge;
use crate::watch::Kind;

type Outcome = Result<Response<Bytes>, OutboundError>;

/// Hedges the reads of a peer.
#[derive(Clone)]
pub(super) struct HedgeLayer {
    peer: Peer,
    latencies: Arc<Mutex<Latencies>>,
}

impl HedgeLayer {
    pub(super) fn new(peer: Peer) -> Self {
        Self { peer, latencies: Arc::default() }
    }

    fn latencies(&self) -> MutexGuard<'_, Latencies> {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long an answer is waited for before it is asked for again.
    fn delay(&self) -> Option<Duration> {
        match self.peer.policy.hedge {
            Hedge::Off => None,
            Hedge::After(delay) => Some(delay),
            Hedge::P95 => self.latencies().p95(),
        }
    }

    async fn read<S>(self, service: S, request: Request<Bytes>) -> Outcome
    where
        S: Service<Request<Bytes>, Response = Response<Bytes>, Error = OutboundError> + Clone,
    {
        let began = Instant::now();
        let mut first = Box::pin(service.clone().oneshot(request.clone()));
        let delay = self.delay().filter(|delay| left().is_none_or(|left| *delay < left));
        let early = match delay {
            None => Some(first.as_mut().await),
            Some(delay) => timeout(delay, first.as_mut()).await.ok(),
        };
        let outcome = match early {
            Some(outcome) => outcome,
            None if self.peer.affords(Kind::Hedge) => {
                let second = Box::pin(service.oneshot(request));
                race(first, second).await
            }
            None => first.await,
        };
        // A read that was overtaken would have taken longer still.
        if verdict(&outcome) == Verdict::Worked {
            self.latencies().record(began.elapsed());
        }
        outcome
    }
}

/// The first good answer; when there is none, the later failure.
async fn race<F: Future<Output = Outcome> + Unpin>(mut first: F, mut second: F) -> Outcome {
    let (outcome, is_first) = tokio::select! {
        outcome = &mut first => (outcome, true),
        outcome = &mut second => (outcome, false),
    };
    match verdict(&outcome) {
        Verdict::Worked => outcome,
        _ if is_first => second.await,
        _ => first.await,
    }
}

impl<S> Layer<S> for HedgeLayer {
    type Service = Hedged<S>;

    fn layer(&self, inner: S) -> Hedged<S> {
        Hedged { inner, hedge: self.clone() }
    }
}

/// A service whose reads are hedged.
#[derive(Clone)]
pub(super) struct Hedged<S> {
    inner: S,
    hedge: HedgeLayer,
}

impl<S> Service<Request<Bytes>> for Hedged<S>
where
    S: Service<Request<Bytes>, Response = Response<Bytes>, Error = OutboundError> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Bytes>;
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Outcome> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), OutboundError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        if is_read(request.method()) {
            Box::pin(self.hedge.clone().read(self.inner.clone(), request))
        } else {
            Box::pin(self.inner.call(request))
        }
    }
}
