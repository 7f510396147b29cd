//! <https://docs.rs/nanobook>: an exchange that names orders itself; a modify gives a new name. Its history of trades is
//! cleared as its documentation advises; its history of orders is kept, because to clear it scans all orders.
//!
//! Its cancel looks an order up by the place it once had in its level's queue; after trades at that level the place is another
//! order's, so some cancels hit the wrong order and its trades come to differ. The table marks that.

use nanobook::{Exchange, OrderId, Price, Side, TimeInForce, Trade};

use super::Engine;
use crate::flow::Message;
use crate::ring::{Kind, Ring};

#[derive(Debug)]
pub(crate) struct Nanobook {
    exchange: Exchange,
    ids: Vec<OrderId>,
    messages: u32,
}

fn report_trades(trades: &[Trade], ring: &mut Ring) {
    for trade in trades {
        let Trade { aggressor_order_id, passive_order_id, price, quantity, .. } = *trade;
        ring.trade(passive_order_id.0, aggressor_order_id.0, price.0.cast_unsigned(), quantity, 0);
    }
}

impl Engine for Nanobook {
    const NAME: &str = "nanobook 0.19";

    fn new(orders: u32) -> Self {
        Self { exchange: Exchange::new(), ids: vec![OrderId(0); orders as usize], messages: 0 }
    }

    #[inline]
    fn handle(&mut self, message: &Message, ring: &mut Ring) {
        self.messages += 1;
        if self.messages % 4096 == 0 {
            self.exchange.clear_trades();
        }
        match *message {
            Message::New { order, buy, price, quantity, ioc } => {
                let side = if buy { Side::Buy } else { Side::Sell };
                let time_in_force = if ioc { TimeInForce::IOC } else { TimeInForce::GTC };
                let done = self.exchange.submit_limit(side, Price(price), quantity, time_in_force);
                self.ids[order as usize] = done.order_id;
                report_trades(&done.trades, ring);
                let left = [done.order_id.0, price.cast_unsigned(), done.resting_quantity, done.cancelled_quantity, 0];
                ring.report(if done.cancelled_quantity > 0 { Kind::Cancelled } else { Kind::Rested }, left);
            }
            Message::Cancel { order } => {
                let id = self.ids[order as usize];
                let done = self.exchange.cancel(id);
                ring.refused += u64::from(!done.success);
                ring.report(Kind::Cancelled, [id.0, done.cancelled_quantity, 0, 0, 0]);
            }
            Message::Replace { order, price, quantity } => {
                let done = self.exchange.modify(self.ids[order as usize], Price(price), quantity);
                ring.refused += u64::from(!done.success);
                let id = done.new_order_id.unwrap_or(self.ids[order as usize]);
                self.ids[order as usize] = id;
                report_trades(&done.trades, ring);
                ring.report(Kind::Replaced, [id.0, price.cast_unsigned(), quantity, 0, 0]);
            }
        }
    }
}
