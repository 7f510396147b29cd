//! Getting: the chunks that hold the range are fetched, checked one by one, and cut to it.
//!
//! They come in pieces of a few MiB, each a request of its own: so whatever stands between us and the store can try a piece
//! again, or ask for it twice, without beginning the blob anew.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};
use decalog_seal::{CHUNK_BYTES, SealError};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStoreExt as _;
use ring::digest::{Context, SHA256};

use crate::framing::{Framing, STORED_CHUNK_BYTES, chunks, stored_bytes};
use crate::id::UploadId;
use crate::manifest::{Manifest, Unreadable};
use crate::sabotage::{Sabotage, lacks};
use crate::{BlobError, BlobId, Blobs};

/// Chunks that are asked for at once.
const PIECE_CHUNKS: usize = 64;
/// Their bytes, at most.
pub(crate) const PIECE_BYTES: usize = PIECE_CHUNKS * STORED_CHUNK_BYTES;
/// Pieces that are on their way at the same time.
const PIECES: usize = 2;

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
        let mut reading = Reading {
            blobs: self.clone(),
            id,
            upload,
            framing,
            bytes,
            from: self.pieces(upload, bytes, first..after),
            held: BytesMut::new(),
            next: first,
            after,
            again: true,
            range: range.clone(),
            whole: (range == (0..bytes)).then(|| Context::new(&SHA256)),
        };
        // That the data is there is known before the first byte is promised.
        reading.fill().await?;
        let pieces = stream::try_unfold(reading, |mut reading| async move {
            Ok(reading.piece().await?.map(|piece| (piece, reading)))
        });
        Ok(Object { bytes, range, pieces: pieces.boxed() })
    }
}

impl Blobs {
    /// The stored bytes of these chunks.
    fn pieces(&self, upload: UploadId, bytes: u64, chunks: Range<u64>) -> Pieces {
        let (store, path) = (Arc::clone(&self.store), upload.data());
        let firsts = (chunks.start..chunks.end).step_by(PIECE_CHUNKS);
        let ranges =
            firsts.map(move |first| place(first..chunks.end.min(first + PIECE_CHUNKS as u64), bytes));
        let fetch = move |range| {
            let (store, path) = (Arc::clone(&store), path.clone());
            async move { store.get_range(&path, range).await }
        };
        stream::iter(ranges).map(fetch).buffered(PIECES).boxed()
    }

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

type Pieces = BoxStream<'static, object_store::Result<Bytes>>;

/// Where chunks lie in the data of a blob with so many bytes.
fn place(chunks: Range<u64>, bytes: u64) -> Range<u64> {
    let stored = STORED_CHUNK_BYTES as u64;
    chunks.start * stored..stored_bytes(bytes).min(chunks.end * stored)
}

/// A read on its way.
struct Reading {
    blobs: Blobs,
    id: BlobId,
    upload: UploadId,
    framing: Framing,
    /// How many bytes the whole blob has.
    bytes: u64,
    from: Pieces,
    held: BytesMut,
    /// The next chunk, and the one after the last that is read.
    next: u64,
    after: u64,
    /// May a chunk that is not what was stored be fetched once more? It may have been spoilt on its way.
    again: bool,
    range: Range<u64>,
    /// The digest, when the whole blob is read.
    whole: Option<Context>,
}

impl Reading {
    /// The next bytes; `None` at the end.
    async fn piece(&mut self) -> Result<Option<Bytes>, BlobError> {
        while self.next < self.after {
            let chunk = self.chunk().await?;
            let base = self.next * CHUNK_BYTES as u64;
            self.next += 1;
            if let Some(digest) = &mut self.whole {
                digest.update(&chunk);
            }
            if self.next == self.after {
                self.compare()?;
            }
            let length = chunk.len();
            let place = |at: u64| usize::try_from(at.saturating_sub(base)).unwrap_or(length).min(length);
            let (from, to) = (place(self.range.start), place(self.range.end));
            let mut chunk = chunk;
            chunk.truncate(to);
            chunk.advance(from.min(to));
            if !chunk.is_empty() {
                return Ok(Some(chunk.freeze()));
            }
        }
        Ok(None)
    }

    /// The next chunk, checked.
    async fn chunk(&mut self) -> Result<BytesMut, BlobError> {
        self.fill().await?;
        let chunk = self.held.split_to(self.length());
        if let Some(opened) = self.open(chunk)? {
            return Ok(opened);
        }
        let number = self.next;
        if std::mem::take(&mut self.again) {
            tracing::warn!(blob = %self.id, chunk = number, "not what was stored: it is fetched once more");
            let at = place(number..number + 1, self.bytes);
            let fetched = self.blobs.store.get_range(&self.upload.data(), at).await;
            let fetched = fetched.map_err(|error| self.ended(error.into()))?;
            if fetched.len() == self.length()
                && let Some(opened) = self.open(BytesMut::from(fetched))?
            {
                return Ok(opened);
            }
        }
        Err(self.damaged(&format!("chunk {number} is not what was stored")))
    }

    /// The length of the next chunk as it is stored.
    fn length(&self) -> usize {
        let place = place(self.next..self.next + 1, self.bytes);
        usize::try_from(place.end - place.start).unwrap_or(STORED_CHUNK_BYTES)
    }

    /// Waits until the next chunk is held.
    async fn fill(&mut self) -> Result<(), BlobError> {
        while self.held.len() < self.length() {
            match self.from.next().await {
                Some(Ok(more)) => self.held.extend_from_slice(&more),
                Some(Err(error)) => {
                    let why = self.blobs.why_unreadable(self.id, self.upload, self.bytes, error).await;
                    return Err(self.ended(why));
                }
                None => return Err(self.damaged("its data is cut off")),
            }
        }
        Ok(())
    }

    /// The chunk's bytes, if they are what was stored.
    fn open(&mut self, mut chunk: BytesMut) -> Result<Option<BytesMut>, BlobError> {
        let number = u32::try_from(self.next).map_err(|_| self.damaged("it has too many chunks"))?;
        let last = self.next + 1 == chunks(self.bytes);
        let opened = self.framing.open_chunk(number, last, &mut chunk);
        Ok(opened.map(|length| {
            chunk.truncate(length);
            chunk
        }))
    }

    /// Is the whole of it the blob it is named? Looked at before its last piece is given.
    fn compare(&mut self) -> Result<(), BlobError> {
        let Some(digest) = self.whole.take() else { return Ok(()) };
        let same = digest.finish().as_ref() == self.id.digest() || lacks(Sabotage::VerifyOnRead);
        if same { Ok(()) } else { Err(self.damaged("its bytes are another blob's")) }
    }

    fn damaged(&mut self, what: &str) -> BlobError {
        self.ended(BlobError::Damaged { id: self.id, what: what.to_owned() })
    }

    /// Nothing more comes.
    fn ended(&mut self, error: BlobError) -> BlobError {
        self.next = self.after;
        error
    }
}
