//! Deterministic state machines on a durable log: what happened is in the log, the state is a function of it.
//!
//! A system implements [`StateMachine`]: commands in, a reply and events out, nothing else. The runtime gives it
//! partitions, durability, replay, snapshots, deadlines, subscriptions and messages, and proves it with [`harness`]
//! and [`sim`].
//!
//! # The way of a command
//!
//! ```text
//! Partition::submit ─▶ inlet ─▶ batch ─▶ log.append ─ durable ─▶ Replica::apply ─▶ observer, events, answers
//!   (any thread)      (bounded)      (the partition's thread)         │
//!                                                                     └─ synced ─▶ messages, followers, tables
//! ```
//!
//! The caller's thread encodes the command into the partition's queue (`inlet`), which refuses clearly when it is full.
//! The partition's thread (`driver`) takes what is queued as one batch, stamps it, and appends it; the next batch is
//! written while the last waits for the device. What is durable is applied (`replica`): due deadlines first, then the
//! command. At durability `os` all of that is one thread without a hand-over. Who needs an answer at once observes on
//! that thread ([`Observer`]); others await it ([`Partition::submit`]). `core` does all of this without a thread, so
//! that [`sim`] can run the same code step by step.
//!
//! # Three fates
//!
//! - A *refusal* is a reply: it is in the log.
//! - A failure of the *environment* is an error with a code ([`SubmitError`], [`StartError`]), or, when the log cannot
//!   be trusted any more, [`Fatal`]: the process stops and the next start recovers.
//! - A *bug* (a panic in `apply`) halts its partition: the state is rebuilt to the record before, reads go on, commands
//!   are refused with [`Halt`] until an operator leaves the record out ([`Skips`]).
//!
//! # What is promised
//!
//! - An answer is given only for what is durable at the system's level, and is never taken back.
//! - A client's (client, sequence) is applied once while the dedupe window remembers it; a repeat gets the same reply.
//! - Stamps never run backwards; no deadline is passed over: it fires before the first record after it.
//! - Events are addressed by (offset, index); a subscriber gets each once, in order, history and then live.
//! - Messages to other partitions, followers and tables see only what is on the device; a message is applied once.
//! - Replay, the shadow that makes snapshots, and [`inspect::verify`] compare digests of all replies and events with
//!   those in the log, and name the first difference.
//!
//! # What is kept where
//!
//! The log holds records; a [`store::Store`] holds snapshots and skips; the event journal is a projection that can be
//! deleted at any time. A machine lives in memory, or all of it in [`tables`].

#![forbid(unsafe_code)]

pub mod bucket;
pub mod clock;
mod codec;
mod config;
mod core;
mod dedupe;
mod delivery;
mod driver;
pub mod erasure;
mod error;
mod events;
pub mod harness;
mod hub;
mod inlet;
pub mod inspect;
mod journal;
mod kinds;
mod ledger;
mod lookout;
pub mod machine;
mod observer;
mod partition;
pub mod record;
mod recover;
mod replica;
pub mod retention;
pub mod sabotage;
mod shadow;
mod shrink;
pub mod sim;
mod skip;
mod snapshot;
mod start;
pub mod store;
mod subscription;
mod switchboard;
mod system;
pub mod tables;
pub mod verify;

pub use config::{Config, Fatal, Make, MakeObserver, Meter, OnFatal, Setup};
pub use decalog_log::{Durability, PartitionId};
pub use error::{Bug, Divergence, Halt, ReadError, StartError, SubmitError};
pub use events::{Address, Published, SubscriptionError};
pub use lookout::Lookout;
pub use machine::{DecodeError, Digest, Message, Outbox, Stamp, StateMachine, Timestamp, Wire, pack, unpack};
pub use observer::{Applied, Observer, Refused};
pub use partition::{Answer, Health, Origin, Partition, Seen, Status};
pub use shadow::SnapshotError;
pub use skip::{Skip, Skips};
pub use subscription::Subscription;
pub use switchboard::Switchboard;
pub use system::{System, partition_id};

/// What a panic said.
pub(crate) fn panic_words(panic: &(dyn std::any::Any + Send)) -> String {
    if let Some(words) = panic.downcast_ref::<&str>() {
        (*words).to_owned()
    } else if let Some(words) = panic.downcast_ref::<String>() {
        words.clone()
    } else {
        "a panic without words".to_owned()
    }
}
