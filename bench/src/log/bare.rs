//! The control of the log's fsync claim: append and `fdatasync`, nothing else, on a zero-filled preallocated file.
//! Preallocated, because growing a file costs a metadata write per sync that a serious log avoids too.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;

use crate::sample::{Latencies, Until};

/// How much is written ahead with zeroes; the loop starts over when it reaches the end.
const PREALLOCATED: u64 = 32 << 20;

/// Creates a file of zeroes that are on the device.
pub(crate) fn preallocated(path: &Path) -> anyhow::Result<File> {
    let open = || -> std::io::Result<File> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        let zeroes = vec![0; 1 << 20];
        for at in (0..PREALLOCATED).step_by(zeroes.len()) {
            file.write_all_at(&zeroes, at)?;
        }
        file.sync_all()?;
        Ok(file)
    };
    open().with_context(|| format!("cannot preallocate {}", path.display()))
}

/// Appends records of `length` bytes, each with its `fdatasync`, until the time is over.
pub(crate) fn append_loop(file: &File, length: usize, until: Until) -> anyhow::Result<Latencies> {
    let record = vec![0xA5; length];
    let step = u64::try_from(length)?;
    let mut latencies = Latencies::with_capacity(1 << 16);
    let mut at = 0;
    while !until.over() {
        let start = Instant::now();
        file.write_all_at(&record, at)?;
        file.sync_data()?;
        latencies.record(start.elapsed());
        at += step;
        if at + step > PREALLOCATED {
            at = 0;
        }
    }
    Ok(latencies)
}
