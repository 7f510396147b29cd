//! The HTTP listener: bounded connections, a deadline for each request's head, and a graceful end.
//!
//! What is served is a router made elsewhere; this file only guards the door it stands behind.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

/// How long open requests get to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(2);
/// How long to wait when the system refuses a connection (no file descriptors, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The door's bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) body_bytes: usize,
}

/// A bound listener, not yet served.
pub(crate) struct Listener {
    socket: TcpListener,
    limits: Limits,
}

impl Listener {
    /// Takes the address, so that a taken one is noticed before anything else starts.
    pub(crate) async fn bind(address: SocketAddr, limits: Limits) -> std::io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, limits })
    }

    /// The address it got (the port may have been chosen by the system).
    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop` turns true, then lets open requests finish.
    pub(crate) async fn serve(self, router: Router, mut stop: watch::Receiver<bool>) {
        let router = router.layer(DefaultBodyLimit::max(self.limits.body_bytes));
        let slots = Arc::new(Semaphore::new(self.limits.connections));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stopped(&mut stop) => break,
                accepted = self.socket.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            match accepted {
                Ok((stream, peer)) => match Arc::clone(&slots).try_acquire_owned() {
                    Ok(slot) => {
                        let connection = connection(stream, router.clone(), self.limits, stop.clone(), slot);
                        connections.spawn(connection);
                    }
                    Err(_) => tracing::warn!(%peer, "HTTP connection closed: http.max_connections are open"),
                },
                Err(error) => {
                    tracing::warn!(%error, "HTTP accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::info!("open HTTP connections are cut off");
        }
    }
}

/// Waits for the stop; a sender that is gone means the same.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn connection(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
    _slot: OwnedSemaphorePermit,
) {
    // Small answers and feed messages should leave at once; without the option they only leave later.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "HTTP connection ended");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn start(connections: usize, header_timeout: Duration) -> (SocketAddr, watch::Sender<bool>) {
        let limits = Limits { connections, header_timeout, body_bytes: 1024 };
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), limits).await.unwrap();
        let address = listener.address().unwrap();
        let (stop, stopped) = watch::channel(false);
        let router = Router::new().route("/", get(async || "hello"));
        tokio::spawn(listener.serve(router, stopped));
        (address, stop)
    }

    async fn request(address: SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut answer = String::new();
        // Either call may fail when the server has closed at once: then there is no answer.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn a_connection_above_the_cap_is_closed_and_the_next_is_served_again() {
        let (address, _stop) = start(1, Duration::from_secs(60)).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        // An answer shows that the first connection holds the only slot.
        first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 15];
        first.read_exact(&mut answer).await.unwrap();
        assert_eq!(request(address).await, "");
        drop(first);
        while request(address).await.is_empty() {}
    }

    #[tokio::test]
    async fn a_head_that_never_ends_is_cut_off() {
        let (address, _stop) = start(8, Duration::from_millis(100)).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
    }

    #[tokio::test]
    async fn it_stops_when_told() {
        let (address, stop) = start(8, Duration::from_secs(60)).await;
        assert!(request(address).await.ends_with("hello"));
        stop.send(true).unwrap();
        while TcpStream::connect(address).await.is_ok() {}
    }
}
