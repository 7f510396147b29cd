//! Manifests: the small object that makes an upload a blob. Little-endian: `DLBLOB01`, the blob's length u64, and the
//! header by which its chunks are read; 16 bytes of a SHA-256 over it and its place behind that, or, when there are
//! keys, all of it as a sealed stream. Its place is the blob and the upload.

use std::io::{Read as _, Write as _};

use bytes::Bytes;
use decalog_seal::{KeyRing, STREAM_HEADER_BYTES, STREAM_MAGIC, SealError, StreamReader, StreamWriter};
use ring::digest::{Context, SHA256};

use crate::BlobId;
use crate::framing::Header;
use crate::id::UploadId;

const MAGIC: &[u8; 8] = b"DLBLOB01";
const BODY_BYTES: usize = 16 + STREAM_HEADER_BYTES;
const CHECK_BYTES: usize = 16;

/// What is known of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) bytes: u64,
    pub(crate) header: Header,
}

/// Why a manifest cannot be read.
pub(crate) enum Unreadable {
    Damaged(String),
    Sealed(SealError),
}

fn place(id: BlobId, upload: UploadId) -> [u8; 48] {
    let mut place = [0; 48];
    place[..32].copy_from_slice(id.digest());
    place[32..].copy_from_slice(upload.bytes());
    place
}

fn check(place: &[u8], body: &[u8]) -> [u8; CHECK_BYTES] {
    let mut context = Context::new(&SHA256);
    context.update(place);
    context.update(body);
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&context.finish().as_ref()[..CHECK_BYTES]);
    check
}

impl Manifest {
    pub(crate) fn encode(
        &self,
        keys: Option<&KeyRing>,
        id: BlobId,
        upload: UploadId,
    ) -> std::io::Result<Bytes> {
        let mut body = MAGIC.to_vec();
        body.extend_from_slice(&self.bytes.to_le_bytes());
        body.extend_from_slice(&self.header);
        let place = place(id, upload);
        match keys {
            None => {
                let check = check(&place, &body);
                body.extend_from_slice(&check);
                Ok(body.into())
            }
            Some(keys) => {
                let mut writer = StreamWriter::new(Vec::new(), keys, &place)?;
                writer.write_all(&body)?;
                writer.finish().map(Bytes::from)
            }
        }
    }

    pub(crate) fn decode(
        stored: &[u8],
        keys: Option<&KeyRing>,
        id: BlobId,
        upload: UploadId,
    ) -> Result<Self, Unreadable> {
        let damaged = || Unreadable::Damaged("its manifest is not what was stored".to_owned());
        let place = place(id, upload);
        let mut body = Vec::new();
        match keys {
            Some(keys) if stored.starts_with(STREAM_MAGIC) => {
                let read =
                    StreamReader::new(stored, keys, &place).and_then(|mut from| from.read_to_end(&mut body));
                read.map_err(|error| match error.downcast::<SealError>() {
                    Ok(SealError::Broken { .. } | SealError::Malformed { .. }) | Err(_) => damaged(),
                    Ok(missing) => Unreadable::Sealed(missing),
                })?;
            }
            Some(keys) if !keys.accepts_unsealed() => return Err(Unreadable::Sealed(SealError::Unsealed)),
            None if stored.starts_with(STREAM_MAGIC) => {
                let key = stored.get(8..12).and_then(|key| key.try_into().ok()).map_or(0, u32::from_le_bytes);
                return Err(Unreadable::Sealed(SealError::NoKeys { key }));
            }
            _ => {
                let (front, found) = stored.split_at_checked(BODY_BYTES).ok_or_else(damaged)?;
                if check(&place, front) != found {
                    return Err(damaged());
                }
                body.extend_from_slice(front);
            }
        }
        let (front, header) = body.split_first_chunk::<16>().ok_or_else(damaged)?;
        let bytes = front[8..].try_into().map_or(0, u64::from_le_bytes);
        let header = header.try_into().ok().filter(|_| front[..8] == *MAGIC);
        Ok(Self { bytes, header: header.ok_or_else(damaged)? })
    }
}
