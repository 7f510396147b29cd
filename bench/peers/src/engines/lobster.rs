//! <https://docs.rs/lobster>: limit, market and cancel. It knows neither IOC nor replace: an IOC is a limit order whose residue
//! is cancelled, a replace is a cancel and a new order, as its users do it.

use lobster::{FillMetadata, OrderBook, OrderEvent, OrderType, Side};

use super::{Engine, Translator};
use crate::flow::Message;
use crate::ring::{Kind, Ring};

#[derive(Debug)]
pub(crate) struct Lobster(OrderBook);

/// An order, and whether a residue is to be cancelled.
#[derive(Debug)]
pub(crate) struct Command(OrderType, bool);

impl Engine for Lobster {
    const NAME: &str = "lobster 0.7";

    type Command = Command;

    fn new() -> Self {
        Self(OrderBook::new(1 << 20, 10, false))
    }

    #[inline]
    fn execute(&mut self, &Command(order, is_immediate): &Command, ring: &mut Ring) {
        let (id, rests) = match self.0.execute(order) {
            OrderEvent::Filled { id, fills, .. } => {
                report_fills(&fills, ring);
                (id, false)
            }
            OrderEvent::PartiallyFilled { id, fills, .. } => {
                report_fills(&fills, ring);
                (id, true)
            }
            OrderEvent::Placed { id } => (id, true),
            OrderEvent::Canceled { id } | OrderEvent::Unfilled { id } => (id, false),
        };
        if rests && is_immediate {
            self.0.execute(OrderType::Cancel { id });
        }
        ring.report(if rests { Kind::Rested } else { Kind::Cancelled }, [low(id), 0, 0, 0, 0]);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the flow numbers orders by u32")]
fn low(id: u128) -> u64 {
    id as u64
}

fn report_fills(fills: &[FillMetadata], ring: &mut Ring) {
    for fill in fills {
        ring.trade(low(fill.order_2), low(fill.order_1), fill.price, fill.qty, 0);
    }
}

/// Remembers sides.
#[derive(Debug)]
pub(crate) struct Translation(Vec<Side>);

impl Translator for Translation {
    type Engine = Lobster;

    fn new(orders: u32) -> Self {
        Self(vec![Side::Bid; orders as usize])
    }

    fn translate(&mut self, message: &Message, commands: &mut Vec<Command>) {
        let limit = |order: u32, side, price: i64, qty, is_immediate| {
            Command(
                OrderType::Limit { id: u128::from(order), side, qty, price: price.cast_unsigned() },
                is_immediate,
            )
        };
        match *message {
            Message::New { order, buy, price, quantity, ioc } => {
                let side = if buy { Side::Bid } else { Side::Ask };
                self.0[order as usize] = side;
                commands.push(limit(order, side, price, quantity, ioc));
            }
            Message::Cancel { order } => {
                commands.push(Command(OrderType::Cancel { id: u128::from(order) }, false))
            }
            Message::Replace { order, price, quantity } => {
                commands.push(Command(OrderType::Cancel { id: u128::from(order) }, false));
                commands.push(limit(order, self.0[order as usize], price, quantity, false));
            }
        }
    }
}
