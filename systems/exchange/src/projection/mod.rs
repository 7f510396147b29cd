//! Read models fed by the exchange's events: each can be thrown away and rebuilt.

pub mod book;
pub mod market;
