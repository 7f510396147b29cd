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
        // The hash of each order names the one before it: as orders leave from the front, that is the one just gone.
        let mut behind = digest::FIRST;
        let mut change = 0u64;
        while at != NIL && taker.left > 0 {
            let maker = &mut self.orders[at];
            let is_own = checks_owner && maker.owner == taker.owner;
            if is_own && self.self_trade == SelfTrade::CancelNewest {
                taker.stopped = true;
                break;
            }
            change = change.wrapping_sub(digest::hash(maker, level, behind));
            let traded = if is_own { 0 } else { taker.left.min(maker.quantity) };
            let open = maker.quantity;
            let gone = is_own || traded == open;
            level.quantity -= if gone { open } else { traded };
            taker.left -= traded;
            maker.quantity -= traded;
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
                    maker_left: Quantity(maker.quantity),
                    taker_left: Quantity(taker.left),
                });
            }
            if !gone {
                change = change.wrapping_add(digest::hash(maker, level, digest::FIRST));
                behind = digest::FIRST;
                break;
            }
            behind = maker.id;
            let newer = maker.newer;
            level.orders -= 1;
            self.index.remove(behind, at);
            self.orders.remove(at);
            at = newer;
        }
        level.oldest = at;
        if at != NIL {
            let first = &mut self.orders[at];
            first.older = NIL;
            if behind != digest::FIRST {
                change = change.wrapping_sub(digest::hash(first, level, behind));
                change = change.wrapping_add(digest::hash(first, level, digest::FIRST));
            }
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
                        missing = missing.saturating_sub(order.quantity);
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
