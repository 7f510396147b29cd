//! What the tests share: a listener that remembers what it was told, and records that can be recognised.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use decalog_log::{BatchBuilder, Listener, Log, LogError, Offset, PartitionId, Reader};

/// Tests give up on a condition after this long; it is no measure of anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A listener that remembers.
#[derive(Default)]
pub(crate) struct Witness {
    told: Mutex<Told>,
    news: Condvar,
}

/// What a listener was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) durable: Offset,
    pub(crate) synced: Offset,
    pub(crate) failed: Option<String>,
}

impl Witness {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn told(&self) -> Told {
        self.told.lock().unwrap().clone()
    }

    /// Waits until it was told what `condition` asks for.
    pub(crate) fn wait(&self, condition: impl Fn(&Told) -> bool) -> Told {
        let told = self.told.lock().unwrap();
        let (told, late) = self.news.wait_timeout_while(told, PATIENCE, |told| !condition(told)).unwrap();
        assert!(!late.timed_out(), "never told what the test waits for; last told {told:?}");
        told.clone()
    }
}

impl Listener for Witness {
    fn advanced(&self, durable: Offset, synced: Offset) {
        let mut told = self.told.lock().unwrap();
        assert!(
            durable >= told.durable && synced >= told.synced,
            "went back from {told:?} to {durable}, {synced}"
        );
        assert!(synced <= durable, "told synced {synced} before durable {durable}");
        (told.durable, told.synced) = (durable, synced);
        self.news.notify_all();
    }

    fn failed(&self, error: Arc<LogError>) {
        self.told.lock().unwrap().failed = Some(error.to_string());
        self.news.notify_all();
    }
}

/// Waits until `condition` holds, however long a busy machine takes.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "{what} did not come true");
        std::thread::yield_now();
    }
}

/// A record that says which it is; its length depends on it.
pub(crate) fn record(partition: PartitionId, offset: Offset) -> Vec<u8> {
    let length = 8 + usize::try_from(offset * 7 % 61).unwrap();
    let mut record = format!("{}:{offset}:", partition.0).into_bytes();
    record.resize(length.max(record.len()), b'.');
    record
}

/// A batch of `count` records from `first`, with a context that says so too.
pub(crate) fn batch(partition: PartitionId, first: Offset, count: u64) -> BatchBuilder {
    let mut batch = BatchBuilder::new();
    for offset in first..first + count {
        batch.push(&record(partition, offset)).unwrap();
    }
    let mut context = [0; 24];
    context[..8].copy_from_slice(&first.to_le_bytes());
    batch.set_context(context);
    batch
}

/// Reads a partition to its durable end and checks every record; returns where it ends.
pub(crate) fn read_to_end(log: &dyn Log, partition: PartitionId, from: Offset) -> Offset {
    let mut reader = log.read(partition, from).unwrap();
    let mut next = from;
    while let Some(end) = read_one(&mut *reader, partition, &mut next) {
        next = end;
    }
    next
}

/// Reads one batch, checks that it goes on from `next`, and moves `next` on; `None` at the durable end.
pub(crate) fn read_one(reader: &mut dyn Reader, partition: PartitionId, next: &mut Offset) -> Option<Offset> {
    let batch = reader.next().unwrap()?;
    assert_eq!(batch.partition(), partition);
    assert!(
        batch.first() <= *next && *next < batch.next(),
        "{next} is not in {}..{}",
        batch.first(),
        batch.next()
    );
    assert_eq!(batch.context()[..8], batch.first().to_le_bytes());
    let mut expected = batch.first();
    for (offset, bytes) in batch.records() {
        assert_eq!(offset, expected);
        assert_eq!(bytes, record(partition, offset), "the record at {offset} is not what was appended");
        expected += 1;
    }
    assert_eq!(expected, batch.next());
    *next = batch.next();
    Some(batch.next())
}
