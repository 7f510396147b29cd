//! Guarantees that can be taken out one at a time, to show that the tests which guard them fail without them.
//!
//! Only the `sabotage` feature compiles the switch in; without it every question below is the constant `false`.

/// Can anything be taken out of this build? A product must answer no.
pub const COMPILED_IN: bool = cfg!(feature = "sabotage");

/// A guarantee that can be taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// What a model's bytes say is believed.
    Validation,
    /// Missing values go where small ones go, whatever was learned.
    Missing,
    /// The seed is ignored: each training draws others.
    Seed,
}

#[cfg(feature = "sabotage")]
mod switch {
    use super::Sabotage;
    use std::cell::Cell;

    thread_local! {
        static TAKEN_OUT: Cell<Option<Sabotage>> = const { Cell::new(None) };
        static DRAWS: Cell<u64> = const { Cell::new(0) };
    }

    /// Takes this guarantee out on the current thread, or puts all back.
    pub fn take_out(sabotage: Option<Sabotage>) {
        TAKEN_OUT.set(sabotage);
    }

    pub(crate) fn lacks(sabotage: Sabotage) -> bool {
        TAKEN_OUT.get() == Some(sabotage)
    }

    /// The seed, or another each time.
    pub(crate) fn seed(seed: u64) -> u64 {
        if lacks(Sabotage::Seed) {
            DRAWS.set(DRAWS.get() + 1);
            return seed ^ DRAWS.get();
        }
        seed
    }
}

#[cfg(feature = "sabotage")]
pub use switch::take_out;
#[cfg(feature = "sabotage")]
pub(crate) use switch::{lacks, seed};

/// Is this guarantee taken out?
#[cfg(not(feature = "sabotage"))]
#[inline]
pub(crate) const fn lacks(_: Sabotage) -> bool {
    false
}

/// The seed.
#[cfg(not(feature = "sabotage"))]
#[inline]
pub(crate) const fn seed(seed: u64) -> u64 {
    seed
}
