//! Mistakes that real engines have made, one test each.

use super::*;
use Side::{Buy, Sell};

#[test]
fn a_trade_is_at_the_makers_price() {
    let mut book = book(&[limit(1, Sell, 100, 5), limit(2, Sell, 101, 5)]);
    let (outcome, trades) = submit(&mut book, &limit(3, Buy, 110, 8));
    assert_eq!(outcome, (8, 0, 0));
    assert_eq!(trades, [(1, 3, 100, 5), (2, 3, 101, 3)]);
}

#[test]
fn a_replace_that_crosses_trades_and_does_not_rest_crossed() {
    let mut book = book(&[limit(1, Buy, 90, 5), limit(2, Sell, 100, 3)]);
    let mut record = Record::default();
    let outcome = book.replace(OrderId(1), Price(105), Quantity(5), &mut record).expect("valid");
    assert_eq!(amounts(outcome), (3, 2, 0));
    assert_eq!(record.trades(), [(2, 1, 100, 3)]);
    assert_eq!(depth(&book, Buy), [(105, 2, 1)]);
    assert_eq!(depth(&book, Sell), []);
}

#[test]
fn a_cancel_of_the_best_order_leaves_no_phantom_level() {
    let mut book = book(&[limit(1, Buy, 100, 5), limit(2, Buy, 99, 5)]);
    let mut record = Record::default();
    book.cancel(OrderId(1), &mut record).expect("it rests");
    assert_eq!(book.best(Buy).map(|level| level.price), Some(Price(99)));
    assert_eq!(book.level(Buy, Price(100)), None);
    let gone = LevelView { price: Price(100), quantity: Quantity(0), orders: 0 };
    assert_eq!(record.0.last(), Some(&Report::Level(Buy, gone)));
    let (outcome, trades) = submit(&mut book, &ioc(3, Sell, 100, 5));
    assert_eq!((outcome, trades), ((0, 0, 5), vec![]));
}

#[test]
fn the_residue_of_an_ioc_or_market_order_never_rests() {
    let mut book = book(&[limit(1, Sell, 100, 3)]);
    assert_eq!(submit(&mut book, &ioc(2, Buy, 100, 5)).0, (3, 0, 2));
    assert_eq!(submit(&mut book, &market(3, Buy, 5)).0, (0, 0, 5));
    assert!(book.is_empty());
    assert_eq!(book.cancel(OrderId(2), &mut Discard), Err(Refusal::UnknownOrder));
}

#[test]
fn a_fok_counts_every_maker_within_its_limit() {
    let orders =
        [limit(1, Sell, 100, 2), limit(2, Sell, 100, 2), limit(3, Sell, 101, 2), limit(4, Sell, 102, 9)];
    let mut book = book(&orders);
    assert_eq!(
        submit(&mut book, &fok(5, Buy, 101, 7)),
        ((0, 0, 7), vec![]),
        "one lot short within the limit"
    );
    assert_eq!(book.len(), 4);
    let (outcome, trades) = submit(&mut book, &fok(6, Buy, 101, 6));
    assert_eq!(outcome, (6, 0, 0));
    assert_eq!(trades, [(1, 6, 100, 2), (2, 6, 100, 2), (3, 6, 101, 2)]);
}

#[test]
fn an_id_is_dead_after_the_full_fill_and_may_return() {
    let mut book = book(&[limit(1, Sell, 100, 3)]);
    submit(&mut book, &limit(2, Buy, 100, 3));
    for id in [1, 2] {
        assert_eq!(book.get(OrderId(id)), None);
        assert_eq!(book.cancel(OrderId(id), &mut Discard), Err(Refusal::UnknownOrder));
        let replaced = book.replace(OrderId(id), Price(100), Quantity(1), &mut Discard);
        assert_eq!(replaced, Err(Refusal::UnknownOrder));
    }
    assert_eq!(submit(&mut book, &limit(1, Sell, 100, 3)).0, (0, 3, 0));
}

#[test]
fn a_partial_fill_keeps_its_place() {
    let mut book = book(&[limit(1, Sell, 100, 5), limit(2, Sell, 100, 5)]);
    submit(&mut book, &limit(3, Buy, 100, 2));
    assert_eq!(resting(&book), [(1, 3), (2, 5)]);
    assert_eq!(submit(&mut book, &limit(4, Buy, 100, 4)).1, [(1, 4, 100, 3), (2, 4, 100, 1)]);
}

#[test]
fn no_trade_is_of_zero_quantity() {
    let mut book = book(&[limit(1, Sell, 100, 5), limit(2, Sell, 100, 5)]);
    // Ends exactly at a maker's end: the next maker must not trade nothing.
    assert_eq!(submit(&mut book, &limit(3, Buy, 100, 5)).1, [(1, 3, 100, 5)]);
    let mut record = Record::default();
    assert_eq!(book.submit(&limit(4, Buy, 100, 0), &mut record), Err(Refusal::ZeroQuantity));
    assert_eq!(book.replace(OrderId(2), Price(100), Quantity(0), &mut record), Err(Refusal::ZeroQuantity));
    assert_eq!(record.0, []);
    assert_eq!(resting(&book), [(2, 5)]);
}

#[test]
fn a_live_id_is_not_taken_twice() {
    let mut book = book(&[limit(1, Buy, 100, 5)]);
    let mut record = Record::default();
    for order in [limit(1, Buy, 101, 1), limit(1, Sell, 100, 1), ioc(1, Sell, 100, 1), market(1, Sell, 1)] {
        assert_eq!(book.submit(&order, &mut record), Err(Refusal::DuplicateOrder));
    }
    assert_eq!((record.0, resting(&book)), (vec![], vec![(1, 5)]));
}

#[test]
fn a_smaller_quantity_keeps_the_place() {
    let mut book = book(&[limit(1, Buy, 100, 5), limit(2, Buy, 100, 5)]);
    book.replace(OrderId(1), Price(100), Quantity(2), &mut Discard).expect("valid");
    assert_eq!(resting(&book), [(1, 2), (2, 5)]);
    assert_eq!(depth(&book, Buy), [(100, 7, 2)]);
}

#[test]
fn a_larger_quantity_or_another_price_loses_the_place() {
    let mut book = book(&[limit(1, Buy, 100, 5), limit(2, Buy, 100, 5), limit(3, Buy, 99, 1)]);
    book.replace(OrderId(1), Price(100), Quantity(6), &mut Discard).expect("valid");
    assert_eq!(resting(&book), [(2, 5), (1, 6), (3, 1)]);
    book.replace(OrderId(2), Price(99), Quantity(5), &mut Discard).expect("valid");
    assert_eq!(resting(&book), [(1, 6), (3, 1), (2, 5)]);
    book.replace(OrderId(2), Price(100), Quantity(5), &mut Discard).expect("valid");
    assert_eq!(resting(&book), [(1, 6), (2, 5), (3, 1)], "coming back does not restore the place");
}

#[test]
fn an_order_in_the_middle_can_leave() {
    let mut book = book(&[limit(1, Sell, 100, 1), limit(2, Sell, 100, 2), limit(3, Sell, 100, 3)]);
    book.cancel(OrderId(2), &mut Discard).expect("it rests");
    assert_eq!(submit(&mut book, &market(4, Buy, 9)).1, [(1, 4, 100, 1), (3, 4, 100, 3)]);
}
