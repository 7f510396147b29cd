//! Bytes to messages and back: framing, the index of fields, validation against the dictionary, writing.
//!
//! Nothing here knows sessions: a sequence number is a field like any other.

mod check;
mod framing;
mod parse;
mod validate;
mod write;

pub use framing::{Frame, Framed, Framer, Garbled, TooLarge};
pub use parse::{Cursor, FieldRef, Message, Parser};
pub use validate::{Rejection, Rules};
pub use write::{Body, Encoder, Stamp};

/// The delimiter that ends each field.
pub(crate) const SOH: u8 = 1;
