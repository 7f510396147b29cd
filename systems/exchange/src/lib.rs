//! An exchange.

pub mod engine;
