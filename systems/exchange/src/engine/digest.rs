//! The book's fingerprint: the wrapping sum of one hash per resting order and one per pair of neighbours in a queue, so that a
//! change costs the orders it touches and nothing else.
//!
//! The second kind covers the queues' order. It hangs on 16-bit tags of the two ids, which each order keeps of its neighbours: an
//! order can leave without a look at them. It guards against divergence and damage, not against an adversary who picks ids.

use super::ladder::Level;
use super::orders::Order;

/// The folded product: each output bit hangs on all bits of both factors (wyhash). The constants below are arbitrary.
#[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// The hash of an order at a level.
#[inline]
pub(super) fn order(order: &Order, level: &Level) -> u64 {
    let place = (level.price << 1 | level.side as i64).cast_unsigned();
    let who = fold(order.id ^ 0x2437_54F2_9B31_6E2B, place ^ 0x1319_8A2E_0370_7345);
    let what = fold(order.quantity() ^ 0xA409_3822_299F_31D1, u64::from(order.owner) ^ 0x082E_FA98_EC4E_6C89);
    fold(who ^ 0x4528_21E6_38D0_1377, what ^ 0xBE54_66CF_34E9_0C6C)
}

/// The hash of two neighbours in a queue.
#[inline]
pub(super) fn neighbours(older: u16, newer: u16) -> u64 {
    let (older, newer) = (u64::from(older), u64::from(newer));
    fold((older << 32 | newer) ^ 0xC0AC_29B7_C97C_50DD, (newer << 32 | older) ^ 0x3F84_D5B5_B547_0917)
}
