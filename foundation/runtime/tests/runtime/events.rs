//! Subscriptions: history then live, no gap, no duplicate; slow readers; followers; the journal on disk.

use std::sync::Arc;
use std::time::Duration;

use decalog_log::{Durability, EmbeddedLog, Options};
use decalog_runtime::{Address, Config, Origin, Partition, Setup, SubscriptionError, System};

use crate::ledger::{Command, Event, Ledger};
use crate::stand::{PARTITIONS, SYSTEM, Stand, until};

fn deposit(partition: &Partition<Ledger>, account: u64) {
    partition.submit_blocking(Origin::default(), &Command::Deposit { account, points: 1 }).unwrap();
}

/// Offers deposits to accounts of this range, as fast as the partition takes them.
fn flood(partition: &Partition<Ledger>, accounts: std::ops::Range<u64>) {
    for account in accounts {
        let command = Command::Deposit { account, points: 1 };
        until("room in the queue", || partition.offer(Origin::default(), &command, 0).is_ok());
    }
}

fn account(event: &Event) -> u64 {
    match event {
        Event::Changed { account, .. } | Event::Returned { account, .. } | Event::Closed { account } => {
            *account
        }
    }
}

#[test]
fn subscribers_get_history_then_live_without_gap_or_duplicate() {
    const COUNT: u64 = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let mut stand = Stand::new();
    stand.config = Config { durability: Durability::Os, tail_bytes: 64 << 10, ..stand.config };
    let setup = Setup { journal: Some(folder.path().to_owned()), ..stand.setup() };
    let system = System::start(setup, SYSTEM, PARTITIONS).unwrap();
    let partition = system.partition(1);
    flood(partition, 0..COUNT / 2);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let readers: Vec<_> = [0, 1, 77, COUNT / 2 - 1]
        .into_iter()
        .map(|from| {
            let mut reader = partition.subscribe(Address::of_record(from)).unwrap();
            runtime.spawn(async move {
                let mut next = from;
                while next < COUNT {
                    let event = reader.next().await.unwrap();
                    assert_eq!(event.address, Address::of_record(next));
                    assert_eq!(account(&event.event), next);
                    next += 1;
                }
            })
        })
        .collect();
    flood(partition, COUNT / 2..COUNT);
    for reader in readers {
        runtime.block_on(reader).unwrap();
    }
    // By address, from the journal and from memory.
    for offset in [0, 5, COUNT / 3, COUNT - 1] {
        let event = partition.event(Address::of_record(offset)).unwrap().expect("an event");
        assert_eq!(account(&event.event), offset);
    }
    assert_eq!(partition.event(Address { offset: 5, index: 1 }).unwrap(), None);
    system.shutdown();
}

#[test]
fn the_journal_outlives_a_restart_and_is_rebuilt_when_it_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut stand = Stand::new();
    stand.config = Config { keep_snapshots: 3, ..stand.config };
    let start = || {
        let setup = Setup { journal: Some(folder.path().join("events")), ..stand.setup() };
        System::start(setup, SYSTEM, PARTITIONS).unwrap()
    };
    let history = |system: &System<Ledger>| -> Vec<(Address, u64)> {
        let mut reader = system.partition(0).subscribe(Address::default()).unwrap();
        std::iter::from_fn(|| reader.try_next().unwrap())
            .map(|event| (event.address, account(&event.event)))
            .collect()
    };
    let system = start();
    (0..20).for_each(|account| deposit(system.partition(0), account));
    system.partition(0).snapshot_blocking().unwrap();
    (20..30).for_each(|account| deposit(system.partition(0), account));
    let lived = history(&system);
    assert_eq!(lived.len(), 30);
    system.shutdown();
    let system = start();
    assert_eq!(history(&system), lived, "after a restart");
    system.shutdown();
    std::fs::remove_dir_all(folder.path().join("events")).unwrap();
    let system = start();
    assert_eq!(history(&system), lived, "rebuilt by replay");
    deposit(system.partition(0), 30);
    assert_eq!(history(&system).len(), 31);
    system.shutdown();
}

#[test]
fn a_cursor_older_than_everything_kept_is_told_where_to_begin() {
    let mut stand = Stand::new();
    stand.config = Config { keep_snapshots: 1, ..stand.config };
    let system = stand.start();
    (0..50).for_each(|account| deposit(system.partition(0), account));
    assert_eq!(system.partition(0).snapshot_blocking().unwrap(), 50);
    system.shutdown();
    let system = stand.start();
    let error = system.partition(0).subscribe(Address::of_record(3)).err().expect("too old");
    let oldest = Address::of_record(50);
    assert_eq!(error, SubscriptionError::CursorTooOld { asked: Address::of_record(3), oldest });
    assert!(system.partition(0).subscribe(oldest).is_ok());
}

#[test]
fn a_slow_subscriber_is_cut_off_and_others_are_not_hurt() {
    let mut stand = Stand::new();
    stand.config = Config { subscriber_lag: 100, durability: Durability::Os, ..stand.config };
    let system = stand.start();
    let partition = system.partition(2);
    deposit(partition, 0);
    let mut slow = partition.subscribe(Address::default()).unwrap();
    let mut quick = partition.subscribe(Address::default()).unwrap();
    let mut follower = partition.follow("statistics", Address::default()).unwrap();
    let next = |reader: &mut decalog_runtime::Subscription<Event>| {
        let mut found = None;
        until("an event", || {
            found = reader.try_next().unwrap();
            found.is_some()
        });
        account(&found.expect("an event").event)
    };
    assert_eq!((next(&mut slow), next(&mut quick)), (0, 0));
    assert!(slow.try_next().unwrap().is_none(), "it has caught up");
    for account in 1..=200 {
        deposit(partition, account);
        assert_eq!(next(&mut quick), account);
    }
    match slow.try_next() {
        Err(SubscriptionError::TooSlow { behind, limit: 100, at }) => {
            assert_eq!((behind, at), (200, Address::of_record(1)));
        }
        other => panic!("not cut off: {other:?}"),
    }
    assert_eq!(
        partition.status().slowest_pin,
        Some(("statistics".to_owned(), 201)),
        "an alarm can be raised"
    );
    for account in 0..=200 {
        assert_eq!(next(&mut follower), account, "a follower is never cut off");
    }
    let seen = follower.cursor();
    follower.release(seen);
    assert_eq!(partition.status().slowest_pin.map(|(_, behind)| behind), Some(1));
}

#[test]
fn a_projection_in_memory_asks_for_no_sync_and_a_follower_does() {
    let mut stand = Stand::new();
    stand.config = Config { durability: Durability::Os, ..stand.config };
    let unasked_for = Options { os_sync_millis: 3_600_000, segment_bytes: 1 << 20, ..Options::small() };
    let log = EmbeddedLog::start(Arc::new(stand.disk.clone()), unasked_for).expect("the log opens");
    let system = System::start(stand.setup_on(Arc::new(log)), SYSTEM, PARTITIONS).expect("the system starts");
    let partition = system.partition(0);
    let mut projection = partition.project("picture", Address::default()).unwrap();
    let next = |reader: &mut decalog_runtime::Subscription<Event>| {
        let mut found = None;
        until("an event", || {
            found = reader.try_next().unwrap();
            found.is_some()
        });
        account(&found.expect("an event").event)
    };
    deposit(partition, 5);
    assert_eq!(next(&mut projection), 5);
    let mut follower = partition.follow("effects", Address::default()).unwrap();
    assert!(follower.try_next().unwrap().is_none(), "it sees nothing that a power cut could take back");
    deposit(partition, 6);
    assert_eq!((next(&mut follower), next(&mut follower)), (5, 6));
}

#[test]
fn a_subscriber_hears_when_the_partition_stops() {
    let system = Stand::new().start();
    let partition = system.partition(0).clone();
    deposit(&partition, 1);
    let mut reader = partition.subscribe(Address::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let waiting = runtime.spawn(async move {
        reader.next().await.unwrap();
        tokio::time::timeout(Duration::from_secs(20), reader.next()).await
    });
    system.shutdown();
    assert_eq!(runtime.block_on(waiting).unwrap().expect("in time").unwrap_err(), SubscriptionError::Closed);
    let refused = partition.submit_blocking(Origin::default(), &Command::Close { account: 1 });
    assert!(matches!(refused, Err(decalog_runtime::SubmitError::Closed(_))));
    let _keep = Arc::new(partition);
}
