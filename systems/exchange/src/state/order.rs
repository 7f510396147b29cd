//! Orders: each with its owner, its names and what became of it so far; the live ones, and the last that are done.
//!
//! What rests where, and in what order, is the book's knowledge; here is what the book does not need to know.

// Indexes by hash, as they are looked up for every message; nothing depends on the order in which they are walked.
#![expect(
    clippy::disallowed_types,
    reason = "looked up by key; what walks one sorts, or does not depend on order"
)]

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use decalog_fix::session::Route;
use decalog_runtime::Digest;
use xxhash_rust::xxh3::xxh3_128;
use zerocopy::IntoBytes;

use super::snapshot::OrderForm;
use crate::engine::{Price, Quantity, Side};
use crate::value::{ClOrdId, OrdStatus, OrdType, TimeInForce};

/// How many orders that are done are kept for status requests and late cancels. Older ones are gone, except that their
/// ClOrdIDs stay taken until the day ends.
const DONE_KEPT: usize = 1 << 17;
/// How many ClOrdIDs a session may use in a day: what bounds their memory, at some 30 bytes each.
pub(super) const MAX_IDS: usize = 1 << 25;

type Index<K, V> = HashMap<K, V, BuildHasherDefault<Fold>>;

/// Spreads one number over 64 bits: a multiplication, its halves folded. Keys are order ids, which the unit gives, and
/// hashes, so nothing stronger is needed.
#[derive(Default)]
struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.0 ^ number) * 0x9e37_79b9_7f4a_7c15;
        let [low, high] =
            [product & u128::from(u64::MAX), product >> 64].map(|half| u64::try_from(half).unwrap_or(0));
        self.0 = low ^ high;
    }

    fn write_u128(&mut self, number: u128) {
        let low = u64::try_from(number & u128::from(u64::MAX)).unwrap_or(0);
        self.write_u64(low);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
}

/// An order the exchange knows.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// OrderID (37); a replace keeps it.
    pub(super) id: u64,
    pub(super) session: u32,
    pub(super) account: u32,
    pub(super) instrument: u32,
    /// The name it goes by: the newest of its chain.
    pub(super) cl_ord_id: ClOrdId,
    pub(super) side: Side,
    pub(super) ord_type: OrdType,
    pub(super) time_in_force: TimeInForce,
    /// Its limit; none for market orders.
    pub(super) price: Option<Price>,
    /// OrderQty (38), in lots.
    pub(super) quantity: Quantity,
    /// CumQty (14), in lots.
    pub(super) traded: Quantity,
    /// The sum of ticks times lots over its trades.
    pub(super) notional: i128,
    /// How it ended, once it has.
    pub(super) done: Option<Done>,
    /// The way back to who is behind the session, if that was said.
    pub(super) route: Option<Box<Route>>,
}

/// The end of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) status: OrdStatus,
    /// The how-manieth order of the unit to end: the oldest are forgotten first.
    pub(super) number: u64,
}

impl Order {
    /// OrdStatus (39).
    pub(super) fn status(&self) -> OrdStatus {
        match self.done {
            Some(done) => done.status,
            None if self.traded == Quantity::ZERO => OrdStatus::New,
            None => OrdStatus::PartiallyFilled,
        }
    }

    /// LeavesQty (151), in lots.
    pub(super) fn leaves(&self) -> Quantity {
        match self.done {
            Some(_) => Quantity::ZERO,
            None => Quantity(self.quantity.0 - self.traded.0),
        }
    }

    fn digest(&self) -> Digest {
        Digest::of(OrderForm::from(self).as_bytes())
    }
}

/// The orders of a unit.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Where each lies in `slots`. An order is large: found by hash, it would cost several cache misses, and a table that
    /// grows would move them all.
    places: Index<u64, u32>,
    slots: Vec<Option<Order>>,
    free: Vec<u32>,
    /// Those that are done, oldest first.
    done: VecDeque<u64>,
    /// How many have ended, ever.
    ended: u64,
    digest: Digest,
}

impl Orders {
    pub(super) fn get(&self, id: u64) -> Option<&Order> {
        self.slots[*self.places.get(&id)? as usize].as_ref()
    }

    /// Takes an order in.
    pub(super) fn insert(&mut self, order: Order) {
        self.digest = self.digest.with(order.digest());
        if order.done.is_some() {
            self.done.push_back(order.id);
        }
        let id = order.id;
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("memory ends before 2^32 orders do")
        });
        self.slots[place as usize] = Some(order);
        let before = self.places.insert(id, place);
        debug_assert!(before.is_none(), "order {id} is new");
    }

    /// Changes a known order.
    pub(super) fn update(&mut self, id: u64, change: impl FnOnce(&mut Order)) -> &Order {
        let place = self.places.get(&id).map(|place| *place as usize);
        let order =
            place.and_then(|place| self.slots[place].as_mut()).expect("an order of the book is known");
        self.digest = self.digest.without(order.digest());
        change(order);
        self.digest = self.digest.with(order.digest());
        order
    }

    /// Ends a live order; forgets the one that ended longest ago if too many are kept.
    pub(super) fn finish(&mut self, id: u64, status: OrdStatus) {
        self.ended += 1;
        let number = self.ended;
        self.update(id, |order| order.done = Some(Done { status, number }));
        self.done.push_back(id);
        if self.done.len() > DONE_KEPT {
            self.forget_oldest();
        }
    }

    /// Forgets all that are done.
    pub(super) fn forget_done(&mut self) {
        while !self.done.is_empty() {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(place) = self.done.pop_front().and_then(|id| self.places.remove(&id)) else { return };
        if let Some(order) = self.slots[place as usize].take() {
            self.digest = self.digest.without(order.digest());
        }
        self.free.push(place);
    }

    /// Whether any known order is of this instrument.
    pub(super) fn any_of(&self, instrument: u32) -> bool {
        self.slots.iter().flatten().any(|order| order.instrument == instrument)
    }

    /// How many are known.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Those that are done, oldest first.
    pub(super) fn done(&self) -> impl ExactSizeIterator<Item = &Order> {
        self.done
            .iter()
            .map(|id| self.get(*id).expect("an order that is done is known until it is forgotten"))
    }

    pub(super) fn ended(&self) -> u64 {
        self.ended
    }

    /// Makes room, and sets how many have ended.
    pub(super) fn prepare(&mut self, orders: usize, ended: u64) {
        self.places.reserve(orders);
        self.slots.reserve(orders);
        self.ended = ended;
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest.then(&self.ended.to_le_bytes())
    }
}

/// The ClOrdIDs that a session has used today, by their hashes, each with the order it names (0: none).
#[derive(Debug, Default)]
pub(super) struct ClOrdIds {
    used: Index<u128, u64>,
    digest: Digest,
}

impl ClOrdIds {
    /// The order that the id names; `Some(0)` if it was used for none, `None` if it was not used.
    pub(super) fn find(&self, id: ClOrdId) -> Option<u64> {
        self.used.get(&xxh3_128(id.as_bytes())).copied()
    }

    /// Whether no more ids may be used today.
    pub(super) fn is_full(&self) -> bool {
        self.used.len() >= MAX_IDS
    }

    /// Takes an unused id, unless too many are taken.
    pub(super) fn take(&mut self, id: ClOrdId, order: u64) {
        if !self.is_full() {
            self.insert(xxh3_128(id.as_bytes()), order);
        }
    }

    pub(super) fn insert(&mut self, hash: u128, order: u64) {
        if self.used.insert(hash, order).is_none() {
            self.digest = self.digest.with(entry(hash, order));
        }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        *self = ClOrdIds::default();
    }

    /// All of them, sorted.
    pub(super) fn sorted(&self) -> Vec<(u128, u64)> {
        let mut all: Vec<_> = self.used.iter().map(|(hash, order)| (*hash, *order)).collect();
        all.sort_unstable();
        all
    }

    pub(super) fn reserve(&mut self, ids: usize) {
        self.used.reserve(ids);
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }
}

fn entry(hash: u128, order: u64) -> Digest {
    let mut bytes = [0; 24];
    bytes[..16].copy_from_slice(&hash.to_le_bytes());
    bytes[16..].copy_from_slice(&order.to_le_bytes());
    Digest::of(&bytes)
}
