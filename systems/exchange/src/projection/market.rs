//! All public pictures of the exchange: one listing per instrument, and how far each unit has come.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use super::book::Picture;
use crate::command::Instrument;

/// An instrument with its picture.
#[derive(Debug)]
pub struct Listing {
    /// The instrument, as it is installed.
    pub instrument: Instrument,
    /// Its book and trades.
    pub picture: Picture,
}

/// Every listed instrument. The list is fixed at start; the pictures move.
#[derive(Debug, Default)]
pub struct Market {
    listings: BTreeMap<String, Listing>,
    /// By unit: the next offset that the pictures have not seen.
    offsets: BTreeMap<u16, AtomicU64>,
}

impl Market {
    /// An empty market.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a unit with its instruments, whose pictures hold everything below `offset`.
    pub fn add_unit(&mut self, unit: u16, offset: u64, listings: impl IntoIterator<Item = Listing>) {
        self.offsets.insert(unit, AtomicU64::new(offset));
        let named = listings.into_iter().map(|listing| (listing.instrument.symbol.to_string(), listing));
        self.listings.extend(named);
    }

    /// All listings, in the order of their symbols.
    pub fn listings(&self) -> impl Iterator<Item = &Listing> {
        self.listings.values()
    }

    /// The listing of a symbol.
    pub fn listing(&self, symbol: &str) -> Option<&Listing> {
        self.listings.get(symbol)
    }

    /// The pictures of a unit now hold everything below `offset`.
    pub fn advanced(&self, unit: u16, offset: u64) {
        if let Some(at) = self.offsets.get(&unit) {
            at.fetch_max(offset, Ordering::Release);
        }
    }

    /// How far each unit has come, as `unit:offset` pairs; read before or after the pictures, it may differ from
    /// them by what happened in between.
    pub fn offsets(&self) -> String {
        let mut text = String::new();
        for (unit, offset) in &self.offsets {
            let separator = if text.is_empty() { "" } else { "," };
            // Writing into a String cannot fail.
            let _ = write!(text, "{separator}{unit}:{}", offset.load(Ordering::Acquire));
        }
        text
    }
}
