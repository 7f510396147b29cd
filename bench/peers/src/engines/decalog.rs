//! Ours. It writes more than the peers can: level changes with every report.

use decalog_exchange::engine::{
    CancelReason, Kind as OrderKind, LevelView, NewOrder, OrderBook, OrderId, Owner, Price, Quantity, Reports,
    RestingOrder, SelfTrade, Side, TimeInForce, Trade,
};

use super::Engine;
use crate::flow::Message;
use crate::ring::{Kind, Ring};

#[derive(Debug)]
pub(crate) struct Decalog {
    book: OrderBook,
    /// The exchange's ids: milliseconds, unit and counter.
    ids: Vec<OrderId>,
}

impl Reports for Ring {
    #[inline]
    fn trade(&mut self, trade: &Trade) {
        let Trade { maker, taker, price, quantity, maker_left, .. } = *trade;
        Ring::trade(self, maker.0, taker.0, price.0.cast_unsigned(), quantity.0, maker_left.0);
    }

    #[inline]
    fn rested(&mut self, order: &RestingOrder) {
        let RestingOrder { id, side, price, quantity, .. } = *order;
        self.report(Kind::Rested, [id.0, side as u64, price.0.cast_unsigned(), quantity.0, 0]);
    }

    #[inline]
    fn replaced(&mut self, order: &RestingOrder, kept_place: bool) {
        let RestingOrder { id, side, price, quantity, .. } = *order;
        let kept = u64::from(kept_place);
        self.report(Kind::Replaced, [id.0, side as u64, price.0.cast_unsigned(), quantity.0, kept]);
    }

    #[inline]
    fn cancelled(&mut self, id: OrderId, _: Owner, left: Quantity, reason: CancelReason) {
        self.report(Kind::Cancelled, [id.0, left.0, reason as u64, 0, 0]);
    }

    #[inline]
    fn level(&mut self, side: Side, level: &LevelView) {
        let LevelView { price, quantity, orders } = *level;
        self.report(Kind::Level, [side as u64, price.0.cast_unsigned(), quantity.0, u64::from(orders), 0]);
    }
}

impl Engine for Decalog {
    const NAME: &str = "decalog";

    fn new(orders: u32) -> Self {
        let id = |order: u32| OrderId(u64::from(order / 1000) << 22 | 7 << 12 | u64::from(order % 1000));
        Self { book: OrderBook::new(SelfTrade::Allow), ids: (0..orders).map(id).collect() }
    }

    #[inline]
    fn handle(&mut self, message: &Message, ring: &mut Ring) {
        let done = match *message {
            Message::New { order, buy, price, quantity, ioc } => {
                let order = NewOrder {
                    id: self.ids[order as usize],
                    owner: Owner(0),
                    side: if buy { Side::Buy } else { Side::Sell },
                    kind: OrderKind::Limit(Price(price)),
                    quantity: Quantity(quantity),
                    time_in_force: if ioc { TimeInForce::ImmediateOrCancel } else { TimeInForce::GoodTillCancel },
                };
                self.book.submit(&order, ring).is_ok()
            }
            Message::Cancel { order } => self.book.cancel(self.ids[order as usize], ring).is_ok(),
            Message::Replace { order, price, quantity } => {
                self.book.replace(self.ids[order as usize], Price(price), Quantity(quantity), ring).is_ok()
            }
        };
        ring.refused += u64::from(!done);
    }
}
