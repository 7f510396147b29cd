//! Power cuts: whatever part of the unsynced work survives, every acknowledged record comes back, and what comes
//! back is a prefix of what was submitted.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use decalog_log::storage::{SimDisk, Storage as _, Survival};
use decalog_log::{Allowance, AppendError, Durability, Journal, Listener, Log, Offset, Options, PartitionId};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::witness::{Witness, batch, read_to_end};

/// The next offsets of all partitions at one moment.
type Stand = BTreeMap<PartitionId, Offset>;

/// A journal on a simulated disk, and what a client of it knows.
pub(crate) struct World {
    pub(crate) disk: SimDisk,
    options: Options,
    pub(crate) journal: Journal,
    witnesses: BTreeMap<PartitionId, Arc<Witness>>,
    /// Where everybody stood after the start and after each batch, in the order of submission.
    history: Vec<Stand>,
    trims: Stand,
}

pub(crate) fn levels() -> [(PartitionId, Durability); 3] {
    [
        (PartitionId(1), Durability::Fsync),
        (PartitionId(2), Durability::Os),
        (PartitionId(70_000), Durability::Interval { millis: 5 }),
    ]
}

/// The smallest segments, so that there are many.
pub(crate) fn tiny() -> Options {
    Options { segment_bytes: 16 << 10, reserve_bytes: 512, ..Options::small() }
}

impl World {
    pub(crate) fn new(options: Options) -> Self {
        Self::start(SimDisk::new(), options)
    }

    fn start(disk: SimDisk, options: Options) -> Self {
        let journal = Journal::open(Arc::new(disk.clone()), options.clone()).expect("the journal starts");
        let mut witnesses = BTreeMap::new();
        let mut stand = Stand::new();
        for (partition, level) in levels() {
            let witness = Witness::new();
            let extent = journal.open(partition, level, witness.clone()).expect("the partition opens");
            assert_eq!(extent.synced, extent.next, "what was recovered must be on the device");
            witness.advanced(extent.durable, extent.synced);
            witnesses.insert(partition, witness);
            stand.insert(partition, extent.next);
        }
        Self { disk, options, journal, witnesses, history: vec![stand], trims: Stand::new() }
    }

    pub(crate) fn append(&mut self, partition: PartitionId, count: u64) {
        let mut stand = self.history.last().expect("a history begins with the start").clone();
        let next = stand[&partition];
        match self.journal.append(partition, next, &batch(partition, next, count), Allowance::Ordinary) {
            Ok(extent) => assert_eq!(extent.next, next + count),
            Err(AppendError::Failed(_)) => return,
            Err(e) => panic!("{e}"),
        }
        stand.insert(partition, next + count);
        self.history.push(stand);
    }

    fn trim(&mut self, partition: PartitionId, share: u8) {
        let synced = self.witnesses[&partition].told().synced;
        let below = synced * u64::from(share) / 255;
        self.journal.trim(partition, below).expect("a trim below the synced end");
        let trimmed = self.trims.entry(partition).or_default();
        *trimmed = below.max(*trimmed);
    }

    /// Every record below these was acknowledged as synced.
    pub(crate) fn acknowledged(&self) -> Stand {
        self.witnesses.iter().map(|(partition, witness)| (*partition, witness.told().synced)).collect()
    }

    /// Cuts the power on a copy of the disk, starts again, and checks what came back.
    pub(crate) fn cut_copy(&self, survival: Survival) -> Journal {
        let disk = self.disk.duplicate();
        disk.crash(survival);
        let journal = Journal::open(Arc::new(disk), self.options.clone());
        let journal = journal.unwrap_or_else(|e| panic!("no start after {survival:?}: {e}"));
        self.check(&journal);
        journal
    }

    /// Cuts the power and goes on with what is left.
    fn cut(self, survival: Survival, seen: &Seen) -> Self {
        self.disk.crash(survival);
        let journal = Journal::open(Arc::new(self.disk.clone()), self.options.clone());
        let journal = journal.unwrap_or_else(|e| panic!("no start after {survival:?}: {e}"));
        self.check(&journal);
        seen.cuts.set(seen.cuts.get() + u64::from(journal.recovery().cut.is_some()));
        drop(journal);
        let trims = self.trims.clone();
        Self { trims, ..Self::start(self.disk.clone(), self.options.clone()) }
    }

    /// Is what the journal holds all that was acknowledged, and a prefix of what was submitted?
    pub(crate) fn check(&self, journal: &Journal) {
        let mut stand: Stand = levels().into_iter().map(|(partition, _)| (partition, 0)).collect();
        for partition in journal.partitions() {
            let extent = journal.extent(partition).expect("a partition of the journal has an extent");
            let trimmed = self.trims.get(&partition).copied().unwrap_or(0);
            assert!(extent.first <= trimmed, "{partition:?} lost records below {}", extent.first);
            if extent.first < extent.next {
                assert_eq!(read_to_end(journal, partition, extent.first), extent.next);
            }
            stand.insert(partition, extent.next);
        }
        for (partition, synced) in self.acknowledged() {
            let next = stand[&partition];
            assert!(next >= synced, "{partition:?} ends at {next}, but {synced} was acknowledged");
        }
        assert!(self.history.contains(&stand), "{stand:?} is no prefix of what was submitted");
    }
}

/// Acknowledged groups, then one that is not, which ends in a further segment when `long`.
fn with_unsynced_group(options: Options, long: bool) -> World {
    let mut world = World::new(options);
    let append = |world: &mut World, count| {
        for (partition, _) in levels() {
            world.append(partition, count);
        }
    };
    for _ in 0..3 {
        append(&mut world, 2);
        world.journal.sync_step().unwrap();
    }
    if long {
        let before = world.disk.unsynced().bytes;
        while world.disk.unsynced().bytes < before + 10_000 {
            append(&mut world, 9);
        }
        world.journal.sync_step().unwrap();
    }
    world.journal.chore_step().unwrap();
    append(&mut world, 1);
    append(&mut world, 3);
    world
}

pub(crate) fn every_cut_of_unsynced_bytes_leaves_a_prefix(options: Options) {
    for long in [false, true] {
        let world = with_unsynced_group(options.clone(), long);
        let unsynced = world.disk.unsynced().bytes;
        assert!(unsynced > 500, "the last group must have something to lose");
        let mut ends = std::collections::BTreeSet::new();
        for bytes in 0..=unsynced {
            let journal = world.cut_copy(Survival::Bytes(bytes));
            ends.insert(journal.partitions().iter().map(|p| journal.extent(*p).unwrap().next).sum::<u64>());
        }
        assert_eq!(
            ends.len(),
            7,
            "each batch of the last group must be there in some cut and lost in another"
        );
    }
}

#[test]
fn unsynced_bytes_are_cut_at_every_position() {
    every_cut_of_unsynced_bytes_leaves_a_prefix(tiny());
}

#[test]
fn a_group_that_spans_segments_is_cut_at_every_position() {
    let mut world = World::new(tiny());
    world.append(PartitionId(1), 3);
    world.journal.sync_step().unwrap();
    while world.disk.unsynced().bytes < 14_000 {
        world.append(PartitionId(1), 40);
        world.append(PartitionId(2), 2);
    }
    let unsynced = world.disk.unsynced().bytes;
    // The places where a segment ends and the next begins lie in the second half.
    for bytes in (unsynced - 8_000..=unsynced).chain((0..unsynced).step_by(97)) {
        world.cut_copy(Survival::Bytes(bytes));
    }
}

#[test]
fn a_cut_is_reported_with_its_place_and_its_bytes() {
    let world = with_unsynced_group(tiny(), false);
    let whole = world.cut_copy(Survival::Bytes(u64::MAX));
    assert_eq!(whole.recovery().cut, None);
    let torn = world.cut_copy(Survival::Bytes(world.disk.unsynced().bytes - 8));
    let cut = torn.recovery().cut.clone().expect("a torn batch is reported");
    assert_eq!(cut.segment, 1);
    assert!(cut.position > 4096 && cut.bytes > 96 && cut.batches == 0, "{cut:?}");
}

#[test]
fn what_a_cut_removed_never_comes_back() {
    // A torn batch, and a whole one behind it that reached the disk first; then one of the torn one's size.
    let mut world = World::new(tiny());
    world.append(PartitionId(1), 1);
    world.journal.sync_step().unwrap();
    let end = 4096;
    world.append(PartitionId(1), 4);
    world.append(PartitionId(1), 5);
    world.disk.crash(Survival::Bytes(u64::MAX));
    let bytes = world.disk.contents("0000000000000001.segment").unwrap();
    let frames =
        (end..bytes.len()).step_by(8).filter(|at| &bytes[at + 4..at + 8] == b"dfrm").collect::<Vec<_>>();
    let [.., torn, whole] = frames[..] else { panic!("{frames:?}") };
    world.disk.flip("0000000000000001.segment", torn as u64 + 30, 1).unwrap();
    let journal = Journal::open(Arc::new(world.disk.clone()), tiny()).unwrap();
    let cut = journal.recovery().cut.clone().unwrap();
    assert_eq!((cut.position, cut.batches), (torn as u64, 1));
    journal.open(PartitionId(1), Durability::Os, Witness::new()).unwrap();
    // A mark and this batch end just where the whole one began.
    let mut filler = decalog_log::BatchBuilder::new();
    filler.push(&vec![1; whole - torn - 96 - 96 - 4]).unwrap();
    journal.append(PartitionId(1), 1, &filler, Allowance::Ordinary).unwrap();
    world.disk.kill();
    drop(journal);
    let journal = Journal::open(Arc::new(world.disk.clone()), tiny()).unwrap();
    assert_eq!(journal.extent(PartitionId(1)).unwrap().next, 2);
    assert_eq!(journal.recovery().cut, None);
}

#[test]
fn bytes_of_an_older_file_are_never_taken_for_new_ones() {
    let world = with_unsynced_group(tiny(), false);
    world.journal.sync_step().unwrap();
    let name = "0000000000000001.segment";
    let old = world.disk.contents(name).unwrap();
    let options = Options { salt: Some(2), ..tiny() };
    let disk = SimDisk::new();
    let journal = Journal::open(Arc::new(disk.clone()), options.clone()).unwrap();
    drop(journal);
    // The older file's frames, in the places they had, behind those of the new one.
    let (table, mark) = (96, 96);
    let from = 4096 + table + mark;
    disk.overwrite(name, from as u64, &old[from..]).unwrap();
    let journal = Journal::open(Arc::new(disk), options).unwrap();
    assert_eq!(journal.partitions(), []);
    assert!(journal.recovery().cut.is_some());
}

/// One thing that happens to a journal.
#[derive(Clone, Copy, Debug)]
enum Event {
    Append { partition: usize, count: u64 },
    Sync,
    Mark,
    Chores,
    Trim { partition: usize, share: u8 },
    TrimAll,
    PowerCut { seed: u64 },
    Kill,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => (0..3_usize, 1..40_u64).prop_map(|(partition, count)| Event::Append { partition, count }),
        4 => Just(Event::Sync),
        1 => Just(Event::Mark),
        2 => Just(Event::Chores),
        1 => (0..3_usize, any::<u8>()).prop_map(|(partition, share)| Event::Trim { partition, share }),
        1 => Just(Event::TrimAll),
        1 => any::<u64>().prop_map(|seed| Event::PowerCut { seed }),
        1 => Just(Event::Kill),
    ]
}

/// What the lives of a run went through.
#[derive(Debug, Default)]
struct Seen {
    cuts: Cell<u64>,
    drops: Cell<u64>,
    most_segments: Cell<usize>,
}

impl Seen {
    fn look(&self, world: &World) {
        let names = world.disk.list().unwrap();
        let segments = names.iter().filter(|name| name.ends_with(".segment")).collect::<Vec<_>>();
        self.most_segments.set(self.most_segments.get().max(segments.len()));
        self.drops.set(
            self.drops.get() + u64::from(segments.first().is_some_and(|name| !name.ends_with("01.segment"))),
        );
    }
}

fn live(events: &[Event], options: &Options, seen: &Seen) {
    let mut world = World::new(options.clone());
    for event in events {
        match *event {
            Event::Append { partition, count } => world.append(levels()[partition].0, count),
            Event::Sync => assert!(world.journal.sync_step().is_ok()),
            Event::Mark => assert!(world.journal.mark_step().is_ok()),
            Event::Chores => world.journal.chore_step().unwrap(),
            Event::Trim { partition, share } => world.trim(levels()[partition].0, share),
            Event::TrimAll => levels().into_iter().for_each(|(partition, _)| world.trim(partition, u8::MAX)),
            Event::PowerCut { seed } => world = world.cut(Survival::Scattered(seed), seen),
            Event::Kill => {
                world.disk.kill();
                let trims = world.trims.clone();
                let before = world.history.last().cloned();
                world = World { trims, ..World::start(world.disk, world.options) };
                assert_eq!(world.history.last().cloned(), before, "a kill loses nothing");
            }
        }
        seen.look(&world);
    }
    world.journal.sync_step().unwrap();
    let whole = world.history.last().cloned();
    let world = world.cut(Survival::Nothing, seen);
    assert_eq!(world.history.last().cloned(), whole, "everything was synced");
}

/// `PROPTEST_CASES` sets how many lives; the shortest failing one is printed.
#[test]
fn a_life_of_crashes_loses_nothing_acknowledged() {
    let seen = Seen::default();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let lives = prop::collection::vec(event(), 1..120);
    let outcome = TestRunner::new(config).run(&lives, |events| {
        live(&events, &tiny(), &seen);
        Ok(())
    });
    outcome.unwrap_or_else(|e| panic!("{e}"));
    assert!(seen.cuts.get() > 20 && seen.drops.get() > 20 && seen.most_segments.get() > 5, "{seen:?}");
}

pub(crate) fn scattered_crashes_lose_nothing_acknowledged(options: Options) {
    for seed in 0..40 {
        let mut world = with_unsynced_group(options.clone(), seed % 2 == 0);
        for round in 0..5 {
            world = world.cut(Survival::Scattered(seed * 31 + round), &Seen::default());
            world.append(PartitionId(1), 1 + seed % 7);
            world.append(PartitionId(2), 3);
            world.journal.sync_step().unwrap();
            world.append(PartitionId(1), 2);
        }
    }
}

#[test]
fn pages_that_reach_the_disk_in_any_order_lose_nothing_acknowledged() {
    scattered_crashes_lose_nothing_acknowledged(tiny());
}
