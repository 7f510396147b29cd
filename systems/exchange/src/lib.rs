//! An exchange.

pub mod command;
pub mod engine;
pub mod event;
pub mod value;
