//! The order book of one instrument.

use super::order::{
    LevelView, NewOrder, OrderId, Outcome, Price, Quantity, Refusal, RestingOrder, SelfTrade, Side,
};
use super::reports::Reports;

/// A limit order book with price-time priority.
#[derive(Debug)]
pub struct OrderBook {
    #[expect(dead_code, reason = "signatures first")]
    self_trade: SelfTrade,
}

#[expect(unused_variables, clippy::unimplemented, reason = "signatures first")]
impl OrderBook {
    /// An empty book.
    #[must_use]
    pub fn new(self_trade: SelfTrade) -> Self {
        Self { self_trade }
    }

    /// Takes an order in: matches it, then rests or cancels what is left.
    pub fn submit(&mut self, order: &NewOrder, reports: &mut impl Reports) -> Result<Outcome, Refusal> {
        unimplemented!()
    }

    /// Takes a resting order out; answers it as it was.
    pub fn cancel(&mut self, id: OrderId, reports: &mut impl Reports) -> Result<RestingOrder, Refusal> {
        unimplemented!()
    }

    /// Gives a resting order a new price and a new open quantity (what it may still trade: FIX OrderQty − CumQty).
    /// The same price and no more quantity keeps its place; anything else takes it out and brings it in anew, trading at
    /// the resting orders' prices if it now crosses.
    pub fn replace(
        &mut self,
        id: OrderId,
        price: Price,
        open: Quantity,
        reports: &mut impl Reports,
    ) -> Result<Outcome, Refusal> {
        unimplemented!()
    }

    /// Appends an order of a snapshot, without matching. Feed it what [`resting`](Self::resting) gave, in that order.
    pub fn restore(&mut self, order: &RestingOrder) -> Result<(), Refusal> {
        unimplemented!()
    }

    /// The order, if it rests here.
    #[must_use]
    pub fn get(&self, id: OrderId) -> Option<RestingOrder> {
        unimplemented!()
    }

    /// How many orders rest here.
    #[must_use]
    pub fn len(&self) -> u32 {
        unimplemented!()
    }

    /// Whether no order rests here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The best level of a side.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<LevelView> {
        unimplemented!()
    }

    /// The level at a price, if any order rests there.
    #[must_use]
    pub fn level(&self, side: Side, price: Price) -> Option<LevelView> {
        unimplemented!()
    }

    /// A side's levels from the best on: take(N) is the depth.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = LevelView> + '_ {
        std::iter::empty()
    }

    /// Every resting order: bids from the best level on, oldest first in each, then asks likewise.
    pub fn resting(&self) -> impl Iterator<Item = RestingOrder> + '_ {
        std::iter::empty()
    }

    /// A fingerprint of the resting orders and their places, kept as the book changes: equal books give equal digests,
    /// however they were reached.
    #[must_use]
    pub fn digest(&self) -> u64 {
        unimplemented!()
    }
}
