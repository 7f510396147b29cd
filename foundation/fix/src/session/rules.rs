//! What an open session does with each message: the checks of its header, its place in the sequence, its meaning.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::inbound::{Body, Header, Inbound, RejectReason, SeqNum, SessionReject, Tag};
use super::logon::too_low;
use super::machine::{Session, Waiting};
use super::outlet::{CloseReason, Outlet, SessionMessage};
use crate::sabotage::{self, Sabotage};
use crate::time::Timestamp;

const ORIG_SENDING_TIME: Tag = 122;

impl<A, R: Copy> Session<A, R> {
    /// The checks that come before the sequence.
    pub(super) fn screen(&mut self, now: Timestamp, inbound: Inbound<A>, out: &mut impl Outlet<A, R>) {
        let header = &inbound.header;
        match &inbound.body {
            Body::NoSeqNum => {
                let text = Some("Required tag missing: MsgSeqNum (34)".into());
                self.logout(now, text, out);
                return self.drop_link(CloseReason::NoSeqNum, out);
            }
            Body::WrongBeginString => {
                self.next_in += SeqNum::from(header.seq == self.next_in);
                self.logout(now, Some("Incorrect BeginString".into()), out);
                return self.drain(now, out);
            }
            // A message that breaks the dictionary may lack what the next checks look at.
            Body::Invalid(_) => {}
            body => {
                let problem = if !self.sent_in_time(now, header) {
                    Some(RejectReason::SendingTimeAccuracy)
                } else if matches!(body, Body::WrongCompId) {
                    Some(RejectReason::CompIdProblem)
                } else {
                    None
                };
                if let Some(reason) = problem {
                    return self.reject_and_leave(now, &inbound, reason, out);
                }
            }
        }
        self.place(now, inbound, out);
    }

    /// Where a message stands in the sequence. A few are taken whatever their number.
    fn place(&mut self, now: Timestamp, inbound: Inbound<A>, out: &mut impl Outlet<A, R>) {
        let seq = inbound.header.seq;
        match inbound.body {
            Body::Logout { .. } => {
                self.next_in += SeqNum::from(seq == self.next_in);
                self.logout(now, None, out);
                return self.drop_link(CloseReason::LoggedOut, out);
            }
            Body::Logon(ref logon) if logon.reset => {
                return self.reset_while_open(now, &inbound.header, logon, out);
            }
            Body::SequenceReset { gap_fill: false, new_seq } => {
                return self.reset_to(now, &inbound, new_seq, out);
            }
            // Theirs is answered before ours goes out: else two sides that miss messages wait for each other.
            Body::ResendRequest { begin, end } if seq >= self.next_in || !inbound.header.poss_dup => {
                let last = self.next_out - 1;
                let end = if end == 0 { last } else { end.min(last) };
                self.replay(now, begin.max(1), end, out);
                match seq {
                    _ if seq == self.next_in => self.next_in += 1,
                    _ if seq > self.next_in => {
                        self.hold(seq, Waiting::Done);
                        self.ask_for_gap(now, seq, out);
                    }
                    _ => {}
                }
                return self.drain(now, out);
            }
            _ => {}
        }
        if seq > self.next_in {
            self.hold(seq, Waiting::Message(inbound));
            self.ask_for_gap(now, seq, out);
        } else if seq == self.next_in || sabotage::lacks(Sabotage::TooLowAccepted) {
            self.take(now, inbound, out);
            self.drain(now, out);
        } else if inbound.header.poss_dup {
            // Seen before; only what makes it a bad duplicate is worth a word.
            self.check_duplicate(now, &inbound, out);
        } else {
            self.logout(now, Some(too_low(self.next_in, seq)), out);
            self.drop_link(CloseReason::SeqNumTooLow, out);
        }
    }

    /// Takes the message whose turn it is.
    fn take(&mut self, now: Timestamp, inbound: Inbound<A>, out: &mut impl Outlet<A, R>) {
        if let Body::SequenceReset { new_seq, .. } = inbound.body {
            return self.fill_to(now, &inbound, new_seq, out);
        }
        if inbound.header.poss_dup && !self.check_duplicate(now, &inbound, out) {
            self.next_in += 1;
            return;
        }
        self.next_in += 1;
        let Inbound { header, body } = inbound;
        let (ref_seq, route) =
            (header.seq, |header: Header| header.route.map(|route| Box::new(route.reversed())));
        match body {
            Body::TestRequest { id } => {
                self.emit(now, SessionMessage::Heartbeat { test_req_id: Some(id) }, out);
            }
            Body::Reject { ref_seq, text } => out.rejected(ref_seq, text),
            Body::Application(message) => out.deliver(header, message),
            Body::Refused(reject) => {
                self.emit(now, SessionMessage::BusinessReject { ref_seq, reject, route: route(header) }, out);
            }
            Body::Invalid(reject) => {
                self.emit(now, SessionMessage::Reject { ref_seq, reject, route: route(header) }, out);
            }
            Body::Logon(_) => self.logout(now, Some("Logon while logged on".into()), out),
            // Taken before the sequence was looked at, or of no consequence beyond their number.
            Body::Heartbeat
            | Body::ResendRequest { .. }
            | Body::SequenceReset { .. }
            | Body::Logout { .. }
            | Body::WrongBeginString
            | Body::WrongCompId
            | Body::NoSeqNum => {}
        }
    }

    /// SequenceReset in gap-fill mode, in its turn.
    fn fill_to(
        &mut self,
        now: Timestamp,
        inbound: &Inbound<A>,
        new_seq: SeqNum,
        out: &mut impl Outlet<A, R>,
    ) {
        if new_seq < self.next_in {
            self.reject(now, inbound, RejectReason::ValueIncorrect, None, out);
        } else {
            self.next_in = new_seq;
        }
    }

    /// SequenceReset in reset mode: the number it came under does not matter.
    fn reset_to(
        &mut self,
        now: Timestamp,
        inbound: &Inbound<A>,
        new_seq: SeqNum,
        out: &mut impl Outlet<A, R>,
    ) {
        if new_seq < self.next_in {
            return self.reject(now, inbound, RejectReason::ValueIncorrect, None, out);
        }
        self.next_in = new_seq;
        self.drain(now, out);
    }

    /// PossDupFlag asks for an OrigSendingTime that is not after SendingTime; a SequenceReset need not say.
    fn check_duplicate(&mut self, now: Timestamp, inbound: &Inbound<A>, out: &mut impl Outlet<A, R>) -> bool {
        if matches!(inbound.body, Body::SequenceReset { .. } | Body::Invalid(_)) {
            return true;
        }
        match inbound.header.orig_sending_time {
            None => {
                self.reject(now, inbound, RejectReason::RequiredTagMissing, Some(ORIG_SENDING_TIME), out);
                false
            }
            Some(original) if original > inbound.header.sending_time => {
                self.reject(now, inbound, RejectReason::SendingTimeAccuracy, None, out);
                self.logout(now, None, out);
                false
            }
            Some(_) => true,
        }
    }

    /// Processes what waited for the gap to close, and asks again when there is another above it.
    fn drain(&mut self, now: Timestamp, out: &mut impl Outlet<A, R>) {
        while let Some(entry) = self.queue.first_entry() {
            if self.link.is_none() || *entry.key() > self.next_in {
                break;
            }
            let (seq, waiting) = entry.remove_entry();
            match waiting {
                _ if seq < self.next_in => {}
                Waiting::Done => self.next_in += 1,
                Waiting::Message(inbound) => self.take(now, inbound, out),
            }
        }
        self.gap_moved(now, out);
    }

    fn reject_and_leave(
        &mut self,
        now: Timestamp,
        inbound: &Inbound<A>,
        reason: RejectReason,
        out: &mut impl Outlet<A, R>,
    ) {
        self.reject(now, inbound, reason, None, out);
        let unnumbered = matches!(inbound.body, Body::Logon(_) | Body::SequenceReset { .. });
        if inbound.header.seq == self.next_in && !unnumbered {
            self.next_in += 1;
        }
        self.logout(now, None, out);
        self.drain(now, out);
    }

    fn reject(
        &mut self,
        now: Timestamp,
        inbound: &Inbound<A>,
        reason: RejectReason,
        ref_tag: Option<Tag>,
        out: &mut impl Outlet<A, R>,
    ) {
        let header = &inbound.header;
        let ref_msg_type = header.msg_type.map_or("", |known| known.wire()).to_owned();
        let reject = SessionReject { reason, ref_tag, ref_msg_type };
        let route = header.route.as_ref().map(|route| Box::new(route.reversed()));
        self.emit(now, SessionMessage::Reject { ref_seq: header.seq, reject, route }, out);
    }

    pub(super) fn sent_in_time(&self, now: Timestamp, header: &Header) -> bool {
        sabotage::lacks(Sabotage::SendingTimeUnchecked)
            || self.settings.sending_time_tolerance_seconds.is_none_or(|tolerance| {
                header.sending_time.distance(now) <= u64::from(tolerance) * 1_000_000_000
            })
    }

    /// Sends `begin..=end` again.
    pub(super) fn replay(&mut self, now: Timestamp, begin: SeqNum, end: SeqNum, out: &mut impl Outlet<A, R>) {
        let Some(link) = self.link.as_mut().filter(|_| begin <= end) else { return };
        link.last_out = now;
        out.replay(link.connection, self.sent.replay(begin, end));
    }
}
