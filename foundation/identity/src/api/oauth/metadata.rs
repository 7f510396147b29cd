//! What clients discover: the server's description (RFC 8414, OpenID Connect Discovery), its keys (RFC 7517, 8037), and
//! who a token is about.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use decalog_gateway::access::{Principal, Scope};
use serde_json::{Value, json};

use super::Shared;
use crate::value::CONTENT;

pub(super) async fn describe(State(identity): State<Shared>) -> Json<Value> {
    let issuer = &identity.settings.issuer;
    let at = |path: &str| format!("{issuer}{path}");
    let settings = &identity.settings;
    let known = settings.rights.iter().chain(&settings.apps.scopes).map(String::as_str);
    let scopes: BTreeSet<&str> = CONTENT.into_iter().chain(known).collect();
    let mut description = json!({
        "issuer": issuer,
        "authorization_endpoint": at("/oauth/authorize"),
        "token_endpoint": at("/oauth/token"),
        "revocation_endpoint": at("/oauth/revoke"),
        "introspection_endpoint": at("/oauth/introspect"),
        "device_authorization_endpoint": at("/oauth/device_authorization"),
        "userinfo_endpoint": at("/oauth/userinfo"),
        "jwks_uri": at("/oauth/jwks"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            "authorization_code", "refresh_token", "client_credentials", "password", super::token::DEVICE_CODE,
        ],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "authorization_response_iss_parameter_supported": true,
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "preferred_username"],
    });
    if identity.settings.open_registration {
        description["registration_endpoint"] = at("/oauth/register").into();
    }
    // A name of the protocol that such apps speak.
    if let Some(path) = settings.apps.registration {
        description["app_registration_endpoint"] = at(path).into();
    }
    Json(description)
}

pub(super) async fn keys(State(identity): State<Shared>) -> impl IntoResponse {
    let picture = identity.principals.look();
    let mut keys: Vec<_> = picture.trusted().collect();
    keys.sort_by_key(|(_, key)| key.signs_from);
    let keys: Vec<Value> = keys
        .into_iter()
        .map(|(kid, key)| {
            let x = URL_SAFE_NO_PAD.encode(&key.public);
            json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": x })
        })
        .collect();
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(json!({ "keys": keys })))
}

pub(super) async fn userinfo(Extension(who): Extension<Arc<Principal>>) -> Json<Value> {
    let mut claims = json!({ "sub": who.account.to_string() });
    if who.scopes.holds(Scope("profile")) {
        claims["preferred_username"] = (*who.name).into();
    }
    Json(claims)
}
