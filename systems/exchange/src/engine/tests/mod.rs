//! The engine's tests: known traps one by one, random flows against a slow and obvious book, bounds, snapshots.

mod bounds;
mod directory;
mod flow;
mod policy;
mod random;
mod reference;
mod snapshot;
mod traps;

use super::*;

/// Everything a book reports, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Report {
    Trade(Trade),
    Rested(RestingOrder),
    Replaced(RestingOrder, bool),
    Cancelled(OrderId, Owner, Quantity, CancelReason),
    Level(Side, LevelView),
}

/// (maker, taker, price, quantity) of a trade.
type Fill = (u64, u64, i64, u64);

#[derive(Debug, Default)]
struct Record(Vec<Report>);

impl Reports for Record {
    fn trade(&mut self, trade: &Trade) {
        self.0.push(Report::Trade(*trade));
    }
    fn rested(&mut self, order: &RestingOrder) {
        self.0.push(Report::Rested(*order));
    }
    fn replaced(&mut self, order: &RestingOrder, kept_place: bool) {
        self.0.push(Report::Replaced(*order, kept_place));
    }
    fn cancelled(&mut self, id: OrderId, owner: Owner, left: Quantity, reason: CancelReason) {
        self.0.push(Report::Cancelled(id, owner, left, reason));
    }
    fn level(&mut self, side: Side, level: &LevelView) {
        self.0.push(Report::Level(side, *level));
    }
}

impl Record {
    fn trades(&self) -> Vec<Fill> {
        let trade = |report: &Report| match report {
            Report::Trade(t) => Some((t.maker.0, t.taker.0, t.price.0, t.quantity.0)),
            _ => None,
        };
        self.0.iter().filter_map(trade).collect()
    }
}

/// A day limit order of nobody in particular.
fn limit(id: u64, side: Side, price: i64, quantity: u64) -> NewOrder {
    NewOrder {
        id: OrderId(id),
        owner: Owner(0),
        side,
        kind: Kind::Limit(Price(price)),
        quantity: Quantity(quantity),
        time_in_force: TimeInForce::Day,
    }
}

fn ioc(id: u64, side: Side, price: i64, quantity: u64) -> NewOrder {
    NewOrder { time_in_force: TimeInForce::ImmediateOrCancel, ..limit(id, side, price, quantity) }
}

fn fok(id: u64, side: Side, price: i64, quantity: u64) -> NewOrder {
    NewOrder { time_in_force: TimeInForce::FillOrKill, ..limit(id, side, price, quantity) }
}

fn market(id: u64, side: Side, quantity: u64) -> NewOrder {
    NewOrder { kind: Kind::Market, ..limit(id, side, 0, quantity) }
}

/// A book with these orders resting, in this order.
fn book(orders: &[NewOrder]) -> OrderBook {
    let mut book = OrderBook::new(SelfTrade::Allow);
    for order in orders {
        let outcome = book.submit(order, &mut Discard).expect("a valid order");
        assert_eq!(outcome.resting, order.quantity, "order {} was to rest in full", order.id);
    }
    book
}

/// Submits and answers the outcome as (traded, resting, cancelled) with the trades.
fn submit(book: &mut OrderBook, order: &NewOrder) -> ((u64, u64, u64), Vec<Fill>) {
    let mut record = Record::default();
    let outcome = book.submit(order, &mut record).expect("a valid order");
    (amounts(outcome), record.trades())
}

fn amounts(outcome: Outcome) -> (u64, u64, u64) {
    (outcome.traded.0, outcome.resting.0, outcome.cancelled.0)
}

/// (id, open quantity) of every resting order in priority order.
fn resting(book: &OrderBook) -> Vec<(u64, u64)> {
    book.resting().map(|order| (order.id.0, order.quantity.0)).collect()
}

/// (price, quantity, orders) of a side from the best level on.
fn depth(book: &OrderBook, side: Side) -> Vec<(i64, u64, u32)> {
    book.levels(side).map(|level| (level.price.0, level.quantity.0, level.orders)).collect()
}
