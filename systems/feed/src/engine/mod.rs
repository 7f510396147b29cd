//! Pure algorithms: text and its markup, filters. Usable without a log.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod filter;
pub mod text;
