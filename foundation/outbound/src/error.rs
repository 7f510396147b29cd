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
    /// The caller has no more time. What was sent may have been served.
    #[error("no time is left to ask {peer}")]
    NoTime {
        /// Whom.
        peer: String,
    },
    /// The peer is left alone because it failed again and again. Nothing was sent.
    #[error("{peer} failed again and again and is left alone: ask again in {} s", wait.as_secs() + 1)]
    Paused {
        /// Who.
        peer: String,
        /// When it is tried again.
        wait: Duration,
    },
    /// As many calls as may are on their way, and as many as may wait. Nothing was sent.
    #[error("{peer} has {concurrency} calls to answer and a full queue: ask again later")]
    Busy {
        /// Who.
        peer: String,
        /// How many it may have at a time.
        concurrency: usize,
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

impl OutboundError {
    /// A name for each kind, of a few fixed ones: for a metric.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Client { .. } => "no_client",
            Self::Url { .. } => "refused_url",
            Self::Forbidden(_) => "forbidden_address",
            Self::Unreachable { .. } => "unreachable",
            Self::Broken { .. } => "broken",
            Self::TimedOut { .. } => "timed_out",
            Self::NoTime { .. } => "no_time",
            Self::Paused { .. } => "paused",
            Self::Busy { .. } => "busy",
            Self::TooLarge { .. } => "too_large",
            Self::Redirects { .. } => "redirects",
        }
    }

    /// Is it certain that the peer has not seen the request?
    pub fn is_unsent(&self) -> bool {
        use OutboundError as E;
        matches!(
            self,
            E::Client { .. }
                | E::Url { .. }
                | E::Forbidden(_)
                | E::Unreachable { .. }
                | E::Paused { .. }
                | E::Busy { .. }
        )
    }
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
