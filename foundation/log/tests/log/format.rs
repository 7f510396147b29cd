//! The bytes of a segment, read by hand as the documented layout says, and held to what released files contain: a
//! journal written today must be read by every later version.

use std::sync::Arc;

use decalog_log::storage::SimDisk;
use decalog_log::{Allowance, BatchBuilder, Durability, Journal, Log, Options, PartitionId};

use crate::witness::{Witness, batch};

const NAME: &str = "0000000000000001.segment";

/// A table, the mark of the start, two batches, a trim, and a mark.
fn written() -> (SimDisk, Vec<u8>) {
    let disk = SimDisk::new();
    let journal =
        Journal::open(Arc::new(disk.clone()), Options { salt: Some(7), ..Options::small() }).unwrap();
    let partition = PartitionId(0x0203_0405);
    journal.open(partition, Durability::Fsync, Witness::new()).unwrap();
    journal.append(partition, 0, &batch(partition, 0, 3), Allowance::Ordinary).unwrap();
    journal.sync_step().unwrap();
    let mut second = BatchBuilder::new();
    second.push(b"the last record").unwrap();
    second.set_context(*b"twenty-four context byte");
    journal.append(partition, 3, &second, Allowance::Ordinary).unwrap();
    journal.trim(partition, 2).unwrap();
    journal.chore_step().unwrap();
    journal.sync_step().unwrap();
    journal.mark_step().unwrap();
    let bytes = disk.contents(NAME).unwrap();
    (disk, bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

#[test]
fn a_segment_has_the_documented_layout() {
    let (_, bytes) = written();
    assert_eq!(bytes.len(), 64 << 10);
    assert_eq!(&bytes[4..8], b"dseg");
    assert_eq!(u32_at(&bytes, 0), crc32c::crc32c(&bytes[4..64]));
    assert_eq!((u64_at(&bytes, 16), u64_at(&bytes, 24)), (1, 64 << 10));
    let seed = crc32c::crc32c(&bytes[32..40]);
    let mut at = 4096;
    let mut kinds = Vec::new();
    let mut durable_before = 0;
    while bytes[at + 4..at + 8] == *b"dfrm" {
        let length = usize::try_from(u32_at(&bytes, at + 88)).unwrap();
        let padded = length.next_multiple_of(8);
        assert_eq!(u32_at(&bytes, at), crc32c::crc32c_append(seed, &bytes[at + 4..at + 96]));
        assert_eq!(u32_at(&bytes, at + 92), crc32c::crc32c(&bytes[at + 96..at + 96 + padded]));
        assert_eq!((u64_at(&bytes, at + 16), u64_at(&bytes, at + 24)), (1, at as u64));
        let durable = u64_at(&bytes, at + 40);
        assert!(durable_before <= durable && durable <= at as u64);
        durable_before = durable;
        kinds.push(bytes[at + 10]);
        if bytes[at + 10] == 1 && u64_at(&bytes, at + 56) == 3 {
            assert_eq!((u32_at(&bytes, at + 48), u32_at(&bytes, at + 52)), (0x0203_0405, 1));
            assert_eq!(&bytes[at + 64..at + 88], b"twenty-four context byte");
            assert_eq!((u32_at(&bytes, at + 96), length), (15, 19));
            assert_eq!(&bytes[at + 100..at + 115], b"the last record");
        }
        at += 96 + padded;
    }
    assert_eq!(kinds, [3, 2, 1, 1, 4, 2], "table, mark, batch, batch, trim, mark");
    assert!(bytes[at..].iter().all(|byte| *byte == 0));
}

#[test]
fn the_bytes_of_a_released_version_do_not_change() {
    let (_, bytes) = written();
    assert_eq!(
        crc32c::crc32c(&bytes),
        0x66E1_368E,
        "a new layout needs a new version, and the old one its reader"
    );
}

#[test]
fn an_unknown_version_is_refused_by_name() {
    let (disk, mut bytes) = written();
    bytes[8] = 9;
    let checksum = crc32c::crc32c(&bytes[4..64]);
    disk.overwrite(NAME, 0, &checksum.to_le_bytes()).unwrap();
    disk.overwrite(NAME, 8, &[9]).unwrap();
    disk.kill();
    let error = Journal::open(Arc::new(disk), Options::small()).err().unwrap().to_string();
    assert!(error.contains("a version that this program does not know"), "{error}");
}
