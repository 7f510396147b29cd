//! Self-trade prevention.

use super::*;
use Side::{Buy, Sell};

fn owned(owner: u32, order: NewOrder) -> NewOrder {
    NewOrder { owner: Owner(owner), ..order }
}

fn book(policy: SelfTrade) -> OrderBook {
    let mut book = OrderBook::new(policy);
    let orders = [
        owned(1, limit(1, Sell, 100, 2)),
        owned(2, limit(2, Sell, 100, 2)),
        owned(1, limit(3, Sell, 101, 2)),
    ];
    for order in orders {
        book.submit(&order, &mut Discard).expect("valid");
    }
    book
}

#[test]
fn allowed_unless_asked_for() {
    let mut book = book(SelfTrade::default());
    let (outcome, trades) = submit(&mut book, &owned(1, limit(9, Buy, 101, 5)));
    assert_eq!((outcome, trades.len()), ((5, 0, 0), 3));
}

#[test]
fn cancel_resting_takes_own_orders_out_and_goes_on() {
    let mut book = book(SelfTrade::CancelResting);
    let (outcome, trades) = submit(&mut book, &owned(1, limit(9, Buy, 101, 5)));
    assert_eq!((outcome, trades), ((2, 3, 0), vec![(2, 9, 100, 2)]));
    assert_eq!(resting(&book), [(9, 3)]);
}

#[test]
fn cancel_newest_stops_at_an_own_order() {
    let mut book = book(SelfTrade::CancelNewest);
    assert_eq!(submit(&mut book, &owned(1, limit(9, Buy, 101, 5))), ((0, 0, 5), vec![]));
    assert_eq!(submit(&mut book, &owned(2, limit(9, Buy, 101, 5))), ((2, 0, 3), vec![(1, 9, 100, 2)]));
    assert_eq!(resting(&book), [(2, 2), (3, 2)]);
}

#[test]
fn nobody_in_particular_trades_with_nobody_in_particular() {
    let mut book = OrderBook::new(SelfTrade::CancelNewest);
    submit(&mut book, &limit(1, Sell, 100, 2));
    assert_eq!(submit(&mut book, &limit(2, Buy, 100, 2)).0, (2, 0, 0));
}

#[test]
fn a_fok_does_not_count_own_orders() {
    for policy in [SelfTrade::CancelResting, SelfTrade::CancelNewest] {
        let mut book = book(policy);
        let before = book.digest();
        assert_eq!(submit(&mut book, &owned(1, fok(9, Buy, 101, 3))).0, (0, 0, 3), "{policy:?}");
        assert_eq!(book.digest(), before, "a killed order changes nothing under {policy:?}");
    }
    let mut book = book(SelfTrade::CancelResting);
    assert_eq!(submit(&mut book, &owned(1, fok(9, Buy, 101, 2))).0, (2, 0, 0));
}
