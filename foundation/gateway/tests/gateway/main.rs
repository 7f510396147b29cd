//! Black-box tests of the gateway.

mod access;
mod controls;
