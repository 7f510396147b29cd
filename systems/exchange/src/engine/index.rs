//! Finds an order's slot by its id: open addressing with linear probing and no tombstones. Never iterated, so its order
//! decides nothing.
//!
//! An entry is eight bytes: a tag and the slot. The tag is the Fibonacci hash of the id's block of eight neighbouring ids,
//! and the id's place in the block. A block's home is one cache line of the table, so that orders that came together, with ids in
//! sequence, lie together: what is young is in the cache. The tag tells the home, so growing and closing gaps need not look
//! at the orders themselves.

use super::memory;
use super::orders::{NIL, Orders};

/// 2^64 divided by the golden ratio: spreads sequential and strided ids evenly (Knuth, TAOCP 3, 6.4).
const FIBONACCI: u64 = 0x9E37_79B9_7F4A_7C15;
/// What [`memory::zeroes`] fills with.
const EMPTY: u64 = 0;
const MIN_BITS: u32 = 6;
/// log2 of the ids in a block, and of the entries in a cache line.
const BLOCK_BITS: u32 = 3;
const BLOCK_MASK: u64 = (1 << BLOCK_BITS) - 1;
/// Bits of a tag, the hash's share of them on top.
const TAG_BITS: u32 = 32;

/// id → slot.
#[derive(Clone, Debug)]
pub(super) struct OrderIndex {
    /// `tag << 32 | slot + 1`, or [`EMPTY`].
    entries: Vec<u64>,
    /// log2 of `entries.len()`; at most 32.
    bits: u32,
    mask: usize,
    len: usize,
}

fn tag(id: u64) -> u64 {
    let hash = (id >> BLOCK_BITS).wrapping_mul(FIBONACCI) >> (64 - TAG_BITS);
    hash & !BLOCK_MASK | id & BLOCK_MASK
}

fn entry(tag: u64, slot: u32) -> u64 {
    tag << TAG_BITS | u64::from(slot + 1)
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
        Self { entries: memory::zeroes(1 << bits), bits, mask: (1 << bits) - 1, len: 0 }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a tag shifted so has at most `bits` bits")]
    fn home(&self, tag: u64) -> usize {
        ((tag >> (TAG_BITS - self.bits)) & !BLOCK_MASK | tag & BLOCK_MASK) as usize
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
            if entry >> TAG_BITS == tag && orders[slot_of(entry)].id == id {
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
            let from_home = at.wrapping_sub(self.home(entry >> TAG_BITS)) & self.mask;
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
        self.entries = memory::zeroes(1 << self.bits);
        for entry in old.into_iter().filter(|&entry| entry != EMPTY) {
            self.place(entry >> TAG_BITS, entry);
        }
    }
}
