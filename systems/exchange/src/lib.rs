//! An exchange: central limit order books with price-time priority, traded over FIX 4.4, shown over REST and WebSocket.
//!
//! # The unit
//!
//! A *matching unit* is one partition of the log and one [`state::Unit`]: it lists its instruments, and the accounts and
//! FIX sessions that trade them. A session trades its unit's instruments only, so one `apply` sees all that an order
//! needs: the checks, the book, both owners' reports and both sessions' sequence numbers.
//!
//! # The parts
//!
//! - [`command`]: all that a unit can be asked, and what it answers; [`event`]: all that it tells. Both as plain data
//!   with released byte forms; [`value`] holds the ids, prices and quantities they share.
//! - [`engine`]: the order book. Pure: it knows ticks, lots and owners, no clients, no clock and no log.
//! - [`state`]: the state machine. A dispatcher, then one file a noun or request. What FIX's session layer decides is
//!   `decalog_fix`'s business; that a session lies in the state, and is as durable as an order, is this crate's.
//! - [`api`]: the doors. FIX sockets, REST and WebSocket; from bytes to commands, from events to bytes.
//! - [`projection`]: pictures of the books and the last trades for readers; made from events, thrown away at will.
//!
//! # The way of an order
//!
//! 1. A connection's bytes pass a guard that keeps no state: frame, checksum, CompIDs, the dictionary's rules; with a
//!    Logon, its credentials. What fails there and takes no sequence number never reaches the log.
//! 2. The message becomes a [`command::Command::Fix`] with its number. What breaks a rule and still takes a number goes
//!    the same way, so that number and order share one record.
//! 3. The log makes the record durable; [`state::Unit`] applies it. The session checks the number and delivers the order;
//!    order entry checks it against the instrument, and the book works it.
//! 4. Every answer is an [`event::Event`]: reports to both owners' sessions, each with its own number, public trades and
//!    levels. Reports for a session that is away take their numbers and wait until it asks.
//! 5. The api's observer, which runs after the record is durable, writes events to sockets. A resend is the old event,
//!    encoded again from the event journal.
//!
//! A refusal is an answer like any other: it is in the log, and replay gives it again.

pub mod api;
pub mod command;
pub mod engine;
pub mod event;
pub mod projection;
pub mod state;
pub mod value;
