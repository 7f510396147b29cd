//! What is released stays: the bytes of every kind of command, reply and event, and the course of a fixed history.
//!
//! The files lie in `golden/`. A missing one is written, so that a new kind gets its file; one that differs fails, and a
//! released kind may then only change by a new version, a released behaviour only under new rules.

use std::path::Path;

use decalog_exchange::command::{
    CancelOrder, Command, ConnectionId, FixMessage, Inbound, Refusal, ReplaceOrder, Reply, Request,
    SecurityListRequest, TradingStatus,
};
use decalog_exchange::event::{
    CancelReject, CxlRejReason, CxlRejResponseTo, Event, MarketDataReject, Message, Outbound,
};
use decalog_exchange::value::{Decimal, OrdStatus, Side, TimeInForce};
use decalog_fix::session::{
    Body, BusinessReason, BusinessReject, CloseReason, Header, Logon, RejectReason, ReplayItem, Route,
    SessionMessage, SessionReject,
};
use decalog_runtime::{Address, StateMachine, Wire};

use crate::desk::{
    ALICE, BOB, BOTH, Desk, MORNING, SECOND, buy, bytes, header, instrument, market_data_request, number,
    sell, session, setup, text, through_bytes,
};
use crate::oracle::{Oracle, mirror, random_request};

fn check_file(name: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exchange/golden").join(name);
    match std::fs::read_to_string(&path) {
        Ok(golden) if golden == now => {}
        Ok(golden) => {
            let line = golden.lines().zip(now.lines()).position(|(one, other)| one != other);
            panic!("{name} differs, first in line {:?}:\n{now}", line.map(|it| it + 1));
        }
        Err(_) => {
            std::fs::write(&path, now).expect("the golden folder can be written");
            panic!("{name} was not there and is now: look at it, then check it in");
        }
    }
}

fn lines<T: Wire + PartialEq + std::fmt::Debug>(values: &[(&str, T)]) -> String {
    let mut text = String::new();
    for (name, value) in values {
        assert_eq!(through_bytes(value), *value, "{name}");
        let (kind, version) = value.kind(1);
        let hex: String = bytes(value)[4..].iter().map(|byte| format!("{byte:02x}")).collect();
        text.push_str(&format!("{name} {kind}.{version} {hex}\n"));
    }
    text
}

fn fix(body: Body<Request>) -> Command {
    let header = header(42, MORNING, &body);
    Command::Fix(FixMessage { session: BOB, connection: ConnectionId(9), inbound: Inbound { header, body } })
}

fn routed(body: Body<Request>) -> Command {
    let route = Route { on_behalf_of: [Some("DESK".to_owned()), None, None], deliver_to: [None, None, None] };
    let header = Header {
        route: Some(Box::new(route)),
        poss_dup: true,
        orig_sending_time: Some(decalog_fix::time::Timestamp(MORNING - 1)),
        ..header(42, MORNING, &body)
    };
    Command::Fix(FixMessage { session: BOB, connection: ConnectionId(9), inbound: Inbound { header, body } })
}

#[test]
fn commands_have_the_bytes_they_were_released_with() {
    let cancel = CancelOrder {
        cl_ord_id: text("c-1"),
        orig_cl_ord_id: text("n-1"),
        order_id: Some(77),
        symbol: text("ACME"),
        side: Side::Sell,
    };
    let replace =
        ReplaceOrder { order: buy("r-1", "50", "100.05"), orig_cl_ord_id: text("n-1"), order_id: None };
    let status = decalog_exchange::command::OrderStatus {
        cl_ord_id: text("n-1"),
        order_id: None,
        request_id: text("q-1"),
        symbol: text("ACME"),
        side: Side::Buy,
    };
    let list = SecurityListRequest { request_id: text("l-1"), kind: 4, symbol: text("") };
    let application = Body::Application;
    let reject =
        SessionReject { reason: RejectReason::ValueIncorrect, ref_tag: Some(54), ref_msg_type: "D".into() };
    let refused = BusinessReject {
        ref_msg_type: decalog_fix::dictionary::MsgType::NewOrderSingle,
        ref_id: None,
        reason: BusinessReason::UnsupportedMessageType,
        text: "text".into(),
    };
    let values = [
        ("new-order", fix(application(Request::NewOrder(buy("n-1", "100", "100.05"))))),
        ("new-order-routed", routed(application(Request::NewOrder(sell("n-2", "100", "100.05"))))),
        ("cancel", fix(application(Request::Cancel(cancel)))),
        ("replace", fix(application(Request::Replace(replace)))),
        ("status", fix(application(Request::Status(status)))),
        ("security-list", fix(application(Request::SecurityList(list)))),
        ("market-data", fix(application(Request::MarketData(market_data_request("m-1", b'1', 5))))),
        ("logon", fix(Body::Logon(Logon { heartbeat_seconds: 30, reset: true, next_expected: Some(7) }))),
        ("heartbeat", fix(Body::Heartbeat)),
        ("test-request", fix(Body::TestRequest { id: "t".into() })),
        ("resend-request", fix(Body::ResendRequest { begin: 3, end: 0 })),
        ("sequence-reset", fix(Body::SequenceReset { gap_fill: true, new_seq: 50 })),
        ("session-reject", fix(Body::Reject { ref_seq: 4, text: None })),
        ("logout", fix(Body::Logout { text: Some("bye".into()) })),
        ("invalid", fix(Body::Invalid(reject))),
        ("refused", fix(Body::Refused(refused))),
        ("wrong-begin-string", fix(Body::WrongBeginString)),
        ("wrong-comp-id", fix(Body::WrongCompId)),
        ("no-seq-num", fix(Body::NoSeqNum)),
        ("fix-disconnected", Command::FixDisconnected { session: BOB, connection: ConnectionId(9) }),
        ("fix-log-out", Command::FixLogOut { session: BOB, connection: ConnectionId(9) }),
        ("gateway-started", Command::GatewayStarted),
        ("install-instrument", Command::InstallInstrument(instrument("ACME"))),
        ("open-account", Command::OpenAccount { name: text("ALICE") }),
        ("install-session", Command::InstallSession(session(BOTH, "BOTH", &["ALICE", "BOB"]))),
        ("set-day-end", Command::SetDayEnd { second_of_day: Some(61_200) }),
        ("no-day-end", Command::SetDayEnd { second_of_day: None }),
        ("halt", Command::SetTradingStatus { symbol: text("ACME"), status: TradingStatus::Halted }),
    ];
    check_file("commands.txt", &lines(&values));
    let replies = [("done", Reply::Done), ("refused", Reply::Refused(Refusal::InvalidDayEnd))];
    check_file("replies.txt", &lines(&replies));
}

#[test]
fn events_have_the_bytes_they_were_released_with() {
    let mut desk = Desk::logged_on();
    let mut events = desk.submit(Command::InstallInstrument(instrument("NEW"))).1;
    events.extend(desk.subscribe(BOTH, "m-1", b'1', 0));
    events.extend(desk.place(ALICE, sell("s-1", "100", "100.00")));
    events.extend(desk.place(BOB, buy("b-1", "30", "100.00")));
    events.extend(desk.cancel(ALICE, "c-1", "none", Side::Sell));
    events.extend(desk.place(ALICE, buy("bad", "1", "1.00")));
    let list = SecurityListRequest { request_id: text("l-1"), kind: 0, symbol: text("ZINC") };
    events.extend(desk.fix(ALICE, Body::Application(Request::SecurityList(list))));
    events.extend(desk.subscribe(BOTH, "m-1", b'1', 0));
    events.extend(desk.fix(ALICE, Body::ResendRequest { begin: 1, end: 0 }));
    events.extend(desk.fix(ALICE, Body::Logout { text: None }));
    let mut values: Vec<(String, Event)> =
        events.into_iter().enumerate().map(|(place, event)| (format!("event-{place}"), event)).collect();
    let route = Route { on_behalf_of: [None, None, None], deliver_to: [Some("DESK".to_owned()), None, None] };
    let outbound = |message| {
        let (session, connection, seq, time) = (BOB, None, 42, MORNING);
        Event::Fix(Outbound { session, connection, seq, time, route: Some(Box::new(route.clone())), message })
    };
    let reject = CancelReject {
        order_id: 77,
        cl_ord_id: text("c-1"),
        orig_cl_ord_id: text("n-1"),
        ord_status: OrdStatus::Filled,
        response_to: CxlRejResponseTo::Replace,
        reason: CxlRejReason::TooLateToCancel,
        account: text("BOB"),
        transact_time: MORNING,
        text: text("too late"),
    };
    let market_data = MarketDataReject { request_id: text("m-1"), reason: b'5', text: text("too deep") };
    values.push(("routed-cancel-reject".to_owned(), outbound(Message::CancelReject(reject))));
    values.push(("routed-market-data-reject".to_owned(), outbound(Message::MarketDataReject(market_data))));
    let logon = SessionMessage::Logon { heartbeat_seconds: 30, reset: false, next_expected: Some(3) };
    values.push(("logon".to_owned(), outbound(Message::Session(logon))));
    let items = vec![
        ReplayItem::GapFill { seq: 1, new_seq: 3 },
        ReplayItem::Resend { seq: 3, address: Address { offset: 8, index: 2 } },
    ];
    values.push(("replay".to_owned(), Event::FixReplay { session: BOB, connection: ConnectionId(9), items }));
    let close =
        Event::FixClose { session: BOB, connection: ConnectionId(9), reason: CloseReason::SeqNumTooLow };
    values.push(("close".to_owned(), close));
    let named: Vec<(&str, Event)> =
        values.iter().map(|(name, event)| (name.as_str(), event.clone())).collect();
    check_file("events.txt", &lines(&named));
    let kinds: std::collections::BTreeSet<u16> = named.iter().map(|(_, event)| event.kind(1).0).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 16, 17, 18, 19, 20, 21, 22]);
}

#[test]
fn bodies_that_are_not_whole_are_refused() {
    let order = fix(Body::Application(Request::NewOrder(buy("n-1", "100", "100.05"))));
    let body = &bytes(&order)[4..];
    for cut in 0..body.len() {
        assert!(Command::decode(1, 1, &body[..cut]).is_err(), "cut at {cut}");
    }
    let longer = [body, &[0]].concat();
    assert!(Command::decode(1, 1, &longer).is_err(), "bytes too many");
    assert!(Command::decode(1, 2, body).is_err(), "a version of the future");
    assert!(Command::decode(999, 1, body).is_err(), "a kind of the future");
    assert!(Event::decode(17, 1, &[]).is_err());
    assert!(Reply::decode(2, 1, &[0xff, 0xff]).is_err(), "a refusal of the future");
}

#[test]
fn decimals_are_written_as_fix_writes_them() {
    let cases = [(0, 0, "0"), (-5, 2, "-0.05"), (123_456, 2, "1234.56"), (7, 0, "7"), (-1_200, 3, "-1.200")];
    for (mantissa, scale, text) in cases {
        assert_eq!(Decimal::new(mantissa, scale).to_string(), text);
    }
    assert_eq!(number("1.50").at_scale(1), Some(15));
    assert_eq!(number("1.55").at_scale(1), None);
    assert_eq!(Decimal::new(i64::MAX, 0).at_scale(1), None);
    assert_eq!(Decimal::new(i64::MIN, 2).at_scale(0), None);
    assert_eq!(Decimal::OUT_OF_RANGE.at_scale(2), None);
}

/// A fixed history of some of everything under rules 1: what was told at each hundredth command, and the state at its end.
#[test]
fn a_fixed_history_goes_as_it_always_went() {
    let mut random = fastrand::Rng::with_seed(2026);
    let mut desk = Desk::empty();
    for command in setup() {
        desk.submit(command);
    }
    for it in [ALICE, BOB, BOTH] {
        desk.log_on(it, 30);
    }
    desk.subscribe(BOTH, "full", b'1', 0);
    desk.subscribe(ALICE, "top", b'1', 2);
    let mut oracle = Oracle::default();
    let mut course = String::new();
    for number in 0..1_200 {
        let (session, mut request) = random_request(&mut random, number, &oracle);
        mirror(&mut oracle, session, &request);
        if let (Request::NewOrder(order), 0) = (&mut request, number % 17) {
            order.time_in_force = TimeInForce::Other(b'7');
        }
        if desk.connection(session).is_none() {
            desk.log_on(session, 30);
            desk.fix(session, Body::ResendRequest { begin: 1, end: 0 });
        }
        desk.fix(session, Body::Application(request));
        match number % 150 {
            60 => desk.time += 33 * SECOND,
            90 => desk.time += 100 * SECOND,
            120 => drop(desk.submit(Command::GatewayStarted)),
            _ => {}
        }
        if number == 700 {
            desk.time = desk.unit.next_day_end().expect("the day ends").0 + SECOND;
        }
        if number % 100 == 99 {
            course.push_str(&format!("after {} commands: told {}\n", number + 1, desk.told));
        }
    }
    course.push_str(&format!("state {}\n", desk.unit.digest()));
    check_file("history-rules-1.txt", &course);
}
