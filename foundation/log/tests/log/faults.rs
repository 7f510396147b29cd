//! A disk that is full, and one that fails.

use std::sync::Arc;

use decalog_log::storage::{SimDisk, Survival};
use decalog_log::{
    Allowance, AppendError, BatchBuilder, Durability, EmbeddedLog, Extent, Journal, Log, LogError, Options,
    PartitionId, Progress,
};

use crate::witness::{Witness, batch, eventually, read_to_end};

const A: PartitionId = PartitionId(4);
const B: PartitionId = PartitionId(5);

fn append(log: &dyn Log, allowance: Allowance) -> Result<Extent, AppendError> {
    let next = log.extent(A).map_or(0, |extent| extent.next);
    log.append(A, next, &batch(A, next, 8), allowance)
}

/// Appends until the log refuses for lack of space; what it says then.
fn fill(log: &dyn Log, allowance: Allowance) -> (u64, u64) {
    loop {
        match append(log, allowance) {
            Ok(_) => {}
            Err(AppendError::Full { needed, available }) => return (needed, available),
            Err(e) => panic!("{e}"),
        }
    }
}

/// Fills a log whose chores `settle` runs, and sees what still works and that it recovers.
fn a_full_log_keeps_its_promises(log: &dyn Log, settle: impl Fn()) {
    log.open(A, Durability::Fsync, Witness::new()).unwrap();
    log.open(B, Durability::Fsync, Witness::new()).unwrap();
    let (needed, available) = fill(log, Allowance::Ordinary);
    assert!(available < needed, "refused {needed} bytes though {available} were left");
    let full = log.extent(A).unwrap().next;
    settle();
    assert!(append(log, Allowance::Ordinary).is_err(), "there is no more space than before");
    assert_eq!(read_to_end(log, A, 0), full, "reads go on, and nothing of a refused batch is there");
    // What must still be logged is, by any partition.
    append(log, Allowance::Reserve).expect("the reserve is there for this");
    log.append(B, 0, &batch(B, 0, 1), Allowance::Reserve).expect("the reserve is there for this");
    settle();
    assert_eq!(read_to_end(log, A, 0), full + 8);
    assert_eq!(read_to_end(log, B, 0), 1);
    fill(log, Allowance::Reserve);
    // Space returns once what is no longer needed is dropped, and the journal has room to say so.
    log.trim(A, full).unwrap();
    log.trim(B, 1).unwrap();
    eventually("the log takes appends again", || {
        settle();
        append(log, Allowance::Ordinary).is_ok()
    });
    settle();
    assert_eq!(read_to_end(log, A, full), log.extent(A).unwrap().next);
}

fn journal(disk: &SimDisk, options: &Options) -> Journal {
    Journal::open(Arc::new(disk.clone()), options.clone()).unwrap()
}

fn settle(journal: &Journal) {
    journal.chore_step().unwrap();
    while journal.sync_step().unwrap() == Progress::Synced {}
    journal.chore_step().unwrap();
}

pub(crate) fn a_full_simulated_disk_keeps_its_promises(options: Options) {
    let disk = SimDisk::new();
    disk.set_capacity(Some(4 * options.segment_bytes));
    let journal = journal(&disk, &options);
    a_full_log_keeps_its_promises(&journal, || settle(&journal));
}

#[test]
fn a_full_disk_refuses_reads_on_and_recovers() {
    a_full_simulated_disk_keeps_its_promises(Options::small());
}

#[test]
fn a_spent_budget_refuses_reads_on_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { max_bytes: Some(3 * (64 << 10)), os_sync_millis: 1, ..Options::small() };
    let log = EmbeddedLog::open(directory.path(), options).unwrap();
    a_full_log_keeps_its_promises(&log, || {
        eventually("everything synced", || {
            [A, B].into_iter().filter_map(|p| log.extent(p)).all(|extent| extent.synced == extent.next)
        });
    });
}

#[test]
fn space_that_comes_from_outside_is_found() {
    let disk = SimDisk::new();
    disk.set_capacity(Some(3 * (64 << 10)));
    let journal = journal(&disk, &Options::small());
    journal.open(A, Durability::Fsync, Witness::new()).unwrap();
    fill(&journal, Allowance::Ordinary);
    let full = journal.extent(A).unwrap().next;
    disk.set_capacity(None);
    journal.chore_step().unwrap();
    append(&journal, Allowance::Ordinary).unwrap();
    settle(&journal);
    assert_eq!(read_to_end(&journal, A, 0), full + 8);
}

#[test]
fn space_is_found_while_the_reserve_is_used() {
    let disk = SimDisk::new();
    disk.set_capacity(Some(3 * (256 << 10)));
    let options = Options { segment_bytes: 256 << 10, reserve_bytes: 32 << 10, ..Options::small() };
    let log = EmbeddedLog::start(Arc::new(disk.clone()), options).unwrap();
    log.open(A, Durability::Fsync, Witness::new()).unwrap();
    fill(&log, Allowance::Ordinary);
    disk.set_capacity(None);
    // An append every few milliseconds: the thread that looks for space never has long to itself. The reserve takes
    // them for most of a second.
    eventually("the log takes ordinary appends again", || {
        std::thread::park_timeout(std::time::Duration::from_millis(10));
        append(&log, Allowance::Reserve).expect("the reserve is not used up so soon");
        append(&log, Allowance::Ordinary).is_ok()
    });
}

#[test]
fn a_full_disk_loses_nothing_in_a_power_cut() {
    let disk = SimDisk::new();
    disk.set_capacity(Some(3 * (64 << 10)));
    let first = journal(&disk, &Options::small());
    first.open(A, Durability::Fsync, Witness::new()).unwrap();
    fill(&first, Allowance::Ordinary);
    settle(&first);
    let full = first.extent(A).unwrap().next;
    disk.crash(Survival::Nothing);
    drop(first);
    let second = journal(&disk, &Options::small());
    assert_eq!(read_to_end(&second, A, 0), full);
    second.open(A, Durability::Fsync, Witness::new()).unwrap();
    assert!(matches!(append(&second, Allowance::Ordinary), Err(AppendError::Full { .. })));
    append(&second, Allowance::Reserve).expect("the reserve is still there");
}

#[test]
fn a_failed_sync_ends_the_log_and_acknowledges_nothing() {
    let disk = SimDisk::new();
    let first = journal(&disk, &Options::small());
    let (a, b) = (Witness::new(), Witness::new());
    first.open(A, Durability::Fsync, a.clone()).unwrap();
    first.open(B, Durability::Os, b.clone()).unwrap();
    append(&first, Allowance::Ordinary).unwrap();
    assert_eq!(first.sync_step().unwrap(), Progress::Synced);
    append(&first, Allowance::Ordinary).unwrap();
    disk.fail_sync_after(0);
    let failed = first.sync_step().unwrap_err().to_string();
    assert!(failed.contains("cannot sync 0000000000000001.segment"), "{failed}");
    for witness in [&a, &b] {
        assert!(witness.told().failed.is_some_and(|told| told.contains("restart to recover")));
    }
    assert_eq!(a.told().synced, 8, "nothing of the failed sync is acknowledged");
    // The device works again, but a sync that succeeds now would prove nothing.
    assert!(matches!(append(&first, Allowance::Ordinary), Err(AppendError::Failed(_))));
    assert!(first.sync_step().is_err());
    assert!(first.mark_step().is_err() || a.told().synced == 8);
    assert_eq!(read_to_end(&first, A, 0), 8, "reads of what is durable go on");
    assert!(matches!(first.open(PartitionId(9), Durability::Os, Witness::new()), Err(LogError::Failed(_))));
}

#[test]
fn what_a_start_shows_is_on_the_device_even_after_a_failed_sync() {
    let disk = SimDisk::new();
    let first = journal(&disk, &Options::small());
    first.open(A, Durability::Fsync, Witness::new()).unwrap();
    append(&first, Allowance::Ordinary).unwrap();
    disk.fail_sync_after(0);
    assert!(first.sync_step().is_err());
    // The process stops, the machine does not: the page cache still shows the batch, as if it were written.
    disk.kill();
    drop(first);
    let second = journal(&disk, &Options::small());
    assert_eq!(second.extent(A).unwrap(), Extent { first: 0, next: 8, durable: 8, synced: 8 });
    drop(second);
    disk.crash(Survival::Nothing);
    assert_eq!(read_to_end(&journal(&disk, &Options::small()), A, 0), 8);
}

#[test]
fn a_sync_that_fails_during_a_chore_ends_the_log_too() {
    let disk = SimDisk::new();
    let journal = journal(&disk, &Options::small());
    let witness = Witness::new();
    journal.open(A, Durability::Fsync, witness.clone()).unwrap();
    disk.fail_sync_after(0);
    assert!(journal.chore_step().is_err(), "preparing the next segment needs a sync");
    assert!(witness.told().failed.is_some());
    assert!(matches!(append(&journal, Allowance::Ordinary), Err(AppendError::Failed(_))));
}

#[test]
fn wrong_options_are_refused_by_name() {
    let wrong = [
        (Options { segment_bytes: 5000, ..Options::small() }, "segment_bytes = 5000"),
        (Options { reserve_bytes: 1 << 20, ..Options::small() }, "reserve_bytes = 1048576"),
        (
            Options { max_bytes: Some(70_000), ..Options::small() },
            "max_bytes = 70000: at least two segments, 131072",
        ),
    ];
    for (options, message) in wrong {
        let error = Journal::open(Arc::new(SimDisk::new()), options).err().unwrap().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_refused_record_leaves_the_batch_as_it_was() {
    let mut batch = BatchBuilder::new();
    batch.push(b"one").unwrap();
    let before = batch.payload().to_vec();
    assert!(batch.push(&vec![0; decalog_log::MAX_RECORD_BYTES + 1]).is_err());
    assert_eq!((batch.count(), batch.payload()), (1, &before[..]));
    while batch.push(&vec![0; decalog_log::MAX_RECORD_BYTES]).is_ok() {}
    assert!(
        !batch.fits(decalog_log::MAX_RECORD_BYTES) && batch.payload().len() <= decalog_log::MAX_BATCH_BYTES
    );
    batch.clear();
    assert!(batch.is_empty() && batch.fits(decalog_log::MAX_RECORD_BYTES));
}
