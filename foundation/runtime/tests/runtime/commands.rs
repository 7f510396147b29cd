//! Submit, offer, reads, refusals, repeats, stamps and deadlines.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use decalog_runtime::bucket::bucket_of;
use decalog_runtime::{
    Applied, Config, Durability, Meter, Observer, Origin, PartitionId, ReadError, Refused, Setup,
    SubmitError, System, Timestamp, partition_id,
};

use crate::ledger::{Command, Event, Ledger, Reply};
use crate::stand::{NOON, PARTITIONS, SYSTEM, Stand, points, until};

fn deposit(account: u64, points: u64) -> Command {
    Command::Deposit { account, points }
}

#[test]
fn commands_are_answered_in_every_partition_at_every_durability() {
    for durability in [Durability::Fsync, Durability::Interval { millis: 5 }, Durability::Os] {
        let mut stand = Stand::new();
        stand.config.durability = durability;
        let system = stand.start();
        assert_eq!(system.partitions().len(), usize::from(PARTITIONS));
        for account in 0..200_u64 {
            let (bucket, partition) = system.by_key(&account.to_le_bytes());
            assert_eq!(bucket, bucket_of(&account.to_le_bytes()));
            let answer = partition.submit_blocking(Origin::system(bucket), &deposit(account, 3)).unwrap();
            assert_eq!(answer.reply, Reply::Points(3));
            let seen = partition.read_blocking(answer.seen(), move |ledger| ledger.points(account)).unwrap();
            assert_eq!(seen.value, Some(3));
            assert!(seen.seen >= answer.seen());
        }
        let used = system.partitions().iter().filter(|partition| partition.status().applied > 0).count();
        assert_eq!(used, usize::from(PARTITIONS), "keys spread over all partitions");
        system.shutdown();
    }
}

#[test]
fn a_repeat_gets_the_recorded_reply() {
    let system = Stand::new().start();
    let partition = system.partition(1);
    let origin = Origin { client: 5, sequence: 1, ..Origin::default() };
    let first = partition.submit_blocking(origin, &deposit(1, 10)).unwrap();
    partition.submit_blocking(Origin::default(), &deposit(1, 10)).unwrap();
    let again = partition.submit_blocking(origin, &deposit(1, 10)).unwrap();
    assert!(!first.repeated && again.repeated);
    assert_eq!((again.offset, &again.reply), (first.offset, &Reply::Points(10)));
    assert_eq!(points(partition, 1), Some(20), "the repeat changed nothing");
    let other = partition.submit_blocking(Origin { sequence: 2, ..origin }, &deposit(1, 10)).unwrap();
    assert_eq!(other.reply, Reply::Points(30));
}

/// Notes what the observer hears.
struct Notes(Sender<Note>);

#[derive(Debug, PartialEq)]
enum Note {
    Applied { token: u64, offset: u64, reply: Option<Reply>, events: usize },
    BatchEnd(u64),
    Refused { token: u64, origin: Origin, command: Command, error: String },
    Stopped,
}

impl Observer<Ledger> for Notes {
    fn applied(&mut self, record: &Applied<'_, Ledger>) {
        assert!(record.reply != Some(&Reply::Unknown), "told of an unknown account");
        let (token, offset) = (record.token, record.stamp.offset);
        let note = Note::Applied { token, offset, reply: record.reply.cloned(), events: record.events.len() };
        self.0.send(note).unwrap();
    }
    fn refused(&mut self, refused: Refused<'_, Ledger>) {
        let Refused { token, origin, command, error } = refused;
        self.0.send(Note::Refused { token, origin, command, error: error.to_string() }).unwrap();
    }
    fn batch_end(&mut self, applied: u64) {
        self.0.send(Note::BatchEnd(applied)).unwrap();
    }
    fn stopped(&mut self, _error: &SubmitError) {
        let _ = self.0.send(Note::Stopped);
    }
}

fn observed(stand: &Stand) -> (System<Ledger>, Receiver<Note>) {
    let (sender, notes) = channel();
    let mut setup = stand.setup();
    setup.observer = Box::new(move |id| (id.0 & 0xffff == 0).then(|| Box::new(Notes(sender.clone())) as _));
    (System::start(setup, SYSTEM, PARTITIONS).unwrap(), notes)
}

#[test]
fn an_offered_command_is_told_to_the_observer_with_its_token() {
    let (system, notes) = observed(&Stand::new());
    let partition = system.partition(0);
    partition.offer(Origin::default(), &deposit(4, 2), 77).unwrap();
    let reply = Some(Reply::Points(2));
    assert_eq!(notes.recv().unwrap(), Note::Applied { token: 77, offset: 0, reply, events: 1 });
    assert_eq!(notes.recv().unwrap(), Note::BatchEnd(1));
    system.shutdown();
    assert_eq!(notes.recv().unwrap(), Note::Stopped);
}

#[test]
fn an_offered_command_that_finds_no_space_comes_back_whole() {
    let stand = Stand::new();
    let (system, notes) = observed(&stand);
    stand.disk.set_capacity(Some(2 << 20));
    let asked = Origin { bucket: 3, principal: 5, client: 7, sequence: 0, urgent: false };
    for sequence in 0..100_000 {
        let origin = Origin { sequence, ..asked };
        system.partition(0).offer(origin, &deposit(4, 2), 77).unwrap();
        match notes.recv().unwrap() {
            Note::Refused { token, origin: from, command, error } => {
                assert_eq!((token, from, command), (77, origin, deposit(4, 2)));
                assert!(error.contains("bytes are needed"), "{error}");
                return;
            }
            applied => assert!(matches!(applied, Note::Applied { .. }), "{applied:?}"),
        }
        assert!(matches!(notes.recv().unwrap(), Note::BatchEnd(_)));
    }
    panic!("the disk does not fill");
}

#[test]
fn the_meter_counts_every_record_once() {
    struct Count(AtomicU64);
    impl Meter for Count {
        fn applied(&self, partition: PartitionId, records: u64, _took: Duration) {
            assert_eq!(partition, partition_id(SYSTEM, 2));
            self.0.fetch_add(records, Ordering::Relaxed);
        }
    }
    let stand = Stand::new();
    let count = Arc::new(Count(AtomicU64::new(0)));
    let setup = Setup { meter: count.clone(), ..stand.setup() };
    let system = System::start(setup, SYSTEM, PARTITIONS).unwrap();
    for account in 0..50 {
        system.partition(2).submit_blocking(Origin::default(), &deposit(account, 1)).unwrap();
    }
    until("the last batch to be counted", || count.0.load(Ordering::Relaxed) == 50);
    system.shutdown();
    assert_eq!(count.0.load(Ordering::Relaxed), 50);
}

#[test]
fn an_observer_that_panics_is_switched_off_and_the_partition_goes_on() {
    let (system, notes) = observed(&Stand::new());
    let partition = system.partition(0);
    let unknown = partition.submit_blocking(Origin::default(), &Command::Close { account: 9 }).unwrap();
    assert_eq!(unknown.reply, Reply::Unknown);
    let answer = partition.submit_blocking(Origin::default(), &deposit(9, 1)).unwrap();
    assert_eq!(answer.reply, Reply::Points(1));
    assert!(notes.try_recv().is_err(), "it hears no more");
}

#[test]
fn a_full_queue_refuses_clearly_and_loses_nothing_it_took() {
    let mut stand = Stand::new();
    stand.config = Config { queue_records: 10, ..stand.config };
    let (system, notes) = observed(&stand);
    let partition = system.partition(0).clone();
    // A read that does not end until told keeps the partition busy while the queue fills.
    let (go, wait) = channel::<()>();
    let (started, running) = channel();
    let reader = partition.clone();
    let blocked = std::thread::spawn(move || {
        reader.read_blocking(0, move |_| {
            started.send(()).unwrap();
            let _ = wait.recv();
        })
    });
    running.recv().unwrap();
    let taken =
        (1..=30).filter(|token| partition.offer(Origin::default(), &deposit(1, 1), *token).is_ok()).count();
    assert_eq!(taken, 10, "as many as the queue holds");
    let refusal = partition.offer(Origin::default(), &deposit(1, 1), 99).unwrap_err();
    assert!(matches!(refusal, SubmitError::Overloaded { waiting: 10, .. }), "{refusal}");
    go.send(()).unwrap();
    blocked.join().unwrap().unwrap();
    let answered = notes.iter().filter(|note| matches!(note, Note::Applied { .. })).take(10).count();
    assert_eq!(answered, 10);
    assert_eq!(points(&partition, 1), Some(10));
}

#[test]
fn reads_are_bounded_and_a_panicking_read_hurts_only_itself() {
    let mut stand = Stand::new();
    stand.config = Config { queue_reads: 3, ..stand.config };
    let system = stand.start();
    let partition = system.partition(2);
    let result = partition.read_blocking(0, |_| panic!("no such thing"));
    assert!(matches!(result.map(|seen: decalog_runtime::Seen<()>| seen.seen), Err(ReadError::Panicked(_))));
    partition.submit_blocking(Origin::default(), &deposit(1, 1)).unwrap();
    assert_eq!(points(partition, 1), Some(1));
}

#[test]
fn a_read_at_a_future_offset_waits_for_it() {
    let system = Stand::new().start();
    let partition = system.partition(3).clone();
    let reader = partition.clone();
    let waiting = std::thread::spawn(move || reader.read_blocking(3, |ledger| ledger.points(1)));
    for _ in 0..3 {
        partition.submit_blocking(Origin::default(), &deposit(1, 5)).unwrap();
    }
    let seen = waiting.join().unwrap().unwrap();
    assert_eq!((seen.value, seen.seen), (Some(15), 3));
}

#[test]
fn deadlines_fire_before_the_record_that_follows_and_by_ticks_when_idle() {
    let stand = Stand::new();
    let system = stand.start();
    let partition = system.partition(0);
    let submit = |command: &Command| partition.submit_blocking(Origin::default(), command).unwrap().reply;
    let mut events = partition.subscribe(partition.head()).unwrap();
    submit(&deposit(1, 10));
    let hold = |points, after| Command::Hold { account: 1, points, until: NOON.0 + after };
    submit(&hold(4, 1000));
    submit(&hold(3, 2000));
    stand.clock.advance(1500);
    // The first hold ended before this command's moment: its points are back and count.
    assert_eq!(submit(&deposit(1, 0)), Reply::Points(7));
    // Nothing else comes: a tick must end the second.
    stand.clock.advance(1000);
    partition.read_blocking(0, |_| ()).unwrap();
    until("the tick", || points(partition, 1) == Some(10));
    let mut seen = Vec::new();
    while let Some(event) = events.try_next().unwrap() {
        seen.push((event.address.offset, event.address.index, event.time, event.event));
    }
    let changed = |points| Event::Changed { account: 1, points };
    let returned = |points| Event::Returned { account: 1, points };
    assert_eq!(
        seen,
        [
            (0, 0, NOON, changed(10)),
            (1, 0, NOON, changed(6)),
            (2, 0, NOON, changed(3)),
            (3, 0, Timestamp(NOON.0 + 1500), returned(4)),
            (3, 1, Timestamp(NOON.0 + 1500), changed(7)),
            (4, 0, Timestamp(NOON.0 + 2500), returned(3)),
        ]
    );
}

#[test]
fn stamps_never_run_backwards() {
    let stand = Stand::new();
    let system = stand.start();
    let partition = system.partition(0);
    let mut events = partition.subscribe(partition.head()).unwrap();
    for shift in [0, 500, -900, 300] {
        stand.clock.set_utc(Timestamp(NOON.0 + shift));
        partition.submit_blocking(Origin::default(), &deposit(1, 1)).unwrap();
    }
    let times: Vec<i64> =
        std::iter::from_fn(|| events.try_next().unwrap()).map(|event| event.time.0 - NOON.0).collect();
    assert_eq!(times, [0, 500, 500, 500]);
}

#[test]
fn a_clock_that_jumps_stops_commands_until_it_is_accepted() {
    let stand = Stand::new();
    let system = stand.start();
    let partition = system.partition(0);
    stand.clock.advance(10_000_000_000);
    partition.submit_blocking(Origin::default(), &deposit(1, 1)).unwrap();
    stand.clock.set_utc(Timestamp(NOON.0 + 12_000_000_000));
    let refusal = partition.submit_blocking(Origin::default(), &deposit(1, 1)).unwrap_err();
    assert!(matches!(refusal, SubmitError::ClockJumped { gain_millis: 2000 }), "{refusal}");
    assert_eq!(points(partition, 1), Some(1), "reads go on");
    partition.accept_clock();
    until("commands", || partition.submit_blocking(Origin::default(), &deposit(1, 1)).is_ok());
}

#[test]
fn a_body_too_large_is_refused_and_the_largest_is_taken() {
    let stand = Stand::new();
    let system = System::start(
        {
            let mut setup =
                decalog_runtime::Setup::new(stand.log(), Arc::new(stand.store.clone()), |_| Blob(0));
            setup.config = stand.config.clone();
            setup
        },
        SYSTEM,
        PARTITIONS,
    )
    .unwrap();
    let partition = system.partition(0);
    let limit = decalog_runtime::record::MAX_BODY_BYTES;
    let answer = partition.submit_blocking(Origin::default(), &vec![1; limit].into()).unwrap();
    assert_eq!(answer.reply.0.len(), 8);
    let refusal = partition.submit_blocking(Origin::default(), &vec![1; limit + 1].into()).unwrap_err();
    assert!(matches!(refusal, SubmitError::TooLarge { .. }), "{refusal}");
    // Many large ones at once need several batches.
    let handles: Vec<_> = (0..12)
        .map(|_| {
            let partition = partition.clone();
            std::thread::spawn(move || partition.submit_blocking(Origin::default(), &vec![1; limit].into()))
        })
        .collect();
    for handle in handles {
        handle.join().unwrap().unwrap();
    }
    system.shutdown();
}

/// Bytes as they are.
#[derive(Clone, Debug)]
struct Raw(Vec<u8>);

impl From<Vec<u8>> for Raw {
    fn from(bytes: Vec<u8>) -> Self {
        Raw(bytes)
    }
}

impl decalog_runtime::Wire for Raw {
    fn kind(&self, _rules: u32) -> (u16, u16) {
        (1, 1)
    }
    fn encode(&self, _rules: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
    fn decode(_kind: u16, _version: u16, body: &[u8]) -> Result<Self, decalog_runtime::DecodeError> {
        Ok(Raw(body.to_vec()))
    }
}

/// Counts bytes.
struct Blob(u64);

impl decalog_runtime::StateMachine for Blob {
    type Command = Raw;
    type Reply = Raw;
    type Event = ();
    fn apply(
        &mut self,
        _at: &decalog_runtime::Stamp,
        command: Raw,
        _out: &mut decalog_runtime::Outbox<()>,
    ) -> Raw {
        self.0 += command.0.len() as u64;
        Raw(self.0.to_le_bytes().to_vec())
    }
    fn deadline(&self) -> Option<Timestamp> {
        None
    }
    fn expire(&mut self, _at: &decalog_runtime::Stamp, _out: &mut decalog_runtime::Outbox<()>) {}
    fn snapshot(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        out.write_all(&self.0.to_le_bytes())
    }
    fn restore(&mut self, from: &mut dyn std::io::Read) -> std::io::Result<()> {
        let mut bytes = [0; 8];
        from.read_exact(&mut bytes)?;
        self.0 = u64::from_le_bytes(bytes);
        Ok(())
    }
    fn digest(&self) -> decalog_runtime::Digest {
        decalog_runtime::Digest::of(&self.0.to_le_bytes())
    }
}
