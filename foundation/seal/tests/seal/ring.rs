//! The key ring: what a rotation keeps, what a wrong key or a changed file comes to, and power cuts.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use decalog_seal::{KeyRing, MasterKey, Opener, SealError, Sealer};

pub(crate) fn master(byte: u8) -> MasterKey {
    MasterKey::new([byte; 32])
}

/// A fresh ring in a folder that goes with it.
pub(crate) fn fresh() -> (tempfile::TempDir, PathBuf, Arc<KeyRing>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seal.keys");
    let ring = Arc::new(KeyRing::create(&path, &master(1)).unwrap());
    (folder, path, ring)
}

fn seal(ring: &Arc<KeyRing>, text: &str) -> (u32, Vec<u8>) {
    let mut out = Vec::new();
    let key = Sealer::new(ring.clone(), "test").unwrap().seal(b"here", text.as_bytes(), &mut out).unwrap();
    (key, out)
}

fn open(ring: &Arc<KeyRing>, (key, sealed): &(u32, Vec<u8>)) -> Result<String, SealError> {
    let mut out = Vec::new();
    let plain = Opener::new(ring.clone(), "test").open(*key, b"here", sealed, &mut out)?;
    Ok(String::from_utf8(plain.to_vec()).unwrap())
}

fn reopen(path: &Path, byte: u8) -> Arc<KeyRing> {
    Arc::new(KeyRing::open(path, &master(byte)).unwrap())
}

#[test]
fn a_ring_is_read_back_and_never_made_twice() {
    let (_folder, path, ring) = fresh();
    let sealed = seal(&ring, "word");
    assert_eq!(open(&reopen(&path, 1), &sealed).unwrap(), "word");
    assert!(matches!(KeyRing::create(&path, &master(1)), Err(SealError::Ring { .. })));
    assert!(matches!(KeyRing::open(&path, &master(2)), Err(SealError::WrongMaster { .. })));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_rotation_seals_with_a_new_key_and_keeps_the_old_ones() {
    let (_folder, path, ring) = fresh();
    let running = Sealer::new(ring.clone(), "test").unwrap();
    let first = seal(&ring, "old");
    assert_eq!(ring.rotate(&master(1)).unwrap(), 2);
    let second = seal(&ring, "new");
    assert_eq!((first.0, second.0), (1, 2));
    let mut out = Vec::new();
    assert_eq!(running.seal(b"here", b"x", &mut out).unwrap(), 2, "a sealer that runs goes over");
    let again = reopen(&path, 1);
    assert_eq!((again.active(), again.numbers()), (2, vec![1, 2]));
    for ring in [&ring, &again] {
        assert_eq!(open(ring, &first).unwrap(), "old");
        assert_eq!(open(ring, &second).unwrap(), "new");
    }
    assert!(ring.rotate(&master(9)).is_err(), "a wrong master key adds nothing");
    assert_eq!(reopen(&path, 1).numbers(), [1, 2]);
}

#[test]
fn another_process_sees_a_rotation_once_it_reads_again() {
    let (_folder, path, ring) = fresh();
    let operator = reopen(&path, 1);
    assert_eq!(operator.rotate(&master(1)).unwrap(), 2);
    assert_eq!(ring.active(), 1);
    assert!(matches!(open(&ring, &seal(&operator, "x")), Err(SealError::UnknownKey { key: 2 })));
    assert_eq!(ring.reload(&master(1)).unwrap(), 2);
    assert_eq!(open(&ring, &seal(&operator, "x")).unwrap(), "x");
    // Two that do not know of each other lose nothing.
    assert_eq!(reopen(&path, 1).rotate(&master(1)).unwrap(), 3);
    assert_eq!(ring.rotate(&master(1)).unwrap(), 4);
    assert_eq!(ring.numbers(), [1, 2, 3, 4]);
}

#[test]
fn an_older_or_another_ring_is_not_taken_by_a_reload() {
    let (folder, path, ring) = fresh();
    let before = fs::read(&path).unwrap();
    ring.rotate(&master(1)).unwrap();
    fs::write(&path, before).unwrap();
    assert!(ring.reload(&master(1)).unwrap_err().to_string().contains("key 2"));
    let other = folder.path().join("other");
    KeyRing::create(&other, &master(1)).unwrap().rotate(&master(1)).unwrap();
    fs::rename(&other, &path).unwrap();
    assert!(matches!(ring.reload(&master(1)), Err(SealError::Ring { .. })));
    assert_eq!(ring.active(), 2, "a refused reload changes nothing");
}

#[test]
fn another_master_key_wraps_again_without_touching_data() {
    let (_folder, path, ring) = fresh();
    ring.rotate(&master(1)).unwrap();
    let sealed = seal(&ring, "word");
    ring.rewrap(&master(1), &master(7)).unwrap();
    assert!(matches!(KeyRing::open(&path, &master(1)), Err(SealError::WrongMaster { .. })));
    assert_eq!(open(&reopen(&path, 7), &sealed).unwrap(), "word");
}

/// Each byte of the file matters: changed, cut off or put in, it is noticed.
#[test]
pub(crate) fn a_changed_ring_is_refused() {
    let (_folder, path, ring) = fresh();
    ring.rotate(&master(1)).unwrap();
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&path, &changed).unwrap();
        // A digit's case is not a change of the byte it stands for: bit 0 is flipped here, which always is one.
        let refused = KeyRing::open(&path, &master(1));
        let last = at + 1 == whole.len();
        assert!(refused.is_err() || last, "byte {at} was changed and nobody noticed");
    }
    for length in 0..whole.len() - 1 {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(KeyRing::open(&path, &master(1)).is_err(), "cut at {length}");
    }
    let text = String::from_utf8(whole).unwrap();
    let without: Vec<&str> = text.lines().filter(|line| !line.starts_with("key 2 ")).collect();
    fs::write(&path, without.join("\n")).unwrap();
    let refused = KeyRing::open(&path, &master(1)).unwrap_err().to_string();
    assert!(refused.contains("is not what was written"), "{refused}");
}

#[test]
fn what_an_interrupted_write_leaves_is_no_hindrance() {
    let (_folder, path, ring) = fresh();
    fs::write(path.with_added_extension("unfinished"), "half a r").unwrap();
    assert_eq!(ring.rotate(&master(1)).unwrap(), 2);
    assert_eq!(reopen(&path, 1).numbers(), [1, 2]);
    assert!(!path.with_added_extension("unfinished").exists());
}
