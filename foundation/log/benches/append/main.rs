//! What an append costs, as ratios of runs that alternate: one submitter beside a bare write and `fdatasync` loop,
//! 512 submitters at `fsync` beside `os`, ten partitions beside one, a sealed log beside an
//! unsealed one.
//!
//! A **submitter** has one record outstanding: it puts 64 bytes into the queue of its partition's owner, and the next
//! once it is answered. Two threads carry all submitters, however many partitions there are. An **owner** is a thread
//! that takes what waits, appends it as one batch, and answers each submitter when the batch is durable, as the
//! runtime's apply thread does; while a batch is being synced it writes the next.
//!
//! `cargo bench -p decalog-log` runs it; `DIR=/some/disk` chooses where.

mod owner;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use decalog_log::{Durability, EmbeddedLog, Options};
use decalog_seal::{KeyRing, MasterKey};

/// Alternations of each pair.
const ROUNDS: usize = 5;
/// Appends in a round of one submitter.
const SINGLE: usize = 500;
/// How long many submitters run in a round.
const CROWD: Duration = Duration::from_millis(500);
/// The bytes of a frame that holds one record of 64 bytes.
const FRAME_BYTES: usize = 168;

fn main() {
    let root = std::env::var("DIR").map_or_else(|_| std::env::temp_dir(), Into::into);
    let directory = tempfile::tempdir_in(root).expect("a directory for the logs");
    let log = EmbeddedLog::open(&directory.path().join("log"), Options::default()).expect("the log opens");
    single(&log, directory.path());
    crowd(&log);
    append_alone(&log);
    sealed(directory.path());
}

/// One submitter's p50 beside a bare loop's.
fn single(log: &EmbeddedLog, directory: &Path) {
    let bare = zeroed_file(&directory.join("bare"));
    let mut bare_position = 0;
    let (mut bare_times, mut log_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for _ in 0..SINGLE {
            let begun = Instant::now();
            bare.write_all_at(&[1; FRAME_BYTES], bare_position).expect("the bare loop writes");
            rustix::fs::fdatasync(&bare).expect("the bare loop syncs");
            bare_times.push(begun.elapsed());
            bare_position += FRAME_BYTES as u64;
        }
        log_times.extend(owner::alone(log, 1, Durability::Fsync, SINGLE));
    }
    let (bare, log) = (median(&mut bare_times), median(&mut log_times));
    println!("one submitter, fsync: p50 {log:?}, bare loop {bare:?}, ratio {:.2}", ratio(log, bare));
}

/// The rates of 512 submitters.
fn crowd(log: &EmbeddedLog) {
    let run = |first, partitions, durability| owner::crowd(log, first, partitions, 512, durability, CROWD);
    let (mut fsync, mut os, mut ten) = (0.0, 0.0, 0.0);
    for _ in 0..ROUNDS {
        fsync += run(100, 1, Durability::Fsync);
        os += run(200, 1, Durability::Os);
        ten += run(300, 10, Durability::Fsync);
    }
    let rounds = ROUNDS as f64;
    println!(
        "512 submitters, fsync: {:.0}/s, os {:.0}/s, ratio {:.2}",
        fsync / rounds,
        os / rounds,
        fsync / os
    );
    println!(
        "512 submitters, ten partitions: {:.0}/s, one {:.0}/s, ratio {:.2}",
        ten / rounds,
        fsync / rounds,
        ten / fsync
    );
}

/// What the call itself takes at `os`.
fn append_alone(log: &EmbeddedLog) {
    let mut times = owner::alone(log, 400, Durability::Os, 100_000);
    println!("append at os, one record of 64 bytes: p50 {:?}", median(&mut times));
}

/// What sealing costs: a call with one small record, and the rate of 512 submitters, beside the same log unsealed; at
/// `os`, where no device hides it.
fn sealed(directory: &Path) {
    let ring = KeyRing::create(&directory.join("seal.keys"), &MasterKey::new([1; 32])).expect("a key ring");
    let open = |name: &str, seal| {
        EmbeddedLog::open(&directory.join(name), Options { seal, ..Options::default() }).expect("a log")
    };
    let (plain, sealed) = (open("plain", None), open("sealed", Some(Arc::new(ring))));
    let (mut plain_times, mut sealed_times) = (Vec::new(), Vec::new());
    let (mut plain_rate, mut sealed_rate) = (0.0, 0.0);
    for _ in 0..ROUNDS {
        plain_times.extend(owner::alone(&plain, 1, Durability::Os, 20_000));
        sealed_times.extend(owner::alone(&sealed, 1, Durability::Os, 20_000));
        plain_rate += owner::crowd(&plain, 100, 1, 512, Durability::Os, CROWD);
        sealed_rate += owner::crowd(&sealed, 100, 1, 512, Durability::Os, CROWD);
    }
    let (p, s) = (median(&mut plain_times), median(&mut sealed_times));
    println!("append at os, sealed: p50 {s:?}, unsealed {p:?}, ratio {:.2}", ratio(s, p));
    let (p, s) = (plain_rate / ROUNDS as f64, sealed_rate / ROUNDS as f64);
    println!("512 submitters, os, sealed: {s:.0}/s, unsealed {p:.0}/s, ratio {:.2}", s / p);
}

/// A file of zeroes that were written, as a segment is.
fn zeroed_file(path: &Path) -> File {
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).expect("the bare file");
    for step in 0..16 {
        file.write_all_at(&[0; 1 << 20], step << 20).expect("zeroes");
    }
    file.sync_all().expect("zeroes on the device");
    file
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}
