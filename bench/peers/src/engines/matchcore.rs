//! <https://docs.rs/matchcore>: commands in, outcomes out; it names orders by the sequence number of their command.
//!
//! Its amend to a price that crosses trades without a limit (`match_order` gets none), so such a replace is a cancel and a new order
//! here; all others are amends.

use matchcore::{
    AmendCmd, AmendPatch, CancelCmd, Command, CommandKind, CommandMeta, CommandOutcome, CommandReport,
    LimitOrder, LimitOrderPatch, NewOrder, OrderBook, OrderFlags, OrderId, OrderKind, Price, Quantity,
    QuantityPolicy, SequenceNumber, Side, SubmitCmd, TimeInForce, Timestamp,
};

use super::{Engine, Translator};
use crate::flow::Message;
use crate::ring::{Kind, Ring};

#[derive(Debug)]
pub(crate) struct Matchcore(OrderBook);

impl Engine for Matchcore {
    const NAME: &str = "matchcore 0.4";

    type Command = Command;

    fn new() -> Self {
        Self(OrderBook::new("TEST"))
    }

    #[inline]
    fn execute(&mut self, command: &Command, ring: &mut Ring) {
        let effects = match self.0.execute(command) {
            CommandOutcome::Applied(CommandReport::Submit(effects) | CommandReport::Amend(effects)) => {
                effects
            }
            CommandOutcome::Applied(CommandReport::Cancel) => {
                return ring.report(Kind::Cancelled, [command.meta.sequence_number.0, 0, 0, 0, 0]);
            }
            CommandOutcome::Rejected(_) => return ring.refused += 1,
        };
        let target = effects.target_order();
        let taker = target.order_id().0;
        for trade in target.match_result().iter().flat_map(|matched| matched.trades()) {
            ring.trade(trade.maker_order_id().0, taker, trade.price().0, trade.quantity().0, 0);
        }
        let is_cancelled = target.cancel_reason().is_some();
        ring.report(if is_cancelled { Kind::Cancelled } else { Kind::Rested }, [taker, 0, 0, 0, 0]);
    }
}

/// Knows the ids that the engine will give: the sequence numbers of the commands that brought the orders.
#[derive(Debug)]
pub(crate) struct Translation {
    dry_run: Matchcore,
    sequence: u64,
    orders: Vec<(OrderId, Side)>,
}

impl Translator for Translation {
    type Engine = Matchcore;

    fn new(orders: u32) -> Self {
        Self {
            dry_run: Matchcore::new(),
            sequence: 0,
            orders: vec![(OrderId(0), Side::Buy); orders as usize],
        }
    }

    fn translate(&mut self, message: &Message, commands: &mut Vec<Command>) {
        match *message {
            Message::New { order, buy, price, quantity, ioc } => {
                self.orders[order as usize].1 = if buy { Side::Buy } else { Side::Sell };
                let time_in_force = if ioc { TimeInForce::Ioc } else { TimeInForce::Gtc };
                self.submit(order, price, quantity, time_in_force, commands);
            }
            Message::Cancel { order } => self.cancel(order, commands),
            Message::Replace { order, price, quantity } => {
                let (order_id, side) = self.orders[order as usize];
                let price_there = Price(price.cast_unsigned());
                if self.dry_run.0.has_crossable_order(side, price_there) {
                    self.cancel(order, commands);
                    return self.submit(order, price, quantity, TimeInForce::Gtc, commands);
                }
                let patch =
                    LimitOrderPatch::new().with_price(price_there).with_quantity_policy(standard(quantity));
                let amend = AmendCmd { order_id, patch: AmendPatch::Limit(patch) };
                self.push(CommandKind::Amend(amend), commands);
            }
        }
    }
}

fn standard(quantity: u64) -> QuantityPolicy {
    QuantityPolicy::Standard { quantity: Quantity(quantity) }
}

impl Translation {
    fn submit(
        &mut self,
        order: u32,
        price: i64,
        quantity: u64,
        until: TimeInForce,
        commands: &mut Vec<Command>,
    ) {
        let (id, side) = &mut self.orders[order as usize];
        *id = OrderId(self.sequence);
        let flags = OrderFlags::new(*side, false, until);
        let order = LimitOrder::new(Price(price.cast_unsigned()), standard(quantity), flags);
        self.push(CommandKind::Submit(SubmitCmd { order: NewOrder::Limit(order) }), commands);
    }

    fn cancel(&mut self, order: u32, commands: &mut Vec<Command>) {
        let (order_id, _) = self.orders[order as usize];
        self.push(CommandKind::Cancel(CancelCmd { order_id, order_kind: OrderKind::Limit }), commands);
    }

    fn push(&mut self, kind: CommandKind, commands: &mut Vec<Command>) {
        let sequence_number = SequenceNumber(self.sequence);
        let meta = CommandMeta { sequence_number, timestamp: Timestamp(self.sequence) };
        self.sequence += 1;
        let command = Command { meta, kind };
        self.dry_run.execute(&command, &mut Ring::idle());
        commands.push(command);
    }
}
