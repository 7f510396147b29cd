//! Routes that say what they need of a caller.
//!
//! A route cannot be declared without its [`Access`], so none is open by oversight; [`Routes::table`] lists them all,
//! for documentation and for tests that call every one without, with a wrong, and with the right scope.

use axum::handler::Handler;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::access::Access;
use crate::limit::{Class, Left, ORDINARY};
use crate::problem::Problem;

/// How a protocol says that something is refused.
pub type Refuse = fn(Problem) -> Response;

/// How a protocol speaks where the gateway answers for it.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    /// What is refused.
    pub(crate) refuse: Refuse,
    /// What is left of a limit, beside `RateLimit`.
    pub(crate) limited: fn(Left, &mut HeaderMap),
}

impl Default for Manner {
    fn default() -> Self {
        Self { refuse: |problem| problem.into_response(), limited: |_, _| {} }
    }
}

/// One declared route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The method; GET answers HEAD too.
    pub method: Method,
    /// The path's template (`/v1/instruments/{symbol}`).
    pub path: &'static str,
    /// What it asks of the caller.
    pub access: Access,
    /// What it is counted with.
    pub class: Class,
}

/// A system's routes, with the state `S` that its handlers share.
pub struct Routes<S> {
    table: Vec<Declared>,
    handlers: Vec<MethodRouter<S>>,
    manner: Manner,
    beneath: &'static [&'static str],
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No route yet.
    pub fn new() -> Self {
        Self { table: Vec::new(), handlers: Vec::new(), manner: Manner::default(), beneath: &[] }
    }

    /// What is refused on the way to these routes is said so, in their protocol's own form, and not as a problem. Holds for
    /// those that are merged in, too.
    #[must_use]
    pub fn refusing(mut self, refuse: Refuse) -> Self {
        self.manner.refuse = refuse;
        self
    }

    /// What is left of the limit that comes first is also said so, in the headers of each answer.
    #[must_use]
    pub fn telling_limits(mut self, limited: fn(Left, &mut HeaderMap)) -> Self {
        self.manner.limited = limited;
        self
    }

    /// These paths and those beneath them are this protocol's, also where no route is.
    #[must_use]
    pub fn beneath(mut self, paths: &'static [&'static str]) -> Self {
        self.beneath = paths;
        self
    }

    /// Declares a route. The handler finds an `Extension<Arc<Principal>>` when there is a valid credential.
    ///
    /// # Panics
    /// When the method is none that HTTP defines.
    #[must_use]
    pub fn route<H, T>(mut self, method: Method, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("a method that HTTP defines");
        self.table.push(Declared { method, path, access, class: ORDINARY });
        self.handlers.push(on(filter, handler));
        self
    }

    /// Counts the route declared last with this class of routes.
    #[must_use]
    pub fn class(mut self, class: Class) -> Self {
        if let Some(last) = self.table.last_mut() {
            last.class = class;
        }
        self
    }

    /// Every declared route, in order.
    pub fn table(&self) -> &[Declared] {
        &self.table
    }

    /// These, and then those of another part of the same system.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.table.extend(other.table);
        self.handlers.extend(other.handlers);
        self
    }

    /// The routes with the state that their handlers share, ready for a [`Front`](crate::front::Front).
    #[must_use]
    pub fn with_state(self, state: S) -> Routes<()> {
        let handlers = self.handlers.into_iter().map(|handler| handler.with_state(state.clone()));
        let (manner, beneath) = (self.manner, self.beneath);
        Routes { table: self.table, handlers: handlers.collect(), manner, beneath }
    }
}

impl Routes<()> {
    /// How they speak, which paths are theirs, and each route with its handler.
    pub(crate) fn into_parts(
        self,
    ) -> (Manner, &'static [&'static str], impl Iterator<Item = (Declared, MethodRouter)>) {
        (self.manner, self.beneath, self.table.into_iter().zip(self.handlers))
    }
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a path is this one or beneath it.
pub(crate) fn is_beneath(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
