//! One attempt at one call: the guard, the connection, the request, the whole answer within its bounds.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use reqwest::dns::Resolve;
use reqwest::{Url, redirect};
use tower::Service;

use crate::error::{OutboundError, of_reqwest};
use crate::guard::{Checked, Guard, origin};
use crate::policy::Policy;
use crate::sabotage::{Sabotage, lacks};

/// Makes one attempt, and no second one. Clones share the connections that are kept.
#[derive(Clone)]
pub(crate) struct Transport {
    client: reqwest::Client,
    guard: Arc<Guard>,
    policy: Arc<Policy>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl Transport {
    pub(crate) fn new(
        name: &'static str,
        guard: Guard,
        policy: Arc<Policy>,
        names: Arc<dyn Resolve>,
    ) -> Result<Self, OutboundError> {
        decalog_gateway::tls::use_ring();
        let guard = Arc::new(guard);
        let client = reqwest::Client::builder()
            .dns_resolver(Arc::new(Checked { guard: Arc::clone(&guard), names }))
            .connect_timeout(policy.connect_timeout)
            // A proxy would connect for us, and to addresses that nobody has looked at.
            .no_proxy()
            // Each hop is a call of its own, with checks of its own.
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            // A small answer must not unpack into a large one.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .referer(false)
            .build()
            .map_err(|source| OutboundError::Client { client: name, source })?;
        Ok(Self { client, guard, policy })
    }
}

/// A URL that can be asked, in the form that the guard reads: two readings of one URL would be a way around it.
pub(crate) fn parse(url: &str) -> Result<Url, OutboundError> {
    let unreadable =
        |_| OutboundError::Url { url: "the URL".to_owned(), reason: "it cannot be read as a URL" };
    Url::parse(url).map_err(unreadable)
}

impl Service<Request<Bytes>> for Transport {
    type Response = Response<Bytes>;
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, OutboundError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OutboundError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let it = self.clone();
        Box::pin(async move { it.attempt(request).await })
    }
}

impl Transport {
    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    async fn attempt(&self, request: Request<Bytes>) -> Result<Response<Bytes>, OutboundError> {
        let (parts, body) = request.into_parts();
        let url = parse(&parts.uri.to_string())?;
        self.guard.check(&url)?;
        let peer = origin(&url);
        let failed = |error| of_reqwest(&peer, error, self.policy.connect_timeout);
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(body.into());
        let mut from = self.client.execute(request).await.map_err(failed)?;
        let limit = self.policy.max_answer_bytes;
        let too_large = |length: usize| length > limit && !lacks(Sabotage::BodyUnbounded);
        let told = from.content_length().map_or(0, |told| usize::try_from(told).unwrap_or(usize::MAX));
        if too_large(told) {
            return Err(OutboundError::TooLarge { peer, limit });
        }
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = from.status();
        *answer.headers_mut() = std::mem::take(from.headers_mut());
        let mut body = BytesMut::with_capacity(told.min(limit));
        while let Some(piece) = from.chunk().await.map_err(failed)? {
            if too_large(body.len() + piece.len()) {
                return Err(OutboundError::TooLarge { peer, limit });
            }
            body.extend_from_slice(&piece);
        }
        *answer.body_mut() = body.freeze();
        Ok(answer)
    }
}
