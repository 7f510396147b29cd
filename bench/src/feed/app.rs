//! The API as an app uses it to set a measurement up.

use std::net::SocketAddr;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::http::{Answer, Request};

/// An app that a server knows, with which people sign up.
pub(super) struct App {
    server: SocketAddr,
    token: String,
}

impl App {
    /// Makes itself known.
    pub(super) fn register(server: SocketAddr) -> anyhow::Result<App> {
        let app = json!({ "client_name": "bench", "redirect_uris": "urn:ietf:wg:oauth:2.0:oob", "scopes": "read write" });
        let app = ask(server, "POST", "/api/v1/apps", None, &app)?.json()?;
        let grant = json!({
            "grant_type": "client_credentials", "scope": "read write",
            "client_id": app["client_id"], "client_secret": app["client_secret"],
        });
        let granted = ask(server, "POST", "/oauth/token", None, &grant)?.json()?;
        Ok(App { server, token: text(&granted, "access_token")? })
    }

    /// Somebody signs up: their token.
    pub(super) fn sign_up(&self, name: &str) -> anyhow::Result<String> {
        let person = json!({
            "username": name, "email": format!("{name}@example.org"),
            "password": "correct horse", "agreement": true, "locale": "en",
        });
        text(
            &ask(self.server, "POST", "/api/v1/accounts", Some(&self.token), &person)?.json()?,
            "access_token",
        )
    }
}

/// One request with a JSON body, unless that is null, and whoever has this token.
pub(super) fn ask(
    server: SocketAddr,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &Value,
) -> anyhow::Result<Answer> {
    let mut request = Request::new(method, path);
    if let Some(token) = token {
        request = request.header("authorization", &format!("Bearer {token}"));
    }
    if !body.is_null() {
        request = request.body("application/json", body.to_string());
    }
    request.send(server)?.good()
}

/// A text of an answer.
pub(super) fn text(value: &Value, key: &str) -> anyhow::Result<String> {
    Ok(value[key].as_str().with_context(|| format!("no {key} in {value}"))?.to_owned())
}

/// A server with a feed, without limits that a measurement would meet.
pub(super) fn configuration(http: SocketAddr, operators: SocketAddr) -> String {
    format!(
        r#"
[telemetry]
filter = "warn"
listen = "{operators}"
[http]
listen = "{http}"
max_connections = 20000
max_connections_per_address = 20000
[http.limits]
address_per_minute = 0
account_per_minute = 0
sign_in_per_minute = 0
[identity]
open_accounts = true
[feed]
enabled = true
"#
    )
}
