//! Deterministic state machines on a durable log.

#![forbid(unsafe_code)]

pub mod bucket;
pub mod clock;
mod codec;
mod config;
mod core;
mod dedupe;
mod delivery;
mod driver;
mod error;
mod events;
pub mod harness;
mod hub;
mod inlet;
pub mod inspect;
mod journal;
mod ledger;
pub mod machine;
mod observer;
mod partition;
pub mod record;
mod recover;
mod replica;
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

pub use config::{Config, Fatal, Make, MakeObserver, OnFatal, Setup};
pub use decalog_log::{Durability, PartitionId};
pub use error::{Bug, Divergence, Halt, ReadError, StartError, SubmitError};
pub use events::{Address, Published, SubscriptionError};
pub use machine::{DecodeError, Digest, Message, Outbox, Stamp, StateMachine, Timestamp, Wire, pack, unpack};
pub use observer::{Applied, Observer};
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
