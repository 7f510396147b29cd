//! A request on its way: what is said of it when it is answered.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::Request;
use axum::response::Response;
use tracing::Span;

use super::Settings;
use super::finish::Wishes;
use super::table::Found;
use crate::client::Client;
use crate::problem::ProblemType;
use crate::trace::{TRACEPARENT, TraceContext};
use crate::watch::{Answered, UnderWay, known};

/// Names the route of a request that no route takes.
const NO_ROUTE: &str = "none";

/// A request that began and is not answered yet.
pub(super) struct Asked {
    pub(super) begin: Instant,
    pub(super) span: Span,
    route: &'static str,
    method: &'static str,
    client: Option<Client>,
    wishes: Wishes,
    access_log: bool,
    under_way: UnderWay,
}

impl Asked {
    /// It begins, at this place in a trace.
    pub(super) fn of(request: &Request, found: &Found<'_>, settings: &Settings) -> (Self, TraceContext) {
        let begin = Instant::now();
        let wishes = Wishes::of(request);
        let parent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok()?.parse().ok());
        let method = known(request.method());
        let route = found.template().unwrap_or(NO_ROUTE);
        let span = tracing::info_span!(
            "request",
            otel.name = %format_args!("{method} {route}"),
            otel.kind = "server",
            otel.status_code = tracing::field::Empty,
            trace = tracing::field::Empty,
            id = wishes.id(),
            status = tracing::field::Empty,
        );
        let trace = settings.watch.began(&span, parent);
        span.record("trace", tracing::field::display(trace));
        let client = request.extensions().get::<Client>().copied();
        let (access_log, under_way) = (settings.access_log, UnderWay(Arc::clone(&settings.watch)));
        (Self { begin, span, route, method, client, wishes, access_log, under_way }, trace)
    }

    /// It ends with this answer, which is finished and counted.
    pub(super) async fn answered(self, response: Response) -> Response {
        let Self { begin, span, route, method, client, wishes, access_log, under_way } = self;
        let response = wishes.finish(response, client.is_some_and(|client| client.secure)).await;
        let (status, took) = (response.status(), begin.elapsed());
        let problem = response.extensions().get::<&'static ProblemType>().map(|kind| kind.name);
        under_way.0.answered(Answered { route, method, status, problem, took });
        drop(under_way);
        let _entered = span.enter();
        let (status, micros) = (status.as_u16(), took.as_micros());
        let address = client.map(|client| tracing::field::display(client.address));
        span.record("status", i64::from(status));
        if status >= 500 {
            span.record("otel.status_code", "ERROR");
            tracing::warn!(status, micros, client = address, "answered");
        } else if access_log {
            tracing::info!(status, micros, client = address, "answered");
        }
        response
    }
}
