//! The JSON of the REST and WebSocket doors, converted by hand from the exchange's own types.
//!
//! Prices and quantities are decimal strings with all digits of the instrument's scale, so that no client loses
//! one to binary fractions. Times are nanoseconds since 1970 UTC, as a string for the same reason.

use serde::Serialize;

use crate::command;
use crate::projection::book::{Change, Depth, Level, Numbered, PublicTrade};
use crate::value::{self, Decimal};

/// An instrument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instrument {
    /// Its name.
    pub symbol: String,
    /// The smallest price step.
    pub tick_size: String,
    /// The smallest quantity step.
    pub lot_size: String,
    /// The lowest price an order may name.
    pub lowest_price: String,
    /// The highest.
    pub highest_price: String,
    /// The most an order may ask for.
    pub largest_quantity: String,
}

/// All instruments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instruments {
    /// In the order of their symbols.
    pub instruments: Vec<Instrument>,
}

/// All orders of one side at one price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PriceLevel {
    /// The price.
    pub price: String,
    /// What is offered or asked for.
    pub quantity: String,
    /// How many orders that is.
    pub orders: u32,
}

/// A book, best prices first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Book {
    /// The instrument.
    pub symbol: String,
    /// The number of the last change in it.
    pub sequence: u64,
    /// Highest price first.
    pub bids: Vec<PriceLevel>,
    /// Lowest price first.
    pub asks: Vec<PriceLevel>,
}

/// A side of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Buyers.
    Bid,
    /// Sellers.
    Ask,
}

/// A trade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trade {
    /// Its number; later trades of the instrument have higher ones.
    pub id: String,
    /// The price.
    pub price: String,
    /// The quantity.
    pub quantity: String,
    /// The side whose order came second.
    pub aggressor: Side,
    /// Nanoseconds since 1970 UTC.
    pub time: String,
}

/// The latest trades.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trades {
    /// The instrument.
    pub symbol: String,
    /// Newest first.
    pub trades: Vec<Trade>,
}

/// A message of the live feed: first a snapshot, then every change with the next sequence number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum FeedMessage {
    /// The whole book.
    Snapshot(Book),
    /// A level is now this; quantity 0 takes it away.
    Level {
        /// One more than that of the message before.
        sequence: u64,
        /// Which side.
        side: Side,
        /// The level.
        #[serde(flatten)]
        level: PriceLevel,
    },
    /// A trade.
    Trade {
        /// One more than that of the message before.
        sequence: u64,
        /// The trade.
        #[serde(flatten)]
        trade: Trade,
    },
}

impl From<&Level> for PriceLevel {
    fn from(level: &Level) -> Self {
        Self { price: level.price.to_string(), quantity: level.quantity.to_string(), orders: level.orders }
    }
}

impl From<&PublicTrade> for Trade {
    fn from(trade: &PublicTrade) -> Self {
        Self {
            id: trade.id.to_string(),
            price: trade.price.to_string(),
            quantity: trade.quantity.to_string(),
            aggressor: trade.aggressor.into(),
            time: trade.time.to_string(),
        }
    }
}

impl Book {
    /// The book of a symbol.
    pub fn new(symbol: &str, depth: &Depth) -> Self {
        Self {
            symbol: symbol.to_owned(),
            sequence: depth.sequence,
            bids: depth.bids.iter().map(PriceLevel::from).collect(),
            asks: depth.asks.iter().map(PriceLevel::from).collect(),
        }
    }
}

impl From<&Numbered> for FeedMessage {
    fn from(numbered: &Numbered) -> Self {
        let sequence = numbered.sequence;
        match &numbered.change {
            Change::Level(side, level) => {
                FeedMessage::Level { sequence, side: (*side).into(), level: level.into() }
            }
            Change::Trade(trade) => FeedMessage::Trade { sequence, trade: trade.into() },
        }
    }
}

impl From<&command::Instrument> for Instrument {
    fn from(instrument: &command::Instrument) -> Self {
        let price = |mantissa| Decimal::new(mantissa, instrument.price_scale).to_string();
        // Quantities of the exchange are far below the 63 bits that fit.
        let quantity = |units: u64| {
            Decimal::new(i64::try_from(units).unwrap_or(i64::MAX), instrument.quantity_scale).to_string()
        };
        Self {
            symbol: instrument.symbol.to_string(),
            tick_size: price(instrument.tick_size),
            lot_size: quantity(instrument.lot_size),
            lowest_price: price(instrument.price_low),
            highest_price: price(instrument.price_high),
            largest_quantity: quantity(instrument.quantity_max),
        }
    }
}

impl From<value::Side> for Side {
    fn from(side: value::Side) -> Self {
        if side == value::Side::Buy { Side::Bid } else { Side::Ask }
    }
}
