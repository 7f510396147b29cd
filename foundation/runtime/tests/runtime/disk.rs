//! A full disk and a failed sync.

use std::sync::Arc;
use std::sync::mpsc::channel;

use decalog_runtime::{Fatal, Origin, Setup, SubmitError, System};

use crate::ledger::{Command, Reply};
use crate::stand::{PARTITIONS, SYSTEM, Stand, points, until};

#[test]
fn a_full_disk_refuses_commands_keeps_reads_and_recovers() {
    let stand = Stand::new();
    let system = stand.start();
    let partition = system.partition(0);
    let deposit = Command::Deposit { account: 1, points: 1 };
    partition.submit_blocking(Origin::default(), &deposit).unwrap();
    stand.disk.set_capacity(Some(2 << 20));
    let mut taken = 1;
    let error = loop {
        // Wide accounts fill the disk sooner.
        match partition.submit_blocking(Origin::default(), &deposit) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 100_000, "the disk does not fill");
    };
    assert!(matches!(error, SubmitError::DiskFull(_)), "{error}");
    assert_eq!(points(partition, 1), Some(taken), "reads go on, nothing was lost");
    let urgent = Origin { urgent: true, ..Origin::default() };
    let answer =
        partition.submit_blocking(urgent, &Command::Close { account: 9 }).expect("the reserve is for this");
    assert_eq!(answer.reply, Reply::Unknown);
    stand.disk.set_capacity(None);
    until("space is noticed", || partition.submit_blocking(Origin::default(), &deposit).is_ok());
    assert_eq!(points(partition, 1), Some(taken + 1));
    system.shutdown();
    assert_eq!(points(stand.start().partition(0), 1), Some(taken + 1));
}

#[test]
fn a_failed_sync_is_fatal_and_nobody_is_told_success() {
    let stand = Stand::new();
    let (sender, told) = channel();
    let sender = std::sync::Mutex::new(sender);
    let fatal = Arc::new(move |fatal: &Fatal| sender.lock().unwrap().send(fatal.code()).unwrap());
    let system = System::start(Setup { fatal, ..stand.setup() }, SYSTEM, PARTITIONS).unwrap();
    let partition = system.partition(0);
    let deposit = Command::Deposit { account: 1, points: 1 };
    partition.submit_blocking(Origin::default(), &deposit).unwrap();
    stand.disk.fail_sync_after(0);
    let error = partition.submit_blocking(Origin::default(), &deposit).unwrap_err();
    assert!(matches!(error, SubmitError::LogFailed(_)), "{error}");
    assert_eq!(told.recv().unwrap(), "log-failed");
    let error = partition.submit_blocking(Origin::default(), &deposit).unwrap_err();
    assert!(matches!(error, SubmitError::LogFailed(_)), "{error}");
}
