//! A FIX 4.4 engine.

pub mod dictionary;
pub mod sabotage;
pub mod session;
pub mod time;
