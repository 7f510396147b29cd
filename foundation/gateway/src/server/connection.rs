//! One connection, from its first byte to its last: PROXY header, TLS, then HTTP/1.1 or HTTP/2.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, Version, header};
use axum::response::IntoResponse as _;
use futures_util::FutureExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_rustls::server::TlsStream;

use super::body::{Fate, Pace, Paced, drain};
use super::proxy::{self, Parsed};
use super::stream::{Stream, Transport};
use super::timer::Deadlines;
use super::{Settings, Slots, stopped};
use crate::client::{Client, Source};
use crate::front::Door;
use crate::gate::ClientCertificate;
use crate::problem::{self, Problem};
use crate::sabotage::{self, Sabotage};
use crate::tls::ACME;

/// How an HTTP/2 connection opens (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Streams that one HTTP/2 connection may have open.
const STREAMS: u32 = 128;
/// As much of a body that nobody wants is read, so that its connection can serve the next request.
const DRAINED: u64 = 64 << 10;

/// Serves it to its end.
pub(super) async fn serve(
    stream: TcpStream,
    peer: IpAddr,
    door: Door,
    settings: Arc<Settings>,
    slots: Slots,
    place: OwnedSemaphorePermit,
    mut stop: watch::Receiver<bool>,
) {
    // Small answers and feed messages should leave at once; without the option they only leave later.
    let _ = stream.set_nodelay(true);
    let mut stream = Stream::new(stream, settings.write_timeout);
    stream.hold(place);
    let opening = tokio::time::timeout(settings.head_timeout, open(stream, peer, &settings, &slots));
    let opened = tokio::select! {
        opened = opening => opened,
        () = stopped(&mut stop) => return,
    };
    let opened = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => {
            settings.watch.turned_away(match error.kind() {
                io::ErrorKind::QuotaExceeded => "too-many-connections-of-address",
                _ => "did-not-open",
            });
            return tracing::debug!(%peer, %error, "connection ended before a request");
        }
        Err(_) => {
            settings.watch.turned_away("too-slow");
            return tracing::debug!(%peer, "connection cut off: it did not open within the head timeout");
        }
    };
    if let Err(error) = speak(opened, door, settings, stop).await {
        tracing::debug!(%peer, %error, "HTTP connection ended");
    }
}

/// A connection on which HTTP can begin.
struct Opened {
    transport: Box<dyn Transport>,
    peer: IpAddr,
    secure: bool,
    http2: bool,
    certificate: Option<ClientCertificate>,
}

async fn open(
    mut stream: Stream<TcpStream>,
    peer: IpAddr,
    settings: &Settings,
    slots: &Slots,
) -> io::Result<Opened> {
    let mut client = peer;
    let trusted = settings.proxies.trust(peer);
    if trusted && settings.proxies.source == Source::ProxyProtocol {
        client = proxy_header(&mut stream).await?.unwrap_or(peer);
    }
    // A trusted proxy that speaks for many is bounded by the total alone.
    if !trusted || client != peer {
        stream.hold(slots.for_address(client)?);
    }
    let Some(tls) = &settings.tls else {
        let http2 = has_preface(&mut stream).await?;
        let transport = Box::new(stream);
        return Ok(Opened { transport, peer: client, secure: false, http2, certificate: None });
    };
    let encrypted: TlsStream<_> = tls.acceptor().accept(stream).await?;
    let (_, session) = encrypted.get_ref();
    if session.alpn_protocol() == Some(ACME) {
        return Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "an ACME authority has seen what it wanted",
        ));
    }
    let http2 = session.alpn_protocol() == Some(b"h2");
    let shown = session.peer_certificates().and_then(|chain| chain.first());
    let certificate = shown.map(|leaf| ClientCertificate(Arc::from(leaf.as_ref())));
    let transport = Box::new(Stream::new(encrypted, settings.write_timeout));
    Ok(Opened { transport, peer: client, secure: true, http2, certificate })
}

async fn proxy_header(stream: &mut Stream<TcpStream>) -> io::Result<Option<IpAddr>> {
    loop {
        match proxy::parse(stream.ahead()) {
            Parsed::Header { length, source } => {
                stream.skip(length);
                return Ok(source);
            }
            Parsed::More if stream.read_ahead().await? => {}
            Parsed::More => return Err(io::ErrorKind::UnexpectedEof.into()),
            Parsed::Invalid => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a trusted proxy sent no PROXY header",
                ));
            }
        }
    }
}

async fn has_preface(stream: &mut Stream<TcpStream>) -> io::Result<bool> {
    loop {
        let known = stream.ahead().len().min(PREFACE.len());
        if stream.ahead()[..known] != PREFACE[..known] {
            return Ok(false);
        }
        if known == PREFACE.len() {
            return Ok(true);
        }
        if !stream.read_ahead().await? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn speak(
    opened: Opened,
    door: Door,
    settings: Arc<Settings>,
    mut stop: watch::Receiver<bool>,
) -> hyper::Result<()> {
    let io = TokioIo::new(opened.transport);
    let (head_bytes, head_timeout) = (settings.max_head_bytes, settings.head_timeout);
    let Opened { peer, secure, certificate, http2, .. } = opened;
    let known = Known { door, settings, peer, secure, certificate };
    let service = service_fn(move |request| known.answer(request));
    if http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
            .max_concurrent_streams(STREAMS)
            .keep_alive_interval(head_timeout)
            .keep_alive_timeout(head_timeout);
        let connection = builder.serve_connection(io, service);
        tokio::pin!(connection);
        tokio::select! {
            biased;
            ended = &mut connection => return ended,
            () = stopped(&mut stop) => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    } else {
        let connection = http1::Builder::new()
            .timer(Deadlines::default())
            .header_read_timeout(head_timeout)
            .max_buf_size(head_bytes)
            .serve_connection(io, service)
            .with_upgrades();
        tokio::pin!(connection);
        tokio::select! {
            biased;
            ended = &mut connection => return ended,
            () = stopped(&mut stop) => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }
}

/// What a connection knows, for each of its requests.
struct Known {
    door: Door,
    settings: Arc<Settings>,
    peer: IpAddr,
    secure: bool,
    certificate: Option<ClientCertificate>,
}

impl Known {
    fn answer(
        &self,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send + use<> {
        if let Some(refusal) = ambiguous(&request) {
            return ready(Ok(last(refusal.into_response()))).left_future();
        }
        let address = self.settings.proxies.client(self.peer, request.headers());
        request.extensions_mut().insert(Client { address, secure: self.secure });
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        // RFC 9112 section 6.1: a request with both framings counts as chunked, and must be its connection's
        // last. The HTTP library takes the Content-Length away, so every chunked request is.
        let end = End {
            chunked: request.headers().contains_key(header::TRANSFER_ENCODING),
            asks_first: request.headers().contains_key(header::EXPECT),
            streams: request.version() == Version::HTTP_2,
            patience: self.settings.body_timeout,
        };
        let (request, fate) = self.paced(request);
        let answered = move |response: Response<Body>| {
            Ok(match fate {
                Some(fate) => end.heed(&fate, response),
                None => response,
            })
        };
        self.door.answer(request).map(answered).right_future()
    }

    /// The request with a body that must keep coming, and, if there is one, what became of it.
    fn paced(&self, request: Request<Incoming>) -> (Request<Body>, Option<Arc<Fate>>) {
        if request.body().is_end_stream() {
            return (request.map(|_| Body::empty()), None);
        }
        let pace = Pace { grace: self.settings.body_timeout, bytes_per_second: self.settings.body_rate };
        let (parts, body) = request.into_parts();
        let (body, fate) = Paced::new(body, pace);
        (Request::from_parts(parts, Body::new(body)), Some(fate))
    }
}

/// What the answer to a request with a body must heed.
struct End {
    chunked: bool,
    /// The client sends its body only when it is told to go on.
    asks_first: bool,
    /// Requests do not share one stream of bytes.
    streams: bool,
    patience: Duration,
}

impl End {
    /// The answer, which is the connection's last when what is left of the body would stand before the next request.
    fn heed(self, fate: &Fate, response: Response<Body>) -> Response<Body> {
        if fate.was_late() && !response.status().is_success() {
            return last(problem::TOO_SLOW.because("the request's body came too slowly").into_response());
        }
        let unread = fate.unread().filter(|_| !self.streams && !sabotage::lacks(Sabotage::EarlyAnswer));
        let Some(body) = unread else { return if self.chunked { last(response) } else { response } };
        let short = body.size_hint().upper().is_some_and(|left| left <= DRAINED);
        if !self.asks_first {
            tokio::spawn(drain(body, DRAINED, self.patience));
        }
        if self.chunked || self.asks_first || !short { last(response) } else { response }
    }
}

/// A request that two servers could read in two ways.
fn ambiguous(request: &Request<Incoming>) -> Option<Problem> {
    if !matches!(request.version(), Version::HTTP_10 | Version::HTTP_11) {
        return None;
    }
    let hosts = request.headers().get_all(header::HOST).iter().count();
    (hosts > 1 || hosts == 0 && request.version() == Version::HTTP_11)
        .then(|| problem::INVALID_REQUEST.because("a request names exactly one Host"))
}

/// Marks the answer as its connection's last.
fn last(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
