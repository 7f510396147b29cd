//! Who is who: accounts, their credentials, sessions, grants to clients, API keys and signing keys, as a state machine
//! on the log.
//!
//! Secrets are made at the edge and never enter the log: a command carries the argon2id hash of a password and the SHA-256
//! of a random secret, and what was compared is decided in `apply`. (A TOTP secret has to be known to be checked: it is
//! the exception, and lies in the log that is sealed at rest.) Everything that happens is told as an [`event::Event`],
//! which is the audit trail.
//!
//! # The parts
//!
//! - [`command`], [`event`]: what can be asked, and what is told.
//! - [`state`]: the machine, [`state::Directory`]: a file for each noun.
//! - [`projection`]: who may what at this moment, and the audit trail, fed by events.
//! - [`password`], [`workers`]: argon2id, and the threads that run it.
//! - [`api`]: the running service, OAuth 2.1 and OpenID Connect, and the accounts' own routes.
//! - [`api::app`]: what a system whose clients register themselves calls: register an app, look one up, sign somebody up.
//! - [`engine`]: token signatures, one-time passwords, passkeys, PKCE, and how long a lock-out lasts.

#![forbid(unsafe_code)]

pub mod api;
pub mod command;
pub mod engine;
pub mod event;
pub mod password;
pub mod projection;
pub mod sabotage;
pub mod state;
pub mod value;
pub mod workers;
