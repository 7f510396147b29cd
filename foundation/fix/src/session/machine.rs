//! The session itself: its state, and the doors through which it is driven.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::inbound::{Inbound, SeqNum};
use super::outlet::{CloseReason, ConnectionId, Outlet, SessionMessage};
use super::sent::Sent;
use super::settings::{Role, Settings};
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
    /// Messages above a gap, by number; empty while there is none.
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
    /// An initiator has sent its Logon under this number.
    LoggingOn { seq: SeqNum, until: Timestamp },
    /// Both sides have said Logon.
    Active,
    /// A Logout was sent.
    LoggingOut { until: Timestamp },
}

/// A gap in what came, and how far the other side was asked to fill it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gap {
    /// The highest number known to exist when it was asked.
    pub(super) asked: SeqNum,
    /// The highest number seen since.
    pub(super) highest: SeqNum,
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

    /// A session whose numbers go on from earlier ones (both at least 1); what was sent before is gap-filled.
    #[must_use]
    pub const fn resumed(settings: Settings, next_in: SeqNum, next_out: SeqNum) -> Self {
        Self { settings, next_in, next_out, link: None, queue: BTreeMap::new(), sent: Sent::new() }
    }

    /// Notes where a message of an earlier life can be found; numbers must rise and lie below the next to go.
    pub fn remember(&mut self, seq: SeqNum, address: R) {
        self.sent.note(seq, address, self.settings.resend_window);
    }

    /// An initiator has a new connection: sends the Logon. An acceptor waits for the other side's, which need not be
    /// announced.
    pub fn connected(&mut self, now: Timestamp, connection: ConnectionId, out: &mut impl Outlet<A, R>) {
        let Role::Initiator { heartbeat_seconds, next_expected, logon_timeout_seconds } = self.settings.role
        else {
            return;
        };
        if self.link.is_some() {
            return out.close(connection, CloseReason::AlreadyLoggedOn);
        }
        if self.settings.reset_on_logon {
            self.reset_numbers();
            out.restarted();
        }
        let until = now.plus_seconds(i64::from(logon_timeout_seconds));
        let phase = Phase::LoggingOn { seq: self.next_out, until };
        self.link = Some(Link::new(connection, phase, heartbeat_seconds, now));
        let logon = SessionMessage::Logon {
            heartbeat_seconds,
            reset: self.settings.reset_on_logon,
            next_expected: next_expected.then_some(self.next_in),
        };
        self.emit(now, logon, out);
    }

    /// A message that the edge took from this connection.
    pub fn receive(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        inbound: Inbound<A>,
        out: &mut impl Outlet<A, R>,
    ) {
        let phase = match &mut self.link {
            None => return self.first(now, connection, inbound, out),
            Some(link) if link.connection != connection => {
                return out.close(connection, CloseReason::AlreadyLoggedOn);
            }
            Some(link) => {
                link.last_in = now;
                link.testing = false;
                link.phase
            }
        };
        match phase {
            Phase::LoggingOn { seq, .. } => self.answered(now, seq, inbound, out),
            Phase::Active | Phase::LoggingOut { .. } => self.screen(now, inbound, out),
        }
    }

    /// The connection is gone. Nothing happens when the session had let go of it already.
    pub fn disconnected(&mut self, connection: ConnectionId) {
        if self.connection() == Some(connection) {
            self.link = None;
            self.queue.clear();
        }
    }

    /// Numbers a new application message and notes where it can be found for a resend. While nobody is logged on it
    /// gets its number all the same, and goes out when the other side asks for it.
    pub fn send(&mut self, now: Timestamp, address: R) -> Numbered {
        let seq = self.next_out;
        self.next_out += 1;
        self.sent.note(seq, address, self.settings.resend_window);
        let connection = self.link.as_mut().filter(|link| link.phase == Phase::Active).map(|link| {
            link.last_out = now;
            link.connection
        });
        Numbered { seq, connection }
    }

    /// Says Logout and waits for the answer. Nothing happens when nobody is logged on.
    pub fn logout(&mut self, now: Timestamp, text: Option<Cow<'static, str>>, out: &mut impl Outlet<A, R>) {
        let until = now.plus_seconds(i64::from(self.settings.logout_timeout_seconds));
        if let Some(link) = &mut self.link
            && link.phase == Phase::Active
        {
            link.phase = Phase::LoggingOut { until };
            self.emit(now, SessionMessage::Logout { text }, out);
        }
    }

    /// Starts both sequences at 1 again, by agreement with the other side. Refused (`false`) while connected.
    pub fn reset(&mut self) -> bool {
        let offline = self.link.is_none();
        if offline {
            self.reset_numbers();
        }
        offline
    }

    /// The connection that the session holds, logged on or about to be.
    #[must_use]
    pub fn connection(&self) -> Option<ConnectionId> {
        self.link.as_ref().map(|link| link.connection)
    }

    /// Have both sides said Logon, and neither Logout?
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.phase == Phase::Active)
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

    /// Changes the agreed rules from now on; a new heartbeat limit counts from the next Logon.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The agreed rules.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Numbers and sends a message of the session itself.
    pub(super) fn emit(&mut self, now: Timestamp, message: SessionMessage, out: &mut impl Outlet<A, R>) {
        let Some(link) = &mut self.link else { return };
        let seq = self.next_out;
        self.next_out += 1;
        link.last_out = now;
        if let Some(address) = out.send(link.connection, seq, message) {
            self.sent.note(seq, address, self.settings.resend_window);
        }
    }

    /// Lets go of the connection.
    pub(super) fn drop_link(&mut self, reason: CloseReason, out: &mut impl Outlet<A, R>) {
        if let Some(link) = self.link.take() {
            self.queue.clear();
            out.close(link.connection, reason);
        }
    }

    pub(super) fn reset_numbers(&mut self) {
        self.next_in = 1;
        self.next_out = 1;
        self.sent.clear();
        self.queue.clear();
        if let Some(link) = &mut self.link {
            link.gap = None;
        }
    }
}

impl Link {
    pub(super) const fn new(
        connection: ConnectionId,
        phase: Phase,
        heartbeat_seconds: u32,
        now: Timestamp,
    ) -> Self {
        Self { connection, phase, heartbeat_seconds, last_in: now, last_out: now, testing: false, gap: None }
    }
}
