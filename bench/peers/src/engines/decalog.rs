//! Ours. It writes more than the peers can: level changes with every report.

use decalog_exchange::engine::{
    CancelReason, Kind as OrderKind, LevelView, NewOrder, OrderBook, OrderId, Owner, Price, Quantity,
    Reports, RestingOrder, SelfTrade, Side, TimeInForce, Trade,
};

use super::{Engine, Translator};
use crate::flow::Message;
use crate::ring::{Kind, Ring};

#[derive(Debug)]
pub(crate) struct Decalog(OrderBook);

#[derive(Debug)]
pub(crate) enum Command {
    Submit(NewOrder),
    Cancel(OrderId),
    Replace(OrderId, Price, Quantity),
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

    type Command = Command;

    fn new() -> Self {
        Self(OrderBook::new(SelfTrade::Allow))
    }

    #[inline]
    fn execute(&mut self, command: &Command, ring: &mut Ring) {
        let done = match command {
            Command::Submit(order) => self.0.submit(order, ring).is_ok(),
            Command::Cancel(id) => self.0.cancel(*id, ring).is_ok(),
            Command::Replace(id, price, open) => self.0.replace(*id, *price, *open, ring).is_ok(),
        };
        ring.refused += u64::from(!done);
    }
}

#[derive(Debug)]
pub(crate) struct Translation;

/// As the exchange makes them: milliseconds, unit and counter.
fn id(order: u32) -> OrderId {
    OrderId(u64::from(order / 1000) << 22 | 7 << 12 | u64::from(order % 1000))
}

impl Translator for Translation {
    type Engine = Decalog;

    fn new(_: u32) -> Self {
        Self
    }

    fn translate(&mut self, message: &Message, commands: &mut Vec<Command>) {
        commands.push(match *message {
            Message::New { order, buy, price, quantity, ioc } => Command::Submit(NewOrder {
                id: id(order),
                owner: Owner(0),
                side: if buy { Side::Buy } else { Side::Sell },
                kind: OrderKind::Limit(Price(price)),
                quantity: Quantity(quantity),
                time_in_force: if ioc { TimeInForce::ImmediateOrCancel } else { TimeInForce::GoodTillCancel },
            }),
            Message::Cancel { order } => Command::Cancel(id(order)),
            Message::Replace { order, price, quantity } => {
                Command::Replace(id(order), Price(price), Quantity(quantity))
            }
        });
    }
}
