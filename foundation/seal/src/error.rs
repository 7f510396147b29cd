//! What can go wrong with keys and sealed bytes. No message holds a key, or bytes that were sealed.

use std::io;
use std::path::PathBuf;

/// Why something cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The master key cannot be had.
    #[error("the master key from {origin}: {what}")]
    Master {
        /// Where it should come from.
        origin: String,
        /// What is wrong, and what to do.
        what: String,
    },
    /// Another master key wrapped the ring.
    #[error("{} was wrapped by another master key: give the one that wrapped it", .path.display())]
    WrongMaster {
        /// The key ring.
        path: PathBuf,
    },
    /// The key ring's file is not what was written.
    #[error("the key ring {} {what}: restore it from a backup", .path.display())]
    Ring {
        /// The key ring.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The key ring's file cannot be read or written.
    #[error("the key ring {}: {source}", .path.display())]
    Io {
        /// The key ring.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The ring lacks the key that something is sealed under.
    #[error("it is sealed under key {key}, which the key ring does not hold: restore the ring that does")]
    UnknownKey {
        /// The key's number.
        key: u32,
    },
    /// The seal does not fit.
    #[error(
        "its seal under key {key} does not fit: the bytes were changed or moved, or the key ring belongs to other data"
    )]
    Broken {
        /// The key's number.
        key: u32,
    },
    /// Something is sealed, and nobody gave a key.
    #[error("it is sealed under key {key}, and no key is configured: configure [server.seal]")]
    NoKeys {
        /// The key's number.
        key: u32,
    },
    /// Something is not sealed where all should be.
    #[error(
        "it is not sealed, although keys are configured: it was put there by somebody else, or was written before sealing \
         began (then allow it with accept_unsealed)"
    )]
    Unsealed,
    /// The bytes have not the form of sealed ones.
    #[error("sealed bytes have not their form: {what}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
    },
    /// The system gave no random bytes.
    #[error("the system's random source gave nothing")]
    Random,
}

impl From<SealError> for io::Error {
    /// `InvalidData` for bytes that are not what was written, `PermissionDenied` when a key is missing.
    fn from(error: SealError) -> Self {
        let kind = match &error {
            SealError::Broken { .. } | SealError::Malformed { .. } => io::ErrorKind::InvalidData,
            SealError::UnknownKey { .. } | SealError::NoKeys { .. } | SealError::Unsealed => {
                io::ErrorKind::PermissionDenied
            }
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
