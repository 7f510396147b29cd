//! FIX sessions as part of the state: numbers that outlive connections, replays, and connections that are not theirs.

use decalog_exchange::command::{Command, ConnectionId, FixMessage, Inbound, Request};
use decalog_exchange::engine;
use decalog_exchange::event::{Event, Message, Outbound};
use decalog_exchange::value::SessionId;
use decalog_fix::session::{
    Body, BusinessReason, BusinessReject, CloseReason, Logon, RejectReason, ReplayItem, SessionMessage,
    SessionReject,
};

use crate::desk::{ALICE, BOB, Desk, SECOND, buy, header, messages, reports, sell, shorts};

fn closes(events: &[Event]) -> Vec<(ConnectionId, CloseReason)> {
    let of = |event: &Event| match event {
        Event::FixClose { connection, reason, .. } => Some((*connection, *reason)),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

fn outbounds(events: &[Event], session: SessionId) -> Vec<Outbound> {
    let of = |event: &Event| match event {
        Event::Fix(outbound) if outbound.session == session => Some(outbound.clone()),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

fn replays(events: &[Event]) -> Vec<ReplayItem<decalog_runtime::Address>> {
    let of = |event: &Event| match event {
        Event::FixReplay { items, .. } => Some(items.clone()),
        _ => None,
    };
    events.iter().filter_map(of).flatten().collect()
}

#[test]
fn reports_for_a_session_that_is_away_wait_for_its_resend_request() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, sell("s1", "100", "100.00"));
    desk.disconnect(ALICE);
    let before = desk.history.len() as u64;
    let events = desk.place(BOB, buy("b1", "60", "100.00"));
    let waiting = outbounds(&events, ALICE);
    assert_eq!(waiting.len(), 1);
    assert_eq!((waiting[0].connection, waiting[0].seq), (None, 3));
    let place = events.iter().position(|it| matches!(it, Event::Fix(it) if it.session == ALICE)).unwrap();
    let connection = desk.log_on(ALICE, 0);
    let events = desk.fix(ALICE, Body::ResendRequest { begin: 2, end: 0 });
    let items = replays(&events);
    // 2: the New of s1; 3: the fill while away; 4: the Logon, which is filled.
    let address = decalog_runtime::Address { offset: before, index: u32::try_from(place).unwrap() };
    assert!(matches!(items[0], ReplayItem::Resend { seq: 2, .. }), "{items:?}");
    assert_eq!(items[1], ReplayItem::Resend { seq: 3, address });
    assert_eq!(items[2], ReplayItem::GapFill { seq: 4, new_seq: 5 });
    assert_eq!(desk.connection(ALICE), Some(connection));
}

#[test]
fn a_session_that_is_logged_on_stays_with_its_first_connection() {
    let mut desk = Desk::logged_on();
    let first = desk.connection(ALICE).unwrap();
    let second = ConnectionId(99);
    let body = Body::Logon(Logon { heartbeat_seconds: 30, reset: false, next_expected: None });
    let logon = header(2, desk.time, &body);
    let events = desk.message(ALICE, second, logon, body);
    assert_eq!(closes(&events), [(second, CloseReason::AlreadyLoggedOn)]);
    assert_eq!(desk.connection(ALICE), Some(first));
    assert_eq!(shorts(&desk.place(ALICE, buy("a1", "10", "50.00")), ALICE), ["a1 0/0 0/10"]);
}

#[test]
fn a_stale_connection_changes_nothing() {
    let mut desk = Desk::logged_on();
    let stale = desk.connection(ALICE).unwrap();
    desk.disconnect(ALICE);
    let connection = desk.log_on(ALICE, 0);
    desk.submit(Command::FixDisconnected { session: ALICE, connection: stale });
    assert_eq!(
        desk.connection(ALICE),
        Some(connection),
        "the end of the old connection is not the new one's"
    );
    let body = Body::Application(Request::NewOrder(buy("a1", "10", "50.00")));
    let order = header(3, desk.time, &body);
    let events = desk.message(ALICE, stale, order, body);
    assert_eq!(closes(&events), [(stale, CloseReason::AlreadyLoggedOn)]);
    assert!(reports(&events, ALICE).is_empty());
    assert!(desk.levels(engine::Side::Buy).is_empty());
}

#[test]
fn a_session_whose_logon_was_revoked_is_logged_out_and_nobody_elses() {
    let mut desk = Desk::logged_on();
    let (alice, stale) = (desk.connection(ALICE).unwrap(), ConnectionId(99));
    let (_, events) = desk.submit(Command::FixLogOut { session: ALICE, connection: stale });
    assert!(events.is_empty(), "an older connection's end is not the new one's");
    let (_, events) = desk.submit(Command::FixLogOut { session: ALICE, connection: alice });
    let said = |event: &Event| {
        matches!(event, Event::Fix(outbound)
        if outbound.session == ALICE && matches!(outbound.message, Message::Session(SessionMessage::Logout { .. })))
    };
    assert_eq!(events.iter().filter(|event| said(event)).count(), events.len());
    assert_eq!(events.len(), 1);
    assert!(desk.connection(BOB).is_some());
}

#[test]
fn a_new_gateway_ends_every_connection_and_numbers_go_on() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, buy("a1", "10", "50.00"));
    desk.submit(Command::GatewayStarted);
    assert_eq!(desk.connection(ALICE), None);
    assert_eq!(desk.connection(BOB), None);
    desk.log_on(ALICE, 0);
    let events = desk.place(ALICE, buy("a2", "10", "50.00"));
    // Logon, New, Logon, New.
    assert_eq!(outbounds(&events, ALICE)[0].seq, 4);
}

#[test]
fn heartbeats_are_sent_by_deadline_and_silence_ends_a_connection() {
    let mut desk = Desk::open();
    let connection = desk.log_on(ALICE, 30);
    let start = desk.time;
    let events = desk.wait_until(start + 30 * SECOND);
    let expected = Message::Session(SessionMessage::Heartbeat { test_req_id: None });
    assert_eq!(messages(&events, ALICE), [expected]);
    let events = desk.wait_until(start + 40 * SECOND);
    assert_eq!(messages(&events, ALICE), [Message::Session(SessionMessage::TestRequest)]);
    let events = desk.wait_until(start + 90 * SECOND);
    assert_eq!(closes(&events), [(connection, CloseReason::Silent)]);
    assert_eq!(desk.connection(ALICE), None);
    assert!(desk.wait_until(start + 200 * SECOND).is_empty());
}

#[test]
fn messages_that_break_the_rules_are_rejected_under_their_number() {
    let mut desk = Desk::logged_on();
    let reject = SessionReject {
        reason: RejectReason::RequiredTagMissing,
        ref_tag: Some(55),
        ref_msg_type: "D".to_owned(),
    };
    let events = desk.fix(ALICE, Body::Invalid(reject.clone()));
    let expected = SessionMessage::Reject { ref_seq: 2, reject, route: None };
    assert_eq!(messages(&events, ALICE), [Message::Session(expected)]);
    let reject = BusinessReject {
        ref_msg_type: decalog_fix::dictionary::MsgType::NewOrderSingle,
        ref_id: Some("x".to_owned()),
        reason: BusinessReason::ConditionallyRequiredFieldMissing,
        text: "Price(44)".into(),
    };
    let events = desk.fix(ALICE, Body::Refused(reject.clone()));
    let expected = SessionMessage::BusinessReject { ref_seq: 3, reject, route: None };
    assert_eq!(messages(&events, ALICE), [Message::Session(expected)]);
}

#[test]
fn a_logout_is_answered_and_ends_the_connection() {
    let mut desk = Desk::logged_on();
    let connection = desk.connection(ALICE).unwrap();
    let events = desk.fix(ALICE, Body::Logout { text: None });
    assert!(matches!(messages(&events, ALICE)[..], [Message::Session(SessionMessage::Logout { .. })]));
    assert_eq!(closes(&events), [(connection, CloseReason::LoggedOut)]);
    assert_eq!(desk.connection(ALICE), None);
}

#[test]
fn a_message_of_a_session_that_is_not_set_up_closes_its_connection() {
    let mut desk = Desk::open();
    let body = Body::Logon(Logon { heartbeat_seconds: 30, reset: false, next_expected: None });
    let header = header(1, desk.time, &body);
    let (session, connection) = (SessionId(77), ConnectionId(5));
    let message = FixMessage { session, connection, inbound: Inbound { header, body } };
    let (_, events) = desk.submit(Command::Fix(message));
    assert_eq!(closes(&events), [(connection, CloseReason::NotLoggedOn)]);
}

#[test]
fn an_order_above_a_gap_is_worked_when_the_gap_closes() {
    let mut desk = Desk::logged_on();
    let connection = desk.connection(ALICE).unwrap();
    let order = |id| Body::Application(Request::NewOrder(buy(id, "10", "50.00")));
    let late = header(4, desk.time, &order("late"));
    let events = desk.message(ALICE, connection, late, order("late"));
    assert_eq!(messages(&events, ALICE), [Message::Session(SessionMessage::ResendRequest { begin: 2 })]);
    let body = Body::SequenceReset { gap_fill: true, new_seq: 3 };
    let fill = header(2, desk.time, &body);
    let fill =
        decalog_fix::session::Header { poss_dup: true, orig_sending_time: Some(fill.sending_time), ..fill };
    assert!(reports(&desk.message(ALICE, connection, fill, body), ALICE).is_empty());
    let missed = header(3, desk.time, &order("missed"));
    let missed = decalog_fix::session::Header {
        poss_dup: true,
        orig_sending_time: Some(missed.sending_time),
        ..missed
    };
    let events = desk.message(ALICE, connection, missed, order("missed"));
    assert_eq!(shorts(&events, ALICE), ["missed 0/0 0/10", "late 0/0 0/10"]);
}
