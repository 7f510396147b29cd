//! What the OpenAPI description says of OAuth 2.1 and OpenID Connect. What the RFCs define is not told again: each operation
//! names its own.

use axum::http::StatusCode;
use decalog_gateway::openapi::{
    Description, FORM, HTML, JSON, Operation, in_path, in_query, item, object, paths, schema, schemas,
};
use serde_json::{Map, Value, json};

/// OAuth's part of the description.
pub fn description() -> Description {
    let metadata =
        |id| item([("get", answers(Operation::new(id, "The server's metadata (RFC 8414, OIDC Discovery)")))]);
    let userinfo = |id| answers(Operation::new(id, "Who the token is about (OIDC Core, 5.3)"));
    let keys = answers(Operation::new("getKeys", "The keys that sign (RFC 7517)"));
    let script = Operation::new("getPasskeyScript", "The script of the pages where a passkey can be used");
    let script = script.answers(StatusCode::OK, "A script", "text/javascript", json!({ "type": "string" }));
    let authorize = "The authorization endpoint, for browsers (RFC 6749)";
    let device = "Where a person lets a device in (RFC 8628)";
    let mut all = paths([
        ("/.well-known/openid-configuration", metadata("getOpenIdConfiguration")),
        ("/.well-known/oauth-authorization-server", metadata("getOAuthMetadata")),
        ("/oauth/jwks", item([("get", keys)])),
        ("/oauth/authorize", pages("askAuthorization", "answerAuthorization", authorize)),
        ("/oauth/authorize/", item([("get", page("askAuthorizationToo", "The same: some clients ask so"))])),
        ("/oauth/device", pages("askDeviceCode", "answerDeviceCode", device)),
        (
            "/oauth/passkeys",
            pages("askPasskeys", "answerPasskeys", "Where a person adds and removes passkeys"),
        ),
        (
            "/oauth/providers",
            pages(
                "askProviders",
                "answerProviders",
                "Where a person links outside providers to their account",
            ),
        ),
        ("/oauth/providers/{provider}/start", there()),
        ("/oauth/providers/{provider}/callback", and_back()),
        ("/oauth/passkey.js", item([("get", script)])),
        ("/oauth/userinfo", item([("get", userinfo("getUserInfo")), ("post", userinfo("postUserInfo"))])),
    ]);
    all.append(&mut for_clients());
    let error =
        object(&[("error", json!({ "type": "string" })), ("error_description", json!({ "type": "string" }))]);
    Description { paths: all, schemas: schemas([("OAuthError", error)]), ..Description::default() }
}

/// The way to an outside provider.
fn there() -> Value {
    let summary = "Sign in through an outside provider: the way there";
    let start = way(Operation::new("startProviderSignIn", summary))
        .parameters(&[name(), in_query("back", "Which of our pages to go on to", text())]);
    item([("get", start)])
}

/// The way back from it (OpenID Connect Core, 3.1.2.5), and the second factor.
fn and_back() -> Value {
    let back = way(Operation::new("finishProviderSignIn", "The way back from an outside provider"))
        .answers(StatusCode::OK, "A page, which may ask for a second factor", HTML, text())
        .answers(StatusCode::CONFLICT, "A page that says why not", HTML, text())
        .parameters(&[
            name(),
            in_query("state", "As it was sent along", text()),
            in_query("code", "What the provider gives for tokens", text()),
            in_query("error", "Why it does not", text()),
            in_query("iss", "Who answers (RFC 9207)", text()),
        ]);
    let complete = way(Operation::new("completeProviderSignIn", "The second factor after a provider's word"))
        .answers(StatusCode::OK, "The page again", HTML, text())
        .parameters(&[name()])
        .takes(FORM, form(&["action", "otp", "passkey"]));
    item([("get", back), ("post", complete)])
}

fn name() -> Value {
    in_path("provider", "The provider's name in the configuration")
}

fn text() -> Value {
    json!({ "type": "string" })
}

/// What a step on the way to an outside provider may end with.
fn way(operation: Operation) -> Operation {
    let why = "A page that says why not";
    let refusals = [
        StatusCode::BAD_REQUEST,
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::NOT_FOUND,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    let operation = refused(operation).answers_nothing(StatusCode::SEE_OTHER, "To the provider, or on");
    refusals.into_iter().fold(operation, |operation, status| operation.answers(status, why, HTML, text()))
}

/// What clients call, with their own credentials.
fn for_clients() -> Map<String, Value> {
    let post = |operation: Operation| item([("post", refused(operation))]);
    let sent = form(&[
        "grant_type",
        "code",
        "redirect_uri",
        "code_verifier",
        "refresh_token",
        "device_code",
        "username",
        "password",
        "otp",
        "scope",
    ]);
    let token = answers(Operation::new("getToken", "The token endpoint (RFC 6749, 8628)"));
    let token = token.takes(FORM, sent.clone()).takes(JSON, sent);
    let about_token = |id, summary| answers(Operation::new(id, summary)).takes(FORM, form(&["token"]));
    let revoke = about_token("revokeToken", "Revocation (RFC 7009)").takes(JSON, form(&["token"]));
    let register = Operation::new("register", "Dynamic client registration (RFC 7591)")
        .takes(JSON, json!({ "type": "object" }))
        .answers(StatusCode::CREATED, "Registered", JSON, json!({ "type": "object" }))
        .answers(StatusCode::FORBIDDEN, "Only administrators register clients", JSON, schema("OAuthError"));
    let device = answers(Operation::new("authorizeDevice", "Device authorization (RFC 8628)"))
        .takes(FORM, form(&["scope"]));
    paths([
        ("/oauth/token", post(token)),
        ("/oauth/revoke", post(revoke)),
        ("/oauth/introspect", post(about_token("introspectToken", "Introspection (RFC 7662)"))),
        ("/oauth/register", post(register)),
        ("/oauth/device_authorization", post(device)),
    ])
}

/// A page for people.
fn page(id: &str, summary: &str) -> Operation {
    let why = "A page that says why not";
    refused(Operation::new(id, summary))
        .answers(StatusCode::OK, "A page", HTML, text())
        .answers(StatusCode::BAD_REQUEST, why, HTML, text())
        .answers_nothing(StatusCode::SEE_OTHER, "Back to the client, or to the page")
        .answers(StatusCode::FORBIDDEN, why, HTML, text())
        .answers(StatusCode::TOO_MANY_REQUESTS, why, HTML, text())
}

/// An endpoint for browsers: asked with GET, answered with a form.
fn pages(get: &str, post: &str, summary: &str) -> Value {
    item([
        ("get", page(get, summary)),
        (
            "post",
            page(post, summary).takes(FORM, form(&["action", "username", "password", "otp", "passkey"])),
        ),
    ])
}

fn answers(operation: Operation) -> Operation {
    operation.answers(StatusCode::OK, "As the RFC says", JSON, json!({ "type": "object" }))
}

/// The refusals of RFC 6749, section 5.2.
fn refused(operation: Operation) -> Operation {
    [
        (StatusCode::BAD_REQUEST, "Refused (RFC 6749, 5.2)"),
        (StatusCode::UNAUTHORIZED, "The client is not known, or its secret is wrong"),
        (StatusCode::SERVICE_UNAVAILABLE, "Try again later"),
    ]
    .into_iter()
    .fold(operation, |operation, (status, why)| operation.answers(status, why, JSON, schema("OAuthError")))
}

/// A form with some of these fields and the client's own credentials.
fn form(fields: &[&str]) -> Value {
    let names = fields.iter().chain(&["client_id", "client_secret"]);
    let fields: Map<String, Value> =
        names.map(|name| ((*name).to_owned(), json!({ "type": "string" }))).collect();
    json!({ "type": "object", "properties": fields })
}
