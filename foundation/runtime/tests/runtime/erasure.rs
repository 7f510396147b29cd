//! The erasure ledger.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use decalog_runtime::erasure::{ErasureError, Erasures, Tape};
use decalog_runtime::{Origin, Timestamp};

use crate::ledger::{Command, Ledger};
use crate::stand::{NOON, Stand, points};

/// A tape that a power cut takes back to its last sync.
#[derive(Clone, Default)]
struct Lossy(Arc<Mutex<(Vec<u8>, usize)>>);

impl Lossy {
    fn crash(&self) {
        let mut tape = self.0.lock().unwrap();
        let synced = tape.1;
        tape.0.truncate(synced);
    }
}

impl Tape for Lossy {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.0.lock().unwrap().0.clone())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.lock().unwrap().0.truncate(usize::try_from(length).unwrap());
        self.sync()
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().0.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut tape = self.0.lock().unwrap();
        tape.1 = tape.0.len();
        Ok(())
    }
}

#[test]
pub(crate) fn what_is_recorded_survives_a_power_cut() {
    let tape = Lossy::default();
    let open = || Erasures::on(Path::new("a tape"), tape.clone()).unwrap();
    let ledger = open();
    for id in [7, 8, 7] {
        ledger.record::<Ledger>(id, NOON).unwrap();
        tape.crash();
    }
    assert_eq!(open().of::<Ledger>(), [(7, 1_700_000_000), (8, 1_700_000_000)]);
}

#[test]
fn a_torn_line_is_cut_off_and_damage_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("below/erasures");
    let open = || Erasures::open(&path);
    for id in [1, u64::MAX] {
        open().unwrap().record::<Ledger>(id, Timestamp(-1)).unwrap();
    }
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.iter().filter(|byte| **byte == b'\n').count(), 2);
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let known = open().unwrap().of::<Ledger>();
        let lines = whole[..length].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(known.len(), lines, "cut at {length}");
        open().unwrap().record::<Ledger>(5, NOON).unwrap();
        assert_eq!(open().unwrap().of::<Ledger>().len(), lines + 1);
    }
    let mut damaged = whole.clone();
    damaged[3] ^= 1;
    fs::write(&path, &damaged).unwrap();
    let error = open().err().expect("the first of two lines is damaged");
    assert!(matches!(error, ErasureError::Damaged { line: 1, .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), damaged, "nothing was changed");
}

#[test]
pub(crate) fn what_a_backup_brings_back_is_erased_before_anything_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let erasures = Erasures::open(&folder.path().join("erasures")).unwrap();
    // The ledger knows of an erasure that this log has not seen: it is older.
    erasures.record::<Ledger>(1, NOON).unwrap();
    erasures.record::<Ledger>(9, NOON).unwrap();
    let stand = Stand::new();
    let system = stand.start();
    for account in 1..=2 {
        let deposit = Command::Deposit { account, points: 3 };
        system.partition(0).submit_blocking(Origin::default(), &deposit).unwrap();
    }
    system.shutdown();
    let system = stand.start();
    assert_eq!(erasures.repeat(system.partition(0)).unwrap(), 1);
    assert_eq!((points(system.partition(0), 1), points(system.partition(0), 2)), (None, Some(3)));
    assert_eq!(erasures.repeat(system.partition(0)).unwrap(), 0, "once is enough");
}
