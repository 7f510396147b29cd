//! How a session opens: the first message on a connection, from either side, and a reset while open.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::borrow::Cow;

use super::inbound::{Body, Header, Inbound, Logon, SeqNum};
use super::machine::{Link, Phase, Session, Waiting};
use super::outlet::{CloseReason, ConnectionId, Outlet, SessionMessage};
use super::settings::Role;
use crate::time::Timestamp;

impl<A, R: Copy> Session<A, R> {
    /// The first message on a connection to an acceptor. Until a good Logon has come nothing is answered and no
    /// number is used, so that a stranger cannot move the sequences.
    pub(super) fn first(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        inbound: Inbound<A>,
        out: &mut impl Outlet<A, R>,
    ) {
        let Inbound { header, body: Body::Logon(logon) } = inbound else {
            return out.close(connection, CloseReason::NotLoggedOn);
        };
        if self.settings.role != Role::Acceptor || !self.sent_in_time(now, &header) {
            return out.close(connection, CloseReason::NotLoggedOn);
        }
        if logon.reset || self.settings.reset_on_logon {
            self.reset_numbers();
            out.restarted();
        }
        self.link = Some(Link::new(connection, Phase::Active, logon.heartbeat_seconds, now));
        if let Some(problem) = self.logon_problem(&header, &logon) {
            return self.refuse(now, header.seq, problem, out);
        }
        self.accept(now, &header, &logon, out);
        out.logged_on(connection);
    }

    /// A Logon with ResetSeqNumFlag on an open session: both sequences start again, without a new connection.
    pub(super) fn reset_while_open(
        &mut self,
        now: Timestamp,
        header: &Header,
        logon: &Logon,
        out: &mut impl Outlet<A, R>,
    ) {
        self.reset_numbers();
        out.restarted();
        if let Some(problem) = self.logon_problem(header, logon) {
            return self.refuse(now, header.seq, problem, out);
        }
        if let Some(link) = &mut self.link {
            link.heartbeat_seconds = logon.heartbeat_seconds;
        }
        self.accept(now, header, logon, out);
    }

    /// Answers a good Logon, then fills what the other side lacks, and asks for what we lack.
    fn accept(&mut self, now: Timestamp, header: &Header, logon: &Logon, out: &mut impl Outlet<A, R>) {
        let in_sequence = header.seq == self.next_in;
        let ours = self.next_out;
        let expected = self.next_in + SeqNum::from(in_sequence);
        let answer = SessionMessage::Logon {
            heartbeat_seconds: logon.heartbeat_seconds,
            reset: logon.reset,
            next_expected: logon.next_expected.map(|_| expected),
        };
        self.emit(now, answer, out);
        if let Some(theirs) = logon.next_expected.filter(|theirs| *theirs < ours) {
            self.replay(now, theirs, ours, out);
        }
        self.count_logon(now, header.seq, logon.next_expected.is_some(), out);
    }

    /// The answer to an initiator's Logon, which went out under the number `logon_seq`.
    pub(super) fn answered(
        &mut self,
        now: Timestamp,
        logon_seq: SeqNum,
        inbound: Inbound<A>,
        out: &mut impl Outlet<A, R>,
    ) {
        let Inbound { header, body } = inbound;
        let logon = match body {
            Body::Logon(logon) if self.sent_in_time(now, &header) => logon,
            Body::Logout { .. } => {
                self.next_in += SeqNum::from(header.seq == self.next_in);
                return self.drop_link(CloseReason::LogonRefused, out);
            }
            _ => return self.drop_link(CloseReason::NotLoggedOn, out),
        };
        let asked_reset = self.settings.reset_on_logon;
        if logon.reset && !asked_reset {
            self.reset_numbers();
            out.restarted();
            self.next_out = 2;
        }
        if let Some(problem) = self.logon_problem(&header, &logon) {
            return self.refuse(now, header.seq, problem, out);
        }
        let Some(link) = &mut self.link else { return };
        link.phase = Phase::Active;
        link.heartbeat_seconds = logon.heartbeat_seconds;
        let connection = link.connection;
        let unsent = if logon.reset { 2 } else { logon_seq + 1 };
        let missing = logon.next_expected.unwrap_or(unsent).min(unsent);
        self.replay(now, missing, self.next_out - 1, out);
        self.count_logon(now, header.seq, logon.next_expected.is_some(), out);
        out.logged_on(connection);
    }

    /// Counts the other side's Logon. Above a gap it waits for nothing but its turn; with NextExpectedMsgSeqNum the
    /// other side fills the gap unasked.
    fn count_logon(&mut self, now: Timestamp, seq: SeqNum, unasked: bool, out: &mut impl Outlet<A, R>) {
        if seq == self.next_in {
            self.next_in += 1;
            return;
        }
        self.queue.insert(seq, Waiting::Done);
        if unasked {
            self.note_gap(now, seq);
        } else {
            self.ask_for_gap(now, seq, out);
        }
    }

    fn logon_problem(&self, header: &Header, logon: &Logon) -> Option<Cow<'static, str>> {
        if header.seq < self.next_in {
            return Some(too_low(self.next_in, header.seq));
        }
        if logon.heartbeat_seconds > self.settings.max_heartbeat_seconds {
            let (given, most) = (logon.heartbeat_seconds, self.settings.max_heartbeat_seconds);
            return Some(format!("HeartBtInt {given} is too long, at most {most} is allowed").into());
        }
        match logon.next_expected {
            Some(theirs) if theirs > self.next_out => {
                let ours = self.next_out;
                Some(format!("NextExpectedMsgSeqNum too high, expecting {ours} but received {theirs}").into())
            }
            _ => None,
        }
    }

    fn refuse(&mut self, now: Timestamp, seq: SeqNum, text: Cow<'static, str>, out: &mut impl Outlet<A, R>) {
        self.next_in += SeqNum::from(seq == self.next_in);
        self.emit(now, SessionMessage::Logout { text: Some(text) }, out);
        self.drop_link(CloseReason::LogonRefused, out);
    }
}

pub(super) fn too_low(expected: SeqNum, received: SeqNum) -> Cow<'static, str> {
    format!("MsgSeqNum too low, expecting {expected} but received {received}").into()
}
