//! Orders from the client's side: what each request is answered with, step by step.

use decalog_exchange::command::{CancelOrder, Command, Instrument, NewOrder, Request, TradingStatus};
use decalog_exchange::engine;
use decalog_exchange::event::{CxlRejReason, CxlRejResponseTo, Event, OrdRejReason};
use decalog_exchange::value::{Decimal, ExecType, OrdStatus, OrdType, Side, TimeInForce};
use decalog_fix::session::Body;

use crate::desk::{
    ALICE, BOB, BOTH, Desk, buy, cancel_rejects, instrument, number, only, reports, sell, shorts, text,
};

fn market(order: NewOrder) -> NewOrder {
    NewOrder { ord_type: OrdType::Market, price: None, ..order }
}

fn lasting(time_in_force: TimeInForce, order: NewOrder) -> NewOrder {
    NewOrder { time_in_force, ..order }
}

#[test]
fn both_sides_hear_of_a_trade_at_the_resting_orders_price() {
    let mut desk = Desk::logged_on();
    assert_eq!(shorts(&desk.place(ALICE, sell("s1", "100", "100.00")), ALICE), ["s1 0/0 0/100"]);
    let events = desk.place(BOB, buy("b1", "60", "101.00"));
    assert_eq!(shorts(&events, BOB), ["b1 0/0 0/60", "b1 60@100.00 F/2 60/0"]);
    assert_eq!(shorts(&events, ALICE), ["s1 60@100.00 F/1 60/40"]);
    let trades: Vec<_> = events.iter().filter(|it| matches!(it, Event::Trade(_))).collect();
    assert_eq!(trades.len(), 1);
    assert_eq!(desk.levels(engine::Side::Sell), ["100.00x40(1)"]);
}

#[test]
fn the_average_price_is_the_notional_over_what_has_traded() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, sell("s1", "10", "100.00"));
    desk.place(ALICE, sell("s2", "20", "100.05"));
    let events = desk.place(BOB, buy("b1", "30", "101.00"));
    let last = reports(&events, BOB).pop().unwrap();
    // (10 x 100.00 + 20 x 100.05) / 30 = 100.0333...
    assert_eq!(last.avg_px.to_string(), "100.033333");
    assert_eq!(desk.status(BOB, "b1").avg_px.to_string(), "100.033333");
}

#[test]
fn what_an_immediate_order_leaves_is_canceled_and_never_rests() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, sell("s1", "50", "100.00"));
    let ioc = lasting(TimeInForce::ImmediateOrCancel, buy("b1", "80", "100.00"));
    let events = desk.place(BOB, ioc);
    assert_eq!(shorts(&events, BOB), ["b1 0/0 0/80", "b1 50@100.00 F/1 50/30", "b1 4/4 50/0"]);
    let none = desk.place(BOB, lasting(TimeInForce::ImmediateOrCancel, buy("b2", "10", "100.00")));
    assert_eq!(shorts(&none, BOB), ["b2 0/0 0/10", "b2 4/4 0/0"]);
    assert!(desk.levels(engine::Side::Buy).is_empty());
    assert!(desk.levels(engine::Side::Sell).is_empty());
}

#[test]
fn fill_or_kill_counts_all_makers_and_kills_without_a_trade() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, sell("s1", "50", "100.00"));
    desk.place(ALICE, sell("s2", "50", "100.05"));
    let fill_or_kill = |id, quantity| lasting(TimeInForce::FillOrKill, buy(id, quantity, "100.05"));
    let killed = desk.place(BOB, fill_or_kill("b1", "110"));
    assert_eq!(shorts(&killed, BOB), ["b1 0/0 0/110", "b1 4/4 0/0"]);
    assert!(reports(&killed, ALICE).is_empty());
    let filled = desk.place(BOB, fill_or_kill("b2", "100"));
    assert_eq!(shorts(&filled, BOB), ["b2 0/0 0/100", "b2 50@100.00 F/1 50/50", "b2 50@100.05 F/2 100/0"]);
}

#[test]
fn a_market_order_takes_what_there_is_and_the_rest_is_canceled() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, sell("s1", "50", "100.00"));
    desk.place(ALICE, sell("s2", "50", "900.00"));
    let events = desk.place(BOB, market(buy("b1", "120", "1.00")));
    let expected = ["b1 0/0 0/120", "b1 50@100.00 F/1 50/70", "b1 50@900.00 F/1 100/20", "b1 4/4 100/0"];
    assert_eq!(shorts(&events, BOB), expected);
    let priced = desk.place(BOB, NewOrder { ord_type: OrdType::Market, ..buy("b2", "10", "100.00") });
    assert_eq!(only(reports(&priced, BOB)).reject_reason, Some(OrdRejReason::UnsupportedCharacteristic));
}

#[test]
fn a_cancel_takes_the_order_out_and_a_second_one_comes_too_late() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, buy("a1", "100", "50.00"));
    let events = desk.cancel(ALICE, "c1", "a1", Side::Buy);
    let report = only(reports(&events, ALICE));
    assert_eq!((report.cl_ord_id, report.orig_cl_ord_id), (text("c1"), text("a1")));
    assert_eq!((report.exec_type, report.ord_status), (ExecType::Canceled, OrdStatus::Canceled));
    assert!(desk.levels(engine::Side::Buy).is_empty());
    let reject = only(cancel_rejects(&desk.cancel(ALICE, "c2", "a1", Side::Buy), ALICE));
    assert_eq!((reject.reason, reject.ord_status), (CxlRejReason::TooLateToCancel, OrdStatus::Canceled));
    assert_eq!(reject.response_to, CxlRejResponseTo::Cancel);
}

#[test]
fn cancels_are_refused_for_what_is_not_there_or_not_as_said() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, buy("a1", "100", "50.00"));
    let reason = |desk: &mut Desk, session, id: &str, orig: &str, side| {
        let reject = only(cancel_rejects(&desk.cancel(session, id, orig, side), session));
        (reject.reason, reject.order_id != 0, reject.ord_status)
    };
    let unknown = (CxlRejReason::UnknownOrder, false, OrdStatus::Rejected);
    assert_eq!(reason(&mut desk, ALICE, "c1", "nothing", Side::Buy), unknown);
    assert_eq!(reason(&mut desk, BOB, "c1", "a1", Side::Buy), unknown, "another session's order");
    let wrong_side = (CxlRejReason::Exchange, true, OrdStatus::New);
    assert_eq!(reason(&mut desk, ALICE, "c2", "a1", Side::Sell), wrong_side);
    let duplicate = (CxlRejReason::DuplicateClOrdId, true, OrdStatus::New);
    assert_eq!(reason(&mut desk, ALICE, "c2", "a1", Side::Buy), duplicate);
    let cancel = |id: &str, order_id, symbol: &str| {
        let (cl_ord_id, orig_cl_ord_id) = (text(id), text("a1"));
        let cancel =
            CancelOrder { cl_ord_id, orig_cl_ord_id, order_id, symbol: text(symbol), side: Side::Buy };
        Body::Application(Request::Cancel(cancel))
    };
    let events = desk.fix(ALICE, cancel("c3", Some(1), "ACME"));
    assert_eq!(only(cancel_rejects(&events, ALICE)).reason, CxlRejReason::UnknownOrder);
    let events = desk.fix(ALICE, cancel("c4", None, "ZINC"));
    assert_eq!(only(cancel_rejects(&events, ALICE)).reason, CxlRejReason::Exchange);
    let order_id = Some(desk.status(ALICE, "a1").order_id);
    let events = desk.fix(ALICE, cancel("c5", order_id, "ACME"));
    assert_eq!(only(reports(&events, ALICE)).ord_status, OrdStatus::Canceled);
}

#[test]
fn less_quantity_keeps_the_place_and_more_or_another_price_loses_it() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, sell("first", "100", "100.00"));
    desk.place(BOTH, sell("second", "100", "100.00"));
    desk.replace(ALICE, "first", sell("first-less", "50", "100.00"));
    let events = desk.place(BOB, buy("b1", "10", "100.00"));
    assert_eq!(shorts(&events, ALICE), ["first-less 10@100.00 F/1 10/40"]);
    desk.replace(ALICE, "first-less", sell("first-more", "90", "100.00"));
    let events = desk.place(BOB, buy("b2", "10", "100.00"));
    assert_eq!(shorts(&events, BOTH), ["second 10@100.00 F/1 10/90"]);
    assert!(reports(&events, ALICE).is_empty());
}

#[test]
fn a_replace_that_crosses_trades_at_the_resting_price() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, sell("s1", "50", "100.00"));
    desk.place(BOB, buy("b1", "80", "90.00"));
    let events = desk.replace(BOB, "b1", buy("b2", "80", "105.00"));
    let all = reports(&events, BOB);
    assert_eq!(shorts(&events, BOB), ["b2 5/0 0/80", "b2 50@100.00 F/1 50/30"]);
    assert_eq!((all[0].orig_cl_ord_id, all[0].order_id), (text("b1"), all[1].order_id));
    assert_eq!(desk.levels(engine::Side::Buy), ["105.00x30(1)"]);
}

#[test]
fn a_replace_down_to_what_has_traded_fills_the_order() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, sell("s1", "40", "100.00"));
    desk.place(BOB, buy("b1", "100", "100.00"));
    let events = desk.replace(BOB, "b1", buy("b2", "30", "100.00"));
    let report = only(reports(&events, BOB));
    assert_eq!((report.exec_type, report.ord_status), (ExecType::Replaced, OrdStatus::Filled));
    assert_eq!(report.order_qty, Some(number("40")));
    assert!(desk.levels(engine::Side::Buy).is_empty());
    let late = desk.replace(BOB, "b2", buy("b3", "200", "100.00"));
    let reject = only(cancel_rejects(&late, BOB));
    assert_eq!((reject.reason, reject.ord_status), (CxlRejReason::TooLateToCancel, OrdStatus::Filled));
    assert_eq!(reject.response_to, CxlRejResponseTo::Replace);
}

#[test]
fn an_order_goes_by_its_newest_name_only() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, buy("a1", "100", "50.00"));
    desk.replace(ALICE, "a1", buy("a2", "100", "51.00"));
    desk.replace(ALICE, "a2", buy("a3", "100", "52.00"));
    for old in ["a1", "a2"] {
        let reject = only(cancel_rejects(&desk.cancel(ALICE, &format!("c-{old}"), old, Side::Buy), ALICE));
        assert_eq!(reject.reason, CxlRejReason::UnknownOrder);
        assert_eq!(desk.status(ALICE, old).cl_ord_id, text("a3"), "a status request may use any name");
    }
    let report = only(reports(&desk.cancel(ALICE, "c-a3", "a3", Side::Buy), ALICE));
    assert_eq!((report.orig_cl_ord_id, report.ord_status), (text("a3"), OrdStatus::Canceled));
}

#[test]
fn replaces_are_refused_without_a_change() {
    let mut desk = Desk::logged_on();
    desk.place(BOTH, buy("a1", "100", "50.00"));
    let wrong = [
        ("type", NewOrder { ord_type: OrdType::Market, ..buy("r1", "100", "50.00") }),
        ("time in force", lasting(TimeInForce::ImmediateOrCancel, buy("r2", "100", "50.00"))),
        ("tag", NewOrder { unsupported_tag: 111, ..buy("r3", "100", "50.00") }),
        ("tick", buy("r4", "100", "50.01")),
        ("band", buy("r5", "100", "5.00")),
        ("lot", buy("r6", "105", "50.00")),
        ("negative", buy("r7", "-10", "50.00")),
        ("account", NewOrder { account: text("BOB"), ..buy("r8", "100", "50.00") }),
        ("price", NewOrder { price: None, ..buy("r9", "100", "50.00") }),
    ];
    for (what, order) in wrong {
        let reject = only(cancel_rejects(&desk.replace(BOTH, "a1", order), BOTH));
        assert_eq!((reject.reason, reject.ord_status), (CxlRejReason::Exchange, OrdStatus::New), "{what}");
    }
    assert_eq!(desk.levels(engine::Side::Buy), ["50.00x100(1)"]);
    assert_eq!(desk.status(BOTH, "a1").ord_status, OrdStatus::New);
}

#[test]
fn bad_orders_get_the_reason_the_protocol_has_for_them() {
    let mut desk = Desk::logged_on();
    let good = buy("x", "100", "50.00");
    let cases = [
        (OrdRejReason::UnknownSymbol, NewOrder { symbol: text("NONE"), ..good }),
        (OrdRejReason::UnknownAccount, NewOrder { account: text("BOB"), ..good }),
        (OrdRejReason::UnknownAccount, NewOrder { account: text("NOBODY"), ..good }),
        (OrdRejReason::UnsupportedCharacteristic, NewOrder { side: Side::Other(b'5'), ..good }),
        (OrdRejReason::UnsupportedCharacteristic, NewOrder { ord_type: OrdType::Other(b'3'), ..good }),
        (OrdRejReason::UnsupportedCharacteristic, lasting(TimeInForce::Other(b'6'), good)),
        (OrdRejReason::UnsupportedCharacteristic, NewOrder { unsupported_tag: 111, ..good }),
        (OrdRejReason::IncorrectQuantity, NewOrder { quantity: number("0"), ..good }),
        (OrdRejReason::IncorrectQuantity, NewOrder { quantity: number("-100"), ..good }),
        (OrdRejReason::IncorrectQuantity, NewOrder { quantity: number("105"), ..good }),
        (OrdRejReason::IncorrectQuantity, NewOrder { quantity: number("10.5"), ..good }),
        (OrdRejReason::OrderExceedsLimit, NewOrder { quantity: number("1000010"), ..good }),
        (OrdRejReason::OrderExceedsLimit, NewOrder { quantity: Decimal::OUT_OF_RANGE, ..good }),
        (OrdRejReason::OrderExceedsLimit, NewOrder { quantity: number("9223372036854775807"), ..good }),
        (OrdRejReason::Other, NewOrder { price: Some(number("50.01")), ..good }),
        (OrdRejReason::Other, NewOrder { price: Some(number("50.001")), ..good }),
        (OrdRejReason::Other, NewOrder { price: Some(number("9.95")), ..good }),
        (OrdRejReason::Other, NewOrder { price: Some(number("1000.05")), ..good }),
        (OrdRejReason::Other, NewOrder { price: Some(number("-50.00")), ..good }),
        (OrdRejReason::Other, NewOrder { price: Some(Decimal::OUT_OF_RANGE), ..good }),
        (OrdRejReason::Other, NewOrder { price: None, ..good }),
    ];
    for (number, (reason, order)) in cases.into_iter().enumerate() {
        let id = format!("bad-{number}");
        let events = desk.place(ALICE, NewOrder { cl_ord_id: text(&id), ..order });
        let report = only(reports(&events, ALICE));
        assert_eq!((report.exec_type, report.ord_status), (ExecType::Rejected, OrdStatus::Rejected));
        assert_eq!(report.reject_reason, Some(reason), "{report:?}");
        assert!(!report.text.is_empty());
    }
    assert!(desk.levels(engine::Side::Buy).is_empty());
}

#[test]
fn a_trailing_zero_more_is_the_same_number() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, NewOrder { quantity: number("100.000"), ..buy("a1", "0", "50.0500") });
    assert_eq!(desk.levels(engine::Side::Buy), ["50.05x100(1)"]);
}

#[test]
fn a_clordid_is_good_for_one_order_a_day() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, buy("a1", "100", "50.00"));
    let again = only(reports(&desk.place(ALICE, buy("a1", "200", "51.00")), ALICE));
    // The rejection carries the numbers of the order that has the name (matrix F.1.b).
    assert_eq!((again.exec_type, again.ord_status), (ExecType::Rejected, OrdStatus::New));
    assert_eq!(again.reject_reason, Some(OrdRejReason::DuplicateOrder));
    assert_eq!((again.order_qty, again.price), (Some(number("100")), Some(number("50.00"))));
    let other = desk.place(BOB, buy("a1", "100", "50.00"));
    assert_eq!(shorts(&other, BOB), ["a1 0/0 0/100"], "each session has its own names");
    let bad = desk.place(ALICE, buy("bad", "105", "50.00"));
    assert_eq!(only(reports(&bad, ALICE)).reject_reason, Some(OrdRejReason::IncorrectQuantity));
    let reused = only(reports(&desk.place(ALICE, buy("bad", "100", "50.00")), ALICE));
    assert_eq!(reused.reject_reason, Some(OrdRejReason::DuplicateOrder));
    assert_eq!((reused.order_id, reused.ord_status), (0, OrdStatus::Rejected));
}

#[test]
fn a_possible_resend_is_answered_by_the_orders_status_if_it_was_received() {
    let mut desk = Desk::logged_on();
    let order = buy("a1", "100", "50.00");
    let first = only(reports(&desk.resend(ALICE, Request::NewOrder(order)), ALICE));
    assert_eq!(first.exec_type, ExecType::New, "not received before: a new order");
    let second = only(reports(&desk.resend(ALICE, Request::NewOrder(order)), ALICE));
    assert_eq!((second.exec_type, second.ord_status), (ExecType::OrderStatus, OrdStatus::New));
    assert_eq!(second.order_id, first.order_id);
    assert_eq!(desk.levels(engine::Side::Buy), ["50.00x100(1)"]);
    desk.cancel(ALICE, "c1", "a1", Side::Buy);
    let cancel = CancelOrder {
        cl_ord_id: text("c1"),
        orig_cl_ord_id: text("a1"),
        order_id: None,
        symbol: text("ACME"),
        side: Side::Buy,
    };
    let repeated = only(reports(&desk.resend(ALICE, Request::Cancel(cancel)), ALICE));
    assert_eq!((repeated.exec_type, repeated.ord_status), (ExecType::OrderStatus, OrdStatus::Canceled));
}

#[test]
fn the_status_of_an_unknown_order_is_rejected() {
    let mut desk = Desk::logged_on();
    let report = desk.status(ALICE, "nothing");
    assert_eq!((report.exec_type, report.ord_status), (ExecType::OrderStatus, OrdStatus::Rejected));
    assert_eq!(report.reject_reason, Some(OrdRejReason::UnknownOrder));
    assert_eq!(report.status_request_id, text("Q"));
}

#[test]
fn a_halted_instrument_takes_cancels_only() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, buy("a1", "100", "50.00"));
    desk.submit(Command::SetTradingStatus { symbol: text("ACME"), status: TradingStatus::Halted });
    let refused = only(reports(&desk.place(ALICE, buy("a2", "100", "50.00")), ALICE));
    assert_eq!(refused.reject_reason, Some(OrdRejReason::ExchangeClosed));
    let kept = only(cancel_rejects(&desk.replace(ALICE, "a1", buy("a3", "50", "50.00")), ALICE));
    assert_eq!(kept.reason, CxlRejReason::Exchange);
    let canceled = only(reports(&desk.cancel(ALICE, "c1", "a1", Side::Buy), ALICE));
    assert_eq!(canceled.ord_status, OrdStatus::Canceled);
    desk.submit(Command::SetTradingStatus { symbol: text("ACME"), status: TradingStatus::Open });
    assert_eq!(shorts(&desk.place(ALICE, buy("a4", "100", "50.00")), ALICE), ["a4 0/0 0/100"]);
}

#[test]
fn self_trade_prevention_cancels_the_resting_order() {
    let mut desk = Desk::logged_on();
    let rule = decalog_exchange::command::SelfTrade::CancelResting;
    desk.submit(Command::InstallInstrument(decalog_exchange::command::Instrument {
        self_trade: rule,
        ..instrument("ACME")
    }));
    desk.place(ALICE, sell("s1", "50", "100.00"));
    desk.place(BOB, sell("s2", "50", "100.00"));
    // BOTH trades for ALICE's account too.
    let events = desk.place(BOTH, buy("b1", "50", "100.00"));
    assert_eq!(shorts(&events, ALICE), ["s1 4/4 0/0"]);
    assert_eq!(shorts(&events, BOTH), ["b1 0/0 0/50", "b1 50@100.00 F/2 50/0"]);
    assert_eq!(shorts(&events, BOB), ["s2 50@100.00 F/2 50/0"]);
}

#[test]
fn reports_go_to_the_session_that_placed_the_order() {
    let mut desk = Desk::logged_on();
    desk.place(BOTH, NewOrder { account: text("BOB"), ..sell("s1", "50", "100.00") });
    let events = desk.place(ALICE, buy("b1", "50", "100.00"));
    let report = only(reports(&events, BOTH));
    assert_eq!(report.account, text("BOB"));
    assert!(reports(&events, BOB).is_empty(), "the account's other session hears nothing");
}

#[test]
fn a_book_strewn_over_too_many_prices_takes_no_new_price_until_one_is_free() {
    const STEP: i64 = 64;
    let mut desk = Desk::logged_on();
    let wide =
        Instrument { price_scale: 0, tick_size: 1, price_low: 0, price_high: 1 << 30, ..instrument("WIDE") };
    desk.submit(Command::InstallInstrument(wide));
    let at = |id: &str, price: i64| NewOrder {
        symbol: text("WIDE"),
        price: Some(Decimal::new(price, 0)),
        ..sell(id, "10", "1")
    };
    let limit = i64::from(engine::MAX_PAGES);
    for page in 1..=limit {
        let events = desk.place(ALICE, at(&format!("s{page}"), page * STEP));
        assert_eq!(only(reports(&events, ALICE)).ord_status, OrdStatus::New, "page {page} of {limit}");
    }
    let refused = only(reports(&desk.place(ALICE, at("over", (limit + 1) * STEP)), ALICE));
    assert_eq!(refused.reject_reason, Some(OrdRejReason::Exchange), "{refused:?}");
    let joins = only(reports(&desk.place(ALICE, at("joins", limit * STEP)), ALICE));
    assert_eq!(joins.ord_status, OrdStatus::New, "a price that is there costs nothing");
    let lift = NewOrder { side: Side::Buy, ..at("lift", STEP) };
    assert_eq!(shorts(&desk.place(BOB, lift), BOB), ["lift 0/0 0/10", "lift 10@64 F/2 10/0"], "it trades on");
    let freed = only(reports(&desk.place(ALICE, at("again", (limit + 1) * STEP)), ALICE));
    assert_eq!(freed.ord_status, OrdStatus::New);
}
