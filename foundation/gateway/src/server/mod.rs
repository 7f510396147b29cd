//! The HTTP listener: HTTP/1.1 and HTTP/2, plain or by TLS, with bounds on everything a stranger can hold or delay.
//!
//! What is served is made elsewhere; this module guards the way to its door. A connection is counted,
//! then opens within the head timeout (PROXY header, TLS handshake, first bytes), then each request's head, body and
//! answer have limits of their own.

mod body;
mod connection;
mod proxy;
mod stream;
mod timer;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::client::{self, Proxies};
use crate::front::Door;
use crate::tls::Tls;
use crate::watch::Watch;

/// How long to wait when the system refuses a connection (no file descriptors, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The door's bounds.
#[derive(Clone)]
pub struct Settings {
    /// Connections open at the same time; more are closed at once.
    pub max_connections: usize,
    /// Of these, from one client address (IPv6: one /64).
    pub max_connections_per_address: usize,
    /// The largest head of a request: at least 8192.
    pub max_head_bytes: usize,
    /// A connection must open, and each request's head arrive, within; an idle connection ends after it.
    pub head_timeout: Duration,
    /// What a body may wait, and a second more for each `body_rate` bytes that came.
    pub body_timeout: Duration,
    /// Bytes a second: a body that is slower is given up.
    pub body_rate: u32,
    /// A client that takes nothing of its answer for so long is cut off.
    pub write_timeout: Duration,
    /// How long open requests get to finish when the server stops.
    pub drain: Duration,
    /// Who may say whose connection it is.
    pub proxies: Proxies,
    /// TLS, or plain text.
    pub tls: Option<Arc<Tls>>,
    /// Who is told of connections that are turned away.
    pub watch: Arc<dyn Watch>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_connections: 1_024,
            max_connections_per_address: 256,
            max_head_bytes: 32 * 1024,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            body_rate: 1_024,
            write_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(2),
            proxies: Proxies::default(),
            tls: None,
            watch: Arc::new(()),
        }
    }
}

/// A bound listener, not yet served.
pub struct Listener {
    socket: TcpListener,
    settings: Arc<Settings>,
}

impl Listener {
    /// Takes the address, so that a taken one is noticed before anything else starts.
    pub async fn bind(address: SocketAddr, settings: Settings) -> io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, settings: Arc::new(settings) })
    }

    /// The address it got (the port may have been chosen by the system).
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop` turns true, then lets open requests finish for as long as the settings allow.
    pub async fn serve(self, door: Door, mut stop: watch::Receiver<bool>) {
        let slots = Slots::new(self.settings.max_connections_per_address);
        let total = Arc::new(Semaphore::new(self.settings.max_connections));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stopped(&mut stop) => break,
                accepted = self.socket.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            match accepted {
                Ok((stream, peer)) => match Arc::clone(&total).try_acquire_owned() {
                    Ok(place) => {
                        let (peer, settings) = (peer.ip().to_canonical(), Arc::clone(&self.settings));
                        let (door, slots, stop) = (door.clone(), slots.clone(), stop.clone());
                        connections
                            .spawn(connection::serve(stream, peer, door, settings, slots, place, stop));
                    }
                    Err(_) => {
                        self.settings.watch.turned_away("too-many-connections");
                        tracing::warn!(%peer, "HTTP connection closed: http.max_connections are open");
                    }
                },
                Err(error) => {
                    tracing::warn!(%error, "HTTP accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.socket);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(self.settings.drain, drained).await.is_err() {
            tracing::info!(open = connections.len(), "open HTTP connections are cut off");
        }
    }
}

/// Waits for the stop; a sender that is gone means the same.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Counts each address's connections.
#[derive(Clone)]
struct Slots {
    most: usize,
    held: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

impl Slots {
    fn new(most: usize) -> Self {
        Self { most, held: Arc::default() }
    }

    /// A place for one more connection of this client.
    fn for_address(&self, client: IpAddr) -> io::Result<AddressSlot> {
        let key = client::key(client);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(key).or_default();
        if *count >= self.most {
            return Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                "http.max_connections_per_address are open",
            ));
        }
        *count += 1;
        Ok(AddressSlot { key, held: Arc::clone(&self.held) })
    }
}

/// One connection's place; given free when dropped.
struct AddressSlot {
    key: IpAddr,
    held: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

impl Drop for AddressSlot {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}
