//! Damage to bytes that were durable: a start is refused and names the place, or, where nothing states them durable
//! yet, the loss is reported. Nothing is ever lost in silence.

use std::sync::Arc;

use decalog_log::storage::Storage as _;
use decalog_log::{Journal, Log as _, LogError, Options, PartitionId, Progress};

use crate::crash::{World, levels, tiny};

/// Segments with three groups in the last, all acknowledged; the last one marked when `marked`.
fn synced(options: Options, marked: bool) -> World {
    let mut world = World::new(options);
    for round in 0..30 {
        for (partition, _) in levels() {
            world.append(partition, 1 + round % 9);
        }
        world.journal.sync_step().unwrap();
        world.journal.chore_step().unwrap();
    }
    if marked {
        assert_eq!(world.journal.mark_step().unwrap(), Progress::Synced);
    }
    world
}

/// What became of a flip.
#[derive(Debug, Default)]
struct Outcomes {
    refused: u64,
    reported: u64,
    harmless: u64,
}

/// Flips a bit in each of the bytes `places` names, one at a time.
fn flip_each(world: &World, options: &Options, segment: u64, places: impl Iterator<Item = u64>) -> Outcomes {
    let name = format!("{segment:016}.segment");
    let mut outcomes = Outcomes::default();
    for place in places {
        let disk = world.disk.duplicate();
        disk.flip(&name, place, u8::try_from(place * 5 % 8).unwrap()).unwrap();
        match Journal::open(Arc::new(disk), options.clone()) {
            Err(LogError::Damaged(damage)) => {
                assert_eq!(damage.segment, segment, "a flip in byte {place}: {damage}");
                assert!(damage.position <= place && place - damage.position < 2048, "byte {place}: {damage}");
                assert!(damage.remedy.contains("backup"), "{damage}");
                outcomes.refused += 1;
            }
            Err(e) => panic!("a flip in byte {place} of segment {segment}: {e}"),
            Ok(journal) if journal.recovery().cut.is_some() => {
                outcomes.reported += 1;
                let lost = world.acknowledged().iter().any(|(p, synced)| next(&journal, *p) < *synced);
                assert!(!lost || last_group_only(world, &journal), "a flip in byte {place} lost too much");
            }
            Ok(journal) => {
                world.check(&journal);
                outcomes.harmless += 1;
            }
        }
    }
    outcomes
}

/// Where a partition ends; at 0 when nothing of it is left.
fn next(journal: &Journal, partition: PartitionId) -> u64 {
    journal.extent(partition).map_or(0, |extent| extent.next)
}

/// Is at most the last group of `synced` missing?
fn last_group_only(world: &World, journal: &Journal) -> bool {
    let last = 1 + 29 % 9;
    world.acknowledged().iter().all(|(p, synced)| next(journal, *p) + last >= *synced)
}

/// The byte after the last frame: everything behind is zero.
fn end_of(world: &World, segment: u64) -> u64 {
    let bytes = world.disk.contents(&format!("{segment:016}.segment")).unwrap();
    let mut end = 4096;
    while let Some(frame) = bytes.get(end..end + 96).filter(|frame| frame[4..8] == *b"dfrm") {
        let payload = u32::from_le_bytes(frame[88..92].try_into().unwrap());
        end += 96 + usize::try_from(payload).unwrap().next_multiple_of(8);
    }
    end as u64
}

pub(crate) fn every_flip_of_a_marked_byte_refuses_the_start(options: Options) {
    let world = synced(options.clone(), true);
    let last = segments(&world);
    for segment in 1..=last {
        let end = end_of(&world, segment) - if segment == last { 96 } else { 0 };
        let header = flip_each(&world, &options, segment, 0..64);
        assert_eq!(header.refused, 64, "segment {segment}'s header: {header:?}");
        let frames = flip_each(&world, &options, segment, 4096..end);
        assert_eq!(frames.refused, end - 4096, "segment {segment}'s frames: {frames:?}");
    }
    // The mark itself protects others: when it is damaged nothing but itself is lost.
    let end = end_of(&world, last);
    let mark = flip_each(&world, &options, last, end - 96..end);
    assert_eq!(mark.reported, 96, "{mark:?}");
}

/// How many segments were begun since the start.
fn segments(world: &World) -> u64 {
    let names = world.disk.list().unwrap();
    let spare = 1;
    names.iter().filter(|name| name.ends_with(".segment")).count() as u64 - spare
}

#[test]
fn a_flip_of_a_byte_stated_durable_refuses_the_start() {
    every_flip_of_a_marked_byte_refuses_the_start(tiny());
}

#[test]
fn a_flip_in_the_last_group_is_refused_or_reported() {
    let world = synced(tiny(), false);
    let last = segments(&world);
    let end = end_of(&world, last);
    let outcomes = flip_each(&world, &tiny(), last, 4096..end);
    assert_eq!(outcomes.harmless, 0, "{outcomes:?}");
    assert!(outcomes.refused > outcomes.reported && outcomes.reported > 100, "{outcomes:?}");
}

#[test]
fn a_flip_in_unused_space_does_no_harm() {
    let world = synced(tiny(), true);
    let last = segments(&world);
    for segment in 1..=last {
        let end = end_of(&world, segment);
        let outcomes =
            flip_each(&world, &tiny(), segment, (64..4096).step_by(61).chain((end..16 << 10).step_by(7)));
        assert_eq!(outcomes.refused, 0, "segment {segment}: {outcomes:?}");
    }
}

#[test]
fn a_missing_segment_refuses_the_start() {
    let world = synced(tiny(), true);
    let last = segments(&world);
    assert!(last >= 3, "the test needs a first, a middle and a last segment");
    for segment in 1..=last {
        let disk = world.disk.duplicate();
        disk.remove(&format!("{segment:016}.segment")).unwrap();
        match Journal::open(Arc::new(disk), tiny()) {
            Err(LogError::Damaged(damage)) => assert_eq!(damage.segment, segment, "{damage}"),
            Err(e) => panic!("{e}"),
            Ok(_) => panic!("started without segment {segment}"),
        }
    }
}

#[test]
fn an_index_that_is_damaged_or_missing_is_made_again() {
    for damaged in [true, false] {
        let world = synced(tiny(), true);
        let name = format!("{:016}.index", 1);
        if damaged {
            for place in 0..world.disk.contents(&name).unwrap().len() {
                world.disk.flip(&name, place as u64, 3).unwrap();
            }
        } else {
            world.disk.remove(&name).unwrap();
        }
        world.check(&world.journal);
        world.disk.kill();
        let journal = Journal::open(Arc::new(world.disk.clone()), tiny()).unwrap();
        journal.chore_step().unwrap();
        world.check(&journal);
        assert!(journal.extent(PartitionId(1)).is_some());
    }
}
