//! Appending costs no allocation once the log runs: the latency-bound path depends on it.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use decalog_log::{Allowance, BatchBuilder, Durability, EmbeddedLog, Log, Options, PartitionId};

use crate::witness::Witness;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // During a thread's end there is nothing to count in any more.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn an_append_does_not_allocate() {
    appends_do_not_allocate(Options { segment_bytes: 16 << 20, ..Options::small() });
}

#[test]
fn a_sealed_append_does_not_allocate() {
    let seal = Some(crate::sealed::ring());
    appends_do_not_allocate(Options { segment_bytes: 16 << 20, seal, ..Options::small() });
}

fn appends_do_not_allocate(options: Options) {
    let directory = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(directory.path(), options).unwrap();
    let partition = PartitionId(1);
    log.open(partition, Durability::Os, Witness::new()).unwrap();
    let mut batch = BatchBuilder::new();
    let mut next = 0;
    let mut appends = |count: u64| {
        let before = ALLOCATIONS.get();
        for _ in 0..count {
            batch.clear();
            batch.push(&[5; 64]).unwrap();
            next = log.append(partition, next, &batch, Allowance::Ordinary).unwrap().next;
        }
        ALLOCATIONS.get() - before
    };
    // All in one segment, whose index doubles its room three times on the way.
    appends(10_000);
    let allocations = appends(50_000);
    assert!(allocations <= 3, "{allocations} allocations in 50,000 appends");
}
