//! Black-box tests of the log.
//!
//! * `contract`: what any log promises, run against each implementation
//! * `witness`: a listener and small builders that the tests share

mod contract;
mod witness;
