//! A FIX 4.4 engine.

pub mod codec;
pub mod decimal;
pub mod dictionary;
pub mod guard;
pub mod message;
pub mod outbound;
pub mod sabotage;
pub mod session;
pub mod store;
pub mod time;
