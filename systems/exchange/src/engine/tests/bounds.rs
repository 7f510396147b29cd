//! Extremes are refused or served, and never panic.

use super::*;
use Side::{Buy, Sell};

#[test]
fn extreme_numbers_are_refused_without_a_trace() {
    let mut book = book(&[limit(1, Buy, 100, 5)]);
    let before = book.digest();
    let mut record = Record::default();
    for price in [i64::MIN, i64::MAX, Price::MAX.0 + 1, Price::MIN.0 - 1] {
        assert_eq!(book.submit(&limit(2, Sell, price, 1), &mut record), Err(Refusal::PriceOutOfRange));
        let replaced = book.replace(OrderId(1), Price(price), Quantity(1), &mut record);
        assert_eq!(replaced, Err(Refusal::PriceOutOfRange));
        assert_eq!(book.level(Buy, Price(price)), None);
        assert_eq!(book.level(Sell, Price(price)), None);
    }
    for quantity in [u64::MAX, 1 << 63, Quantity::MAX.0 + 1] {
        assert_eq!(book.submit(&limit(2, Buy, 1, quantity), &mut record), Err(Refusal::QuantityTooLarge));
        assert_eq!(book.submit(&market(2, Sell, quantity), &mut record), Err(Refusal::QuantityTooLarge));
        let replaced = book.replace(OrderId(1), Price(1), Quantity(quantity), &mut record);
        assert_eq!(replaced, Err(Refusal::QuantityTooLarge));
    }
    assert_eq!((record.0, book.digest()), (vec![], before));
}

#[test]
fn the_largest_orders_at_the_outermost_prices_trade() {
    let most = Quantity::MAX.0;
    let mut book = book(&[
        limit(u64::MAX, Buy, Price::MIN.0, most),
        limit(0, Buy, Price::MIN.0, most),
        limit(1, Sell, Price::MAX.0, most),
    ]);
    assert_eq!(depth(&book, Buy), [(Price::MIN.0, 2 * most, 2)]);
    let sold = submit(&mut book, &market(2, Sell, most));
    assert_eq!(sold, ((most, 0, 0), vec![(u64::MAX, 2, Price::MIN.0, most)]));
    let bought = submit(&mut book, &limit(3, Buy, Price::MAX.0, most));
    assert_eq!(bought, ((most, 0, 0), vec![(1, 3, Price::MAX.0, most)]));
    assert_eq!(resting(&book), [(0, most)]);
}

#[test]
fn the_sum_of_the_largest_orders_a_book_can_hold_fits() {
    assert!(Quantity::MAX.0.checked_mul(u64::from(MAX_ORDERS)).is_some());
}

#[test]
fn a_full_book_refuses_what_might_rest_and_serves_the_rest() {
    let mut book = book(&[limit(1, Buy, 100, 5), limit(2, Buy, 99, 5)]);
    book.limit(2, 10);
    assert_eq!(book.submit(&limit(3, Buy, 98, 1), &mut Discard), Err(Refusal::BookFull));
    assert_eq!(
        book.restore(&RestingOrder { id: OrderId(4), ..book.get(OrderId(1)).expect("live") }),
        Err(Refusal::BookFull)
    );
    assert_eq!(submit(&mut book, &ioc(3, Sell, 100, 1)).0, (1, 0, 0));
    assert_eq!(book.replace(OrderId(2), Price(98), Quantity(9), &mut Discard).map(amounts), Ok((0, 9, 0)));
    book.cancel(OrderId(1), &mut Discard).expect("it rests");
    assert_eq!(submit(&mut book, &limit(3, Buy, 98, 1)).0, (0, 1, 0));
}

#[test]
fn orders_strewn_over_absurd_prices_are_bounded() {
    let mut book = book(&[limit(1, Buy, 0, 1), limit(2, Buy, -1_000_000_000, 1)]);
    book.limit(10, 2);
    assert_eq!(book.submit(&limit(3, Buy, -5_000_000_000, 1), &mut Discard), Err(Refusal::BookFull));
    let moved = book.replace(OrderId(1), Price(5_000_000_000), Quantity(1), &mut Discard);
    assert_eq!(moved, Err(Refusal::BookFull));
    assert_eq!(submit(&mut book, &limit(3, Buy, 1, 1)).0, (0, 1, 0), "a known page takes more levels");
    book.cancel(OrderId(2), &mut Discard).expect("it rests");
    assert_eq!(
        submit(&mut book, &limit(4, Buy, -5_000_000_000, 1)).0,
        (0, 1, 0),
        "an empty page is free again"
    );
}
