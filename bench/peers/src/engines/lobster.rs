//! <https://docs.rs/lobster>: limit, market and cancel. It knows neither IOC nor replace: an IOC is a limit order whose residue
//! is cancelled, a replace is a cancel and a new order, as its users do it.

use lobster::{FillMetadata, OrderBook, OrderEvent, OrderType, Side};

use super::Engine;
use crate::flow::Message;
use crate::ring::{Kind, Ring};

#[derive(Debug)]
pub(crate) struct Lobster {
    book: OrderBook,
    sides: Vec<Side>,
}

impl Lobster {
    /// Whether the order now rests.
    fn limit(&mut self, id: u128, side: Side, price: i64, qty: u64, ring: &mut Ring) -> bool {
        let price = price.cast_unsigned();
        match self.book.execute(OrderType::Limit { id, side, qty, price }) {
            OrderEvent::Filled { fills, .. } => {
                report_fills(&fills, ring);
                false
            }
            OrderEvent::PartiallyFilled { fills, .. } => {
                report_fills(&fills, ring);
                true
            }
            _ => true,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the flow numbers orders by u32")]
fn report_fills(fills: &[FillMetadata], ring: &mut Ring) {
    for fill in fills {
        ring.trade(fill.order_2 as u64, fill.order_1 as u64, fill.price, fill.qty, 0);
    }
}

impl Engine for Lobster {
    const NAME: &str = "lobster 0.7";

    fn new(orders: u32) -> Self {
        Self { book: OrderBook::new(1 << 20, 10, false), sides: vec![Side::Bid; orders as usize] }
    }

    #[inline]
    fn handle(&mut self, message: &Message, ring: &mut Ring) {
        match *message {
            Message::New { order, buy, price, quantity, ioc } => {
                let side = if buy { Side::Bid } else { Side::Ask };
                self.sides[order as usize] = side;
                let rests = self.limit(u128::from(order), side, price, quantity, ring);
                if ioc && rests {
                    self.book.execute(OrderType::Cancel { id: u128::from(order) });
                    return ring.report(Kind::Cancelled, [u64::from(order), 0, 0, 0, 0]);
                }
                ring.report(Kind::Rested, [u64::from(order), price.cast_unsigned(), quantity, 0, 0]);
            }
            Message::Cancel { order } => {
                self.book.execute(OrderType::Cancel { id: u128::from(order) });
                ring.report(Kind::Cancelled, [u64::from(order), 0, 0, 0, 0]);
            }
            Message::Replace { order, price, quantity } => {
                let id = u128::from(order);
                self.book.execute(OrderType::Cancel { id });
                self.limit(id, self.sides[order as usize], price, quantity, ring);
                ring.report(Kind::Replaced, [u64::from(order), price.cast_unsigned(), quantity, 0, 0]);
            }
        }
    }
}
