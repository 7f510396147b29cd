//! A stand-alone acceptor: listens, finds the session a Logon belongs to, and drives its connection.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::codec::{Framed, Framer, Rules};
use crate::connection::{Connection, Sink, next_connection, now};
pub use crate::connection::{Limits, SessionHandle};
use crate::dictionary::MsgType;
use crate::endpoint::Endpoint;
pub use crate::endpoint::{Event, Received};
use crate::guard::{Guard, Identity, NotLogon};
use crate::outbound::Credentials;
use crate::session::Settings;
use crate::store::Store;
use crate::time::Precision;

/// What stands behind an acceptor's sessions. Called from the tasks of the connections; must return quickly.
pub trait Application: Send + Sync + 'static {
    /// Does it take messages of this type? Others are answered by a BusinessMessageReject.
    fn takes(&self, msg_type: MsgType) -> bool;

    /// Something happened to a session; answers go out by its handle.
    fn event(&self, session: &SessionHandle, event: Event);
}

/// The sessions that may log on, the application behind them, and the limits.
pub struct Acceptor {
    sessions: BTreeMap<Identity, (SessionHandle, Option<Credentials>)>,
    application: Arc<dyn Application>,
    limits: Limits,
    rules: Rules,
}

/// Why a new connection got no session.
#[derive(Debug, thiserror::Error)]
enum Turned {
    #[error("it closed before its Logon")]
    Ended,
    #[error("no Logon in time")]
    Late,
    #[error("the first message was garbled or too large")]
    Garbled,
    #[error(transparent)]
    NotLogon(#[from] NotLogon),
    #[error("no session of {theirs} to {ours}")]
    Unknown { theirs: String, ours: String },
    #[error("wrong credentials for {0}")]
    Credentials(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Acceptor {
    /// An acceptor without sessions.
    #[must_use]
    pub fn new(application: Arc<dyn Application>, limits: Limits, rules: Rules) -> Self {
        Self { sessions: BTreeMap::new(), application, limits, rules }
    }

    /// Adds a session; with credentials, a Logon must carry them. The error is the store's.
    pub fn add(
        &mut self,
        identity: Identity,
        settings: Settings,
        credentials: Option<Credentials>,
        store: impl Store,
    ) -> io::Result<SessionHandle> {
        let endpoint = Endpoint::new(identity.clone(), settings, None, Precision::Millis, Box::new(store))?;
        let handle = SessionHandle::new(identity.clone(), endpoint);
        self.sessions.insert(identity, (handle.clone(), credentials));
        Ok(handle)
    }

    /// Serves until the future is dropped, which closes all connections.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        let this = Arc::new(self);
        let seats = Arc::new(Semaphore::new(this.limits.max_connections));
        let mut tasks = JoinSet::new();
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                // One connection's failure, or no descriptor left: neither ends the listener.
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    continue;
                }
            };
            while tasks.try_join_next().is_some() {}
            match Arc::clone(&seats).try_acquire_owned() {
                Ok(seat) => drop(tasks.spawn(Arc::clone(&this).welcome(stream, seat))),
                Err(_) => tracing::warn!("all {} connections are taken", this.limits.max_connections),
            }
        }
    }

    async fn welcome(self: Arc<Self>, stream: TcpStream, seat: OwnedSemaphorePermit) {
        let opened = match timeout(self.limits.logon_timeout, self.open(stream)).await {
            Ok(opened) => opened,
            Err(_) => Err(Turned::Late),
        };
        match opened {
            Ok(connection) => connection.drive().await,
            Err(reason) => tracing::info!(%reason, "connection turned away"),
        }
        drop(seat);
    }

    /// Reads the first message and finds its session. Strangers get no answer.
    async fn open(&self, mut stream: TcpStream) -> Result<Connection, Turned> {
        stream.set_nodelay(true)?;
        let mut framer = Framer::new(self.limits.max_message);
        let mut guard = Guard::new(self.rules);
        let (session, inbound) = loop {
            match framer.next_frame() {
                Ok(None) => {}
                Ok(Some(Framed::Message(frame))) => {
                    let opening = guard.first(frame)?;
                    let session =
                        self.find(opening.sender, opening.target, [opening.username, opening.password])?;
                    break (session, opening.inbound());
                }
                Ok(Some(Framed::Garbled(_))) | Err(_) => return Err(Turned::Garbled),
            }
            match stream.read(framer.space()).await? {
                0 => return Err(Turned::Ended),
                count => framer.filled(count),
            }
        };
        let id = next_connection();
        guard.bind(session.identity().clone());
        session.endpoint().receive(now(), id, inbound)?;
        let sink = Sink::Application(Arc::clone(&self.application));
        Ok(Connection { id, stream, framer, guard, session, sink, limits: self.limits })
    }

    fn find(&self, sender: &str, target: &str, given: [Option<&str>; 2]) -> Result<SessionHandle, Turned> {
        let identity = Identity { ours: target.to_owned(), theirs: sender.to_owned() };
        let Some((session, credentials)) = self.sessions.get(&identity) else {
            let Identity { ours, theirs } = identity;
            return Err(Turned::Unknown { theirs, ours });
        };
        let right = credentials.as_ref().is_none_or(|right| {
            let name = same(given[0].unwrap_or_default(), &right.username);
            name & same(given[1].unwrap_or_default(), &right.password)
        });
        if right { Ok(session.clone()) } else { Err(Turned::Credentials(identity.theirs)) }
    }
}

/// Compares in a time that depends on the lengths alone.
fn same(given: &str, right: &str) -> bool {
    let differ = given.bytes().zip(right.bytes()).fold(0, |differ, (one, other)| differ | (one ^ other));
    differ == 0 && given.len() == right.len()
}
