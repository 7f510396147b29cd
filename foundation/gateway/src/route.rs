//! Routes that say what they need, and the gate that checks it before a handler runs.
//!
//! A route cannot be declared without its [`Access`], so none is open by oversight; [`Routes::table`] lists them all,
//! for documentation and for tests that call every one without, with a wrong, and with the right scope.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::access::{Access, Authenticator, Credential, Denied, Principal, Scope};
use crate::client::Client;
use crate::limit::{Class, Limits, ORDINARY, Told};
use crate::problem::{self, Problem};
use crate::sabotage::{self, Sabotage};

/// Carries an API key.
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// How long to wait before a credential that cannot be checked now is tried again.
const UNCHECKED_WAIT: std::time::Duration = std::time::Duration::from_secs(1);

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
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No route yet.
    pub fn new() -> Self {
        Self { table: Vec::new(), handlers: Vec::new() }
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

    /// A router in which each route checks its access before its handler runs. Give it to [`front`].
    ///
    /// # Panics
    /// When a method and path were declared twice.
    pub fn guarded(self, state: S, gate: &Gate) -> Router {
        let routes = self.table.iter().zip(self.handlers);
        let router = routes.fold(Router::new(), |router, (declared, handler)| {
            let check = Check { gate: gate.clone(), access: declared.access, class: declared.class };
            router.route(declared.path, handler.route_layer(from_fn_with_state(check, pass)))
        });
        router.with_state(state)
    }
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self::new()
    }
}

/// All systems' routers as one; what none of them declared is refused as a problem.
///
/// # Panics
/// When two of them have the same route.
pub fn front(systems: impl IntoIterator<Item = Router>) -> Router {
    let all = systems.into_iter().fold(Router::new(), Router::merge);
    all.fallback(async || problem::NOT_FOUND.because("nothing is at this path")).method_not_allowed_fallback(
        async |method: Method| {
            let detail = format!("{method} is not for this path; the Allow header lists what is");
            problem::METHOD_NOT_ALLOWED.because(detail)
        },
    )
}

/// Checks who asks, by an authenticator, and how often.
#[derive(Clone)]
pub struct Gate {
    authenticator: Arc<dyn Authenticator>,
    limits: Option<Arc<Limits>>,
}

impl Gate {
    /// A gate that asks this authenticator.
    pub fn new(authenticator: Arc<dyn Authenticator>) -> Self {
        Self { authenticator, limits: None }
    }

    /// The gate, with rate limits. A client's address counts before its credential is looked at.
    #[must_use]
    pub fn limited(mut self, limits: Arc<Limits>) -> Self {
        self.limits = Some(limits);
        self
    }

    /// A gate that knows nobody: only public routes can be called.
    pub fn closed() -> Self {
        Self::new(Arc::new(Nobody))
    }
}

struct Nobody;

impl Authenticator for Nobody {
    fn authenticate(&self, _: Credential<'_>) -> Result<Arc<Principal>, Denied> {
        Err(Denied::Unknown)
    }
}

/// The certificate that the client of this connection proved to hold, DER encoded: a request extension that the
/// server sets.
#[derive(Clone, Debug)]
pub struct ClientCertificate(pub Arc<[u8]>);

/// What one route's guard needs.
#[derive(Clone)]
struct Check {
    gate: Gate,
    access: Access,
    class: Class,
}

async fn pass(State(check): State<Check>, mut request: Request, next: Next) -> Response {
    let mut told = Told::default();
    let mut response = match check.enter(&request, &mut told) {
        Ok(principal) => {
            if let Some(principal) = principal {
                request.extensions_mut().insert(principal);
            }
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    told.write(response.headers_mut());
    response
}

impl Check {
    /// Counts the request and finds out who asks.
    fn enter(&self, request: &Request, told: &mut Told) -> Result<Option<Arc<Principal>>, Problem> {
        let limits = self.gate.limits.as_deref();
        if let (Some(limits), Some(client)) = (limits, request.extensions().get::<Client>()) {
            limits.address(self.class, client.key(), told)?;
        }
        let principal = self.principal(request)?;
        if let (Some(limits), Some(principal)) = (limits, &principal) {
            limits.account(self.class, principal.account, told)?;
        }
        Ok(principal)
    }

    /// The principal if there is one; the refusal if there must be another.
    fn principal(&self, request: &Request) -> Result<Option<Arc<Principal>>, Problem> {
        let shown = credential(request.headers(), request.extensions().get());
        let found = match shown {
            Ok(Some(credential)) => self.gate.authenticator.authenticate(credential).map_err(denied),
            Ok(None) => Err(nothing_shown()),
            Err(problem) => Err(problem),
        };
        match (self.access, found) {
            (Access::Public, found) => Ok(found.ok()),
            (_, Err(problem)) => Err(problem),
            (Access::Signed, Ok(principal)) => Ok(Some(principal)),
            (Access::Scope(scope), Ok(principal)) => {
                if principal.scopes.holds(scope) || sabotage::lacks(Sabotage::ScopeUnchecked) {
                    Ok(Some(principal))
                } else {
                    Err(lacks_scope(scope))
                }
            }
        }
    }
}

/// The one credential that a request shows. RFC 6750 section 2 allows no more than one; a certificate belongs to the
/// connection, so it counts only when the request itself shows nothing.
fn credential<'a>(
    headers: &'a HeaderMap,
    certificate: Option<&'a ClientCertificate>,
) -> Result<Option<Credential<'a>>, Problem> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter().filter_map(bearer);
    let mut keys = headers.get_all(API_KEY).iter();
    match (shown.next(), shown.next(), keys.next(), keys.next()) {
        (None, None, None, None) => Ok(certificate.map(|held| Credential::Certificate(&held.0))),
        (Some(token), None, None, None) => Ok(Some(Credential::Bearer(token))),
        (None, None, Some(key), None) => Ok(Some(Credential::ApiKey(key.to_str().unwrap_or_default()))),
        _ => Err(challenge(
            problem::INVALID_REQUEST.because("more than one credential: send one token or one API key"),
            "error=\"invalid_request\"",
        )),
    }
}

/// The token of `Bearer TOKEN`; the scheme's case does not matter (RFC 9110 section 11.1). Other schemes are for the
/// route itself (a token endpoint takes Basic).
fn bearer(value: &HeaderValue) -> Option<&str> {
    let bytes = value.as_bytes();
    let scheme = bytes.get(..6)?;
    (scheme.eq_ignore_ascii_case(b"bearer") && bytes.get(6).is_none_or(|byte| *byte == b' '))
        // A token that is no visible ASCII is nobody's.
        .then(|| value.to_str().ok().and_then(|text| text.get(7..)).unwrap_or_default().trim())
}

fn nothing_shown() -> Problem {
    challenge(
        problem::CREDENTIAL_REQUIRED.because("send a token as `Authorization: Bearer`, or an API key"),
        "",
    )
}

fn denied(reason: Denied) -> Problem {
    let detail = match reason {
        Denied::Unknown => "the credential is nobody's",
        Denied::Expired => "the credential has expired: refresh it or sign in again",
        Denied::Revoked => "the credential was revoked: sign in again",
        Denied::Unavailable => {
            return problem::UNAVAILABLE
                .because("credentials cannot be checked now")
                .retry_after(UNCHECKED_WAIT);
        }
    };
    challenge(
        problem::INVALID_CREDENTIAL.because(detail),
        &format!("error=\"invalid_token\", error_description=\"{detail}\""),
    )
}

fn lacks_scope(scope: Scope) -> Problem {
    challenge(
        problem::INSUFFICIENT_SCOPE.because(format!("this needs the scope {scope}")),
        &format!("error=\"insufficient_scope\", scope=\"{scope}\""),
    )
}

/// Adds the RFC 6750 section 3 challenge.
fn challenge(problem: Problem, parameters: &str) -> Problem {
    let separator = if parameters.is_empty() { "" } else { ", " };
    let value = format!("Bearer realm=\"decalog\"{separator}{parameters}");
    let value = HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("Bearer"));
    problem.with_header(header::WWW_AUTHENTICATE, value)
}
