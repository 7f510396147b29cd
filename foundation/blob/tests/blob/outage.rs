//! An object store that is killed, slowed, and gives wrong answers: what is read is right or an error, and comes when it can.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use decalog_blob::{BlobError, Blobs, Options, S3, s3};
use decalog_gateway::behalf;
use decalog_outbound::resilience::Position;
use decalog_outbound::{Calling, Guard, Hedge, Kind, Policy, Watch};
use tokio::time::Instant;

use crate::player::{Player, Trouble};
use crate::stand::{MIB, get, options, put, run, text};

/// Nothing is tried twice unless the test says so.
fn plain() -> Policy {
    Policy {
        retries: 0,
        hedge: Hedge::Off,
        retries_per_second: 1_000,
        backoff: Duration::from_millis(1),
        attempt_timeout: Duration::from_secs(20),
        timeout: Duration::from_secs(20),
        ..Policy::default()
    }
}

#[derive(Default)]
struct Seen(Mutex<Vec<Position>>);

impl Watch for Seen {
    fn called(&self, _: &'static str, _: &'static str, _: Duration) {}

    fn further(&self, _: &'static str, _: Kind, _: bool) {}

    fn circuit(&self, _: &'static str, _: Option<Position>, to: Option<Position>) {
        self.0.lock().unwrap().extend(to);
    }
}

fn watched(player: &Player, policy: Policy, watch: Arc<dyn Watch>) -> Blobs {
    let at = S3 {
        bucket: "blobs".to_owned(),
        region: "us-east-1".to_owned(),
        endpoint: Some(format!("http://{}", player.address)),
        access_key: "test".to_owned(),
        secret: "test-secret".to_owned(),
        calling: Calling { guard: Guard::default(), policy, watch },
    };
    // Each blob goes in one piece.
    Blobs::new(s3(&at).unwrap(), Options { part_bytes: 16 * MIB, ..options(false) })
}

fn blobs(player: &Player, policy: Policy) -> Blobs {
    watched(player, policy, Arc::new(()))
}

#[test]
fn a_request_that_fails_is_tried_again_and_one_that_is_cut_off_too() {
    run(async {
        let player = Player::start();
        let trying = blobs(&player, Policy { retries: 3, ..plain() });
        let text = text(300_000);
        player.bucket.next(&[Trouble::Status(503), Trouble::Status(500)]);
        let id = put(&trying, &text).await.unwrap().id;
        assert_eq!(player.bucket.asked("PUT"), 3);
        for troubles in
            [&[Trouble::Status(503), Trouble::Cut][..], &[Trouble::Cut, Trouble::Cut, Trouble::Status(500)]]
        {
            player.bucket.next(troubles);
            assert!(get(&trying, id).await.unwrap() == text, "{troubles:?}");
            assert_eq!(player.bucket.asked("GET"), troubles.len() + 1);
        }
        player.bucket.next(&[Trouble::Cut]);
        assert!(matches!(get(&blobs(&player, plain()), id).await, Err(BlobError::Store(_))));
        // The store's own client does not try again.
        player.bucket.next(&[Trouble::Status(503)]);
        assert!(get(&blobs(&player, plain()), id).await.is_err());
        assert_eq!(player.bucket.asked("GET"), 1);
    });
}

#[test]
fn a_spoilt_answer_is_noticed_and_read_again() {
    run(async {
        let player = Player::start();
        let blobs = blobs(&player, plain());
        // Three pieces, of which the second comes spoilt.
        let text = text(9 * MIB);
        let id = put(&blobs, &text).await.unwrap().id;
        player.bucket.next(&[Trouble::None, Trouble::Flip]);
        assert!(get(&blobs, id).await.unwrap() == text);
        assert_eq!(player.bucket.asked("GET"), 4, "three pieces, and a chunk once more");
        player.bucket.next(&[Trouble::Flip; 9]);
        assert!(matches!(get(&blobs, id).await, Err(BlobError::Damaged { .. })));
    });
}

#[test]
fn a_read_that_hangs_is_asked_for_again_and_a_slow_store_is_not_waited_for_for_ever() {
    run(async {
        let player = Player::start();
        let text = text(100_000);
        let id = put(&blobs(&player, plain()), &text).await.unwrap().id;
        let hedging = blobs(&player, Policy { hedge: Hedge::After(Duration::from_millis(20)), ..plain() });
        player.bucket.next(&[Trouble::Hang]);
        assert!(get(&hedging, id).await.unwrap() == text, "by the second request, while the first hangs");
        assert_eq!(player.bucket.asked("GET"), 2);
        let short = Policy { attempt_timeout: Duration::from_millis(300), retries: 1, ..plain() };
        player.bucket.next(&[Trouble::Hang]);
        assert!(get(&blobs(&player, short), id).await.unwrap() == text, "by a retry, after the time-out");
        // The caller's deadline counts before the store's own times do.
        player.bucket.next(&[Trouble::Hang]);
        let soon = Instant::now() + Duration::from_millis(300);
        let outcome = behalf::until(soon, get(&blobs(&player, plain()), id)).await;
        assert!(matches!(outcome, Err(BlobError::Store(_))), "{outcome:?}");
    });
}

#[test]
fn a_store_that_is_killed_is_left_alone_and_used_again_when_it_is_back() {
    run(async {
        let player = Player::start();
        let seen = Arc::new(Seen::default());
        let pause = Duration::from_millis(200);
        let policy = Policy { breaker_failures: 3, breaker_pause: pause, ..plain() };
        let blobs = watched(&player, policy, seen.clone());
        let text = text(100_000);
        let id = put(&blobs, &text).await.unwrap().id;
        let (bucket, address) = player.kill();
        let mut told = String::new();
        while !told.contains("is left alone") {
            told = get(&blobs, id).await.expect_err("nobody is there").to_string();
        }
        let player = Player::again(bucket, address);
        while get(&blobs, id).await.is_err() {
            tokio::task::yield_now().await;
        }
        assert!(get(&blobs, id).await.unwrap() == text);
        put(&blobs, b"and it is written to").await.unwrap();
        let positions = seen.0.lock().unwrap().clone();
        assert_eq!(positions[..2], [Position::Closed, Position::Open]);
        assert_eq!(positions[positions.len() - 2..], [Position::HalfOpen, Position::Closed]);
        drop(player);
    });
}

#[test]
fn a_flood_of_failures_is_not_answered_by_a_flood_of_retries() {
    run(async {
        let player = Player::start();
        let policy = Policy { retries: 3, retries_per_second: 1, breaker_failures: u32::MAX, ..plain() };
        let blobs = blobs(&player, policy);
        let id = put(&blobs, b"text").await.unwrap().id;
        player.bucket.next(&[Trouble::Status(503); 1_000]);
        for _ in 0..50 {
            assert!(get(&blobs, id).await.is_err());
        }
        // Ten are free in ten seconds, and each of the (three) requests of a read pays for a tenth of one.
        let asked = player.bucket.asked("GET");
        assert!(asked < 50 + 3 * 50 / 2, "{asked} requests for 50 reads");
    });
}
