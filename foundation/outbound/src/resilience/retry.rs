//! Trying again: what may be made twice or was never sent, after a random wait that grows, as long as the budget and the
//! caller's time allow. The waits are drawn from all of zero to the bound ("full jitter"), so that those who failed together
//! do not come back together.

use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode};
use tokio::time::{Sleep, sleep};
use tower::retry::Policy;

use super::limit::left;
use super::{Peer, is_idempotent};
use crate::error::OutboundError;
use crate::watch::Kind;

/// One call's retries.
#[derive(Clone)]
pub(super) struct Again {
    peer: Peer,
    made: u32,
}

impl Again {
    pub(super) fn new(peer: Peer) -> Self {
        Self { peer, made: 0 }
    }

    /// A random wait, of which the bound doubles each time.
    fn backoff(&self) -> Duration {
        let policy = &self.peer.policy;
        let bound = policy.backoff.saturating_mul(1 << self.made.min(20)).min(policy.backoff_max);
        bound.mul_f64(fastrand::f64())
    }
}

impl Policy<Request<Bytes>, Response<Bytes>, OutboundError> for Again {
    type Future = Sleep;

    fn retry(
        &mut self,
        request: &mut Request<Bytes>,
        outcome: &mut Result<Response<Bytes>, OutboundError>,
    ) -> Option<Sleep> {
        if self.made >= self.peer.policy.retries || !is_worth_it(request, outcome) {
            return None;
        }
        let asked = outcome.as_ref().ok().and_then(retry_after).unwrap_or_default();
        let wait = asked.saturating_add(self.backoff());
        if left().is_some_and(|left| wait >= left) || !self.peer.affords(Kind::Retry) {
            return None;
        }
        self.made += 1;
        Some(sleep(wait))
    }

    /// Asked for before each attempt: the first one pays for a part of a further one.
    fn clone_request(&mut self, request: &Request<Bytes>) -> Option<Request<Bytes>> {
        if self.made == 0 {
            self.peer.pays();
        }
        Some(request.clone())
    }
}

/// Could another attempt do better, and do no harm?
fn is_worth_it(request: &Request<Bytes>, outcome: &Result<Response<Bytes>, OutboundError>) -> bool {
    match outcome {
        Err(OutboundError::Unreachable { .. }) => true,
        Err(OutboundError::Broken { .. } | OutboundError::TimedOut { .. }) => is_idempotent(request.method()),
        Ok(answer) => is_idempotent(request.method()) && is_passing(answer.status()),
        Err(_) => false,
    }
}

/// Statuses of a failure that may be over soon.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// When the peer wants to be asked again, in seconds. The other form, a date, is of a clock that is not ours: it is not read.
fn retry_after(answer: &Response<Bytes>) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
