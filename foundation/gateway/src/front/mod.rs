//! One listener's whole front: every route of every system, and what each request meets on its way to one.
//!
//! A request is named and traced, finds its route, takes a place in its system's [`Bulkhead`], passes the [`Gate`], is
//! handled within its deadline, and is counted. What needs no waiting is done at once, the rest is one small future: layers
//! that wrap each other would cost every request a box each.

mod asked;
mod finish;
mod table;

use std::any::Any;
use std::convert::Infallible;
use std::future::{Future, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::future::RouteFuture;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper::body::Body as _;
use tokio::time::timeout_at;
use tower::{Layer as _, Service, ServiceExt as _};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument as _;

use crate::behalf;
use crate::gate::{API_KEY, Gate};
use crate::limit::{RATELIMIT, RATELIMIT_POLICY, Told};
use crate::overload::{Bulkhead, Place, Share};
use crate::problem::{self, Problem};
use crate::route::Routes;
use crate::sabotage::{self, Sabotage};
use crate::trace::{TRACEPARENT, TraceContext};
use crate::watch::Watch;

use asked::Asked;
pub use finish::REQUEST_ID;
use table::{Found, Table};

/// How long a browser may remember what CORS allows.
const CORS_AGE: Duration = Duration::from_secs(3_600);

/// What a front is told.
#[derive(Clone)]
pub struct Settings {
    /// Origins (`https://example.org`) whose pages may call; none: no other page may.
    pub cors_origins: Vec<HeaderValue>,
    /// The largest body that a handler is given, unless its route sets a bound of its own.
    pub max_body_bytes: usize,
    /// Write a log line for each request? Failures are always written.
    pub access_log: bool,
    /// Who is told of requests.
    pub watch: Arc<dyn Watch>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { cors_origins: Vec::new(), max_body_bytes: 1 << 20, access_log: false, watch: Arc::new(()) }
    }
}

/// A front that is being put together.
pub struct Front {
    gate: Gate,
    settings: Settings,
    table: Table,
}

impl Front {
    /// A front with this gate and no route yet.
    pub fn new(gate: Gate, settings: Settings) -> Self {
        Self { gate, settings, table: Table::default() }
    }

    /// With these routes, which take as much as they like.
    ///
    /// # Panics
    /// When one of them is there already.
    #[must_use]
    pub fn with(self, routes: Routes<()>) -> Self {
        self.with_system(Bulkhead::unbounded(), routes)
    }

    /// With a system's routes, which share its places.
    ///
    /// # Panics
    /// When one of them is there already.
    #[must_use]
    pub fn with_system(mut self, bulkhead: Bulkhead, routes: Routes<()>) -> Self {
        let share = Share::of(bulkhead);
        let (refuse, routes) = routes.into_parts();
        for (declared, handler) in routes {
            self.table.add(declared, Arc::clone(&share), refuse, handler);
        }
        self
    }

    /// The front as it is asked.
    pub fn open(self) -> Door {
        let Self { gate, settings, table } = self;
        let cors = (!settings.cors_origins.is_empty()).then(|| cors(&settings.cors_origins));
        Door(Arc::new(Inner { gate, settings, cors, table }))
    }
}

/// Answers requests. What a connection knows of its client it puts into the request's extensions:
/// [`Client`](crate::client::Client), and [`ClientCertificate`](crate::gate::ClientCertificate).
#[derive(Clone)]
pub struct Door(Arc<Inner>);

struct Inner {
    gate: Gate,
    settings: Settings,
    cors: Option<CorsLayer>,
    table: Table,
}

impl Door {
    /// Answers one. What can be said at once is decided here; what is returned waits for the handler and finishes its answer.
    pub fn answer(&self, request: Request) -> impl Future<Output = Response> + Send + use<> {
        let inner = &*self.0;
        let found = inner.table.find(request.method(), request.uri().path());
        let (asked, trace) = Asked::of(&request, &found, &inner.settings);
        let work = match &inner.cors {
            None => asked.span.in_scope(|| self.admit(found, asked.begin, trace, request)),
            Some(cors) => self.for_pages(cors, asked.begin, trace, request),
        };
        let work = AssertUnwindSafe(work.instrument(asked.span.clone())).catch_unwind();
        work.then(|outcome| asked.answered(outcome.unwrap_or_else(panicked)))
    }

    /// Tells browsers which other pages may call.
    fn for_pages(
        &self,
        cors: &CorsLayer,
        begin: Instant,
        trace: TraceContext,
        request: Request,
    ) -> BoxFuture<'static, Response> {
        let door = self.clone();
        let inside = tower::service_fn(move |request: Request| {
            let found = door.0.table.find(request.method(), request.uri().path());
            door.admit(found, begin, trace, request).map(Ok::<_, Infallible>)
        });
        cors.layer(inside)
            .oneshot(request)
            .map(|outcome| outcome.unwrap_or_else(|never| match never {}))
            .boxed()
    }

    /// To the handler, if there is one, a place for the request, and leave.
    fn admit(
        &self,
        found: Found<'_>,
        begin: Instant,
        trace: TraceContext,
        request: Request,
    ) -> BoxFuture<'static, Response> {
        let mut told = Told::default();
        let refuse = found.refuse();
        let entered = catch_unwind(AssertUnwindSafe(|| self.enter(found, begin, request, &mut told)));
        match entered {
            Ok(Ok((place, work))) => {
                let end = place.deadline(begin);
                let work = timeout_at(end, behalf::of_request(trace, end, work));
                let handled = move |outcome| match outcome {
                    Ok(outcome) => told.tell(answered(outcome)),
                    Err(_) => told.tell(refuse(place.too_late())),
                };
                work.map(handled).boxed()
            }
            Ok(Err(refusal)) => ready(told.tell(refuse(refusal))).boxed(),
            Err(panic) => ready(panicked(panic)).boxed(),
        }
    }

    /// The handler's work and the place that it takes, or why there is none.
    fn enter(
        &self,
        found: Found<'_>,
        now: Instant,
        mut request: Request,
        told: &mut Told,
    ) -> Result<(Place, RouteFuture<Infallible>), Problem> {
        let entry = match found {
            Found::Route(entry) => entry,
            Found::OtherMethods(there) => return Err(table::other_methods(request.method(), there)),
            Found::Nothing => return Err(problem::NOT_FOUND.because("nothing is at this path")),
        };
        let place = entry.share.enter()?;
        if let Some(principal) = self.0.gate.enter(&entry.declared, &request, now, told)? {
            request.extensions_mut().insert(principal);
        }
        self.bound(&mut request);
        Ok((place, entry.handler.clone().call(request)))
    }

    /// Tells the handler how large a body may be.
    fn bound(&self, request: &mut Request) {
        if request.body().is_end_stream() {
            return;
        }
        let limit = if sabotage::lacks(Sabotage::BodyUnbounded) {
            DefaultBodyLimit::disable()
        } else {
            DefaultBodyLimit::max(self.0.settings.max_body_bytes)
        };
        limit.apply(request);
    }
}

impl Service<Request> for Door {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.answer(request).map(Ok).boxed()
    }
}

/// The answer, with room for the headers that it gets.
fn answered(outcome: Result<Response, Infallible>) -> Response {
    let mut response = outcome.unwrap_or_else(|never| match never {});
    response.headers_mut().reserve(finish::HEADERS);
    response
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
            RATELIMIT,
            RATELIMIT_POLICY,
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
