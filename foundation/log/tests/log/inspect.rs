//! Looking at a journal: sound, damaged, and while it is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use decalog_log::inspect::{Inspection, SegmentUse};
use decalog_log::storage::Survival;
use decalog_log::{Allowance, Durability, EmbeddedLog, Log, LogError, Options, PartitionId};

use crate::crash::{World, levels, tiny};
use crate::witness::{Witness, batch, record};

fn filled() -> World {
    let mut world = World::new(tiny());
    for round in 0..40 {
        for (partition, _) in levels() {
            world.append(partition, 1 + round % 5);
        }
        world.journal.sync_step().unwrap();
        world.journal.chore_step().unwrap();
    }
    world.journal.mark_step().unwrap();
    world
}

fn inspect(world: &World) -> Inspection {
    Inspection::over(Arc::new(world.disk.clone()))
}

#[test]
fn stat_tells_segments_and_partitions() {
    let world = filled();
    let stat = inspect(&world).stat().unwrap();
    let extents = world.journal.partitions().into_iter().map(|p| (p, world.journal.extent(p).unwrap()));
    let told = stat.partitions.iter().map(|p| (p.partition, (p.first, p.next))).collect::<Vec<_>>();
    assert_eq!(told, extents.map(|(p, extent)| (p, (extent.first, extent.next))).collect::<Vec<_>>());
    assert!(stat.partitions.iter().all(|p| p.batches == 40 && p.oldest_segment == Some(1)), "{stat:?}");
    let uses = stat.segments.iter().map(|segment| segment.used_as).collect::<Vec<_>>();
    let [finished @ .., SegmentUse::Active, SegmentUse::Prepared] = &uses[..] else { panic!("{uses:?}") };
    assert!(!finished.is_empty() && finished.iter().all(|used_as| *used_as == SegmentUse::Finished));
    assert_eq!(stat.segments.iter().map(|segment| segment.batches).sum::<u64>(), 120);
    assert!(stat.segments.iter().all(|segment| segment.bytes == 16 << 10));
}

#[test]
fn a_sound_journal_verifies() {
    let world = filled();
    let found = inspect(&world).verify().unwrap();
    assert!(found.is_sound() && found.tail.is_none(), "{found:?}");
    assert_eq!((found.batches, found.records), (120, 3 * 40 * 3));
}

#[test]
fn every_damage_is_found_and_what_is_left_is_shown() {
    let world = filled();
    let name = "0000000000000001.segment";
    let bytes = world.disk.contents(name).unwrap();
    let places = [b"1:12:", b"1:20:"].map(|text| bytes.windows(5).position(|w| w == text).unwrap());
    for place in places {
        world.disk.flip(name, place as u64, 2).unwrap();
    }
    let found = inspect(&world).verify().unwrap();
    assert_eq!(found.damages.len(), 2, "{found:?}");
    for (damage, place) in found.damages.iter().zip(places) {
        let place = place as u64;
        assert!(
            damage.segment == 1 && damage.position <= place && place < damage.position + 1024,
            "{damage}"
        );
    }
    assert_eq!(found.batches, 118);
    let mut cat = inspect(&world).cat(PartitionId(1), 0).unwrap();
    let (mut read, mut damages) = (Vec::new(), 0);
    loop {
        match cat.next_batch() {
            Ok(Some(batch)) => read.extend(batch.records().map(|(offset, bytes)| (offset, bytes.to_vec()))),
            Ok(None) => break,
            Err(LogError::Damaged(_)) => damages += 1,
            Err(e) => panic!("{e}"),
        }
    }
    assert_eq!(damages, 2);
    assert!(read.iter().all(|(offset, bytes)| *bytes == record(PartitionId(1), *offset)));
    let offsets = read.iter().map(|(offset, _)| *offset).collect::<Vec<_>>();
    assert!(
        !offsets.contains(&12) && !offsets.contains(&20) && offsets.contains(&0) && offsets.contains(&119)
    );
}

#[test]
fn a_torn_tail_is_told_and_is_no_damage() {
    let mut world = filled();
    // Indexes are never synced: their bytes come first.
    let before = world.disk.unsynced().bytes;
    world.append(PartitionId(1), 5);
    world.disk.crash(Survival::Bytes(before + 100));
    let found = inspect(&world).verify().unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!(found.tail.unwrap().bytes, 104);
}

#[test]
fn a_journal_is_inspected_while_it_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(directory.path(), Options { os_sync_millis: 1, ..Options::small() }).unwrap();
    let partition = PartitionId(3);
    log.open(partition, Durability::Os, Witness::new()).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut next = 0;
            while !done.load(Ordering::Relaxed) {
                log.append(partition, next, &batch(partition, next, 5), Allowance::Ordinary).unwrap();
                next += 5;
                log.trim(partition, next.saturating_sub(5_000)).unwrap();
            }
        });
        let mut seen = 0;
        for _ in 0..40 {
            let inspection = Inspection::directory(directory.path()).unwrap();
            let found = inspection.verify().unwrap();
            assert!(found.is_sound(), "{found:?}");
            let stat = inspection.stat().unwrap();
            let next = stat.partitions.first().map_or(0, |p| p.next);
            assert!(next >= seen, "the end went back from {seen} to {next}");
            seen = next;
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let error = Inspection::directory(std::path::Path::new("/nowhere/at/all")).err().unwrap().to_string();
    assert!(error.contains("/nowhere/at/all"), "{error}");
}
