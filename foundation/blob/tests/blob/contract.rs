//! What every store must keep. Each promise is a function over a store; the macro at the end runs all of them against
//! each kind, open and sealed.

use std::sync::Arc;
use std::time::Duration;

use decalog_blob::{BlobError, BlobId, Blobs, Options, S3, folder, s3};
use decalog_outbound::{Calling, Guard, Policy};
use decalog_seal::CHUNK_BYTES;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::prefix::PrefixStore;

use crate::stand::{MIB, get, get_range, objects, options, pieces, put, run, text};

/// A store under test; what it lies in goes with it.
struct Subject {
    store: Arc<dyn ObjectStore>,
    _folder: Option<tempfile::TempDir>,
}

fn memory() -> Subject {
    Subject { store: Arc::new(InMemory::new()), _folder: None }
}

fn files() -> Subject {
    let place = tempfile::tempdir().unwrap();
    Subject { store: folder(&place.path().join("blobs")).unwrap(), _folder: Some(place) }
}

/// A bucket at the address in `DECALOG_TEST_S3`, below a prefix of its own.
fn bucket() -> Subject {
    let endpoint =
        std::env::var("DECALOG_TEST_S3").expect("DECALOG_TEST_S3 names an S3 server with a bucket `blobs`");
    let at = S3 {
        bucket: "blobs".to_owned(),
        region: "us-east-1".to_owned(),
        endpoint: Some(endpoint),
        access_key: "test".to_owned(),
        secret: "test-secret".to_owned(),
        calling: Calling {
            guard: Guard::default(),
            policy: Policy { attempt_timeout: Duration::from_secs(20), ..Policy::default() },
            watch: Arc::new(()),
        },
    };
    assert!(!format!("{at:?}").contains("test-secret"));
    let prefix = tempfile::tempdir().unwrap();
    let prefix = prefix.path().file_name().unwrap().to_str().unwrap().to_owned();
    Subject { store: Arc::new(PrefixStore::new(s3(&at).unwrap(), prefix)), _folder: None }
}

async fn what_is_put_is_got(blobs: Blobs, _: Arc<dyn ObjectStore>) {
    for length in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, MIB + 7, 11 * MIB + 3] {
        let text = text(length);
        let stored = put(&blobs, &text).await.unwrap();
        assert_eq!(stored.bytes, length as u64);
        assert_eq!(stored.id, BlobId::of(&text));
        assert_eq!(blobs.length(stored.id).await.unwrap(), length as u64);
        assert!(get(&blobs, stored.id).await.unwrap() == text, "{length} bytes");
    }
}

async fn ranges_are_those_of_the_bytes(blobs: Blobs, _: Arc<dyn ObjectStore>) {
    let text = text(6 * MIB + 100);
    let id = put(&blobs, &text).await.unwrap().id;
    let (chunk, end) = (CHUNK_BYTES, text.len());
    let edges = [0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk, 5 * MIB, end - 1, end];
    for (at, start) in edges.iter().enumerate() {
        for end in &edges[at..] {
            let got = get_range(&blobs, id, *start as u64..*end as u64).await.unwrap();
            assert!(got == text[*start..*end], "{start} to {end}");
        }
    }
    let beyond = get_range(&blobs, id, 5..end as u64 + 1).await.unwrap_err();
    assert!(matches!(beyond, BlobError::OutOfRange { .. }), "{beyond}");
    #[expect(clippy::reversed_empty_ranges, reason = "it is refused")]
    let backwards = get_range(&blobs, id, 7..3).await.unwrap_err();
    assert!(matches!(backwards, BlobError::OutOfRange { .. }), "{backwards}");
}

async fn what_was_never_put_is_missing(blobs: Blobs, _: Arc<dyn ObjectStore>) {
    let id = BlobId::of(b"never");
    assert!(matches!(get(&blobs, id).await, Err(BlobError::Missing { .. })));
    assert!(matches!(blobs.length(id).await, Err(BlobError::Missing { .. })));
}

async fn announced_bytes_must_be_those_that_come(blobs: Blobs, store: Arc<dyn ObjectStore>) {
    let text = text(100_000);
    let refused = blobs.put_as(BlobId::of(b"other"), pieces(&text)).await.unwrap_err();
    assert!(
        matches!(refused, BlobError::OtherContent { found, .. } if found == BlobId::of(&text)),
        "{refused}"
    );
    assert!(objects(&*store, "blobs").await.is_empty() && objects(&*store, "data").await.is_empty());
    let large = crate::stand::text(7 * MIB);
    assert!(blobs.put_as(BlobId::of(b"other"), pieces(&large)).await.is_err());
    assert!(objects(&*store, "data").await.is_empty(), "what was aborted is gone");
    assert_eq!(blobs.put_as(BlobId::of(&text), pieces(&text)).await.unwrap().id, BlobId::of(&text));
}

async fn a_blob_that_is_put_twice_is_one(blobs: Blobs, store: Arc<dyn ObjectStore>) {
    let text = text(200_000);
    let first = put(&blobs, &text).await.unwrap();
    assert_eq!(put(&blobs, &text).await.unwrap(), first);
    assert!(get(&blobs, first.id).await.unwrap() == text);
    // The older upload goes once it is old enough; the younger stays, as somebody refers to it.
    let impatient = Blobs::new(store.clone(), Options { grace: Duration::ZERO, ..options(false) });
    let mut repeats = 0;
    while repeats == 0 {
        repeats += impatient.collect(|id| id == first.id).await.unwrap().repeats;
    }
    assert_eq!((repeats, objects(&*store, "data").await.len()), (1, 1));
    assert!(get(&blobs, first.id).await.unwrap() == text);
}

async fn what_nobody_refers_to_is_collected(blobs: Blobs, store: Arc<dyn ObjectStore>) {
    let (kept, dropped) = (text(70_000), text(6 * MIB));
    let kept_id = put(&blobs, &kept).await.unwrap().id;
    let dropped_id = put(&blobs, &dropped).await.unwrap().id;
    let impatient = Blobs::new(store.clone(), Options { grace: Duration::ZERO, ..options(false) });
    let mut removed = 0;
    while removed == 0 {
        let collected = impatient.collect(|id| id == kept_id).await.unwrap();
        assert_eq!(collected.blobs + collected.removed + removed, 2);
        removed += collected.removed;
    }
    assert!(matches!(get(&blobs, dropped_id).await, Err(BlobError::Missing { .. })));
    assert!(get(&blobs, kept_id).await.unwrap() == kept);
    assert_eq!(objects(&*store, "data").await.len(), 1);
}

macro_rules! contract {
    ($kind:ident, $subject:ident, $seals:literal: $($promise:ident),+ $(,)?) => {
        mod $kind {
            $(
                #[test]
                fn $promise() {
                    super::keeps($seals, super::$subject(), super::$promise);
                }
            )+
        }
    };
    ($kind:ident, $subject:ident, $seals:literal, ignored: $($promise:ident),+ $(,)?) => {
        mod $kind {
            $(
                #[test]
                #[ignore = "needs a server: acceptance/test_blobs.py starts one"]
                fn $promise() {
                    super::keeps($seals, super::$subject(), super::$promise);
                }
            )+
        }
    };
}

fn keeps<F: Future<Output = ()>>(
    seals: bool,
    subject: Subject,
    promise: impl FnOnce(Blobs, Arc<dyn ObjectStore>) -> F,
) {
    let blobs = Blobs::new(subject.store.clone(), options(seals));
    run(promise(blobs, subject.store.clone()));
}

macro_rules! for_each_store {
    ($($promises:tt)+) => {
        contract!(in_memory, memory, false: $($promises)+);
        contract!(in_memory_sealed, memory, true: $($promises)+);
        contract!(in_a_folder, files, false: $($promises)+);
        contract!(in_a_folder_sealed, files, true: $($promises)+);
        contract!(in_s3, bucket, false, ignored: $($promises)+);
        contract!(in_s3_sealed, bucket, true, ignored: $($promises)+);
    };
}

for_each_store!(
    what_is_put_is_got,
    ranges_are_those_of_the_bytes,
    what_was_never_put_is_missing,
    announced_bytes_must_be_those_that_come,
    a_blob_that_is_put_twice_is_one,
    what_nobody_refers_to_is_collected,
);
