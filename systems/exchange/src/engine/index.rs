//! Finds an order's slot by its id: open addressing with linear probing and no tombstones. Never iterated, so its order
//! decides nothing.
//!
//! An entry is eight bytes: the upper half of the id's Fibonacci hash, and the slot. The hash's top bits are also the
//! entry's home, so growing and closing gaps need not look at the orders themselves.

use super::orders::{NIL, Orders};

/// 2^64 divided by the golden ratio: spreads sequential and strided ids evenly (Knuth, TAOCP 3, 6.4).
const FIBONACCI: u64 = 0x9E37_79B9_7F4A_7C15;
const EMPTY: u64 = 0;
const MIN_BITS: u32 = 6;

/// id → slot.
#[derive(Clone, Debug)]
pub(super) struct OrderIndex {
    /// `hash's upper half << 32 | slot + 1`, or [`EMPTY`].
    entries: Vec<u64>,
    /// log2 of `entries.len()`; at most 32.
    bits: u32,
    mask: usize,
    len: usize,
}

fn tag(id: u64) -> u64 {
    id.wrapping_mul(FIBONACCI) >> 32
}

fn entry(tag: u64, slot: u32) -> u64 {
    tag << 32 | u64::from(slot + 1)
}

/// The slot of an entry that is not empty.
#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is meant")]
fn slot_of(entry: u64) -> u32 {
    (entry as u32).wrapping_sub(1)
}

impl OrderIndex {
    /// An index that holds `orders` entries without growing.
    pub(super) fn with_capacity(orders: u32) -> Self {
        let bits = (u64::from(orders) * 2).next_power_of_two().trailing_zeros().max(MIN_BITS);
        Self { entries: vec![EMPTY; 1 << bits], bits, mask: (1 << bits) - 1, len: 0 }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a tag shifted so has at most `bits` bits")]
    fn home(&self, tag: u64) -> usize {
        (tag >> (32 - self.bits)) as usize
    }

    /// The slot of the live order with this id, or [`NIL`].
    #[inline]
    pub(super) fn find(&self, id: u64, orders: &Orders) -> u32 {
        let tag = tag(id);
        let mut at = self.home(tag);
        loop {
            let entry = self.entries[at];
            if entry == EMPTY {
                return NIL;
            }
            if entry >> 32 == tag && orders[slot_of(entry)].id == id {
                return slot_of(entry);
            }
            at = (at + 1) & self.mask;
        }
    }

    /// Adds an id that is not in the index.
    #[inline]
    pub(super) fn insert(&mut self, id: u64, slot: u32) {
        if self.len * 2 >= self.entries.len() {
            self.grow();
        }
        self.len += 1;
        let tag = tag(id);
        self.place(tag, entry(tag, slot));
    }

    fn place(&mut self, tag: u64, entry: u64) {
        let mut at = self.home(tag);
        while self.entries[at] != EMPTY {
            at = (at + 1) & self.mask;
        }
        self.entries[at] = entry;
    }

    /// Takes out an id that is in the index, and closes the gap, so that a later search may stop at the first empty entry.
    #[inline]
    pub(super) fn remove(&mut self, id: u64, slot: u32) {
        let tag = tag(id);
        let sought = entry(tag, slot);
        let mut gap = self.home(tag);
        while self.entries[gap] != sought {
            debug_assert_ne!(self.entries[gap], EMPTY, "order {id} is in the index");
            gap = (gap + 1) & self.mask;
        }
        self.len -= 1;
        let mut at = gap;
        loop {
            at = (at + 1) & self.mask;
            let entry = self.entries[at];
            if entry == EMPTY {
                break;
            }
            // An entry may move back to the gap if that does not carry it before its home.
            let from_home = at.wrapping_sub(self.home(entry >> 32)) & self.mask;
            if from_home >= at.wrapping_sub(gap) & self.mask {
                self.entries[gap] = entry;
                gap = at;
            }
        }
        self.entries[gap] = EMPTY;
    }

    #[cold]
    fn grow(&mut self) {
        let old = std::mem::take(&mut self.entries);
        self.bits += 1;
        self.mask = (1 << self.bits) - 1;
        self.entries = vec![EMPTY; 1 << self.bits];
        for entry in old.into_iter().filter(|&entry| entry != EMPTY) {
            self.place(entry >> 32, entry);
        }
    }
}
