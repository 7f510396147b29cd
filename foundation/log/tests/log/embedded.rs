//! The embedded log with its threads, over files.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use decalog_log::{
    Allowance, BatchBuilder, Durability, EmbeddedLog, Log, LogError, OnSync, Options, PartitionId,
};

use crate::witness::{Witness, batch, eventually, read_one, read_to_end};

pub(crate) fn a_second_start_is_refused_and_names_the_holder(options: Options) {
    let directory = tempfile::tempdir().unwrap();
    let first = EmbeddedLog::open(directory.path(), options.clone()).unwrap();
    match EmbeddedLog::open(directory.path(), options.clone()) {
        Err(e @ LogError::Locked { pid, .. }) => {
            assert_eq!(pid, Some(std::process::id()));
            assert!(e.to_string().contains(&format!("in use by process {}", std::process::id())), "{e}");
        }
        Err(e) => panic!("{e}"),
        Ok(_) => panic!("two logs work in one directory"),
    }
    drop(first);
    EmbeddedLog::open(directory.path(), options).expect("the directory is free again");
}

#[test]
fn one_process_works_in_a_directory() {
    a_second_start_is_refused_and_names_the_holder(Options::small());
}

#[test]
fn a_reader_that_outlives_its_log_does_not_hold_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(directory.path(), Options::small()).unwrap();
    log.open(PartitionId(1), Durability::Os, Witness::new()).unwrap();
    log.append(PartitionId(1), 0, &batch(PartitionId(1), 0, 2), Allowance::Ordinary).unwrap();
    let mut reader = log.read(PartitionId(1), 0).unwrap();
    drop(log);
    EmbeddedLog::open(directory.path(), Options::small()).unwrap();
    let mut next = 0;
    assert_eq!(read_one(&mut *reader, PartitionId(1), &mut next), Some(2));
}

#[test]
fn every_level_reaches_the_device_without_being_asked() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { os_sync_millis: 3, ..Options::small() };
    let log = EmbeddedLog::open(directory.path(), options).unwrap();
    let levels = [Durability::Fsync, Durability::Interval { millis: 2 }, Durability::Os];
    for (partition, level) in (1..).map(PartitionId).zip(levels) {
        let witness = Witness::new();
        log.open(partition, level, witness.clone()).unwrap();
        for next in 0..20 {
            log.append(partition, next, &batch(partition, next, 1), Allowance::Ordinary).unwrap();
        }
        assert_eq!(witness.wait(|told| told.synced == 20).durable, 20);
    }
}

#[test]
fn syncs_are_told_with_their_time() {
    let directory = tempfile::tempdir().unwrap();
    let told = Arc::new(AtomicU64::new(0));
    let count = told.clone();
    let on_sync = OnSync::new(move |took| {
        assert!(!took.is_zero());
        count.fetch_add(1, Ordering::Relaxed);
    });
    let log = EmbeddedLog::open(directory.path(), Options { on_sync, ..Options::small() }).unwrap();
    log.open(PartitionId(1), Durability::Fsync, Witness::new()).unwrap();
    log.append(PartitionId(1), 0, &batch(PartitionId(1), 0, 2), Allowance::Ordinary).unwrap();
    eventually("the sync to be told", || told.load(Ordering::Relaxed) == 1);
}

#[test]
fn an_orderly_end_leaves_everything_synced_and_marked() {
    let directory = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(directory.path(), Options::small()).unwrap();
    log.open(PartitionId(1), Durability::Os, Witness::new()).unwrap();
    log.append(PartitionId(1), 0, &batch(PartitionId(1), 0, 9), Allowance::Ordinary).unwrap();
    log.trim(PartitionId(1), 3).unwrap();
    drop(log);
    // A flip in the last group is damage now, not a torn tail: the mark says so.
    let path = directory.path().join("0000000000000001.segment");
    let mut bytes = std::fs::read(&path).unwrap();
    let record = bytes.windows(4).position(|window| window == b"1:8:").unwrap();
    let log = EmbeddedLog::open(directory.path(), Options::small()).unwrap();
    assert_eq!(log.recovery().cut, None);
    assert_eq!(log.extent(PartitionId(1)).unwrap().first, 3);
    drop(log);
    bytes[record] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let refused = EmbeddedLog::open(directory.path(), Options::small()).err().unwrap();
    assert!(matches!(&refused, LogError::Damaged(damage) if damage.segment == 1), "{refused}");
}

#[test]
fn many_owners_and_readers_share_one_journal() {
    let directory = tempfile::tempdir().unwrap();
    let log = Arc::new(EmbeddedLog::open(directory.path(), Options::small()).unwrap());
    let rounds = 300;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let owners = (0..6).map(|number| {
            let log = &log;
            scope.spawn(move || {
                let partition = PartitionId(number);
                let level = if number % 2 == 0 { Durability::Fsync } else { Durability::Os };
                let witness = Witness::new();
                log.open(partition, level, witness.clone()).unwrap();
                for round in 0..rounds {
                    let next = round * 3;
                    log.append(partition, next, &batch(partition, next, 3), Allowance::Ordinary).unwrap();
                    if round % 16 == 0 {
                        witness.wait(|told| told.durable == next + 3 || level == Durability::Os);
                    }
                }
                log.request_sync(partition);
                witness.wait(|told| told.synced == rounds * 3);
            })
        });
        let owners = owners.collect::<Vec<_>>();
        for number in 0..3 {
            let (log, done) = (&log, &done);
            scope.spawn(move || {
                let mut next = 0;
                let partition = PartitionId(number);
                while next < rounds * 3 {
                    assert!(
                        !done.load(Ordering::Relaxed) || log.extent(partition).unwrap().durable == rounds * 3
                    );
                    if log.extent(partition).is_some() {
                        let mut reader = log.read(partition, next).unwrap();
                        while read_one(&mut *reader, partition, &mut next).is_some() {}
                    }
                    thread::yield_now();
                }
            });
        }
        owners.into_iter().for_each(|owner| owner.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    drop(Arc::into_inner(log).expect("the only handle"));
    let log = EmbeddedLog::open(directory.path(), Options::small()).unwrap();
    for number in 0..6 {
        assert_eq!(read_to_end(&log, PartitionId(number), 0), rounds * 3);
    }
}

/// Whether any file of the directory holds these bytes.
fn found(directory: &Path, needle: &[u8]) -> bool {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    // A segment may be dropped while it is looked for.
    files
        .filter_map(|path| std::fs::read(path).ok())
        .any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
}

/// Over a restart, too.
pub(crate) fn what_was_trimmed_leaves_an_idle_log_by_age(options: Options) {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let log = EmbeddedLog::open(directory.path(), options.clone()).unwrap();
        log.open(PartitionId(1), Durability::Fsync, Witness::new()).unwrap();
        log
    };
    let log = open();
    let mut batch = BatchBuilder::new();
    batch.push(b"the needle in the log").unwrap();
    log.append(PartitionId(1), 0, &batch, Allowance::Ordinary).unwrap();
    log.request_sync(PartitionId(1));
    assert!(found(directory.path(), b"needle"));
    drop(log);
    let log = open();
    log.trim(PartitionId(1), 1).unwrap();
    eventually("the segment to be dropped by its age", || !found(directory.path(), b"needle"));
    drop(log);
    let log = open();
    assert_eq!(log.extent(PartitionId(1)).map(|extent| (extent.first, extent.next)), Some((1, 1)));
}

#[test]
fn an_idle_log_forgets_by_age() {
    what_was_trimmed_leaves_an_idle_log_by_age(aged());
}

/// Segments that are finished almost at once.
pub(crate) fn aged() -> Options {
    Options { finish_after: Some(Duration::from_millis(40)), ..Options::small() }
}
