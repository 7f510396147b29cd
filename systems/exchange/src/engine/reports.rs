//! Where a book tells what happened, in order: the caller's sink. The book allocates nothing for it and never reads it back.

use super::order::{CancelReason, LevelView, OrderId, Owner, Price, Quantity, RestingOrder, Side};

/// Two orders traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trade {
    /// The order that rested.
    pub maker: OrderId,
    /// The order that came.
    pub taker: OrderId,
    /// The maker's owner.
    pub maker_owner: Owner,
    /// The side of the order that came.
    pub taker_side: Side,
    /// The maker's price.
    pub price: Price,
    /// How much; never zero.
    pub quantity: Quantity,
    /// What the maker still has open; at zero it has left the book.
    pub maker_left: Quantity,
    /// What the taker still has open, before its residue rests or is cancelled.
    pub taker_left: Quantity,
}

/// The sink for what happens in a book. Every method has an empty default: implement what you need.
///
/// Order within one request: a replace first reports [`replaced`](Reports::replaced) (and, if it lost its place, the level
/// it left); then come trades from the best maker on, each touched level once after its last trade; then
/// [`rested`](Reports::rested) with its level, or [`cancelled`](Reports::cancelled).
pub trait Reports {
    /// Two orders traded.
    #[inline]
    fn trade(&mut self, trade: &Trade) {
        _ = trade;
    }

    /// An order came to rest with this open quantity, behind all others at its price.
    #[inline]
    fn rested(&mut self, order: &RestingOrder) {
        _ = order;
    }

    /// A resting order was replaced: its price and open quantity as asked for. If `kept_place` is false it has been taken
    /// out and comes in anew: trades and a `rested` may follow.
    #[inline]
    fn replaced(&mut self, order: &RestingOrder, kept_place: bool) {
        _ = (order, kept_place);
    }

    /// An order, or what was left of it, is gone without a trade. `left` is what was open.
    #[inline]
    fn cancelled(&mut self, id: OrderId, owner: Owner, left: Quantity, reason: CancelReason) {
        _ = (id, owner, left, reason);
    }

    /// A price level changed: its new total and order count, both zero when the level is gone.
    #[inline]
    fn level(&mut self, side: Side, level: &LevelView) {
        _ = (side, level);
    }
}

/// Drops every report.
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl Reports for Discard {}
