//! What the operations of the order book cost on one core, in a book of 100,000 orders. `bench/peers` measures whole flows.
//!
//! `cargo bench -p decalog-exchange --bench engine`

#[path = "flow/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the engine's tests and its peers")]
mod flow;

use std::hint::black_box;
use std::time::{Duration, Instant};

use decalog_exchange::engine::{
    Discard, Kind, NewOrder, OrderBook, OrderId, Owner, Price, Quantity, RestingOrder, SelfTrade, Side,
    TimeInForce,
};
use flow::Message;

/// Orders in the book while its operations are timed.
const RESTING: u64 = 100_000;
/// Orders in the snapshot.
const SNAPSHOT: u64 = 1_000_000;

fn main() {
    operations();
    snapshot();
    flows();
}

fn row(what: &str, count: usize, elapsed: Duration) {
    println!("{what:<44} {:>9.1} ns", elapsed.as_secs_f64() * 1e9 / count as f64);
}

fn order(id: u64, side: Side, price: i64, quantity: u64) -> NewOrder {
    NewOrder {
        id: OrderId(id),
        owner: Owner(1),
        side,
        kind: Kind::Limit(Price(price)),
        quantity: Quantity(quantity),
        time_in_force: TimeInForce::GoodTillCancel,
    }
}

/// Bids below 100,000 and asks above it, spread over 1,000 ticks each.
fn filled(orders: u64) -> OrderBook {
    let mut random = fastrand::Rng::with_seed(1);
    let mut book = OrderBook::new(SelfTrade::Allow);
    for id in 0..orders {
        let distance = random.i64(1..=1000);
        let (side, price) =
            if id % 2 == 0 { (Side::Buy, 100_000 - distance) } else { (Side::Sell, 100_000 + distance) };
        book.submit(&order(id, side, price, 10), &mut Discard).expect("a valid order");
    }
    book
}

fn operations() {
    let mut book = filled(RESTING);
    let mut random = fastrand::Rng::with_seed(2);
    let mut ids: Vec<u64> = (0..RESTING).collect();
    random.shuffle(&mut ids);
    let half = &ids[..ids.len() / 2];

    let start = Instant::now();
    for &id in half {
        let old = book.get(OrderId(id)).expect("it rests");
        black_box(book.replace(old.id, old.price, Quantity(5), &mut Discard)).expect("a valid replace");
    }
    row("look up, then replace with less", half.len(), start.elapsed());

    let start = Instant::now();
    for &id in half {
        black_box(book.cancel(OrderId(id), &mut Discard)).expect("it rests");
    }
    row("cancel any order", half.len(), start.elapsed());

    let start = Instant::now();
    for &id in half {
        let price = 100_000 - random.i64(1..=1000);
        black_box(book.submit(&order(id, Side::Buy, price, 10), &mut Discard)).expect("a valid order");
    }
    row("limit order that rests", half.len(), start.elapsed());

    let makers = book.levels(Side::Buy).map(|level| level.orders as usize).sum();
    let start = Instant::now();
    let everything = NewOrder { kind: Kind::Market, ..order(u64::MAX, Side::Sell, 0, Quantity::MAX.0) };
    black_box(book.submit(&everything, &mut Discard)).expect("a valid order");
    row("trade, within one sweep of the whole side", makers, start.elapsed());
}

fn snapshot() {
    let book = filled(SNAPSHOT);
    let start = Instant::now();
    let orders: Vec<RestingOrder> = book.resting().collect();
    row("read an order for a snapshot, of a million", orders.len(), start.elapsed());
    let start = Instant::now();
    let mut copy = OrderBook::new(SelfTrade::Allow);
    for order in &orders {
        copy.restore(order).expect("a resting order");
    }
    row("restore an order, of a million", orders.len(), start.elapsed());
    assert_eq!(copy.digest(), book.digest());
}

fn flows() {
    for flow in flow::all(300_000, 1) {
        let mut book = OrderBook::new(SelfTrade::Allow);
        replay(&mut book, &flow.warm_up);
        let start = Instant::now();
        replay(&mut book, &flow.messages);
        let trades = flow.census.trades;
        row(
            &format!("message of the {} flow ({trades} trades)", flow.name),
            flow.messages.len(),
            start.elapsed(),
        );
    }
}

fn replay(book: &mut OrderBook, messages: &[Message]) {
    for message in messages {
        let done = match *message {
            Message::New { order: id, buy, price, quantity, ioc } => {
                let side = if buy { Side::Buy } else { Side::Sell };
                let mut order = order(u64::from(id), side, price, quantity);
                if ioc {
                    order.time_in_force = TimeInForce::ImmediateOrCancel;
                }
                book.submit(&order, &mut Discard).is_ok()
            }
            Message::Cancel { order } => book.cancel(OrderId(u64::from(order)), &mut Discard).is_ok(),
            Message::Replace { order, price, quantity } => {
                let id = OrderId(u64::from(order));
                book.replace(id, Price(price), Quantity(quantity), &mut Discard).is_ok()
            }
        };
        assert!(done, "refused: {message:?}");
    }
}
