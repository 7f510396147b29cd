//! The reading half of a FIX connection: bytes to messages, the guard, credentials, and one command per message.
//!
//! Each connection has a thread that blocks on its socket: the shortest way from a packet to the partition's queue. When
//! the queue is full the thread waits and does not read, so the client's own TCP stack makes it wait, in order.

use std::convert::Infallible;
use std::io::{ErrorKind, Read};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use decalog_fix::codec::{Framed, Framer, Rules};
use decalog_fix::guard::{Guard, Opening};
use decalog_fix::session::{Body, ConnectionId, Inbound};
use decalog_gateway::access::{Admission, Denied, Scope, Shown};
use decalog_runtime::{Lookout, Origin, SubmitError};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::connections::Connection;
use super::decode::decode;
use super::outbound::Outbound;
use super::peer::Peer;
use super::shortage::turn_away;
use super::socket::Socket;
use super::{Door, Gateway};
use crate::command::{Command, FixMessage, Request};

/// The right to trade.
const TRADE: Scope = Scope("exchange:trade");
/// How often a reader looks whether its connection was closed from here, or its logon revoked.
const LOOK_UP: Duration = Duration::from_millis(500);
/// How long a peer may take to close once it was told.
const FAREWELL: Duration = Duration::from_secs(2);
/// The first and the longest pause when the partition's queue is full.
const PAUSES: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(5));

/// Why a connection ends, for the log line.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the peer closed it")]
    Peer,
    #[error("closed from here")]
    Closed,
    #[error("no Logon in time")]
    LogonTimeout,
    #[error("something else than a message came before the Logon")]
    Garbled,
    #[error("no Logon came first: {0}")]
    NotLogon(String),
    #[error("no session has these CompIDs")]
    UnknownPeer,
    #[error("wrong username or password")]
    Credentials,
    #[error("credentials cannot be checked now")]
    Unchecked,
    #[error("{0} lacks the scope {TRADE}")]
    MayNot(Arc<str>),
    #[error("the logon was revoked or has expired")]
    Revoked,
    #[error("{0}")]
    TooLarge(#[from] decalog_fix::codec::TooLarge),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Submit(#[from] SubmitError),
}

/// Serves a connection to its end.
pub(super) fn serve(gateway: &Gateway, socket: Socket, address: IpAddr, id: ConnectionId) {
    let mut reader = Reader {
        framer: Framer::new(gateway.options.max_message_bytes),
        guard: Guard::new(Rules { allow_user_defined: false }),
        socket,
        lookout: Lookout::new(gateway.options.spin),
    };
    let logged_on = reader.log_on(gateway, address, id);
    let connection = match logged_on {
        Ok(connection) => connection,
        Err(end) => return tracing::info!(connection = id.0, "FIX connection refused: {end}"),
    };
    let door = &gateway.doors[connection.peer.unit];
    let session = &connection.peer.identity.theirs;
    tracing::info!(connection = id.0, session, "FIX connection");
    let end = reader.run(door, &connection).map_or_else(|end| end, |never| match never {});
    let cut = connection.outbound.cut_reason();
    tracing::info!(connection = id.0, session, ?cut, "FIX connection ended: {end}");
    door.connections.remove(id);
    let gone = Command::FixDisconnected { session: connection.peer.session, connection: id };
    // A stopped partition forgets the connection by itself at the next start.
    let _ = submit(door, &connection, &gone, true);
}

struct Reader {
    framer: Framer,
    guard: Guard,
    socket: Socket,
    lookout: Lookout,
}

impl Reader {
    /// Reads the Logon, finds out whose it is and whether the credentials are right, and submits it.
    fn log_on(
        &mut self,
        gateway: &Gateway,
        address: IpAddr,
        id: ConnectionId,
    ) -> Result<Arc<Connection>, End> {
        let deadline = Instant::now() + gateway.options.logon_timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.framer.next_frame()? {
                Some(Framed::Message(frame)) => {
                    let opening = self.guard.first(frame).map_err(|not| End::NotLogon(not.to_string()))?;
                    let (peer, admission) = authenticate(gateway, &opening, address)?;
                    let inbound = opening.inbound();
                    self.socket.set_read_timeout(Some(LOOK_UP))?;
                    self.socket.set_write_timeout(Some(gateway.options.send_timeout))?;
                    let outbound = Outbound::new(self.socket.try_clone()?, gateway.options.outbound_bytes);
                    let peer = Arc::clone(peer);
                    let connection = Arc::new(Connection { id, peer, outbound, admission });
                    return self.open(gateway, connection, inbound);
                }
                Some(Framed::Garbled(_)) => return Err(End::Garbled),
                None if left.is_zero() => return Err(End::LogonTimeout),
                None => self.socket.set_read_timeout(Some(left))?,
            }
            match self.fill() {
                Err(End::Io(error)) if is_timeout(&error) => return Err(End::LogonTimeout),
                filled => filled?,
            }
        }
    }

    /// Registers the connection, so that the answer finds it, then hands the Logon to the session.
    fn open(
        &mut self,
        gateway: &Gateway,
        connection: Arc<Connection>,
        inbound: Inbound<Request>,
    ) -> Result<Arc<Connection>, End> {
        self.guard.bind(connection.peer.identity.clone());
        let door = &gateway.doors[connection.peer.unit];
        door.connections.insert(Arc::clone(&connection));
        let logon = message(&connection, inbound);
        if let Err(error) = submit(door, &connection, &logon, true) {
            door.connections.remove(connection.id);
            return Err(error.into());
        }
        Ok(connection)
    }

    /// Submits message after message until the connection ends.
    fn run(&mut self, door: &Door, connection: &Connection) -> Result<Infallible, End> {
        loop {
            while let Some(framed) = self.framer.next_frame()? {
                if connection.outbound.is_closed() {
                    return self.drain(End::Closed);
                }
                if !connection.may_trade() {
                    return self.log_out(door, connection);
                }
                let Framed::Message(frame) = framed else {
                    // The number it may have had stays missing, so the session asks for it again.
                    tracing::debug!(connection = connection.id.0, ?framed, "garbled bytes skipped");
                    continue;
                };
                let mut inbound = self.guard.check(frame, decode);
                if door.shortage.is_on() {
                    turn_away(&mut inbound);
                }
                let urgent = !matches!(inbound.body, Body::Application(_));
                submit(door, connection, &message(connection, inbound), urgent)?;
            }
            match self.fill() {
                Err(End::Io(error)) if is_timeout(&error) => {
                    if connection.outbound.is_closed() {
                        return Err(End::Closed);
                    }
                    if !connection.may_trade() {
                        return self.log_out(door, connection);
                    }
                }
                filled => filled?,
            }
        }
    }

    /// Ends the session in order; what the peer still asks for is not heard.
    fn log_out(&mut self, door: &Door, connection: &Connection) -> Result<Infallible, End> {
        let log_out = Command::FixLogOut { session: connection.peer.session, connection: connection.id };
        submit(door, connection, &log_out, true)?;
        self.drain(End::Revoked)
    }

    /// Closed from here: what still comes is read and dropped until the peer closes too, so that the last words reach
    /// it. A socket that is closed with unread bytes would take them back.
    fn drain(&mut self, end: End) -> Result<Infallible, End> {
        let deadline = Instant::now() + FAREWELL;
        let mut nowhere = [0; 4096];
        while Instant::now() < deadline {
            match self.socket.read(&mut nowhere) {
                Ok(1..) => {}
                Err(error) if is_timeout(&error) => {}
                _ => break,
            }
        }
        Err(end)
    }

    fn fill(&mut self) -> Result<(), End> {
        let mut first = [0];
        let peek = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        self.lookout.until(|| recv(&self.socket, &mut first, peek) != Err(Errno::WOULDBLOCK));
        loop {
            return match self.socket.read(self.framer.space()) {
                Ok(0) => Err(End::Peer),
                Ok(count) => {
                    self.framer.filled(count);
                    self.lookout.came();
                    Ok(())
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(error.into()),
            };
        }
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Whose Logon it is, and who was let in with its credentials, if any were asked for.
type Known<'g> = (&'g Arc<Peer>, Option<Box<dyn Admission>>);

/// Whose Logon it is, if its credentials are right.
fn authenticate<'g>(gateway: &'g Gateway, opening: &Opening<'_>, address: IpAddr) -> Result<Known<'g>, End> {
    let peer = gateway.peers.find(opening.sender, opening.target).ok_or(End::UnknownPeer)?;
    let Some(username) = &peer.username else { return Ok((peer, None)) };
    let (given, password) = (opening.username.unwrap_or_default(), opening.password.unwrap_or_default());
    // The credentials are checked for a wrong name too, so that the time taken does not tell which was wrong.
    let agent = format!("FIX {}", opening.sender);
    let admission = gateway.logons.log_on(Shown { name: given, password, agent: &agent, address });
    let admission = admission.map_err(|denied| match denied {
        Denied::Unknown | Denied::Expired | Denied::Revoked => End::Credentials,
        Denied::Unavailable => End::Unchecked,
    })?;
    let principal = admission.principal();
    if !given.eq_ignore_ascii_case(username) {
        return Err(End::Credentials);
    }
    if !principal.scopes.holds(TRADE) {
        return Err(End::MayNot(Arc::clone(&principal.name)));
    }
    Ok((peer, Some(admission)))
}

fn message(connection: &Connection, inbound: Inbound<Request>) -> Command {
    Command::Fix(FixMessage { session: connection.peer.session, connection: connection.id, inbound })
}

/// Queues a command, waiting while the queue is full.
fn submit(door: &Door, connection: &Connection, command: &Command, urgent: bool) -> Result<(), SubmitError> {
    let origin = Origin {
        bucket: door.unit,
        principal: u64::from(connection.peer.session.0),
        urgent,
        ..Origin::default()
    };
    let (mut pause, longest) = PAUSES;
    loop {
        match door.partition.offer(origin, command, connection.id.0) {
            Err(SubmitError::Overloaded { .. }) => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(longest);
            }
            taken => return taken,
        }
    }
}
