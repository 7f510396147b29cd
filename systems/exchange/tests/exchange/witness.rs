//! A unit under observation, itself a state machine, so that the harness and the simulator can drive it: after every
//! record the order-state rules hold, and the book and the orders are those of the slow obvious exchange.
//!
//! Its snapshots hold the unit's own and the history so far, from which the observation is made anew and compared.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use decalog_exchange::command::{Command, FixMessage, Reply, Request};
use decalog_exchange::engine;
use decalog_exchange::event::{CxlRejReason, Event, Message, OrdRejReason};
use decalog_exchange::state::Unit;
use decalog_exchange::value::{ExecType, SessionId};
use decalog_fix::session::Body;
use decalog_runtime::{Digest, Outbox, Stamp, StateMachine, Timestamp, Wire};

use crate::desk::text;
use crate::oracle::{Oracle, mirror};
use crate::order_states::OrderStates;

/// Orders of this name are refused, or are not in ACME: the oracle only notes that the name is taken.
pub(crate) const APART: &str = "apart-";

/// What was reached, over all histories.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) exec_types: BTreeSet<u8>,
    pub(crate) order_rejects: BTreeSet<OrdRejReasonCode>,
    pub(crate) cancel_rejects: BTreeSet<CxlRejReasonCode>,
    pub(crate) market_data_rejects: BTreeSet<u8>,
    pub(crate) replays: u64,
    pub(crate) trades: u64,
    /// Reports for sessions that were away.
    pub(crate) waiting: u64,
}

type OrdRejReasonCode = u8;
type CxlRejReasonCode = u8;

/// The unit and what is known about it.
pub(crate) struct Witness {
    pub(crate) unit: Unit,
    pub(crate) number: u16,
    pub(crate) oracle: Oracle,
    states: OrderStates,
    /// Requests above a gap, by session and number.
    waiting: BTreeMap<(SessionId, u64), Request>,
    history: Vec<Entry>,
    tally: Arc<Mutex<Tally>>,
}

/// A record, or a deadline that fired: offset, time, and the command's kind, version and body.
type Entry = (u64, i64, Option<(u16, u16, Vec<u8>)>);

impl Witness {
    pub(crate) fn new(number: u16, tally: Arc<Mutex<Tally>>) -> Witness {
        Witness {
            unit: Unit::new(number),
            number,
            oracle: Oracle::default(),
            states: OrderStates::default(),
            waiting: BTreeMap::new(),
            history: Vec::new(),
            tally,
        }
    }

    pub(crate) fn next_in(&self, session: SessionId) -> u64 {
        self.unit.sessions().find(|it| it.0.id == session).map_or(1, |it| it.1)
    }

    /// What must hold after every record.
    pub(crate) fn check(&self) -> Result<(), String> {
        let levels = |side| -> Vec<String> {
            let levels =
                self.unit.book(text::<16>("ACME"), side, usize::MAX).map(|it| it.1).unwrap_or_default();
            levels.iter().map(|it| format!("{}x{}({})", it.price, it.quantity, it.orders)).collect()
        };
        for (side, is_buy) in [(engine::Side::Buy, true), (engine::Side::Sell, false)] {
            let (is, should) = (levels(side), self.oracle.levels(is_buy));
            if is != should {
                return Err(format!("the book shows {is:?} where the oracle has {should:?}"));
            }
        }
        Ok(())
    }

    fn see(&mut self, events: &[Event]) {
        let mut tally = self.tally.lock().expect("no test panics with the tally");
        for event in events {
            self.states.see(event);
            match event {
                Event::Trade(_) => tally.trades += 1,
                Event::FixReplay { .. } => tally.replays += 1,
                Event::Fix(outbound) => {
                    tally.waiting += u64::from(outbound.connection.is_none());
                    match &outbound.message {
                        Message::Execution(report) => {
                            tally.exec_types.insert(report.exec_type as u8);
                            tally.order_rejects.extend(report.reject_reason.map(|reason| reason as u8));
                        }
                        Message::CancelReject(reject) => tally.cancel_rejects.extend([reject.reason as u8]),
                        Message::MarketDataReject(reject) => {
                            tally.market_data_rejects.extend([reject.reason])
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        self.states.end_of_record();
    }

    /// Does in the oracle what the session let through: everything whose number it has passed.
    fn follow(&mut self, message: FixMessage, passed: std::ops::Range<u64>) {
        let (session, seq) = (message.session, message.inbound.header.seq);
        let is_current = self.connection_is(session, &message);
        if passed.contains(&seq) || (seq >= passed.end && is_current) {
            // Of two messages under one number above a gap, the session keeps the later.
            self.waiting.remove(&(session, seq));
            if let Body::Application(request) = message.inbound.body {
                self.waiting.insert((session, seq), request);
            }
        }
        let is_listed = self.unit.book(text::<16>("ACME"), engine::Side::Buy, 0).is_some();
        for seq in passed {
            let Some(request) = self.waiting.remove(&(session, seq)) else { continue };
            match &request {
                Request::Replace(it) if it.order.cl_ord_id.to_text().starts_with(APART) => {
                    self.oracle.take_name(session, &it.order.cl_ord_id.to_string());
                }
                Request::NewOrder(order) if !is_listed || order.cl_ord_id.to_text().starts_with(APART) => {
                    self.oracle.take_name(session, &order.cl_ord_id.to_string());
                }
                Request::NewOrder(_) | Request::Cancel(_) | Request::Replace(_) => {
                    mirror(&mut self.oracle, session, &request);
                }
                _ => {}
            }
        }
    }

    fn connection_is(&self, session: SessionId, message: &FixMessage) -> bool {
        let connection = self.unit.sessions().find(|it| it.0.id == session).and_then(|it| it.3);
        connection == Some(message.connection)
    }

    /// A session that is away keeps nothing above a gap.
    fn forget_waiting(&mut self) {
        let away: Vec<SessionId> =
            self.unit.sessions().filter(|it| it.3.is_none()).map(|it| it.0.id).collect();
        self.waiting.retain(|(session, _), _| !away.contains(session));
    }
}

impl StateMachine for Witness {
    type Command = Command;
    type Reply = Reply;
    type Event = Event;

    fn apply(&mut self, at: &Stamp, command: Command, out: &mut Outbox<Event>) -> Reply {
        let (kind, version) = command.kind(1);
        let mut body = Vec::new();
        command.encode(1, &mut body);
        self.history.push((at.offset, at.time.0, Some((kind, version, body))));
        let before = out.events().len();
        let message = if let Command::Fix(message) = &command { Some(message.clone()) } else { None };
        let passed_from = message.as_ref().map_or(0, |it| self.next_in(it.session));
        let reply = self.unit.apply(at, command, out);
        self.see(&out.events()[before..]);
        if let Some(message) = message {
            let passed = passed_from..self.next_in(message.session);
            self.follow(message, passed);
        }
        self.forget_waiting();
        reply
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.unit.deadline()
    }

    fn expire(&mut self, at: &Stamp, out: &mut Outbox<Event>) {
        self.history.push((at.offset, at.time.0, None));
        let before = out.events().len();
        let day_end = self.unit.next_day_end();
        self.unit.expire(at, out);
        self.see(&out.events()[before..]);
        if day_end.is_some_and(|end| end <= at.time) {
            self.oracle.end_day();
        }
        self.forget_waiting();
    }

    fn snapshot(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let history = rmp_serde::to_vec(&self.history).map_err(io::Error::other)?;
        out.write_all(&(history.len() as u64).to_le_bytes())?;
        out.write_all(&history)?;
        self.unit.snapshot(out)
    }

    fn restore(&mut self, from: &mut dyn io::Read) -> io::Result<()> {
        let mut len = [0; 8];
        from.read_exact(&mut len)?;
        let mut history = vec![0; usize::try_from(u64::from_le_bytes(len)).map_err(io::Error::other)?];
        from.read_exact(&mut history)?;
        let history: Vec<Entry> = rmp_serde::from_slice(&history).map_err(io::Error::other)?;
        *self = Witness::new(self.number, Arc::clone(&self.tally));
        let (mut out, mut of) = (Outbox::new(), None);
        for (offset, time, record) in history {
            if of.replace(offset) != Some(offset) {
                out = Outbox::new();
            }
            let stamp = Stamp { offset, time: Timestamp(time), rules: 1, ..Stamp::default() };
            match record {
                None => self.expire(&stamp, &mut out),
                Some((kind, version, body)) => {
                    let command = Command::decode(kind, version, &body).map_err(io::Error::other)?;
                    self.apply(&stamp, command, &mut out);
                }
            }
        }
        let digest = self.unit.digest();
        self.unit = Unit::new(self.number);
        self.unit.restore(from)?;
        if self.unit.digest() == digest {
            Ok(())
        } else {
            Err(io::Error::other("the unit's snapshot is not the state its history leads to"))
        }
    }

    fn digest(&self) -> Digest {
        self.unit.digest()
    }
}

impl Tally {
    /// Everything a client can be told was told to one.
    pub(crate) fn check_complete(&self) {
        let exec_types = [
            ExecType::New,
            ExecType::Canceled,
            ExecType::Replaced,
            ExecType::Rejected,
            ExecType::Expired,
            ExecType::Trade,
            ExecType::OrderStatus,
        ];
        for exec_type in exec_types {
            assert!(self.exec_types.contains(&(exec_type as u8)), "never reached: {exec_type:?}");
        }
        let order_rejects = [
            OrdRejReason::UnknownSymbol,
            OrdRejReason::ExchangeClosed,
            OrdRejReason::OrderExceedsLimit,
            OrdRejReason::UnknownOrder,
            OrdRejReason::DuplicateOrder,
            OrdRejReason::UnsupportedCharacteristic,
            OrdRejReason::IncorrectQuantity,
            OrdRejReason::UnknownAccount,
            OrdRejReason::Other,
        ];
        for reason in order_rejects {
            assert!(self.order_rejects.contains(&(reason as u8)), "never reached: {reason:?}");
        }
        let cancel_rejects = [
            CxlRejReason::TooLateToCancel,
            CxlRejReason::UnknownOrder,
            CxlRejReason::Exchange,
            CxlRejReason::DuplicateClOrdId,
        ];
        for reason in cancel_rejects {
            assert!(self.cancel_rejects.contains(&(reason as u8)), "never reached: {reason:?}");
        }
        for reason in *b"0145678" {
            assert!(
                self.market_data_rejects.contains(&reason),
                "never reached: MDReqRejReason {}",
                reason as char
            );
        }
        assert!(self.replays > 0 && self.trades > 100 && self.waiting > 10, "{self:?}");
    }
}
