//! A social news feed, spoken to by the clients that Mastodon has.
#![doc = ""]

pub mod command;
pub mod event;
pub mod state;
pub mod value;
