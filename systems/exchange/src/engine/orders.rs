//! The slab of resting orders. Each slot is half a cache line and links to its neighbours in the queue of its level.

use std::ops::{Index, IndexMut};

/// No slot, no level, no page.
pub(super) const NIL: u32 = u32::MAX;

/// A resting order. Its side and price are its level's.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(super) struct Order {
    pub(super) id: u64,
    /// Open lots; never zero while it rests.
    pub(super) quantity: u64,
    pub(super) owner: u32,
    pub(super) level: u32,
    /// The order before it in time, or [`NIL`].
    pub(super) older: u32,
    /// The order after it, or [`NIL`]; in a free slot the next free slot.
    pub(super) newer: u32,
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
        Self { slots: Vec::with_capacity(orders as usize), free: NIL, live: 0 }
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
