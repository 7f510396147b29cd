//! The end of the day: who expires, who stays, and which names are free again.

use decalog_exchange::command::{Command, NewOrder};
use decalog_exchange::engine;
use decalog_exchange::event::{Event, OrdRejReason};
use decalog_exchange::value::{ExecType, OrdStatus, Side, TimeInForce};

use crate::desk::{ALICE, BOB, Desk, MORNING, SECOND, buy, only, reports, sell, shorts, text};

const EVENING: i64 = MORNING + 8 * 3600 * SECOND;

fn lasting(order: NewOrder) -> NewOrder {
    NewOrder { time_in_force: TimeInForce::GoodTillCancel, ..order }
}

#[test]
fn day_orders_expire_and_the_others_stay() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, sell("day", "100", "100.00"));
    desk.place(ALICE, lasting(sell("stays", "50", "100.05")));
    desk.place(BOB, buy("b1", "40", "100.00"));
    assert!(desk.wait_until(EVENING - 1).is_empty());
    let events = desk.wait_until(EVENING);
    assert_eq!(shorts(&events, ALICE), ["day C/C 40/0"]);
    assert_eq!(desk.levels(engine::Side::Sell), ["100.05x50(1)"]);
}

#[test]
fn an_order_never_trades_after_its_expiry() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, sell("day", "100", "100.00"));
    desk.time = EVENING;
    let events = desk.place(BOB, buy("b1", "40", "100.00"));
    assert_eq!(shorts(&events, ALICE), ["day C/C 0/0"]);
    assert_eq!(shorts(&events, BOB), ["b1 0/0 0/40"], "it comes after the expiry");
}

#[test]
fn names_are_free_again_except_those_of_live_orders() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, buy("day", "10", "50.00"));
    desk.place(ALICE, lasting(buy("g1", "10", "50.00")));
    desk.replace(ALICE, "g1", lasting(buy("g2", "20", "50.00")));
    desk.wait_until(EVENING);
    assert_eq!(desk.status(ALICE, "day").reject_reason, Some(OrdRejReason::UnknownOrder), "it is forgotten");
    assert_eq!(shorts(&desk.place(ALICE, buy("day", "10", "50.00")), ALICE), ["day 0/0 0/10"]);
    assert_eq!(shorts(&desk.place(ALICE, buy("g1", "10", "50.00")), ALICE), ["g1 0/0 0/10"]);
    let taken = only(reports(&desk.place(ALICE, buy("g2", "10", "50.00")), ALICE));
    assert_eq!(taken.reject_reason, Some(OrdRejReason::DuplicateOrder));
    let canceled = only(reports(&desk.cancel(ALICE, "c1", "g2", Side::Buy), ALICE));
    assert_eq!((canceled.exec_type, canceled.ord_status), (ExecType::Canceled, OrdStatus::Canceled));
}

#[test]
fn many_orders_expire_over_many_milliseconds_while_no_new_one_is_taken() {
    let mut desk = Desk::logged_on();
    for number in 0..2_500 {
        desk.place(ALICE, buy(&format!("day-{number}"), "10", "50.00"));
    }
    let expired = |events: &[Event]| {
        reports(events, ALICE).iter().filter(|it| it.exec_type == ExecType::Expired).count()
    };
    assert_eq!(expired(&desk.wait_until(EVENING)), 1_000);
    let closed = desk.place(BOB, sell("s1", "10", "50.00"));
    assert_eq!(only(reports(&closed, BOB)).reject_reason, Some(OrdRejReason::ExchangeClosed));
    assert!(reports(&closed, ALICE).is_empty(), "it does not trade with what is yet to expire");
    let canceled = desk.cancel(ALICE, "c1", "day-2499", Side::Buy);
    assert_eq!(only(reports(&canceled, ALICE)).ord_status, OrdStatus::Canceled);
    assert_eq!(expired(&desk.wait_until(EVENING + 1_000_000)), 1_000);
    assert_eq!(expired(&desk.wait_until(EVENING + SECOND)), 499);
    assert!(desk.levels(engine::Side::Buy).is_empty());
    assert_eq!(shorts(&desk.place(BOB, sell("s2", "10", "50.00")), BOB), ["s2 0/0 0/10"]);
}

#[test]
fn the_day_ends_every_day_and_when_it_is_told_to() {
    let mut desk = Desk::logged_on();
    for day in 0..3 {
        desk.place(ALICE, buy(&format!("day-{day}"), "10", "50.00"));
        let events = desk.wait_until(EVENING + day * 24 * 3600 * SECOND);
        assert_eq!(reports(&events, ALICE).len(), 1, "day {day}");
    }
    desk.submit(Command::SetDayEnd { second_of_day: None });
    desk.place(ALICE, buy("stays", "10", "50.00"));
    assert!(desk.wait_until(EVENING + 30 * 24 * 3600 * SECOND).is_empty());
    desk.submit(Command::SetDayEnd { second_of_day: Some(0) });
    let midnight = EVENING + (30 * 24 + 7) * 3600 * SECOND;
    assert!(desk.wait_until(midnight - 1).is_empty());
    assert_eq!(shorts(&desk.wait_until(midnight), ALICE), ["stays C/C 0/0"]);
    assert_eq!(desk.status(ALICE, "stays").cl_ord_id, text("stays"));
}
