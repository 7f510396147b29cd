//! The session layer as a pure state machine: decoded messages and moments in, decisions out.
//!
//! A [`Session`] is a plain serialisable value. It does no I/O, asks no clock, and every transition is
//! deterministic, so it can live inside a replicated state machine: what consumes a sequence number is either a
//! call (an inbound message, a tick) or a result of one. The edge turns bytes into [`Inbound`] before and decisions
//! into bytes after.

mod gap;
mod inbound;
mod logon;
mod machine;
mod outlet;
mod rules;
mod sent;
mod settings;
mod timers;

pub use inbound::{
    Body, BusinessReason, BusinessReject, Header, Inbound, Logon, RejectReason, Route, SeqNum, SessionReject,
    Tag,
};
pub use machine::{Numbered, Session};
pub use outlet::{CloseReason, ConnectionId, Outlet, SessionMessage, TEST_REQ_ID};
pub use sent::{Replay, ReplayItem};
pub use settings::{Role, Settings};
