//! One adapter per engine: the same flow in, the same kinds of reports out.
//!
//! A flow is translated beforehand into the commands of each engine's own interface, ids included (some engines name orders
//! themselves; a dry run finds the names). What is timed is the engine and the writing of its answers into the ring.
//!
//! Looked at and left out: `nanobook` 0.19 (cancels by a place in the queue that trades have moved: it takes out wrong orders, and
//! on the swings it never returns; on the normal flow it ran at 40 % of `matchcore`'s rate), `orderbook-rs` 0.15 (made for many
//! threads; from one it ran 12 to 30 times slower than `matchcore`), `limitbook` 0.1 and `rust_ob` 2.5 (decimal prices over the
//! same standard maps as those below), `lob` 0.1 (no IOC, no replace; standard maps), `clob-engine` 0.4 and `matchina` 0.1
//! (no replace).

pub(crate) mod decalog;
pub(crate) mod lobster;
pub(crate) mod matchcore;
pub(crate) mod rust_order_book;

use crate::flow::Message;
use crate::ring::Ring;

/// An order book under measurement.
pub(crate) trait Engine {
    /// Its name and version in tables.
    const NAME: &str;

    /// What its interface takes.
    type Command;

    /// An empty book.
    fn new() -> Self;

    /// Does what the command asks and reports what happened.
    fn execute(&mut self, command: &Self::Command, ring: &mut Ring);
}

/// Turns messages into an engine's commands, on a dry run where it must learn ids.
pub(crate) trait Translator {
    /// The engine it speaks to.
    type Engine: Engine;

    /// A translator of a flow that numbers this many orders.
    fn new(orders: u32) -> Self;

    /// Appends the commands that say what the message says.
    fn translate(&mut self, message: &Message, commands: &mut Vec<<Self::Engine as Engine>::Command>);
}
