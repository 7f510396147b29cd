//! Web push: notifications to apps that are not open, by way of a push service that the app chose (RFC 8030).
//!
//! - [`encryption`]: what only the receiver reads (RFC 8291), and the draft before it, which older apps know.
//! - [`vapid`]: who this server is, to push services (RFC 8292).
//! - [`lanes`]: what waits to be pushed. Each push service has a lane of its own, so that a slow one delays no other.
//! - [`record`]: what of it outlives the process.
//!
//! Who is told of what the partition says ([`crate::state::Feed::pushed`]); `api/push` brings them together.
//!
//! # What is promised
//!
//! A notification is pushed at least once. The events are followed from a cursor on that is kept with what waits: what was
//! not pushed when the process ended is pushed after its next start; what was pushed in its last moments may be pushed
//! again, and has the same id and topic then. Nothing is pushed any more that is two days old, was tried ten times, or
//! has been taken back, and nothing waits for a service beyond the bounds of [`lanes::Bounds`]: the oldest are
//! dropped then, and the log says so.

pub mod encryption;
pub mod lanes;
pub mod record;
pub mod vapid;
