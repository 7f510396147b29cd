//! What every answer gets: the request's id, security headers, compression for those who take it, and refusals that are
//! problems.

use std::convert::Infallible;
use std::future::ready;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use tower::{Layer as _, ServiceExt as _};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate as _, SizeAbove};

use crate::problem::{self, Problem, ProblemType};

/// Names a request, in answers and log lines.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// As many headers as an answer gets beside its own: those of this module and of rate limits.
pub(super) const HEADERS: usize = 8;
/// Answers below this are not worth compressing.
const COMPRESS_ABOVE: u64 = 1_024;
/// The longest text of a handler's refusal that becomes a problem's detail.
const DETAIL_BYTES: usize = 1_024;

/// What is set on every answer that has not its own.
const SECURITY: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];
const TRANSPORT_SECURITY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// What the answer to a request must heed, kept from the request's head.
pub(super) struct Wishes {
    id: HeaderValue,
    /// `Accept-Encoding`.
    encodings: Option<HeaderValue>,
}

impl Wishes {
    pub(super) fn of(request: &Request) -> Self {
        let encodings = request.headers().get(header::ACCEPT_ENCODING).cloned();
        Self { id: request_id(request.headers()), encodings }
    }

    /// The request's id.
    pub(super) fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// The answer as it is sent.
    pub(super) async fn finish(self, mut response: Response, secure: bool) -> Response {
        if response.status().is_client_error() || response.status().is_server_error() {
            response = shaped(response).boxed().await;
        }
        let worth = SizeAbove::new(COMPRESS_ABOVE).and(DefaultPredicate::new());
        if worth.should_compress(&response) {
            response = compressed(response, self.encodings).boxed().await;
        }
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, self.id);
        for (name, value) in &SECURITY {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        if secure {
            headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(TRANSPORT_SECURITY);
        }
        response
    }
}

/// The client's own id if it is harmless, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    match headers.get(REQUEST_ID) {
        Some(given) if (1..=64).contains(&given.len()) && given.as_bytes().iter().all(harmless) => {
            given.clone()
        }
        _ => {
            let id = hexadecimal(fastrand::u128(..));
            HeaderValue::from_bytes(&id).expect("hexadecimal digits")
        }
    }
}

fn hexadecimal(number: u128) -> [u8; 32] {
    let bytes = number.to_be_bytes();
    std::array::from_fn(|place| {
        let digit = bytes[place / 2] >> (4 * (1 - place % 2)) & 0xf;
        b"0123456789abcdef"[usize::from(digit)]
    })
}

/// Compresses an answer, if the client takes it so.
async fn compressed(response: Response, encodings: Option<HeaderValue>) -> Response {
    let mut asked = Request::new(());
    asked.headers_mut().extend(encodings.map(|encodings| (header::ACCEPT_ENCODING, encodings)));
    let mut response = Some(response);
    let inside =
        tower::service_fn(|_| ready(Ok::<_, Infallible>(response.take().expect("it is asked once"))));
    let answer = CompressionLayer::new().layer(inside).oneshot(asked).await;
    answer.unwrap_or_else(|never| match never {}).map(Body::new)
}

/// A refusal that some extractor wrote as plain text becomes a problem; every other form is its route's own.
async fn shaped(response: Response) -> Response {
    let plain = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let Some(kind) = plain.then(|| kind(response.status())).flatten() else { return response };
    let (mut parts, body) = response.into_parts();
    let said = to_bytes(body, DETAIL_BYTES).await.unwrap_or_default();
    let detail = match std::str::from_utf8(&said) {
        Ok(text) if !text.is_empty() && !kind.status.is_server_error() => text.to_owned(),
        _ => kind.title.to_owned(),
    };
    parts.headers.remove(header::CONTENT_TYPE);
    parts.headers.remove(header::CONTENT_LENGTH);
    let mut answer = Problem::new(kind, detail).into_response();
    for (name, value) in &parts.headers {
        answer.headers_mut().entry(name.clone()).or_insert(value.clone());
    }
    *answer.status_mut() = kind.status;
    answer.map(Body::new)
}

fn kind(status: StatusCode) -> Option<&'static ProblemType> {
    Some(match status {
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => &problem::INVALID_REQUEST,
        StatusCode::NOT_FOUND => &problem::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED => &problem::METHOD_NOT_ALLOWED,
        StatusCode::PAYLOAD_TOO_LARGE => &problem::BODY_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => &problem::UNSUPPORTED_MEDIA_TYPE,
        StatusCode::INTERNAL_SERVER_ERROR => &problem::INTERNAL,
        StatusCode::SERVICE_UNAVAILABLE => &problem::UNAVAILABLE,
        _ => return None,
    })
}
