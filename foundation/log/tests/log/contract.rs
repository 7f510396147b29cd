//! What any log promises. Each promise is a function over a [`Subject`]; the macro at the end runs all of them
//! against every implementation.

use std::path::PathBuf;
use std::sync::Arc;

use decalog_log::storage::{SimDisk, Survival};
use decalog_log::{
    Allowance, AppendError, BatchBuilder, Durability, EmbeddedLog, Extent, Journal, Log, LogError, Options,
    PartitionId, Progress,
};

use crate::witness::{Witness, batch, eventually, read_one, read_to_end};

const A: PartitionId = PartitionId(1);
const B: PartitionId = PartitionId(0x0007_0003);

/// A log under test, with what the tests need beside it.
pub(crate) trait Subject {
    /// An empty log.
    fn fresh() -> Self;
    /// The log.
    fn log(&self) -> &dyn Log;
    /// Returns once everything appended is durable and synced, and trims have had their effect.
    fn settle(&self);
    /// The log closed in order and opened again.
    fn restart(self) -> Self;
}

/// Small segments, sealed or not.
fn options(seals: bool) -> Options {
    Options { seal: seals.then(crate::sealed::ring), ..Options::small() }
}

/// The embedded log over files.
pub(crate) struct Files<const SEALED: bool> {
    directory: tempfile::TempDir,
    options: Options,
    log: EmbeddedLog,
}

impl<const SEALED: bool> Files<SEALED> {
    fn path(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

impl<const SEALED: bool> Subject for Files<SEALED> {
    fn fresh() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = options(SEALED);
        let log = EmbeddedLog::open(&directory.path().join("log"), options.clone()).unwrap();
        Self { directory, options, log }
    }

    fn log(&self) -> &dyn Log {
        &self.log
    }

    fn settle(&self) {
        self.log.partitions().into_iter().for_each(|partition| self.log.request_sync(partition));
        eventually("everything synced", || {
            let mut extents =
                self.log.partitions().into_iter().filter_map(|partition| self.log.extent(partition));
            extents.all(|extent| extent.synced == extent.next)
        });
    }

    fn restart(self) -> Self {
        let path = self.path();
        let Self { directory, options, log } = self;
        drop(log);
        let log = EmbeddedLog::open(&path, options.clone()).unwrap();
        Self { directory, options, log }
    }
}

/// The journal without threads over a simulated disk; a restart is a power cut.
pub(crate) struct Simulated<const SEALED: bool> {
    disk: SimDisk,
    options: Options,
    journal: Journal,
}

impl<const SEALED: bool> Simulated<SEALED> {
    fn open(disk: SimDisk, options: Options) -> Self {
        let journal = Journal::open(Arc::new(disk.clone()), options.clone()).unwrap();
        Self { disk, options, journal }
    }
}

impl<const SEALED: bool> Subject for Simulated<SEALED> {
    fn fresh() -> Self {
        Self::open(SimDisk::new(), options(SEALED))
    }

    fn log(&self) -> &dyn Log {
        &self.journal
    }

    fn settle(&self) {
        self.journal.chore_step().unwrap();
        while self.journal.sync_step().unwrap() == Progress::Synced {}
        self.journal.chore_step().unwrap();
    }

    fn restart(self) -> Self {
        self.settle();
        drop(self.journal);
        self.disk.crash(Survival::Nothing);
        Self::open(self.disk, self.options)
    }
}

fn append(log: &dyn Log, partition: PartitionId, first: u64, count: u64) -> Extent {
    log.append(partition, first, &batch(partition, first, count), Allowance::Ordinary).unwrap()
}

fn a_new_partition_is_empty<S: Subject>(subject: S) {
    let log = subject.log();
    assert_eq!(log.extent(A), None);
    assert!(matches!(log.read(A, 0), Err(LogError::NoPartition { partition: A })));
    let extent = log.open(A, Durability::Fsync, Witness::new()).unwrap();
    assert_eq!(extent, Extent { first: 0, next: 0, durable: 0, synced: 0 });
    assert_eq!(log.partitions(), [A]);
    assert!(log.read(A, 0).unwrap().next().unwrap().is_none());
    assert!(matches!(log.read(A, 1), Err(LogError::BeyondEnd { offset: 1, next: 0, .. })));
}

fn what_is_appended_is_read_back_and_survives<S: Subject>(subject: S) {
    let witness = Witness::new();
    subject.log().open(A, Durability::Fsync, witness.clone()).unwrap();
    subject.log().open(B, Durability::Fsync, Witness::new()).unwrap();
    let mut next = 0;
    for round in 0..60 {
        let count = 1 + round % 5;
        assert_eq!(append(subject.log(), A, next, count).next, next + count);
        append(subject.log(), B, round * 2, 2);
        next += count;
    }
    subject.settle();
    assert_eq!(witness.wait(|told| told.synced == next).durable, next);
    let check = |log: &dyn Log| {
        assert_eq!(log.extent(A).unwrap(), Extent { first: 0, next, durable: next, synced: next });
        for from in 0..next {
            assert_eq!(read_to_end(log, A, from), next, "from {from}");
        }
        assert_eq!(read_to_end(log, B, 0), 120);
    };
    check(subject.log());
    let subject = subject.restart();
    assert_eq!(subject.log().partitions(), [A, B]);
    check(subject.log());
    assert_eq!(subject.log().open(A, Durability::Fsync, Witness::new()).unwrap().next, next);
    append(subject.log(), A, next, 3);
    subject.settle();
    assert_eq!(read_to_end(subject.log(), A, next), next + 3);
}

fn appends_are_refused_as_documented<S: Subject>(subject: S) {
    let log = subject.log();
    let refused = |partition, expected, batch: &BatchBuilder| {
        log.append(partition, expected, batch, Allowance::Ordinary).unwrap_err()
    };
    assert!(matches!(refused(A, 0, &batch(A, 0, 1)), AppendError::NotOpen { partition: A }));
    log.open(A, Durability::Fsync, Witness::new()).unwrap();
    assert!(matches!(refused(A, 1, &batch(A, 1, 1)), AppendError::Conflict { expected: 1, actual: 0 }));
    assert!(matches!(refused(A, 0, &BatchBuilder::new()), AppendError::Empty));
    let mut large = BatchBuilder::new();
    while large.push(&[7; 200 << 10]).is_ok() {}
    assert!(matches!(refused(A, 0, &large), AppendError::TooLarge { .. }));
    append(log, A, 0, 2);
    assert!(matches!(refused(A, 0, &batch(A, 0, 1)), AppendError::Conflict { expected: 0, actual: 2 }));
    assert!(matches!(refused(A, 3, &batch(A, 3, 1)), AppendError::Conflict { expected: 3, actual: 2 }));
    subject.settle();
    assert_eq!(read_to_end(log, A, 0), 2, "a refused batch left something behind");
}

fn a_partition_has_one_owner<S: Subject>(subject: S) {
    let log = subject.log();
    log.open(A, Durability::Fsync, Witness::new()).unwrap();
    let second = log.open(A, Durability::Fsync, Witness::new());
    assert!(matches!(second, Err(LogError::InUse { partition: A })));
    append(log, A, 0, 1);
    log.close(A);
    let closed = log.append(A, 1, &batch(A, 1, 1), Allowance::Ordinary);
    assert!(matches!(closed, Err(AppendError::NotOpen { .. })));
    assert_eq!(log.open(A, Durability::Fsync, Witness::new()).unwrap().next, 1);
    append(log, A, 1, 1);
    subject.settle();
    assert_eq!(read_to_end(log, A, 0), 2);
}

fn a_level_that_does_not_wait_is_durable_at_once<S: Subject>(subject: S) {
    let log = subject.log();
    for (partition, durability) in [(A, Durability::Os), (B, Durability::Interval { millis: 3_600_000 })] {
        let witness = Witness::new();
        log.open(partition, durability, witness.clone()).unwrap();
        assert_eq!(append(log, partition, 0, 3).durable, 3);
        assert_eq!(read_to_end(log, partition, 0), 3);
        log.request_sync(partition);
        subject.settle();
        assert_eq!(witness.wait(|told| told.synced == 3).durable, 3);
    }
}

fn a_reader_follows_the_durable_end<S: Subject>(subject: S) {
    let log = subject.log();
    log.open(A, Durability::Fsync, Witness::new()).unwrap();
    log.open(B, Durability::Fsync, Witness::new()).unwrap();
    let mut reader = log.read(A, 0).unwrap();
    let mut read = 0;
    let mut written = 0;
    // Past the end of several segments, with a neighbour between.
    for round in 0..400 {
        append(log, A, written, 4);
        append(log, B, round * 9, 9);
        written += 4;
        if round % 7 == 0 {
            subject.settle();
            while read_one(&mut *reader, A, &mut read).is_some() {}
            assert_eq!(read, written);
        }
    }
    subject.settle();
    while read_one(&mut *reader, A, &mut read).is_some() {}
    assert_eq!(read, written);
}

fn what_is_trimmed_is_gone_for_good<S: Subject>(subject: S) {
    let log = subject.log();
    log.open(A, Durability::Fsync, Witness::new()).unwrap();
    log.open(B, Durability::Os, Witness::new()).unwrap();
    for round in 0..500 {
        append(log, A, round * 4, 4);
        append(log, B, round, 1);
    }
    subject.settle();
    assert!(matches!(log.trim(A, 2001), Err(LogError::BeyondEnd { next: 2000, .. })));
    assert!(matches!(log.trim(PartitionId(99), 0), Err(LogError::NoPartition { .. })));
    let mut slow = log.read(A, 0).unwrap();
    log.trim(A, 1802).unwrap();
    log.trim(A, 5).unwrap();
    log.trim(B, 500).unwrap();
    subject.settle();
    let check = |log: &dyn Log| {
        assert_eq!(log.extent(A).unwrap(), Extent { first: 1802, next: 2000, durable: 2000, synced: 2000 });
        assert_eq!(log.extent(B).unwrap(), Extent { first: 500, next: 500, durable: 500, synced: 500 });
        assert!(matches!(log.read(A, 1801), Err(LogError::Trimmed { offset: 1801, first: 1802, .. })));
        assert_eq!(read_to_end(log, A, 1802), 2000);
        assert_eq!(read_to_end(log, B, 500), 500);
    };
    check(log);
    // A reader that was on its way may finish what it holds, and is then told.
    let told = loop {
        match slow.next() {
            Ok(Some(batch)) => assert!(batch.first() < 1802),
            Ok(None) => panic!("a reader missed records without being told"),
            Err(e) => break e,
        }
    };
    assert!(matches!(told, LogError::Trimmed { first: 1802, .. }), "{told}");
    let subject = subject.restart();
    check(subject.log());
    let subject = subject.restart();
    check(subject.log());
    assert_eq!(subject.log().open(B, Durability::Os, Witness::new()).unwrap().next, 500);
    append(subject.log(), B, 500, 1);
}

fn the_largest_records_and_batches_fit_where_promised<S: Subject>(subject: S) {
    let log = subject.log();
    log.open(A, Durability::Fsync, Witness::new()).unwrap();
    log.open(B, Durability::Fsync, Witness::new()).unwrap();
    let limit = match log.append(A, 0, &one_record(700 << 10), Allowance::Ordinary) {
        Err(AppendError::TooLarge { limit, .. }) => limit,
        other => panic!("{other:?}"),
    };
    // Each needs nearly a segment of its own.
    for offset in 0..4 {
        log.append(A, offset, &one_record(limit), Allowance::Ordinary).unwrap();
    }
    subject.settle();
    let mut reader = log.read(A, 0).unwrap();
    for _ in 0..4 {
        assert_eq!(reader.next().unwrap().unwrap().payload().len(), limit);
    }
    assert!(reader.next().unwrap().is_none());
}

/// A batch whose payload has exactly this many bytes.
fn one_record(payload: usize) -> BatchBuilder {
    let mut batch = BatchBuilder::new();
    let mut left = payload;
    while left > 0 {
        let part = left.min(100 << 10);
        batch.push(&vec![3; part - 4]).unwrap();
        left -= part;
    }
    batch
}

macro_rules! contract {
    ($subject:ty: $($promise:ident),+ $(,)?) => {
        $(
            #[test]
            fn $promise() {
                super::$promise(<$subject>::fresh());
            }
        )+
    };
}

macro_rules! for_each_log {
    ($($promises:tt)+) => {
        mod embedded_over_files {
            contract!(super::Files<false>: $($promises)+);
            use super::Subject as _;
        }
        mod embedded_over_files_sealed {
            contract!(super::Files<true>: $($promises)+);
            use super::Subject as _;
        }
        mod journal_over_simulated_disk {
            contract!(super::Simulated<false>: $($promises)+);
            use super::Subject as _;
        }
        mod journal_over_simulated_disk_sealed {
            contract!(super::Simulated<true>: $($promises)+);
            use super::Subject as _;
        }
    };
}

for_each_log!(
    a_new_partition_is_empty,
    what_is_appended_is_read_back_and_survives,
    appends_are_refused_as_documented,
    a_partition_has_one_owner,
    a_level_that_does_not_wait_is_durable_at_once,
    a_reader_follows_the_durable_end,
    what_is_trimmed_is_gone_for_good,
    the_largest_records_and_batches_fit_where_promised,
);
