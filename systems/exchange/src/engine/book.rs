//! The order book of one instrument: the requests it takes, and the bookkeeping of the orders that rest in it.
//! Matching itself stands in [`matching`](super::matching), queries in [`depth`](super::depth).

use super::digest;
use super::index::OrderIndex;
use super::ladder::Ladder;
use super::order::{
    CancelReason, Kind, LevelView, MAX_ORDERS, MAX_PAGES, NewOrder, OrderId, Outcome, Owner, Price, Quantity,
    Refusal, RestingOrder, SelfTrade, Side, TimeInForce,
};
use super::orders::{NIL, Order, Orders};
use super::reports::Reports;

/// A limit order book with price-time priority.
#[derive(Clone, Debug)]
pub struct OrderBook {
    pub(super) orders: Orders,
    pub(super) index: OrderIndex,
    pub(super) ladder: Ladder,
    pub(super) bid: Touch,
    pub(super) ask: Touch,
    pub(super) digest: u64,
    pub(super) self_trade: SelfTrade,
    max_orders: u32,
    max_pages: u32,
}

/// The best level of a side. Without one, the price is such that nothing crosses it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Touch {
    pub(super) price: i64,
    pub(super) level: u32,
}

impl Touch {
    pub(super) const NO_BID: Touch = Touch { price: i64::MIN, level: NIL };
    pub(super) const NO_ASK: Touch = Touch { price: i64::MAX, level: NIL };
}

/// An order on its way through the book.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taker {
    pub(super) id: u64,
    pub(super) owner: u32,
    pub(super) side: Side,
    /// The worst price it takes.
    pub(super) limit: i64,
    /// What it still wants.
    pub(super) left: u64,
    /// Self-trade prevention has ended its way.
    pub(super) stopped: bool,
}

impl OrderBook {
    /// An empty book.
    #[must_use]
    pub fn new(self_trade: SelfTrade) -> Self {
        Self::with_capacity(self_trade, 0)
    }

    /// An empty book in which this many orders can rest before it allocates for them. (A new range of prices allocates too.)
    #[must_use]
    pub fn with_capacity(self_trade: SelfTrade, orders: u32) -> Self {
        let orders = orders.min(MAX_ORDERS);
        Self {
            orders: Orders::with_capacity(orders),
            index: OrderIndex::with_capacity(orders),
            ladder: Ladder::new(),
            bid: Touch::NO_BID,
            ask: Touch::NO_ASK,
            digest: 0,
            self_trade,
            max_orders: MAX_ORDERS,
            max_pages: MAX_PAGES,
        }
    }

    /// Lowers the bounds, so that a test reaches them.
    #[cfg(test)]
    pub(super) fn limit(&mut self, max_orders: u32, max_pages: u32) {
        self.max_orders = max_orders;
        self.max_pages = max_pages;
    }

    /// Takes an order in: matches it, then rests or cancels what is left.
    ///
    /// A book with no room for the residue refuses an order that may rest, even if it would have traded in full.
    #[inline]
    pub fn submit(&mut self, order: &NewOrder, reports: &mut impl Reports) -> Result<Outcome, Refusal> {
        check_quantity(order.quantity)?;
        let (limit, may_rest) = match order.kind {
            Kind::Limit(price) => {
                check_price(price)?;
                let at_once = [TimeInForce::ImmediateOrCancel, TimeInForce::FillOrKill];
                (price.0, !at_once.contains(&order.time_in_force))
            }
            Kind::Market if order.side == Side::Buy => (Price::MAX.0, false),
            Kind::Market => (Price::MIN.0, false),
        };
        if self.index.find(order.id.0, &self.orders) != NIL {
            return Err(Refusal::DuplicateOrder);
        }
        if may_rest {
            self.check_room(limit)?;
        }
        let mut taker = Taker {
            id: order.id.0,
            owner: order.owner.0,
            side: order.side,
            limit,
            left: order.quantity.0,
            stopped: false,
        };
        if order.time_in_force == TimeInForce::FillOrKill && !self.can_fill(&taker) {
            reports.cancelled(order.id, order.owner, order.quantity, CancelReason::NotFillable);
            return Ok(outcome(0, 0, order.quantity.0));
        }
        self.sweep(&mut taker, reports);
        let traded = order.quantity.0 - taker.left;
        if taker.left == 0 {
            return Ok(outcome(traded, 0, 0));
        }
        if may_rest && !taker.stopped {
            let slot = self.orders.insert(Order::new(taker.id, taker.owner, taker.left));
            self.index.insert(taker.id, slot);
            self.rest(slot, &taker, reports);
            return Ok(outcome(traded, taker.left, 0));
        }
        Ok(self.drop_residue(&taker, traded, reports))
    }

    /// Takes a resting order out; answers it as it was.
    #[inline]
    pub fn cancel(&mut self, id: OrderId, reports: &mut impl Reports) -> Result<RestingOrder, Refusal> {
        let slot = self.index.find(id.0, &self.orders);
        if slot == NIL {
            return Err(Refusal::UnknownOrder);
        }
        let order = self.view(slot);
        reports.cancelled(id, order.owner, order.quantity, CancelReason::Requested);
        let level = self.take_out(slot, order.side);
        reports.level(order.side, &level);
        self.index.remove(id.0, slot);
        self.orders.remove(slot);
        Ok(order)
    }

    /// Gives a resting order a new price and a new open quantity (what it may still trade: FIX OrderQty − CumQty).
    ///
    /// The same price and no more quantity keeps its place; anything else takes it out and brings it in anew, behind
    /// all others, or trading at the resting orders' prices if it now crosses.
    #[inline]
    pub fn replace(
        &mut self,
        id: OrderId,
        price: Price,
        open: Quantity,
        reports: &mut impl Reports,
    ) -> Result<Outcome, Refusal> {
        check_quantity(open)?;
        check_price(price)?;
        let slot = self.index.find(id.0, &self.orders);
        if slot == NIL {
            return Err(Refusal::UnknownOrder);
        }
        let old = self.view(slot);
        let new = RestingOrder { price, quantity: open, ..old };
        if price == old.price {
            reports.replaced(&new, open <= old.quantity);
            if open <= old.quantity {
                self.reduce(slot, &new, reports);
            } else {
                self.requeue(slot, &new, reports);
            }
            return Ok(outcome(0, open.0, 0));
        }
        self.check_page(price.0)?;
        reports.replaced(&new, false);
        let level = self.take_out(slot, old.side);
        reports.level(old.side, &level);
        let mut taker = Taker {
            id: id.0,
            owner: old.owner.0,
            side: old.side,
            limit: price.0,
            left: open.0,
            stopped: false,
        };
        self.sweep(&mut taker, reports);
        let traded = open.0 - taker.left;
        if taker.left > 0 && !taker.stopped {
            // It keeps its slot and its entry in the index.
            self.rest(slot, &taker, reports);
            return Ok(outcome(traded, taker.left, 0));
        }
        self.index.remove(id.0, slot);
        self.orders.remove(slot);
        if taker.left == 0 {
            return Ok(outcome(traded, 0, 0));
        }
        Ok(self.drop_residue(&taker, traded, reports))
    }

    /// Appends an order of a snapshot, without matching and without reports. Feed it what [`resting`](Self::resting) gave,
    /// in that order: the book then answers as the original does, for ever.
    pub fn restore(&mut self, order: &RestingOrder) -> Result<(), Refusal> {
        check_quantity(order.quantity)?;
        check_price(order.price)?;
        if self.index.find(order.id.0, &self.orders) != NIL {
            return Err(Refusal::DuplicateOrder);
        }
        self.check_room(order.price.0)?;
        let taker = Taker {
            id: order.id.0,
            owner: order.owner.0,
            side: order.side,
            limit: order.price.0,
            left: order.quantity.0,
            stopped: false,
        };
        if self.crosses(&taker) {
            return Err(Refusal::Crossed);
        }
        let slot = self.orders.insert(Order::new(taker.id, taker.owner, taker.left));
        self.index.insert(taker.id, slot);
        self.push(slot, &taker);
        Ok(())
    }

    fn check_room(&self, price: i64) -> Result<(), Refusal> {
        if self.orders.live() >= self.max_orders {
            return Err(Refusal::BookFull);
        }
        self.check_page(price)
    }

    fn check_page(&self, price: i64) -> Result<(), Refusal> {
        if self.ladder.pages() >= self.max_pages && !self.ladder.has_page(price) {
            return Err(Refusal::BookFull);
        }
        Ok(())
    }

    /// Lowers an order's open quantity where it stands.
    fn reduce(&mut self, slot: u32, new: &RestingOrder, reports: &mut impl Reports) {
        let order = &mut self.orders[slot];
        let level = &mut self.ladder[order.level()];
        level.quantity -= order.quantity() - new.quantity.0;
        self.digest = self.digest.wrapping_sub(digest::order(order, level));
        order.set_quantity(new.quantity.0);
        self.digest = self.digest.wrapping_add(digest::order(order, level));
        reports.level(new.side, &level_view(level.price, level.quantity, level.orders));
    }

    /// Moves an order to the end of its own level with a new quantity.
    fn requeue(&mut self, slot: u32, new: &RestingOrder, reports: &mut impl Reports) {
        self.unlink(slot);
        self.orders[slot].set_quantity(new.quantity.0);
        let number = self.orders[slot].level();
        self.append(slot, number);
        let level = &self.ladder[number];
        reports.rested(new);
        reports.level(new.side, &level_view(level.price, level.quantity, level.orders));
    }

    /// Lets the rest of a taker rest in a slot that stands in the index but in no level.
    fn rest(&mut self, slot: u32, taker: &Taker, reports: &mut impl Reports) {
        let number = self.push(slot, taker);
        let level = &self.ladder[number];
        reports.rested(&RestingOrder {
            id: OrderId(taker.id),
            owner: Owner(taker.owner),
            side: taker.side,
            price: Price(taker.limit),
            quantity: Quantity(taker.left),
        });
        reports.level(taker.side, &level_view(level.price, level.quantity, level.orders));
    }

    fn drop_residue(&mut self, taker: &Taker, traded: u64, reports: &mut impl Reports) -> Outcome {
        let reason = if taker.stopped { CancelReason::SelfTrade } else { CancelReason::Residue };
        reports.cancelled(OrderId(taker.id), Owner(taker.owner), Quantity(taker.left), reason);
        outcome(traded, 0, taker.left)
    }

    /// Puts an order behind all others at its price; answers the level.
    fn push(&mut self, slot: u32, taker: &Taker) -> u32 {
        let price = taker.limit;
        let number = self.ladder.open(taker.side, price);
        match taker.side {
            Side::Buy if price > self.bid.price => self.set_touch(Side::Buy, Touch { price, level: number }),
            Side::Sell if price < self.ask.price => {
                self.set_touch(Side::Sell, Touch { price, level: number })
            }
            _ => {}
        }
        self.orders[slot].set_quantity(taker.left);
        self.append(slot, number);
        number
    }

    pub(super) fn set_touch(&mut self, side: Side, touch: Touch) {
        match side {
            Side::Buy => self.bid = touch,
            Side::Sell => self.ask = touch,
        }
        if touch.level != NIL {
            self.ladder.touch(touch.price);
        }
    }

    /// Takes an order out of its level, and the level out of the ladder if it was the last one; answers what is left there.
    fn take_out(&mut self, slot: u32, side: Side) -> LevelView {
        let number = self.unlink(slot);
        let level = self.ladder[number];
        if level.orders == 0 {
            self.close(number, side);
        }
        level_view(level.price, level.quantity, level.orders)
    }

    /// Closes an empty level and finds the next best one if it was the best.
    #[inline]
    pub(super) fn close(&mut self, number: u32, side: Side) {
        let touch = match side {
            Side::Buy if number == self.bid.level => self.ladder.below(number),
            Side::Sell if number == self.ask.level => self.ladder.above(number),
            _ => return self.ladder.close(number),
        };
        self.ladder.close(number);
        let touch = match side {
            _ if touch != NIL => Touch { price: self.ladder[touch].price, level: touch },
            Side::Buy => Touch::NO_BID,
            Side::Sell => Touch::NO_ASK,
        };
        self.set_touch(side, touch);
    }

    /// Links an order to the end of a level's queue.
    fn append(&mut self, slot: u32, number: u32) {
        let level = &mut self.ladder[number];
        let tag = self.orders[slot].tag();
        let older = level.newest;
        let mut older_tag = 0;
        if older == NIL {
            level.oldest = slot;
        } else {
            let older = &mut self.orders[older];
            (older.newer, older.newer_tag) = (slot, tag);
            older_tag = older.tag();
            self.digest = self.digest.wrapping_add(digest::neighbours(older_tag, tag));
        }
        let order = &mut self.orders[slot];
        order.set_level(number);
        (order.older, order.older_tag, order.newer) = (older, older_tag, NIL);
        level.newest = slot;
        level.orders += 1;
        level.quantity += order.quantity();
        self.digest = self.digest.wrapping_add(digest::order(order, level));
    }

    /// Unlinks an order from its level's queue; answers the level, which may now be empty.
    ///
    /// It writes to the neighbours and reads nothing of them: in a large book they are not in the cache, and writes do not wait.
    fn unlink(&mut self, slot: u32) -> u32 {
        let order = self.orders[slot];
        let level = &mut self.ladder[order.level()];
        level.orders -= 1;
        level.quantity -= order.quantity();
        let mut change = digest::order(&order, level);
        if order.older == NIL {
            level.oldest = order.newer;
        } else {
            let older = &mut self.orders[order.older];
            (older.newer, older.newer_tag) = (order.newer, order.newer_tag);
            change = change.wrapping_add(digest::neighbours(order.older_tag, order.tag()));
        }
        if order.newer == NIL {
            level.newest = order.older;
        } else {
            let newer = &mut self.orders[order.newer];
            (newer.older, newer.older_tag) = (order.older, order.older_tag);
            change = change.wrapping_add(digest::neighbours(order.tag(), order.newer_tag));
        }
        if order.older != NIL && order.newer != NIL {
            change = change.wrapping_sub(digest::neighbours(order.older_tag, order.newer_tag));
        }
        self.digest = self.digest.wrapping_sub(change);
        order.level()
    }

    /// A resting order as the world sees it.
    pub(super) fn view(&self, slot: u32) -> RestingOrder {
        let order = &self.orders[slot];
        let level = &self.ladder[order.level()];
        RestingOrder {
            id: OrderId(order.id),
            owner: Owner(order.owner),
            side: level.side,
            price: Price(level.price),
            quantity: Quantity(order.quantity()),
        }
    }
}

fn check_quantity(quantity: Quantity) -> Result<(), Refusal> {
    match quantity {
        Quantity::ZERO => Err(Refusal::ZeroQuantity),
        _ if quantity > Quantity::MAX => Err(Refusal::QuantityTooLarge),
        _ => Ok(()),
    }
}

fn check_price(price: Price) -> Result<(), Refusal> {
    if price.is_valid() { Ok(()) } else { Err(Refusal::PriceOutOfRange) }
}

fn outcome(traded: u64, resting: u64, cancelled: u64) -> Outcome {
    Outcome { traded: Quantity(traded), resting: Quantity(resting), cancelled: Quantity(cancelled) }
}

pub(super) fn level_view(price: i64, quantity: u64, orders: u32) -> LevelView {
    LevelView { price: Price(price), quantity: Quantity(quantity), orders }
}
