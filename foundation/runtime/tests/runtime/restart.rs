//! Replay, snapshots, digests, skips, halts, clocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use decalog_log::storage::Survival;
use decalog_log::{Log, PartitionId};
use decalog_runtime::store::{MemoryStore, Store};
use decalog_runtime::{
    Config, Health, Origin, Partition, ReadError, Setup, Skips, SnapshotError, StartError, StateMachine,
    SubmitError, System, Timestamp, partition_id,
};

use crate::ledger::{Command, Ledger, Reply};
use crate::stand::{NOON, PARTITIONS, SYSTEM, Stand, points, until};

fn deposit(partition: &Partition<Ledger>, account: u64, points: u64) {
    partition.submit_blocking(Origin::default(), &Command::Deposit { account, points }).unwrap();
}

fn digests(system: &System<Ledger>) -> Vec<(u64, decalog_runtime::Digest)> {
    let digest = |partition: &Partition<Ledger>| {
        let seen = partition.read_blocking(0, StateMachine::digest).unwrap();
        (seen.seen, seen.value)
    };
    system.partitions().iter().map(digest).collect()
}

#[test]
fn state_comes_back_by_replay_and_by_snapshot_and_replay() {
    let mut stand = Stand::new();
    stand.config = Config { keep_snapshots: 1, ..stand.config };
    let system = stand.start();
    for index in 0..usize::from(PARTITIONS) {
        for account in 0..30 {
            deposit(system.partition(index), account, 1 + index as u64);
        }
    }
    let lived = digests(&system);
    system.shutdown();
    let system = stand.start();
    assert_eq!(digests(&system), lived, "by replay");
    for partition in system.partitions() {
        assert_eq!(partition.snapshot_blocking().unwrap(), 30);
        assert_eq!(partition.status().snapshot, 30);
        deposit(partition, 99, 1);
    }
    let lived = digests(&system);
    system.shutdown();
    let system = stand.start();
    assert_eq!(digests(&system), lived, "by snapshot and replay");
    assert_eq!(points(system.partition(3), 7), Some(4));
    system.shutdown();
}

#[test]
fn snapshots_are_made_by_themselves_and_only_so_many_are_kept() {
    let mut stand = Stand::new();
    stand.config = Config { snapshot_every: 50, keep_snapshots: 2, ..stand.config };
    let system = stand.start();
    let partition = system.partition(0);
    for round in 1..=5 {
        (0..50).for_each(|account| deposit(partition, account, 1));
        until("a snapshot", || partition.status().snapshot + 50 > round * 50);
    }
    let kept = || stand.store.list(&format!("p{:08x}/snapshot-", partition.id().0)).unwrap().len();
    until("old snapshots to go", || kept() == 2);
    let lived = digests(&system);
    system.shutdown();
    let system = stand.start();
    assert_eq!(digests(&system), lived);
}

#[test]
fn a_broken_snapshot_is_not_used() {
    let mut stand = Stand::new();
    stand.config = Config { keep_snapshots: 3, ..stand.config };
    let system = stand.start();
    deposit(system.partition(0), 1, 5);
    system.partition(0).snapshot_blocking().unwrap();
    deposit(system.partition(0), 1, 5);
    system.partition(0).snapshot_blocking().unwrap();
    let lived = digests(&system);
    system.shutdown();
    let name = stand.store.list("p00070000/snapshot-").unwrap().pop().unwrap();
    let mut bytes = Vec::new();
    stand.store.get(&name).unwrap().read_to_end(&mut bytes).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    stand.store.put(&name, &mut |out| out.write_all(&bytes)).unwrap();
    let system = stand.start();
    assert_eq!(digests(&system), lived, "the snapshot before it and replay do");
}

#[test]
fn a_snapshot_of_another_state_leaves_nothing_behind_for_the_one_before() {
    let mut stand = Stand::new();
    stand.config = Config { keep_snapshots: 2, ..stand.config };
    let system = stand.start();
    for account in 1..=2 {
        // With a client, so that the window of replies is in the snapshots too.
        let origin = Origin { client: 1, sequence: account, ..Origin::default() };
        system.partition(0).submit_blocking(origin, &Command::Deposit { account, points: 5 }).unwrap();
        system.partition(0).snapshot_blocking().unwrap();
    }
    let lived = digests(&system);
    system.shutdown();
    let name = stand.store.list("p00070000/snapshot-").unwrap().pop().unwrap();
    let mut bytes = Vec::new();
    stand.store.get(&name).unwrap().read_to_end(&mut bytes).unwrap();
    let body = bytes.len() - 16;
    let accounts = bytes.windows(5).position(|window| window == [0x82, 1, 5, 2, 5]).expect("two accounts");
    bytes[accounts + 4] = 7;
    let checksum = xxhash_rust::xxh3::xxh3_128(&bytes[..body]);
    bytes[body..].copy_from_slice(&checksum.to_le_bytes());
    stand.store.put(&name, &mut |out| out.write_all(&bytes)).unwrap();
    // It is read to its end before its digest tells. The log begins at the one before, so that one must do.
    let system = stand.start();
    assert_eq!(points(system.partition(0), 2), Some(5));
    assert_eq!(digests(&system), lived);
}

fn skewed(stand: &Stand, log: Arc<dyn Log>, skew: u64, after: u64) -> Setup<Ledger> {
    let made = AtomicU64::new(0);
    let make = move |_: PartitionId| {
        let number = made.fetch_add(1, Ordering::SeqCst);
        let mut ledger = Ledger::default();
        ledger.skew = if number >= after { skew } else { 0 };
        ledger
    };
    Setup { make: Arc::new(make), ..stand.setup_on(log) }
}

/// A program that answers otherwise than the one that wrote the log.
pub(crate) fn start_with_other_rules() -> Result<System<Ledger>, StartError> {
    let stand = Stand::new();
    let system = stand.start();
    (0..10).for_each(|account| deposit(system.partition(0), account, 1));
    system.shutdown();
    System::start(skewed(&stand, stand.log(), 1, 0), SYSTEM, PARTITIONS)
}

#[test]
fn a_replay_that_differs_is_refused_and_the_first_difference_is_named() {
    match start_with_other_rules() {
        Err(StartError::Diverged(divergence)) => {
            assert_eq!(divergence.partition, partition_id(SYSTEM, 0));
            assert_eq!((divergence.after, divergence.upto), (0, 1), "{divergence}");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("started with other answers than were given"),
    }
}

#[test]
fn a_shadow_that_differs_writes_nothing_and_is_reported() {
    let stand = Stand::new();
    // The live machines are right, every instance after them is not.
    let setup = skewed(&stand, stand.log(), 1, PARTITIONS.into());
    let system = System::start(setup, SYSTEM, PARTITIONS).unwrap();
    let partition = system.partition(0);
    deposit(partition, 1, 1);
    let error = partition.snapshot_blocking().unwrap_err();
    assert!(matches!(error, SnapshotError::Diverged { .. }), "{error}");
    assert!(partition.status().diverged);
    assert_eq!(stand.store.list("").unwrap(), [""; 0], "no snapshot");
    deposit(partition, 1, 1);
    assert_eq!(points(partition, 1), Some(2), "the service goes on");
}

#[test]
fn a_bug_halts_one_partition_whose_reads_go_on_until_the_record_is_skipped() {
    let stand = Stand::new();
    let system = stand.start();
    let partition = system.partition(1);
    deposit(partition, 1, 5);
    let error = partition.submit_blocking(Origin::default(), &Command::Explode).unwrap_err();
    let SubmitError::Halted(halt) = error else { panic!("{error}") };
    assert_eq!(halt.offset, 1);
    assert!(halt.reason.contains("explode"), "{halt}");
    until("the rebuilt state", || matches!(partition.status().health, Health::Halted(_)));
    assert_eq!(points(partition, 1), Some(5), "reads see the state before");
    let refused = partition.submit_blocking(Origin::default(), &Command::Close { account: 1 });
    assert!(matches!(refused, Err(SubmitError::Halted(_))));
    let never = partition.read_blocking(2, |_| ());
    assert!(matches!(never, Err(ReadError::Halted(_))), "a state that will not come");
    deposit(system.partition(2), 1, 5);
    system.shutdown();

    let system = stand.start();
    assert!(matches!(system.partition(1).status().health, Health::Halted(_)), "a restart does not help");
    assert_eq!(points(system.partition(1), 1), Some(5));
    deposit(system.partition(0), 1, 1);
    system.shutdown();

    let id = partition_id(SYSTEM, 1);
    Skips::add(&stand.store, id, 1, 2, "it explodes").unwrap();
    let system = stand.start();
    let partition = system.partition(1);
    assert_eq!(partition.status().health, Health::Running);
    deposit(partition, 1, 1);
    assert_eq!(points(partition, 1), Some(6));
    let lived = digests(&system);
    system.shutdown();
    assert_eq!(digests(&stand.start()), lived);
    let skips = Skips::read(&stand.store, id).unwrap();
    assert_eq!(
        skips.iter().map(|skip| (skip.offset, &skip.reason[..])).collect::<Vec<_>>(),
        [(1, "it explodes")]
    );
}

#[test]
fn a_skip_of_an_applied_record_rebuilds_what_came_after() {
    let mut stand = Stand::new();
    stand.config = Config { keep_snapshots: 5, ..stand.config };
    let system = stand.start();
    (0..4).for_each(|_| deposit(system.partition(0), 1, 10));
    system.partition(0).snapshot_blocking().unwrap();
    deposit(system.partition(0), 1, 10);
    system.shutdown();
    Skips::add(&stand.store, partition_id(SYSTEM, 0), 2, 5, "entered twice").unwrap();
    let system = stand.start();
    assert_eq!(
        points(system.partition(0), 1),
        Some(40),
        "without the skipped one, and without the old snapshot"
    );
    deposit(system.partition(0), 1, 10);
    system.shutdown();
    let system = stand.start();
    assert_eq!(points(system.partition(0), 1), Some(50), "the new digest chain holds");
    assert_eq!(system.partition(0).snapshot_blocking().unwrap(), 6);
}

#[test]
fn a_start_objects_to_a_clock_behind_the_last_record() {
    let mut stand = Stand::new();
    let system = stand.start();
    deposit(system.partition(0), 1, 1);
    system.shutdown();
    stand.clock.set_utc(Timestamp(NOON.0 - 900_000_000));
    stand.start().shutdown();
    stand.clock.set_utc(Timestamp(NOON.0 - 1_100_000_000));
    let error = stand.try_start().err().expect("the clock is behind");
    assert!(matches!(error, StartError::ClockBehind { behind_millis: 1100, .. }), "{error}");
    stand.config.accept_clock = true;
    stand.start().shutdown();
}

#[test]
fn snapshots_of_another_log_are_refused() {
    let mut stand = Stand::new();
    stand.config = Config { keep_snapshots: 1, ..stand.config };
    let system = stand.start();
    (0..3).for_each(|_| deposit(system.partition(0), 1, 1));
    system.partition(0).snapshot_blocking().unwrap();
    system.shutdown();
    let other = Stand { disk: decalog_log::storage::SimDisk::new(), ..Stand::new() };
    let other = Stand { store: stand.store.clone(), ..other };
    let error = other.try_start().err().expect("the log is too short");
    assert!(matches!(error, StartError::Ahead { next: 0, snapshot: 3, .. }), "{error}");
    stand.store = MemoryStore::new();
    if let Err(error) = stand.try_start().map(System::shutdown) {
        assert!(matches!(error, StartError::Gap { snapshot: 0, .. }), "{error}");
    }
}

#[test]
fn everything_acknowledged_survives_a_power_cut() {
    let stand = Stand::new();
    let mut expected = 0;
    for round in 0..10 {
        let setup = Setup { fatal: Arc::new(|_| {}), ..stand.setup() };
        let system = System::start(setup, SYSTEM, PARTITIONS).unwrap();
        let partition = system.partition(0);
        for _ in 0..20 {
            let answer =
                partition.submit_blocking(Origin::default(), &Command::Deposit { account: 1, points: 1 });
            expected += 1;
            assert_eq!(answer.unwrap().reply, Reply::Points(expected), "round {round}");
        }
        stand.disk.crash(Survival::Nothing);
        drop(system);
    }
}
