//! <https://docs.rs/orderbook-rs>: made for many threads; here one uses it. Trades of an update are not in its answer.

use orderbook_rs::OrderBook;
use pricelevel::{Id, OrderUpdate, Price, Quantity, Side, TimeInForce};

use super::{Engine, Translator};
use crate::flow::Message;
use crate::ring::{Kind, Ring};

pub(crate) struct OrderbookRs(OrderBook<()>);

pub(crate) enum Command {
    Limit { id: Id, order: u32, price: u128, quantity: u64, side: Side, until: TimeInForce },
    Cancel(Id),
    Update(OrderUpdate),
}

impl Engine for OrderbookRs {
    const NAME: &str = "orderbook-rs 0.15";

    type Command = Command;

    fn new() -> Self {
        Self(OrderBook::new("TEST"))
    }

    #[inline]
    fn execute(&mut self, command: &Command, ring: &mut Ring) {
        match *command {
            Command::Limit { id, order, price, quantity, side, until } => {
                let done = self.0.add_limit_order_with_result(id, price, quantity, side, until, None);
                if let Ok((_, Some(result))) = &done {
                    for trade in result.match_result.trades().as_vec() {
                        ring.trade(0, u64::from(order), 0, trade.quantity().as_u64(), 0);
                    }
                }
                ring.report(if done.is_ok() { Kind::Rested } else { Kind::Cancelled }, [u64::from(order), 0, 0, 0, 0]);
            }
            Command::Cancel(id) => {
                ring.refused += u64::from(!matches!(self.0.cancel_order(id), Ok(Some(_))));
                ring.report(Kind::Cancelled, [0; 5]);
            }
            Command::Update(update) => {
                ring.refused += u64::from(self.0.update_order(update).is_err());
                ring.report(Kind::Replaced, [0; 5]);
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct Translation;

impl Translator for Translation {
    type Engine = OrderbookRs;

    fn new(_: u32) -> Self {
        Self
    }

    fn translate(&mut self, message: &Message, commands: &mut Vec<Command>) {
        let id = |order: u32| Id::from_u64(u64::from(order) + 1);
        let unsigned = |price: i64| u128::from(price.cast_unsigned());
        commands.push(match *message {
            Message::New { order, buy, price, quantity, ioc } => Command::Limit {
                id: id(order),
                order,
                price: unsigned(price),
                quantity,
                side: if buy { Side::Buy } else { Side::Sell },
                until: if ioc { TimeInForce::Ioc } else { TimeInForce::Gtc },
            },
            Message::Cancel { order } => Command::Cancel(id(order)),
            Message::Replace { order, price, quantity } => Command::Update(OrderUpdate::UpdatePriceAndQuantity {
                order_id: id(order),
                new_price: Price::new(unsigned(price)),
                new_quantity: Quantity::new(quantity),
            }),
        });
    }
}
