//! The FIX door.

pub(crate) mod outbound;
