//! The client that systems use: a call by URL, its answer as a value.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use decalog_gateway::behalf;
use decalog_gateway::trace::TRACEPARENT;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use reqwest::Url;
use reqwest::dns::Resolve;
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::error::OutboundError;
use crate::guard::{Guard, System, origin};
use crate::peers::Peers;
use crate::policy::Policy;
use crate::transport::{Transport, parse};
use crate::watch::Watch;

/// What a server answered, whatever its status says.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// All of its body.
    pub body: Bytes,
}

/// Calls other servers over HTTP. Clones share connections.
#[derive(Clone)]
pub struct Client {
    name: &'static str,
    policy: Arc<Policy>,
    watch: Arc<dyn Watch>,
    transport: Transport,
    peers: Arc<Peers>,
    redirects: usize,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("name", &self.name)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client for one purpose, whose name is a metric's label: `"sign-in"`. It follows no redirects.
    pub fn new(name: &'static str, guard: Guard, policy: Policy) -> Result<Self, OutboundError> {
        Self::with_names(name, guard, policy, Arc::new(System))
    }

    /// A client that resolves names in its own way; what comes of it is checked like any other.
    pub fn with_names(
        name: &'static str,
        guard: Guard,
        policy: Policy,
        names: Arc<dyn Resolve>,
    ) -> Result<Self, OutboundError> {
        let policy = Arc::new(policy);
        let transport = Transport::new(name, guard, Arc::clone(&policy), names)?;
        Ok(Self::of(name, policy, Arc::new(()), transport))
    }

    fn of(name: &'static str, policy: Arc<Policy>, watch: Arc<dyn Watch>, transport: Transport) -> Self {
        let peers = Peers::new(name, Arc::clone(&policy), Arc::clone(&watch), transport.clone());
        Self { name, policy, watch, transport, peers: Arc::new(peers), redirects: 0 }
    }

    /// Tells of its calls. Nothing is known of any peer yet.
    #[must_use]
    pub fn watched(self, watch: Arc<dyn Watch>) -> Self {
        let redirects = self.redirects;
        Self { redirects, ..Self::of(self.name, self.policy, watch, self.transport) }
    }

    /// Follows so many redirects of a GET, one after the other; each hop is checked as if it had been asked for.
    #[must_use]
    pub fn following(self, redirects: usize) -> Self {
        Self { redirects, ..self }
    }

    /// Scheme, host and port of a URL that may be asked, as far as it tells: the addresses of a name are looked at when it
    /// is asked.
    pub fn origin(&self, url: &str) -> Result<String, OutboundError> {
        let url = parse(url)?;
        self.transport.guard().check(&url)?;
        Ok(origin(&url))
    }

    /// GET.
    pub async fn get(&self, url: &str) -> Result<Answer, OutboundError> {
        self.get_with(url, HeaderMap::new()).await
    }

    /// GET with these headers. `Authorization` and `Cookie` are not handed on to where a redirect leads.
    pub async fn get_with(&self, url: &str, headers: HeaderMap) -> Result<Answer, OutboundError> {
        self.send(request(Method::GET, url, headers, Bytes::new())?).await
    }

    /// POST of a form (`application/x-www-form-urlencoded`).
    pub async fn post_form(
        &self,
        url: &str,
        fields: &[(&str, &str)],
        mut headers: HeaderMap,
    ) -> Result<Answer, OutboundError> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        self.send(request(Method::POST, url, headers, form.into())?).await
    }

    /// Any request with an absolute URL. It ends within the policy's time and the caller's deadline
    /// ([`behalf::deadline`]), whichever comes sooner, and belongs to the caller's trace ([`behalf::trace`]).
    pub async fn send(&self, mut request: Request<Bytes>) -> Result<Answer, OutboundError> {
        let began = Instant::now();
        if let Some(trace) = behalf::trace() {
            request.headers_mut().entry(TRACEPARENT).or_insert_with(|| trace.header());
        }
        // Each layer keeps to it, and knows what that says of the peer: nobody cuts them off from here.
        let outcome = behalf::until(began + self.policy.timeout, self.follow(request)).await;
        let name = match &outcome {
            Ok(answer) if answer.status.is_server_error() => "failed",
            Ok(_) => "answered",
            Err(error) => error.name(),
        };
        self.watch.called(self.name, name, began.elapsed());
        outcome
    }

    async fn follow(&self, mut request: Request<Bytes>) -> Result<Answer, OutboundError> {
        let mut followed = 0;
        loop {
            let (response, asked) = self.hop(request).await?;
            let next = match asked {
                Some((asked, headers)) => redirected(&response, &asked)?.map(|to| (asked, to, headers)),
                None => None,
            };
            let Some((from, to, mut headers)) = next else {
                let (parts, body) = response.into_parts();
                return Ok(Answer { status: parts.status, headers: parts.headers, body });
            };
            if followed == self.redirects {
                return Err(OutboundError::Redirects { peer: origin(&from), followed });
            }
            followed += 1;
            if from.scheme() == "https" && to.scheme() != "https" {
                let reason = "a redirect leads from https to plain http";
                return Err(OutboundError::Url { url: origin(&to), reason });
            }
            if origin(&from) != origin(&to) {
                headers.remove(AUTHORIZATION);
                headers.remove(COOKIE);
            }
            request = self::request(Method::GET, to.as_str(), headers, Bytes::new())?;
        }
    }

    /// Asks once; and, when a redirect may be followed, says what was asked.
    async fn hop(
        &self,
        request: Request<Bytes>,
    ) -> Result<(Response<Bytes>, Option<(Url, HeaderMap)>), OutboundError> {
        let url = parse(&request.uri().to_string())?;
        // Before it is remembered as a peer, and again when it is asked.
        self.transport.guard().check(&url)?;
        let follows = self.redirects > 0 && request.method() == Method::GET;
        let headers = follows.then(|| request.headers().clone());
        let response = self.peers.at(&origin(&url)).oneshot(request).await?;
        Ok((response, headers.map(|headers| (url, headers))))
    }
}

fn request(
    method: Method,
    url: &str,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Request<Bytes>, OutboundError> {
    let url = parse(url)?;
    let reason = "it cannot be asked over HTTP";
    let uri: Uri = url.as_str().parse().map_err(|_| OutboundError::Url { url: origin(&url), reason })?;
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Where a redirect leads.
fn redirected(response: &Response<Bytes>, from: &Url) -> Result<Option<Url>, OutboundError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(to) = response.headers().get(LOCATION) else { return Ok(None) };
    let to = to.to_str().ok().and_then(|to| from.join(to).ok());
    let reason = "it redirects to something that is no URL";
    to.map(Some).ok_or_else(|| OutboundError::Url { url: origin(from), reason })
}
