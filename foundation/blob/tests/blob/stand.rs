//! What the tests work on: stores, texts, and a store that does as it is told.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use decalog_blob::{BlobError, BlobId, Blobs, Options, Stored};
use decalog_seal::{KeyRing, MasterKey};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};
use tokio::sync::Notify;

pub(crate) const MIB: usize = 1 << 20;

/// Parts as small as S3 allows, two on their way.
pub(crate) fn options(seals: bool) -> Options {
    let part_bytes = 5 * MIB;
    Options { part_bytes, max_bytes: 64 * MIB as u64, seal: seals.then(ring), ..Options::default() }
}

fn ring() -> Arc<KeyRing> {
    let folder = tempfile::tempdir().unwrap();
    Arc::new(KeyRing::create(&folder.path().join("ring"), &MasterKey::new([8; 32])).unwrap())
}

/// Runs on this thread only: sabotage is a thread's.
pub(crate) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

/// Bytes that do not repeat by the chunk.
pub(crate) fn text(length: usize) -> Vec<u8> {
    let mut state = length as u64 | 1;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u8::try_from(state >> 56).unwrap()
    };
    (0..length).map(next).collect()
}

/// The text in pieces that never fit a chunk.
pub(crate) fn pieces(text: &[u8]) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send + use<> {
    let pieces: Vec<_> = text.chunks(100_003).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces)
}

pub(crate) async fn put(blobs: &Blobs, text: &[u8]) -> Result<Stored, BlobError> {
    blobs.put(pieces(text)).await
}

pub(crate) async fn get(blobs: &Blobs, id: BlobId) -> Result<Vec<u8>, BlobError> {
    let pieces: Vec<Bytes> = blobs.get(id).await?.pieces.try_collect().await?;
    Ok(pieces.concat())
}

pub(crate) async fn get_range(blobs: &Blobs, id: BlobId, range: Range<u64>) -> Result<Vec<u8>, BlobError> {
    let pieces: Vec<Bytes> = blobs.get_range(id, range).await?.pieces.try_collect().await?;
    Ok(pieces.concat())
}

/// Every object below a prefix.
pub(crate) async fn objects(store: &dyn ObjectStore, prefix: &str) -> Vec<Path> {
    let found = store.list(Some(&Path::from(prefix))).map_ok(|meta| meta.location);
    found.try_collect().await.unwrap()
}

/// What the store does wrong next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// An object whose name begins so cannot be written.
    FailPut(&'static str),
    /// This part of a multipart upload fails.
    FailPart(usize),
    /// A multipart upload cannot be completed.
    FailComplete,
    /// Nothing can be read or listed.
    FailGet,
    /// After so many bytes a read fails, ends early, or has a flipped bit.
    FailAfter(usize),
    EndAfter(usize),
    FlipAt(usize),
    /// An object whose name begins so is written only once it is let go on.
    Hold(&'static str),
}

/// A store in memory that does as it is told.
pub(crate) struct Faulty {
    pub(crate) inner: Arc<InMemory>,
    fault: Arc<Mutex<Fault>>,
    pub(crate) held: Arc<Notify>,
    pub(crate) go_on: Arc<Notify>,
    /// The largest part, the most at the same time, and all of them.
    pub(crate) largest: Arc<AtomicUsize>,
    pub(crate) flying: Arc<Flying>,
}

#[derive(Default)]
pub(crate) struct Flying {
    now: AtomicUsize,
    pub(crate) most: AtomicUsize,
    pub(crate) all: AtomicUsize,
    pub(crate) aborted: AtomicUsize,
}

impl Faulty {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::new(InMemory::new()),
            fault: Arc::new(Mutex::new(Fault::None)),
            held: Arc::default(),
            go_on: Arc::default(),
            largest: Arc::default(),
            flying: Arc::default(),
        })
    }

    pub(crate) fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap()
    }
}

fn failure() -> object_store::Error {
    object_store::Error::Generic { store: "Faulty", source: "it was told to fail".into() }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, at: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        match self.fault() {
            Fault::FailPut(prefix) if at.as_ref().starts_with(prefix) => return Err(failure()),
            Fault::Hold(prefix) if at.as_ref().starts_with(prefix) => {
                self.held.notify_one();
                self.go_on.notified().await;
            }
            _ => {}
        }
        self.inner.put_opts(at, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.inner.put_multipart_opts(at, options).await?;
        let (fault, largest, flying) = (self.fault(), self.largest.clone(), self.flying.clone());
        Ok(Box::new(FaultyUpload { inner, fault, parts: 0, largest, flying }))
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        let fault = self.fault();
        if fault == Fault::FailGet {
            return Err(failure());
        }
        let mut result = self.inner.get_opts(at, options).await?;
        if at.as_ref().starts_with("data/") {
            let meta = result.meta.clone();
            let (range, attributes) = (result.range.clone(), result.attributes.clone());
            let whole = result.bytes().await?;
            let payload =
                GetResultPayload::Stream(spoilt(whole, fault, usize::try_from(range.start).unwrap()));
            result = GetResult { payload, meta, range, attributes, extensions: Default::default() };
        }
        Ok(result)
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fault() {
            Fault::FailGet => stream::once(async { Err(failure()) }).boxed(),
            _ => self.inner.list(prefix),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// The bytes, of which the first is the object's byte `start`, in small pieces, spoilt as the fault says.
fn spoilt(whole: Bytes, fault: Fault, start: usize) -> BoxStream<'static, Result<Bytes>> {
    let mut bytes = whole.to_vec();
    let pieces = |bytes: &[u8]| -> Vec<Result<Bytes>> {
        bytes.chunks(9_973).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()
    };
    let within = |at: usize| at.saturating_sub(start).min(bytes.len());
    let given = match fault {
        Fault::FailAfter(length) => {
            let mut given = pieces(&bytes[..within(length)]);
            given.push(Err(failure()));
            given
        }
        Fault::EndAfter(length) => pieces(&bytes[..within(length)]),
        Fault::FlipAt(at) => {
            if let Some(byte) = at.checked_sub(start).and_then(|at| bytes.get_mut(at)) {
                *byte ^= 4;
            }
            pieces(&bytes)
        }
        _ => pieces(&bytes),
    };
    stream::iter(given).boxed()
}

struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    fault: Fault,
    parts: usize,
    largest: Arc<AtomicUsize>,
    flying: Arc<Flying>,
}

impl fmt::Debug for FaultyUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyUpload")
    }
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, part: PutPayload) -> UploadPart {
        self.parts += 1;
        self.largest.fetch_max(part.content_length(), Ordering::Relaxed);
        self.flying.all.fetch_add(1, Ordering::Relaxed);
        let fails = self.fault == Fault::FailPart(self.parts);
        let (done, flying) = (self.inner.put_part(part), self.flying.clone());
        Box::pin(async move {
            let now = flying.now.fetch_add(1, Ordering::Relaxed) + 1;
            flying.most.fetch_max(now, Ordering::Relaxed);
            // Others get their turn while this one is on its way.
            tokio::task::yield_now().await;
            flying.now.fetch_sub(1, Ordering::Relaxed);
            if fails { Err(failure()) } else { done.await }
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        if self.fault == Fault::FailComplete { Err(failure()) } else { self.inner.complete().await }
    }

    async fn abort(&mut self) -> Result<()> {
        self.flying.aborted.fetch_add(1, Ordering::Relaxed);
        self.inner.abort().await
    }
}

/// Flips a bit of an object in the store.
pub(crate) async fn flip(store: &dyn ObjectStore, path: &Path, at: usize) {
    let mut bytes = store.get(path).await.unwrap().bytes().await.unwrap().to_vec();
    bytes[at] ^= 1;
    store.put(path, bytes.into()).await.unwrap();
}
