//! Putting: bytes come in pieces of any size, are hashed, framed and sent on in parts; the manifest goes last.

use std::fmt;
use std::io;

use bytes::Bytes;
use decalog_seal::CHUNK_BYTES;
use futures_util::{Stream, StreamExt as _};
use object_store::{ObjectStoreExt as _, PutPayload, WriteMultipart};
use ring::digest::{Context, SHA256};

use crate::framing::Framing;
use crate::id::UploadId;
use crate::manifest::Manifest;
use crate::sabotage::{Sabotage, lacks};
use crate::{BlobError, BlobId, Blobs};

/// A blob that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub id: BlobId,
    /// How many bytes it has.
    pub bytes: u64,
}

/// Bytes that have come and are not sent on yet.
struct Incoming {
    framing: Framing,
    digest: Context,
    bytes: u64,
    limit: u64,
    chunk: Vec<u8>,
    number: u32,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Incoming {
    fn take(&mut self, mut piece: &[u8], part: &mut Vec<u8>) -> Result<(), BlobError> {
        self.bytes += piece.len() as u64;
        if self.bytes > self.limit && !lacks(Sabotage::SizeLimit) {
            return Err(BlobError::TooLarge { limit: self.limit });
        }
        self.digest.update(piece);
        while !piece.is_empty() {
            // A full chunk waits for what comes: only then is it known not to be the last.
            if self.chunk.len() == CHUNK_BYTES {
                self.close(false, part)?;
            }
            let taken = piece.len().min(CHUNK_BYTES - self.chunk.len());
            self.chunk.extend_from_slice(&piece[..taken]);
            piece = &piece[taken..];
        }
        Ok(())
    }

    fn close(&mut self, last: bool, part: &mut Vec<u8>) -> Result<(), BlobError> {
        self.framing.close_chunk(self.number, last, &mut self.chunk);
        part.extend_from_slice(&self.chunk);
        self.chunk.clear();
        self.number = self.number.checked_add(1).ok_or(BlobError::TooLarge { limit: self.limit })?;
        Ok(())
    }
}

impl Blobs {
    /// Stores the bytes that come. When it returns, the blob is whole in the store, and young: it is not collected
    /// within the grace period, and for longer only if somebody refers to it by then. When it fails, nothing is stored.
    pub async fn put<S, E>(&self, pieces: S) -> Result<Stored, BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.put_checked(None, pieces).await
    }

    /// Stores the bytes that come, if they are those of this blob.
    pub async fn put_as<S, E>(&self, id: BlobId, pieces: S) -> Result<Stored, BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.put_checked(Some(id), pieces).await
    }

    async fn put_checked<S, E>(&self, expected: Option<BlobId>, pieces: S) -> Result<Stored, BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let limit = self.options.grace / 2;
        let upload = UploadId::random().ok_or(BlobError::Sealing(decalog_seal::SealError::Random))?;
        let outcome = tokio::time::timeout(limit, self.upload(upload, expected, pieces)).await;
        let outcome = outcome.unwrap_or(Err(BlobError::TooSlow { limit }));
        if outcome.is_err() {
            // Without a manifest nobody sees it; what is left behind, a collection removes.
            let _ = self.store.delete(&upload.data()).await;
        }
        outcome
    }

    async fn upload<S, E>(
        &self,
        upload: UploadId,
        expected: Option<BlobId>,
        pieces: S,
    ) -> Result<Stored, BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let keys = self.options.seal.as_deref();
        let (framing, header) = Framing::begin(keys, upload).map_err(BlobError::Sealing)?;
        let mut incoming = Incoming {
            framing,
            digest: Context::new(&SHA256),
            bytes: 0,
            limit: self.options.max_bytes,
            chunk: Vec::with_capacity(CHUNK_BYTES + 64),
            number: 0,
        };
        let mut sink = Sink { blobs: self, upload, part: Vec::new(), multipart: None };
        match sink.receive(&mut incoming, pieces).await {
            Ok(()) => {}
            Err(error) => {
                sink.abort().await;
                return Err(error);
            }
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(incoming.digest.finish().as_ref());
        let (id, bytes) = (BlobId::new(digest), incoming.bytes);
        if let Some(expected) = expected.filter(|expected| *expected != id) {
            sink.abort().await;
            return Err(BlobError::OtherContent { expected, found: id });
        }
        sink.finish().await?;
        let manifest = Manifest { bytes, header }.encode(keys, id, upload);
        let manifest = manifest.map_err(|error| BlobError::Source(error.into()))?;
        self.store.put(&upload.manifest(id), PutPayload::from_bytes(manifest)).await?;
        Ok(Stored { id, bytes })
    }
}

/// Where parts go: into one object at once when there is one part only, else into a multipart upload.
struct Sink<'b> {
    blobs: &'b Blobs,
    upload: UploadId,
    part: Vec<u8>,
    multipart: Option<WriteMultipart>,
}

impl Sink<'_> {
    async fn receive<S, E>(&mut self, incoming: &mut Incoming, pieces: S) -> Result<(), BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut pieces = std::pin::pin!(pieces);
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| BlobError::Source(error.into()))?;
            // A large piece is taken a chunk at a time, so that no part grows beyond its size and a chunk.
            for piece in piece.chunks(CHUNK_BYTES) {
                incoming.take(piece, &mut self.part)?;
                if self.part.len() >= self.blobs.options.part_bytes {
                    self.send().await?;
                }
            }
        }
        incoming.close(true, &mut self.part)
    }

    async fn send(&mut self) -> Result<(), BlobError> {
        let options = &self.blobs.options;
        let multipart = match &mut self.multipart {
            Some(multipart) => multipart,
            none => {
                let upload = self.blobs.store.put_multipart(&self.upload.data()).await?;
                none.insert(WriteMultipart::new_with_chunk_size(upload, options.part_bytes))
            }
        };
        multipart.wait_for_capacity(options.parts_in_flight).await?;
        multipart.put(std::mem::take(&mut self.part).into());
        Ok(())
    }

    async fn finish(mut self) -> Result<(), BlobError> {
        match self.multipart.take() {
            None => {
                let payload = PutPayload::from_bytes(self.part.into());
                self.blobs.store.put(&self.upload.data(), payload).await?;
            }
            Some(mut multipart) => {
                multipart.put(self.part.into());
                multipart.finish().await?;
            }
        }
        Ok(())
    }

    async fn abort(self) {
        if let Some(multipart) = self.multipart
            && let Err(error) = multipart.abort().await
        {
            tracing::warn!(upload = %self.upload, %error, "a failed upload cannot be aborted: its parts may stay");
        }
    }
}

impl From<BlobError> for io::Error {
    fn from(error: BlobError) -> Self {
        let kind = match &error {
            BlobError::Missing { .. } => io::ErrorKind::NotFound,
            BlobError::Damaged { .. } => io::ErrorKind::InvalidData,
            BlobError::TooLarge { .. } => io::ErrorKind::FileTooLarge,
            BlobError::TooSlow { .. } => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
