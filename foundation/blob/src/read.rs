//! Getting: the chunks that hold the range are fetched, checked one by one, and cut to it.

use std::fmt;
use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};
use decalog_seal::{CHUNK_BYTES, SealError};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::{GetOptions, ObjectStoreExt as _};
use ring::digest::{Context, SHA256};

use crate::framing::{Framing, STORED_CHUNK_BYTES, chunks, stored_bytes};
use crate::id::UploadId;
use crate::manifest::{Manifest, Unreadable};
use crate::sabotage::{Sabotage, lacks};
use crate::{BlobError, BlobId, Blobs};

/// A blob, or a part of one, on its way.
pub struct Object {
    /// How many bytes the whole blob has.
    pub bytes: u64,
    /// Which of them come.
    pub range: Range<u64>,
    /// The bytes in order. Each piece was checked; after an error nothing more comes.
    pub pieces: BoxStream<'static, Result<Bytes, BlobError>>,
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Object");
        out.field("bytes", &self.bytes).field("range", &self.range).finish_non_exhaustive()
    }
}

impl Blobs {
    /// How many bytes a blob has.
    pub async fn length(&self, id: BlobId) -> Result<u64, BlobError> {
        Ok(self.find(id).await?.1.bytes)
    }

    /// Reads a whole blob.
    pub async fn get(&self, id: BlobId) -> Result<Object, BlobError> {
        let (upload, manifest) = self.find(id).await?;
        self.read(id, upload, manifest, 0..manifest.bytes).await
    }

    /// Reads bytes of a blob; the end is not part of them.
    pub async fn get_range(&self, id: BlobId, range: Range<u64>) -> Result<Object, BlobError> {
        let (upload, manifest) = self.find(id).await?;
        if range.start > range.end || range.end > manifest.bytes {
            return Err(BlobError::OutOfRange { id, range, bytes: manifest.bytes });
        }
        self.read(id, upload, manifest, range).await
    }

    /// The newest upload of a blob whose manifest can be read.
    async fn find(&self, id: BlobId) -> Result<(UploadId, Manifest), BlobError> {
        let mut uploads: Vec<_> = self.store.list(Some(&id.folder())).try_collect().await?;
        uploads.sort_by_key(|meta| std::cmp::Reverse(meta.last_modified));
        let mut unreadable = BlobError::Missing { id };
        for meta in uploads {
            let Some((_, upload)) = UploadId::of_manifest(&meta.location) else { continue };
            let stored = match self.store.get(&meta.location).await {
                Ok(found) => found.bytes().await?,
                // Collected since: a newer one is there, or nobody refers to it.
                Err(object_store::Error::NotFound { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            // An older upload may be whole where a newer one is not.
            unreadable = match Manifest::decode(&stored, self.options.seal.as_deref(), id, upload) {
                Ok(manifest) => return Ok((upload, manifest)),
                Err(Unreadable::Damaged(what)) => BlobError::Damaged { id, what },
                Err(Unreadable::Sealed(source)) => BlobError::Sealed { id, source },
            };
        }
        Err(unreadable)
    }

    async fn read(
        &self,
        id: BlobId,
        upload: UploadId,
        manifest: Manifest,
        range: Range<u64>,
    ) -> Result<Object, BlobError> {
        let bytes = manifest.bytes;
        let framing = Framing::of(self.options.seal.as_deref(), upload, &manifest.header);
        let framing = framing.map_err(|source| match source {
            SealError::Malformed { what } => BlobError::Damaged { id, what: what.to_owned() },
            source => BlobError::Sealed { id, source },
        })?;
        let first = range.start / CHUNK_BYTES as u64;
        // An empty range still reads a chunk: that the blob is there is part of the answer.
        let after = chunks(range.end).max(first + 1).min(chunks(bytes));
        let first = first.min(after - 1);
        let end = stored_bytes(bytes).min(after * STORED_CHUNK_BYTES as u64);
        let options = GetOptions::new().with_range(Some(first * STORED_CHUNK_BYTES as u64..end));
        let from = match self.store.get_opts(&upload.data(), options).await {
            Ok(from) => from,
            Err(error) => return Err(self.why_unreadable(id, upload, bytes, error).await),
        };
        let whole = (range == (0..bytes)).then(|| Context::new(&SHA256));
        let reading = Reading {
            id,
            framing,
            from: from.into_stream(),
            held: BytesMut::new(),
            next: first,
            after,
            total: chunks(bytes),
            stored_end: stored_bytes(bytes),
            range: range.clone(),
            whole,
        };
        let pieces = stream::try_unfold(reading, |mut reading| async move {
            Ok(reading.piece().await?.map(|piece| (piece, reading)))
        });
        Ok(Object { bytes, range, pieces: pieces.boxed() })
    }
}

impl Blobs {
    /// Has the store failed, or is the data not what the manifest says?
    async fn why_unreadable(
        &self,
        id: BlobId,
        upload: UploadId,
        bytes: u64,
        error: object_store::Error,
    ) -> BlobError {
        let damaged = |what: &str| BlobError::Damaged { id, what: what.to_owned() };
        match self.store.head(&upload.data()).await {
            Ok(meta) if meta.size < stored_bytes(bytes) => damaged("its data is cut off"),
            Err(object_store::Error::NotFound { .. }) => damaged("its data is gone"),
            _ => error.into(),
        }
    }
}

/// A read on its way.
struct Reading {
    id: BlobId,
    framing: Framing,
    from: BoxStream<'static, object_store::Result<Bytes>>,
    held: BytesMut,
    /// The next chunk, the one after the last that is read, and the number of all.
    next: u64,
    after: u64,
    total: u64,
    stored_end: u64,
    range: Range<u64>,
    /// The digest, when the whole blob is read.
    whole: Option<Context>,
}

impl Reading {
    /// The next bytes; `None` at the end.
    async fn piece(&mut self) -> Result<Option<Bytes>, BlobError> {
        while self.next < self.after {
            let start = self.next * STORED_CHUNK_BYTES as u64;
            let length = (self.stored_end - start).min(STORED_CHUNK_BYTES as u64);
            let length = usize::try_from(length).unwrap_or(STORED_CHUNK_BYTES);
            while self.held.len() < length {
                match self.from.try_next().await? {
                    Some(more) => self.held.extend_from_slice(&more),
                    None => return Err(self.damaged("its data is cut off")),
                }
            }
            let mut chunk = self.held.split_to(length);
            let number = u32::try_from(self.next).map_err(|_| self.damaged("it has too many chunks"))?;
            let Some(opened) = self.framing.open_chunk(number, self.next + 1 == self.total, &mut chunk)
            else {
                let what = format!("chunk {number} is not what was stored");
                return Err(self.damaged(&what));
            };
            chunk.truncate(opened);
            let base = self.next * CHUNK_BYTES as u64;
            self.next += 1;
            if let Some(digest) = &mut self.whole {
                digest.update(&chunk);
            }
            if self.next == self.after {
                self.compare()?;
            }
            let place = |at: u64| usize::try_from(at.saturating_sub(base)).unwrap_or(opened).min(opened);
            let (from, to) = (place(self.range.start), place(self.range.end));
            chunk.truncate(to);
            chunk.advance(from.min(to));
            if !chunk.is_empty() {
                return Ok(Some(chunk.freeze()));
            }
        }
        Ok(None)
    }

    /// Is the whole of it the blob it is named? Looked at before its last piece is given.
    fn compare(&mut self) -> Result<(), BlobError> {
        let Some(digest) = self.whole.take() else { return Ok(()) };
        let same = digest.finish().as_ref() == self.id.digest() || lacks(Sabotage::VerifyOnRead);
        if same { Ok(()) } else { Err(self.damaged("its bytes are another blob's")) }
    }

    fn damaged(&mut self, what: &str) -> BlobError {
        self.next = self.after;
        BlobError::Damaged { id: self.id, what: what.to_owned() }
    }
}
