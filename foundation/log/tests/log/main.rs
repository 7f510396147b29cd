//! Black-box tests of the log.
//!
//! * `contract`: what any log promises, run against each implementation
//! * `crash`: power cuts on a simulated disk
//! * `damage`: flipped bits and missing files
//! * `witness`: a listener and small builders that the tests share

mod contract;
mod crash;
mod damage;
mod witness;
