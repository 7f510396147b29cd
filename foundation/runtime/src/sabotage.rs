//! Negative controls: each guarantee can be taken out, to show that the test which guards it fails without it.
//!
//! Only with the `sabotage` feature, which no product build has; then, per thread and off until asked for.

/// A guarantee that can be taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Messages to other partitions leave before their source is on the device.
    Sync,
    /// Repeats of a client's command are applied again.
    DedupeWindow,
    /// Deadlines do not fire before the record that follows them.
    DeadlineRule,
    /// Digests in batch headers are not compared.
    DigestCompare,
    /// Tables get what the log can still lose.
    TableSync,
    /// Snapshots, log and event journal are forgotten by count and size only.
    Aging,
    /// The erasure ledger is not synced.
    ErasureSync,
    /// What was erased after a backup is not erased again.
    ErasureRepeat,
    /// Messages from other partitions are taken whatever their sequence.
    DeliveryGaps,
}

/// Whether this build can be sabotaged at all.
pub const POSSIBLE: bool = cfg!(feature = "sabotage");

#[cfg(feature = "sabotage")]
thread_local! {
    static CHOSEN: std::cell::Cell<Option<Sabotage>> = const { std::cell::Cell::new(None) };
}

/// Takes a guarantee out on this thread while `work` runs.
#[cfg(feature = "sabotage")]
pub fn without<R>(guarantee: Sabotage, work: impl FnOnce() -> R) -> R {
    struct Restore;
    impl Drop for Restore {
        fn drop(&mut self) {
            CHOSEN.set(None);
        }
    }
    CHOSEN.set(Some(guarantee));
    let _restore = Restore;
    work()
}

/// Whether this guarantee is taken out here and now.
#[cfg(feature = "sabotage")]
pub(crate) fn lacks(guarantee: Sabotage) -> bool {
    CHOSEN.get() == Some(guarantee)
}

/// Whether this guarantee is taken out here and now: never, in a build without the feature.
#[cfg(not(feature = "sabotage"))]
#[inline(always)]
pub(crate) fn lacks(_guarantee: Sabotage) -> bool {
    false
}
