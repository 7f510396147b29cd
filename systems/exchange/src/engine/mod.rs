//! The matching engine: one instrument's limit order book with price-time priority.
//!
//! Pure: no clock, no I/O, no randomness, nothing that iterates in hash order. Everything outside arrives as an argument; everything
//! that happens leaves through the caller's [`Reports`]. What a session, an account or a day is, the caller knows: the engine
//! knows orders, prices in ticks and quantities in lots.
//!
//! ```
//! use decalog_exchange::engine::*;
//!
//! let mut book = OrderBook::new(SelfTrade::Allow);
//! let ask = NewOrder {
//!     id: OrderId(1),
//!     owner: Owner(7),
//!     side: Side::Sell,
//!     kind: Kind::Limit(Price(100)),
//!     quantity: Quantity(5),
//!     time_in_force: TimeInForce::Day,
//! };
//! book.submit(&ask, &mut Discard)?;
//! let bid = NewOrder { id: OrderId(2), side: Side::Buy, kind: Kind::Limit(Price(101)), quantity: Quantity(8), ..ask };
//! let outcome = book.submit(&bid, &mut Discard)?;
//! assert_eq!((outcome.traded, outcome.resting), (Quantity(5), Quantity(3)));
//! assert_eq!(book.best(Side::Buy).map(|level| level.price), Some(Price(101)));
//! # Ok::<(), Refusal>(())
//! ```
//!
//! # Rules
//!
//! - The best price trades first, and at one price the order that has waited longest. Every trade is at the resting order's price.
//! - What is left of a limit order rests (Day, GTC), or is cancelled (IOC; market orders whatever their time in force). A
//!   FOK trades in full or is cancelled whole; all makers within its limit count.
//! - A replace at the same price for no more quantity keeps its place. Any other takes the order out and brings it in anew, so it
//!   may trade. Quantities in a replace are open quantities: FIX OrderQty (38) less CumQty (14).
//! - A refusal changes nothing and reports nothing. Ids must be unique among resting orders; a dead id may come again.
//! - An order may be kept from trading with one of its own [`Owner`]: see [`SelfTrade`]. A FOK does not count own orders then.
//!
//! These are the rules of FIX 4.4 (volume 7, "Order State Changes", matrices D) where it has any, and of price-time venues
//! (Nasdaq, Xetra, CME's algorithm F) where it leaves them open.
//!
//! # How it is built, and what it costs
//!
//! ```text
//! id ──▶ index ──▶ orders (slab, 32 bytes each, linked oldest → newest) ──▶ ladder (levels, 64 to a page) ◀── directory ◀── price
//! ```
//!
//! | request | cost |
//! |---|---|
//! | submit that rests, cancel, replace, look up | O(1); opening or closing a level: a bitmap search of three words |
//! | submit that trades | O(makers traded with) |
//! | FOK | O(levels within its limit) more; with self-trade prevention O(orders there) |
//! | best price, level at a price | O(1) |
//! | depth, snapshot | O(what is read) |
//! | restore | O(orders) |
//!
//! Far from the market (beyond two million ticks) levels are found through an ordered map: O(log pages) instead of O(1). Memory
//! grows by doubling to the most orders that ever rested at once and is then reused; in steady state nothing is allocated.
//!
//! - [`OrderBook`]: `book` takes requests, `matching` trades, `depth` answers questions, `digest` fingerprints.
//! - `orders`, `index`, `ladder`, `directory`: the storage, on the pages that `memory` asks for; they know no rule of trading.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod book;
mod depth;
mod digest;
mod directory;
mod index;
mod ladder;
mod matching;
mod memory;
mod order;
mod orders;
mod reports;
#[cfg(test)]
mod tests;

pub use book::OrderBook;
pub use order::{
    CancelReason, Kind, LevelView, MAX_ORDERS, MAX_PAGES, NewOrder, OrderId, Outcome, Owner, Price, Quantity,
    Refusal, RestingOrder, SelfTrade, Side, TimeInForce,
};
pub use reports::{Discard, Reports, Trade};
