//! Sealing: what is written cannot be read without its key, and is refused when anybody but the log has written it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use decalog_log::inspect::Inspection;
use decalog_log::storage::{SimDisk, Storage as _, Survival};
use decalog_log::{
    Allowance, BatchBuilder, Durability, EmbeddedLog, Journal, Log, LogError, Options, PartitionId,
};
use decalog_seal::{KeyRing, MasterKey, SealError};

use crate::crash::tiny;
use crate::witness::{Witness, batch, eventually};
use crate::{crash, damage};

const A: PartitionId = PartitionId(1);
const SECRET: &[u8] = b"the password of the treasurer";

pub(crate) fn master() -> MasterKey {
    MasterKey::new([3; 32])
}

/// A ring, and its file in a folder that goes with it.
fn ring_file() -> (tempfile::TempDir, PathBuf, Arc<KeyRing>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring");
    let ring = Arc::new(KeyRing::create(&path, &master()).unwrap());
    (folder, path, ring)
}

/// A ring whose file is gone: the log needs the keys only.
pub(crate) fn ring() -> Arc<KeyRing> {
    ring_file().2
}

fn sealed(options: Options, ring: &Arc<KeyRing>) -> Options {
    Options { seal: Some(ring.clone()), ..options }
}

fn start(disk: &SimDisk, options: Options) -> Journal {
    Journal::open(Arc::new(disk.clone()), options).unwrap()
}

fn append(log: &dyn Log, first: u64, text: &[u8]) {
    let mut one = BatchBuilder::new();
    one.push(text).unwrap();
    log.append(A, first, &one, Allowance::Ordinary).unwrap();
}

/// The first error of a reader of everything.
fn read_error(log: &dyn Log) -> LogError {
    let mut reader = log.read(A, 0).unwrap();
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("everything was read"),
            Err(error) => return error,
        }
    }
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

fn segment(disk: &SimDisk) -> Vec<u8> {
    disk.contents("0000000000000001.segment").unwrap()
}

/// A journal with one secret, written and closed in order.
fn with_a_secret(options: Options) -> SimDisk {
    let disk = SimDisk::new();
    let journal = start(&disk, options);
    journal.open(A, Durability::Fsync, Witness::new()).unwrap();
    append(&journal, 0, SECRET);
    journal.sync_step().unwrap();
    journal.mark_step().unwrap();
    disk
}

#[test]
fn what_is_submitted_is_found_on_the_disk_only_when_nothing_seals_it() {
    let ring = ring();
    assert!(holds(&segment(&with_a_secret(tiny())), SECRET));
    let disk = with_a_secret(sealed(tiny(), &ring));
    for name in disk.list().unwrap() {
        assert!(!holds(&disk.contents(&name).unwrap(), SECRET), "{name}");
    }
    let journal = start(&disk, sealed(tiny(), &ring));
    let mut reader = journal.read(A, 0).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().records().next(), Some((0, SECRET)));
}

#[test]
fn a_missing_or_wrong_key_names_segment_and_key() {
    let (_folder, path, ring) = ring_file();
    let disk = with_a_secret(sealed(tiny(), &ring));
    let without = read_error(&start(&disk, tiny()));
    assert!(without.to_string().contains("segment 1 at byte"), "{without}");
    assert!(without.to_string().contains("key 1, and no key is configured"), "{without}");
    let wrong = read_error(&start(&disk, sealed(tiny(), &self::ring())));
    let broken = matches!(&wrong, LogError::Sealed { segment: 1, source: SealError::Broken { key: 1 }, .. });
    assert!(broken, "{wrong}");
    let more = Arc::new(KeyRing::open(&path, &master()).unwrap());
    more.rotate(&master()).unwrap();
    let journal = start(&disk, sealed(tiny(), &more));
    journal.open(A, Durability::Fsync, Witness::new()).unwrap();
    append(&journal, 1, b"under the second key");
    journal.sync_step().unwrap();
    assert_eq!(read_all(&journal), 2, "with both keys everything is read");
    let unknown = read_error(&start(&disk.duplicate(), sealed(tiny(), &ring)));
    let unknown_key = matches!(&unknown, LogError::Sealed { source: SealError::UnknownKey { key: 2 }, .. });
    assert!(unknown_key, "{unknown}");
}

/// Batches of the partition.
fn read_all(log: &dyn Log) -> usize {
    let mut reader = log.read(A, 0).unwrap();
    let mut count = 0;
    while reader.next().unwrap().is_some() {
        count += 1;
    }
    count
}

#[test]
fn a_rotation_while_it_runs_seals_what_comes_after() {
    let (_folder, path, ring) = ring_file();
    let directory = tempfile::tempdir().unwrap();
    let options = sealed(Options::small(), &ring);
    let log = EmbeddedLog::open(directory.path(), options.clone()).unwrap();
    log.open(A, Durability::Fsync, Witness::new()).unwrap();
    for first in 0..50 {
        append(&log, first, b"a record");
        if first % 10 == 9 {
            // An operator's process, and the server that reads the ring again.
            KeyRing::open(&path, &master()).unwrap().rotate(&master()).unwrap();
            ring.reload(&master()).unwrap();
        }
    }
    eventually("all is durable", || log.extent(A).is_some_and(|extent| extent.durable == 50));
    assert_eq!(read_all(&log), 50);
    drop(log);
    let keys: Vec<u32> = frames(&std::fs::read(directory.path().join("0000000000000001.segment")).unwrap())
        .iter()
        .filter(|frame| frame[10] == 1)
        .map(|frame| u32::from_le_bytes(frame[12..16].try_into().unwrap()))
        .collect();
    let expected: Vec<u32> = (0..50).map(|first| 1 + first / 10).collect();
    assert_eq!(keys, expected);
    assert_eq!(read_all(&EmbeddedLog::open(directory.path(), options).unwrap()), 50);
}

/// The frames of a segment.
fn frames(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut found) = (&bytes[4096..], Vec::new());
    while let Some(frame) = rest.get(..96).filter(|frame| frame[4..8] == *b"dfrm") {
        let payload = u32::from_le_bytes(frame[88..92].try_into().unwrap()) as usize;
        let (whole, after) = rest.split_at(96 + payload.next_multiple_of(8));
        found.push(whole);
        rest = after;
    }
    found
}

/// The same bytes at the same place of the same segment, after a power cut took the first ones: another nonce. One
/// made from the place would be used twice here.
#[test]
fn a_place_that_is_written_again_is_sealed_with_another_nonce() {
    let ring = ring();
    let disk = SimDisk::new();
    let mut seen = Vec::new();
    for round in 0..20 {
        let journal = start(&disk, sealed(tiny(), &ring));
        journal.open(A, Durability::Fsync, Witness::new()).unwrap();
        assert_eq!(journal.extent(A).unwrap().next, 0, "round {round}: the cut took the batch before");
        append(&journal, 0, SECRET);
        let bytes = segment(&disk);
        let written = frames(&bytes).into_iter().rfind(|frame| frame[10] == 1).unwrap().to_vec();
        let place = u64::from_le_bytes(written[24..32].try_into().unwrap());
        let nonce = written[96..96 + 24].to_vec();
        assert!(seen.iter().all(|(_, other)| *other != nonce), "round {round}: the nonce was used before");
        seen.push((place, nonce));
        // What the next start writes at its beginning stands at the same place each time, so this batch does too.
        drop(journal);
        disk.crash(Survival::Nothing);
    }
    let again = seen.iter().filter(|(place, _)| *place == seen[0].0).count();
    assert!(again > 1, "no place was written twice: {seen:?}");
}

/// Writes a frame's checksums again, as who has no key can.
fn forge(bytes: &mut [u8], at: usize) {
    let salt: [u8; 8] = bytes[32..40].try_into().unwrap();
    let length = u32::from_le_bytes(bytes[at + 88..at + 92].try_into().unwrap()) as usize;
    let payload = crc32c::crc32c(&bytes[at + 96..at + 96 + length.next_multiple_of(8)]);
    bytes[at + 92..at + 96].copy_from_slice(&payload.to_le_bytes());
    let header = crc32c::crc32c_append(crc32c::crc32c(&salt), &bytes[at + 4..at + 96]);
    bytes[at..at + 4].copy_from_slice(&header.to_le_bytes());
}

/// Who has no key can make the checksums fit, and is noticed all the same: by the tag.
#[test]
pub(crate) fn forged_batches_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let ring = ring();
    let options = sealed(Options::small(), &ring);
    let log = EmbeddedLog::open(directory.path(), options.clone()).unwrap();
    log.open(A, Durability::Fsync, Witness::new()).unwrap();
    append(&log, 0, b"pay 100 to alice");
    drop(log);
    let path = directory.path().join("0000000000000001.segment");
    let whole = std::fs::read(&path).unwrap();
    let found = frames(&whole);
    let batch = found.iter().position(|frame| frame[10] == 1).unwrap();
    let at = 4096 + found[..batch].iter().map(|frame| frame.len()).sum::<usize>();
    // A flipped bit of the record, another offset, another context, another key, and no seal at all.
    type Change = fn(&mut [u8]);
    let changes: [(&str, Change); 4] = [
        ("a record", |frame| frame[96 + 24 + 8] ^= 1),
        ("the context", |frame| frame[64] ^= 1),
        ("the partition", |frame| frame[48] = 9),
        ("the key", |frame| frame[12] = 2),
    ];
    for (what, change) in changes {
        let mut bytes = whole.clone();
        change(&mut bytes[at..]);
        forge(&mut bytes, at);
        std::fs::write(&path, &bytes).unwrap();
        assert!(is_sound(directory.path()), "{what}: the checksums fit");
        let _ = std::fs::remove_file(directory.path().join("0000000000000001.index"));
        let refused = refuses(directory.path(), &options);
        assert!(refused, "{what} was forged and nobody noticed");
        std::fs::write(&path, &whole).unwrap();
    }
    let log = EmbeddedLog::open(directory.path(), options).unwrap();
    assert_eq!(read_all(&log), 1);
}

fn is_sound(directory: &Path) -> bool {
    Inspection::directory(directory).unwrap().verify().unwrap().is_sound()
}

/// Does a reader of any partition end with a seal that does not fit?
fn refuses(directory: &Path, options: &Options) -> bool {
    let log = EmbeddedLog::open(directory, options.clone()).unwrap();
    let mut refused = false;
    for partition in log.partitions() {
        let mut reader = log.read(partition, log.extent(partition).unwrap().first).unwrap();
        loop {
            match reader.next() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(LogError::Sealed { .. }) => {
                    refused = true;
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    refused
}

#[test]
fn what_is_not_sealed_is_taken_only_when_that_is_allowed() {
    let (_folder, path, ring) = ring_file();
    let disk = with_a_secret(tiny());
    let refused = read_error(&start(&disk, sealed(tiny(), &ring)));
    assert!(matches!(refused, LogError::Sealed { source: SealError::Unsealed, .. }), "{refused}");
    let lenient = Arc::new(KeyRing::open(&path, &master()).unwrap().accepting_unsealed());
    let journal = start(&disk, sealed(tiny(), &lenient));
    journal.open(A, Durability::Fsync, Witness::new()).unwrap();
    append(&journal, 1, b"from here on it is sealed");
    journal.sync_step().unwrap();
    assert_eq!(read_all(&journal), 2);
    assert!(!holds(&segment(&disk), b"from here on"));
}

#[test]
fn a_sealed_journal_is_verified_without_keys_and_shown_with_them() {
    let ring = ring();
    let directory = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(directory.path(), sealed(Options::small(), &ring)).unwrap();
    log.open(A, Durability::Fsync, Witness::new()).unwrap();
    for first in 0..200 {
        log.append(A, first * 7, &batch(A, first * 7, 7), Allowance::Ordinary).unwrap();
    }
    drop(log);
    let found = Inspection::directory(directory.path()).unwrap().verify().unwrap();
    assert!(found.is_sound());
    assert_eq!((found.batches, found.records), (200, 1400));
    let cat = |keys| Inspection::directory(directory.path()).unwrap().with_keys(keys).cat(A, 0).unwrap();
    let refused = cat(None).next_batch().unwrap_err();
    assert!(matches!(refused, LogError::Sealed { source: SealError::NoKeys { key: 1 }, .. }), "{refused}");
    let (mut shown, mut records) = (cat(Some(ring)), 0);
    while let Some(batch) = shown.next_batch().unwrap() {
        records += batch.count();
    }
    assert_eq!(records, 1400);
}

#[test]
fn a_sealed_journal_survives_power_cuts_and_finds_damage_like_an_open_one() {
    crash::scattered_crashes_lose_nothing_acknowledged(sealed(tiny(), &ring()));
    crash::every_cut_of_unsynced_bytes_leaves_a_prefix(sealed(tiny(), &ring()));
    damage::every_flip_of_a_marked_byte_refuses_the_start(sealed(tiny(), &ring()));
}

/// A log that was closed in order and opened again without its keys lost nothing: they are only needed to read.
#[test]
fn a_start_without_keys_harms_nothing() {
    let ring = ring();
    let disk = with_a_secret(sealed(tiny(), &ring));
    drop(start(&disk, tiny()));
    let journal = start(&disk, sealed(tiny(), &ring));
    journal.open(A, Durability::Fsync, Witness::new()).unwrap();
    assert_eq!(read_all(&journal), 1);
}
