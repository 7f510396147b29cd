//! The matching engine: one instrument's limit order book with price-time priority. Pure: no clock, no I/O, no randomness.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod book;
mod depth;
mod digest;
mod directory;
mod index;
mod ladder;
mod matching;
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
