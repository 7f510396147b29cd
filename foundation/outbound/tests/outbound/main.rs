//! Black-box tests of outbound calls, against servers of the test's own.
//!
//! * `resilience`: the layers around a peer that does as it is told; `circuit`: the breaker against a model
//! * `guard`: where calls do not go, however they are led there
//! * `controls`: each guarantee taken out, to see that its test notices (`--features sabotage`)
//! * `peer`: servers that do as they are told

mod circuit;
mod controls;
mod guard;
mod peer;
mod resilience;
