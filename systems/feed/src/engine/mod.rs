//! The feed's pure engines: what a post's text, a filter, a search, a trend and a rank mean, as functions from
//! values to values.
//!
//! No clock, no randomness, no input or output, and nothing whose order differs from run to run: the same
//! input gives the same answer in every replay. Storage, accounts and the protocol's JSON are for the rest of
//! the feed.
//!
//! The rules are Mastodon's, read from its source at versions 4.2 to 4.5 and written anew here; where this
//! code departs from them, the item says so.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod chars;
pub mod emoji;
pub mod filter;
pub mod query;
pub mod rank;
pub mod suggest;
pub mod tar;
pub mod text;
pub mod trend;
