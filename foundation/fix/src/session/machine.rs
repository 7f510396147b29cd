//! The session itself: its state, and the doors through which it is driven.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::inbound::{Body, Inbound, SeqNum};
use super::outlet::{CloseReason, ConnectionId, Outlet, SessionMessage};
use super::sent::Sent;
use super::settings::Settings;
use crate::time::Timestamp;

/// One FIX session: the two sequences, the connection that carries them, and what is being waited for.
///
/// `A` is the application's form of an inbound application message (kept while it waits above a gap), `R` the
/// owner's address of an outbound one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session<A, R> {
    pub(super) settings: Settings,
    /// MsgSeqNum of the next message to come.
    pub(super) next_in: SeqNum,
    /// MsgSeqNum of the next message to go.
    pub(super) next_out: SeqNum,
    pub(super) link: Option<Link>,
    pub(super) queue: BTreeMap<SeqNum, Waiting<A>>,
    pub(super) sent: Sent<R>,
}

/// A message above a gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Waiting<A> {
    /// To be processed in its turn.
    Message(Inbound<A>),
    /// Processed out of turn; only its number counts.
    Done,
}

/// What lives as long as a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Link {
    pub(super) connection: ConnectionId,
    pub(super) phase: Phase,
    pub(super) heartbeat_seconds: u32,
    pub(super) last_in: Timestamp,
    pub(super) last_out: Timestamp,
    /// A TestRequest waits for any sign of life.
    pub(super) testing: bool,
    pub(super) gap: Option<Gap>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// An initiator has sent its Logon.
    LoggingOn {
        until: Timestamp,
    },
    Active,
    /// A Logout was sent.
    LoggingOut {
        until: Timestamp,
    },
}

/// A ResendRequest that is being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gap {
    /// The highest number known to exist when it was asked.
    pub(super) end: SeqNum,
    /// Ask again then, unless the gap has moved.
    pub(super) retry_at: Timestamp,
}

/// What an outbound application message got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Its MsgSeqNum (34).
    pub seq: SeqNum,
    /// Where to write it now; `None` keeps it for the resend after the next Logon.
    pub connection: Option<ConnectionId>,
}

impl<A, R: Copy> Session<A, R> {
    /// A session that has never met its counterparty.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self { settings, next_in: 1, next_out: 1, link: None, queue: BTreeMap::new(), sent: Sent::new() }
    }

    /// An initiator has a new connection: sends the Logon. An acceptor waits for the other side's, which need not be
    /// announced.
    pub fn connected(&mut self, now: Timestamp, connection: ConnectionId, out: &mut impl Outlet<A, R>) {
        let _ = (now, connection, out);
        unimplemented!("lands next")
    }

    /// A message that the edge took from this connection.
    pub fn receive(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        inbound: Inbound<A>,
        out: &mut impl Outlet<A, R>,
    ) {
        let _ = (
            now,
            connection,
            inbound,
            out,
            Body::<A>::Heartbeat,
            CloseReason::Silent,
            SessionMessage::TestRequest,
        );
        unimplemented!("lands next")
    }

    /// The connection is gone. Nothing happens when the session had let go of it already.
    pub fn disconnected(&mut self, connection: ConnectionId) {
        if self.link.as_ref().is_some_and(|link| link.connection == connection) {
            self.link = None;
            self.queue.clear();
        }
    }

    /// The next moment at which [`Session::tick`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        unimplemented!("lands next")
    }

    /// Time has passed: heartbeats, test requests, and the end of patience. Harmless when called early.
    pub fn tick(&mut self, now: Timestamp, out: &mut impl Outlet<A, R>) {
        let _ = (now, out);
        unimplemented!("lands next")
    }

    /// Numbers a new application message and notes where it can be found for a resend. While nobody is logged on it
    /// gets its number all the same, and goes out when the other side asks for it.
    pub fn send(&mut self, now: Timestamp, address: R) -> Numbered {
        let _ = (now, address);
        unimplemented!("lands next")
    }

    /// Says Logout and waits for the answer. Nothing happens when nobody is logged on.
    pub fn logout(&mut self, now: Timestamp, text: Option<Cow<'static, str>>, out: &mut impl Outlet<A, R>) {
        let _ = (now, text, out);
        unimplemented!("lands next")
    }

    /// The connection that is logged on.
    #[must_use]
    pub fn connection(&self) -> Option<ConnectionId> {
        self.link.as_ref().map(|link| link.connection)
    }

    /// MsgSeqNum of the next message to come.
    #[must_use]
    pub const fn next_in(&self) -> SeqNum {
        self.next_in
    }

    /// MsgSeqNum of the next message to go.
    #[must_use]
    pub const fn next_out(&self) -> SeqNum {
        self.next_out
    }
}
