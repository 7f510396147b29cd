//! Refusals as RFC 9457 problem details: a stable type, a status, and a sentence on what to do.
//!
//! A system declares its own [`ProblemType`]s as statics; those that any route may answer with stand here, and each has a
//! section in docs/problems.md. Protocols with an error form of their own keep it.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A kind of refusal. Names keep their meaning for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProblemType {
    /// The end of `urn:decalog:problem:NAME`, and the anchor in docs/problems.md.
    pub name: &'static str,
    /// What it is, the same every time.
    pub title: &'static str,
    /// The answer's status.
    pub status: StatusCode,
}

impl ProblemType {
    /// A kind of refusal.
    pub const fn new(name: &'static str, title: &'static str, status: StatusCode) -> Self {
        Self { name, title, status }
    }

    /// The identifier that the `type` member holds.
    pub fn urn(&self) -> String {
        format!("urn:decalog:problem:{}", self.name)
    }

    /// A refusal of this kind; `detail` says what was wrong this time, and what to do.
    pub fn because(&'static self, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(self, detail)
    }
}

macro_rules! problem_types {
    ($($(#[$doc:meta])+ $constant:ident = $name:literal, $title:literal, $status:ident;)+) => {
        $($(#[$doc])+ pub static $constant: ProblemType = ProblemType::new($name, $title, StatusCode::$status);)+
        /// Every type that the gateway itself answers with, or that any system may use.
        pub static ALL: &[&ProblemType] = &[$(&$constant),+];
    };
}

problem_types! {
    /// 404: no such path or thing.
    NOT_FOUND = "not-found", "No such resource", NOT_FOUND;
    /// 405: the path knows other methods only.
    METHOD_NOT_ALLOWED = "method-not-allowed", "Method not allowed", METHOD_NOT_ALLOWED;
    /// 400: the request as a whole cannot be read.
    INVALID_REQUEST = "invalid-request", "Invalid request", BAD_REQUEST;
    /// 400: a parameter is not what it may be.
    INVALID_PARAMETER = "invalid-parameter", "Invalid parameter", BAD_REQUEST;
    /// 401: the route asks for a credential and there is none.
    CREDENTIAL_REQUIRED = "credential-required", "Sign in first", UNAUTHORIZED;
    /// 401: the credential is malformed, expired, revoked or of nobody.
    INVALID_CREDENTIAL = "invalid-credential", "The credential is not accepted", UNAUTHORIZED;
    /// 403: the principal lacks the scope that the route needs.
    INSUFFICIENT_SCOPE = "insufficient-scope", "A scope is missing", FORBIDDEN;
    /// 403: the principal is an app that acts for no account, and the route is for accounts.
    ACCOUNT_REQUIRED = "account-required", "An account is needed", FORBIDDEN;
    /// 408: the request did not arrive in time.
    TOO_SLOW = "too-slow", "The request came too slowly", REQUEST_TIMEOUT;
    /// 413: the body is larger than the route takes.
    BODY_TOO_LARGE = "body-too-large", "The body is too large", PAYLOAD_TOO_LARGE;
    /// 415: the route takes other media types.
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type", "Unsupported media type", UNSUPPORTED_MEDIA_TYPE;
    /// 426: the route is a WebSocket.
    UPGRADE_REQUIRED = "upgrade-required", "WebSocket required", UPGRADE_REQUIRED;
    /// 429: an address or an account asks too often.
    RATE_LIMITED = "rate-limited", "Too many requests", TOO_MANY_REQUESTS;
    /// 500: a fault of the server.
    INTERNAL = "internal", "A fault of the server", INTERNAL_SERVER_ERROR;
    /// 503: as much is being done as can be.
    OVERLOADED = "overloaded", "Too much to do", SERVICE_UNAVAILABLE;
    /// 503: no answer came in time.
    DEADLINE_EXCEEDED = "deadline-exceeded", "No answer in time", SERVICE_UNAVAILABLE;
    /// 503: the server starts, stops, or something behind it is gone.
    UNAVAILABLE = "unavailable", "Not available now", SERVICE_UNAVAILABLE;
}

/// A refusal, ready to be answered.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: &'static ProblemType,
    detail: Cow<'static, str>,
    /// Boxed, because a refusal is handed up as the `Err` of results that are mostly `Ok`.
    headers: Box<HeaderMap>,
}

impl Problem {
    /// A refusal of this kind; `detail` says what was wrong this time, and what to do.
    pub fn new(kind: &'static ProblemType, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into(), headers: Box::default() }
    }

    /// With one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// With `Retry-After` (RFC 9110 section 10.2.3): whole seconds, rounded up, at least one.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// Its type.
    pub fn kind(&self) -> &'static ProblemType {
        self.kind
    }

    /// What was wrong this time.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let ProblemType { title, status, .. } = *self.kind;
        let body = Body { r#type: self.kind.urn(), title, status: status.as_u16(), detail: &self.detail };
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.extend(*self.headers);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.extensions_mut().insert(self.kind);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_status_is_an_error() {
        let mut names: Vec<_> = ALL.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        for kind in ALL {
            assert!(kind.status.is_client_error() || kind.status.is_server_error(), "{}", kind.name);
            assert!(kind.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", kind.name);
        }
    }

    #[test]
    fn a_wait_is_rounded_up_so_that_nobody_comes_too_early() {
        for (millis, seconds) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (59_999, "60")] {
            let response =
                UNAVAILABLE.because("later").retry_after(Duration::from_millis(millis)).into_response();
            assert_eq!(response.headers()[header::RETRY_AFTER], seconds);
        }
    }
}
