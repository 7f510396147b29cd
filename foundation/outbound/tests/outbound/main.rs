//! Black-box tests of outbound calls, against servers of the test's own.
//!
//! * `guard`: where calls do not go, however they are led there
//! * `controls`: each guarantee taken out, to see that its test notices (`--features sabotage`)
//! * `peer`: servers that do as they are told

mod controls;
mod guard;
mod peer;
