//! Chunks: how the bytes of a blob are cut, tagged and checked, sealed or open. Both have one geometry, so that a range
//! is found by arithmetic.

use decalog_seal::{CHUNK_BYTES, KeyRing, STREAM_HEADER_BYTES, SealError, StreamKey, TAG_BYTES, UNSEALED};
use ring::digest::{Context, SHA256};

use crate::id::UploadId;
use crate::sabotage::{Sabotage, lacks};

/// A chunk as it is stored, at most.
pub(crate) const STORED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

/// How the chunks of one upload are read: a sealed stream's header, or zeroes for an open one.
pub(crate) type Header = [u8; STREAM_HEADER_BYTES];

/// The chunks of one upload.
pub(crate) enum Framing {
    Open(UploadId),
    Sealed(Box<StreamKey>),
}

impl Framing {
    /// For a new upload.
    pub(crate) fn begin(keys: Option<&KeyRing>, upload: UploadId) -> Result<(Self, Header), SealError> {
        match keys {
            None => Ok((Self::Open(upload), [0; STREAM_HEADER_BYTES])),
            Some(keys) => {
                let (key, header) = StreamKey::create(keys, upload.bytes())?;
                Ok((Self::Sealed(Box::new(key)), header))
            }
        }
    }

    /// For one that was stored.
    pub(crate) fn of(keys: Option<&KeyRing>, upload: UploadId, header: &Header) -> Result<Self, SealError> {
        let open = *header == [0; STREAM_HEADER_BYTES];
        match keys {
            None if open => Ok(Self::Open(upload)),
            None => Err(SealError::NoKeys { key: StreamKey::number(header).unwrap_or(UNSEALED) }),
            Some(keys) if open && keys.accepts_unsealed() => Ok(Self::Open(upload)),
            Some(_) if open => Err(SealError::Unsealed),
            Some(keys) => Ok(Self::Sealed(Box::new(StreamKey::of(keys, upload.bytes(), header)?))),
        }
    }

    /// Appends the tag to a chunk, and encrypts it when sealed.
    pub(crate) fn close_chunk(&self, chunk: u32, last: bool, bytes: &mut Vec<u8>) {
        match self {
            Self::Open(upload) => bytes.extend_from_slice(&tag(*upload, chunk, last, bytes)),
            Self::Sealed(key) => key.seal_chunk(chunk, last, bytes),
        }
    }

    /// The length of the bytes in a stored chunk, which are its first ones then; `None` when the tag does not fit.
    pub(crate) fn open_chunk(&self, chunk: u32, last: bool, stored: &mut [u8]) -> Option<usize> {
        let length = stored.len().checked_sub(TAG_BYTES)?;
        match self {
            Self::Open(upload) => {
                let (bytes, found) = stored.split_at(length);
                let fits = tag(*upload, chunk, last, bytes) == found || lacks(Sabotage::VerifyOnRead);
                fits.then_some(length)
            }
            Self::Sealed(key) => key.open_chunk(chunk, last, stored).ok().map(|bytes| bytes.len()),
        }
    }
}

/// The tag of an open chunk: it finds damage, and bytes of another upload or place. It is no secret.
fn tag(upload: UploadId, chunk: u32, last: bool, bytes: &[u8]) -> [u8; TAG_BYTES] {
    let mut context = Context::new(&SHA256);
    context.update(upload.bytes());
    context.update(&chunk.to_le_bytes());
    context.update(&[u8::from(last)]);
    context.update(bytes);
    let mut tag = [0; TAG_BYTES];
    tag.copy_from_slice(&context.finish().as_ref()[..TAG_BYTES]);
    tag
}

/// The number of chunks of a blob.
pub(crate) fn chunks(bytes: u64) -> u64 {
    bytes.div_ceil(CHUNK_BYTES as u64).max(1)
}

/// The bytes of a blob as it is stored.
pub(crate) fn stored_bytes(bytes: u64) -> u64 {
    bytes + chunks(bytes) * TAG_BYTES as u64
}
