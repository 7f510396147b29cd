//! <https://docs.rs/matchcore>: commands in, outcomes out; it names orders by the sequence number of their command.
//!
//! Its amend to a price that crosses trades without a limit (`match_order` gets none), so such a replace is a cancel and a new order
//! here; all others are amends.

use matchcore::{
    AmendCmd, AmendPatch, CancelCmd, Command, CommandKind, CommandMeta, CommandOutcome, CommandReport, LimitOrder,
    LimitOrderPatch, NewOrder, OrderBook, OrderFlags, OrderId, OrderKind, Price, Quantity, QuantityPolicy,
    SequenceNumber, Side, SubmitCmd, TimeInForce, Timestamp,
};

use super::Engine;
use crate::flow::Message;
use crate::ring::{Kind, Ring};

#[derive(Debug)]
pub(crate) struct Matchcore {
    book: OrderBook,
    sequence: u64,
    ids: Vec<OrderId>,
    sides: Vec<Side>,
}

fn standard(quantity: u64) -> QuantityPolicy {
    QuantityPolicy::Standard { quantity: Quantity(quantity) }
}

impl Engine for Matchcore {
    const NAME: &str = "matchcore 0.4";

    fn new(orders: u32) -> Self {
        Self { book: OrderBook::new("TEST"), sequence: 0, ids: vec![OrderId(0); orders as usize], sides: vec![Side::Buy; orders as usize] }
    }

    #[inline]
    fn handle(&mut self, message: &Message, ring: &mut Ring) {
        match *message {
            Message::New { order, buy, price, quantity, ioc } => {
                self.sides[order as usize] = if buy { Side::Buy } else { Side::Sell };
                self.submit(order, price, quantity, if ioc { TimeInForce::Ioc } else { TimeInForce::Gtc }, ring);
            }
            Message::Cancel { order } => self.cancel(order, ring),
            Message::Replace { order, price, quantity } => {
                if self.book.has_crossable_order(self.sides[order as usize], Price(price.cast_unsigned())) {
                    self.cancel(order, ring);
                    return self.submit(order, price, quantity, TimeInForce::Gtc, ring);
                }
                let patch = LimitOrderPatch::new()
                    .with_price(Price(price.cast_unsigned()))
                    .with_quantity_policy(standard(quantity));
                let order_id = self.ids[order as usize];
                let amend = AmendCmd { order_id, patch: AmendPatch::Limit(patch) };
                self.execute(CommandKind::Amend(amend), Kind::Replaced, quantity, ring);
            }
        }
    }
}

impl Matchcore {
    fn submit(&mut self, order: u32, price: i64, quantity: u64, time_in_force: TimeInForce, ring: &mut Ring) {
        self.ids[order as usize] = OrderId(self.sequence);
        let flags = OrderFlags::new(self.sides[order as usize], false, time_in_force);
        let order = LimitOrder::new(Price(price.cast_unsigned()), standard(quantity), flags);
        self.execute(CommandKind::Submit(SubmitCmd { order: NewOrder::Limit(order) }), Kind::Rested, quantity, ring);
    }

    fn cancel(&mut self, order: u32, ring: &mut Ring) {
        let order_id = self.ids[order as usize];
        let cancel = CancelCmd { order_id, order_kind: OrderKind::Limit };
        self.execute(CommandKind::Cancel(cancel), Kind::Cancelled, 0, ring);
    }

    fn execute(&mut self, kind: CommandKind, reported: Kind, quantity: u64, ring: &mut Ring) {
        let sequence_number = SequenceNumber(self.sequence);
        let meta = CommandMeta { sequence_number, timestamp: Timestamp(self.sequence) };
        self.sequence += 1;
        let effects = match self.book.execute(&Command { meta, kind }) {
            CommandOutcome::Applied(CommandReport::Submit(effects) | CommandReport::Amend(effects)) => effects,
            CommandOutcome::Applied(CommandReport::Cancel) => {
                return ring.report(reported, [sequence_number.0, quantity, 0, 0, 0]);
            }
            CommandOutcome::Rejected(_) => return ring.refused += 1,
        };
        let target = effects.target_order();
        let taker = target.order_id().0;
        for trade in target.match_result().iter().flat_map(|matched| matched.trades()) {
            ring.trade(trade.maker_order_id().0, taker, trade.price().0, trade.quantity().0, 0);
        }
        let reported = if target.cancel_reason().is_some() { Kind::Cancelled } else { reported };
        ring.report(reported, [taker, quantity, 0, 0, 0]);
    }
}
