//! Who watches the requests: this crate says when one begins and how it is answered, and knows no metric and no exporter.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use tracing::Span;

use crate::trace::TraceContext;

/// Is told of every request, on the server's own threads: it must be quick.
pub trait Watch: Send + Sync + 'static {
    /// A request began with this span; says which place in a trace the span is. `parent` is what the client sent.
    fn began(&self, span: &Span, parent: Option<TraceContext>) -> TraceContext;

    /// A request is no longer under way: it was answered, or its client went away.
    fn ended(&self);

    /// A connection was turned away before it could ask anything: why, in a few fixed words.
    fn turned_away(&self, why: &'static str);

    /// A request was answered: by this route's template (`none` when no route took it), within this time.
    fn answered(&self, answered: Answered);
}

/// How a request was answered. Nothing here was chosen by a stranger, so each may become a label.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// The route's template, never the path.
    pub route: &'static str,
    /// The method, or `other` for one that a client made up.
    pub method: &'static str,
    /// The answer's status.
    pub status: StatusCode,
    /// The problem's name when the gateway or a system refused with one ([`crate::problem::ProblemType::name`]).
    pub problem: Option<&'static str>,
    /// From the request's head to the answer's.
    pub took: Duration,
}

/// Nobody watches.
impl Watch for () {
    fn began(&self, _span: &Span, parent: Option<TraceContext>) -> TraceContext {
        parent.map_or_else(TraceContext::root, TraceContext::child)
    }

    fn ended(&self) {}

    fn turned_away(&self, _why: &'static str) {}

    fn answered(&self, _answered: Answered) {}
}

/// A method by its name, if HTTP defines it: a client may make up any.
pub(crate) fn known(method: &Method) -> &'static str {
    const ALL: [(Method, &str); 7] = [
        (Method::GET, "GET"),
        (Method::HEAD, "HEAD"),
        (Method::POST, "POST"),
        (Method::PUT, "PUT"),
        (Method::PATCH, "PATCH"),
        (Method::DELETE, "DELETE"),
        (Method::OPTIONS, "OPTIONS"),
    ];
    ALL.iter().find(|(known, _)| known == method).map_or("other", |(_, name)| name)
}

/// A request under way; one whose client goes away is not under way either.
pub(crate) struct UnderWay(pub(crate) Arc<dyn Watch>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.ended();
    }
}
