//! Drives one TCP connection of a stand-alone session: bytes in and out, the clock, and the limits.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};

use crate::acceptor::Application;
use crate::codec::{Body, Framed, Framer, TooLarge};
use crate::dictionary::MsgType;
use crate::endpoint::{Endpoint, Event, Received};
use crate::guard::{Guard, Identity, Refusal};
use crate::session::{CloseReason, ConnectionId, Numbered};
use crate::time::Timestamp;

/// What one connection may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time; more are closed at once.
    pub max_connections: usize,
    /// How long a new connection may take to log on.
    pub logon_timeout: Duration,
    /// The longest message, in bytes.
    pub max_message: usize,
    /// How many bytes may wait for a slow reader before it is cut off.
    pub max_unsent: usize,
    /// How long a reader may take nothing at all before it is cut off.
    pub write_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            logon_timeout: Duration::from_secs(10),
            max_message: 64 * 1024,
            max_unsent: 64 * 1024 * 1024,
            write_timeout: Duration::from_secs(10),
        }
    }
}

/// The current moment of this machine's clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// A number that no other connection of this process has.
pub(crate) fn next_connection() -> ConnectionId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    ConnectionId(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A stand-alone session, from wherever it is used.
#[derive(Clone)]
pub struct SessionHandle {
    shared: Arc<Shared>,
}

struct Shared {
    identity: Identity,
    endpoint: Mutex<Endpoint>,
    wake: Notify,
}

impl SessionHandle {
    pub(crate) fn new(identity: Identity, endpoint: Endpoint) -> Self {
        Self { shared: Arc::new(Shared { identity, endpoint: Mutex::new(endpoint), wake: Notify::new() }) }
    }

    /// Whose session it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// Sends an application message, now or (when nobody is logged on) with the resend after the next Logon. The
    /// error is the store's.
    pub fn send(&self, msg_type: MsgType, body: impl FnOnce(&mut Body<'_>)) -> io::Result<Numbered> {
        let numbered = self.endpoint().send(now(), msg_type, body)?;
        self.shared.wake.notify_one();
        Ok(numbered)
    }

    /// Says Logout; the connection closes when the other side has answered.
    pub fn logout(&self, text: Option<String>) -> io::Result<()> {
        self.endpoint().logout(now(), text)?;
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Is the session open?
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.endpoint().session().is_active()
    }

    /// MsgSeqNum of the next message to come, and of the next to go.
    #[must_use]
    pub fn numbers(&self) -> (u64, u64) {
        let endpoint = self.endpoint();
        (endpoint.session().next_in(), endpoint.session().next_out())
    }

    /// A panic while the lock was held leaves a session whose numbers are still in step with its store.
    pub(crate) fn endpoint(&self) -> MutexGuard<'_, Endpoint> {
        self.shared.endpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a session's events go.
pub(crate) enum Sink {
    Application(Arc<dyn Application>),
    /// Bounded: while it is full the connection waits, and with it the other side.
    Channel(mpsc::Sender<Event>),
}

impl Sink {
    pub(crate) async fn put(&self, session: &SessionHandle, event: Event) {
        match self {
            Self::Application(application) => application.event(session, event),
            // Nobody listens any more: the connection goes on until it is closed.
            Self::Channel(channel) => drop(channel.send(event).await),
        }
    }

    fn takes(&self, msg_type: MsgType) -> bool {
        match self {
            Self::Application(application) => application.takes(msg_type),
            Self::Channel(_) => true,
        }
    }
}

/// One connection of a session, ready to be driven.
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) stream: TcpStream,
    pub(crate) framer: Framer,
    pub(crate) guard: Guard,
    pub(crate) session: SessionHandle,
    pub(crate) sink: Sink,
    pub(crate) limits: Limits,
}

/// Why a connection is given up; none of it is the session's decision.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the other side closed the connection")]
    Ended,
    #[error("the other side does not read")]
    SlowReader,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Connection {
    /// Runs until either side is done.
    pub(crate) async fn drive(mut self) {
        let closed = match self.exchange().await {
            Ok(reason) => Some(reason),
            Err(error) => {
                tracing::debug!(connection = self.id.0, %error, "connection lost");
                None
            }
        };
        self.session.endpoint().disconnected(self.id);
        let events = self.session.endpoint().take_events(self.id);
        for event in events {
            self.sink.put(&self.session, event).await;
        }
        self.sink.put(&self.session, Event::Closed(closed)).await;
    }

    async fn exchange(&mut self) -> Result<CloseReason, Broken> {
        let mut pending = Vec::new();
        let mut closed = None;
        let mut stalled = Instant::now() + self.limits.write_timeout;
        // The first message may have brought others along.
        self.take_frames()?;
        loop {
            let (unsent, events, deadline) = {
                let mut endpoint = self.session.endpoint();
                let unsent = endpoint.take_out(self.id, &mut pending);
                closed = closed.or_else(|| endpoint.take_closed(self.id));
                (unsent, endpoint.take_events(self.id), endpoint.deadline())
            };
            for event in events {
                self.sink.put(&self.session, event).await;
            }
            match closed {
                Some(reason) if unsent == 0 => return Ok(reason),
                _ if unsent > self.limits.max_unsent => return Err(Broken::SlowReader),
                _ => {}
            }
            if unsent == 0 {
                stalled = Instant::now() + self.limits.write_timeout;
            }
            let (mut reader, mut writer) = self.stream.split();
            tokio::select! {
                read = reader.read(self.framer.space()), if closed.is_none() => {
                    match read? {
                        0 => return Err(Broken::Ended),
                        count => self.framer.filled(count),
                    }
                    self.take_frames()?;
                }
                written = writer.write(&pending), if unsent > 0 => {
                    pending.drain(..written?);
                    stalled = Instant::now() + self.limits.write_timeout;
                }
                () = self.session.shared.wake.notified() => {}
                () = sleep_until(instant(deadline)), if deadline.is_some() && closed.is_none() => {
                    self.session.endpoint().tick(now())?;
                }
                () = sleep_until(stalled), if unsent > 0 => return Err(Broken::SlowReader),
            }
        }
    }

    /// Gives all whole messages to the session.
    fn take_frames(&mut self) -> io::Result<()> {
        loop {
            let frame = match self.framer.next_frame() {
                Ok(None) => return Ok(()),
                Ok(Some(Framed::Message(frame))) => frame,
                Ok(Some(Framed::Garbled(garbled))) => {
                    tracing::debug!(connection = self.id.0, %garbled, "message skipped");
                    continue;
                }
                Err(error @ TooLarge { .. }) => {
                    self.session.endpoint().logout(now(), Some(error.to_string()))?;
                    self.framer = Framer::new(self.limits.max_message);
                    return Ok(());
                }
            };
            let sink = &self.sink;
            let inbound = self.guard.check(frame, |message| match message.msg_type() {
                Some(msg_type) if sink.takes(msg_type) => Ok(Received::keep(msg_type, message)),
                _ => Err(Refusal::Unsupported),
            });
            self.session.endpoint().receive(now(), self.id, inbound)?;
        }
    }
}

fn instant(deadline: Option<Timestamp>) -> Instant {
    let nanos = deadline.map_or(0, |deadline| deadline.0.saturating_sub(now().0));
    Instant::now() + Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}
