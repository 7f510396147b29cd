//! An exchange.

pub mod api;
pub mod command;
pub mod engine;
pub mod event;
pub mod projection;
pub mod state;
pub mod value;
