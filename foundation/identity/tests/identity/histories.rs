//! What holds for every history.

use decalog_runtime::harness::{Plan, prove};

use crate::life::Lives;

#[test]
fn replay_and_snapshots_come_to_the_same_and_everything_is_reached() {
    let report = prove(&mut Lives::with_apps(), Plan { seed: 1, histories: 60, length: 600 });
    assert!(report.events > 5_000, "{report:#?}");
}
