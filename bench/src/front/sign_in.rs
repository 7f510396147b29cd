//! Signs in to a server as a person with a browser does, by the device grant (RFC 8628), and makes what a measurement needs.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::http::{Answer, FORM, Request, form};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const JSON: &str = "application/json";

/// An access token of this account.
pub(crate) fn token(server: SocketAddr, name: &str, password: &str) -> anyhow::Result<String> {
    let asked = Request::new("POST", "/oauth/device_authorization").form([("client_id", "decalog")]);
    let device = asked.send(server)?.good()?.json()?;
    let code = text(&device, "user_code")?;
    let mut page = Page::open(server, "/oauth/device")?;
    page.submit(&[("action", "sign-in"), ("username", name), ("password", password)])?;
    page.submit(&[("action", "find"), ("user_code", code)])?;
    page.submit(&[("action", "approve")])?;
    let fields =
        [("grant_type", DEVICE), ("client_id", "decalog"), ("device_code", text(&device, "device_code")?)];
    let granted = Request::new("POST", "/oauth/token").form(fields).send(server)?.good()?.json()?;
    Ok(text(&granted, "access_token")?.to_owned())
}

/// A program that gets tokens for itself (RFC 6749, 4.4).
pub(crate) struct Program {
    server: SocketAddr,
    id: String,
    secret: String,
}

impl Program {
    /// An administrator makes it, with an account of its own.
    pub(crate) fn register(server: SocketAddr, administrator: &str, scope: &str) -> anyhow::Result<Self> {
        let bearer = format!("Bearer {administrator}");
        let ask = |path, body: Value| -> anyhow::Result<Value> {
            let request = Request::new("POST", path).header("authorization", &bearer);
            request.body(JSON, body.to_string()).send(server)?.good()?.json()
        };
        let account = ask("/v1/admin/service-accounts", json!({ "name": "bench", "roles": ["user"] }))?;
        let client = ask(
            "/v1/admin/clients",
            json!({
                "id": "bench", "name": "bench", "scopes": [scope], "confidential": true,
                "grant_types": ["client_credentials"], "account": text(&account, "id")?,
            }),
        )?;
        let (id, secret) = (text(&client, "client_id")?, text(&client, "client_secret")?);
        Ok(Self { server, id: id.to_owned(), secret: secret.to_owned() })
    }

    /// A new token.
    pub(crate) fn token(&self, scope: &str) -> anyhow::Result<String> {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", self.id.as_str()),
            ("client_secret", self.secret.as_str()),
            ("scope", scope),
        ];
        let granted = Request::new("POST", "/oauth/token").form(fields).send(self.server)?.good()?.json()?;
        Ok(text(&granted, "access_token")?.to_owned())
    }
}

/// A page with a form, in a browser that keeps its cookies.
pub(crate) struct Page {
    server: SocketAddr,
    path: &'static str,
    cookies: BTreeMap<String, String>,
    hidden: Vec<(String, String)>,
}

impl Page {
    /// Opens it.
    pub(crate) fn open(server: SocketAddr, path: &'static str) -> anyhow::Result<Self> {
        let answer = Request::new("GET", path).send(server)?.good()?;
        let mut page = Self { server, path, cookies: BTreeMap::new(), hidden: Vec::new() };
        page.remember(&answer);
        Ok(page)
    }

    /// Its form with these fields filled in.
    pub(crate) fn filled(&self, fields: &[(&str, &str)]) -> String {
        let hidden = self.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let kept = hidden.filter(|(name, _)| fields.iter().all(|(given, _)| given != name));
        form(kept.chain(fields.iter().copied()))
    }

    /// Its cookies, as the header that carries them.
    pub(crate) fn cookies(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    /// Sends it, and takes the page that comes back.
    pub(crate) fn submit(&mut self, fields: &[(&str, &str)]) -> anyhow::Result<()> {
        let request = Request::new("POST", self.path).header("cookie", &self.cookies());
        let mut answer = request.body(FORM, self.filled(fields)).send(self.server)?.good()?;
        self.remember(&answer);
        if answer.is_redirect() {
            let request = Request::new("GET", self.path).header("cookie", &self.cookies());
            answer = request.send(self.server)?.good()?;
            self.remember(&answer);
        }
        Ok(())
    }

    fn remember(&mut self, answer: &Answer) {
        let set = answer.cookies().map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.cookies.extend(set);
        self.hidden = hidden(answer.text());
    }
}

/// The hidden fields of a page.
fn hidden(page: &str) -> Vec<(String, String)> {
    let inputs = page.split("<input type=\"hidden\" name=\"").skip(1);
    inputs
        .filter_map(|input| {
            let (name, rest) = input.split_once("\" value=\"")?;
            Some((name.to_owned(), rest.split('"').next()?.to_owned()))
        })
        .collect()
}

fn text<'a>(value: &'a Value, field: &str) -> anyhow::Result<&'a str> {
    value.get(field).and_then(Value::as_str).with_context(|| format!("no {field} in {value}"))
}
