//! Pure rules, usable without a log: no clock, no randomness, no I/O.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod base32;
pub mod id_token;
pub mod jwk;
pub mod jws;
pub mod lockout;
pub mod pkce;
pub mod secret;
pub mod totp;
pub mod webauthn;
