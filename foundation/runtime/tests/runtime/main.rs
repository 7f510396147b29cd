//! Black-box tests of the runtime, on the embedded log.
//!
//! * `ledger`: the machine that the tests run: accounts that hold points, holds that end by themselves.
//! * `commands`: submit, offer, reads, refusals, repeats, stamps, deadlines.
//! * `events`: subscriptions, the journal, followers.
//! * `delivery`: messages between partitions.
//! * `properties`: the harness, and what it must find.
//! * `restart`: replay, snapshots, digests, skips, halts, clocks.
//! * `aging`: what is forgotten by age.
//! * `erasure`: the ledger of erasures.
//! * `rules`: versions of the rules, and a log that an older program wrote.
//! * `simulation`: crashes from a seed.
//! * `inspection`: describing and verifying a log.
//! * `sabotaged`: negative controls.
//! * `sealed`: encryption at rest.
//! * `guestbook`: a table-backed system.
//! * `disk`: a full disk and a failed sync.

mod aging;
mod commands;
mod delivery;
mod disk;
mod erasure;
mod events;
mod guestbook;
mod inspection;
mod ledger;
mod properties;
mod restart;
mod rules;
mod sabotaged;
mod sealed;
mod simulation;
mod stand;
