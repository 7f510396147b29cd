//! The gate before every route: how often, who asks, and whether the route is for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::access::{Access, Authenticator, Credential, Denied, Principal, Scope};
use crate::client::Client;
use crate::limit::{Limits, Told};
use crate::problem::{self, Problem};
use crate::route::Declared;
use crate::sabotage::{self, Sabotage};

/// Carries an API key.
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// How long to wait before a credential that cannot be checked now is tried again.
const UNCHECKED_WAIT: Duration = Duration::from_secs(1);

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

impl Gate {
    /// Counts the request and finds out who asks; the refusal if the route is not for them, or not now.
    pub(crate) fn enter(
        &self,
        route: &Declared,
        request: &Request,
        now: Instant,
        told: &mut Told,
    ) -> Result<Option<Arc<Principal>>, Problem> {
        let limits = self.limits.as_deref();
        if let (Some(limits), Some(client)) = (limits, request.extensions().get::<Client>()) {
            limits.address(route.class, client.key(), now, told)?;
        }
        let principal = self.principal(route.access, request)?;
        if let (Some(limits), Some(principal)) = (limits, &principal) {
            // Apps that act for no account are counted each by itself, by what is no account's id either.
            let counted = if principal.has_account() { principal.account } else { principal.session };
            limits.account(route.class, counted, now, told)?;
        }
        Ok(principal)
    }

    /// The principal if there is one; the refusal if there must be another.
    fn principal(&self, access: Access, request: &Request) -> Result<Option<Arc<Principal>>, Problem> {
        let shown = credential(request.headers(), request.extensions().get());
        let found = match shown {
            Ok(Some(credential)) => self.authenticator.authenticate(credential).map_err(denied),
            Ok(None) if access == Access::Public => return Ok(None),
            Ok(None) => Err(nothing_shown()),
            Err(problem) => Err(problem),
        };
        if access == Access::Public {
            return Ok(found.ok().filter(|principal| principal.has_account()));
        }
        let principal = found?;
        if access.needs_account() && !principal.has_account() && !sabotage::lacks(Sabotage::AppsLetIn) {
            return Err(needs_account());
        }
        match access.lacking(&principal.scopes) {
            Some(scope) if !sabotage::lacks(Sabotage::ScopeUnchecked) => Err(lacks_scope(scope)),
            _ => Ok(Some(principal)),
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
        // A token that is no text is nobody's.
        .then(|| std::str::from_utf8(bytes.get(7..).unwrap_or_default()).unwrap_or_default().trim())
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

fn needs_account() -> Problem {
    problem::ACCOUNT_REQUIRED
        .because("the token is an app's own: sign somebody in, and use the token of that")
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
