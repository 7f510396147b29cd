//! The bulkhead: so many attempts at one peer at a time, so many that wait, and no more. A peer that is slow must not hold
//! everything that this server has.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use decalog_gateway::behalf;
use http::{Request, Response};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout_at;
use tower::{Layer, Service};

use super::Peer;
use crate::error::OutboundError;

/// Puts a peer's bulkhead around calls.
#[derive(Clone)]
pub(super) struct BulkheadLayer(Arc<Places>);

struct Places {
    peer: Peer,
    free: Semaphore,
    waiting: AtomicUsize,
}

/// A place in the queue, given free when dropped.
struct Waits<'p>(&'p AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl BulkheadLayer {
    pub(super) fn new(peer: Peer) -> Self {
        let free = Semaphore::new(peer.policy.concurrency.clamp(1, Semaphore::MAX_PERMITS));
        Self(Arc::new(Places { peer, free, waiting: AtomicUsize::new(0) }))
    }
}

impl Places {
    async fn enter(&self) -> Result<SemaphorePermit<'_>, OutboundError> {
        if let Ok(place) = self.free.try_acquire() {
            return Ok(place);
        }
        let waits = Waits(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.peer.policy.queue {
            let concurrency = self.peer.policy.concurrency;
            return Err(OutboundError::Busy { peer: self.peer.name(), concurrency });
        }
        let place = match behalf::deadline() {
            Some(end) => timeout_at(end, self.free.acquire()).await,
            None => Ok(self.free.acquire().await),
        };
        drop(waits);
        match place {
            Ok(place) => Ok(place.expect("nobody closes it")),
            Err(_) => Err(OutboundError::NoTime { peer: self.peer.name() }),
        }
    }
}

impl<S> Layer<S> for BulkheadLayer {
    type Service = Bounded<S>;

    fn layer(&self, inner: S) -> Bounded<S> {
        Bounded { inner, places: Arc::clone(&self.0) }
    }
}

/// A service of which only so much is asked at a time.
#[derive(Clone)]
pub(super) struct Bounded<S> {
    inner: S,
    places: Arc<Places>,
}

impl<S> Service<Request<Bytes>> for Bounded<S>
where
    S: Service<Request<Bytes>, Response = Response<Bytes>, Error = OutboundError> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Bytes>;
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, OutboundError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), OutboundError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let places = Arc::clone(&self.places);
        let next = self.inner.clone();
        // The one that is ready goes; its clone has to become so.
        let mut ready = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            let _place = places.enter().await?;
            ready.call(request).await
        })
    }
}
