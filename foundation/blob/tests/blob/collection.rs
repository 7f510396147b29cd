//! What a collection removes, and what it never does: the young, what somebody refers to, and an upload on its way.

use std::sync::Arc;
use std::time::Duration;

use decalog_blob::{Blobs, Collected, Options};
use object_store::ObjectStoreExt as _;

use crate::stand::{Fault, Faulty, get, objects, options, put, run, text};

#[test]
pub(crate) fn the_young_are_not_collected() {
    run(async {
        let store = Faulty::new();
        let blobs = Blobs::new(store.clone(), options(false));
        let id = put(&blobs, b"just put, and nobody refers to it yet").await.unwrap().id;
        store.inner.put(&"data/00112233445566778899aabbccddeeff".into(), "half".into()).await.unwrap();
        let collected = blobs.collect(|_| false).await.unwrap();
        let untouched = Collected { blobs: 1, ..Collected::default() };
        assert_eq!(collected, untouched, "something young was removed");
        assert!(get(&blobs, id).await.is_ok());
    });
}

/// The collection runs when the bytes are stored and the manifest is not.
#[test]
pub(crate) fn an_upload_on_its_way_is_not_collected() {
    run(async {
        let store = Faulty::new();
        let blobs = Blobs::new(store.clone(), options(true));
        store.set(Fault::Hold("blobs"));
        let text = text(300_000);
        let (putting, collecting) = (put(&blobs, &text), async {
            store.held.notified().await;
            assert_eq!(objects(&*store.inner, "data").await.len(), 1);
            let collected = blobs.collect(|_| false).await.unwrap();
            store.go_on.notify_one();
            collected
        });
        let (stored, collected) = futures_util::future::join(putting, collecting).await;
        assert_eq!(collected, Collected::default(), "an upload on its way was removed");
        assert!(get(&blobs, stored.unwrap().id).await.unwrap() == text);
    });
}

#[test]
fn what_an_upload_abandoned_is_collected_once_it_is_old() {
    run(async {
        let store = Faulty::new();
        let impatient = Blobs::new(store.clone(), Options { grace: Duration::ZERO, ..options(false) });
        store.inner.put(&"data/00112233445566778899aabbccddeeff".into(), "half".into()).await.unwrap();
        // What is not this crate's stays.
        store.inner.put(&"data/readme".into(), "by hand".into()).await.unwrap();
        let id = put(&Blobs::new(store.clone(), options(false)), b"whole").await.unwrap().id;
        let mut abandoned = 0;
        while abandoned == 0 {
            abandoned += impatient.collect(|_| true).await.unwrap().abandoned;
        }
        assert_eq!((abandoned, objects(&*store.inner, "data").await.len()), (1, 2));
        assert!(get(&impatient, id).await.is_ok());
    });
}

/// Puts, gets and collections at the same time: what is referred to is always there.
#[test]
fn collections_beside_puts_lose_nothing() {
    run(async {
        let store = Faulty::new();
        let blobs = Blobs::new(store.clone(), options(false));
        let impatient = Blobs::new(store.clone(), Options { grace: Duration::ZERO, ..options(false) });
        let kept: Arc<Vec<_>> = Arc::new((0..5).map(|number| text(1000 + number)).collect());
        let ids: Vec<_> = kept.iter().map(|text| decalog_blob::BlobId::of(text)).collect();
        for text in kept.iter() {
            put(&blobs, text).await.unwrap();
        }
        let putting = async {
            for _ in 0..40 {
                for text in kept.iter() {
                    put(&blobs, text).await.unwrap();
                    let got = get(&blobs, decalog_blob::BlobId::of(text)).await;
                    // A reader may meet the removal of an older upload, and is told; asked again it finds the newer.
                    let got = match got {
                        Ok(got) => got,
                        Err(_) => get(&blobs, decalog_blob::BlobId::of(text)).await.unwrap(),
                    };
                    assert!(got == *text);
                }
                tokio::task::yield_now().await;
            }
        };
        let collecting = async {
            for _ in 0..40 {
                impatient.collect(|id| ids.contains(&id)).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        futures_util::future::join(putting, collecting).await;
        for text in kept.iter() {
            assert!(get(&blobs, decalog_blob::BlobId::of(text)).await.unwrap() == *text);
        }
    });
}
