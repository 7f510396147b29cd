//! Market data over FIX: a client that applies snapshots and increments always sees the book.

use std::collections::BTreeMap;

use decalog_exchange::command::{MarketDataRequest, Request, SecurityListRequest};
use decalog_exchange::engine;
use decalog_exchange::event::{Event, MarketDataEntry, Message, SecurityList, UpdateAction};
use decalog_exchange::value::{Side, TimeInForce};
use decalog_fix::session::{Body, SessionMessage};

use crate::desk::{ALICE, BOB, BOTH, Desk, buy, market_data_request, messages, number, only, sell, text};

/// What a client makes of the entries it gets: levels by side and price.
#[derive(Default)]
struct Picture {
    levels: BTreeMap<(u8, i64), (i64, u32)>,
    trades: Vec<(i64, i64)>,
}

impl Picture {
    fn take(&mut self, events: &[Event], id: &str) {
        for message in messages(events, BOTH) {
            match message {
                Message::MarketDataSnapshot(it) if it.request_id == text(id) => {
                    self.levels.clear();
                    it.entries.iter().for_each(|entry| self.entry(entry));
                }
                Message::MarketDataIncremental(it) if it.request_id == text(id) => {
                    it.entries.iter().for_each(|entry| self.entry(entry));
                }
                _ => {}
            }
        }
    }

    fn entry(&mut self, entry: &MarketDataEntry) {
        if entry.kind as u8 == b'2' {
            return self.trades.push((entry.price.mantissa, entry.size.mantissa));
        }
        let place = (entry.kind as u8, entry.price.mantissa);
        let level = (entry.size.mantissa, entry.orders);
        match entry.action {
            UpdateAction::New => {
                assert_eq!(self.levels.insert(place, level), None, "New of a level there is: {entry:?}")
            }
            UpdateAction::Change => {
                assert!(
                    self.levels.insert(place, level).is_some(),
                    "Change of a level there is not: {entry:?}"
                );
            }
            UpdateAction::Delete => {
                assert!(self.levels.remove(&place).is_some(), "Delete of a level there is not: {entry:?}");
            }
        }
    }

    /// The levels as `Desk::levels` writes them.
    fn side(&self, kind: u8) -> Vec<String> {
        let levels = self.levels.iter().filter(|((it, _), _)| *it == kind);
        let mut all: Vec<_> = levels
            .map(|((_, price), (size, orders))| {
                format!("{}.{:02}x{size}({orders})", price / 100, price % 100)
            })
            .collect();
        if kind == b'0' {
            all.reverse();
        }
        all
    }
}

fn top(levels: Vec<String>, depth: usize) -> Vec<String> {
    levels.into_iter().take(depth).collect()
}

#[test]
fn pictures_of_every_depth_follow_the_book_through_random_trading() {
    let mut desk = Desk::logged_on();
    let depths = [0_u32, 1, 3];
    let mut pictures: Vec<Picture> = depths.iter().map(|_| Picture::default()).collect();
    for (depth, picture) in depths.iter().zip(&mut pictures) {
        let id = format!("md-{depth}");
        picture.take(&desk.subscribe(BOTH, &id, b'1', *depth), &id);
    }
    let mut random = fastrand::Rng::with_seed(4);
    let mut live: Vec<(String, Side)> = Vec::new();
    for number in 0..3_000 {
        let id = format!("o{number}");
        let side = if random.bool() { Side::Buy } else { Side::Sell };
        let price = format!("{}.{:02}", random.u32(98..=102), random.u32(0..4) * 5);
        let quantity = format!("{}", random.u32(1..=9) * 10);
        let mut order = crate::desk::order(&id, side, &quantity, &price);
        if random.u8(0..10) == 0 {
            order.time_in_force = TimeInForce::ImmediateOrCancel;
        }
        let events = match random.u8(0..10) {
            0..6 => {
                live.push((id, side));
                desk.place(if random.bool() { ALICE } else { BOTH }, order)
            }
            choice if !live.is_empty() => {
                let (orig, side) = live.swap_remove(random.usize(..live.len()));
                let session = if desk.status(ALICE, &orig).order_id == 0 { BOTH } else { ALICE };
                if choice < 8 {
                    desk.cancel(session, &id, &orig, side)
                } else {
                    live.push((id, side));
                    desk.replace(
                        session,
                        &orig,
                        decalog_exchange::command::NewOrder {
                            side,
                            time_in_force: TimeInForce::Day,
                            ..order
                        },
                    )
                }
            }
            _ => continue,
        };
        for (depth, picture) in depths.iter().zip(&mut pictures) {
            picture.take(&events, &format!("md-{depth}"));
            let depth = if *depth == 0 { usize::MAX } else { *depth as usize };
            assert_eq!(
                picture.side(b'0'),
                top(desk.levels(engine::Side::Buy), depth),
                "depth {depth}, order {number}"
            );
            assert_eq!(
                picture.side(b'1'),
                top(desk.levels(engine::Side::Sell), depth),
                "depth {depth}, order {number}"
            );
        }
    }
    assert!(pictures[0].trades.len() > 500, "{} trades", pictures[0].trades.len());
    assert_eq!(pictures[0].trades, pictures[1].trades);
}

#[test]
fn a_snapshot_shows_what_was_asked_for_once() {
    let mut desk = Desk::logged_on();
    desk.place(ALICE, sell("s1", "50", "100.00"));
    desk.place(BOB, buy("b1", "20", "100.00"));
    desk.place(BOB, buy("b2", "20", "99.00"));
    let request = MarketDataRequest { entry_types: b"02".to_vec(), ..market_data_request("once", b'0', 0) };
    let events = desk.fix(BOTH, Body::Application(Request::MarketData(request)));
    let Message::MarketDataSnapshot(snapshot) = only(messages(&events, BOTH)) else { panic!("{events:?}") };
    let seen: Vec<_> = snapshot.entries.iter().map(|it| (it.kind as u8, it.price, it.size)).collect();
    assert_eq!(seen, [(b'0', number("99.00"), number("20")), (b'2', number("100.00"), number("20"))]);
    assert!(
        messages(&desk.place(BOB, buy("b3", "20", "98.00")), BOTH).is_empty(),
        "no updates were asked for"
    );
}

#[test]
fn a_subscription_ends_by_request_and_with_its_connection() {
    let mut desk = Desk::logged_on();
    desk.subscribe(BOTH, "md", b'1', 0);
    assert_eq!(messages(&desk.place(ALICE, buy("a1", "10", "50.00")), BOTH).len(), 1);
    assert!(messages(&desk.subscribe(BOTH, "md", b'2', 0), BOTH).is_empty());
    assert!(messages(&desk.place(ALICE, buy("a2", "10", "50.00")), BOTH).is_empty());
    let again = desk.subscribe(BOTH, "md", b'2', 0);
    let reject = only(messages(&again, BOTH));
    assert!(matches!(reject, Message::Session(SessionMessage::BusinessReject { .. })), "{reject:?}");
    desk.subscribe(BOTH, "md", b'1', 0);
    desk.disconnect(BOTH);
    assert!(messages(&desk.place(ALICE, buy("a3", "10", "50.00")), BOTH).is_empty());
    desk.log_on(BOTH, 0);
    assert!(
        messages(&desk.place(ALICE, buy("a4", "10", "50.00")), BOTH).is_empty(),
        "the new one begins without"
    );
}

#[test]
fn requests_that_cannot_be_served_are_rejected_with_their_reason() {
    let mut desk = Desk::logged_on();
    desk.subscribe(BOTH, "taken", b'1', 0);
    let good = market_data_request("md", b'1', 0);
    let cases = [
        (b'0', MarketDataRequest { symbols: vec![text("NONE")], ..good.clone() }),
        (b'1', MarketDataRequest { request_id: text("taken"), ..good.clone() }),
        (b'4', MarketDataRequest { subscription: b'9', ..good.clone() }),
        (b'5', MarketDataRequest { depth: 101, ..good.clone() }),
        (b'6', MarketDataRequest { update_type: Some(b'0'), ..good.clone() }),
        (b'6', MarketDataRequest { update_type: None, ..good.clone() }),
        (b'7', MarketDataRequest { aggregated: false, ..good.clone() }),
        (b'8', MarketDataRequest { entry_types: b"3".to_vec(), ..good.clone() }),
        (b'8', MarketDataRequest { entry_types: Vec::new(), ..good }),
    ];
    for (reason, request) in cases {
        let events = desk.fix(BOTH, Body::Application(Request::MarketData(request)));
        let Message::MarketDataReject(reject) = only(messages(&events, BOTH)) else { panic!("{events:?}") };
        assert_eq!(reject.reason as char, reason as char, "{reject:?}");
    }
}

#[test]
fn a_session_follows_so_many_instruments_and_no_more() {
    let mut desk = Desk::logged_on();
    for number in 0..1_024 {
        let events = desk.subscribe(BOTH, &format!("md-{number}"), b'1', 1);
        assert!(matches!(only(messages(&events, BOTH)), Message::MarketDataSnapshot(_)));
    }
    let Message::MarketDataReject(reject) = only(messages(&desk.subscribe(BOTH, "more", b'1', 1), BOTH))
    else {
        panic!("no reject")
    };
    assert_eq!(reject.reason, b'2');
}

#[test]
fn a_full_book_too_deep_for_one_message_is_refused() {
    let mut desk = Desk::logged_on();
    for number in 0..2_001_u32 {
        let cents = 2_000 + number * 5;
        desk.place(ALICE, buy(&format!("a{number}"), "10", &format!("{}.{:02}", cents / 100, cents % 100)));
    }
    let Message::MarketDataReject(reject) = only(messages(&desk.subscribe(BOTH, "md", b'1', 0), BOTH)) else {
        panic!("no reject")
    };
    assert_eq!(reject.reason, b'5');
    let events = desk.subscribe(BOTH, "md", b'1', 100);
    let Message::MarketDataSnapshot(snapshot) = only(messages(&events, BOTH)) else { panic!("no snapshot") };
    assert_eq!(snapshot.entries.len(), 100);
}

fn list(desk: &mut Desk, kind: u32, symbol: &str) -> Vec<SecurityList> {
    let request = SecurityListRequest { request_id: text("list"), kind, symbol: text(symbol) };
    let events = desk.fix(ALICE, Body::Application(Request::SecurityList(request)));
    let of = |message| match message {
        Message::SecurityList(list) => list,
        other => panic!("{other:?}"),
    };
    messages(&events, ALICE).into_iter().map(of).collect()
}

#[test]
fn the_security_list_names_every_instrument_in_bounded_messages() {
    let mut desk = Desk::logged_on();
    let all = only(list(&mut desk, 4, ""));
    assert_eq!((all.result, all.total, all.last_fragment, all.instruments.len()), (0, 2, true, 2));
    let one = only(list(&mut desk, 0, "ZINC"));
    assert_eq!((one.result, one.instruments[0].symbol), (0, text("ZINC")));
    assert_eq!(only(list(&mut desk, 0, "NONE")).result, 2);
    assert_eq!(only(list(&mut desk, 3, "")).result, 1);
    for number in 0..250 {
        let instrument = crate::desk::instrument(&format!("I{number}"));
        desk.submit(decalog_exchange::command::Command::InstallInstrument(instrument));
    }
    let parts = list(&mut desk, 4, "");
    let sizes: Vec<_> = parts.iter().map(|it| (it.instruments.len(), it.last_fragment)).collect();
    assert_eq!(sizes, [(100, false), (100, false), (52, true)]);
}
