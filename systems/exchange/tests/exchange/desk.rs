//! A unit under test: what a partition does around it (stamps, deadlines before each record, byte forms), and short
//! ways to say what clients do. Every event passes the order-state rules.

use std::collections::BTreeMap;

use decalog_exchange::command::{
    CancelOrder, Command, ConnectionId, FixMessage, Inbound, Instrument, MarketDataRequest, NewOrder,
    OrderStatus, ReplaceOrder, Reply, Request, SelfTrade, SessionSetup,
};
use decalog_exchange::event::{CancelReject, Event, ExecutionReport, Message, Outbound};
use decalog_exchange::state::Unit;
use decalog_exchange::value::{AccountName, Decimal, OrdType, SessionId, Side, TimeInForce};
use decalog_fix::dictionary::MsgType;
use decalog_fix::session::{Body, Header, Logon};
use decalog_runtime::{Digest, Outbox, Stamp, StateMachine, Timestamp, Wire};

use crate::order_states::OrderStates;

/// 2026-03-02 09:00:00 UTC.
pub(crate) const MORNING: i64 = 1_772_442_000_000_000_000;
pub(crate) const SECOND: i64 = 1_000_000_000;
/// A session trading for account `ALICE`, one for `BOB`, and one for both.
pub(crate) const ALICE: SessionId = SessionId(1);
pub(crate) const BOB: SessionId = SessionId(2);
pub(crate) const BOTH: SessionId = SessionId(3);

pub(crate) struct Desk {
    pub(crate) unit: Unit,
    pub(crate) time: i64,
    pub(crate) states: OrderStates,
    /// Every command so far with its moment, for replays.
    pub(crate) history: Vec<(i64, Command)>,
    /// A fingerprint of all replies and events so far.
    pub(crate) told: Digest,
    offset: u64,
    next_in: BTreeMap<SessionId, u64>,
    next_connection: u64,
}

pub(crate) fn text<const N: usize>(text: &str) -> decalog_exchange::value::Text<N> {
    decalog_exchange::value::Text::new(text).expect("a test's text fits")
}

/// A number as people write it: `101.25`.
pub(crate) fn number(text: &str) -> Decimal {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mantissa = format!("{whole}{fraction}").parse().expect("digits");
    Decimal::new(mantissa, u8::try_from(fraction.len()).expect("a few digits"))
}

/// Two price digits, ticks of 0.05, lots of 10, 10.00 to 1000.00.
pub(crate) fn instrument(symbol: &str) -> Instrument {
    Instrument {
        symbol: text(symbol),
        price_scale: 2,
        tick_size: 5,
        quantity_scale: 0,
        lot_size: 10,
        price_low: 1_000,
        price_high: 100_000,
        quantity_max: 1_000_000,
        self_trade: SelfTrade::Allow,
    }
}

pub(crate) fn session(id: SessionId, their: &str, accounts: &[&str]) -> SessionSetup {
    SessionSetup {
        id,
        our_comp_id: "EXCH".to_owned(),
        their_comp_id: their.to_owned(),
        accounts: accounts.iter().map(|name| text(name)).collect(),
        username: None,
        heartbeat_max_s: 3600,
        sending_time_tolerance_s: Some(120),
        reset_on_logon: false,
    }
}

/// A day limit order of 100.
pub(crate) fn order(id: &str, side: Side, quantity: &str, price: &str) -> NewOrder {
    NewOrder {
        cl_ord_id: text(id),
        account: AccountName::EMPTY,
        symbol: text("ACME"),
        side,
        ord_type: OrdType::Limit,
        time_in_force: TimeInForce::Day,
        quantity: number(quantity),
        price: Some(number(price)),
        unsupported_tag: 0,
    }
}

pub(crate) fn buy(id: &str, quantity: &str, price: &str) -> NewOrder {
    order(id, Side::Buy, quantity, price)
}

pub(crate) fn sell(id: &str, quantity: &str, price: &str) -> NewOrder {
    order(id, Side::Sell, quantity, price)
}

impl Desk {
    /// A unit with nothing in it.
    pub(crate) fn empty() -> Desk {
        Desk {
            unit: Unit::new(7),
            time: MORNING,
            states: OrderStates::default(),
            history: Vec::new(),
            told: Digest::default(),
            offset: 0,
            next_in: BTreeMap::new(),
            next_connection: 1,
        }
    }

    /// A unit that trades ACME and ZINC, with all sessions set up, ending its days at 17:00 UTC.
    pub(crate) fn open() -> Desk {
        let mut desk = Desk::empty();
        for command in setup() {
            assert_eq!(desk.submit(command).0, Reply::Done);
        }
        desk
    }

    /// As `open`, with Alice, Bob and Both logged on, heartbeats off.
    pub(crate) fn logged_on() -> Desk {
        let mut desk = Desk::open();
        for session in [ALICE, BOB, BOTH] {
            desk.log_on(session, 0);
        }
        desk
    }

    /// Applies a command as a partition would.
    pub(crate) fn submit(&mut self, command: Command) -> (Reply, Vec<Event>) {
        let command = through_bytes(&command);
        self.history.push((self.time, command.clone()));
        let mut out = Outbox::new();
        self.fire_deadlines(&mut out);
        let stamp = Stamp { offset: self.offset, time: Timestamp(self.time), rules: 1, ..Stamp::default() };
        let reply = self.unit.apply(&stamp, command, &mut out);
        self.time += 1_000;
        let events = self.close_record(&reply, out);
        (reply, events)
    }

    /// Lets time pass until `time`; answers what happened by then, as one record.
    pub(crate) fn wait_until(&mut self, time: i64) -> Vec<Event> {
        self.time = time;
        let mut out = Outbox::new();
        self.fire_deadlines(&mut out);
        self.close_record(&Reply::Done, out)
    }

    fn fire_deadlines(&mut self, out: &mut Outbox<Event>) {
        while let Some(deadline) = self.unit.deadline().filter(|deadline| deadline.0 <= self.time) {
            let stamp = Stamp { offset: self.offset, time: deadline, rules: 1, ..Stamp::default() };
            self.unit.expire(&stamp, out);
        }
    }

    fn close_record(&mut self, reply: &Reply, mut out: Outbox<Event>) -> Vec<Event> {
        self.offset += 1;
        let events = out.take_events();
        self.told = self.told.then(&bytes(reply));
        for event in &events {
            self.told = self.told.then(&bytes(event));
            assert_eq!(through_bytes(event), *event);
            self.states.see(event);
        }
        self.states.end_of_record();
        events
    }

    /// Logs a session on over a new connection.
    pub(crate) fn log_on(&mut self, session: SessionId, heartbeat_seconds: u32) -> ConnectionId {
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let logon = Logon { heartbeat_seconds, reset: false, next_expected: None };
        let events = self.fix_on(session, connection, Body::Logon(logon));
        assert!(
            events.iter().any(
                |it| matches!(it, Event::Fix(Outbound { connection: Some(it), .. }) if *it == connection)
            ),
            "no answer to the Logon: {events:?}"
        );
        connection
    }

    /// A message on the connection that the session has.
    pub(crate) fn fix(&mut self, session: SessionId, body: Body<Request>) -> Vec<Event> {
        let connection = self.connection(session).expect("the session is logged on");
        self.fix_on(session, connection, body)
    }

    pub(crate) fn fix_on(
        &mut self,
        session: SessionId,
        connection: ConnectionId,
        body: Body<Request>,
    ) -> Vec<Event> {
        let seq = self.next_in.entry(session).or_insert(1);
        let header = header(*seq, self.time, &body);
        *seq += 1;
        self.message(session, connection, header, body)
    }

    pub(crate) fn message(
        &mut self,
        session: SessionId,
        connection: ConnectionId,
        header: Header,
        body: Body<Request>,
    ) -> Vec<Event> {
        let message = FixMessage { session, connection, inbound: Inbound { header, body } };
        self.submit(Command::Fix(message)).1
    }

    /// As `fix`, marked PossResend.
    pub(crate) fn resend(&mut self, session: SessionId, request: Request) -> Vec<Event> {
        let connection = self.connection(session).expect("the session is logged on");
        let body = Body::Application(request);
        let seq = self.next_in.entry(session).or_insert(1);
        let header = Header { poss_resend: true, ..header(*seq, self.time, &body) };
        *seq += 1;
        self.message(session, connection, header, body)
    }

    pub(crate) fn connection(&self, session: SessionId) -> Option<ConnectionId> {
        self.unit.sessions().find(|it| it.0.id == session).and_then(|it| it.3)
    }

    pub(crate) fn disconnect(&mut self, session: SessionId) -> Vec<Event> {
        let connection = self.connection(session).expect("the session is logged on");
        self.submit(Command::FixDisconnected { session, connection }).1
    }

    pub(crate) fn place(&mut self, session: SessionId, order: NewOrder) -> Vec<Event> {
        self.fix(session, Body::Application(Request::NewOrder(order)))
    }

    pub(crate) fn cancel(&mut self, session: SessionId, id: &str, orig: &str, side: Side) -> Vec<Event> {
        let cancel = CancelOrder {
            cl_ord_id: text(id),
            orig_cl_ord_id: text(orig),
            order_id: None,
            symbol: text("ACME"),
            side,
        };
        self.fix(session, Body::Application(Request::Cancel(cancel)))
    }

    pub(crate) fn replace(&mut self, session: SessionId, orig: &str, order: NewOrder) -> Vec<Event> {
        let replace = ReplaceOrder { order, orig_cl_ord_id: text(orig), order_id: None };
        self.fix(session, Body::Application(Request::Replace(replace)))
    }

    pub(crate) fn status(&mut self, session: SessionId, id: &str) -> ExecutionReport {
        let request = OrderStatus {
            cl_ord_id: text(id),
            order_id: None,
            request_id: text("Q"),
            symbol: text("ACME"),
            side: Side::Buy,
        };
        let events = self.fix(session, Body::Application(Request::Status(request)));
        only(reports(&events, session))
    }

    /// Asks for market data of ACME.
    pub(crate) fn subscribe(
        &mut self,
        session: SessionId,
        id: &str,
        subscription: u8,
        depth: u32,
    ) -> Vec<Event> {
        let request = market_data_request(id, subscription, depth);
        self.fix(session, Body::Application(Request::MarketData(request)))
    }

    /// The bids or offers of ACME as `price x quantity (orders)`, best first.
    pub(crate) fn levels(&self, side: decalog_exchange::engine::Side) -> Vec<String> {
        let (_, levels) = self.unit.book(text::<16>("ACME"), side, usize::MAX).expect("ACME is listed");
        levels.iter().map(|it| format!("{}x{}({})", it.price, it.quantity, it.orders)).collect()
    }
}

/// What `Desk::open` submits.
pub(crate) fn setup() -> Vec<Command> {
    vec![
        Command::OpenAccount { name: text("ALICE") },
        Command::OpenAccount { name: text("BOB") },
        Command::InstallInstrument(instrument("ACME")),
        Command::InstallInstrument(instrument("ZINC")),
        Command::InstallSession(session(ALICE, "ALICE", &["ALICE"])),
        Command::InstallSession(session(BOB, "BOB", &["BOB"])),
        Command::InstallSession(session(BOTH, "BOTH", &["ALICE", "BOB"])),
        Command::SetDayEnd { second_of_day: Some(17 * 3600) },
    ]
}

pub(crate) fn market_data_request(id: &str, subscription: u8, depth: u32) -> MarketDataRequest {
    MarketDataRequest {
        request_id: text(id),
        subscription,
        depth,
        update_type: Some(b'1'),
        aggregated: true,
        entry_types: b"012".to_vec(),
        symbols: vec![text::<16>("ACME")],
    }
}

/// A header as the guard makes it.
pub(crate) fn header(seq: u64, time: i64, body: &Body<Request>) -> Header {
    let msg_type = match body {
        Body::Heartbeat => MsgType::Heartbeat,
        Body::TestRequest { .. } => MsgType::TestRequest,
        Body::ResendRequest { .. } => MsgType::ResendRequest,
        Body::SequenceReset { .. } => MsgType::SequenceReset,
        Body::Logout { .. } => MsgType::Logout,
        Body::Logon(_) => MsgType::Logon,
        Body::Application(Request::NewOrder(_)) => MsgType::NewOrderSingle,
        Body::Application(Request::Cancel(_)) => MsgType::OrderCancelRequest,
        Body::Application(Request::Replace(_)) => MsgType::OrderCancelReplaceRequest,
        Body::Application(Request::Status(_)) => MsgType::OrderStatusRequest,
        Body::Application(Request::SecurityList(_)) => MsgType::SecurityListRequest,
        _ => MsgType::MarketDataRequest,
    };
    Header {
        msg_type: Some(msg_type),
        seq,
        sending_time: decalog_fix::time::Timestamp(time),
        poss_dup: false,
        poss_resend: false,
        orig_sending_time: None,
        route: None,
    }
}

/// Its bytes, its kind and version before them.
pub(crate) fn bytes<T: Wire>(value: &T) -> Vec<u8> {
    let (kind, version) = value.kind(1);
    let mut bytes = [kind.to_le_bytes(), version.to_le_bytes()].concat();
    value.encode(1, &mut bytes);
    bytes
}

/// The value after a way through its bytes.
pub(crate) fn through_bytes<T: Wire>(value: &T) -> T {
    let (kind, version) = value.kind(1);
    T::decode(kind, version, &bytes(value)[4..]).unwrap_or_else(|error| panic!("{error}"))
}

/// The messages for a session.
pub(crate) fn messages(events: &[Event], session: SessionId) -> Vec<Message> {
    let of = |event: &Event| match event {
        Event::Fix(outbound) if outbound.session == session => Some(outbound.message.clone()),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// The execution reports for a session.
pub(crate) fn reports(events: &[Event], session: SessionId) -> Vec<ExecutionReport> {
    let of = |message| match message {
        Message::Execution(report) => Some(report),
        _ => None,
    };
    messages(events, session).into_iter().filter_map(of).collect()
}

/// The cancel rejects for a session.
pub(crate) fn cancel_rejects(events: &[Event], session: SessionId) -> Vec<CancelReject> {
    let of = |message| match message {
        Message::CancelReject(reject) => Some(reject),
        _ => None,
    };
    messages(events, session).into_iter().filter_map(of).collect()
}

/// The one thing there is.
pub(crate) fn only<T: std::fmt::Debug>(mut things: Vec<T>) -> T {
    assert_eq!(things.len(), 1, "{things:?}");
    things.remove(0)
}

/// A report in short: `ExecType/OrdStatus cum/leaves@avg`, with the fill before it.
pub(crate) fn short(report: &ExecutionReport) -> String {
    let fill = report.last.map_or(String::new(), |fill| format!("{}@{} ", fill.quantity, fill.price));
    let (kind, status) = (report.exec_type as u8 as char, report.ord_status as u8 as char);
    format!("{} {fill}{kind}/{status} {}/{}", report.cl_ord_id, report.cum_qty, report.leaves_qty)
}

/// All reports for a session in short.
pub(crate) fn shorts(events: &[Event], session: SessionId) -> Vec<String> {
    reports(events, session).iter().map(short).collect()
}
