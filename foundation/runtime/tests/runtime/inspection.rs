//! `line` and `verify`, as `decalog log cat` and `decalog log verify` use them.

use std::sync::Arc;

use decalog_runtime::inspect::{Verified, VerifyError, line, verify};
use decalog_runtime::{Config, Make, Origin, partition_id};

use crate::ledger::{Command, Ledger};
use crate::stand::{NOON, SYSTEM, Stand};

fn lived() -> Stand {
    let mut stand = Stand::new();
    stand.config = Config { keep_snapshots: 3, ..stand.config };
    let system = stand.start();
    let partition = system.partition(0);
    for sequence in 0..40 {
        let origin = Origin { principal: 9, client: 5, sequence, bucket: 77, urgent: false };
        partition.submit_blocking(origin, &Command::Deposit { account: sequence % 3, points: 2 }).unwrap();
        if sequence == 20 {
            partition.snapshot_blocking().unwrap();
        }
    }
    system.shutdown();
    stand
}

/// Verifies with a machine that answers otherwise from the start.
pub(crate) fn verify_skewed(skew: u64) -> Result<Verified, VerifyError> {
    let stand = lived();
    let make: Make<Ledger> = Arc::new(move |_| {
        let mut ledger = Ledger::default();
        ledger.skew = skew;
        ledger
    });
    // Without the snapshot: only the digests in batch headers can tell.
    let store = decalog_runtime::store::MemoryStore::new();
    verify(&*stand.log(), &store, partition_id(SYSTEM, 0), &make)
}

#[test]
fn a_sound_log_verifies_with_its_snapshots() {
    let stand = lived();
    let make: Make<Ledger> = Arc::new(|_| Ledger::default());
    let verified = verify(&*stand.log(), &stand.store, partition_id(SYSTEM, 0), &make).unwrap();
    assert_eq!((verified.from, verified.upto, &verified.snapshots[..]), (0, 40, &[21][..]));
    assert!(verified.compared >= 39, "{verified:?}");
}

#[test]
fn the_first_difference_is_named() {
    assert!(verify_skewed(0).is_ok());
    match verify_skewed(1) {
        Err(VerifyError::Diverged(divergence)) => assert_eq!((divergence.after, divergence.upto), (0, 1)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn records_are_described() {
    let stand = lived();
    let log = stand.log();
    let mut reader = log.read(partition_id(SYSTEM, 0), 0).unwrap();
    let batch = reader.next().unwrap().expect("a batch");
    let (offset, record) = batch.records().next().expect("a record");
    let line = line(offset, record).unwrap();
    assert_eq!((line.what, line.bucket, line.principal, line.client), ("command", 77, 9, 5));
    assert_eq!((line.stamp, line.kind, line.version, line.rules), (NOON.0, 1, 1, 1));
    assert!(line.to_string().starts_with(&format!("0 {} command 1v1 rules 1", NOON.0)), "{line}");
    assert!(decalog_runtime::inspect::line(0, &record[..20]).is_err());
}
