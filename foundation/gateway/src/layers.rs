//! What every route gets without asking: a request id, a trace, security headers, CORS, compression, a bound on bodies,
//! and refusals that are problems, a handler's panic included.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower::util::option_layer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate as _, SizeAbove};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument as _;

use crate::client::Client;
use crate::problem::{self, Problem, ProblemType};
use crate::route::API_KEY;
use crate::sabotage::{self, Sabotage};
use crate::trace::TRACEPARENT;
use crate::watch::{Answered, UnderWay, Watch, known};

/// Names a request, in answers and log lines.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Names the route of a request that no route takes.
const NO_ROUTE: &str = "none";
/// Answers below this are not worth compressing.
const COMPRESS_ABOVE: u64 = 1_024;
/// How long a browser may remember what CORS allows.
const CORS_AGE: Duration = Duration::from_secs(3_600);
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

/// The request's id: a request extension.
#[derive(Clone, Debug)]
pub struct RequestId(pub HeaderValue);

/// What the layers are told.
#[derive(Clone)]
pub struct Layers {
    /// Origins (`https://example.org`) whose pages may call; none: no other page may.
    pub cors_origins: Vec<HeaderValue>,
    /// The largest body that a handler is given, unless its route sets a bound of its own.
    pub max_body_bytes: usize,
    /// Write a log line for each request? Failures are always written.
    pub access_log: bool,
    /// Who is told of requests.
    pub watch: Arc<dyn Watch>,
}

impl Layers {
    /// Puts the layers around all routes of a [`front`](crate::route::front), as one: each layer that a router is given by
    /// itself costs a box for every request.
    pub fn around(self, router: Router) -> Router {
        let limit = if sabotage::lacks(Sabotage::BodyUnbounded) {
            DefaultBodyLimit::disable()
        } else {
            DefaultBodyLimit::max(self.max_body_bytes)
        };
        let compress = DefaultPredicate::new().and(SizeAbove::new(COMPRESS_ABOVE));
        let cors = (!self.cors_origins.is_empty()).then(|| cors(&self.cors_origins));
        router.layer((
            from_fn_with_state(Arc::new(self), observe),
            option_layer(cors),
            CompressionLayer::new().compress_when(compress),
            CatchPanicLayer::custom(panicked),
            limit,
        ))
    }
}

fn cors(origins: &[HeaderValue]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, API_KEY, TRACEPARENT, REQUEST_ID])
        .expose_headers([
            REQUEST_ID,
            header::RETRY_AFTER,
            header::WWW_AUTHENTICATE,
            HeaderName::from_static("ratelimit"),
            HeaderName::from_static("ratelimit-policy"),
            HeaderName::from_static("decalog-offset"),
        ])
        .max_age(CORS_AGE)
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = said.unwrap_or("no message"), "a handler panicked");
    problem::INTERNAL
        .because("a fault of the server; it is in its log under the request's id")
        .into_response()
}

async fn observe(State(layers): State<Arc<Layers>>, mut request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let id = request_id(request.headers());
    let parent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok()?.parse().ok());
    let method = request.method().clone();
    let client = request.extensions().get::<Client>().copied();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let route = path.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let span = tracing::info_span!(
        "request",
        otel.name = %format_args!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
        trace = tracing::field::Empty,
        id = id.to_str().unwrap_or_default(),
        status = tracing::field::Empty,
    );
    let trace = layers.watch.began(&span, parent);
    span.record("trace", tracing::field::display(trace));
    request.extensions_mut().insert(RequestId(id.clone()));
    request.extensions_mut().insert(trace);
    let under_way = UnderWay(&*layers.watch);
    let mut response = next.run(request).instrument(span.clone()).await;
    if response.status().is_client_error() || response.status().is_server_error() {
        response = shaped(response).await;
    }
    let status = response.status();
    finish(response.headers_mut(), id, client.is_some_and(|client| client.secure));
    drop(under_way);
    let took = begin.elapsed();
    let problem = response.extensions().get::<&'static ProblemType>().map(|kind| kind.name);
    layers.watch.answered(Answered { route, method: known(&method), status, problem, took });
    let _entered = span.enter();
    let (status, micros) = (status.as_u16(), took.as_micros());
    let address = client.map(|client| tracing::field::display(client.address));
    span.record("status", i64::from(status));
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
        tracing::warn!(status, micros, client = address, "answered");
    } else if layers.access_log {
        tracing::info!(status, micros, client = address, "answered");
    }
    response
}

/// The client's own id if it is harmless, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    match headers.get(REQUEST_ID) {
        Some(given) if (1..=64).contains(&given.len()) && given.as_bytes().iter().all(harmless) => {
            given.clone()
        }
        _ => HeaderValue::try_from(format!("{:032x}", fastrand::u128(..))).expect("hexadecimal digits"),
    }
}

fn finish(headers: &mut HeaderMap, id: HeaderValue, secure: bool) {
    headers.insert(REQUEST_ID, id);
    for (name, value) in &SECURITY {
        if !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    if secure {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(TRANSPORT_SECURITY);
    }
}

/// A refusal that some extractor wrote as plain text becomes a problem; every other form is its route's own.
async fn shaped(response: Response) -> Response {
    let plain = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let Some(kind) = plain.then(|| kind(response.status())).flatten() else { return response };
    let (mut parts, body) = response.into_parts();
    let said = axum::body::to_bytes(body, DETAIL_BYTES).await.unwrap_or_default();
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
