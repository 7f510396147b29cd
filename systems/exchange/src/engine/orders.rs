//! The slab of resting orders. Each slot is half a cache line and links to its neighbours in the queue of its level.

use std::ops::{Index, IndexMut};

use super::memory;

/// No slot, no level, no page.
pub(super) const NIL: u32 = u32::MAX;

/// A resting order. Its side and price are its level's.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(super) struct Order {
    pub(super) id: u64,
    /// The lower half of the open lots, which are never zero while it rests.
    quantity_low: u32,
    /// Its level's number (23 bits) above the open lots' upper 8 bits.
    level_and_high: u32,
    pub(super) owner: u32,
    /// The order before it in time, or [`NIL`].
    pub(super) older: u32,
    /// The order after it, or [`NIL`]; in a free slot the next free slot.
    pub(super) newer: u32,
    /// The [`tag`](Order::tag) of the order before it, if there is one.
    pub(super) older_tag: u16,
    /// The tag of the order after it, if there is one.
    pub(super) newer_tag: u16,
}

// Half a cache line: no order lies on two.
const _: () = assert!(size_of::<Order>() == 32);

impl Order {
    /// An order that stands in no level yet.
    pub(super) fn new(id: u64, owner: u32, quantity: u64) -> Self {
        let mut order = Self {
            id,
            quantity_low: 0,
            level_and_high: 0,
            owner,
            older: NIL,
            newer: NIL,
            older_tag: 0,
            newer_tag: 0,
        };
        order.set_quantity(quantity);
        order
    }

    /// Open lots, at most 2^40 − 1.
    #[inline]
    pub(super) fn quantity(&self) -> u64 {
        u64::from(self.level_and_high & 0xFF) << 32 | u64::from(self.quantity_low)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "split into its halves")]
    pub(super) fn set_quantity(&mut self, quantity: u64) {
        self.quantity_low = quantity as u32;
        self.level_and_high = self.level_and_high & !0xFF | (quantity >> 32) as u32 & 0xFF;
    }

    #[inline]
    pub(super) fn level(&self) -> u32 {
        self.level_and_high >> 8
    }

    #[inline]
    pub(super) fn set_level(&mut self, level: u32) {
        self.level_and_high = level << 8 | self.level_and_high & 0xFF;
    }

    /// What its neighbours keep of its id, for the digest.
    #[inline]
    pub(super) fn tag(&self) -> u16 {
        (self.id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as u16
    }
}

/// Slots by number; freed slots are taken again last-in first-out, while they are still in the cache.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    slots: Vec<Order>,
    free: u32,
    live: u32,
}

impl Orders {
    pub(super) fn with_capacity(orders: u32) -> Self {
        Self { slots: memory::with_capacity(orders as usize), free: NIL, live: 0 }
    }

    /// How many slots are taken.
    pub(super) fn live(&self) -> u32 {
        self.live
    }

    /// Takes a slot for an order.
    #[inline]
    pub(super) fn insert(&mut self, order: Order) -> u32 {
        self.live += 1;
        let slot = self.free;
        if slot == NIL {
            return self.extend(order);
        }
        let free = &mut self[slot];
        let next = free.newer;
        *free = order;
        self.free = next;
        slot
    }

    #[expect(clippy::cast_possible_truncation, reason = "a book refuses orders beyond MAX_ORDERS")]
    fn extend(&mut self, order: Order) -> u32 {
        if self.slots.len() == self.slots.capacity() {
            memory::double(&mut self.slots);
        }
        self.slots.push(order);
        (self.slots.len() - 1) as u32
    }

    /// Gives a slot back.
    #[inline]
    pub(super) fn remove(&mut self, slot: u32) {
        let free = self.free;
        self[slot].newer = free;
        self.free = slot;
        self.live -= 1;
    }
}

impl Index<u32> for Orders {
    type Output = Order;

    #[inline]
    fn index(&self, slot: u32) -> &Order {
        &self.slots[slot as usize]
    }
}

impl IndexMut<u32> for Orders {
    #[inline]
    fn index_mut(&mut self, slot: u32) -> &mut Order {
        &mut self.slots[slot as usize]
    }
}
