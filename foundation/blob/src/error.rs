//! What can go wrong with a blob.

use std::ops::Range;
use std::time::Duration;

use decalog_seal::SealError;

use crate::BlobId;

/// Why a blob is not stored, read or collected.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// More bytes than a blob may have. Nothing is stored.
    #[error("a blob may have {limit} bytes, and more came")]
    TooLarge {
        /// The most it may have.
        limit: u64,
    },
    /// Other bytes came than were announced. Nothing is stored.
    #[error("bytes of blob {expected} were announced, those of {found} came")]
    OtherContent {
        /// What was announced.
        expected: BlobId,
        /// What came.
        found: BlobId,
    },
    /// The upload took so long that its beginning could be collected. Nothing is stored.
    #[error("the upload took longer than {limit:?}: send faster, or raise the grace period")]
    TooSlow {
        /// The longest an upload may take.
        limit: Duration,
    },
    /// There is no such blob.
    #[error("there is no blob {id}")]
    Missing {
        /// The blob.
        id: BlobId,
    },
    /// The range is not in the blob.
    #[error("bytes {} to {} of blob {id} do not exist: it has {bytes}", .range.start, .range.end)]
    OutOfRange {
        /// The blob.
        id: BlobId,
        /// What was asked for.
        range: Range<u64>,
        /// How many bytes there are.
        bytes: u64,
    },
    /// What the store gave is not what was stored.
    #[error("blob {id}: {what}; restore it from a backup or put it again")]
    Damaged {
        /// The blob.
        id: BlobId,
        /// What is wrong.
        what: String,
    },
    /// A key is missing.
    #[error("blob {id}: {source}")]
    Sealed {
        /// The blob.
        id: BlobId,
        /// Which, and why.
        source: SealError,
    },
    /// Nothing can be sealed.
    #[error("cannot seal a blob: {0}")]
    Sealing(SealError),
    /// Whoever sends the bytes has failed. Nothing is stored.
    #[error("the bytes of a blob stopped coming: {0}")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The object store has failed.
    #[error("the object store: {0}")]
    Store(#[from] object_store::Error),
}
