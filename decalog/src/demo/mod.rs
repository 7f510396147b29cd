//! `--demo`: instruments, accounts, and simulated participants that trade through the same FIX door as everyone.

use std::net::SocketAddr;

use crate::config::{self, Unit};

/// Where the doors are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) fix: SocketAddr,
    pub(crate) http: SocketAddr,
}

/// The demo's units.
pub(crate) fn units() -> Vec<Unit> {
    config::parse_builtin("demo.toml", include_str!("demo.toml")).exchange.units
}

/// Running participants.
pub(crate) struct Participants;

impl Participants {
    pub(crate) fn stop(self) {}
}

pub(crate) fn start(_at: Addresses) -> Participants {
    Participants
}

/// What to try.
pub(crate) fn page(at: Addresses) -> String {
    format!("{at:?}")
}
