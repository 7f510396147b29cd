//! Collecting: what nobody refers to is removed, by a rule that cannot meet an upload on its way.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload};

use crate::id::UploadId;
use crate::sabotage::{Sabotage, lacks};
use crate::{BlobError, BlobId, Blobs};

/// What a collection came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Blobs that are left.
    pub blobs: u64,
    /// Blobs of which nothing is left, because nobody refers to them.
    pub removed: u64,
    /// Older uploads of blobs that were put more than once.
    pub repeats: u64,
    /// Data of uploads that never became a blob.
    pub abandoned: u64,
}

/// One upload of a blob.
#[derive(Clone, Copy)]
struct Upload {
    upload: UploadId,
    /// Milliseconds since 1970, by the store's clock.
    modified: i64,
}

impl Blobs {
    /// Removes every upload that is older than the grace period and that nobody needs: of a blob that is not
    /// `referenced`, or of one that was put again since. `referenced` must answer by what the owners of the blobs refer
    /// to at a moment after this call began, or know all of it.
    ///
    /// Why nothing that is used is removed: an upload never changes and is never shared, a blob that is put again gets
    /// another, so removing an old one cannot hit a new one; a put takes at most half of the grace period, so what has no
    /// manifest after all of it was abandoned; and whoever has put a blob refers to it before the other half is over.
    /// Who wants to refer to a blob that somebody else has put must know that it is referred to until then, or put it
    /// again; that it can be read is not enough. Ages are measured by the store's own clock. It may be stopped anywhere, and run twice at once.
    pub async fn collect(&self, referenced: impl Fn(BlobId) -> bool) -> Result<Collected, BlobError> {
        let grace = i64::try_from(self.options.grace.as_millis()).unwrap_or(i64::MAX);
        let grace = if lacks(Sabotage::Grace) { -1 } else { grace };
        let before = self.now().await?.saturating_sub(grace);
        // Data first: what has no manifest in the later listing had none when its age was looked at.
        let data = self.list("data").await?;
        let manifests = self.list("blobs").await?;
        let mut blobs: BTreeMap<BlobId, Vec<Upload>> = BTreeMap::new();
        let mut whole = BTreeSet::new();
        for (path, modified) in manifests {
            if let Some((id, upload)) = UploadId::of_manifest(&path) {
                blobs.entry(id).or_default().push(Upload { upload, modified });
                whole.insert(upload);
            }
        }
        let mut collected = Collected::default();
        for (id, mut uploads) in blobs {
            uploads.sort_by_key(|upload| upload.modified);
            let used = referenced(id);
            let Some(newest) = uploads.pop() else { continue };
            for repeat in uploads.iter().filter(|upload| upload.modified < before) {
                self.remove(id, repeat.upload).await?;
                collected.repeats += 1;
            }
            if used || newest.modified >= before {
                collected.blobs += 1;
            } else {
                self.remove(id, newest.upload).await?;
                collected.removed += 1;
            }
        }
        for (path, modified) in data {
            let abandoned = UploadId::of_data(&path).is_some_and(|upload| !whole.contains(&upload));
            if abandoned && modified < before {
                self.delete(&path).await?;
                collected.abandoned += 1;
            }
        }
        Ok(collected)
    }

    /// The store's own clock, by an object written now.
    async fn now(&self) -> Result<i64, BlobError> {
        let clock = Path::from("clock");
        self.store.put(&clock, PutPayload::from_static(b"now")).await?;
        Ok(self.store.head(&clock).await?.last_modified.timestamp_millis())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(Path, i64)>, BlobError> {
        let found = self.store.list(Some(&Path::from(prefix)));
        let found = found.map_ok(|meta| (meta.location, meta.last_modified.timestamp_millis()));
        Ok(found.try_collect().await?)
    }

    /// The manifest first: from then on nobody looks for the data.
    async fn remove(&self, id: BlobId, upload: UploadId) -> Result<(), BlobError> {
        self.delete(&upload.manifest(id)).await?;
        self.delete(&upload.data()).await
    }

    async fn delete(&self, path: &Path) -> Result<(), BlobError> {
        match self.store.delete(path).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            outcome => Ok(outcome?),
        }
    }
}
