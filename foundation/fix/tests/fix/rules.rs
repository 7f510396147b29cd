//! Each rule of the session layer, without a socket.

use decalog_fix::dictionary::MsgType;
use decalog_fix::session::{
    Body, BusinessReason, BusinessReject, ConnectionId, Header, Logon, RejectReason, Role, Route,
    SessionReject, Settings,
};
use decalog_fix::time::Timestamp;

use crate::desk::{Desk, LINE, START, logon, test_request};

const NOTHING: [&str; 0] = [];

fn logon_with(reset: bool, next_expected: Option<u64>) -> Body<&'static str> {
    Body::Logon(Logon { heartbeat_seconds: 30, reset, next_expected })
}

fn invalid() -> Body<&'static str> {
    let reject =
        SessionReject { reason: RejectReason::ValueIncorrect, ref_tag: Some(40), ref_msg_type: "D".into() };
    Body::Invalid(reject)
}

fn gap_fill(new_seq: u64) -> Body<&'static str> {
    Body::SequenceReset { gap_fill: true, new_seq }
}

// Logon

#[test]
fn only_a_logon_opens_a_session_and_strangers_move_no_number() {
    let mut desk = Desk::new(Settings::acceptor());
    for body in [Body::Heartbeat, test_request("x"), Body::Application("a"), invalid(), Body::WrongCompId] {
        assert_eq!(desk.get(1, body), ["close NotLoggedOn"]);
    }
    let late = Header { sending_time: START.plus_seconds(-121), ..desk.header(1) };
    assert_eq!(desk.take(late, logon()), ["close NotLoggedOn"]);
    assert_eq!((desk.session.next_in(), desk.session.next_out()), (1, 1));
    assert_eq!(desk.get(1, logon()), ["1 Logon 30"]);
    assert!(desk.session.is_active());
}

#[test]
fn a_second_connection_is_closed_and_the_first_goes_on() {
    let mut desk = Desk::logged_on();
    let header = desk.header(1);
    assert_eq!(desk.take_on(ConnectionId(2), header, logon()), ["close 2 AlreadyLoggedOn"]);
    assert_eq!(desk.get(2, test_request("x")), ["2 Heartbeat x"]);
}

#[test]
fn a_logon_above_the_expected_number_is_answered_and_the_gap_asked_for() {
    let mut desk = Desk::new(Settings::acceptor());
    assert_eq!(desk.get(5, logon()), ["1 Logon 30", "2 ResendRequest 1"]);
    assert_eq!(desk.get_again(1, gap_fill(5)), NOTHING);
    assert_eq!(desk.session.next_in(), 6);
}

#[test]
fn a_logon_below_the_expected_number_is_refused() {
    let mut desk = Desk::logged_on();
    desk.session.disconnected(LINE);
    let words = desk.get(1, logon());
    assert_eq!(words, ["2 Logout MsgSeqNum too low, expecting 2 but received 1", "close LogonRefused"]);
    assert!(desk.session.connection().is_none());
}

#[test]
fn numbers_go_on_over_reconnects_unless_a_reset_is_asked_or_agreed() {
    let mut desk = Desk::logged_on();
    desk.session.disconnected(LINE);
    assert_eq!(desk.get(2, logon()), ["2 Logon 30"]);
    desk.session.disconnected(LINE);
    assert_eq!(desk.get(1, logon_with(true, None)), ["restarted", "1 Logon 30 reset"]);

    let mut desk = Desk::new(Settings { reset_on_logon: true, ..Settings::acceptor() });
    for _ in 0..2 {
        assert_eq!(desk.get(1, logon()), ["restarted", "1 Logon 30"]);
        desk.session.disconnected(LINE);
    }
}

#[test]
fn a_reset_while_logged_on_starts_both_sequences_again() {
    let mut desk = Desk::logged_on();
    desk.get(2, Body::Heartbeat);
    desk.send('a');
    assert_eq!(desk.get(1, logon_with(true, None)), ["restarted", "1 Logon 30 reset"]);
    assert_eq!(desk.get(2, test_request("x")), ["2 Heartbeat x"]);
    assert_eq!(desk.get(3, Body::ResendRequest { begin: 1, end: 0 }), ["fill 1..3"]);
}

#[test]
fn a_second_logon_without_reset_ends_the_session() {
    let mut desk = Desk::logged_on();
    assert_eq!(desk.get(2, logon()), ["2 Logout Logon while logged on"]);
}

#[test]
fn next_expected_fills_gaps_without_a_resend_request() {
    let mut desk = Desk::logged_on();
    assert_eq!(desk.send('a'), (2, true));
    desk.session.disconnected(LINE);
    let words = desk.get(4, logon_with(false, Some(2)));
    assert_eq!(words, ["3 Logon 30 next 2", "again 2 a", "fill 3..4"]);
    assert_eq!(desk.get_again(2, gap_fill(4)), NOTHING);
    assert_eq!(desk.session.next_in(), 5);

    desk.session.disconnected(LINE);
    let words = desk.get(5, logon_with(false, Some(9)));
    assert_eq!(
        words,
        ["4 Logout NextExpectedMsgSeqNum too high, expecting 4 but received 9", "close LogonRefused"]
    );
}

#[test]
fn a_gap_promised_by_next_expected_and_not_filled_is_asked_for() {
    let mut desk = Desk::new(Settings::acceptor());
    assert_eq!(desk.get(4, logon_with(false, Some(1))), ["1 Logon 30 next 1"]);
    assert_eq!(desk.wait(300), ["2 ResendRequest 1"]);
}

#[test]
fn a_heartbeat_interval_beyond_the_agreed_is_refused() {
    let mut desk = Desk::new(Settings { max_heartbeat_seconds: 20, ..Settings::acceptor() });
    let words = desk.get(1, logon());
    assert_eq!(words, ["1 Logout HeartBtInt 30 is too long, at most 20 is allowed", "close LogonRefused"]);
}

// The sequence

#[test]
fn a_number_too_low_ends_the_session_unless_it_may_be_a_duplicate() {
    too_low_ends_the_session();
    let mut desk = Desk::logged_on();
    desk.get(2, Body::Application("a"));
    assert_eq!(desk.get_again(2, Body::Application("a")), NOTHING);
    assert_eq!(desk.get_again(2, test_request("x")), NOTHING);
    assert_eq!(desk.get_again(3, Body::Application("b")), ["got b"], "not seen before: it counts");
}

/// Also played with the guarantee taken out.
pub(crate) fn too_low_ends_the_session() {
    let mut desk = Desk::logged_on();
    assert_eq!(desk.get(2, Body::Application("a")), ["got a"]);
    let words = desk.get(2, Body::Application("a"));
    assert_eq!(words, ["2 Logout MsgSeqNum too low, expecting 3 but received 2", "close SeqNumTooLow"]);
}

#[test]
fn messages_above_a_gap_wait_and_are_taken_in_order() {
    gap_is_asked_for_once();
}

/// Also played with the guarantee taken out.
pub(crate) fn gap_is_asked_for_once() {
    let mut desk = Desk::logged_on();
    assert_eq!(desk.get(4, Body::Application("c")), ["2 ResendRequest 2"]);
    assert_eq!(desk.get(5, test_request("x")), NOTHING);
    assert_eq!(desk.get_again(2, Body::Application("a")), ["got a"]);
    assert_eq!(desk.get_again(3, Body::Application("b")), ["got b", "got c", "3 Heartbeat x"]);
    assert_eq!(desk.session.next_in(), 6);
}

#[test]
fn what_finds_no_room_above_a_gap_is_asked_for_again() {
    let mut desk = Desk::new(Settings { max_queued: 2, ..Settings::acceptor() });
    desk.get(1, logon());
    assert_eq!(desk.get(3, Body::Application("b")), ["2 ResendRequest 2"]);
    for (seq, name) in [(4, "c"), (5, "d"), (6, "e")] {
        assert_eq!(desk.get(seq, Body::Application(name)), NOTHING);
    }
    assert_eq!(desk.get_again(2, Body::Application("a")), ["got a", "got b", "got c", "3 ResendRequest 5"]);
    assert_eq!(desk.get_again(5, Body::Application("d")), ["got d"]);
    assert_eq!(desk.get_again(6, Body::Application("e")), ["got e"]);
}

#[test]
fn an_unanswered_resend_request_is_repeated() {
    let mut desk = Desk::logged_on();
    assert_eq!(desk.get(4, Body::Application("c")), ["2 ResendRequest 2"]);
    assert_eq!(desk.wait(300), ["3 ResendRequest 2"], "which also is the sign of life that was due");
}

#[test]
fn a_disconnect_forgets_what_waited_and_loses_nothing() {
    let mut desk = Desk::logged_on();
    desk.get(3, Body::Application("b"));
    desk.session.disconnected(LINE);
    assert_eq!(desk.get(4, logon()), ["3 Logon 30", "4 ResendRequest 2"]);
    assert_eq!(desk.get_again(2, Body::Application("a")), ["got a"]);
    assert_eq!(desk.get_again(3, Body::Application("b")), ["got b"]);
    assert_eq!(desk.session.next_in(), 5);
}

// PossDup

#[test]
fn a_duplicate_needs_an_original_sending_time_not_after_its_own() {
    let mut desk = Desk::logged_on();
    desk.get(2, Body::Application("a"));
    let bare = Header { poss_dup: true, ..desk.header(2) };
    let named = Header { msg_type: Some(MsgType::NewOrderSingle), ..bare.clone() };
    assert_eq!(desk.take(named, Body::Application("a")), ["2 Reject 2 RequiredTagMissing tag 122"]);
    assert_eq!(desk.session.next_in(), 3, "the number was used before");
    let early = Header { orig_sending_time: Some(START.plus_seconds(10)), ..bare };
    assert_eq!(desk.take(early, Body::Application("a")), ["3 Reject 2 SendingTimeAccuracy", "4 Logout"]);
}

#[test]
fn a_bad_duplicate_whose_turn_it_is_uses_its_number() {
    let mut desk = Desk::logged_on();
    let bare = Header { poss_dup: true, ..desk.header(2) };
    assert_eq!(desk.take(bare, Body::Application("a")), ["2 Reject 2 RequiredTagMissing tag 122"]);
    assert_eq!(desk.session.next_in(), 3);
}

// SequenceReset

#[test]
fn a_reset_moves_the_expected_number_up_only() {
    let reset = |new_seq| Body::SequenceReset { gap_fill: false, new_seq };
    let mut desk = Desk::logged_on();
    assert_eq!(desk.get(0, reset(25)), NOTHING);
    assert_eq!(desk.session.next_in(), 25);
    assert_eq!(desk.get(0, reset(25)), NOTHING);
    assert_eq!(desk.get(0, reset(1)), ["2 Reject 0 ValueIncorrect"]);
    assert_eq!(desk.session.next_in(), 25);
}

#[test]
fn a_reset_closes_a_gap_and_frees_what_waited() {
    let mut desk = Desk::logged_on();
    desk.get(5, Body::Application("d"));
    assert_eq!(desk.get(9, Body::SequenceReset { gap_fill: false, new_seq: 5 }), ["got d"]);
    assert_eq!(desk.session.next_in(), 6);
}

#[test]
fn a_gap_fill_has_a_place_in_the_sequence() {
    let mut desk = Desk::logged_on();
    assert_eq!(desk.get(2, gap_fill(20)), NOTHING);
    assert_eq!(desk.session.next_in(), 20);
    assert_eq!(desk.get_again(2, gap_fill(10)), NOTHING, "a duplicate below the expected number is ignored");
    assert_eq!(desk.get(30, gap_fill(40)), ["2 ResendRequest 20"]);
    assert_eq!(desk.get_again(20, gap_fill(30)), NOTHING);
    assert_eq!(desk.session.next_in(), 40);
    assert_eq!(desk.get(40, gap_fill(3)), ["3 Reject 40 ValueIncorrect"]);
    assert_eq!(desk.session.next_in(), 40);
    let words = desk.get(2, gap_fill(50));
    assert_eq!(words, ["4 Logout MsgSeqNum too low, expecting 40 but received 2", "close SeqNumTooLow"]);
}

// Resend

#[test]
fn a_resend_repeats_application_messages_and_fills_the_rest() {
    let mut desk = Desk::logged_on();
    desk.get(2, test_request("x"));
    assert_eq!((desk.send('a'), desk.send('b')), ((3, true), (4, true)));
    desk.get(3, test_request("y"));
    let asks = |begin, end| Body::ResendRequest { begin, end };
    assert_eq!(desk.get(4, asks(1, 0)), ["fill 1..3", "again 3 a", "again 4 b", "fill 5..6"]);
    assert_eq!(desk.get(5, asks(4, 4)), ["again 4 b"]);
    assert_eq!(desk.get(6, asks(1, 2)), ["fill 1..3"]);
    assert_eq!(
        desk.get(7, asks(3, 999)),
        ["again 3 a", "again 4 b", "fill 5..6"],
        "the end is what was sent"
    );
    assert_eq!(desk.get(8, asks(9, 0)), NOTHING);
    assert_eq!(desk.get(9, asks(0, 1)), ["fill 1..2"]);
}

#[test]
fn theirs_is_answered_before_ours_goes_out() {
    let mut desk = Desk::logged_on();
    desk.send('a');
    let words = desk.get(5, Body::ResendRequest { begin: 2, end: 2 });
    assert_eq!(words, ["again 2 a", "3 ResendRequest 2"]);
    assert_eq!(desk.get_again(2, gap_fill(5)), NOTHING);
    assert_eq!(desk.session.next_in(), 6, "their request had its number");
}

#[test]
fn numbers_that_left_the_window_are_filled() {
    let mut desk = Desk::new(Settings { resend_window: 2, ..Settings::acceptor() });
    desk.get(1, logon());
    for address in ['a', 'b', 'c'] {
        desk.send(address);
    }
    let words = desk.get(2, Body::ResendRequest { begin: 1, end: 0 });
    assert_eq!(words, ["fill 1..3", "again 3 b", "again 4 c"]);
}

#[test]
fn what_is_sent_while_nobody_listens_gets_its_number_and_goes_out_later() {
    let mut desk = Desk::logged_on();
    desk.session.disconnected(LINE);
    assert_eq!(desk.send('a'), (2, false));
    assert_eq!(desk.get(2, logon()), ["3 Logon 30"]);
    let words = desk.get(3, Body::ResendRequest { begin: 2, end: 0 });
    assert_eq!(words, ["again 2 a", "fill 3..4"]);
}

// Rejects

#[test]
fn what_breaks_the_dictionary_is_rejected_and_counts() {
    let mut desk = Desk::logged_on();
    assert_eq!(desk.get(2, invalid()), ["2 Reject 2 ValueIncorrect tag 40"]);
    assert_eq!(desk.session.next_in(), 3);
    assert_eq!(desk.get(4, invalid()), ["3 ResendRequest 3"], "above a gap it waits like any other");
    assert_eq!(desk.get_again(3, Body::Heartbeat), ["4 Reject 4 ValueIncorrect tag 40"]);
}

#[test]
fn a_reject_goes_back_by_the_route_the_message_came() {
    let mut desk = Desk::logged_on();
    let route = Route { on_behalf_of: [Some("JCD".into()), None, None], ..Route::default() };
    let header = Header { route: Some(Box::new(route)), ..desk.header(2) };
    assert_eq!(desk.take(header, invalid()), ["2 Reject 2 ValueIncorrect tag 40 to JCD"]);
}

#[test]
fn what_the_application_does_not_take_gets_a_business_reject_that_can_be_sent_again() {
    let mut desk = Desk::logged_on();
    let reject = BusinessReject {
        ref_msg_type: MsgType::News,
        ref_id: None,
        reason: BusinessReason::UnsupportedMessageType,
        text: "Unsupported Message Type".into(),
    };
    assert_eq!(desk.get(2, Body::Refused(reject)), ["2 BusinessReject 2 UnsupportedMessageType"]);
    assert_eq!(desk.get(3, Body::ResendRequest { begin: 1, end: 0 }), ["fill 1..2", "again 2 !"]);
}

#[test]
fn a_reject_from_the_other_side_counts() {
    let mut desk = Desk::logged_on();
    assert_eq!(desk.get(2, Body::Reject { ref_seq: 1, text: None }), ["rejected 1"]);
    assert_eq!(desk.session.next_in(), 3);
}

#[test]
fn wrong_comp_ids_and_clocks_are_rejected_and_end_the_session() {
    let mut desk = Desk::logged_on();
    assert_eq!(desk.get(2, Body::WrongCompId), ["2 Reject 2 CompIdProblem", "3 Logout"]);
    assert_eq!(desk.get(3, Body::Logout { text: None }), ["close LoggedOut"]);
    sending_time_is_checked();
}

/// Also played with the guarantee taken out.
pub(crate) fn sending_time_is_checked() {
    for seconds in [-121, 121] {
        let mut desk = Desk::logged_on();
        let header = Header { sending_time: START.plus_seconds(seconds), ..desk.header(2) };
        assert_eq!(desk.take(header, Body::Heartbeat), ["2 Reject 2 SendingTimeAccuracy", "3 Logout"]);
        assert_eq!(desk.session.next_in(), 3);
    }
    let mut desk = Desk::logged_on();
    let header = Header { sending_time: START.plus_seconds(-120), ..desk.header(2) };
    assert_eq!(desk.take(header, Body::Heartbeat), NOTHING);
}

#[test]
fn another_begin_string_ends_the_session() {
    let mut desk = Desk::logged_on();
    assert_eq!(desk.get(2, Body::WrongBeginString), ["2 Logout Incorrect BeginString"]);
    assert_eq!(desk.wait(19), NOTHING);
    assert_eq!(desk.wait(1), ["close LogoutTimeout"]);
}

#[test]
fn a_message_without_a_number_ends_the_session() {
    let mut desk = Desk::logged_on();
    let words = desk.get(0, Body::NoSeqNum);
    assert_eq!(words, ["2 Logout Required tag missing: MsgSeqNum (34)", "close NoSeqNum"]);
}

// Logout

#[test]
fn a_logout_is_answered_whatever_its_number() {
    for (seq, expected) in [(2, 3), (1, 2), (9, 2)] {
        let mut desk = Desk::logged_on();
        assert_eq!(desk.get(seq, Body::Logout { text: None }), ["2 Logout", "close LoggedOut"]);
        assert_eq!(desk.session.next_in(), expected, "only the expected number counts");
    }
}

#[test]
fn our_logout_waits_for_theirs() {
    let mut desk = Desk::logged_on();
    assert_eq!(desk.logout(), ["2 Logout"]);
    assert_eq!(desk.logout(), NOTHING);
    assert_eq!(desk.get(2, Body::Application("a")), ["got a"], "what was under way still counts");
    assert_eq!(desk.send('x'), (3, false), "nothing new goes out behind a Logout");
    assert_eq!(desk.get(3, Body::Logout { text: None }), ["close LoggedOut"]);
}

// Time

#[test]
fn silence_of_our_own_is_filled_with_heartbeats() {
    let mut desk = Desk::logged_on();
    assert_eq!(desk.wait(299), NOTHING);
    assert_eq!(desk.wait(1), ["2 Heartbeat"]);
    desk.get(2, Body::Heartbeat);
    assert_eq!(desk.wait(300), ["3 Heartbeat"]);
    desk.send('a');
    desk.get(3, Body::Heartbeat);
    assert_eq!(desk.wait(299), NOTHING, "an application message counts as a sign of life");
}

#[test]
fn silence_of_theirs_is_tested_and_then_ends_the_connection() {
    let mut desk = Desk::logged_on();
    assert_eq!(desk.wait(360), ["2 Heartbeat", "3 TestRequest"]);
    assert_eq!(desk.wait(359), NOTHING);
    assert_eq!(desk.wait(1), ["close Silent"]);
    assert_eq!(desk.session.deadline(), None);

    let mut desk = Desk::logged_on();
    desk.wait(360);
    assert_eq!(desk.get(2, Body::Heartbeat), NOTHING, "any message answers");
    assert_eq!(desk.wait(300), ["4 Heartbeat"]);
}

#[test]
fn one_tick_does_all_that_is_due() {
    let mut desk = Desk::logged_on();
    assert_eq!(desk.tick_after(72), ["2 Heartbeat", "3 TestRequest", "close Silent"]);
    assert_eq!(desk.session.deadline(), None);
}

#[test]
fn no_heartbeat_interval_means_no_heartbeats() {
    let mut desk = Desk::new(Settings::acceptor());
    desk.get(1, Body::Logon(Logon { heartbeat_seconds: 0, reset: false, next_expected: None }));
    assert_eq!(desk.session.deadline(), None);
}

#[test]
fn a_test_request_is_answered_with_its_id() {
    let mut desk = Desk::logged_on();
    assert_eq!(desk.get(2, test_request("HELLO")), ["2 Heartbeat HELLO"]);
}

// The initiator

#[test]
fn an_initiator_logs_on_and_waits_for_the_answer() {
    let mut desk = Desk::new(Settings::initiator(30));
    assert_eq!(desk.connect(), ["1 Logon 30"]);
    assert_eq!(desk.send('a'), (2, false), "not before the answer");
    assert_eq!(desk.get(1, logon()), ["again 2 a"]);
    assert!(desk.session.is_active());
    assert_eq!(desk.send('b'), (3, true));
}

#[test]
fn an_initiator_gives_up_on_silence_refusal_and_nonsense() {
    let mut desk = Desk::new(Settings::initiator(30));
    desk.connect();
    assert_eq!(desk.wait(100), ["close LogonTimeout"]);
    desk.connect();
    assert_eq!(desk.get(1, Body::Logout { text: None }), ["close LogonRefused"]);
    desk.connect();
    assert_eq!(desk.get(2, Body::Heartbeat), ["close NotLoggedOn"]);
    assert_eq!(desk.session.next_out(), 4, "each Logon used a number");
}

#[test]
fn an_initiator_asks_for_what_it_missed_and_resends_what_they_missed() {
    let mut desk = Desk::new(Settings::initiator(30));
    desk.connect();
    assert_eq!(desk.get(4, logon()), ["2 ResendRequest 1"]);

    let role = Role::Initiator { heartbeat_seconds: 30, next_expected: true, logon_timeout_seconds: 10 };
    let mut desk = Desk::new(Settings { role, ..Settings::initiator(30) });
    desk.send('a');
    assert_eq!(desk.connect(), ["2 Logon 30 next 1"]);
    assert_eq!(desk.get(1, logon_with(false, Some(1))), ["again 1 a", "fill 2..3"]);
}

#[test]
fn an_initiator_that_resets_says_so() {
    let mut desk = Desk::new(Settings { reset_on_logon: true, ..Settings::initiator(30) });
    assert_eq!(desk.connect(), ["restarted", "1 Logon 30 reset"]);
    assert_eq!(desk.get(1, logon_with(true, None)), NOTHING);
    assert_eq!((desk.session.next_in(), desk.session.next_out()), (2, 2));
}

#[test]
fn a_reset_by_the_acceptor_starts_the_initiator_again() {
    let mut desk = Desk::new(Settings::initiator(30));
    desk.send('a');
    desk.connect();
    assert_eq!(desk.get(1, logon_with(true, None)), ["restarted"]);
    assert_eq!((desk.session.next_in(), desk.session.next_out()), (2, 2));
}

#[test]
fn time_is_what_the_caller_says() {
    let mut desk = Desk::logged_on();
    desk.now = Timestamp(0);
    assert_eq!(desk.get(2, test_request("x")), ["2 Heartbeat x"]);
}
