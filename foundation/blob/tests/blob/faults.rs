//! A store that fails, cuts off and corrupts while it is used: nothing half is stored, nothing wrong is given.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use decalog_blob::{BlobError, Blobs, Options};
use futures_util::{StreamExt as _, stream};
use object_store::ObjectStore as _;

use crate::stand::{Fault, Faulty, MIB, get, objects, options, pieces, put, run, text};

#[test]
fn a_put_that_fails_leaves_nothing() {
    run(async {
        for seals in [false, true] {
            let store = Faulty::new();
            let blobs = Blobs::new(store.clone(), options(seals));
            let (small, large) = (text(1000), text(16 * MIB));
            let faults = [
                (Fault::FailPut("data"), &small),
                (Fault::FailPut("blobs"), &small),
                (Fault::FailPut("blobs"), &large),
                (Fault::FailPart(1), &large),
                (Fault::FailPart(3), &large),
                (Fault::FailComplete, &large),
            ];
            for (fault, text) in faults {
                store.set(fault);
                let outcome = put(&blobs, text).await;
                assert!(matches!(outcome, Err(BlobError::Store(_))), "{fault:?}: {outcome:?}");
                store.set(Fault::None);
                assert!(objects(&*store.inner, "").await.is_empty(), "{fault:?} left something");
            }
            let stored = put(&blobs, &large).await.unwrap();
            assert!(get(&blobs, stored.id).await.unwrap() == large, "once it works again");
        }
    });
}

#[test]
fn a_sender_that_fails_or_stops_leaves_nothing() {
    run(async {
        let store = Faulty::new();
        let blobs = Blobs::new(store.clone(), options(false));
        let broken =
            pieces(&text(12 * MIB)).chain(stream::iter([Err(std::io::Error::other("the line was cut"))]));
        let outcome = blobs.put(broken).await;
        assert!(matches!(outcome, Err(BlobError::Source(_))), "{outcome:?}");
        assert_eq!(store.flying.aborted.load(Ordering::Relaxed), 1);
        assert!(objects(&*store.inner, "").await.is_empty());
        let hurried =
            Blobs::new(store.clone(), Options { grace: Duration::from_millis(100), ..options(false) });
        let never = pieces(b"a beginning").chain(stream::pending());
        let outcome = hurried.put(never).await;
        assert!(matches!(outcome, Err(BlobError::TooSlow { .. })), "{outcome:?}");
        assert!(objects(&*store.inner, "").await.is_empty());
    });
}

#[test]
pub(crate) fn a_blob_has_no_more_bytes_than_it_may() {
    run(async {
        let store = Faulty::new();
        let blobs = Blobs::new(store.clone(), Options { max_bytes: 100_000, ..options(false) });
        let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[7; 1000])));
        let outcome = blobs.put(endless.take(1_000)).await;
        assert!(
            matches!(outcome, Err(BlobError::TooLarge { limit: 100_000 })),
            "more was stored: {outcome:?}"
        );
        assert!(objects(&*store.inner, "").await.is_empty());
        assert!(put(&blobs, &text(100_000)).await.is_ok());
        assert!(put(&blobs, &text(100_001)).await.is_err());
    });
}

#[test]
fn memory_stays_bounded_however_large_a_blob_is() {
    run(async {
        let store = Faulty::new();
        let blobs = Blobs::new(store.clone(), options(true));
        let piece = Bytes::from(text(3 * MIB));
        let many = stream::iter((0..20).map(move |_| Ok::<_, std::io::Error>(piece.clone())));
        blobs.put(many).await.unwrap();
        let largest = store.largest.load(Ordering::Relaxed);
        assert!(largest < 5 * MIB + 70_000, "a part of {largest} bytes");
        let (most, all) = (&store.flying.most, &store.flying.all);
        assert!(most.load(Ordering::Relaxed) <= 3, "{most:?} parts at the same time");
        assert!(all.load(Ordering::Relaxed) >= 11, "{all:?} parts");
    });
}

#[test]
fn a_get_that_goes_wrong_says_so_and_gives_nothing_wrong() {
    run(async {
        for seals in [false, true] {
            let store = Faulty::new();
            let blobs = Blobs::new(store.clone(), options(seals));
            let text = text(500_000);
            let id = put(&blobs, &text).await.unwrap().id;
            for fault in [
                Fault::FailGet,
                Fault::FailAfter(0),
                Fault::FailAfter(300_000),
                Fault::EndAfter(0),
                Fault::EndAfter(65_552),
                Fault::EndAfter(499_999),
                Fault::FlipAt(0),
                Fault::FlipAt(250_000),
                Fault::FlipAt(500_000),
            ] {
                store.set(fault);
                let mut given = Vec::new();
                let outcome = match blobs.get(id).await {
                    Err(error) => Err(error),
                    Ok(mut object) => loop {
                        match object.pieces.next().await {
                            Some(Ok(piece)) => given.extend_from_slice(&piece),
                            Some(Err(error)) => break Err(error),
                            None => break Ok(()),
                        }
                    },
                };
                let told = matches!(outcome, Err(BlobError::Store(_) | BlobError::Damaged { .. }));
                assert!(told, "{fault:?}: {outcome:?}");
                assert!(text.starts_with(&given), "{fault:?}: wrong bytes were given");
            }
            store.set(Fault::None);
            assert!(get(&blobs, id).await.unwrap() == text);
        }
    });
}

#[test]
fn a_collection_that_cannot_look_removes_nothing() {
    run(async {
        let store = Faulty::new();
        let blobs = Blobs::new(store.clone(), Options { grace: Duration::ZERO, ..options(false) });
        put(&Blobs::new(store.clone(), options(false)), b"text").await.unwrap();
        store.set(Fault::FailGet);
        assert!(blobs.collect(|_| false).await.is_err());
        store.set(Fault::None);
        assert_eq!(objects(&*store.inner, "data").await.len(), 1);
        let _: Arc<dyn object_store::ObjectStore> = store.clone();
        assert_eq!(store.to_string(), "Faulty");
        let _ = store.list(None);
    });
}
