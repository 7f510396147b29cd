//! Large objects, named by their content: media, models, backups. A blob is stored once it is whole, read whole or by
//! range, checked on every read, and removed when nobody refers to it any more.
//!
//! [`Blobs`] stands on any [`object_store::ObjectStore`]: [`folder`] and [`s3`] open the two that are meant for servers.
//!
//! ```
//! use std::sync::Arc;
//! use decalog_blob::{Blobs, Options};
//! use futures_util::{TryStreamExt as _, stream};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let blobs = Blobs::new(Arc::new(object_store::memory::InMemory::new()), Options::default());
//! let pieces = stream::iter(["a large ", "object"].map(|piece| Ok::<_, std::io::Error>(piece.into())));
//! let stored = blobs.put(pieces).await?;
//! assert_eq!(stored.bytes, 14);
//!
//! let object = blobs.get_range(stored.id, 2..7).await?;
//! let pieces: Vec<bytes::Bytes> = object.pieces.try_collect().await?;
//! assert_eq!(pieces.concat(), b"large");
//! # Ok::<(), decalog_blob::BlobError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Two objects a blob
//!
//! ```text
//! data/UPLOAD             the bytes, in chunks of 64 KiB with a tag each
//! blobs/ab/ABCD…/UPLOAD   the manifest: how long it is and how its chunks are read; written last
//! ```
//!
//! A blob's SHA-256 is known when all of it has been seen, and by then it is stored: so the bytes go under the name of
//! their upload (128 random bits), and the manifest, which is written last and at once, names them by content. A blob
//! that is put twice has two uploads until [`Blobs::collect`] removes the older.
//!
//! # What it promises
//!
//! * **Whole or not at all**: without its manifest an upload does not exist.
//! * **Bounded memory**: a put holds a few parts ([`Options::part_bytes`]), a get two pieces of 4 MiB.
//! * **Checked on read**: every chunk has a tag: the cipher's when sealed, else 16 bytes of a SHA-256 over its upload,
//!   number, end and bytes. What does not fit is fetched once more, and never given. A whole read is compared with the blob's name too.
//! * **Sealed**, with [`Options::seal`]: as a stream of `decalog-seal`, bound to its upload; the manifest is bound to the
//!   blob. Without keys a store that lies on purpose is not noticed in a range.
//! * **Nothing that is used is collected.** See [`Blobs::collect`] for the rule and why an upload on its way is safe.
//!
//! # What it does not
//!
//! * It does not abort the multipart uploads of a process that was killed: give the bucket a lifecycle rule.
//! * It does not retry, but for a chunk that was spoilt on its way: the store's client does ([`s3`]), which is
//!   `decalog-outbound`, with its deadlines, budget, breaker and hedged reads.

#![forbid(unsafe_code)]

mod collect;
mod error;
mod framing;
mod id;
mod manifest;
mod read;
pub mod sabotage;
mod store;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use decalog_seal::KeyRing;
use object_store::ObjectStore;
use object_store::prefix::PrefixStore;

pub use collect::Collected;
pub use error::BlobError;
pub use id::BlobId;
pub use read::Object;
pub use store::{S3, folder, s3};
pub use upload::Stored;

/// How blobs are stored.
#[derive(Clone, Debug)]
pub struct Options {
    /// The largest blob, in bytes.
    pub max_bytes: u64,
    /// The bytes of a part of a multipart upload; smaller blobs go in one piece. S3 wants at least 5 MiB.
    pub part_bytes: usize,
    /// Parts on their way at the same time.
    pub parts_in_flight: usize,
    /// How old an upload must be before it may be collected. Whoever puts a blob must have referred to it within half
    /// of this, and a put that takes longer than half of it is given up.
    pub grace: Duration,
    /// The keys with which blobs are sealed; `None` stores them open.
    pub seal: Option<Arc<KeyRing>>,
}

impl Default for Options {
    /// 5 GiB, parts of 8 MiB, two in flight, a day of grace, open.
    fn default() -> Self {
        Self {
            max_bytes: 5 << 30,
            part_bytes: 8 << 20,
            parts_in_flight: 2,
            grace: Duration::from_secs(24 * 3600),
            seal: None,
        }
    }
}

/// Blobs in an object store. Clones share it.
#[derive(Clone, Debug)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    options: Options,
}

impl Blobs {
    /// Blobs in all of this store.
    pub fn new(store: Arc<dyn ObjectStore>, options: Options) -> Self {
        Self { store, options }
    }

    /// Blobs in a part of this store, which nobody else uses: what is there and not referred to is collected.
    pub fn within(store: Arc<dyn ObjectStore>, part: &str, options: Options) -> Self {
        Self::new(Arc::new(PrefixStore::new(store, part)), options)
    }
}
