//! A FIX 4.4 engine.

pub mod acceptor;
pub mod codec;
mod connection;
pub mod decimal;
pub mod dictionary;
mod endpoint;
pub mod guard;
pub mod initiator;
pub mod message;
pub mod outbound;
pub mod sabotage;
pub mod session;
pub mod store;
pub mod time;
