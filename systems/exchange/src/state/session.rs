//! FIX sessions: their sequence numbers lie in the state, so that they are as durable as the orders they carry.
//!
//! The rules of the session layer are `decalog_fix`'s; here its decisions become events, and its deliveries order entry.

use std::collections::{BTreeMap, BTreeSet};

use decalog_fix::session::{
    CloseReason, ConnectionId, Header, Outlet, Replay, Route, Session, SessionMessage, Settings,
};
use decalog_fix::time;
use decalog_runtime::{Address, Digest, Timestamp};

use super::order::ClOrdIds;
use super::{Turn, Unit};
use crate::command::{FixMessage, Refusal, Reply, Request, SessionSetup};
use crate::event::{Event, Message, Outbound};
use crate::value::SessionId;

/// The most sessions of a unit.
const MAX_SESSIONS: usize = 4096;
/// How many outbound numbers can be sent again.
const RESEND_WINDOW: u64 = 1_000_000;
/// How many steps of a resend one event holds, so that events stay small.
const REPLAY_ITEMS: usize = 4096;

/// The unit's sessions, in the order in which they were set up.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    list: Vec<FixSession>,
    by_id: BTreeMap<SessionId, u32>,
    /// When which session has something to do.
    timers: BTreeSet<(Timestamp, u32)>,
    /// Those that may have changed since they were last settled.
    touched: Vec<u32>,
    digest: Digest,
}

/// A session.
#[derive(Debug)]
pub(super) struct FixSession {
    pub(super) setup: SessionSetup,
    /// Whom it trades for.
    pub(super) accounts: Vec<u32>,
    pub(super) fix: Session<Request, Address>,
    /// The ClOrdIDs it has used today.
    pub(super) ids: ClOrdIds,
    /// A fingerprint of every address ever noted for a resend.
    pub(super) noted: Digest,
    /// What stands in the timers.
    timer: Option<Timestamp>,
    /// What stands in the digest of all.
    settled: Digest,
    /// The connection it had when it was last settled.
    connection: Option<ConnectionId>,
    is_touched: bool,
}

impl FixSession {
    pub(super) fn new(setup: SessionSetup, accounts: Vec<u32>) -> FixSession {
        let fix = Session::new(settings(&setup));
        FixSession {
            setup,
            accounts,
            fix,
            ids: ClOrdIds::default(),
            noted: Digest::default(),
            timer: None,
            settled: Digest::default(),
            connection: None,
            is_touched: false,
        }
    }

    fn digest(&self) -> Digest {
        let deadline = self.fix.deadline().map_or(i64::MIN, |time| time.0);
        let connection = self.fix.connection().map_or(0, |connection| connection.0);
        let mut bytes = [0; 69];
        bytes[0..4].copy_from_slice(&self.setup.id.0.to_le_bytes());
        bytes[4..12].copy_from_slice(&self.fix.next_in().to_le_bytes());
        bytes[12..20].copy_from_slice(&self.fix.next_out().to_le_bytes());
        bytes[20..28].copy_from_slice(&deadline.to_le_bytes());
        bytes[28..36].copy_from_slice(&connection.to_le_bytes());
        bytes[36] = u8::from(self.fix.is_active());
        bytes[37..53].copy_from_slice(&self.noted.0.to_le_bytes());
        bytes[53..69].copy_from_slice(&self.ids.digest().0.to_le_bytes());
        Digest::of(&bytes)
    }
}

impl Sessions {
    pub(super) fn get(&self, index: u32) -> &FixSession {
        &self.list[index as usize]
    }

    /// A session that is about to change.
    pub(super) fn touch(&mut self, index: u32) -> &mut FixSession {
        let session = &mut self.list[index as usize];
        if !session.is_touched {
            session.is_touched = true;
            self.touched.push(index);
        }
        session
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &FixSession> {
        self.list.iter()
    }

    pub(super) fn indexes(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.list.len()).expect("at most 4096 sessions")
    }

    /// Sets up one more.
    pub(super) fn push(&mut self, session: FixSession) {
        let index = self.indexes().end;
        self.by_id.insert(session.setup.id, index);
        self.list.push(session);
        self.touch(index);
    }

    /// Numbers a message and tells it.
    pub(super) fn send(&mut self, turn: &mut Turn<'_>, index: u32, route: Option<&Route>, message: Message) {
        let address = turn.address();
        let session = self.touch(index);
        let numbered = session.fix.send(time::Timestamp(turn.time), address);
        session.noted = note(session.noted, numbered.seq, address);
        turn.out.emit(Event::Fix(Outbound {
            session: session.setup.id,
            connection: numbered.connection,
            seq: numbered.seq,
            time: turn.time,
            route: route.map(|route| Box::new(route.clone())),
            message,
        }));
    }

    /// The next moment at which a session has something to do.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.timers.first().map(|(time, _)| *time)
    }

    /// The first session that is due at `now`.
    pub(super) fn due(&self, now: Timestamp) -> Option<u32> {
        self.timers.first().filter(|(time, _)| *time <= now).map(|(_, index)| *index)
    }

    /// Brings timers and digest up to date; answers those that no longer have the connection they had.
    pub(super) fn settle(&mut self) -> Vec<u32> {
        let mut parted = Vec::new();
        for index in std::mem::take(&mut self.touched) {
            let session = &mut self.list[index as usize];
            session.is_touched = false;
            let timer = session.fix.deadline().map(|time| Timestamp(time.0));
            if timer != session.timer {
                if let Some(old) = session.timer {
                    self.timers.remove(&(old, index));
                }
                self.timers.extend(timer.map(|new| (new, index)));
                session.timer = timer;
            }
            let digest = session.digest();
            self.digest = self.digest.without(session.settled).with(digest);
            session.settled = digest;
            if session.fix.connection() != session.connection {
                session.connection = session.fix.connection();
                parted.push(index);
            }
        }
        parted
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }
}

fn note(noted: Digest, seq: u64, address: Address) -> Digest {
    let mut bytes = [0; 20];
    bytes[0..8].copy_from_slice(&seq.to_le_bytes());
    bytes[8..16].copy_from_slice(&address.offset.to_le_bytes());
    bytes[16..20].copy_from_slice(&address.index.to_le_bytes());
    noted.then(&bytes)
}

fn settings(setup: &SessionSetup) -> Settings {
    Settings {
        reset_on_logon: setup.reset_on_logon,
        sending_time_tolerance_seconds: setup.sending_time_tolerance_s,
        max_heartbeat_seconds: setup.heartbeat_max_s,
        resend_window: RESEND_WINDOW,
        ..Settings::acceptor()
    }
}

/// Turns a session's decisions into events, and keeps what it delivers until it has returned.
struct Decisions<'a, 'b> {
    session: SessionId,
    turn: &'a mut Turn<'b>,
    noted: &'a mut Digest,
    delivered: &'a mut Vec<(Header, Request)>,
}

impl Outlet<Request, Address> for Decisions<'_, '_> {
    fn send(&mut self, connection: ConnectionId, seq: u64, message: SessionMessage) -> Option<Address> {
        let address = match message {
            SessionMessage::Reject { .. } | SessionMessage::BusinessReject { .. } => {
                Some(self.turn.address())
            }
            _ => None,
        };
        if let Some(address) = address {
            *self.noted = note(*self.noted, seq, address);
        }
        self.turn.out.emit(Event::Fix(Outbound {
            session: self.session,
            connection: Some(connection),
            seq,
            time: self.turn.time,
            route: None,
            message: Message::Session(message),
        }));
        address
    }

    fn replay(&mut self, connection: ConnectionId, items: Replay<'_, Address>) {
        let items: Vec<_> = items.collect();
        for chunk in items.chunks(REPLAY_ITEMS) {
            let items = chunk.to_vec();
            self.turn.out.emit(Event::FixReplay { session: self.session, connection, items });
        }
    }

    fn deliver(&mut self, header: Header, message: Request) {
        self.delivered.push((header, message));
    }

    fn close(&mut self, connection: ConnectionId, reason: CloseReason) {
        self.turn.out.emit(Event::FixClose { session: self.session, connection, reason });
    }
}

impl Unit {
    /// Sets up a session, or changes its settings.
    pub(super) fn install_session(&mut self, setup: SessionSetup) -> Reply {
        if setup.our_comp_id.is_empty() || setup.their_comp_id.is_empty() || setup.heartbeat_max_s == 0 {
            return Reply::Refused(Refusal::InvalidSession);
        }
        let accounts: Option<Vec<u32>> =
            setup.accounts.iter().map(|name| self.accounts.find(*name)).collect();
        let Some(accounts) = accounts.filter(|accounts| !accounts.is_empty()) else {
            return Reply::Refused(Refusal::UnknownAccount);
        };
        let comp_ids = |it: &SessionSetup| (it.our_comp_id.clone(), it.their_comp_id.clone());
        let existing = self.sessions.by_id.get(&setup.id).copied();
        let namesake = self.sessions.iter().find(|it| comp_ids(&it.setup) == comp_ids(&setup));
        if namesake.map(|it| it.setup.id) != existing.map(|_| setup.id) {
            return Reply::Refused(Refusal::CompIdsTaken);
        }
        match existing {
            Some(index) => {
                let session = self.sessions.touch(index);
                session.fix.configure(settings(&setup));
                session.accounts = accounts;
                session.setup = setup;
            }
            None if self.sessions.list.len() == MAX_SESSIONS => return Reply::Refused(Refusal::UnitFull),
            None => self.sessions.push(FixSession::new(setup, accounts)),
        }
        Reply::Done
    }

    /// A message of a connection: through its session, then, if the session delivers it, into order entry.
    pub(super) fn receive(&mut self, turn: &mut Turn<'_>, message: FixMessage) {
        let FixMessage { session, connection, inbound } = message;
        let Some(index) = self.sessions.by_id.get(&session).copied() else {
            return turn.out.emit(Event::FixClose { session, connection, reason: CloseReason::NotLoggedOn });
        };
        let mut delivered = std::mem::take(&mut self.delivered);
        let now = time::Timestamp(turn.time);
        let (fix, mut decisions) = self.sessions.touch(index).driven(turn, &mut delivered);
        fix.receive(now, connection, inbound, &mut decisions);
        self.settle();
        for (header, request) in delivered.drain(..) {
            self.handle(turn, index, &header, request);
        }
        self.delivered = delivered;
    }

    fn handle(&mut self, turn: &mut Turn<'_>, session: u32, header: &Header, request: Request) {
        match request {
            Request::NewOrder(order) => self.place(turn, session, header, &order),
            Request::Cancel(cancel) => self.cancel(turn, session, header, &cancel),
            Request::Replace(replace) => self.replace(turn, session, header, &replace),
            Request::Status(status) => self.status(turn, session, header, &status),
            Request::SecurityList(list) => self.security_list(turn, session, header, &list),
            Request::MarketData(request) => self.market_data_request(turn, session, header, &request),
        }
    }

    /// A connection is gone.
    pub(super) fn disconnected(&mut self, session: SessionId, connection: ConnectionId) {
        if let Some(index) = self.sessions.by_id.get(&session).copied() {
            self.sessions.touch(index).fix.disconnected(connection);
        }
    }

    /// Ends a session in order, because its logon no longer counts.
    pub(super) fn log_out(&mut self, turn: &mut Turn<'_>, session: SessionId, connection: ConnectionId) {
        let Some(index) = self.sessions.by_id.get(&session).copied() else { return };
        if self.sessions.get(index).fix.connection() != Some(connection) {
            return;
        }
        let now = time::Timestamp(turn.time);
        let mut delivered = std::mem::take(&mut self.delivered);
        let (fix, mut decisions) = self.sessions.touch(index).driven(turn, &mut delivered);
        fix.logout(now, Some("The logon was revoked".into()), &mut decisions);
        self.delivered = delivered;
    }

    /// Every connection is gone.
    pub(super) fn gateway_started(&mut self) {
        for index in self.sessions.indexes() {
            if let Some(connection) = self.sessions.get(index).fix.connection() {
                self.sessions.touch(index).fix.disconnected(connection);
            }
        }
    }

    /// Lets sessions do what is due: heartbeats, test requests, the end of patience.
    pub(super) fn tick_sessions(&mut self, turn: &mut Turn<'_>) {
        let now = Timestamp(turn.time);
        while let Some(index) = self.sessions.due(now) {
            let mut delivered = std::mem::take(&mut self.delivered);
            let (fix, mut decisions) = self.sessions.touch(index).driven(turn, &mut delivered);
            fix.tick(time::Timestamp(now.0), &mut decisions);
            self.delivered = delivered;
            self.settle();
        }
    }

    /// The unit's sessions: how each is set up, the next numbers in and out, and the connection it is logged on with.
    pub fn sessions(&self) -> impl Iterator<Item = (&SessionSetup, u64, u64, Option<ConnectionId>)> {
        self.sessions.iter().map(|it| (&it.setup, it.fix.next_in(), it.fix.next_out(), it.fix.connection()))
    }
}

impl FixSession {
    /// The session layer, and what takes its decisions.
    fn driven<'a, 'b>(
        &'a mut self,
        turn: &'a mut Turn<'b>,
        delivered: &'a mut Vec<(Header, Request)>,
    ) -> (&'a mut Session<Request, Address>, Decisions<'a, 'b>) {
        let decisions = Decisions { session: self.setup.id, turn, noted: &mut self.noted, delivered };
        (&mut self.fix, decisions)
    }
}
