//! Black-box tests of the log.
//!
//! * `allocation`: what an append costs
//! * `contract`: what any log promises, run against each implementation
//! * `crash`: power cuts on a simulated disk
//! * `damage`: flipped bits and missing files
//! * `embedded`: the threads, and the directory lock
//! * `faults`: a full disk, a failing one, refused options
//! * `format`: the bytes of a segment
//! * `inspect`: looking at a journal without changing it
//! * `product`: what ships cannot be sabotaged
//! * `controls`: each guarantee taken out, to see that its test notices (`--features sabotage`)
//! * `sealed`: batches that are encrypted, and who may read them
//! * `witness`: a listener and small builders that the tests share

mod allocation;
mod contract;
#[cfg(feature = "sabotage")]
mod controls;
mod crash;
mod damage;
mod embedded;
mod faults;
mod format;
mod inspect;
mod product;
mod sealed;
mod witness;
