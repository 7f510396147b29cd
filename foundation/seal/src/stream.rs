//! Streams: long byte strings sealed in chunks (STREAM), so that writers and readers hold one chunk and a range can be
//! opened alone.
//!
//! A sealed stream is a header of 32 bytes (`DLSEAL01`, the key's number u32, zero u32, a salt of 16 bytes drawn for
//! this stream) and its chunks: 64 KiB of encrypted bytes and a tag each, the last one as long as is left, and there
//! even when nothing is. A chunk's nonce is its number and whether it is the last.

use crate::cipher::{Cipher, counted, random};
use crate::sabotage::{Sabotage, lacks};
use crate::{KeyRing, SealError};

/// The bytes in front of the chunks.
pub const STREAM_HEADER_BYTES: usize = 32;
/// What a sealed stream begins with.
pub const STREAM_MAGIC: &[u8; 8] = b"DLSEAL01";
/// The bytes in a chunk before it is sealed.
pub const CHUNK_BYTES: usize = 64 << 10;
/// The bytes of a tag: what a chunk grows by when it is sealed.
pub const TAG_BYTES: usize = crate::cipher::TAG_BYTES;
const SALT_BYTES: usize = 16;
const PURPOSE: &str = "decalog stream 1";

/// The key of one stream.
pub struct StreamKey {
    number: u32,
    cipher: Cipher,
    place: Box<[u8]>,
}

impl std::fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamKey").field("number", &self.number).finish_non_exhaustive()
    }
}

impl StreamKey {
    /// A key for a new stream at a place, and the header that the stream begins with. Each chunk is sealed once.
    pub fn create(ring: &KeyRing, place: &[u8]) -> Result<(Self, [u8; STREAM_HEADER_BYTES]), SealError> {
        let (number, salt): (_, [u8; SALT_BYTES]) = (ring.active(), random()?);
        let cipher = ring.cipher(number, &salt, PURPOSE)?;
        let mut header = [0; STREAM_HEADER_BYTES];
        header[..8].copy_from_slice(STREAM_MAGIC);
        header[8..12].copy_from_slice(&number.to_le_bytes());
        header[16..].copy_from_slice(&salt);
        Ok((Self { number, cipher, place: place.into() }, header))
    }

    /// The key of a stream that begins with this header.
    pub fn of(ring: &KeyRing, place: &[u8], header: &[u8; STREAM_HEADER_BYTES]) -> Result<Self, SealError> {
        let number = Self::number(header)?;
        let cipher = ring.cipher(number, &header[16..], PURPOSE)?;
        Ok(Self { number, cipher, place: place.into() })
    }

    /// The number of the data key in a header.
    pub fn number(header: &[u8; STREAM_HEADER_BYTES]) -> Result<u32, SealError> {
        if header[..8] != *STREAM_MAGIC || header[12..16] != [0; 4] {
            return Err(SealError::Malformed { what: "a stream's header is not one" });
        }
        Ok(header[8..12].try_into().map_or(0, u32::from_le_bytes))
    }

    /// Seals a chunk in place: its tag is appended.
    pub fn seal_chunk(&self, chunk: u32, last: bool, bytes: &mut Vec<u8>) {
        let tag = self.cipher.seal(nonce(chunk, last), &self.place, bytes);
        bytes.extend_from_slice(&tag);
    }

    /// Opens a chunk in place.
    pub fn open_chunk<'b>(
        &self,
        chunk: u32,
        last: bool,
        sealed: &'b mut [u8],
    ) -> Result<&'b mut [u8], SealError> {
        let broken = SealError::Broken { key: self.number };
        self.cipher.open(nonce(chunk, last), &self.place, sealed).ok_or(broken)
    }
}

fn nonce(chunk: u32, last: bool) -> [u8; 12] {
    counted(u64::from(chunk) << 8 | u64::from(last && !lacks(Sabotage::LastChunk)))
}

const SEALED_CHUNK_BYTES: u64 = (CHUNK_BYTES + TAG_BYTES) as u64;

/// The bytes of a sealed stream with so many bytes in it.
pub fn sealed_length(plain: u64) -> u64 {
    let chunks = plain.div_ceil(CHUNK_BYTES as u64).max(1);
    STREAM_HEADER_BYTES as u64 + plain + chunks * TAG_BYTES as u64
}

/// The bytes in a sealed stream of this length; `None` when no stream has it.
pub fn plain_length(sealed: u64) -> Option<u64> {
    let body = sealed.checked_sub(STREAM_HEADER_BYTES as u64)?;
    let chunks = body.div_ceil(SEALED_CHUNK_BYTES);
    let plain = body.checked_sub(chunks * TAG_BYTES as u64)?;
    (sealed_length(plain) == sealed).then_some(plain)
}
