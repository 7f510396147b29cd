//! The FIX door: TCP connections on one side, commands and events of the matching units on the other.
//!
//! A message takes one hop: the connection's reading thread (`reader`) checks it and puts it into the unit's queue; the
//! unit's own thread appends, applies, encodes and writes the answer into the socket (`observer`, `outbound`). All
//! session rules are in the unit's state; nothing here knows a sequence number.

mod connections;
mod decode;
mod encode;
mod observer;
mod outbound;
mod peer;
mod reader;
mod shortage;
mod socket;

use std::collections::BTreeMap;
use std::net::{IpAddr, Shutdown};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use decalog_fix::session::ConnectionId;
use decalog_gateway::access::Logons;
use decalog_runtime::{Observer, Partition};

use self::connections::Connections;
use self::observer::Writer;
use self::peer::Peers;
use self::shortage::Shortage;
pub use self::socket::Socket;
use crate::command::SessionSetup;
use crate::state::Unit;

/// The stack of a connection's thread: its buffers are on the heap.
const STACK_BYTES: usize = 256 * 1024;
/// How long connections get to end by themselves when the gateway stops.
const DRAIN: Duration = Duration::from_secs(3);

/// The FIX door's bounds.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Connections at the same time; more are closed at once.
    pub max_connections: usize,
    /// How long a connection may take to log on.
    pub logon_timeout: Duration,
    /// The longest message, in bytes.
    pub max_message_bytes: usize,
    /// What may wait for a slow reader, in bytes.
    pub outbound_bytes: usize,
    /// How long a reader may take nothing.
    pub send_timeout: Duration,
    /// How long a reader looks out for the next message before it sleeps, while messages come that quickly.
    pub spin: Duration,
}

/// What the runtime needs of the door before it starts: the observers that write to the sockets.
#[derive(Default)]
pub struct Wiring {
    units: Mutex<BTreeMap<u16, Arc<Wires>>>,
}

/// What a unit's observer and its door share.
#[derive(Default)]
struct Wires {
    connections: Arc<Connections>,
    shortage: Arc<Shortage>,
    partition: Arc<OnceLock<Partition<Unit>>>,
}

impl Wiring {
    /// The observer of a unit.
    pub fn observer(&self, unit: u16) -> Box<dyn Observer<Unit>> {
        let wires = self.wires(unit);
        Box::new(Writer::new(
            Arc::clone(&wires.connections),
            Arc::clone(&wires.shortage),
            Arc::clone(&wires.partition),
        ))
    }

    fn wires(&self, unit: u16) -> Arc<Wires> {
        let mut units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(units.entry(unit).or_default())
    }
}

/// A unit, as the gateway sees it.
struct Door {
    unit: u16,
    partition: Partition<Unit>,
    connections: Arc<Connections>,
    shortage: Arc<Shortage>,
}

/// The running door.
pub struct Gateway {
    options: Options,
    doors: Vec<Door>,
    peers: Peers,
    logons: Arc<dyn Logons>,
    next_connection: AtomicU64,
    sockets: Mutex<Sockets>,
    ended: Condvar,
}

#[derive(Default)]
struct Sockets {
    open: BTreeMap<u64, Socket>,
    stopping: bool,
}

impl Gateway {
    /// A door to running units, in the order of their numbers from 0 on, with the sessions that may log on to each; `logons`
    /// checks the credentials of those that must show some.
    pub fn new(
        options: Options,
        logons: Arc<dyn Logons>,
        wiring: &Wiring,
        units: impl IntoIterator<Item = (Partition<Unit>, Vec<SessionSetup>)>,
    ) -> Arc<Self> {
        let mut peers = Peers::default();
        let mut doors = Vec::new();
        for (unit, (partition, sessions)) in (0u16..).zip(units) {
            peers.add(usize::from(unit), &sessions);
            let wires = wiring.wires(unit);
            // Set once: a gateway is made once for each wiring.
            let _ = wires.partition.set(partition.clone());
            doors.push(Door {
                unit,
                partition,
                connections: Arc::clone(&wires.connections),
                shortage: Arc::clone(&wires.shortage),
            });
        }
        Arc::new(Self {
            options,
            doors,
            peers,
            logons,
            next_connection: AtomicU64::new(first_connection()),
            sockets: Mutex::default(),
            ended: Condvar::new(),
        })
    }

    /// Takes a connection of a client at this address: serves it on a thread of its own, or closes it when there are too
    /// many. The socket must block, and send small messages at once.
    pub fn accept(self: &Arc<Self>, socket: impl Into<Socket>, address: IpAddr) {
        let id = self.next_connection.fetch_add(1, Ordering::Relaxed);
        let socket = socket.into();
        if !self.admit(id, &socket) {
            return;
        }
        let gateway = Arc::clone(self);
        let thread =
            std::thread::Builder::new().name(format!("fix-{}", id % 100_000)).stack_size(STACK_BYTES);
        let spawned = thread.spawn(move || {
            let _open = Open { gateway: Arc::clone(&gateway), id };
            reader::serve(&gateway, socket, address, ConnectionId(id));
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "FIX connection closed: no thread for it");
            self.leave(id);
        }
    }

    /// Registers the socket; false when the door is full or closing.
    fn admit(&self, id: u64, socket: &Socket) -> bool {
        let mut sockets = self.sockets();
        if sockets.stopping {
            return false;
        }
        if sockets.open.len() >= self.options.max_connections {
            tracing::warn!("FIX connection closed: exchange.fix.max_connections are open");
            return false;
        }
        match socket.try_clone() {
            Ok(handle) => {
                sockets.open.insert(id, handle);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "FIX connection closed");
                false
            }
        }
    }

    /// Ends every connection in order: readers see the end of their stream, and their sessions are told.
    pub fn stop(&self) {
        let mut sockets = self.sockets();
        sockets.stopping = true;
        for socket in sockets.open.values() {
            // A socket that is closed already is where it should be.
            let _ = socket.shutdown(Shutdown::Read);
        }
        let drained = self.ended.wait_timeout_while(sockets, DRAIN, |sockets| !sockets.open.is_empty());
        let (sockets, _) = drained.unwrap_or_else(PoisonError::into_inner);
        for socket in sockets.open.values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    fn leave(&self, id: u64) {
        self.sockets().open.remove(&id);
        self.ended.notify_all();
    }

    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        // A map of handles is whole after any panic.
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the connection out of the list when its thread ends, also by a panic.
struct Open {
    gateway: Arc<Gateway>,
    id: u64,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.gateway.leave(self.id);
    }
}

/// Connection numbers are never used twice in a unit's life: each process starts at its own moment, in milliseconds
/// shifted to leave room for a million connections each.
fn first_connection() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default() << 20
}
