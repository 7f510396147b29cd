//! What comes in: forms whose parameters stand once, cookies, and where a request is from.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Multipart, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use decalog_gateway::client::Client as Peer;
use serde_json::Value;

use super::{Refused, refuse};
use crate::value::{Device, Scopes, is_scope};

/// The parameters that are read. Others are ignored, however often they stand (RFC 6749, 3.1): a widely used program sends
/// such.
const READ: [&str; 29] = [
    "action",
    "back",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "csrf",
    "device_code",
    "error",
    "force_login",
    "grant_type",
    "iss",
    "label",
    "nonce",
    "otp",
    "passkey",
    "password",
    "prompt",
    "redirect_uri",
    "refresh_token",
    "response_type",
    "scope",
    "state",
    "ticket",
    "token",
    "user_code",
    "username",
];

/// A form or a query, each parameter that is read once (RFC 6749, 3.1).
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    pub(super) fn read(bytes: &[u8]) -> Result<Form, Refused> {
        let mut form = Form::default();
        for (name, value) in form_urlencoded::parse(bytes) {
            form.take(&name, value.into_owned())?;
        }
        Ok(form)
    }

    /// A parameter more. Without a value it counts as left out.
    fn take(&mut self, name: &str, value: String) -> Result<(), Refused> {
        let twice = !value.is_empty() && self.0.insert(name.to_owned(), value).is_some();
        if twice && READ.contains(&name) {
            return Err(refuse("invalid_request", "a parameter stands twice"));
        }
        Ok(())
    }

    /// The parts of a multipart form that are no files.
    async fn read_multipart<S: Send + Sync>(request: Request, state: &S) -> Result<Form, Refused> {
        let broken = |_| refuse("invalid_request", "the multipart form cannot be read");
        let opened = Multipart::from_request(request, state).await;
        let mut parts =
            opened.map_err(|_| refuse("invalid_request", "the multipart form has no boundary"))?;
        let mut form = Form::default();
        while let Some(part) = parts.next_field().await.map_err(broken)? {
            if part.file_name().is_some() {
                continue;
            }
            let name = part.name().unwrap_or_default().to_owned();
            form.take(&name, part.text().await.map_err(broken)?)?;
        }
        Ok(form)
    }

    /// The members of a flat JSON object, as some programs send them in a form's place.
    fn read_json(bytes: &[u8]) -> Result<Form, Refused> {
        let no_object = || refuse("invalid_request", "the body is no flat JSON object");
        let members: BTreeMap<String, Value> = serde_json::from_slice(bytes).map_err(|_| no_object())?;
        let mut form = BTreeMap::new();
        for (name, value) in members {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text,
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Array(_) | Value::Object(_) => return Err(no_object()),
            };
            form.insert(name, text);
        }
        form.retain(|_, text| !text.is_empty());
        Ok(Form(form))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn need(&self, name: &'static str) -> Result<&str, Refused> {
        self.get(name).ok_or_else(|| refuse("invalid_request", format!("{name} is missing")))
    }

    /// The scopes asked for; none asked is none.
    pub(super) fn scopes(&self) -> Result<Scopes, Refused> {
        let text = self.get("scope").unwrap_or_default();
        let scopes: Scopes = text.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
        let fits = scopes.len() <= 100 && scopes.iter().all(|scope| is_scope(scope));
        if fits { Ok(scopes) } else { Err(refuse("invalid_scope", "no list of scopes")) }
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Form, Refused> {
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(refuse("invalid_request", "send application/x-www-form-urlencoded"));
        }
        let bytes = Bytes::from_request(request, state).await;
        Form::read(&bytes.map_err(|_| refuse("invalid_request", "the body cannot be read"))?)
    }
}

/// What a program sends to an endpoint that is for programs only: a form of either kind, or the same as JSON.
pub(crate) struct Sent(pub(crate) Form);

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Sent, Refused> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default();
        if kind.starts_with("multipart/form-data") {
            return Form::read_multipart(request, state).await.map(Sent);
        }
        if !kind.starts_with("application/json") {
            return Form::from_request(request, state).await.map(Sent);
        }
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|_| refuse("invalid_request", "the body cannot be read"))?;
        Form::read_json(&bytes).map(Sent)
    }
}

/// The query, as a form.
pub(crate) struct Query(pub(crate) Form);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Query, Refused> {
        Form::read(parts.uri.query().unwrap_or_default().as_bytes()).map(Query)
    }
}

/// Where a request is from.
pub(crate) struct From(pub(crate) Device);

impl<S: Send + Sync> FromRequestParts<S> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<From, Self::Rejection> {
        Ok(From(device_of(&parts.headers, parts.extensions.get::<Peer>())))
    }
}

/// What a request says of the device that it comes from.
pub fn device_of(headers: &HeaderMap, peer: Option<&Peer>) -> Device {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let agent = agent.chars().filter(char::is_ascii).take(200).collect();
    Device { agent, address: peer.map_or_else(String::new, |peer| peer.address.to_string()) }
}

/// A cookie's value.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(one, _)| *one == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_stands_once() {
        assert!(Form::read(b"code=1&code=2").is_err() && Form::read(b"other=1&other=2").is_ok());
        let form = Form::read(b"a=1&b=&c=x%20y").expect("a form");
        assert_eq!((form.get("a"), form.get("b"), form.get("c")), (Some("1"), None, Some("x y")));
        assert!(Form::read(b"scope=a%22").expect("a form").scopes().is_err());
    }

    #[test]
    fn a_flat_object_is_a_form() {
        let form = Form::read_json(br#"{"a":"1","b":"","c":null,"d":true,"e":7}"#).expect("a form");
        let read = ["a", "b", "c", "d", "e"].map(|name| form.get(name));
        assert_eq!(read, [Some("1"), None, None, Some("true"), Some("7")]);
        for wrong in [&b"[]"[..], b"{", b"", b"{\"a\":{}}", b"{\"a\":[\"x\"]}", b"a=1"] {
            assert!(Form::read_json(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "xa=1; a=2;b=3".parse().expect("a header"));
        assert_eq!(cookie(&headers, "a"), Some("2"));
        assert_eq!(cookie(&headers, "c"), None);
    }
}
