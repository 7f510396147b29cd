//! Which page covers which prices, and which page comes next: an array over a window of prices with a bitmap hierarchy above
//! it, and an ordered map for the few pages that lie outside the window.
//!
//! The window starts at the first price, doubles while it can, and follows the market once it has moved away for long.
//! Where the window lies changes how long an answer takes, never the answer.

use std::collections::BTreeMap;

use super::ladder::Page;
use super::orders::NIL;

/// The widest window: 2^15 pages, 2,097,152 ticks, 128 KiB.
const MAX_WINDOW: usize = 1 << 15;
/// The first window: 256 pages, 16,384 ticks, 1 KiB.
const MIN_WINDOW: usize = 256;

/// Page key → page number, in order.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    /// The key of the window's first page; a multiple of 64, as is its length.
    base: i64,
    window: Vec<u32>,
    /// A bit per page of the window.
    words: Vec<u64>,
    /// A bit per word.
    tops: Vec<u64>,
    /// The pages outside the window.
    far: BTreeMap<i64, u32>,
    /// Insertions outside the window since it last moved.
    strain: u32,
}

impl Directory {
    pub(super) fn new() -> Self {
        Self {
            base: 0,
            window: Vec::new(),
            words: Vec::new(),
            tops: Vec::new(),
            far: BTreeMap::new(),
            strain: 0,
        }
    }

    /// A key's place in the window; beyond its length if it lies outside. Page keys have 58 bits, so nothing overflows.
    #[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits on every platform served")]
    fn place(&self, key: i64) -> usize {
        (key - self.base).cast_unsigned() as usize
    }

    /// The page with this key, or [`NIL`].
    #[inline]
    pub(super) fn find(&self, key: i64) -> u32 {
        match self.window.get(self.place(key)) {
            Some(&page) => page,
            None => self.find_far(key),
        }
    }

    #[cold]
    fn find_far(&self, key: i64) -> u32 {
        self.far.get(&key).copied().unwrap_or(NIL)
    }

    /// Adds a page; `pages` are all pages, this one included.
    pub(super) fn insert(&mut self, key: i64, page: u32, pages: &[Page]) {
        let place = self.place(key);
        if place < self.window.len() {
            self.set(place, page);
        } else {
            self.insert_far(key, page, pages);
        }
    }

    fn set(&mut self, place: usize, page: u32) {
        self.window[place] = page;
        self.words[place >> 6] |= 1 << (place & 63);
        self.tops[place >> 12] |= 1 << (place >> 6 & 63);
    }

    #[cold]
    fn insert_far(&mut self, key: i64, page: u32, pages: &[Page]) {
        self.far.insert(key, page);
        self.strain = self.strain.saturating_add(1);
        if let Some((base, len)) = self.wider(key) {
            self.rebuild(base, len, pages);
        }
    }

    /// A window that takes in this key as well, with room beyond it, unless that is too wide.
    fn wider(&self, key: i64) -> Option<(i64, usize)> {
        if self.window.is_empty() {
            return Some(((key - MIN_WINDOW.cast_signed() as i64 / 2) & !63, MIN_WINDOW));
        }
        let low = self.base.min(key & !63);
        let high = (self.base + self.window.len().cast_signed() as i64).max((key | 63) + 1);
        let len = usize::try_from(high - low).ok()?.checked_next_power_of_two()?;
        let slack = ((len.cast_signed() as i64 - (high - low)) / 2) & !63;
        (len <= MAX_WINDOW).then_some((low - slack, len))
    }

    /// Removes a page.
    #[inline]
    pub(super) fn remove(&mut self, key: i64) {
        let place = self.place(key);
        if place >= self.window.len() {
            self.far.remove(&key);
            return;
        }
        self.window[place] = NIL;
        let word = &mut self.words[place >> 6];
        *word &= !(1 << (place & 63));
        if *word == 0 {
            self.tops[place >> 12] &= !(1 << (place >> 6 & 63));
        }
    }

    /// The page with the highest key below this one, or [`NIL`].
    pub(super) fn below(&self, key: i64) -> u32 {
        let place = self.place(key);
        if place < self.window.len() {
            return match self.window_below(place) {
                NIL => self.far.range(..self.base).next_back().map_or(NIL, |(_, &page)| page),
                page => page,
            };
        }
        self.below_far(key)
    }

    #[cold]
    fn below_far(&self, key: i64) -> u32 {
        let far = self.far.range(..key).next_back();
        if key < self.base {
            return far.map_or(NIL, |(_, &page)| page);
        }
        match far {
            Some((&far, &page)) if far >= self.base => page,
            _ => match self.window_below(self.window.len()) {
                NIL => far.map_or(NIL, |(_, &page)| page),
                page => page,
            },
        }
    }

    /// The page with the lowest key above this one, or [`NIL`].
    pub(super) fn above(&self, key: i64) -> u32 {
        let place = self.place(key);
        if place < self.window.len() {
            return match self.window_from(place + 1) {
                NIL => self.far.range(self.base..).next().map_or(NIL, |(_, &page)| page),
                page => page,
            };
        }
        self.above_far(key)
    }

    #[cold]
    fn above_far(&self, key: i64) -> u32 {
        let far = self.far.range(key + 1..).next();
        if key >= self.base {
            return far.map_or(NIL, |(_, &page)| page);
        }
        match far {
            Some((&far, &page)) if far < self.base => page,
            _ => match self.window_from(0) {
                NIL => far.map_or(NIL, |(_, &page)| page),
                page => page,
            },
        }
    }

    /// The last page of the window before this place.
    fn window_below(&self, place: usize) -> u32 {
        let Some(last) = place.checked_sub(1) else {
            return NIL;
        };
        let mut word = last >> 6;
        let mut bits = self.words[word] & (u64::MAX >> (63 - (last & 63)));
        if bits == 0 {
            let mut top = word >> 6;
            let mut tops = self.tops[top] & !(u64::MAX << (word & 63));
            while tops == 0 {
                if top == 0 {
                    return NIL;
                }
                top -= 1;
                tops = self.tops[top];
            }
            word = top << 6 | tops.ilog2() as usize;
            bits = self.words[word];
        }
        self.window[word << 6 | bits.ilog2() as usize]
    }

    /// The first page of the window at this place or after it.
    fn window_from(&self, place: usize) -> u32 {
        if place >= self.window.len() {
            return NIL;
        }
        let mut word = place >> 6;
        let mut bits = self.words[word] & (u64::MAX << (place & 63));
        if bits == 0 {
            let mut top = word >> 6;
            let mut tops = self.tops[top] & (u64::MAX << 1 << (word & 63));
            while tops == 0 {
                top += 1;
                if top == self.tops.len() {
                    return NIL;
                }
                tops = self.tops[top];
            }
            word = top << 6 | tops.trailing_zeros() as usize;
            bits = self.words[word];
        }
        self.window[word << 6 | bits.trailing_zeros() as usize]
    }

    /// Whether so many pages opened outside the window that moving it has been earned.
    #[inline]
    pub(super) fn is_strained(&self) -> bool {
        self.strain > 1 << 12
    }

    /// Moves the window around this key, if it lies outside.
    #[cold]
    pub(super) fn recentre(&mut self, key: i64, pages: &[Page]) {
        self.strain = 0;
        if self.place(key) >= self.window.len() {
            let len = self.window.len();
            self.rebuild((key - len.cast_signed() as i64 / 2) & !63, len, pages);
        }
    }

    fn rebuild(&mut self, base: i64, len: usize, pages: &[Page]) {
        let held: Vec<(i64, u32)> = pages
            .iter()
            .zip(0..)
            .filter(|(page, number)| self.find(page.key) == *number)
            .map(|(page, number)| (page.key, number))
            .collect();
        self.base = base;
        self.window = vec![NIL; len];
        self.words = vec![0; len.div_ceil(64)];
        self.tops = vec![0; len.div_ceil(64 * 64)];
        self.far.clear();
        self.strain = 0;
        for (key, number) in held {
            let place = self.place(key);
            if place < len {
                self.set(place, number);
            } else {
                self.far.insert(key, number);
            }
        }
    }
}
