//! A FIX 4.4 engine.

pub mod dictionary;
pub mod session;
pub mod time;
