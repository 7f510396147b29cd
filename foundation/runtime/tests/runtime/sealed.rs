//! Encryption at rest: what was submitted is found in no file of a sealed data directory, and is served all the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use decalog_log::{EmbeddedLog, Options};
use decalog_runtime::store::{FolderStore, Store as _};
use decalog_runtime::{Address, Config, Origin, Setup, StartError, System};
use decalog_seal::{KeyRing, MasterKey};

use crate::ledger::{Command, Ledger};
use crate::stand::{Stand, points, until};

/// An account whose number reads as a word in the bytes of a file, in either order.
pub(crate) const WORD: &[u8; 8] = b"treasure";
const SYSTEM: u16 = 7;

fn master() -> MasterKey {
    MasterKey::new([5; 32])
}

pub(crate) fn account() -> u64 {
    u64::from_le_bytes(*WORD)
}

/// A data directory as a server's.
struct Data {
    folder: tempfile::TempDir,
    stand: Stand,
}

impl Data {
    fn new() -> Data {
        let mut stand = Stand::new();
        stand.config = Config { snapshot_every: 50, ..stand.config };
        Data { folder: tempfile::tempdir().unwrap(), stand }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn keys(&self) -> Arc<KeyRing> {
        let path = self.path("seal.keys");
        let ring =
            if path.exists() { KeyRing::open(&path, &master()) } else { KeyRing::create(&path, &master()) };
        Arc::new(ring.unwrap())
    }

    fn start(&self, keys: Option<Arc<KeyRing>>) -> Result<System<Ledger>, StartError> {
        let options = Options { seal: keys.clone(), ..Options::small() };
        let log = Arc::new(EmbeddedLog::open(&self.path("journal"), options).unwrap());
        let setup = Setup {
            store: Arc::new(FolderStore::new(self.path("snapshots")).with_keys(keys.clone())),
            journal: Some(self.path("events")),
            seal: keys,
            ..self.stand.setup_on(log)
        };
        System::start(setup, SYSTEM, 1)
    }

    /// Deposits until there is a snapshot, stops in order; the files that hold the word.
    fn fill(&self, keys: Option<Arc<KeyRing>>) -> Vec<PathBuf> {
        let system = self.start(keys).unwrap();
        for _ in 0..120 {
            let command = Command::Deposit { account: account(), points: 1 };
            system.partition(0).submit_blocking(Origin::default(), &command).unwrap();
        }
        let store = FolderStore::new(self.path("snapshots"));
        until("a snapshot", || !store.list("p00070000/snapshot-").unwrap().is_empty());
        assert!(system.partition(0).event(Address::of_record(60)).unwrap().is_some());
        system.shutdown();
        let mut found = Vec::new();
        search(self.folder.path(), &mut found);
        found
    }
}

/// The files that hold the word. One may be removed meanwhile.
pub(crate) fn search(folder: &Path, found: &mut Vec<PathBuf>) {
    let backwards: Vec<u8> = WORD.iter().rev().copied().collect();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, found);
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            if bytes.windows(WORD.len()).any(|window| window == WORD || window == backwards) {
                found.push(path);
            }
        }
    }
}

#[test]
fn what_was_submitted_is_found_in_no_file_of_a_sealed_directory() {
    let open = Data::new();
    let found = open.fill(None);
    for part in ["journal", "snapshots", "events"] {
        let there = found.iter().any(|path| path.starts_with(open.path(part)));
        assert!(there, "the search would not have found it in {part}: {found:?}");
    }
    let sealed = Data::new();
    assert_eq!(sealed.fill(Some(sealed.keys())), Vec::<PathBuf>::new());
    let system = sealed.start(Some(sealed.keys())).unwrap();
    assert_eq!(points(system.partition(0), account()), Some(120));
    assert!(system.partition(0).event(Address::of_record(3)).unwrap().is_some());
}

#[test]
fn a_start_needs_the_keys_and_survives_their_rotation() {
    let data = Data::new();
    data.fill(Some(data.keys()));
    let refused = data.start(None).err().expect("a start without keys").to_string();
    assert!(refused.contains("key 1, and no key is configured"), "{refused}");
    data.keys().rotate(&master()).unwrap();
    data.fill(Some(data.keys()));
    let system = data.start(Some(data.keys())).unwrap();
    assert_eq!(points(system.partition(0), account()), Some(240));
    drop(system);
    let elsewhere = Data::new();
    let refused = data.start(Some(elsewhere.keys())).err().expect("a start with other keys").to_string();
    assert!(refused.contains("does not hold") || refused.contains("does not fit"), "{refused}");
}

/// A snapshot that was changed is left aside for the one before, as a damaged one is.
#[test]
fn a_forged_snapshot_is_not_used() {
    let data = Data::new();
    data.fill(Some(data.keys()));
    let folder = data.path("snapshots").join("p00070000");
    let newest = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&newest, bytes).unwrap();
    let system = data.start(Some(data.keys())).unwrap();
    assert_eq!(points(system.partition(0), account()), Some(120));
}

#[test]
fn an_object_opens_under_its_own_name_only() {
    let data = Data::new();
    let store = FolderStore::new(data.path("objects")).with_keys(Some(data.keys()));
    store.put("a", &mut |out| out.write_all(b"of a")).unwrap();
    let mut text = String::new();
    store.get("a").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "of a");
    fs::copy(data.path("objects/a"), data.path("objects/b")).unwrap();
    assert!(store.get("b").and_then(|mut moved| moved.read_to_string(&mut text)).is_err());
    FolderStore::new(data.path("objects")).put("c", &mut |out| out.write_all(b"open")).unwrap();
    let refused = store.get("c").err().expect("an object that is not sealed").to_string();
    assert!(refused.contains("it is not sealed"), "{refused}");
    let ring = KeyRing::open(&data.path("seal.keys"), &master()).unwrap().accepting_unsealed();
    let lenient = FolderStore::new(data.path("objects")).with_keys(Some(Arc::new(ring)));
    assert!(lenient.get("c").is_ok());
}
