//! Errors as RFC 9457 problem details: every refusal of the REST door has a type, a status and a sentence.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A refusal. `type` is `urn:decalog:problem:` and a stable name; new ones are added, old ones keep their meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    kind: Kind,
    detail: String,
}

/// The kinds of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 404: no such path.
    NotFound,
    /// 404: no such instrument.
    UnknownInstrument,
    /// 405: the path knows other methods only.
    MethodNotAllowed,
    /// 400: a parameter is not what it may be.
    InvalidParameter,
    /// 426: the feed is a WebSocket.
    UpgradeRequired,
    /// 503: as many subscribers as may be.
    TooManySubscribers,
    /// 503: the server starts, stops, or a unit is halted.
    Unavailable,
}

impl Kind {
    /// Every kind, for the description of the API.
    pub const ALL: [Kind; 7] = [
        Kind::NotFound,
        Kind::UnknownInstrument,
        Kind::MethodNotAllowed,
        Kind::InvalidParameter,
        Kind::UpgradeRequired,
        Kind::TooManySubscribers,
        Kind::Unavailable,
    ];

    /// The stable name, title and status.
    pub fn parts(self) -> (&'static str, &'static str, StatusCode) {
        match self {
            Kind::NotFound => ("not-found", "No such resource", StatusCode::NOT_FOUND),
            Kind::UnknownInstrument => ("unknown-instrument", "No such instrument", StatusCode::NOT_FOUND),
            Kind::MethodNotAllowed => {
                ("method-not-allowed", "Method not allowed", StatusCode::METHOD_NOT_ALLOWED)
            }
            Kind::InvalidParameter => ("invalid-parameter", "Invalid parameter", StatusCode::BAD_REQUEST),
            Kind::UpgradeRequired => ("upgrade-required", "WebSocket required", StatusCode::UPGRADE_REQUIRED),
            Kind::TooManySubscribers => {
                ("too-many-subscribers", "Too many subscribers", StatusCode::SERVICE_UNAVAILABLE)
            }
            Kind::Unavailable => ("unavailable", "Not available now", StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

impl Problem {
    /// A refusal of this kind; `detail` says what was wrong this time, and what to do.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
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
        let (name, title, status) = self.kind.parts();
        let body = Body {
            r#type: format!("urn:decalog:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
        };
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.kind {
            Kind::UpgradeRequired => {
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            }
            Kind::TooManySubscribers | Kind::Unavailable => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}
