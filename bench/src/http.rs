//! As much HTTP/1.1 as setting a measurement up needs: a request on a connection of its own, its answer whole. Never
//! used while something is measured.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context as _;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The media type of a form's fields.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// A request that is about to be sent.
pub(crate) struct Request<'a> {
    method: &'a str,
    path: &'a str,
    headers: String,
    body: String,
}

impl<'a> Request<'a> {
    /// Without headers or body.
    pub(crate) fn new(method: &'a str, path: &'a str) -> Self {
        Self { method, path, headers: String::new(), body: String::new() }
    }

    /// With a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        // Writing into a String cannot fail.
        let _ = write!(self.headers, "{name}: {value}\r\n");
        self
    }

    /// With a body of this type.
    pub(crate) fn body(self, kind: &str, body: impl Into<String>) -> Self {
        Self { body: body.into(), ..self.header("content-type", kind) }
    }

    /// With the fields of a form.
    pub(crate) fn form<'f>(self, fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> Self {
        self.body(FORM, form(fields))
    }

    /// Sends it and waits for the answer.
    pub(crate) fn send(self, to: SocketAddr) -> anyhow::Result<Answer> {
        let Self { method, path, headers, body } = self;
        let mut stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            body.len()
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text).with_context(|| format!("no answer to {method} {path}"))?;
        let (head, body) = text.split_once("\r\n\r\n").context("an answer without an end of its head")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
    }
}

/// A form's fields, encoded.
pub(crate) fn form<'f>(fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        let separator = if out.is_empty() { "" } else { "&" };
        let _ = write!(out, "{separator}{}={}", escaped(name), escaped(value));
    }
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// The same, if it is a success or a redirect.
    pub(crate) fn good(self) -> anyhow::Result<Self> {
        anyhow::ensure!(self.status < 400, "refused with {}: {}", self.status, self.body);
        Ok(self)
    }

    /// Does it lead elsewhere?
    pub(crate) fn is_redirect(&self) -> bool {
        (300..400).contains(&self.status)
    }

    /// The body as it is.
    pub(crate) fn text(&self) -> &str {
        &self.body
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> anyhow::Result<serde_json::Value> {
        serde_json::from_str(&self.body).with_context(|| format!("no JSON: {}", self.body))
    }

    /// The cookies that it sets, as names and values.
    pub(crate) fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let set = lines.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        set.filter_map(|(_, value)| value.split(';').next()?.split_once('='))
    }
}
