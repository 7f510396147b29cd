//! The messages that this project reads and writes, as Rust types generated from `dictionary/typed.txt`.
//!
//! A type carries the fields that are used here, not all that the dictionary allows; texts are borrowed from the
//! frame. `decode` takes a message that was validated against the dictionary, so what it can still miss is what a
//! message needs under some condition: [`FieldError::Missing`], to be answered by a BusinessMessageReject.

mod read;

pub use generated::*;

/// One form of code for messages of one field and of forty.
#[allow(clippy::single_match, clippy::while_let_on_iterator)]
mod generated {
    use super::FieldError;
    use super::read::{self, FromWire};
    use crate::codec::{Body, Cursor, Message};
    use crate::decimal::Decimal;
    use crate::dictionary::MsgType;
    use crate::time::Timestamp;

    include!(concat!(env!("OUT_DIR"), "/typed.rs"));
}

/// Why a message cannot be read as its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// A field that this message needs is missing.
    #[error("tag {0} is missing")]
    Missing(u16),
    /// A field holds what its type does not allow; a validated message has none.
    #[error("tag {0} has a value that its type does not allow")]
    Value(u16),
}
