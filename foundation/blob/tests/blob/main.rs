//! Black-box tests of blobs.
//!
//! * `contract`: what every store must keep: in memory, in a folder, in S3, open and sealed
//! * `damage`: what was changed in the store is never given
//! * `faults`: a store that fails, cuts off and corrupts while it is used
//! * `outage`: an S3 server (`player`) that is killed, slowed and gives wrong answers
//! * `collection`: what is removed, and what never is
//! * `controls`: each guarantee taken out, to see that its test notices (`--features sabotage`)
//! * `stand`: stores, texts and the store with faults, which the tests share

mod collection;
mod contract;
mod controls;
mod damage;
mod faults;
mod outage;
mod player;
mod stand;
