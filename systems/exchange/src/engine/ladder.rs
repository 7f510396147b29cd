//! The price levels of a book, both sides in one: pages of 64 neighbouring ticks, found through [`Directory`](super::directory).
//!
//! One ladder serves both sides because a book is never crossed: every level at or below the best bid is a bid, every other
//! one an ask, and no price is both. A page exists while any of its levels holds an order, so empty pages cost nothing and never need skipping.

use std::ops::{Index, IndexMut};

use super::directory::Directory;
use super::order::Side;
use super::orders::NIL;

/// log2 of the levels in a page, which is a machine word of mask bits.
const PAGE_BITS: u32 = 6;
const PAGE_MASK: u32 = (1 << PAGE_BITS) - 1;

/// The queue at one price.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(super) struct Level {
    pub(super) price: i64,
    /// The sum of what its orders have open.
    pub(super) quantity: u64,
    pub(super) orders: u32,
    pub(super) oldest: u32,
    pub(super) newest: u32,
    pub(super) side: Side,
}

impl Level {
    const EMPTY: Level =
        Level { price: 0, quantity: 0, orders: 0, oldest: NIL, newest: NIL, side: Side::Buy };
}

/// 64 neighbouring prices: the `key`-th such group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) key: i64,
    /// The levels that hold orders; zero marks a free page.
    pub(super) mask: u64,
}

/// Price levels, addressed by price or by number (page × 64 + the price's low bits).
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    levels: Vec<Level>,
    pages: Vec<Page>,
    free: Vec<u32>,
    directory: Directory,
}

fn key_of(price: i64) -> i64 {
    price >> PAGE_BITS
}

#[expect(clippy::cast_possible_truncation, reason = "masked to six bits")]
fn offset_of(price: i64) -> u32 {
    price.cast_unsigned() as u32 & PAGE_MASK
}

impl Ladder {
    pub(super) fn new() -> Self {
        Self { levels: Vec::new(), pages: Vec::new(), free: Vec::new(), directory: Directory::new() }
    }

    /// How many pages hold levels.
    #[expect(clippy::cast_possible_truncation, reason = "a book refuses pages beyond MAX_PAGES")]
    pub(super) fn pages(&self) -> u32 {
        (self.pages.len() - self.free.len()) as u32
    }

    /// Whether a level at this price would need no new page.
    pub(super) fn has_page(&self, price: i64) -> bool {
        self.directory.find(key_of(price)) != NIL
    }

    /// The level at a price, or [`NIL`] if nothing rests there.
    pub(super) fn find(&self, price: i64) -> u32 {
        let page = self.directory.find(key_of(price));
        if page == NIL || self.pages[page as usize].mask >> offset_of(price) & 1 == 0 {
            return NIL;
        }
        page << PAGE_BITS | offset_of(price)
    }

    /// The level at a price, opened if need be. An opened level is empty: an order must follow.
    #[inline]
    pub(super) fn open(&mut self, side: Side, price: i64) -> u32 {
        let mut page = self.directory.find(key_of(price));
        if page == NIL {
            page = self.add_page(key_of(price));
        }
        let bit = 1 << offset_of(price);
        let number = page << PAGE_BITS | offset_of(price);
        let entry = &mut self.pages[page as usize];
        if entry.mask & bit == 0 {
            entry.mask |= bit;
            self[number] = Level { price, side, ..Level::EMPTY };
        }
        number
    }

    #[expect(clippy::cast_possible_truncation, reason = "a book refuses pages beyond MAX_PAGES")]
    fn add_page(&mut self, key: i64) -> u32 {
        let page = Page { key, mask: 0 };
        let number = if let Some(number) = self.free.pop() {
            self.pages[number as usize] = page;
            number
        } else {
            self.pages.push(page);
            self.levels.resize(self.pages.len() << PAGE_BITS, Level::EMPTY);
            (self.pages.len() - 1) as u32
        };
        self.directory.insert(key, number, &self.pages);
        number
    }

    /// Closes a level that has lost its last order.
    #[inline]
    pub(super) fn close(&mut self, number: u32) {
        let page = &mut self.pages[(number >> PAGE_BITS) as usize];
        page.mask &= !(1 << (number & PAGE_MASK));
        if page.mask == 0 {
            self.directory.remove(page.key);
            self.free.push(number >> PAGE_BITS);
        }
    }

    /// The nearest level that holds orders below this one, or [`NIL`].
    #[inline]
    pub(super) fn below(&self, number: u32) -> u32 {
        let mut page = number >> PAGE_BITS;
        let Page { key, mask } = self.pages[page as usize];
        let mut mask = mask & ((1 << (number & PAGE_MASK)) - 1);
        if mask == 0 {
            page = self.directory.below(key);
            if page == NIL {
                return NIL;
            }
            mask = self.pages[page as usize].mask;
        }
        page << PAGE_BITS | (PAGE_MASK - mask.leading_zeros())
    }

    /// The nearest level that holds orders above this one, or [`NIL`].
    #[inline]
    pub(super) fn above(&self, number: u32) -> u32 {
        let mut page = number >> PAGE_BITS;
        let Page { key, mask } = self.pages[page as usize];
        let mut mask = mask & (u64::MAX << 1 << (number & PAGE_MASK));
        if mask == 0 {
            page = self.directory.above(key);
            if page == NIL {
                return NIL;
            }
            mask = self.pages[page as usize].mask;
        }
        page << PAGE_BITS | mask.trailing_zeros()
    }

    /// Tells where the market is, so that the directory can move its quick window there.
    #[inline]
    pub(super) fn touch(&mut self, price: i64) {
        if self.directory.is_strained() {
            self.directory.recentre(key_of(price), &self.pages);
        }
    }
}

impl Index<u32> for Ladder {
    type Output = Level;

    #[inline]
    fn index(&self, number: u32) -> &Level {
        &self.levels[number as usize]
    }
}

impl IndexMut<u32> for Ladder {
    #[inline]
    fn index_mut(&mut self, number: u32) -> &mut Level {
        &mut self.levels[number as usize]
    }
}
