//! Questions to a book: best prices, depth, single orders, and every resting order in priority order for snapshots.

use std::iter::successors;

use super::book::{OrderBook, level_view};
use super::ladder::Level;
use super::order::{LevelView, OrderId, Owner, Price, Quantity, RestingOrder, Side};
use super::orders::{NIL, Order};

impl OrderBook {
    /// The order, if it rests here.
    #[must_use]
    pub fn get(&self, id: OrderId) -> Option<RestingOrder> {
        let slot = self.index.find(id.0, &self.orders);
        (slot != NIL).then(|| self.view(slot))
    }

    /// How many orders rest here.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.orders.live()
    }

    /// Whether no order rests here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The best level of a side.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<LevelView> {
        self.levels(side).next()
    }

    /// The level at a price, if any order rests there.
    #[must_use]
    pub fn level(&self, side: Side, price: Price) -> Option<LevelView> {
        let number = self.ladder.find(price.0);
        (number != NIL && self.ladder[number].side == side).then(|| view(&self.ladder[number]))
    }

    /// A side's levels from the best on: `take(N)` is the depth.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = LevelView> + '_ {
        self.levels_from_best(side).map(|(_, level)| view(level))
    }

    /// Every resting order: bids from the best level on, oldest first in each, then asks likewise.
    pub fn resting(&self) -> impl Iterator<Item = RestingOrder> + '_ {
        Side::BOTH.into_iter().flat_map(move |side| {
            self.levels_from_best(side).flat_map(move |(number, level)| {
                self.queue(number).map(move |order| RestingOrder {
                    id: OrderId(order.id),
                    owner: Owner(order.owner),
                    side,
                    price: Price(level.price),
                    quantity: Quantity(order.quantity()),
                })
            })
        })
    }

    /// A fingerprint of the resting orders and their places, kept as the book changes: equal books give equal digests,
    /// however they were reached.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// A side's levels with their numbers, from the best on.
    pub(super) fn levels_from_best(&self, side: Side) -> impl Iterator<Item = (u32, &Level)> + '_ {
        let (best, step): (u32, fn(&Self, u32) -> u32) = match side {
            Side::Buy => (self.bid.level, |book, number| book.ladder.below(number)),
            Side::Sell => (self.ask.level, |book, number| book.ladder.above(number)),
        };
        let some = |number: u32| (number != NIL).then_some(number);
        successors(some(best), move |&number| some(step(self, number)))
            .map(|number| (number, &self.ladder[number]))
    }

    /// A level's orders, oldest first.
    pub(super) fn queue(&self, number: u32) -> impl Iterator<Item = &Order> + '_ {
        let some = |slot: u32| (slot != NIL).then(|| &self.orders[slot]);
        successors(some(self.ladder[number].oldest), move |order| some(order.newer))
    }
}

fn view(level: &Level) -> LevelView {
    level_view(level.price, level.quantity, level.orders)
}
