//! OAuth 2.1 and OpenID Connect. Each endpoint has a file; this one lists them and says how they refuse.

mod authorize;
mod clients;
mod device;
mod form;
mod metadata;
mod openapi;
mod owner;
mod page;
mod passkeys;
mod provider;
mod providers;
mod sign_in;
mod token;
mod tokens;

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use decalog_gateway::access::{Access, Scope};
use decalog_gateway::limit::Class;
use decalog_gateway::route::Routes;
use serde_json::json;

pub(crate) use clients::{grant_type, is_redirect};
pub use form::device_of;
pub use openapi::description;

use super::logon::NoLogon;
use super::service::{Identity, Trouble, seconds};
use crate::command::Refusal;

/// The class of routes on which passwords, codes and secrets are tried.
pub const SIGN_IN: Class = Class("sign-in");

/// What the endpoints share.
pub(crate) type Shared = Arc<Identity>;

/// The endpoints.
pub fn routes() -> Routes<Arc<Identity>> {
    let public = Access::Public;
    Routes::new()
        .route(Method::GET, "/.well-known/openid-configuration", public, metadata::describe)
        .route(Method::GET, "/.well-known/oauth-authorization-server", public, metadata::describe)
        .route(Method::GET, "/oauth/jwks", public, metadata::keys)
        .route(Method::GET, "/oauth/authorize", public, authorize::ask)
        .route(Method::POST, "/oauth/authorize", public, authorize::answer)
        .class(SIGN_IN)
        .route(Method::GET, "/oauth/authorize/", public, authorize::ask)
        .route(Method::POST, "/oauth/token", public, token::token)
        .class(SIGN_IN)
        .route(Method::POST, "/oauth/revoke", public, clients::revoke)
        .route(Method::POST, "/oauth/introspect", public, clients::introspect)
        .route(Method::POST, "/oauth/register", public, clients::register)
        .class(SIGN_IN)
        .route(Method::POST, "/oauth/device_authorization", public, device::authorize)
        .class(SIGN_IN)
        .route(Method::GET, "/oauth/device", public, device::ask)
        .route(Method::POST, "/oauth/device", public, device::answer)
        .class(SIGN_IN)
        .route(Method::GET, passkeys::PATH, public, passkeys::ask)
        .route(Method::POST, passkeys::PATH, public, passkeys::answer)
        .class(SIGN_IN)
        .route(Method::GET, providers::PATH, public, providers::ask)
        .route(Method::POST, providers::PATH, public, providers::answer)
        .class(SIGN_IN)
        .route(Method::GET, "/oauth/providers/{provider}/start", public, provider::start)
        .class(SIGN_IN)
        .route(Method::GET, "/oauth/providers/{provider}/callback", public, provider::come_back)
        .class(SIGN_IN)
        .route(Method::POST, "/oauth/providers/{provider}/callback", public, provider::complete)
        .class(SIGN_IN)
        .route(Method::GET, page::SCRIPT, public, page::script)
        .route(Method::GET, "/oauth/userinfo", Access::Scope(Scope("openid")), metadata::userinfo)
        .route(Method::POST, "/oauth/userinfo", Access::Scope(Scope("openid")), metadata::userinfo)
}

/// A refusal in the form of RFC 6749, section 5.2.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) error: &'static str,
    pub(crate) description: Cow<'static, str>,
    pub(crate) retry_after: Option<i64>,
}

/// A refusal with status 400.
pub(crate) fn refuse(error: &'static str, description: impl Into<Cow<'static, str>>) -> Refused {
    Refused { status: StatusCode::BAD_REQUEST, error, description: description.into(), retry_after: None }
}

impl Refused {
    fn later(retry_after: i64) -> Refused {
        Refused {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry_after: Some(retry_after.max(1)),
            ..refuse("temporarily_unavailable", "try again later")
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"decalog\""));
        }
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait));
        }
        response
    }
}

/// A page's request that is not served.
fn failed(trouble: Trouble) -> Response {
    Refused::from(trouble).into_response()
}

impl From<Trouble> for Refused {
    fn from(trouble: Trouble) -> Refused {
        let Trouble::Refused(refusal) = trouble else {
            tracing::warn!(%trouble, "an OAuth request is not served");
            return Refused::later(1);
        };
        let error = match refusal {
            Refusal::UnknownClient | Refusal::OtherClient => "invalid_grant",
            Refusal::GrantNotAllowed => "unauthorized_client",
            Refusal::ScopeExceeded => "invalid_scope",
            Refusal::Undecided => "authorization_pending",
            Refusal::Denied => "access_denied",
            Refusal::TooMany => return Refused::later(60),
            Refusal::Invalid => "invalid_request",
            _ => "invalid_grant",
        };
        refuse(error, refusal.name())
    }
}

impl Identity {
    /// A refused logon, as the password grant says it.
    pub(crate) fn no_logon(&self, why: NoLogon) -> Refused {
        match why {
            NoLogon::Wrong | NoLogon::Ended => refuse("invalid_grant", "name, password or code is wrong"),
            NoLogon::SecondFactorNeeded { .. } => refuse("invalid_grant", "a one-time code is needed"),
            NoLogon::Later(until) => Refused {
                status: StatusCode::TOO_MANY_REQUESTS,
                retry_after: Some(seconds(until - self.now()).max(1)),
                ..refuse("invalid_grant", "too many failed logons: try again later")
            },
            NoLogon::Busy => Refused::later(1),
            NoLogon::Trouble(trouble) => trouble.into(),
        }
    }
}
