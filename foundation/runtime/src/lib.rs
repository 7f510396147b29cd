//! Deterministic state machines on a durable log.

#![forbid(unsafe_code)]

pub mod machine;
