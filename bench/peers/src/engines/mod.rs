//! One adapter per engine: the same messages in, the same kinds of reports out. An adapter does what the engine's own
//! documentation shows, and translates nothing that could be translated beforehand.

mod decalog;
mod lobster;
mod matchcore;
mod nanobook;

pub(crate) use decalog::Decalog;
pub(crate) use lobster::Lobster;
pub(crate) use matchcore::Matchcore;
pub(crate) use nanobook::Nanobook;

use crate::flow::Message;
use crate::ring::Ring;

/// An order book under measurement.
pub(crate) trait Engine {
    /// Its name and version in tables.
    const NAME: &str;

    /// An empty book for a flow that numbers this many orders.
    fn new(orders: u32) -> Self;

    /// Does what the message asks and reports what happened.
    fn handle(&mut self, message: &Message, ring: &mut Ring);
}
