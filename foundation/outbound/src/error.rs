//! What can go wrong with a call, and what is known of the request then.

use std::error::Error;
use std::time::Duration;

use crate::guard::Forbidden;

/// Why a call has no answer. An answer with a status of failure is an answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// No HTTP client can be made.
    #[error("no HTTP client for {client}: {source}")]
    Client {
        /// Whose.
        client: &'static str,
        /// Why.
        source: reqwest::Error,
    },
    /// The URL is not asked.
    #[error("{url}: {reason}")]
    Url {
        /// Scheme, host and port, or what stands in their place.
        url: String,
        /// Why not.
        reason: &'static str,
    },
    /// The address is not connected to.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// There was no connection: the name has no address, nobody listens there, or TLS failed. Nothing was sent.
    #[error("{peer} cannot be reached: {source}")]
    Unreachable {
        /// Whom.
        peer: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The connection broke before the whole answer was there. The request may have been served.
    #[error("{peer} broke off: {source}")]
    Broken {
        /// Who.
        peer: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// There was no answer in time. The request may have been served.
    #[error("{peer} had no answer within {after:?}")]
    TimedOut {
        /// Who.
        peer: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The answer is larger than it may be.
    #[error("{peer} answered with more than {limit} bytes")]
    TooLarge {
        /// Who.
        peer: String,
        /// The most it may have.
        limit: usize,
    },
    /// One redirect led to the next.
    #[error("{peer} redirects again after {followed} redirects")]
    Redirects {
        /// Who.
        peer: String,
        /// How many were followed.
        followed: usize,
    },
}

/// What went wrong on the way, of all that the HTTP client wraps around it.
pub(crate) fn of_reqwest(peer: &str, error: reqwest::Error, after: Duration) -> OutboundError {
    let peer = peer.to_owned();
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some(forbidden) = inner.downcast_ref::<Forbidden>() {
            return forbidden.clone().into();
        }
        cause = inner.source();
    }
    if error.is_connect() || error.is_builder() {
        return OutboundError::Unreachable { peer, source: root(error) };
    }
    if error.is_timeout() {
        return OutboundError::TimedOut { peer, after };
    }
    OutboundError::Broken { peer, source: root(error) }
}

/// The innermost cause says what happened; the outer ones say that something did. It is kept as text, without the URL.
fn root(error: reqwest::Error) -> Box<dyn Error + Send + Sync> {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string().into()
}
