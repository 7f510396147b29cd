//! Price-time priority: an incoming order meets the best level first, and in a level the oldest order first. Every trade is at
//! the resting order's price.

use super::book::{OrderBook, Taker, Touch, level_view};
use super::digest;
use super::order::{CancelReason, OrderId, Owner, Price, Quantity, SelfTrade, Side};
use super::orders::NIL;
use super::reports::{Reports, Trade};

impl OrderBook {
    /// The best level that the taker would meet.
    fn opposite(&self, side: Side) -> Touch {
        match side {
            Side::Buy => self.ask,
            Side::Sell => self.bid,
        }
    }

    /// Whether the taker would trade with the other side's best level.
    pub(super) fn crosses(&self, taker: &Taker) -> bool {
        match taker.side {
            Side::Buy => taker.limit >= self.ask.price,
            Side::Sell => taker.limit <= self.bid.price,
        }
    }

    /// Trades until the taker has what it wants, its limit is reached or self-trade prevention ends its way.
    #[inline]
    pub(super) fn sweep(&mut self, taker: &mut Taker, reports: &mut impl Reports) {
        while taker.left > 0 && !taker.stopped && self.crosses(taker) {
            self.take_level(taker, self.opposite(taker.side).level, reports);
        }
    }

    /// Trades with one level, oldest order first.
    fn take_level(&mut self, taker: &mut Taker, number: u32, reports: &mut impl Reports) {
        let level = &mut self.ladder[number];
        let (price, before) = (level.price, level.quantity);
        let checks_owner = self.self_trade != SelfTrade::Allow && taker.owner != 0;
        let mut at = level.oldest;
        let mut change = 0u64;
        while at != NIL && taker.left > 0 {
            let maker = &mut self.orders[at];
            let is_own = checks_owner && maker.owner == taker.owner;
            if is_own && self.self_trade == SelfTrade::CancelNewest {
                taker.stopped = true;
                break;
            }
            let open = maker.quantity();
            let traded = if is_own { 0 } else { taker.left.min(open) };
            taker.left -= traded;
            if is_own {
                let reason = CancelReason::SelfTrade;
                reports.cancelled(OrderId(maker.id), Owner(maker.owner), Quantity(open), reason);
            } else {
                reports.trade(&Trade {
                    maker: OrderId(maker.id),
                    taker: OrderId(taker.id),
                    maker_owner: Owner(maker.owner),
                    taker_side: taker.side,
                    price: Price(price),
                    quantity: Quantity(traded),
                    maker_left: Quantity(open - traded),
                    taker_left: Quantity(taker.left),
                });
            }
            change = change.wrapping_sub(digest::order(maker, level));
            if !is_own && traded < open {
                level.quantity -= traded;
                maker.set_quantity(open - traded);
                change = change.wrapping_add(digest::order(maker, level));
                break;
            }
            level.quantity -= open;
            level.orders -= 1;
            let (id, newer) = (maker.id, maker.newer);
            if newer != NIL {
                change = change.wrapping_sub(digest::neighbours(maker.tag(), maker.newer_tag));
            }
            self.index.remove(id, at);
            self.orders.remove(at);
            at = newer;
        }
        level.oldest = at;
        if at != NIL {
            self.orders[at].older = NIL;
        }
        let view = level_view(price, level.quantity, level.orders);
        self.digest = self.digest.wrapping_add(change);
        if at == NIL {
            self.close(number, taker.side.opposite());
        }
        if view.quantity.0 != before {
            reports.level(taker.side.opposite(), &view);
        }
    }

    /// Whether the whole of the taker could trade now: all levels within its limit count, not only the first maker.
    pub(super) fn can_fill(&self, taker: &Taker) -> bool {
        let maker_side = taker.side.opposite();
        let checks_owner = self.self_trade != SelfTrade::Allow && taker.owner != 0;
        let mut missing = taker.left;
        for (number, level) in self.levels_from_best(maker_side) {
            let within = match taker.side {
                Side::Buy => level.price <= taker.limit,
                Side::Sell => level.price >= taker.limit,
            };
            if !within {
                return false;
            }
            if !checks_owner {
                missing = missing.saturating_sub(level.quantity);
            } else {
                for order in self.queue(number) {
                    if order.owner != taker.owner {
                        missing = missing.saturating_sub(order.quantity());
                    } else if missing > 0 && self.self_trade == SelfTrade::CancelNewest {
                        return false;
                    }
                }
            }
            if missing == 0 {
                return true;
            }
        }
        false
    }
}
