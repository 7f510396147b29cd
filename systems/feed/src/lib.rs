//! A social news feed, spoken to by the clients that Mastodon has.
//!
//! # The parts
//!
//! - [`command`]: all that a partition can be asked, and what it answers; [`event`]: all that it tells; [`value`]: what
//!   both are made of.
//! - [`state`]: the state machine, on tables. An account lies in the partition of its name's bucket, with everything that
//!   is its own; partitions tell each other what the other has to know, exactly once.
//! - [`engine`]: text and its markup, filters, queries, trends; pure.
//! - [`media`]: what becomes of uploads, in child processes under limits.
//! - [`projection`]: home timelines in memory; [`running`]: the partitions and what follows them.
//! - [`push`]: notifications to apps that are not open; [`keys`]: the secrets that this takes.
//! - [`api`]: the Mastodon client API.
//!
//! # The way of a post
//!
//! 1. `POST /api/v1/statuses` becomes a [`command::Publish`] in the author's partition, with the names in the text
//!    resolved. Durable and applied, it is in the author's listing and, when public, in those of its tags.
//! 2. One [`command::message::Delivered`] goes to each partition that has followers of the author, one
//!    [`command::message::Named`] to that of each account it names.
//! 3. There it becomes an [`event::Arrived`]; the timelines in memory whose readers follow the author take it up.
//! 4. A reader's timeline is a row of ids. Each post is read where it lies, which decides whether this reader may see it,
//!    and is shown with what the reader's own partition knows.

pub mod api;
pub mod command;
pub mod engine;
pub mod event;
pub mod keys;
pub mod media;
pub mod projection;
pub mod push;
pub mod running;
pub mod sabotage;
pub mod state;
pub mod value;
