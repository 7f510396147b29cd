//! A stand-alone initiator: connects, logs on, sends and receives application messages, and can do so again.

use std::io;

use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::codec::{Body, Framer, Rules};
use crate::connection::{Connection, Sink, next_connection, now};
pub use crate::connection::{Limits, SessionHandle};
use crate::dictionary::MsgType;
use crate::endpoint::Endpoint;
pub use crate::endpoint::{Event, Received};
use crate::guard::{Guard, Identity};
use crate::outbound::Credentials;
use crate::session::{CloseReason, Numbered, Settings};
use crate::store::Store;
use crate::time::Precision;

/// How many events may wait for [`Initiator::event`] before the connection stops reading.
const WAITING_EVENTS: usize = 1024;

/// One session of ours with a counterparty.
pub struct Initiator {
    session: SessionHandle,
    limits: Limits,
    live: Option<Live>,
}

struct Live {
    events: mpsc::Receiver<Event>,
    task: JoinHandle<()>,
}

/// Why a session did not open.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No connection, or the store failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The other side refused the Logon, or did not answer it.
    #[error("not logged on: {}", .0.map_or("the connection was closed".to_owned(), |reason| format!("{reason:?}")))]
    Refused(Option<CloseReason>),
}

impl Initiator {
    /// A session that goes on where the store left it; `settings.role` must be an initiator's. The error is the
    /// store's.
    pub fn new(
        identity: Identity,
        settings: Settings,
        credentials: Option<Credentials>,
        limits: Limits,
        store: impl Store,
    ) -> io::Result<Self> {
        let endpoint =
            Endpoint::new(identity.clone(), settings, credentials, Precision::Millis, Box::new(store))?;
        Ok(Self { session: SessionHandle::new(identity, endpoint), limits, live: None })
    }

    /// Connects and logs on. May be called again when the connection is over.
    pub async fn connect(&mut self, address: impl ToSocketAddrs) -> Result<(), ConnectError> {
        self.disconnect().await;
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let id = next_connection();
        let mut guard = Guard::new(Rules::default());
        guard.bind(self.session.identity().clone());
        self.session.endpoint().connected(now(), id)?;
        let (sender, events) = mpsc::channel(WAITING_EVENTS);
        let connection = Connection {
            id,
            stream,
            framer: Framer::new(self.limits.max_message),
            guard,
            session: self.session.clone(),
            sink: Sink::Channel(sender),
            limits: self.limits,
        };
        let task = tokio::spawn(connection.drive());
        let live = self.live.insert(Live { events, task });
        match live.events.recv().await {
            Some(Event::LoggedOn) => Ok(()),
            Some(Event::Closed(reason)) => Err(ConnectError::Refused(reason)),
            _ => Err(ConnectError::Refused(None)),
        }
    }

    /// The session, for sending from elsewhere.
    #[must_use]
    pub fn session(&self) -> &SessionHandle {
        &self.session
    }

    /// Sends an application message. See [`SessionHandle::send`].
    pub fn send(&self, msg_type: MsgType, body: impl FnOnce(&mut Body<'_>)) -> io::Result<Numbered> {
        self.session.send(msg_type, body)
    }

    /// The next event; `None` once the connection is over and all was taken.
    pub async fn event(&mut self) -> Option<Event> {
        self.live.as_mut()?.events.recv().await
    }

    /// Says Logout and waits for the end of the connection; events that are still to come are dropped.
    pub async fn logout(&mut self) -> io::Result<()> {
        self.session.logout(None)?;
        while self.event().await.is_some() {}
        self.live = None;
        Ok(())
    }

    /// Drops the connection without a word, as a crash would.
    pub async fn disconnect(&mut self) {
        if let Some(live) = self.live.take() {
            live.task.abort();
            // Aborted or finished: either way the session must let go of its connection.
            let _ = live.task.await;
            let connection = self.session.endpoint().session().connection();
            if let Some(connection) = connection {
                self.session.endpoint().disconnected(connection);
            }
        }
    }
}

impl Drop for Initiator {
    fn drop(&mut self) {
        if let Some(live) = &self.live {
            live.task.abort();
        }
    }
}
