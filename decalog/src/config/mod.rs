//! The configuration: a TOML file, overridden by the environment, checked before anything starts.
//!
//! A refusal names the file and line (or the environment variable), the key, the value and what is allowed.
//! What the exchange's state needs from here (instruments, accounts, sessions) becomes logged commands; the
//! state itself never sees a configuration.

mod check;
mod load;
mod ranking;
mod schema;
mod units;
mod value;

pub(crate) use load::{ConfigError, Loaded, load, parse_builtin};
pub(crate) use ranking::{Arm, Ranking};
pub(crate) use schema::{
    Accounts, ClientAddress, Config, Durability, Http, LogFormat, Login, Outbound, Provider, Resilience,
    Seal, SecondFactor, Server, Telemetry, Tls, Unit,
};
pub(crate) use units::wanted;
