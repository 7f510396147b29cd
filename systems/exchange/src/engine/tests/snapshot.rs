//! A book restored from its resting orders is the same book: same digest, same answers from then on.

use super::*;
use Side::{Buy, Sell};

fn restored(book: &OrderBook) -> OrderBook {
    let mut copy = OrderBook::new(SelfTrade::Allow);
    for order in book.resting() {
        copy.restore(&order).expect("a resting order");
    }
    copy
}

/// A long flow with replaces, so that neither ids nor slots stand in priority order.
fn shuffle(book: &mut OrderBook, random: &mut fastrand::Rng, record: &mut Record, steps: u32) {
    for _ in 0..steps {
        let id = random.u64(0..500);
        let side = if random.bool() { Buy } else { Sell };
        let price = Price(random.i64(900..1100));
        let quantity = Quantity(random.u64(1..50));
        match random.u8(0..4) {
            0 | 1 => _ = book.submit(&limit(id, side, price.0, quantity.0), record),
            2 => _ = book.replace(OrderId(id), price, quantity, record),
            _ => _ = book.cancel(OrderId(id), record),
        }
    }
}

#[test]
fn a_restored_book_goes_on_as_the_original() {
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut original = OrderBook::new(SelfTrade::Allow);
        shuffle(&mut original, &mut random, &mut Record::default(), 3_000);
        let mut copy = restored(&original);
        assert_eq!(copy.digest(), original.digest());
        assert!(copy.resting().eq(original.resting()));
        let (mut of_original, mut of_copy) = (Record::default(), Record::default());
        shuffle(&mut original, &mut random.clone(), &mut of_original, 3_000);
        shuffle(&mut copy, &mut random, &mut of_copy, 3_000);
        assert_eq!(of_original.0, of_copy.0, "seed {seed}");
        assert_eq!(copy.digest(), original.digest(), "seed {seed}");
    }
}

#[test]
fn the_digest_tells_books_apart() {
    let base = [limit(1, Buy, 100, 5), limit(2, Buy, 100, 5), limit(3, Sell, 200, 5)];
    let digest = |change: fn(&mut [NewOrder; 3])| {
        let mut orders = base;
        change(&mut orders);
        book(&orders).digest()
    };
    let same = digest(|_| {});
    let others = [
        digest(|orders| orders.swap(0, 1)),
        digest(|orders| orders[0].quantity.0 = 6),
        digest(|orders| orders[0].kind = Kind::Limit(Price(101))),
        digest(|orders| orders[0].id.0 = 9),
        digest(|orders| orders[0].owner.0 = 1),
        digest(|orders| orders[2].side = Buy),
    ];
    assert!(!others.contains(&same), "{others:x?}");
    assert_eq!(same, digest(|orders| orders.swap(1, 2)), "sides are independent");
    assert_eq!(OrderBook::new(SelfTrade::Allow).digest(), 0);
}

#[test]
fn an_emptied_book_has_the_digest_of_an_empty_one() {
    let mut book = book(&[limit(1, Buy, 100, 5), limit(2, Buy, 100, 5), limit(3, Sell, 200, 5)]);
    submit(&mut book, &market(4, Sell, 7));
    for id in [2, 3] {
        book.cancel(OrderId(id), &mut Discard).expect("it rests");
    }
    assert_eq!(book.digest(), 0);
}

#[test]
fn a_crossed_or_repeated_snapshot_is_refused() {
    let mut book = book(&[limit(1, Buy, 100, 5)]);
    let bid = book.get(OrderId(1)).expect("it rests");
    assert_eq!(book.restore(&bid), Err(Refusal::DuplicateOrder));
    let ask = RestingOrder { id: OrderId(2), side: Sell, ..bid };
    assert_eq!(book.restore(&ask), Err(Refusal::Crossed));
    assert_eq!(book.restore(&RestingOrder { quantity: Quantity(0), ..ask }), Err(Refusal::ZeroQuantity));
    assert_eq!(book.restore(&RestingOrder { price: Price(101), ..ask }), Ok(()));
}
