//! <https://docs.rs/rust-order-book>: it names orders itself; a modify gives a new name. Its reports say how much was traded, not
//! with whom.

use rust_order_book::{
    LimitOrderOptions, OrderBook, OrderBookBuilder, OrderId, Price, Quantity, Side, TimeInForce,
};

use super::{Engine, Translator};
use crate::flow::Message;
use crate::ring::{Kind, Ring};

pub(crate) struct RustOrderBook {
    book: OrderBook,
    /// The name of the last order.
    last: OrderId,
}

#[derive(Debug)]
pub(crate) enum Command {
    Limit(LimitOrderOptions),
    Cancel(OrderId),
    Modify(OrderId, Price, Quantity),
}

impl Engine for RustOrderBook {
    const NAME: &str = "rust-order-book 0.0.2";

    type Command = Command;

    fn new() -> Self {
        Self { book: OrderBookBuilder::new("TEST").build(), last: OrderId(0) }
    }

    #[inline]
    fn execute(&mut self, command: &Command, ring: &mut Ring) {
        let report = match *command {
            Command::Limit(options) => self.book.limit(options),
            Command::Cancel(id) => {
                ring.refused += u64::from(self.book.cancel(id).is_err());
                return ring.report(Kind::Cancelled, [id.0, 0, 0, 0, 0]);
            }
            Command::Modify(id, price, quantity) => self.book.modify(id, Some(price), Some(quantity)),
        };
        let Ok(report) = report else { return ring.refused += 1 };
        if report.executed_qty.0 > 0 {
            ring.trade(0, report.order_id.0, report.price.0, report.executed_qty.0, report.remaining_qty.0);
        }
        self.last = report.order_id;
        ring.report(Kind::Rested, [report.order_id.0, report.remaining_qty.0, 0, 0, 0]);
    }
}

/// Learns the names on a dry run.
pub(crate) struct Translation {
    dry_run: RustOrderBook,
    ids: Vec<OrderId>,
}

impl Translator for Translation {
    type Engine = RustOrderBook;

    fn new(orders: u32) -> Self {
        Self { dry_run: RustOrderBook::new(), ids: vec![OrderId(0); orders as usize] }
    }

    fn translate(&mut self, message: &Message, commands: &mut Vec<Command>) {
        let (order, command) = match *message {
            Message::New { order, buy, price, quantity, ioc } => {
                let options = LimitOrderOptions {
                    side: if buy { Side::Buy } else { Side::Sell },
                    quantity: Quantity(quantity),
                    price: Price(price.cast_unsigned()),
                    time_in_force: Some(if ioc { TimeInForce::IOC } else { TimeInForce::GTC }),
                    post_only: None,
                };
                (order, Command::Limit(options))
            }
            Message::Cancel { order } => (order, Command::Cancel(self.ids[order as usize])),
            Message::Replace { order, price, quantity } => {
                let id = self.ids[order as usize];
                (order, Command::Modify(id, Price(price.cast_unsigned()), Quantity(quantity)))
            }
        };
        self.dry_run.execute(&command, &mut Ring::idle());
        self.ids[order as usize] = self.dry_run.last;
        commands.push(command);
    }
}
