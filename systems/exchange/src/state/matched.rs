//! What a book did with a request, told: trades to both owners and to the public, orders that are done, levels that
//! changed.

use super::instrument::LastTrade;
use super::report::Particulars;
use super::{Turn, Unit};
use crate::engine::{CancelReason, LevelView, OrderId, Owner, Price, Quantity, Reports, Side, Trade};
use crate::event::{self, Event};
use crate::value::{ExecType, OrdStatus, TimeInForce};

/// Something that happened in a book.
#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
    /// Two orders traded.
    Trade(Trade),
    /// An order, or what was left of it, was taken out.
    Cancelled { id: OrderId, reason: CancelReason },
    /// A level changed.
    Level { side: Side, level: LevelView },
}

/// Collects what happens, in order: it is told once the book is done, as telling needs more than the book.
impl Reports for Vec<Happening> {
    fn trade(&mut self, trade: &Trade) {
        self.push(Happening::Trade(*trade));
    }

    fn cancelled(&mut self, id: OrderId, _owner: Owner, _left: Quantity, reason: CancelReason) {
        self.push(Happening::Cancelled { id, reason });
    }

    fn level(&mut self, side: Side, level: &LevelView) {
        self.push(Happening::Level { side, level: *level });
    }
}

impl Unit {
    /// Tells all that happened in a book. `fresh` is the level that was empty before, should an order now rest there.
    pub(super) fn tell_happened(
        &mut self,
        turn: &mut Turn<'_>,
        instrument: u32,
        fresh: Option<(Side, Price)>,
    ) {
        let mut happened = std::mem::take(&mut self.happened);
        for happening in &happened {
            match happening {
                Happening::Trade(trade) => self.tell_trade(turn, instrument, trade),
                Happening::Cancelled { id, reason } => self.tell_cancelled(turn, id.0, *reason),
                Happening::Level { side, level } => {
                    let level = self.instruments.get_mut(instrument).tell_level(*side, level, turn.time);
                    turn.out.emit(Event::BookLevel(level));
                }
            }
        }
        self.publish(turn, instrument, &happened, fresh);
        happened.clear();
        self.happened = happened;
    }

    fn tell_trade(&mut self, turn: &mut Turn<'_>, instrument: u32, trade: &Trade) {
        self.counters.trades += 1;
        let account = |id: OrderId| {
            self.accounts.name(self.orders.get(id.0).expect("an order of the book is known").account)
        };
        let (maker_account, taker_account) = (account(trade.maker), account(trade.taker));
        let listing = self.instruments.get_mut(instrument);
        listing.feed += 1;
        listing.last_trade =
            Some(LastTrade { price: trade.price, quantity: trade.quantity, time: turn.time });
        turn.out.emit(Event::Trade(event::Trade {
            symbol: listing.spec.symbol,
            sequence: listing.feed,
            trade_id: self.counters.trades,
            price: listing.price(trade.price),
            quantity: listing.quantity(trade.quantity),
            taker_side: super::instrument::outward(trade.taker_side),
            maker_order: trade.maker.0,
            taker_order: trade.taker.0,
            maker_account,
            taker_account,
            time: turn.time,
        }));
        for id in [trade.taker.0, trade.maker.0] {
            let order = self.orders.update(id, |order| {
                order.traded = Quantity(order.traded.0 + trade.quantity.0);
                order.notional += i128::from(trade.price.0) * i128::from(trade.quantity.0);
            });
            if order.traded == order.quantity {
                self.orders.finish(id, OrdStatus::Filled);
            }
            let last = Some((trade.price, trade.quantity));
            self.report(turn, id, ExecType::Trade, Particulars { last, ..Particulars::default() });
        }
    }

    /// An order the book took out by its own rules. One that was asked for is told by who asked.
    fn tell_cancelled(&mut self, turn: &mut Turn<'_>, id: u64, reason: CancelReason) {
        let time_in_force = self.orders.get(id).map(|order| order.time_in_force);
        let text = match reason {
            CancelReason::Requested => return,
            CancelReason::Residue if time_in_force == Some(TimeInForce::ImmediateOrCancel) => {
                "ImmediateOrCancel: what did not trade at once is cancelled"
            }
            CancelReason::Residue => "market order: nothing is left to trade with",
            CancelReason::NotFillable => "FillOrKill: not all of it can trade at once",
            CancelReason::SelfTrade => "it would trade with an order of the same account",
        };
        self.orders.finish(id, OrdStatus::Canceled);
        self.report(turn, id, ExecType::Canceled, Particulars { text, ..Particulars::default() });
    }
}
