//! One listener's whole front: every route of every system, and what each request meets on its way to one.
//!
//! A request is named and traced, finds its route, takes a place in its system's [`Bulkhead`], passes the [`Gate`], is
//! handled within its deadline, and is counted. What needs no waiting is done at once, the rest is one small future: layers
//! that wrap each other would cost every request a box each.

mod asked;
mod finish;
mod pages;
mod table;

use std::any::Any;
use std::convert::Infallible;
use std::future::{Future, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use axum::routing::future::RouteFuture;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper::body::Body as _;
use tokio::time::timeout_at;
use tower::{Layer as _, Service, ServiceExt as _};
use tower_http::cors::CorsLayer;
use tracing::Instrument as _;

use crate::behalf;
use crate::gate::Gate;
use crate::limit::Told;
use crate::overload::{Bulkhead, Place, Share};
use crate::problem::{self, Problem};
use crate::route::Routes;
use crate::sabotage::{self, Sabotage};
use crate::trace::TraceContext;
use crate::watch::Watch;

use asked::Asked;
pub use finish::REQUEST_ID;
use pages::Pages;
use table::{Found, Table};

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
    pages: Pages,
    table: Table,
}

impl Front {
    /// A front with this gate and no route yet.
    pub fn new(gate: Gate, settings: Settings) -> Self {
        let pages = Pages::listed(&settings.cors_origins);
        Self { gate, settings, pages, table: Table::default() }
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
        let (manner, beneath, routes) = routes.into_parts();
        for (declared, handler) in routes {
            self.table.add(declared, Arc::clone(&share), manner, handler);
        }
        self.table.speak_beneath(beneath, manner);
        self
    }

    /// Pages of every origin may call these paths and those beneath them, whatever the settings list, and may read these
    /// headers. Never with what a browser adds by itself: whoever calls shows a token, or is nobody.
    #[must_use]
    pub fn open_to_pages(
        mut self,
        beneath: impl IntoIterator<Item = &'static str>,
        expose: impl IntoIterator<Item = HeaderName>,
    ) -> Self {
        self.pages.open(beneath, expose);
        self
    }

    /// The front as it is asked.
    pub fn open(self) -> Door {
        let Self { gate, settings, pages, table } = self;
        Door(Arc::new(Inner { gate, settings, pages, table }))
    }
}

/// Answers requests. What a connection knows of its client it puts into the request's extensions:
/// [`Client`](crate::client::Client), and [`ClientCertificate`](crate::gate::ClientCertificate).
#[derive(Clone)]
pub struct Door(Arc<Inner>);

struct Inner {
    gate: Gate,
    settings: Settings,
    pages: Pages,
    table: Table,
}

impl Door {
    /// Answers one. What can be said at once is decided here; what is returned waits for the handler and finishes its answer.
    pub fn answer(&self, request: Request) -> impl Future<Output = Response> + Send + use<> {
        let inner = &*self.0;
        let found = inner.table.find(request.method(), request.uri().path());
        let (asked, trace) = Asked::of(&request, &found, &inner.settings);
        let work = match inner.pages.of(request.uri().path()) {
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
        let manner = found.manner();
        let entered = catch_unwind(AssertUnwindSafe(|| self.enter(found, begin, request, &mut told)));
        match entered {
            Ok(Ok((place, work))) => {
                let end = place.deadline(begin);
                let work = timeout_at(end, behalf::of_request(trace, end, work));
                let handled = move |outcome| match outcome {
                    Ok(outcome) => told.tell(manner, answered(outcome)),
                    Err(_) => told.tell(manner, (manner.refuse)(place.too_late())),
                };
                work.map(handled).boxed()
            }
            Ok(Err(refusal)) => ready(told.tell(manner, (manner.refuse)(refusal))).boxed(),
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
            Found::Nothing(_) => return Err(problem::NOT_FOUND.because("nothing is at this path")),
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

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = said.unwrap_or("no message"), "a handler panicked");
    problem::INTERNAL
        .because("a fault of the server; it is in its log under the request's id")
        .into_response()
}
