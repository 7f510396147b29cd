//! The book's fingerprint: the wrapping sum of one hash per resting order, so that a change costs the orders it touches.
//!
//! An order's hash covers the id of the order before it in its queue, hence the sum covers the queues' order too. It guards
//! against divergence and damage, not against an adversary who picks the orders.

use super::ladder::Level;
use super::orders::Order;

/// Stands for "nobody before me" where the id of the order before is asked for. It and the constants below are arbitrary.
pub(super) const FIRST: u64 = 0x2437_54F2_6E2A_9C1D;

/// The folded product: each output bit hangs on all bits of both factors (wyhash).
#[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// The hash of an order at a level, behind the order with the id `behind`.
#[inline]
pub(super) fn hash(order: &Order, level: &Level, behind: u64) -> u64 {
    let place = fold(order.id ^ 0x2437_54F2_9B31_6E2B, behind ^ 0x1319_8A2E_0370_7345);
    let price = level.price << 1 | (level.side as i64);
    let terms = fold(price.cast_unsigned() ^ 0xA409_3822_299F_31D1, order.quantity ^ 0x082E_FA98_EC4E_6C89);
    fold(place ^ u64::from(order.owner), terms ^ 0x4528_21E6_38D0_1377)
}
