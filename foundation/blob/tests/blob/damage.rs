//! What was changed in the store is never given: not in a whole read, not in a range.

use std::sync::Arc;

use decalog_blob::{BlobError, BlobId, Blobs};
use decalog_seal::CHUNK_BYTES;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt as _};

use crate::stand::{flip, get, get_range, objects, options, put, run, text};

#[test]
pub(crate) fn flipped_bits_of_an_open_blob_are_noticed() {
    run(flipped_bits_are_noticed(false));
}

#[test]
pub(crate) fn flipped_bits_of_a_sealed_blob_are_noticed() {
    run(flipped_bits_are_noticed(true));
}

async fn flipped_bits_are_noticed(seals: bool) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let blobs = Blobs::new(store.clone(), options(seals));
    let text = text(2 * CHUNK_BYTES + 500);
    let id = put(&blobs, &text).await.unwrap().id;
    let data = objects(&*store, "data").await.remove(0);
    let manifest = objects(&*store, "blobs").await.remove(0);
    let length = usize::try_from(store.head(&data).await.unwrap().size).unwrap();
    for at in (0..length).step_by(1_237).chain([length - 1]) {
        flip(&*store, &data, at).await;
        let chunk = (at / (CHUNK_BYTES + 16)) as u64 * CHUNK_BYTES as u64;
        let range = get_range(&blobs, id, chunk..chunk + 1).await;
        assert!(matches!(range, Err(BlobError::Damaged { .. })), "byte {at} was changed, a range was given");
        let whole = get(&blobs, id).await;
        assert!(matches!(whole, Err(BlobError::Damaged { .. })), "byte {at} was changed, all was given");
        flip(&*store, &data, at).await;
    }
    let length = usize::try_from(store.head(&manifest).await.unwrap().size).unwrap();
    for at in 0..length {
        flip(&*store, &manifest, at).await;
        let outcome = get(&blobs, id).await;
        let noticed = matches!(outcome, Err(BlobError::Damaged { .. } | BlobError::Sealed { .. }));
        assert!(noticed, "byte {at} of the manifest was changed: {outcome:?}");
        flip(&*store, &manifest, at).await;
    }
    assert!(get(&blobs, id).await.unwrap() == text);
}

#[test]
fn swapped_and_missing_data_is_noticed() {
    run(async {
        for seals in [false, true] {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let blobs = Blobs::new(store.clone(), options(seals));
            let one = put(&blobs, &text(100_000)).await.unwrap().id;
            let data = objects(&*store, "data").await.remove(0);
            let first = store.get(&data).await.unwrap().bytes().await.unwrap();
            let two = put(&blobs, &text(200_000)[..100_000]).await.unwrap().id;
            // The second blob's bytes under the first one's upload.
            for other in objects(&*store, "data").await {
                if other != data {
                    let bytes = store.get(&other).await.unwrap().bytes().await.unwrap();
                    store.put(&data, bytes.into()).await.unwrap();
                }
            }
            let outcome = get_range(&blobs, one, 0..10).await;
            assert!(matches!(outcome, Err(BlobError::Damaged { .. })), "{outcome:?}");
            store.put(&data, first.slice(..50_000).into()).await.unwrap();
            let outcome = get(&blobs, one).await;
            assert!(matches!(outcome, Err(BlobError::Damaged { .. })), "{outcome:?}");
            let beyond = get_range(&blobs, one, 99_000..99_001).await.unwrap_err();
            assert!(beyond.to_string().contains("cut off"), "{beyond}");
            store.delete(&data).await.unwrap();
            let gone = get(&blobs, one).await.unwrap_err();
            assert!(gone.to_string().contains("data is gone"), "{gone}");
            assert!(get(&blobs, two).await.is_ok());
        }
    });
}

/// A manifest that is copied to another blob's name does not make that blob.
#[test]
fn a_manifest_names_its_own_blob_only() {
    run(async {
        for seals in [false, true] {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let blobs = Blobs::new(store.clone(), options(seals));
            put(&blobs, b"real").await.unwrap();
            let manifest = objects(&*store, "blobs").await.remove(0);
            let other = BlobId::of(b"wanted");
            let (name, upload) = (other.to_string(), manifest.filename().unwrap());
            let forged = format!("blobs/{}/{name}/{upload}", &name[..2]);
            store.copy(&manifest, &forged.into()).await.unwrap();
            let outcome = get(&blobs, other).await;
            assert!(matches!(outcome, Err(BlobError::Damaged { .. })), "{outcome:?}");
        }
    });
}

#[test]
fn what_is_put_is_found_in_the_store_only_when_it_is_not_sealed() {
    run(async {
        let needle = b"a letter that nobody else may read";
        for seals in [false, true] {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let blobs = Blobs::new(store.clone(), options(seals));
            let id = put(&blobs, needle).await.unwrap().id;
            let mut found = false;
            for path in objects(&*store, "data").await {
                let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
                found |= bytes.windows(needle.len()).any(|window| window == needle);
            }
            assert_eq!(found, !seals);
            let keyless = get(&Blobs::new(store.clone(), options(false)), id).await;
            assert_eq!(keyless.is_ok(), !seals);
            let stranger = get(&Blobs::new(store.clone(), options(true)), id).await;
            assert!(stranger.is_err(), "other keys opened it, or took what is not sealed");
        }
    });
}

#[test]
fn an_older_upload_serves_while_a_newer_one_is_damaged() {
    run(async {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let blobs = Blobs::new(store.clone(), options(false));
        let id = put(&blobs, b"twice").await.unwrap().id;
        let older = objects(&*store, "blobs").await.remove(0);
        put(&blobs, b"twice").await.unwrap();
        let newer = objects(&*store, "blobs").await.into_iter().find(|path| *path != older).unwrap();
        // Writing it makes it the newest, whatever the clock's resolution.
        flip(&*store, &newer, 20).await;
        assert_eq!(get(&blobs, id).await.unwrap(), b"twice");
    });
}
